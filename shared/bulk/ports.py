"""What an import needs from a store and a queue; each has an adapter for SQLite and one for Google Cloud (decisions.md 12).

Every write is conditional, so that a run may be worked by many processes and survive the death of any of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from shared.bulk.records import Batch, BatchResult, BatchStatus, IdRange, Kind, Run, Summary


class Topic(StrEnum):
    """The queues: `plan` messages go to the dispatcher, `work` messages to the worker."""

    PLAN = "plan"
    WORK = "work"


class NotTaken(StrEnum):
    """Why a batch could not be taken."""

    SETTLED = "settled"  # done or failed already
    HELD = "held"  # another delivery works on it and its lease is alive
    IGNORED = "ignored"  # unknown, or of an older fence, or of a run that does not go on, and not held


class Queue(Protocol):
    """Where messages are put; delivery is push, so nothing else is asked of it here."""

    def publish(self, topic: Topic, bodies: Sequence[bytes]) -> None:
        """Put messages into the queue; returns once they are durable. Raises `TransientError`."""


class RunStore(Protocol):
    """Runs, their ranges and batches.

    All methods raise `TransientError` when the store does not answer. A write whose condition no longer holds raises
    `StaleWrite` and changes nothing.
    """

    def next_fence(self, kind: Kind) -> int:
        """A number higher than any given for this kind before."""

    def create(self, run: Run, ranges: Sequence[IdRange]) -> None:
        """Write a new run with its ranges, all or nothing; `StaleWrite` when there is a run of this id."""

    def run(self, run_id: str) -> Run | None:
        """The run, or None."""

    def runs(self, kind: Kind | None = None, limit: int = 100) -> list[Run]:
        """Runs, newest first: by when they were started."""

    def current(self, kind: Kind) -> Run | None:
        """The run of the kind with the highest fence: the one that was started or resumed last, in whatever state it is.

        That is the only one that can be under way, and it need not be the newest. None when the kind has no run. It is of
        the moment: who calls it after a `create` or `save` sees that write.
        """

    def save(self, run: Run) -> Run:
        """Write a run if its stored revision is still `run.revision`; returns it with the next revision."""

    def ranges(self, run_id: str) -> list[IdRange]:
        """The ranges of a run by index."""

    def record(self, run_id: str, fence: int, before: IdRange, after: IdRange, batches: Sequence[Batch]) -> None:
        """Write new batches and the advanced range together; there may be no batches, or several.

        Only while the run is accepted or running under this fence and the stored range equals `before` in every field.
        """

    def batches(self, run_id: str, statuses: Sequence[BatchStatus], *, after: str = "", limit: int = 1000) -> list[Batch]:
        """Batches in these states with `batch_id > after`, by batch id."""

    def take(self, run_id: str, fence: int, batch_id: str, owner: str, now: datetime, lease_until: datetime) -> Batch | NotTaken:
        """Lease a queued batch, or a working one whose lease ran out; counts an attempt.

        Only while the run is accepted or running under this fence, which is looked at before the batch's own state: else it
        is `IGNORED`. But a batch with a lease that is alive is `HELD` also in a run of this fence that is stopping, since that
        one cannot end before: should the holder be dead, the message for the batch may be the last one that ends the run.
        `owner` names one delivery. Until another takes the batch or the run's fence rises, its owner may write it
        (`hold`, `put_back`, `settle`), also late, and also while the run is stopping.
        """

    def hold(self, run_id: str, batch_id: str, owner: str, lease_until: datetime) -> None:
        """Extend the lease of a batch that `owner` holds."""

    def put_back(
        self,
        batch: Batch,
        owner: str,
        *,
        cursor: str | None,
        result: BatchResult,
        count_attempt: bool,
        carried: dict[str, Any] | None = None,
    ) -> None:
        """End the lease without an outcome: the batch is queued again, keeping what was done up to `cursor`."""

    def settle(self, batch: Batch, owner: str, status: BatchStatus, result: BatchResult, now: datetime) -> None:
        """Write the final result (`DONE` or `FAILED`) of a batch that `owner` holds, once."""

    def requeue(self, run_id: str, fence: int) -> None:
        """After a take-over: what is not settled is queued again with fresh attempts, the leases of older fences are void."""

    def summary(self, run_id: str, now: datetime, recent_window_s: float) -> Summary:
        """Sums over the run's batches, its progress and its cursor; empty for an unknown run.

        What is done of unfinished batches is counted in. Ranges and batches are of one moment, so that who finds
        `open_settled` may begin the closing ranges. It stays true once it is, since batches do not leave their final
        states and a range that is done stays so. A run without ranges is neither `open_done` nor `open_settled` nor
        `ranges_done`.

        The cursor is over the ranges without a feed alone, in their order: it ends before the first batch that is not
        done, also one that failed, and does not go past a range that is still planned. A run over a list (of ids, or of
        failures) has none, nor has one of which every range has a feed.

        Of a run that keeps its sums (`Run.sums`) it is these, as soon as none of its batches is recent any more.
        """
