"""The state file shared by real processes, and after a process was killed (flows.md "What may crash where, and what then")."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec
import pytest
from queue_depth import depth_of

from shared.bulk.plan import scanned
from shared.bulk.ports import NotTaken, Topic
from shared.bulk.records import Batch, BatchResult, BatchStatus, IdRange, Kind, Run, RunStatus, batch_id
from shared.sqlite.database import Database
from shared.sqlite.queue import SqliteQueue
from shared.sqlite.run_store import SqliteRunStore

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LEASE = timedelta(minutes=10)
SPAWN = multiprocessing.get_context("spawn")
PROCESSES = 4
BATCHES = 200
RUN = Run(
    run_id="run-1",
    kind=Kind.CUSTOMERS,
    status=RunStatus.RUNNING,
    fence=1,
    lease_until=NOW + LEASE,
    started_at=NOW,
    updated_at=NOW,
    resumed_at=NOW,
)


def take_all(path: Path, owner: str, told: Connection) -> None:
    """A process that tries to take and settle every batch; tells which it got."""
    got = []
    with Database(path) as database:
        store = SqliteRunStore(database)
        told.send("ready")
        told.recv()
        for number in range(1, BATCHES + 1):
            batch = store.take(RUN.run_id, 1, batch_id(0, number), owner, NOW, NOW + LEASE)
            if not isinstance(batch, NotTaken):
                got.append(batch.batch_id)
                store.settle(batch, owner, BatchStatus.DONE, BatchResult(seen=10, sent=10), NOW)
    told.send(got)
    told.close()


def lease_all(path: Path, _owner: str, told: Connection) -> None:
    """A process that leases and acknowledges until the queue is empty; tells what it got."""
    got = []
    with Database(path) as database:
        queue = SqliteQueue(database)
        told.send("ready")
        told.recv()
        while deliveries := queue.lease(Topic.WORK, 3, 600):
            got += [delivery.body for delivery in deliveries if queue.ack(delivery)]
    told.send(got)
    told.close()


def plan_for_ever(path: Path, told: Connection) -> None:
    """A process that records a batch, publishes its message, tells so, and goes on until it is killed."""
    database = Database(path)
    store, queue = SqliteRunStore(database), SqliteQueue(database)
    current = store.ranges(RUN.run_id)[0]
    while True:
        after, batches = scanned(current, RUN.run_id, [f"{current.planned:08d}"], ended=False)
        store.record(RUN.run_id, 1, current, after, batches)
        queue.publish(Topic.WORK, [str(after.planned).encode()])
        told.send(after.planned)
        current = after


def in_processes(target: object, path: Path) -> list[list[object]]:
    """What each of four processes got that began together."""
    ends = []
    for number in range(PROCESSES):
        mine, its = SPAWN.Pipe()
        process = SPAWN.Process(target=target, args=(path, f"owner-{number}", its))  # type: ignore[arg-type]
        process.start()
        its.close()
        ends.append((process, mine))
    for _, mine in ends:
        assert mine.recv() == "ready"
    for _, mine in ends:
        mine.send("go")
    answers = [mine.recv() for _, mine in ends]
    for process, mine in ends:
        process.join(30)
        assert process.exitcode == 0
        mine.close()
        process.close()
    return answers


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A state file with a run of one range."""
    path = tmp_path / "state.sqlite3"
    with Database(path) as database:
        SqliteRunStore(database).create(RUN, [IdRange(index=0)])
    return path


def test_four_processes_share_two_hundred_batches(path: Path) -> None:
    """Each batch is worked by one of them, and the run's sums are right."""
    with Database(path) as database:
        store = SqliteRunStore(database)
        batches = [Batch(run_id=RUN.run_id, range_index=0, number=number, size=10) for number in range(1, BATCHES + 1)]
        store.record(RUN.run_id, 1, IdRange(index=0), IdRange(index=0, planned=BATCHES, done=True), batches)
        answers = in_processes(take_all, path)
        assert Counter(name for got in answers for name in got) == Counter(batch.batch_id for batch in batches)
        summary = store.summary(RUN.run_id, NOW, 60)
        assert (summary.done, summary.result.sent) == (BATCHES, BATCHES * 10)
        assert {batch.attempts for batch in store.batches(RUN.run_id, [BatchStatus.DONE])} == {1}


def test_four_processes_share_the_messages(path: Path) -> None:
    """Each message is delivered to one of them and acknowledged."""
    bodies = [str(number).encode() for number in range(400)]
    with Database(path) as database:
        queue = SqliteQueue(database)
        queue.publish(Topic.WORK, bodies)
        answers = in_processes(lease_all, path)
        assert Counter(body for got in answers for body in got) == Counter(bodies)
        assert depth_of(database, Topic.WORK).leased == 0


@pytest.mark.parametrize("after", [1, 7, 40, 150, 400])
def test_nothing_that_was_written_is_lost_by_a_kill(path: Path, after: int) -> None:
    """A process is killed amid its writing: all it had confirmed is there, what it recorded together is there together."""
    mine, its = SPAWN.Pipe()
    process = SPAWN.Process(target=plan_for_ever, args=(path, its))
    process.start()
    its.close()
    confirmed = 0
    while confirmed < after:
        confirmed = mine.recv()
    assert process.pid
    os.kill(process.pid, signal.SIGKILL)
    process.join(30)
    assert process.exitcode == -signal.SIGKILL
    while mine.poll():
        try:
            confirmed = mine.recv()
        except (EOFError, OSError):
            break
    mine.close()
    process.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with Database(path) as database:
        store = SqliteRunStore(database)
        (current,) = store.ranges(RUN.run_id)
        assert current.planned in (confirmed, confirmed + 1)
        assert [batch.number for batch in store.batches(RUN.run_id, list(BatchStatus))] == list(range(1, current.planned + 1))
        assert depth_of(database, Topic.WORK).ready in (confirmed, confirmed + 1)
        store.record(RUN.run_id, 1, current, msgspec.structs.replace(current, done=True), [])


def test_a_start_without_other_workers_frees_their_batches(path: Path) -> None:
    """Batches that a dead process was working on are queued again, attempts and partial results kept; runs are left alone."""
    with Database(path) as database:
        store = SqliteRunStore(database)
        batches = [Batch(run_id=RUN.run_id, range_index=0, number=number, size=10) for number in (1, 2, 3)]
        store.record(RUN.run_id, 1, IdRange(index=0), IdRange(index=0, planned=3, done=True), batches)
        first = store.take(RUN.run_id, 1, batch_id(0, 1), "dead", NOW, NOW + LEASE)
        assert isinstance(first, Batch)
        partial = BatchResult(seen=4, sent=4)
        store.put_back(first, "dead", cursor="item-4", result=partial, count_attempt=True)
        store.take(RUN.run_id, 1, batch_id(0, 1), "dead", NOW, NOW + LEASE)
        second = store.take(RUN.run_id, 1, batch_id(0, 2), "dead", NOW, NOW + LEASE)
        assert isinstance(second, Batch)
        store.settle(second, "dead", BatchStatus.DONE, BatchResult(seen=10, sent=10), NOW)
        assert store.free_leases() == 1
        assert store.free_leases() == 0
        assert store.run(RUN.run_id) == RUN
        summary = store.summary(RUN.run_id, NOW, 60)
        assert (summary.queued, summary.live, summary.done) == (2, 0, 1)
        again = store.take(RUN.run_id, 1, batch_id(0, 1), "new", NOW, NOW + LEASE)
        assert isinstance(again, Batch)
        assert (again.attempts, again.cursor, again.result) == (3, "item-4", partial)


def test_one_batch_of_a_dead_worker_is_freed_and_no_other(path: Path) -> None:
    """Only the named one, only while it is worked on, and only under the fence that its message had."""
    with Database(path) as database:
        store = SqliteRunStore(database)
        batches = [Batch(run_id=RUN.run_id, range_index=0, number=number, size=10) for number in (1, 2, 3)]
        store.record(RUN.run_id, 1, IdRange(index=0), IdRange(index=0, planned=3, done=True), batches)
        for number in (1, 2):
            store.take(RUN.run_id, 1, batch_id(0, number), "dead", NOW, NOW + LEASE)
        assert store.free_lease(RUN.run_id, 2, batch_id(0, 1)) == 0
        assert store.free_lease(RUN.run_id, 1, batch_id(0, 3)) == 0
        assert store.free_lease(RUN.run_id, 1, batch_id(0, 1)) == 1
        assert store.free_lease(RUN.run_id, 1, batch_id(0, 1)) == 0
        again = store.take(RUN.run_id, 1, batch_id(0, 1), "new", NOW, NOW + LEASE)
        assert isinstance(again, Batch)
        assert again.attempts == 2
        assert store.take(RUN.run_id, 1, batch_id(0, 2), "new", NOW, NOW + LEASE) is NotTaken.HELD
