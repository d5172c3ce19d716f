"""Run store: fences, runs and ranges."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import msgspec
import pytest
from run_store_records import NOW, RUN_ID, a_run, changed, item_ids, planned

from shared.bulk.plan import scanned
from shared.bulk.ports import RunStore
from shared.bulk.records import Batch, BatchStatus, IdRange, Kind, RunOptions, RunStatus
from shared.errors import StaleWrite

AT_ONCE = 50


def winners(attempts: list[Callable[[], object]]) -> int:
    """How many of these, all at once, did not raise `StaleWrite`."""

    def won(attempt: Callable[[], object]) -> bool:
        try:
            attempt()
        except StaleWrite:
            return False
        return True

    with ThreadPoolExecutor(len(attempts)) as pool:
        return sum(pool.map(won, attempts))


def test_fences_of_a_kind_rise_and_kinds_do_not_share_them(store: RunStore) -> None:
    """Each number is higher than all before it of the same kind."""
    customers = [store.next_fence(Kind.CUSTOMERS) for _ in range(3)]
    orders = store.next_fence(Kind.ORDERS)
    assert customers == sorted(set(customers))
    assert orders <= customers[0]


def test_no_fence_is_given_twice(store: RunStore) -> None:
    """Fifty that ask at once get fifty numbers."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        fences = list(pool.map(lambda _: store.next_fence(Kind.CUSTOMERS), range(AT_ONCE)))
    assert len(set(fences)) == AT_ONCE


def test_a_created_run_reads_back_with_its_ranges(store: RunStore) -> None:
    """Every field survives, also moments to the microsecond and what the run was asked to do."""
    run = a_run(
        options=RunOptions(ids=["a", "b"], created_after="2026-01-01T00:00:00+01:00", dry_run=True),
        total=5,
        halt_reason="why",
    )
    ranges = [IdRange(index=1, first="8", cursor="9", planned=2, published=1), IdRange(index=0, until="8", done=True)]
    store.create(run, ranges)
    assert store.run(RUN_ID) == run
    assert store.ranges(RUN_ID) == [ranges[1], ranges[0]]


def test_what_was_never_written_is_absent(store: RunStore) -> None:
    """An unknown run is None, without ranges and batches."""
    assert store.run("nobody") is None
    assert store.runs() == []
    assert store.ranges("nobody") == []
    assert store.batches("nobody", list(BatchStatus)) == []


def test_a_run_id_is_created_once(store: RunStore) -> None:
    """Of fifty that create the same run at once, one wins, and its ranges alone are there."""
    attempts = [
        lambda count=count: store.create(a_run(total=count), [IdRange(index=0, planned=count)]) for count in range(AT_ONCE)
    ]
    assert winners(attempts) == 1
    run = store.run(RUN_ID)
    assert run
    assert store.ranges(RUN_ID) == [IdRange(index=0, planned=run.total or 0)]


def test_runs_come_newest_first_by_kind_and_up_to_a_limit(store: RunStore) -> None:
    """Age is when the run started, not when it was written."""
    for name, kind, age_s in (
        ("c", Kind.ORDERS, 10),
        ("a", Kind.CUSTOMERS, 30),
        ("d", Kind.CUSTOMERS, 0),
        ("b", Kind.CUSTOMERS, 20),
    ):
        store.create(a_run(name, kind=kind, started_at=NOW - timedelta(seconds=age_s)), [])
    assert [run.run_id for run in store.runs()] == ["d", "c", "b", "a"]
    assert [run.run_id for run in store.runs(Kind.CUSTOMERS)] == ["d", "b", "a"]
    assert [run.run_id for run in store.runs(Kind.CUSTOMERS, 1)] == ["d"]
    assert store.runs(Kind.PRODUCTS) == []


def test_the_current_run_of_a_kind_is_that_of_the_highest_fence(store: RunStore) -> None:
    """Whatever its age and state, and whatever fences were given to no run; of a kind without runs there is none."""
    assert store.current(Kind.CUSTOMERS) is None
    for name, kind, fence, age_s in (
        ("a", Kind.CUSTOMERS, 2, 30),
        ("b", Kind.CUSTOMERS, 10, 20),
        ("c", Kind.CUSTOMERS, 9, 0),
        ("d", Kind.ALL, 11, 0),
    ):
        store.create(a_run(name, kind=kind, fence=fence, started_at=NOW - timedelta(seconds=age_s)), [])
        store.next_fence(kind)
    store.save(a_run("b", fence=10, started_at=NOW - timedelta(seconds=20), status=RunStatus.ABANDONED))
    found = [store.current(kind) for kind in (Kind.CUSTOMERS, Kind.ALL, Kind.ORDERS)]
    assert [run and run.run_id for run in found] == ["b", "d", None]
    assert found[0] == store.run("b")


def test_a_run_that_is_saved_with_a_higher_fence_is_the_current_one(store: RunStore) -> None:
    """As a resume does; the list of runs stays in the order of their starts."""
    older = a_run("older", fence=1, started_at=NOW - timedelta(hours=1))
    for run in (older, a_run("newer", fence=2)):
        store.create(run, [])
    saved = store.save(msgspec.structs.replace(older, fence=3))
    assert store.current(Kind.CUSTOMERS) == saved
    assert [run.run_id for run in store.runs(Kind.CUSTOMERS)] == ["newer", "older"]


def test_a_saved_run_has_the_next_revision(store: RunStore) -> None:
    """What `save` returns is what is stored, and is the condition of the next save."""
    store.create(a_run(), [])
    first = store.save(a_run(status=RunStatus.STOPPING))
    assert first == a_run(status=RunStatus.STOPPING, revision=1)
    assert store.run(RUN_ID) == first
    assert store.save(msgspec.structs.replace(first, fence=2)).revision == 2


def test_a_run_that_was_changed_meanwhile_is_not_overwritten(store: RunStore) -> None:
    """The second save from the same reading loses and changes nothing; so does a save of an unknown run."""
    store.create(a_run(), [])
    kept = store.save(a_run(total=1))
    with pytest.raises(StaleWrite):
        store.save(a_run(total=2))
    assert store.run(RUN_ID) == kept
    with pytest.raises(StaleWrite):
        store.save(a_run("nobody"))


def test_of_many_saves_at_once_one_wins(store: RunStore) -> None:
    """Fifty that save from the same reading: one is stored."""
    store.create(a_run(), [])
    assert winners([lambda total=total: store.save(a_run(total=total)) for total in range(AT_ONCE)]) == 1
    run = store.run(RUN_ID)
    assert run
    assert run.revision == 1


def test_batches_and_the_advanced_range_are_recorded_together(store: RunStore) -> None:
    """After `record` both are there."""
    planned(store, [2], done=False)
    assert store.ranges(RUN_ID) == [IdRange(index=0, cursor=item_ids(0, 2)[-1], planned=2, published=1)]
    assert [(batch.batch_id, batch.first, batch.status) for batch in store.batches(RUN_ID, [BatchStatus.QUEUED])] == [
        ("000-000001", item_ids(0, 1)[0], BatchStatus.QUEUED),
        ("000-000002", item_ids(0, 2)[0], BatchStatus.QUEUED),
    ]


def test_the_same_slice_is_recorded_once(store: RunStore) -> None:
    """Of several planners with the same `before`, one wins; the losers leave no batch behind."""
    store.create(a_run(), [IdRange(index=0), IdRange(index=1)])

    def record(width: int) -> None:
        after, batches = scanned(IdRange(index=0), RUN_ID, item_ids(0, 1, width), ended=False)
        store.record(RUN_ID, 1, IdRange(index=0), after, batches)

    assert winners([lambda width=width: record(width) for width in range(1, 9)]) == 1
    batch = store.batches(RUN_ID, list(BatchStatus))
    assert len(batch) == 1
    assert store.ranges(RUN_ID)[0].cursor == batch[0].last


@pytest.mark.parametrize(
    ("run_changes", "fence"),
    [
        ({"status": RunStatus.STOPPING}, 1),
        ({"status": RunStatus.STOPPED}, 1),
        ({"status": RunStatus.HALTED}, 1),
        ({"status": RunStatus.COMPLETED}, 1),
        ({"status": RunStatus.ABANDONED}, 1),
        ({"fence": 2}, 1),
        ({}, 2),
    ],
    ids=str,
)
def test_nothing_is_planned_for_a_run_that_does_not_go_on(store: RunStore, run_changes: dict[str, object], fence: int) -> None:
    """A stopping or finished run, or another fence, refuses batches and range alike."""
    store.create(a_run(), [IdRange(index=0)])
    changed(store, **run_changes)
    after, batches = scanned(IdRange(index=0), RUN_ID, ["a"], ended=True)
    with pytest.raises(StaleWrite):
        store.record(RUN_ID, fence, IdRange(index=0), after, batches)
    assert store.ranges(RUN_ID) == [IdRange(index=0)]
    assert store.batches(RUN_ID, list(BatchStatus)) == []


@pytest.mark.parametrize("status", [RunStatus.ACCEPTED, RunStatus.RUNNING])
def test_an_accepted_or_running_run_is_planned(store: RunStore, status: RunStatus) -> None:
    """Both states take batches, and a slice without a batch just advances the range."""
    store.create(a_run(status=status), [IdRange(index=0)])
    after = IdRange(index=0, done=True)
    store.record(RUN_ID, 1, IdRange(index=0), after, [])
    assert store.ranges(RUN_ID) == [after]


@pytest.mark.parametrize(("run_id", "index"), [("nobody", 0), (RUN_ID, 5)])
def test_an_unknown_run_or_range_is_not_planned(store: RunStore, run_id: str, index: int) -> None:
    """There is nothing to advance, so the write is stale."""
    store.create(a_run(), [IdRange(index=0)])
    with pytest.raises(StaleWrite):
        store.record(run_id, 1, IdRange(index=index), IdRange(index=index, done=True), [])


def test_batches_are_listed_by_state_page_by_page(store: RunStore) -> None:
    """In the order of planning: by range, then by number; `after` and `limit` make pages; no state, no batch."""
    planned(store, [12, 3])
    batch = store.take(RUN_ID, 1, "000-000002", "a", NOW, NOW + timedelta(seconds=1))
    assert isinstance(batch, Batch)
    queued = [name.batch_id for name in store.batches(RUN_ID, [BatchStatus.QUEUED])]
    assert queued == [f"000-{n:06d}" for n in (1, *range(3, 13))] + [f"001-{n:06d}" for n in range(1, 4)]
    assert [name.batch_id for name in store.batches(RUN_ID, [BatchStatus.QUEUED], after=queued[9], limit=3)] == queued[10:13]
    assert store.batches(RUN_ID, [BatchStatus.WORKING]) == [batch]
    assert len(store.batches(RUN_ID, [BatchStatus.WORKING, BatchStatus.QUEUED])) == 15
    assert store.batches(RUN_ID, []) == []
