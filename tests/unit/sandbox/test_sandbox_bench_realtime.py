"""The benchmark of realtime: how its load and its figures are made, its verdict and its words."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from sandbox.bench import mix
from sandbox.bench.load import Arrival, Shot, fire, percentile
from sandbox.bench.mix import Mix
from sandbox.bench.realtime import broken, grown, quota_of, spread_ms
from sandbox.bench.realtime_report import problems, report
from sandbox.launch import sandbox
from sandbox.notifications.envelopes import Request
from sandbox.notifications.project import ProjectControl

WORK_S = 0.05


@pytest.fixture
def one_at_a_time() -> Iterator[str]:
    """A server that takes 50 ms for a request and works on one at a time; it answers 503 to what it is told to refuse."""
    turn = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            with turn:
                time.sleep(WORK_S)
            self.send_response(503 if body == b"refuse" else 204)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


def _arrivals(count: int, rate: float, body: bytes = b"{}") -> list[Arrival]:
    return [Arrival(number / rate, "kind", Request({}, body)) for number in range(count)]


def test_latency_counts_from_the_scheduled_moment(one_at_a_time: str) -> None:
    """Ten requests within 45 ms for a server that needs 50 ms for each: the tenth has waited for the nine before it."""
    shots = fire(one_at_a_time, _arrivals(10, 200.0), 200.0)
    assert [shot.at_s for shot in shots] == [number / 200 for number in range(10)]
    assert max(shot.at_s + shot.latency_s for shot in shots) >= 10 * WORK_S
    assert sum(shot.latency_s for shot in shots) >= sum((number + 1) * WORK_S - number / 200 for number in range(10))


def test_what_is_not_acknowledged_would_be_delivered_again(one_at_a_time: str) -> None:
    """It is counted, not sent again."""
    [good], [bad] = fire(one_at_a_time, _arrivals(1, 1.0), 1.0), fire(one_at_a_time, _arrivals(1, 1.0, b"refuse"), 1.0)
    assert good.acknowledged
    assert not bad.acknowledged


def test_percentiles_are_values_that_were_seen() -> None:
    """Nearest rank: of a hundred values the 99th is the p99; of few the highest."""
    hundred = [number / 1000 for number in range(1, 101)]
    assert spread_ms(hundred) == {"p50": 50.0, "p95": 95.0, "p99": 99.0, "most": 100.0}
    assert percentile([3.0, 1.0, 2.0], 99) == 3.0
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


def _shots(*latencies_s: float) -> list[Shot]:
    return [Shot(float(at), "kind", 204, latency_s, 0.0) for at, latency_s in enumerate(latencies_s)]


def test_a_queue_that_builds_up_shows_as_growth() -> None:
    """The last third against the first."""
    assert grown(_shots(1.0, 1.0, 1.0, 1.0, 1.0, 1.0)) == 1.0
    assert grown(_shots(1.0, 1.0, 2.0, 2.0, 3.0, 3.0)) == 3.0


USUAL = {"p50": 200.0, "p95": 400.0}
HELD: dict[str, Any] = {"not_acknowledged": 0, "latency_ms": {"p50": 300.0, "p95": 600.0}, "grown": 1.5}


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"not_acknowledged": 2}, "2 messages would be delivered again"),
        ({"latency_ms": {"p50": 300.0, "p95": 601.0}}, "p95 more than 1.5 times the 400 ms"),
        ({"latency_ms": {"p50": 301.0, "p95": 600.0}}, "p50 more than 1.5 times the 200 ms"),
        ({"grown": 1.6}, "latency grew 1.6 times"),
    ],
)
def test_a_rate_is_held_while_nothing_comes_again_and_nothing_runs_away(changed: dict[str, Any], named: str) -> None:
    """Half as much again as when there is time is not running away."""
    assert broken(HELD, USUAL) == ""
    assert named in broken({**HELD, **changed}, USUAL)


def test_the_quota_is_that_of_the_endpoint_that_is_used_up_first() -> None:
    """A profile import for every second message: 750 a minute are 25 messages a second; two events each need 3,500 a minute."""
    found = quota_of({"POST /api/profile-import": 0.5, "POST /api/events": 3.0})
    assert (found["steady"], found["steady_by"]) == (19.4, "POST /api/events")
    assert (found["burst"], found["burst_by"]) == (116.7, "POST /api/events")
    assert quota_of({"POST /api/profile-import": 0.5})["steady"] == 25.0


def test_the_mix_has_every_kind_in_its_proportion() -> None:
    """Whatever fifty notifications follow each other from the beginning; their moments are in equal steps."""
    with sandbox(commercetools=mix.PROJECT) as servers:
        project = ProjectControl(servers.commercetools.url)
        supply = Mix(project)
        project.close()
    arrivals = supply.arrivals(10.0, 10.0)
    assert [arrival.at_s for arrival in arrivals] == [number / 10 for number in range(100)]
    assert Counter(arrival.kind for arrival in arrivals[:50]) == Counter(mix.PARTS)
    assert len({arrival.request.body for arrival in arrivals}) == 100
    assert len(supply.every(mix.REFUND)) > 10


def _rate(**changed: Any) -> dict[str, Any]:
    spread = {"p50": 10.0, "p95": 50.0, "p99": 60.0, "most": 70.0}
    return {
        "messages": 600,
        "not_acknowledged": 0,
        "not_done": 0,
        "latency_ms": spread,
        "added_ms": spread,
        "sent_late_ms": spread,
        "grown": 1.0,
        "in_process_ms": 250.0,
        "cpu_s_per_1000": 8.0,
        "cpu_share": 0.1,
        "simulators_cpu_share": 0.1,
        "commercetools_per_message": 1.5,
        "klaviyo_per_message": 1.7,
        **changed,
    }


def _figures(**at_ten: Any) -> dict[str, Any]:
    step = {"rate": 57.5, "broken": "", "latency_ms": {"p50": 1.0, "p95": 2.0}, "cpu_share": 0.5, "simulators_cpu_share": 0.5}
    return {
        "threads": 16,
        "seconds": 60.0,
        "latency_ms": {"read": 60, "write": 120},
        "start_s": 0.5,
        "rates": {"1": _rate(), "10": _rate(**at_ten), "50": _rate()},
        "chains": {kind: {"reads": 2, "writes": 1, "api_ms": 240, "own_ms": 10.0} for kind in mix.PARTS},
        "highest": {"rate": 57.5, "steps": [step]},
        "quota": {"steady": 41.1, "steady_by": "POST /a", "burst": 246.0, "burst_by": "POST /b"},
        "memory_mb": {"master": {"rss": 49.0, "pss": 30.0}, "worker": {"rss": 52.0, "pss": 40.0}},
    }


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"added_ms": {"p95": 50.1}}, "50.1 ms added to the API calls at 10/s (p95) is over the bound of 50 ms"),
        ({"not_acknowledged": 1}, "at 10/s 1 messages would be delivered again"),
        ({"not_done": 3}, "at 10/s 3 messages did not come to a request"),
    ],
)
def test_too_much_added_or_a_message_without_effect_is_named(changed: dict[str, Any], named: str) -> None:
    """Fifty milliseconds are allowed."""
    assert problems(_figures()) == []
    assert problems(_figures(**changed)) == [named]


@pytest.mark.parametrize(("rate", "bound"), [(57.5, "Klaviyo's quota"), (30.0, "the process")])
def test_the_report_says_what_the_bound_is(rate: float, bound: str) -> None:
    """Whichever of the process and Klaviyo's quota lets less through."""
    figures = _figures()
    figures["highest"]["rate"] = rate
    assert f"so the bound is     {bound}" in report(figures)


def test_the_report_says_how_it_was_measured() -> None:
    """Latency, load, warm-up and what counts as added; and every kind with its share."""
    text = report(_figures())
    for words in (
        "constant latency, 60 ms for each GET and 120 ms for each write",
        "open-loop",
        "warmed up",
        "quotas were lifted",
    ):
        assert words in text
    assert all(kind in text for kind in mix.PARTS)
    assert "let 64/s through at most" in text
