"""What a summary costs in reads: no more for a run of very many batches, though every delivery asks for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from firestore_world import Watched
from google_emulators import IN_ONE_PROCESS
from google_firestore import store_over

from shared.bulk.plan import scanned
from shared.bulk.records import Batch, BatchResult, BatchStatus, IdRange, Kind, Run, RunStatus, Summary, batch_id
from shared.google.run_store import FirestoreRunStore

pytestmark = IN_ONE_PROCESS

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RANGES, EACH = 4, 5
COUNT = RANGES * EACH
RUN = Run(
    run_id="run-1",
    kind=Kind.CUSTOMERS,
    status=RunStatus.RUNNING,
    fence=1,
    lease_until=NOW,
    started_at=NOW,
    updated_at=NOW,
    resumed_at=NOW,
)
NAMES = [batch_id(index, number) for number in range(1, EACH + 1) for index in range(RANGES)]
FIXED = 1 + RANGES + 1 + 1  # the run, its ranges, how many are settled, and a query that finds nothing


@pytest.fixture
def store(documents: Watched) -> FirestoreRunStore:
    """A run of twenty queued batches."""
    store = store_over(documents, lambda: NOW)
    store.create(RUN, [IdRange(index=index) for index in range(RANGES)])
    for index in range(RANGES):
        before = IdRange(index=index)
        for number in range(EACH):
            after, batches = scanned(before, "run-1", [f"{index}-{number}"], ended=number == EACH - 1)
            store.record("run-1", 1, before, after, batches)
            before = after
    return store


def settle(store: FirestoreRunStore, name: str, now: datetime = NOW) -> None:
    batch = store.take("run-1", 1, name, name, now, now + timedelta(seconds=60))
    assert isinstance(batch, Batch)
    store.settle(batch, name, BatchStatus.DONE, BatchResult(seen=1, sent=1), now)


def summed(store: FirestoreRunStore, documents: Watched) -> tuple[Summary, int]:
    """The summary, and how many reads it took."""
    before = documents.reads
    summary = store.summary("run-1", NOW, 60)
    return summary, documents.reads - before


def test_queued_batches_are_not_read(store: FirestoreRunStore, documents: Watched) -> None:
    """The ranges know how many were recorded."""
    summary, reads = summed(store, documents)
    assert (summary.planned, summary.queued, summary.planned_items) == (COUNT, COUNT, COUNT)
    assert reads == FIXED


def test_a_settled_batch_is_read_once_by_a_process(store: FirestoreRunStore, documents: Watched) -> None:
    """One read more for each that was settled since the last look, and none when there is none; the sums are right each time."""
    for done, name in enumerate(NAMES, start=1):
        settle(store, name, NOW + timedelta(seconds=done))
        summary, reads = summed(store, documents)
        assert (summary.done, summary.result.sent, summary.open_settled) == (done, done, done == COUNT)
        assert reads == FIXED + 1
    assert summed(store, documents)[1] == FIXED


def test_another_process_reads_what_it_has_not_seen(store: FirestoreRunStore, documents: Watched) -> None:
    """All at first, and then only what came since, whoever settled it."""
    other = store_over(documents, lambda: NOW)
    for done, name in enumerate(NAMES[:12], start=1):
        settle(store, name, NOW + timedelta(seconds=done))
    assert [summed(other, documents)[1] for _ in range(2)] == [FIXED + 12, FIXED]
    for done, name in enumerate(NAMES[12:17], start=13):
        settle(store, name, NOW + timedelta(seconds=done))
    assert summed(other, documents)[1] == FIXED + 5


def test_clocks_that_differ_cost_reads_and_no_truth(store: FirestoreRunStore, documents: Watched) -> None:
    """A worker whose clock is an hour behind settles last: it is found behind those that seem newer."""
    for done, name in enumerate(NAMES[:-1], start=1):
        settle(store, name, NOW + timedelta(seconds=done))
    summed(store, documents)
    settle(store, NAMES[-1], NOW - timedelta(hours=1))
    summary, reads = summed(store, documents)
    assert (summary.done, summary.open_settled) == (COUNT, True)
    assert reads <= FIXED + COUNT + 1
    assert summed(store, documents)[1] == FIXED


def test_what_is_worked_or_half_done_is_read_each_time(store: FirestoreRunStore, documents: Watched) -> None:
    """A few: as many as there are workers."""
    for name in NAMES[:3]:
        assert isinstance(store.take("run-1", 1, name, "a", NOW, NOW + timedelta(seconds=60)), Batch)
    batch = store.take("run-1", 1, NAMES[3], "a", NOW, NOW + timedelta(seconds=60))
    assert isinstance(batch, Batch)
    store.put_back(batch, "a", cursor="x", result=BatchResult(seen=1, sent=1), count_attempt=True)
    summary, reads = summed(store, documents)
    assert (summary.live, summary.queued, summary.result.sent) == (3, COUNT - 3, 1)
    assert reads == FIXED - 1 + 4


def ended(store: FirestoreRunStore, number: int) -> None:
    """A run of one batch that has ended two hours ago."""
    run_id, ago = f"ended-{number}", NOW - timedelta(hours=2)
    before = IdRange(index=0)
    run = store_run(run_id, ago)
    store.create(run, [before])
    store.record(run_id, 1, before, *scanned(before, run_id, ["a"], ended=True))
    batch = store.take(run_id, 1, batch_id(0, 1), "a", ago, ago + timedelta(seconds=60))
    assert isinstance(batch, Batch)
    store.settle(batch, "a", BatchStatus.DONE, BatchResult(seen=1, sent=1), ago)
    store.save(msgspec.structs.replace(run, status=RunStatus.COMPLETED, finished_at=ago))


def store_run(run_id: str, at: datetime) -> Run:
    return msgspec.structs.replace(RUN, run_id=run_id, started_at=at, updated_at=at, resumed_at=at)


def test_runs_that_have_ended_are_summed_once_however_many_are_listed(store: FirestoreRunStore, documents: Watched) -> None:
    """Then each costs the reading of its record; and what is remembered of the run under way stays."""
    settle(store, NAMES[0])
    summed(store, documents)
    for number in range(10):
        ended(store, number)
    sums, reads = [], []
    for _ in range(2):
        before = documents.reads
        sums.append([store.summary(f"ended-{number}", NOW, 60) for number in range(10)])
        reads.append(documents.reads - before)
    assert [one.result.sent for one in sums[0]] == [1] * 10
    assert sums[1] == sums[0]
    assert reads == [10 * (1 + 1 + 1 + 1 + 1), 10]
    assert summed(store, documents)[1] == FIXED


def test_a_run_that_ended_is_summed_anew_when_it_is_resumed_or_not_long_over(store: FirestoreRunStore) -> None:
    """A worker may still come late to an abandoned one; and a resumed one goes on."""
    batches = [store.take("run-1", 1, name, "a", NOW, NOW + timedelta(seconds=60)) for name in NAMES[:2]]
    assert all(isinstance(batch, Batch) for batch in batches)
    stopped = store.save(msgspec.structs.replace(RUN, status=RunStatus.STOPPED, finished_at=NOW))
    assert store.summary("run-1", NOW, 60).done == 0
    store.settle(batches[0], "a", BatchStatus.DONE, BatchResult(seen=1, sent=1), NOW)
    assert store.summary("run-1", NOW + timedelta(minutes=30), 60).done == 1
    much_later = NOW + timedelta(hours=3)
    assert [store.summary("run-1", much_later, 60).done for _ in range(2)] == [1, 1]
    store.save(msgspec.structs.replace(stopped, status=RunStatus.RUNNING, finished_at=None))
    store.settle(batches[1], "a", BatchStatus.DONE, BatchResult(seen=1, sent=1), much_later)
    assert store.summary("run-1", much_later, 60).done == 2


def test_batches_that_are_deleted_after_their_time_do_not_confuse_it(store: FirestoreRunStore, documents: Watched) -> None:
    """Fewer than are remembered: then nothing remembered counts."""
    for name in NAMES[:5]:
        settle(store, name)
    assert summed(store, documents)[0].done == 5
    documents.collection("runs", "run-1", "batches").document(NAMES[0]).delete()
    assert summed(store, documents)[0].done == 4
