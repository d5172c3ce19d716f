"""The SQLite queue: leases, delays, attempts and the dead, on a clock that the test moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from queue_depth import Depth, depth_of

from shared.bulk.ports import Topic
from shared.sqlite.database import Database
from shared.sqlite.queue import BuriedMessage, Delivery, SqliteQueue

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
LEASE_S = 10.0
END = ("ack", "nack", "extend")


DepthOf = Callable[[Topic], Depth]


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database(tmp_path / "state.sqlite3") as opened:
        yield opened


@pytest.fixture
def queue(database: Database, clock: Clock) -> SqliteQueue:
    return SqliteQueue(database, clock, max_attempts=3)


@pytest.fixture
def depth(database: Database, clock: Clock) -> DepthOf:
    return lambda topic: depth_of(database, topic, clock())


def leased(queue: SqliteQueue, most: int = 10) -> list[Delivery]:
    return queue.lease(Topic.WORK, most, LEASE_S)


def one(queue: SqliteQueue) -> Delivery:
    (delivery,) = leased(queue)
    return delivery


def told(queue: SqliteQueue, how: str, delivery: Delivery) -> bool:
    return {
        "ack": lambda: queue.ack(delivery),
        "nack": lambda: queue.nack(delivery, 0),
        "extend": lambda: queue.extend(delivery, LEASE_S),
    }[how]()


def test_messages_are_delivered_in_the_order_of_publication(queue: SqliteQueue, clock: Clock) -> None:
    """Also when several are published at the same moment."""
    queue.publish(Topic.WORK, [b"1", b"2", b"3"])
    clock.pass_(1)
    queue.publish(Topic.WORK, [b"4"])
    assert [delivery.body for delivery in leased(queue, 2)] == [b"1", b"2"]
    assert [delivery.body for delivery in leased(queue)] == [b"3", b"4"]


def test_a_message_may_be_empty(queue: SqliteQueue) -> None:
    """Not a property of every queue: Pub/Sub takes no message without content, and no import publishes one."""
    queue.publish(Topic.WORK, [b""])
    assert one(queue).body == b""


def test_a_delivery_says_which_it_is(queue: SqliteQueue, clock: Clock) -> None:
    """Message, attempt and the moment of publication; two deliveries of a message have two ids."""
    queue.publish(Topic.WORK, [b"1"])
    clock.pass_(1)
    first = one(queue)
    assert first == Delivery(first.message_id, Topic.WORK, b"1", 1, START)
    queue.nack(first, 0)
    second = one(queue)
    assert (second.message_id, second.attempt) == (first.message_id, 2)
    assert second.delivery_id != first.delivery_id


def test_an_expired_lease_makes_the_message_deliverable_again(queue: SqliteQueue, clock: Clock) -> None:
    """At its end, not before."""
    queue.publish(Topic.WORK, [b"1"])
    one(queue)
    clock.pass_(LEASE_S - 0.001)
    assert leased(queue) == []
    clock.pass_(0.001)
    assert one(queue).attempt == 2


@pytest.mark.parametrize("how", END)
def test_a_delivery_whose_lease_ran_out_has_no_say(queue: SqliteQueue, clock: Clock, how: str, depth: DepthOf) -> None:
    """Neither before nor after somebody else got the message."""
    queue.publish(Topic.WORK, [b"1"])
    late = one(queue)
    clock.pass_(LEASE_S)
    assert not told(queue, how, late)
    again = one(queue)
    assert not told(queue, how, late)
    assert depth(Topic.WORK) == Depth(0, 0, 1)
    assert queue.ack(again)


@pytest.mark.parametrize("how", END)
@pytest.mark.parametrize("before", ["ack", "nack"])
def test_a_delivery_ends_once(queue: SqliteQueue, before: str, how: str, depth: DepthOf) -> None:
    """After an answer any further one does nothing."""
    queue.publish(Topic.WORK, [b"1"])
    delivery = one(queue)
    assert told(queue, before, delivery)
    left = depth(Topic.WORK)
    assert not told(queue, how, delivery)
    assert depth(Topic.WORK) == left


def test_a_delayed_message_waits(queue: SqliteQueue, clock: Clock) -> None:
    """`nack` names the seconds; an answer meanwhile has no say."""
    queue.publish(Topic.WORK, [b"1"])
    delivery = one(queue)
    assert queue.nack(delivery, 30)
    assert not queue.ack(delivery)
    clock.pass_(29.999)
    assert leased(queue) == []
    clock.pass_(0.001)
    assert one(queue).attempt == 2


def test_an_extended_lease_lasts_from_now(queue: SqliteQueue, clock: Clock) -> None:
    """A worker that shows life keeps its message."""
    queue.publish(Topic.WORK, [b"1"])
    delivery = one(queue)
    clock.pass_(9)
    assert queue.extend(delivery, 20)
    clock.pass_(19)
    assert leased(queue) == []
    assert queue.ack(delivery)


def test_a_refused_message_goes_behind_what_was_due_before_it(queue: SqliteQueue, clock: Clock) -> None:
    """One that fails each time does not keep the others waiting."""
    queue.publish(Topic.WORK, [b"bad", b"good"])
    clock.pass_(1)
    (bad,) = leased(queue, 1)
    queue.nack(bad, 0)
    assert [delivery.body for delivery in leased(queue)] == [b"good", b"bad"]


def test_a_message_refused_for_the_last_time_is_dead(queue: SqliteQueue, clock: Clock, depth: DepthOf) -> None:
    """With its body and the count of its attempts; it is not delivered again."""
    queue.publish(Topic.WORK, [b"1"])
    clock.pass_(5)
    for _ in range(3):
        delivery = one(queue)
        assert queue.nack(delivery, 60) is True
        clock.pass_(60)
    assert leased(queue) == []
    assert queue.dead() == [BuriedMessage(delivery.message_id, Topic.WORK, b"1", 3, START, START + timedelta(seconds=125))]
    assert depth(Topic.WORK) == Depth(0, 0, 0)


def test_a_message_whose_worker_died_each_time_is_dead(queue: SqliteQueue, clock: Clock) -> None:
    """Nobody refused it; its leases ran out. The messages behind it are delivered in the same call."""
    queue.publish(Topic.WORK, [b"deadly"])
    for _ in range(3):
        assert one(queue).body == b"deadly"
        clock.pass_(LEASE_S)
    queue.publish(Topic.WORK, [b"good"])
    assert [delivery.body for delivery in leased(queue, 1)] == [b"good"]
    assert [(dead.body, dead.attempts) for dead in queue.dead()] == [(b"deadly", 3)]


def test_the_last_attempt_may_still_succeed(queue: SqliteQueue) -> None:
    """Attempts are counted to the limit, not short of it."""
    queue.publish(Topic.WORK, [b"1"])
    queue.nack(one(queue), 0)
    queue.nack(one(queue), 0)
    assert queue.ack(one(queue))
    assert queue.dead() == []


def test_the_dead_are_listed_until_dropped(queue: SqliteQueue, clock: Clock) -> None:
    """First to die first, up to a limit, of all topics."""
    for topic, body in ((Topic.WORK, b"1"), (Topic.PLAN, b"2")):
        queue.publish(topic, [body])
        for _ in range(3):
            (delivery,) = queue.lease(topic, 1, LEASE_S)
            queue.nack(delivery, 0)
        clock.pass_(1)
    first, second = queue.dead()
    assert [(dead.topic, dead.body) for dead in (first, second)] == [(Topic.WORK, b"1"), (Topic.PLAN, b"2")]
    assert queue.dead(1) == [first]
    assert queue.drop_dead(first.message_id)
    assert not queue.drop_dead(first.message_id)
    assert queue.dead() == [second]


def test_ready_delayed_and_leased_messages_are_told_apart(queue: SqliteQueue, clock: Clock, depth: DepthOf) -> None:
    """An expired lease counts as ready; another topic does not count."""
    queue.publish(Topic.WORK, [b"1", b"2", b"3", b"4"])
    queue.publish(Topic.PLAN, [b"5"])
    first, _second = leased(queue, 2)
    queue.nack(first, 30)
    assert depth(Topic.WORK) == Depth(ready=2, delayed=1, leased=1)
    clock.pass_(LEASE_S)
    assert depth(Topic.WORK) == Depth(ready=3, delayed=1, leased=0)
    assert depth(Topic.PLAN) == Depth(ready=1, delayed=0, leased=0)


def test_freed_leases_are_delivered_again_at_once(queue: SqliteQueue, depth: DepthOf) -> None:
    """After a start: what nobody can be working on any more; the attempt stays counted, a delay stays a delay."""
    queue.publish(Topic.WORK, [b"1", b"2", b"3"])
    first, second = leased(queue, 2)
    queue.nack(second, 30)
    assert queue.free_leases() == 1
    assert depth(Topic.WORK) == Depth(ready=2, delayed=1, leased=0)
    assert not queue.ack(first)
    assert {delivery.body: delivery.attempt for delivery in leased(queue)} == {b"1": 2, b"3": 1}


def test_a_message_id_is_never_given_again(queue: SqliteQueue, depth: DepthOf) -> None:
    """A late answer to a message that is gone cannot hit another one."""
    queue.publish(Topic.WORK, [b"1"])
    gone = one(queue)
    queue.ack(gone)
    queue.publish(Topic.WORK, [b"2"])
    other = one(queue)
    assert other.message_id != gone.message_id
    assert not queue.ack(gone)
    assert depth(Topic.WORK).leased == 1


def test_messages_outlive_the_process(tmp_path: Path, clock: Clock) -> None:
    """Another opening of the file finds them, leases and attempts included."""
    path = tmp_path / "kept.sqlite3"
    with Database(path) as database:
        queue = SqliteQueue(database, clock)
        queue.publish(Topic.WORK, [b"1", b"2"])
        leased(queue, 1)
    with Database(path) as database:
        queue = SqliteQueue(database, clock)
        assert [delivery.body for delivery in leased(queue)] == [b"2"]
        clock.pass_(LEASE_S)
        assert {delivery.body: delivery.attempt for delivery in leased(queue)} == {b"1": 2, b"2": 2}
