"""The state machine of a run: which changes are allowed, and what comes next (http-api.md "Run states"). Pure.

accepted ──> running ──> completed | completed_with_errors
    └───────────┴──────> stopping ──> stopped | halted
stopped, halted, interrupted ──resume──> running
interrupted ──a start, or a resume of another run──> abandoned, unless it was asked to stop
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from shared.bulk.records import Run, RunStatus, Summary
from shared.bulk.results import first_examples

LEASE_S = 120.0
"""How long a run stays owned without a sign of life; longer than the longest single call (decisions.md 5)."""

ACTIVE = frozenset({RunStatus.ACCEPTED, RunStatus.RUNNING, RunStatus.STOPPING})
GOING_ON = frozenset({RunStatus.ACCEPTED, RunStatus.RUNNING})
FINISHED = frozenset({RunStatus.COMPLETED, RunStatus.COMPLETED_WITH_ERRORS, RunStatus.ABANDONED})


def lease_from(now: datetime) -> datetime:
    """When a lease taken or renewed at `now` runs out."""
    return now + timedelta(seconds=LEASE_S)


def lock_owner(run_id: str, fence: int) -> str:
    """The name under which a run holds the import lock: a take-over holds it under another one."""
    return f"{run_id}.{fence}"


def is_interrupted(run: Run, now: datetime) -> bool:
    """Nobody has worked on the run for a whole lease, though it is not finished."""
    return run.status in ACTIVE and run.lease_until <= now


def shown_status(run: Run, now: datetime) -> str:
    """The status as people see it."""
    return "interrupted" if is_interrupted(run, now) else run.status.value


def blocks_start(run: Run, now: datetime) -> bool:
    """A start of the same kind must be refused because of this run."""
    return run.status in ACTIVE and not is_interrupted(run, now)


def can_resume(run: Run, now: datetime) -> bool:
    """Stopped, halted and interrupted runs can go on; running and finished ones cannot."""
    return run.status in {RunStatus.STOPPED, RunStatus.HALTED} or is_interrupted(run, now)


def accepts(run: Run, fence: int) -> bool:
    """A message with this fence may do work for the run."""
    return run.fence == fence and run.status in GOING_ON


def is_stopping(run: Run, fence: int) -> bool:
    """The run of this fence was asked to stop, and ends once nobody works on it any more."""
    return run.fence == fence and run.status is RunStatus.STOPPING


def is_list(run: Run) -> bool:
    """The run goes through a list (of ids, or of another run's failures), not through the ids in order: it has no cursor."""
    return run.options.ids is not None or run.options.retry_of is not None


def begun(run: Run, now: datetime) -> Run:
    """The run once somebody works on it."""
    return msgspec.structs.replace(run, status=RunStatus.RUNNING, updated_at=now)


def renewed(run: Run, now: datetime) -> Run:
    """The run with its lease extended."""
    return msgspec.structs.replace(run, lease_until=lease_from(now), updated_at=now)


def needs_renewal(run: Run, now: datetime) -> bool:
    """A third of the lease has passed (flows.md "Leases")."""
    return run.lease_until - now < timedelta(seconds=LEASE_S * 2 / 3)


def stopping(run: Run, now: datetime, halt_reason: str | None = None) -> Run:
    """The run once somebody asked it to stop, or found a fault that needs a person (`halt_reason`)."""
    return msgspec.structs.replace(run, status=RunStatus.STOPPING, halt_reason=run.halt_reason or halt_reason, updated_at=now)


def resumed(run: Run, now: datetime, fence: int) -> Run:
    """The run taken up again under a new fence."""
    return msgspec.structs.replace(
        run,
        status=RunStatus.RUNNING,
        fence=fence,
        lease_until=lease_from(now),
        resumed_at=now,
        updated_at=now,
        finished_at=None,
        halt_reason=None,
        sums=None,
    )


def abandoned(run: Run, now: datetime) -> Run:
    """The run once a newer one of its kind has taken its place."""
    return msgspec.structs.replace(run, status=RunStatus.ABANDONED, finished_at=run.finished_at or now, updated_at=now)


def may_close(run: Run, summary: Summary) -> bool:
    """What the run covers has been brought over, and its closing ranges are to be planned (flows.md "Closing sweep").

    A run that was asked to stop does not begin with them.
    """
    return run.status in GOING_ON and summary.open_settled and not summary.ranges_done


def settled(run: Run, summary: Summary, now: datetime) -> Run | None:
    """The run in its final state if nothing is left to do or to wait for; None while it must go on as it is.

    One that has completed keeps its sums: nothing of it changes any more.
    """
    sums = None
    if run.status is RunStatus.STOPPING and summary.live == 0:
        status = RunStatus.HALTED if run.halt_reason else RunStatus.STOPPED
    elif run.status in GOING_ON and summary.ranges_done and summary.done + summary.failed_batches == summary.planned:
        errors = summary.failed_batches or summary.result.failed
        status = RunStatus.COMPLETED_WITH_ERRORS if errors else RunStatus.COMPLETED
        sums = _kept(summary)
    else:
        return None
    return msgspec.structs.replace(run, status=status, finished_at=now, updated_at=now, sums=sums)


def _kept(summary: Summary) -> Summary:
    """Sums as a run's record has room for them, long after its end."""
    result = msgspec.structs.replace(summary.result, examples=first_examples(summary.result.examples))
    return msgspec.structs.replace(summary, recent_items=0, result=result)


def final_sums(run: Run, now: datetime, recent_window_s: float) -> Summary | None:
    """The sums that a run keeps, if they are those of this moment: none of its batches ended in the last `recent_window_s`.

    A minute more is for clocks that differ.
    """
    quiet_since = now - timedelta(seconds=recent_window_s + 60)
    return run.sums if run.finished_at and run.finished_at < quiet_since else None
