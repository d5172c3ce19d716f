"""The records of an import: run, range, batch and what a batch achieved (flows.md "Run record", "Batch record").

Times are timezone-aware UTC. Records are immutable; a change is a new record written under a condition by the run store.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec


class Kind(StrEnum):
    """What an import brings over; `ALL` is a chain of one run of each of the others (http-api.md)."""

    CUSTOMERS = "customers"
    ORDERS = "orders"
    CATEGORIES = "categories"
    PRODUCTS = "products"
    ALL = "all"


LINKS = (Kind.CATEGORIES, Kind.PRODUCTS, Kind.CUSTOMERS, Kind.ORDERS)
"""The kinds of a chain in their order: what others refer to comes first (product.md "Where it runs")."""


class Feed(StrEnum):
    """Where the ids of a range come from, when it is no slice of the id space (flows.md "Closing sweep", "Delete all")."""

    CHANGED = "changed"  # resources of the kind, in the order of their last change
    STOCK = "stock"  # products whose inventory entries changed
    PRICES = "prices"  # products whose standalone prices changed
    SENT = "sent"  # what this run has sent and commercetools does not have any more
    KLAVIYO = "klaviyo"  # what Klaviyo has of the kind: items or categories
    KLAVIYO_VARIANTS = "klaviyo_variants"  # the variants that Klaviyo has


class RunStatus(StrEnum):
    """Where a run stands; `interrupted` is not stored, it is `running` with an expired lease (http-api.md "Run states")."""

    ACCEPTED = "accepted"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    HALTED = "halted"
    COMPLETED = "completed"
    COMPLETED_WITH_ERRORS = "completed_with_errors"
    ABANDONED = "abandoned"


class BatchStatus(StrEnum):
    """Where a batch stands."""

    QUEUED = "queued"
    WORKING = "working"
    DONE = "done"
    FAILED = "failed"


class RunOptions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a run was asked to do. Times are ISO 8601 with offset, as the caller gave them.

    `delete_all`: nothing is imported, but what Klaviyo has of the kind is deleted; with `only_own` only what has the id of a
    commercetools resource.
    """

    ids: list[str] | None = None
    start_id: str | None = None
    created_after: str | None = None
    created_before: str | None = None
    modified_after: str | None = None
    dry_run: bool = False
    delete_all: bool = False
    only_own: bool = False
    retry_of: str | None = None


class Run(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One import of one kind. `parent` is the chain that it is a link of (`child_id`); a chain itself has no ranges.

    `parent_fence` is the fence of the chain under which the link was begun, or taken up again.
    `fence` rises by one with every start and take-over of the kind; `revision` rises with every write of this record
    and is the condition of the next one. `sums` are those of a run that has completed, all of whose batches are final: whoever
    looks at it later need not read them. A run that stopped has none, since somebody may still come late, or resume it.
    """

    run_id: str
    kind: Kind
    status: RunStatus
    fence: int
    lease_until: datetime
    started_at: datetime
    updated_at: datetime
    resumed_at: datetime
    options: RunOptions = RunOptions()
    finished_at: datetime | None = None
    total: int | None = None
    halt_reason: str | None = None
    parent: str | None = None
    parent_fence: int | None = None
    sums: Summary | None = None
    revision: int = 0


class IdRange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A slice of what a run covers, planned by one continuation at a time.

    A scan covers ids `>= first` and `< until` (None: unbounded); `cursor` is the last id recorded in a batch. For a run
    over listed ids or over another run's failures, `cursor` is a position in that list. A range with a `feed` takes the ids
    that this gives, of what changed at or after `since` (by commercetools' clock) where it asks for changes; its `cursor` is
    the feed's own. A `closing` range is planned when every batch of the others is settled. `planned` counts the batches
    recorded so far, `published` those whose message is known to be in the queue.
    """

    index: int
    feed: Feed | None = None
    since: str | None = None
    closing: bool = False
    first: str = ""
    until: str | None = None
    cursor: str | None = None
    planned: int = 0
    published: int = 0
    done: bool = False


class FailedItem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One item that failed: its id, why, and where Klaviyo's error points to. Never its content."""

    id: str
    reason: str
    pointer: str | None = None


class BatchResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of the items of a batch; `seen == sent + sum(skipped) + sum(failed)`.

    `failed_ids` has every failed item, `failed_items` reason and pointer of the first 100, `adjusted` counts what was left
    out of items that were sent. `sent_ids` names what is in Klaviyo's catalog now because of the batch, for the closing
    sweep. `examples` are masked requests of a dry run.
    """

    seen: int = 0
    sent: int = 0
    skipped: dict[str, int] = {}
    failed: dict[str, int] = {}
    adjusted: dict[str, int] = {}
    failed_ids: list[str] = []
    failed_items: list[FailedItem] = []
    job_ids: list[str] = []
    sent_ids: list[str] = []
    examples: list[dict[str, Any]] = []


class Batch(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A unit of work: the items with `first <= id <= last`, or those listed in `ids`.

    `number` counts within the range, from 1. `attempts` counts the times it was taken, but for those that ended on the
    outage of a host. `cursor` is the last id whose outcome `result` already has, so that the next attempt starts after it;
    `carried` is what is known of the items behind it, in a form that the work of the kind alone understands.
    """

    run_id: str
    range_index: int
    number: int
    size: int
    first: str = ""
    last: str = ""
    ids: list[str] | None = None
    status: BatchStatus = BatchStatus.QUEUED
    attempts: int = 0
    owner: str | None = None
    lease_until: datetime | None = None
    cursor: str | None = None
    result: BatchResult = BatchResult()
    carried: dict[str, Any] | None = None
    finished_at: datetime | None = None

    @property
    def batch_id(self) -> str:
        """The batch's name within its run; sorts in planning order."""
        return batch_id(self.range_index, self.number)


def child_id(parent: str, kind: Kind) -> str:
    """The id of a chain's run of one kind: the same whoever starts it, so that it is started once."""
    return f"{parent}-{kind.value}"


def batch_id(range_index: int, number: int) -> str:
    """`003-000017`: the seventeenth batch of range 3."""
    return f"{range_index:03d}-{number:06d}"


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over the batches of a run, and the run's cursor (http-api.md "Status of a run").

    `open_done`: every range that is not closing is planned to its end, `open_settled`: and every batch of these is done or
    failed; `ranges_done`: the closing ranges are planned to their end, too. `settled_items` counts the items of finished
    batches; `recent_items` those of batches that finished in the last `recent_window_s` seconds, for the rate.
    `fed_items` are those of `planned_items` that came from feeds, beyond what a scan of the ids finds. `live` counts
    batches whose lease has not run out.
    """

    planned: int = 0
    done: int = 0
    failed_batches: int = 0
    queued: int = 0
    live: int = 0
    open_done: bool = False
    open_settled: bool = False
    ranges_done: bool = False
    settled_items: int = 0
    planned_items: int = 0
    fed_items: int = 0
    recent_items: int = 0
    cursor: str | None = None
    result: BatchResult = BatchResult()
