"""Run store: who may work a batch, and who may write what became of it."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

import pytest
from run_store_records import FIRST, LEASE, NOW, RESULT, RUN_ID, changed, planned, settled, stored, taken

from shared.bulk.ports import NotTaken, RunStore
from shared.bulk.records import Batch, BatchResult, BatchStatus, RunStatus
from shared.bulk.tally import Progress, Step, Tally
from shared.errors import StaleWrite

LATER = NOW + LEASE


@dataclass(frozen=True)
class Situation:
    """What happened to the first batch of a run under fence 1, and what follows.

    What a second taker gets, a second after the first one (`late`: when the first one's lease has run out), and whether
    the first taker, `a`, may still write.
    """

    name: str
    prepare: Callable[[RunStore], object]
    second_taker_gets: type[Batch] | NotTaken
    first_may_write: bool
    late: bool = False


def nothing_happened(store: RunStore) -> None:
    pass


def a_took(store: RunStore) -> None:
    taken(store, "a")


def taken_over(store: RunStore) -> None:
    taken(store, "a")
    taken(store, "b", now=LATER)


def put_back(store: RunStore) -> None:
    store.put_back(taken(store, "a"), "a", cursor=None, result=BatchResult(), count_attempt=True)


def settled_as(status: BatchStatus) -> Callable[[RunStore], object]:
    return lambda store: store.settle(taken(store, "a"), "a", status, RESULT, NOW)


def fence_raised(store: RunStore) -> None:
    taken(store, "a")
    changed(store, fence=2)


def fence_raised_and_requeued(store: RunStore) -> None:
    fence_raised(store)
    store.requeue(RUN_ID, 2)


def a_took_and_run_became(status: RunStatus) -> Callable[[RunStore], object]:
    def prepare(store: RunStore) -> None:
        taken(store, "a")
        changed(store, status=status)

    return prepare


def settled_and_run_became(status: RunStatus) -> Callable[[RunStore], object]:
    def prepare(store: RunStore) -> None:
        settled(store, FIRST)
        changed(store, status=status)

    return prepare


SITUATIONS = [
    Situation("queued", nothing_happened, Batch, first_may_write=False),
    Situation("working", a_took, NotTaken.HELD, first_may_write=True),
    Situation("working, its lease ran out", a_took, Batch, first_may_write=True, late=True),
    Situation("taken over after its lease ran out", taken_over, NotTaken.HELD, first_may_write=False, late=True),
    Situation("put back", put_back, Batch, first_may_write=False),
    Situation("done", settled_as(BatchStatus.DONE), NotTaken.SETTLED, first_may_write=False),
    Situation("failed", settled_as(BatchStatus.FAILED), NotTaken.SETTLED, first_may_write=False),
    Situation("the run's fence was raised", fence_raised, NotTaken.IGNORED, first_may_write=False),
    Situation("fence raised, batch requeued", fence_raised_and_requeued, NotTaken.IGNORED, first_may_write=False),
    Situation("working, run stopping", a_took_and_run_became(RunStatus.STOPPING), NotTaken.HELD, first_may_write=True),
    Situation(
        "working, lease ran out, run stopping", a_took_and_run_became(RunStatus.STOPPING), NotTaken.IGNORED, True, late=True
    ),
    Situation("working, run stopped", a_took_and_run_became(RunStatus.STOPPED), NotTaken.IGNORED, first_may_write=True),
    Situation("done, run stopping", settled_and_run_became(RunStatus.STOPPING), NotTaken.IGNORED, first_may_write=False),
    Situation("done, run completed", settled_and_run_became(RunStatus.COMPLETED), NotTaken.IGNORED, first_may_write=False),
]
WRITES: dict[str, Callable[[RunStore, Batch], None]] = {
    "hold": lambda store, batch: store.hold(batch.run_id, batch.batch_id, "a", LATER + LEASE),
    "put_back": lambda store, batch: store.put_back(batch, "a", cursor="x", result=RESULT, count_attempt=True),
    "settle": lambda store, batch: store.settle(batch, "a", BatchStatus.DONE, RESULT, LATER),
}


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.name)
def test_what_a_second_taker_gets(store: RunStore, situation: Situation) -> None:
    """A message of fence 1 is delivered (again): the batch is worked, left alone for now, or the message is done with."""
    planned(store)
    situation.prepare(store)
    before = stored(store)
    now = LATER if situation.late else NOW + timedelta(seconds=1)
    got = store.take(RUN_ID, 1, FIRST, "c", now, now + LEASE)
    if isinstance(situation.second_taker_gets, NotTaken):
        assert got is situation.second_taker_gets
        assert stored(store) == before
    else:
        assert isinstance(got, Batch)
        assert got == stored(store)
        assert (got.status, got.owner, got.lease_until) == (BatchStatus.WORKING, "c", now + LEASE)
        assert got.attempts == before.attempts + 1


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.name)
def test_what_the_first_taker_may_still_write(store: RunStore, situation: Situation, write: str) -> None:
    """Whoever lost a batch cannot write it and changes nothing; who was merely slow, and whom nobody replaced, can."""
    planned(store)
    situation.prepare(store)
    before = stored(store)
    if situation.first_may_write:
        WRITES[write](store, before)
        assert stored(store) != before
    else:
        with pytest.raises(StaleWrite):
            WRITES[write](store, before)
        assert stored(store) == before


@pytest.mark.parametrize(("run_id", "name"), [("nobody", FIRST), (RUN_ID, "000-000099"), (RUN_ID, "no name")])
def test_a_message_for_what_does_not_exist_is_ignored(store: RunStore, run_id: str, name: str) -> None:
    """An unknown run or batch cannot be taken, and nothing of it written."""
    planned(store)
    assert store.take(run_id, 1, name, "a", NOW, NOW + LEASE) is NotTaken.IGNORED
    with pytest.raises(StaleWrite):
        store.hold(run_id, name, "a", NOW + LEASE)


def test_a_message_of_a_fence_to_come_is_ignored(store: RunStore) -> None:
    """Only the run's own fence counts, not merely one that is not older."""
    planned(store)
    assert store.take(RUN_ID, 2, FIRST, "a", NOW, NOW + LEASE) is NotTaken.IGNORED


def test_an_accepted_run_is_worked(store: RunStore) -> None:
    """Its first batches may be taken before anybody marked it as running."""
    planned(store, status=RunStatus.ACCEPTED)
    assert taken(store, "a").status is BatchStatus.WORKING


def test_of_many_takers_one_gets_the_batch(store: RunStore) -> None:
    """Fifty deliveries at once: one works, the others see it held."""
    planned(store)
    with ThreadPoolExecutor(50) as pool:
        got = list(pool.map(lambda n: store.take(RUN_ID, 1, FIRST, f"owner-{n}", NOW, NOW + LEASE), range(50)))
    assert sum(isinstance(batch, Batch) for batch in got) == 1
    assert got.count(NotTaken.HELD) == 49
    assert stored(store).attempts == 1


def test_a_lease_ends_at_its_moment_and_not_before(store: RunStore) -> None:
    """A microsecond decides."""
    planned(store)
    taken(store, "a")
    assert store.take(RUN_ID, 1, FIRST, "b", LATER - timedelta(microseconds=1), LATER + LEASE) is NotTaken.HELD
    assert isinstance(store.take(RUN_ID, 1, FIRST, "b", LATER, LATER + LEASE), Batch)


def test_a_held_batch_cannot_be_taken_over(store: RunStore) -> None:
    """`hold` moves the end of the lease; nothing else changes."""
    planned(store)
    batch = taken(store, "a")
    store.hold(RUN_ID, FIRST, "a", LATER + LEASE)
    assert store.take(RUN_ID, 1, FIRST, "b", LATER, LATER + LEASE) is NotTaken.HELD
    held = stored(store)
    assert (held.owner, held.attempts, held.lease_until) == (batch.owner, batch.attempts, LATER + LEASE)


@pytest.mark.parametrize(("count_attempt", "attempts"), [(True, 2), (False, 1)])
def test_an_attempt_counts_unless_told_otherwise(store: RunStore, count_attempt: bool, attempts: int) -> None:
    """What ends on the outage of a whole host is not the batch's fault (flows.md "The finish check")."""
    planned(store)
    store.put_back(taken(store, "a"), "a", cursor=None, result=BatchResult(), count_attempt=count_attempt)
    assert taken(store, "b").attempts == attempts


def test_a_batch_put_back_keeps_what_was_done(store: RunStore) -> None:
    """The next taker gets the cursor and the partial result, and no lease is left."""
    planned(store)
    carried = {"jobs": {"job": ["item-6"]}}
    store.put_back(taken(store, "a"), "a", cursor="item-5", result=RESULT, count_attempt=True, carried=carried)
    queued = stored(store)
    assert (queued.status, queued.owner, queued.lease_until) == (BatchStatus.QUEUED, None, None)
    again = taken(store, "b")
    assert (again.cursor, again.result, again.carried) == ("item-5", RESULT, carried)
    store.settle(again, "b", BatchStatus.DONE, RESULT, NOW)
    assert stored(store).carried is None


def test_a_take_over_keeps_what_was_put_back_before(store: RunStore) -> None:
    """A worker that dies loses only its own attempt."""
    planned(store)
    store.put_back(taken(store, "a"), "a", cursor="item-5", result=RESULT, count_attempt=True)
    taken(store, "b")
    over = taken(store, "c", now=LATER)
    assert (over.cursor, over.result, over.attempts) == ("item-5", RESULT, 3)


@pytest.mark.parametrize("status", [BatchStatus.DONE, BatchStatus.FAILED])
def test_a_settled_batch_has_its_final_result(store: RunStore, status: BatchStatus) -> None:
    """Result and end are stored, the lease is over."""
    planned(store)
    store.settle(taken(store, "a"), "a", status, RESULT, LATER)
    batch = stored(store)
    assert (batch.status, batch.result, batch.finished_at) == (status, RESULT, LATER)
    assert (batch.owner, batch.lease_until) == (None, None)


def test_a_batch_is_settled_once(store: RunStore) -> None:
    """The second result is refused, also from the same owner, also under another status."""
    planned(store)
    batch = taken(store, "a")
    store.settle(batch, "a", BatchStatus.DONE, RESULT, NOW)
    with pytest.raises(StaleWrite):
        store.settle(batch, "a", BatchStatus.FAILED, BatchResult(), NOW)
    assert stored(store).result == RESULT


@pytest.mark.parametrize("status", [BatchStatus.QUEUED, BatchStatus.WORKING])
def test_a_batch_is_settled_as_done_or_failed(store: RunStore, status: BatchStatus) -> None:
    """Anything else is a fault of the caller."""
    planned(store)
    batch = taken(store, "a")
    with pytest.raises(ValueError, match="done or failed"):
        store.settle(batch, "a", status, RESULT, NOW)


def test_requeue_frees_what_an_older_fence_worked_on(store: RunStore) -> None:
    """The batch can be taken at once under the new fence: cursor and partial result as they were, its attempts fresh."""
    planned(store, [2])
    store.put_back(taken(store, "a"), "a", cursor="item-5", result=RESULT, count_attempt=True)
    taken(store, "b")
    settled(store, "000-000002")
    changed(store, fence=2)
    store.requeue(RUN_ID, 2)
    freed = stored(store)
    assert (freed.status, freed.owner, freed.lease_until, freed.attempts) == (BatchStatus.QUEUED, None, None, 0)
    assert (freed.cursor, freed.result) == ("item-5", RESULT)
    assert stored(store, "000-000002").status is BatchStatus.DONE
    assert taken(store, "c", fence=2).attempts == 1


def test_requeue_leaves_alone_what_the_new_fence_works_on(store: RunStore) -> None:
    """A second call, late, ends nobody's lease."""
    planned(store, [2])
    taken(store, "a")
    changed(store, fence=2)
    store.requeue(RUN_ID, 2)
    batch = taken(store, "b", fence=2)
    store.requeue(RUN_ID, 2)
    assert stored(store) == batch


@pytest.mark.parametrize(("run_id", "fence"), [(RUN_ID, 1), (RUN_ID, 3), ("nobody", 2)])
def test_requeue_under_another_fence_is_stale(store: RunStore, run_id: str, fence: int) -> None:
    """Somebody has taken the run over since: nothing is freed."""
    planned(store)
    batch = taken(store, "a")
    changed(store, fence=2)
    with pytest.raises(StaleWrite):
        store.requeue(run_id, fence)
    assert stored(store) == batch


def test_batches_of_two_runs_do_not_mix(store: RunStore) -> None:
    """The same batch id in two runs: two batches."""
    planned(store)
    planned(store, run_id="run-2")
    taken(store, "a")
    assert store.batches("run-2", [BatchStatus.WORKING]) == []
    assert isinstance(store.take("run-2", 1, FIRST, "b", NOW, LATER), Batch)


def test_the_examples_of_a_dry_run_over_large_resources_fit_a_batch(store: RunStore) -> None:
    """Texts that cannot be compressed, beside the failures of ten thousand items: kept when put back, and when settled."""
    planned(store)
    chance = random.Random(7)
    tally = Tally()
    for _ in range(20):
        tally.example({"description": chance.randbytes(30_000).hex()})
    for _ in range(5_000):  # twice
        tally.failed(str(uuid.UUID(int=chance.getrandbits(128))), "invalid")
    progress = Progress(None, BatchResult())
    for number in range(2):
        progress.add(Step(str(number), tally.result()))
    store.put_back(taken(store, "a"), "a", cursor="1", result=progress.result, count_attempt=True)
    assert stored(store).result == progress.result
    settled(store, FIRST, progress.result)
    assert len(stored(store).result.examples) == 3
