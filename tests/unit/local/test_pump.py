"""The pump delivers what is in the queue, and acknowledges only what was accepted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from local_fixtures import Server, eventually, recording_server
from queue_depth import Depth, depth_of

from shared.bulk.ports import Topic
from shared.errors import TransientError
from shared.local.listening import free_port
from shared.local.pump import Destination, Pump, delay_s, loopback_client
from shared.push import pushed_message
from shared.settings import Secret
from shared.sqlite.database import Database
from shared.sqlite.queue import SqliteQueue


class Clock:
    """The moment of its making, plus what a test adds."""

    def __init__(self) -> None:
        self.ahead, self._begun = timedelta(), datetime.now(UTC)

    def __call__(self) -> datetime:
        return self._begun + self.ahead


class Bench:
    """A queue, a recording server and pumps between them."""

    def __init__(self, database: Database, server: Server) -> None:
        self.database, self.server, self.clock = database, server, Clock()
        self.queue = SqliteQueue(database, self.clock)
        self.url: str | None = server.url
        self._pumps: list[Pump] = []
        self._client = loopback_client(8)

    def pump(self, threads: int = 1, timeout_s: float = 60.0, **options: Any) -> Pump:
        destinations = (
            Destination(Topic.WORK, lambda: self.url, "/", threads, timeout_s),
            Destination(Topic.PLAN, lambda: self.url, "/tasks/plan", 1, timeout_s),
        )
        pump = Pump(self.queue, destinations, Secret("local-key"), self._client, **options)
        self._pumps.append(pump)
        pump.start()
        return pump

    def is_empty(self) -> bool:
        return all(self.depth(topic).total == 0 for topic in Topic)

    def depth(self, topic: Topic) -> Depth:
        return depth_of(self.database, topic, self.clock())

    def close(self) -> None:
        self.server.gate.set()
        for pump in self._pumps:
            pump.close(60.0)
        self._client.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with recording_server() as server, Database(tmp_path / "state.sqlite3") as database:
        bench = Bench(database, server)
        yield bench
        bench.close()


def test_an_accepted_message_is_gone(bench: Bench) -> None:
    """A 2xx acknowledges: the message was delivered once, with the key that proves where it comes from."""
    bench.queue.publish(Topic.WORK, [b"one"])
    bench.pump()
    eventually(bench.is_empty)
    [(path, headers, body)] = bench.server.requests
    assert (path, headers["x-local-task-key"]) == ("/", "local-key")
    assert pushed_message(headers, body).data == b"one"


def test_plan_messages_go_to_the_dispatcher(bench: Bench) -> None:
    """The dispatcher's own messages are delivered to its task path."""
    bench.queue.publish(Topic.PLAN, [b"plan"])
    bench.pump()
    eventually(bench.is_empty)
    assert [path for path, _, _ in bench.server.requests] == ["/tasks/plan"]


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503, 302])
def test_a_refused_message_comes_back_later(bench: Bench, status: int) -> None:
    """Anything but 2xx keeps the message, for a delivery after half a second at first."""
    bench.server.status = status
    bench.queue.publish(Topic.WORK, [b"one"])
    bench.pump()
    eventually(lambda: bench.depth(Topic.WORK).delayed == 1)
    assert len(bench.server.requests) == 1
    bench.server.status = 204
    bench.clock.ahead = timedelta(seconds=0.5)
    eventually(bench.is_empty)
    assert len(bench.server.requests) == 2


def test_no_answer_in_time_is_a_refusal(bench: Bench) -> None:
    """A function that does not answer within its timeout gets the message again."""
    bench.server.gate.clear()
    bench.queue.publish(Topic.WORK, [b"one"])
    bench.pump(timeout_s=0.2)
    eventually(lambda: bench.depth(Topic.WORK).delayed == 1)


def test_nothing_is_leased_while_nobody_is_there(bench: Bench) -> None:
    """While a child restarts its messages wait in the queue and no attempt is counted."""
    bench.url = None
    bench.queue.publish(Topic.WORK, [b"one"])
    pump = bench.pump()
    assert not pump.wait(0.3)
    assert bench.depth(Topic.WORK) == Depth(1, 0, 0)
    bench.url = bench.server.url
    eventually(bench.is_empty)


def test_a_refused_connection_is_tried_again_soon(bench: Bench) -> None:
    """A port that nobody listens on any more costs half a second, however often it happens."""
    bench.url = f"http://127.0.0.1:{free_port()}"
    bench.queue.publish(Topic.WORK, [b"one"])
    for _ in range(6):
        [delivery] = bench.queue.lease(Topic.WORK, 1, 60.0)
        bench.queue.nack(delivery, 0.0)
    bench.pump()
    eventually(lambda: bench.depth(Topic.WORK).delayed == 1)
    assert depth_of(bench.database, Topic.WORK, bench.clock() + timedelta(seconds=0.6)).ready == 1


def test_the_delay_grows_from_half_a_second_to_half_a_minute() -> None:
    """0.5, 1, 2, ... seconds by attempt, never more than 30."""
    assert [delay_s(attempt) for attempt in (1, 2, 3, 6, 7, 8, 100)] == [0.5, 1, 2, 16, 30, 30, 30]


def test_as_many_batches_are_worked_at_once_as_there_are_threads(bench: Bench) -> None:
    """Three threads deliver three messages beside each other, and the fourth when one is answered."""
    bench.server.gate.clear()
    bench.queue.publish(Topic.WORK, [b"1", b"2", b"3", b"4"])
    pump = bench.pump(threads=3)
    eventually(lambda: len(bench.server.requests) == 3)
    assert (pump.under_way, bench.depth(Topic.WORK).ready) == (3, 1)
    bench.server.gate.set()
    eventually(bench.is_empty)


def test_stopping_lets_running_deliveries_end_and_begins_no_other(bench: Bench) -> None:
    """After `stop_leasing` the delivery under way is acknowledged and the next message stays."""
    bench.server.gate.clear()
    bench.queue.publish(Topic.WORK, [b"1", b"2"])
    pump = bench.pump()
    eventually(lambda: bench.server.requests)
    pump.stop_leasing()
    assert not pump.wait(0.1)
    bench.server.gate.set()
    assert pump.wait(60.0)
    assert bench.depth(Topic.WORK) == Depth(1, 0, 0)


def test_the_lease_of_a_long_delivery_is_kept_alive(bench: Bench) -> None:
    """A delivery that outlasts its first lease, by the queue's clock, is still the only one, and its end counts."""
    bench.server.gate.clear()
    bench.queue.publish(Topic.WORK, [b"one"])
    bench.pump(timeout_s=10.0, keep_every_s=0.02)
    eventually(lambda: bench.server.requests)
    first = _due_at(bench)
    for passed_s in (60, 120):  # the lease is of 70 s
        bench.clock.ahead = timedelta(seconds=passed_s)
        eventually(lambda passed_s=passed_s: _due_at(bench) >= first + passed_s * 1_000_000)
    assert bench.depth(Topic.WORK).leased == 1
    bench.server.gate.set()
    eventually(bench.is_empty)
    assert len(bench.server.requests) == 1


def _due_at(bench: Bench) -> int:
    """When the lease of the only message ends, in microseconds."""
    with bench.database.reading() as connection:
        return int(connection.execute("SELECT due_at FROM messages").fetchone()[0])


def test_what_the_queue_gave_up_on_is_reported_to_the_worker(bench: Bench) -> None:
    """A dead batch message is posted to `/dead` until the worker has recorded it, then removed."""
    _bury(bench, Topic.WORK, b"poison")
    bench.server.status = 503
    bench.pump(dead_every_s=0.02)
    eventually(lambda: bench.server.requests)
    assert len(bench.queue.dead()) == 1

    bench.server.status = 204
    bench.pump(dead_every_s=0.02)
    eventually(lambda: not bench.queue.dead())
    path, headers, body = bench.server.requests[-1]
    assert (path, pushed_message(headers, body).data) == ("/dead", b"poison")


def test_a_dead_plan_message_is_put_into_the_queue_again(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    """A host that is away for hours ends no run: the plan is delivered anew, once, and a warning says so."""
    _bury(bench, Topic.PLAN, b"plan")
    bench.pump(dead_every_s=0.02)
    eventually(lambda: not bench.queue.dead())
    eventually(bench.is_empty)
    [(path, headers, body)] = bench.server.requests
    assert (path, pushed_message(headers, body).data) == ("/tasks/plan", b"plan")
    assert "plan message put into the queue again" in capfd.readouterr().err


def test_a_delivery_that_breaks_off_is_told_before_its_message_can_come_back(bench: Bench) -> None:
    """Whoever frees its batch then cannot take it from a new worker, who gets it only with the message."""
    told: list[tuple[bytes, int]] = []
    bench.server.breaks = True
    bench.queue.publish(Topic.WORK, [b"one"])
    bench.pump(on_broken_off=lambda body: told.append((body, bench.depth(Topic.WORK).leased)))
    eventually(lambda: bench.depth(Topic.WORK).delayed == 1)
    assert told == [(b"one", 1)]


def test_a_broken_plan_delivery_frees_nothing(bench: Bench) -> None:
    """The dispatcher holds no batches."""
    told: list[bytes] = []
    bench.server.breaks = True
    bench.queue.publish(Topic.PLAN, [b"plan"])
    bench.pump(on_broken_off=told.append)
    eventually(lambda: bench.depth(Topic.PLAN).delayed == 1)
    assert told == []


@pytest.mark.parametrize("error", [TransientError("the file does not answer"), ValueError("no such message")])
def test_a_message_comes_back_soon_although_its_batch_could_not_be_freed(
    bench: Bench, capfd: pytest.CaptureFixture[str], error: Exception
) -> None:
    """It is given back at once, not when its lease ends, and the thread goes on delivering."""

    def fail(_body: bytes) -> None:
        raise error

    bench.server.breaks = True
    bench.queue.publish(Topic.WORK, [b"one"])
    bench.pump(on_broken_off=fail)
    eventually(lambda: bench.depth(Topic.WORK).delayed == 1)
    bench.server.breaks = False
    bench.clock.ahead = timedelta(seconds=0.5)
    eventually(bench.is_empty)
    assert "batch of a dead worker not freed, its lease runs out by itself" in capfd.readouterr().err


def _bury(bench: Bench, topic: Topic, body: bytes) -> None:
    """Let the queue give up on a message."""
    queue = SqliteQueue(bench.database, bench.clock, max_attempts=1)
    queue.publish(topic, [body])
    [delivery] = queue.lease(topic, 1, 60.0)
    queue.nack(delivery, 0.0)
    assert len(queue.dead()) == 1


def test_no_body_and_no_key_is_logged(bench: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    """A failed delivery is logged by its number and the answer, never by what was in it."""
    bench.server.status = 500
    bench.queue.publish(Topic.WORK, [b"canary-body"])
    bench.pump()
    eventually(lambda: bench.depth(Topic.WORK).delayed == 1)
    logged = capfd.readouterr().err
    assert "1-1" in logged
    assert "500" in logged
    assert "canary" not in logged
    assert "local-key" not in logged
    assert "Y2FuYXJ5" not in logged
