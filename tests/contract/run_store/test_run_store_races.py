"""Run store: what many do at once, and batches as large as they get."""

from __future__ import annotations

import itertools
import random
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from threading import Barrier

import pytest
from run_store_records import FIRST, LEASE, NOW, RUN_ID, a_run, changed, plan_batch, planned, stored

from shared.bulk.plan import listed
from shared.bulk.ports import NotTaken, RunStore
from shared.bulk.records import Batch, BatchResult, BatchStatus, FailedItem, IdRange, Kind, RunOptions, RunStatus, batch_id
from shared.errors import StaleWrite

AT_ONCE = 50
TAKERS = 8
WINDOW_S = 60.0


def test_fifty_starts_at_once_leave_one_run_the_current_one(store: RunStore) -> None:
    """Each with a fence of its own: the highest is the current run, and all of them are listed."""

    def start(number: int) -> int:
        fence = store.next_fence(Kind.ORDERS)
        store.create(a_run(f"run-{number}", kind=Kind.ORDERS, fence=fence), [IdRange(index=0)])
        return fence

    with ThreadPoolExecutor(AT_ONCE) as pool:
        fences = list(pool.map(start, range(AT_ONCE)))
    current = store.current(Kind.ORDERS)
    assert current
    assert (current.fence, len(set(fences))) == (max(fences), AT_ONCE)
    assert {run.run_id for run in store.runs(Kind.ORDERS)} == {f"run-{number}" for number in range(AT_ONCE)}


@pytest.mark.parametrize("delay_takes", range(4))
def test_who_counts_the_live_batches_of_a_stopping_run_misses_none(store: RunStore, delay_takes: int) -> None:
    """The stop is written, then the count is read: whoever was given a batch is in it, and nobody is given one afterwards."""
    planned(store, [TAKERS])
    barrier = Barrier(TAKERS + 1)

    def take(number: int) -> Batch | NotTaken:
        barrier.wait()
        name = batch_id(0, number)
        return store.take(RUN_ID, 1, name, f"owner-{number}", NOW, NOW + LEASE)

    with ThreadPoolExecutor(TAKERS) as pool:
        takes = [pool.submit(take, number) for number in range(1, TAKERS + 1)]
        barrier.wait()
        for ahead in takes[: delay_takes * 2]:
            ahead.result()
        changed(store, status=RunStatus.STOPPING)
        live = store.summary(RUN_ID, NOW, WINDOW_S).live
        given = [got for got in (one.result() for one in takes) if isinstance(got, Batch)]
    assert len(given) <= live
    assert sorted(batch.batch_id for batch in given) == [batch.batch_id for batch in store.batches(RUN_ID, [BatchStatus.WORKING])]
    assert store.summary(RUN_ID, NOW, WINDOW_S).live == len(given)


def test_a_take_over_among_owners_leaves_nobody_who_may_write(store: RunStore) -> None:
    """The fence rises and all is queued again while eight settle: each result is kept, or refused and the batch queued."""
    planned(store, [TAKERS])
    names = [batch_id(0, number) for number in range(1, TAKERS + 1)]
    batches = [store.take(RUN_ID, 1, name, name, NOW, NOW + LEASE) for name in names]
    barrier = Barrier(TAKERS + 1)

    def settle(batch: Batch | NotTaken) -> bool:
        assert isinstance(batch, Batch)
        barrier.wait()
        try:
            store.settle(batch, batch.batch_id, BatchStatus.DONE, BatchResult(seen=10, sent=10), NOW)
        except StaleWrite:
            return False
        return True

    with ThreadPoolExecutor(TAKERS) as pool:
        settling = pool.map(settle, batches)
        barrier.wait()
        changed(store, fence=2)
        store.requeue(RUN_ID, 2)
        queued = store.batches(RUN_ID, [BatchStatus.QUEUED])
        kept = list(settling)
    done = [batch.batch_id for batch in store.batches(RUN_ID, [BatchStatus.DONE])]
    assert done == [name for name, was_kept in zip(names, kept, strict=True) if was_kept]
    assert sorted(done + [batch.batch_id for batch in queued]) == names
    assert all((batch.attempts, batch.owner) == (0, None) for batch in queued)


def test_a_step_planned_before_a_take_over_is_not_recorded_after_it(store: RunStore) -> None:
    """Four planners go on under the old fence: once all is queued again, nothing is added that nobody would publish."""
    run = a_run()
    ranges = [IdRange(index=index) for index in range(4)]
    store.create(run, ranges)
    barrier = Barrier(len(ranges) + 1)

    def plan(part: IdRange) -> None:
        barrier.wait()
        with suppress(StaleWrite):
            for number in itertools.count():
                plan_batch(store, run, part.index, [f"{number:04d}"])

    with ThreadPoolExecutor(len(ranges)) as pool:
        planning = [pool.submit(plan, part) for part in ranges]
        barrier.wait()
        changed(store, fence=2)
        store.requeue(RUN_ID, 2)
        left = store.ranges(RUN_ID), store.batches(RUN_ID, list(BatchStatus))
        for one in planning:
            one.result()
    assert (store.ranges(RUN_ID), store.batches(RUN_ID, list(BatchStatus))) == left
    assert sum(part.planned for part in left[0]) == len(left[1])


def test_what_is_settled_stays_so_in_every_later_summary(store: RunStore) -> None:
    """Six settle thirty batches and look after each: no number falls back, and one of them sees that all is settled."""
    count, workers = 30, 6
    planned(store, [count])
    names = [batch_id(0, number) for number in range(1, count + 1)]

    def work(mine: list[str]) -> list[tuple[int, bool]]:
        seen = []
        for name in mine:
            batch = store.take(RUN_ID, 1, name, name, NOW, NOW + LEASE)
            assert isinstance(batch, Batch)
            store.settle(batch, name, BatchStatus.DONE, BatchResult(seen=10, sent=10), NOW)
            summary = store.summary(RUN_ID, NOW, WINDOW_S)
            assert summary.result.sent == 10 * summary.done
            assert summary.planned == summary.done + summary.queued + summary.live == count
            seen.append((summary.done, summary.open_settled))
        return seen

    with ThreadPoolExecutor(workers) as pool:
        looks = list(pool.map(work, [names[start::workers] for start in range(workers)]))
    for look in looks:
        assert look == sorted(look)
        assert [done for done, _ in look] >= list(range(1, len(look) + 1))
    assert (count, True) in [look[-1] for look in looks]
    assert all(is_settled == (done == count) for look in looks for done, is_settled in look)


def test_a_batch_of_ten_thousand_ids_that_all_failed_is_kept_whole(store: RunStore) -> None:
    """As a list of ids makes it, put back half done and then settled: some 800 KB."""
    random_ids = random.Random(5)
    ids = sorted(str(uuid.UUID(int=random_ids.getrandbits(128))) for _ in range(10_000))
    store.create(a_run(options=RunOptions(ids=ids)), [IdRange(index=0)])
    after, batches = listed(IdRange(index=0), RUN_ID, ids, len(ids))
    store.record(RUN_ID, 1, IdRange(index=0), after, batches)
    batch = store.take(RUN_ID, 1, FIRST, "a", NOW, NOW + LEASE)
    assert isinstance(batch, Batch)
    assert batch.ids == ids
    half = BatchResult(seen=5000, failed={"invalid": 5000}, failed_ids=ids[:5000])
    carried = {"refused": dict.fromkeys(ids[5000:], "invalid")}
    store.put_back(batch, "a", cursor=ids[4999], result=half, count_attempt=True, carried=carried)
    again = store.take(RUN_ID, 1, FIRST, "b", NOW, NOW + LEASE)
    assert isinstance(again, Batch)
    assert (again.result, again.carried) == (half, carried)
    items = [FailedItem(id=item, reason="invalid", pointer="/data/attributes/email") for item in ids[:100]]
    full = BatchResult(seen=10_000, failed={"invalid": 10_000}, failed_ids=ids, failed_items=items, job_ids=["job"])
    store.settle(again, "b", BatchStatus.FAILED, full, NOW)
    kept = stored(store)
    assert (kept.result, kept.ids, kept.carried) == (full, ids, None)
    assert store.summary(RUN_ID, NOW + timedelta(seconds=1), WINDOW_S).result == BatchResult(
        seen=10_000, failed={"invalid": 10_000}, failed_items=items
    )


@pytest.mark.parametrize(
    "name", ["", "..", "a/b", "__x__", "\n", "x" * 2000], ids=["empty", "dots", "slash", "reserved", "control", "long"]
)
def test_whatever_is_asked_for_as_a_run_is_only_unknown(store: RunStore, name: str) -> None:
    """Run ids come in with addresses and commands; so may any text."""
    planned(store)
    assert store.run(name) is None
    assert (store.ranges(name), store.batches(name, list(BatchStatus))) == ([], [])
    assert store.take(name, 1, FIRST, "a", NOW, NOW + LEASE) is NotTaken.IGNORED
    assert store.take(RUN_ID, 1, name, "a", NOW, NOW + LEASE) is NotTaken.IGNORED
    assert store.summary(name, NOW, WINDOW_S).planned == 0
