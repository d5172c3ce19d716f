"""A run as people see it: counts, rate, time to go (http-api.md "Status of a run"). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from shared.bulk import run as states
from shared.bulk.records import IdRange, Run, RunOptions, RunStatus, Summary
from shared.bulk.results import total

SHOWN_PROBLEMS = 50
_MOST_BEFORE_THE_END = 0.99  # while ranges are planned, nobody knows what is still to come


def status_of(run: Run, summary: Summary, ranges: Sequence[IdRange], now: datetime, rate_window_s: float) -> dict[str, Any]:
    """The status document of a run; times ISO 8601, `progress` from 0 to 1, `etaSeconds` None when it cannot be told."""
    result = summary.result
    active = run.status in states.ACTIVE
    expected = expected_items(run, summary, ranges)
    rate = _rate(run, summary, now, rate_window_s)
    progress = _progress(run, summary, expected)
    left = max(0, expected - summary.settled_items) if expected is not None else None
    return {
        "runId": run.run_id,
        "kind": run.kind.value,
        "status": states.shown_status(run, now),
        "resumable": states.can_resume(run, now),
        "startedAt": run.started_at.isoformat(),
        "updatedAt": run.updated_at.isoformat(),
        "finishedAt": run.finished_at.isoformat() if run.finished_at else None,
        "options": options_of(run.options),
        "total": run.total,
        "seen": result.seen,
        "sent": result.sent,
        "skipped": total(result.skipped),
        "failed": total(result.failed),
        "batches": {"planned": summary.planned, "done": summary.done, "failed": summary.failed_batches},
        "ratePerSecond": round(rate, 1),
        "etaSeconds": round(left / rate) if active and left is not None and rate > 0 else None,
        "progress": round(progress, 4),
        "skippedReasons": result.skipped,
        "failedReasons": result.failed,
        "adjustments": result.adjusted,
        "problems": [
            {"id": item.id, "reason": item.reason, "pointer": item.pointer} for item in result.failed_items[:SHOWN_PROBLEMS]
        ],
        "examples": result.examples,
        "haltReason": run.halt_reason,
        "cursor": summary.cursor,
    }


def options_of(options: RunOptions) -> dict[str, Any]:
    """What a run was asked to do, in the API's names; listed ids by their number only."""
    shown = {
        "ids": len(options.ids) if options.ids is not None else None,
        "startId": options.start_id,
        "createdAfter": options.created_after,
        "createdBefore": options.created_before,
        "modifiedAfter": options.modified_after,
        "dryRun": options.dry_run or None,
        "deleteAll": options.delete_all or None,
        "onlyOwn": options.only_own or None,
        "retryOf": options.retry_of,
    }
    return {name: value for name, value in shown.items() if value is not None}


def expected_items(run: Run, summary: Summary, ranges: Sequence[IdRange]) -> int | None:
    """How many items the run will have seen: exact once everything is planned, else as counted at the start.

    Where the source could not count, the planned part of the id space tells, since ids are spread evenly. What feeds add
    is known only as far as it is planned. None: nobody knows yet.
    """
    if summary.open_done:
        return summary.planned_items
    scanned_items = summary.planned_items - summary.fed_items
    if run.total is not None:
        return max(run.total, scanned_items) + summary.fed_items
    if run.options.retry_of is not None:
        return None
    share = planned_share(ranges)
    return round(scanned_items / share) + summary.fed_items if share > 0 else None


def planned_share(ranges: Sequence[IdRange]) -> float:
    """The share of the id space that is planned, from 0 to 1; ranges with a feed have no place in it."""
    spans = [(_position(part.first, 0.0), _position(part.until, 1.0), part) for part in ranges if part.feed is None]
    whole = sum(until - first for first, until, _ in spans)
    if whole <= 0:
        return 0.0
    covered = sum(until - first if part.done else max(0.0, _position(part.cursor, first) - first) for first, until, part in spans)
    return min(1.0, covered / whole)


def _position(item_id: str | None, default: float) -> float:
    if not item_id:
        return default
    try:
        return int(item_id.replace("-", "")[:12], 16) / float(1 << 48)
    except ValueError:
        return default


def _rate(run: Run, summary: Summary, now: datetime, window_s: float) -> float:
    """Items settled a second: over the last window while the run works, over the whole of it afterwards."""
    if run.status in states.ACTIVE:
        seconds = min(window_s, (now - run.resumed_at).total_seconds())
        return summary.recent_items / seconds if seconds > 0 else 0.0
    seconds = ((run.finished_at or run.updated_at) - run.started_at).total_seconds()
    return summary.settled_items / seconds if seconds > 0 else 0.0


def _progress(run: Run, summary: Summary, expected: int | None) -> float:
    if run.status in {RunStatus.COMPLETED, RunStatus.COMPLETED_WITH_ERRORS}:
        return 1.0
    most = 1.0 if summary.ranges_done else _MOST_BEFORE_THE_END
    return min(most, summary.settled_items / expected) if expected else 0.0
