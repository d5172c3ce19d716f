"""Deliveries: what acknowledges, what comes again, how much at once, in which disorder."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random

import pytest

from sandbox.notifications.delivery import ACKNOWLEDGED, NO_ANSWER, Courier, Parcel, Patience
from sandbox.notifications.disorder import repeated, shuffled_within
from sandbox.notifications.envelopes import Request

IMPATIENT = Patience(first_s=0.001, most_s=0.004, attempts=6, answer_s=60.0)


class Function:
    """An HTTP server on loopback that answers by a function of (name, attempt); None closes without an answer."""

    def __init__(self, answer: Callable[[str, int], int | None]) -> None:
        self.seen: Counter[str] = Counter()
        self.most_at_once = self.now = 0
        lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                name = self.rfile.read(int(self.headers["content-length"])).decode()
                with lock:
                    outer.seen[name] += 1
                    attempt = outer.seen[name]
                    outer.now += 1
                    outer.most_at_once = max(outer.most_at_once, outer.now)
                try:
                    status = answer(name, attempt)
                finally:
                    with lock:
                        outer.now -= 1
                if status is None:
                    self.close_connection = True
                    return
                self.send_response(status)
                if status >= 200 and status != 204:
                    self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"


@contextmanager
def function(answer: Callable[[str, int], int | None]) -> Iterator[Function]:
    """The server while the context lasts."""
    served = Function(answer)
    thread = threading.Thread(target=served.server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield served
    finally:
        served.server.shutdown()
        thread.join()
        served.server.server_close()


def parcels(*names: str) -> Iterator[Parcel]:
    """Parcels whose body is their name."""
    return (Parcel(name, lambda _attempt, name=name: Request({}, name.encode())) for name in names)  # type: ignore[misc]


def courier(url: str, **more: float) -> Courier:
    """A courier with short pauses."""
    return Courier([url], time.monotonic, Random(1), patience=IMPATIENT, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("status", sorted(ACKNOWLEDGED - {102}))
def test_an_acknowledged_message_is_not_delivered_again(status: int) -> None:
    """200, 201, 202 and 204 end it."""
    with function(lambda _name, _attempt: status) as served:
        report = courier(served.url).deliver(parcels("a", "b"))
    assert served.seen == {"a": 1, "b": 1}
    assert report.statuses == {status: 2}
    assert report.lost == []


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503, None])
def test_everything_else_is_delivered_again_until_it_is_acknowledged(status: int | None) -> None:
    """Also a 4xx, and a connection that was closed without an answer; the report names every status."""
    with function(lambda name, attempt: status if name == "hard" and attempt < 4 else 204) as served:
        report = courier(served.url, workers=1).deliver(parcels("hard", "easy"))
    found = {delivery.name: delivery.statuses for delivery in report.deliveries}
    assert found["easy"] == (204,)
    assert set(found["hard"][:-1]) == {status or NO_ANSWER}
    assert found["hard"][-1] == 204
    assert report.attempts == len(found["hard"]) + 1
    assert set(report.faults) == ({"RemoteDisconnected"} if status is None else set())


def test_a_message_is_given_up_after_the_last_attempt() -> None:
    """It is in the report as lost, and the others are not held up."""
    with function(lambda name, _attempt: 500 if name == "never" else 200) as served:
        report = courier(served.url).deliver(parcels("never", "a", "b"))
    assert [delivery.name for delivery in report.lost] == ["never"]
    assert report.lost[0].statuses == (500,) * IMPATIENT.attempts
    assert "1 given up" in str(report)


def test_no_more_is_under_way_than_there_are_workers() -> None:
    """And as much as that at some time."""

    trio = threading.Barrier(3, timeout=60)

    def slow(_name: str, _attempt: int) -> int:
        trio.wait()
        return 204

    with function(slow) as served:
        courier(served.url, workers=3).deliver(parcels(*"abcdefghijkl"))
    assert served.most_at_once == 3


def test_the_source_is_walked_as_the_workers_come_along() -> None:
    """So that a source which changes a project does so between the deliveries; its error is raised."""
    taken: list[str] = []

    def changing() -> Iterator[Parcel]:
        for parcel in parcels(*"abcdefgh"):
            taken.append(parcel.name)
            yield parcel
        raise LookupError("no more changes")

    ahead: list[int] = []
    delivered: list[str] = []

    def answer(name: str, _attempt: int) -> int:
        delivered.append(name)
        time.sleep(0.005)
        ahead.append(len(taken) - len(delivered))
        return 204

    with function(answer) as served, pytest.raises(LookupError):
        courier(served.url, workers=1).deliver(changing())
    assert max(ahead) <= 2
    assert ahead


def test_a_rate_spreads_the_beginnings() -> None:
    """Twenty messages at a hundred in a second take a fifth of a second."""
    with function(lambda _name, _attempt: 204) as served:
        report = courier(served.url, per_second=100.0).deliver(parcels(*map(str, range(20))))
    assert report.took_s >= 0.19
    assert len(report.deliveries) == 20


def test_only_http_is_spoken() -> None:
    """An address of another scheme is refused."""
    with pytest.raises(ValueError, match="http"):
        courier("https://example.com/").deliver(parcels("a"))


def test_a_share_is_delivered_two_to_five_times() -> None:
    """The others once, nothing is left out; the same randomness makes the same stream."""
    found = Counter(repeated(range(10_000), 0.3, Random(5)))
    assert set(found) == set(range(10_000))
    assert set(found.values()) == {1, 2, 3, 4, 5}
    assert 0.28 < sum(1 for count in found.values() if count > 1) / 10_000 < 0.32
    assert list(repeated(range(50), 0.3, Random(5))) == list(repeated(range(50), 0.3, Random(5)))


def test_a_shuffled_stream_is_displaced_by_less_than_the_window() -> None:
    """Nothing is lost, and much is displaced by half of the window and more."""
    found = list(shuffled_within(range(5_000), 100, Random(3)))
    assert sorted(found) == list(range(5_000))
    displaced = [abs(place - item) for place, item in enumerate(found)]
    assert max(displaced) < 100
    assert sum(1 for distance in displaced if distance > 40) > 500


def test_a_shuffled_stream_takes_no_more_in_advance_than_the_window() -> None:
    """It can be made of changes that happen while it is delivered."""
    taken = 0

    def source() -> Iterator[int]:
        nonlocal taken
        for number in range(1_000):
            taken += 1
            yield number

    for place, _item in enumerate(shuffled_within(source(), 100, Random(3))):
        assert taken <= place + 101


def test_every_copy_of_a_message_is_delivered() -> None:
    """Duplicates are deliveries of their own, each acknowledged by itself."""
    seen: defaultdict[str, int] = defaultdict(int)
    with function(lambda _name, _attempt: 204) as served:
        stream = shuffled_within(repeated(list(parcels(*map(str, range(100)))), 0.3, Random(2)), 10, Random(2))
        report = courier(served.url).deliver(stream)
    for delivery in report.deliveries:
        seen[delivery.name] += 1
    assert seen == served.seen
    assert report.attempts == len(report.deliveries) > 120
