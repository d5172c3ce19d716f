"""Runs, ranges and batches for the run store's contract."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from shared.bulk.plan import scanned
from shared.bulk.ports import RunStore
from shared.bulk.records import Batch, BatchResult, BatchStatus, FailedItem, IdRange, Kind, Run, RunStatus, batch_id

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
LEASE = timedelta(seconds=60)
RUN_ID = "run-1"
FIRST = batch_id(0, 1)

RESULT = BatchResult(
    seen=10,
    sent=6,
    skipped={"no_email": 2},
    failed={"invalid": 2},
    adjusted={"phone_left_out": 1},
    failed_ids=["item-3", "item-7"],
    failed_items=[FailedItem(id="item-3", reason="invalid", pointer="/data/3"), FailedItem(id="item-7", reason="invalid")],
    job_ids=["job-1"],
    examples=[{"data": {"type": "profile"}}],
)


def a_run(run_id: str = RUN_ID, **changes: Any) -> Run:
    """A running run under fence 1."""
    base = Run(
        run_id=run_id,
        kind=Kind.CUSTOMERS,
        status=RunStatus.RUNNING,
        fence=1,
        lease_until=NOW + LEASE,
        started_at=NOW,
        updated_at=NOW,
        resumed_at=NOW,
    )
    return msgspec.structs.replace(base, **changes)


def item_ids(range_index: int, number: int, size: int = 10) -> list[str]:
    """The ids of a batch; they ascend over ranges and batches."""
    return [f"{range_index:02d}-{number:04d}-{item:05d}" for item in range(size)]


def planned(store: RunStore, batches: Sequence[int] = (1,), *, done: bool = True, **changes: Any) -> Run:
    """A run with this number of queued batches of 10 items in each of its ranges."""
    run = a_run(**changes)
    store.create(run, [IdRange(index=index) for index in range(len(batches))])
    for index, count in enumerate(batches):
        for number in range(1, count + 1):
            plan_batch(store, run, index, item_ids(index, number), ended=done and number == count)
        if not count and done:
            plan_batch(store, run, index, [], ended=True)
    return run


def plan_batch(store: RunStore, run: Run, range_index: int, ids: Sequence[str], *, ended: bool = False) -> None:
    """Record one more batch of a range."""
    before = store.ranges(run.run_id)[range_index]
    after, batches = scanned(before, run.run_id, ids, ended=ended)
    store.record(run.run_id, run.fence, before, after, batches)


def taken(store: RunStore, owner: str, name: str = FIRST, *, fence: int = 1, now: datetime = NOW) -> Batch:
    """The batch, leased by this owner."""
    batch = store.take(RUN_ID, fence, name, owner, now, now + LEASE)
    assert isinstance(batch, Batch)
    return batch


def settled(
    store: RunStore,
    name: str,
    result: BatchResult = BatchResult(seen=10, sent=10),  # noqa: B008 - immutable
    status: BatchStatus = BatchStatus.DONE,
    now: datetime = NOW,
) -> None:
    """Take a batch and write its result."""
    store.settle(taken(store, "settler", name, now=now), "settler", status, result, now)


def stored(store: RunStore, name: str = FIRST) -> Batch:
    """A batch as it stands."""
    return next(batch for batch in store.batches(RUN_ID, list(BatchStatus)) if batch.batch_id == name)


def changed(store: RunStore, **changes: Any) -> Run:
    """Save changes of the run as it stands."""
    run = store.run(RUN_ID)
    assert run
    return store.save(msgspec.structs.replace(run, **changes))
