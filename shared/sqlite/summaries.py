"""The sums of a run, computed by SQLite over narrow columns: ten thousand batches in a few dozen milliseconds.

No list of failed ids is read for it.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import Any

import msgspec

from shared.bulk.records import Batch, BatchResult, BatchStatus, FailedItem, IdRange, Run, Summary, batch_id
from shared.bulk.results import EXAMPLES, SHOWN_FAILURES
from shared.bulk.run import is_list
from shared.microseconds import micros

_ranges = msgspec.json.Decoder(IdRange)
_batches = msgspec.json.Decoder(Batch)
_failed_items = msgspec.json.Decoder(list[FailedItem])
_examples = msgspec.json.Decoder(list[dict[str, Any]])

_COUNTS = """
    SELECT
        range_index,
        count(*) AS planned,
        count(*) FILTER (WHERE status = 'done') AS done,
        count(*) FILTER (WHERE status = 'failed') AS failed_batches,
        count(*) FILTER (WHERE status = 'queued') AS queued,
        count(*) FILTER (WHERE status = 'working' AND lease_until > :now) AS live,
        coalesce(sum(size), 0) AS planned_items,
        coalesce(sum(size) FILTER (WHERE finished_at IS NOT NULL), 0) AS settled_items,
        coalesce(sum(size) FILTER (WHERE finished_at > :recent), 0) AS recent_items,
        coalesce(sum(seen), 0) AS seen,
        coalesce(sum(sent), 0) AS sent
    FROM batches WHERE run_id = :run_id GROUP BY range_index
"""
_REASONS = """
    SELECT what.key, reason.key, sum(reason.value)
    FROM batches, json_each(batches.reasons) AS what, json_each(what.value) AS reason
    WHERE run_id = ? AND reasons IS NOT NULL
    GROUP BY what.key, reason.key HAVING sum(reason.value) > 0
    ORDER BY what.key, reason.key
"""


def summary(connection: sqlite3.Connection, run: Run, now: datetime, recent_window_s: float) -> Summary:
    """Sums over all batches of a run, what is done of unfinished ones included; `connection` is in a transaction."""
    key = (run.run_id,)
    values = {"run_id": run.run_id, "now": micros(now), "recent": micros(now) - round(recent_window_s * 1_000_000)}
    answer = connection.execute(_COUNTS, values)
    names = [column[0] for column in answer.description[1:]]
    by_range: dict[int, dict[str, int]] = {row[0]: dict(zip(names, row[1:], strict=True)) for row in answer}
    counts = {name: sum(part[name] for part in by_range.values()) for name in names}
    reasons: dict[str, dict[str, int]] = {}
    for what, reason, count in connection.execute(_REASONS, key):
        reasons.setdefault(what, {})[reason] = count
    ranges = [
        _ranges.decode(record)
        for (record,) in connection.execute("SELECT record FROM ranges WHERE run_id = ? ORDER BY range_index", key)
    ]
    open_done = bool(ranges) and all(part.done or part.closing for part in ranges)
    return Summary(
        result=BatchResult(
            seen=counts.pop("seen"),
            sent=counts.pop("sent"),
            failed_items=_first_failures(connection, run.run_id),
            examples=_first_examples(connection, run.run_id),
            skipped=reasons.get("skipped", {}),
            failed=reasons.get("failed", {}),
            adjusted=reasons.get("adjusted", {}),
        ),
        open_done=open_done,
        open_settled=open_done and all(_is_settled(by_range.get(part.index)) for part in ranges if not part.closing),
        ranges_done=bool(ranges) and all(part.done for part in ranges),
        fed_items=sum(by_range[part.index]["planned_items"] for part in ranges if part.feed and part.index in by_range),
        cursor=None if is_list(run) else _cursor(connection, run.run_id, [part for part in ranges if part.feed is None]),
        **counts,
    )


def _is_settled(counts: dict[str, int] | None) -> bool:
    """Every batch of a range is done or failed; a range without batches has no counts."""
    return counts is None or counts["done"] + counts["failed_batches"] == counts["planned"]


def _first_failures(connection: sqlite3.Connection, run_id: str) -> list[FailedItem]:
    rows = connection.execute(
        "SELECT failed_items FROM batches WHERE run_id = ? AND failed_items IS NOT NULL ORDER BY batch_id LIMIT ?",
        (run_id, SHOWN_FAILURES),
    )
    shown: list[FailedItem] = []
    for (items,) in rows:
        shown += _failed_items.decode(items)
        if len(shown) >= SHOWN_FAILURES:
            break
    return shown[:SHOWN_FAILURES]


def _first_examples(connection: sqlite3.Connection, run_id: str) -> list[dict[str, Any]]:
    rows = connection.execute(
        "SELECT examples FROM batches WHERE run_id = ? AND examples IS NOT NULL ORDER BY batch_id LIMIT ?", (run_id, EXAMPLES)
    )
    return [example for (examples,) in rows for example in _examples.decode(examples)][:EXAMPLES]


def _cursor(connection: sqlite3.Connection, run_id: str, ranges: list[IdRange]) -> str | None:
    """The highest id such that everything at or below it is done (http-api.md "Status of a run").

    A failed batch ends it: a start from this id must reach what has not been sent.
    """
    first_open = dict(
        connection.execute(
            "SELECT range_index, min(number) FROM batches WHERE run_id = ? AND status != ? GROUP BY range_index",
            (run_id, BatchStatus.DONE.value),
        )
    )
    last_done: str | None = None
    for part in ranges:
        open_number = first_open.get(part.index)
        number = part.planned if open_number is None else open_number - 1
        if number:
            last_done = batch_id(part.index, number)
        if open_number is not None or not part.done:
            break
    if last_done is None:
        return None
    row = connection.execute("SELECT record FROM batches WHERE run_id = ? AND batch_id = ?", (run_id, last_done)).fetchone()
    return _batches.decode(row[0]).last
