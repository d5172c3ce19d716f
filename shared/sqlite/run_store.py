"""Runs, ranges and batches in the state file (flows.md "Run record", "Batch record").

Each method is one transaction: its condition is checked and its effect written while nobody else can write.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from shared.bulk.ports import NotTaken
from shared.bulk.records import Batch, BatchResult, BatchStatus, IdRange, Kind, Run, Summary
from shared.bulk.results import total
from shared.bulk.run import accepts, final_sums, is_stopping
from shared.errors import StaleWrite
from shared.microseconds import micros
from shared.sqlite.database import Database
from shared.sqlite.summaries import summary

_encode = msgspec.json.encode
_runs = msgspec.json.Decoder(Run)
_ranges = msgspec.json.Decoder(IdRange)
_batches = msgspec.json.Decoder(Batch)

_VALUES = """INTO batches VALUES (
    :run_id, :batch_id, :range_index, :number, :status, :owner, :fence, :lease_until, :finished_at,
    :size, :seen, :sent, :reasons, :failed_items, :examples, :record
)"""
_INSERT = "INSERT " + _VALUES
_REPLACE = "REPLACE " + _VALUES


class SqliteRunStore:
    """Implements `shared.bulk.ports.RunStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def next_fence(self, kind: Kind) -> int:
        """A number higher than any given for this kind before."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO fences (kind, fence) VALUES (?, 1) ON CONFLICT (kind) DO UPDATE SET fence = fence + 1", (kind.value,)
            )
            fence: int = connection.execute("SELECT fence FROM fences WHERE kind = ?", (kind.value,)).fetchone()[0]
            return fence

    def create(self, run: Run, ranges: Sequence[IdRange]) -> None:
        """Write a new run with its ranges, all or nothing; `StaleWrite` when there is a run of this id."""
        with self._database.writing() as connection:
            created = connection.execute(
                "INSERT INTO runs (run_id, kind, started_at, fence, revision, record) VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (run_id) DO NOTHING",
                (run.run_id, run.kind.value, micros(run.started_at), run.fence, run.revision, _encode(run)),
            )
            if created.rowcount != 1:
                raise StaleWrite(f"run {run.run_id} exists already")
            connection.executemany(
                "INSERT INTO ranges (run_id, range_index, record) VALUES (?, ?, ?)",
                [(run.run_id, part.index, _encode(part)) for part in ranges],
            )

    def run(self, run_id: str) -> Run | None:
        """The run, or None."""
        with self._database.reading() as connection:
            return _run(connection, run_id)

    def runs(self, kind: Kind | None = None, limit: int = 100) -> list[Run]:
        """Runs, newest first."""
        condition, values = ("WHERE kind = ?", [kind.value]) if kind else ("", [])
        with self._database.reading() as connection:
            rows = connection.execute(
                f"SELECT record FROM runs {condition} ORDER BY started_at DESC, seq DESC LIMIT ?",  # noqa: S608 - fixed texts
                (*values, limit),
            )
            return [_runs.decode(record) for (record,) in rows]

    def current(self, kind: Kind) -> Run | None:
        """The run of the kind with the highest fence: the one that was started or resumed last."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT record FROM runs WHERE kind = ? ORDER BY fence DESC LIMIT 1", (kind.value,)
            ).fetchone()
            return _runs.decode(row[0]) if row else None

    def save(self, run: Run) -> Run:
        """Write a run if its stored revision is still `run.revision`; returns it with the next revision."""
        after = msgspec.structs.replace(run, revision=run.revision + 1)
        with self._database.writing() as connection:
            saved = connection.execute(
                "UPDATE runs SET fence = ?, revision = ?, record = ? WHERE run_id = ? AND revision = ?",
                (after.fence, after.revision, _encode(after), run.run_id, run.revision),
            )
            if saved.rowcount != 1:
                raise StaleWrite(f"run {run.run_id} was changed meanwhile")
        return after

    def ranges(self, run_id: str) -> list[IdRange]:
        """The ranges of a run by index."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT record FROM ranges WHERE run_id = ? ORDER BY range_index", (run_id,))
            return [_ranges.decode(record) for (record,) in rows]

    def record(self, run_id: str, fence: int, before: IdRange, after: IdRange, batches: Sequence[Batch]) -> None:
        """Write new batches and the advanced range together.

        Only while the run is accepted or running under this fence and the stored range equals `before`.
        """
        with self._database.writing() as connection:
            run = _run(connection, run_id)
            if run is None or not accepts(run, fence):
                raise StaleWrite(f"run {run_id} does not go on under fence {fence}")
            key = (run_id, before.index)
            row = connection.execute("SELECT record FROM ranges WHERE run_id = ? AND range_index = ?", key).fetchone()
            if row is None or _ranges.decode(row[0]) != before:
                raise StaleWrite(f"range {before.index} of run {run_id} was advanced meanwhile")
            connection.execute("UPDATE ranges SET record = ? WHERE run_id = ? AND range_index = ?", (_encode(after), *key))
            connection.executemany(_INSERT, [_row(batch, fence=None) for batch in batches])

    def batches(self, run_id: str, statuses: Sequence[BatchStatus], *, after: str = "", limit: int = 1000) -> list[Batch]:
        """Batches in these states with `batch_id > after`, by batch id."""
        marks = ", ".join("?" * len(statuses))
        with self._database.reading() as connection:
            rows = connection.execute(
                f"SELECT record FROM batches WHERE run_id = ? AND batch_id > ? AND status IN ({marks})"  # noqa: S608 - only marks
                " ORDER BY batch_id LIMIT ?",
                (run_id, after, *(status.value for status in statuses), limit),
            )
            return [_batches.decode(record) for (record,) in rows]

    def take(self, run_id: str, fence: int, batch_id: str, owner: str, now: datetime, lease_until: datetime) -> Batch | NotTaken:
        """Lease a queued batch, or a working one whose lease ran out; counts an attempt.

        Only while the run is accepted or running under this fence; that is looked at before the batch's own state. `HELD` also
        while it is stopping.
        """
        with self._database.writing() as connection:
            run = _run(connection, run_id)
            row = connection.execute(
                "SELECT record FROM batches WHERE run_id = ? AND batch_id = ?", (run_id, batch_id)
            ).fetchone()
            if row is None or run is None:
                return NotTaken.IGNORED
            batch = _batches.decode(row[0])
            is_held = batch.status is BatchStatus.WORKING and batch.lease_until is not None and batch.lease_until > now
            if is_held and is_stopping(run, fence):
                return NotTaken.HELD
            if not accepts(run, fence):
                return NotTaken.IGNORED
            if batch.status in (BatchStatus.DONE, BatchStatus.FAILED):
                return NotTaken.SETTLED
            if is_held:
                return NotTaken.HELD
            taken = msgspec.structs.replace(
                batch, status=BatchStatus.WORKING, attempts=batch.attempts + 1, owner=owner, lease_until=lease_until
            )
            connection.execute(_REPLACE, _row(taken, fence=fence))
            return taken

    def hold(self, run_id: str, batch_id: str, owner: str, lease_until: datetime) -> None:
        """Extend the lease of a batch that `owner` holds."""
        with self._database.writing() as connection:
            batch, fence = _held(connection, run_id, batch_id, owner)
            connection.execute(_REPLACE, _row(msgspec.structs.replace(batch, lease_until=lease_until), fence=fence))

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
        with self._database.writing() as connection:
            stored, _ = _held(connection, batch.run_id, batch.batch_id, owner)
            attempts = stored.attempts if count_attempt else stored.attempts - 1
            freed = _freed(stored, cursor=cursor, result=result, attempts=attempts, carried=carried)
            connection.execute(_REPLACE, _row(freed, fence=None))

    def settle(self, batch: Batch, owner: str, status: BatchStatus, result: BatchResult, now: datetime) -> None:
        """Write the final result (`DONE` or `FAILED`) of a batch that `owner` holds, once."""
        if status not in (BatchStatus.DONE, BatchStatus.FAILED):
            raise ValueError(f"a batch is settled as done or failed, not as {status}")
        with self._database.writing() as connection:
            stored, _ = _held(connection, batch.run_id, batch.batch_id, owner)
            final = msgspec.structs.replace(
                stored, status=status, owner=None, lease_until=None, result=result, carried=None, finished_at=now
            )
            connection.execute(_REPLACE, _row(final, fence=None))

    def requeue(self, run_id: str, fence: int) -> None:
        """After a take-over: what is not settled is queued again with fresh attempts, the leases of older fences are void."""
        with self._database.writing() as connection:
            run = _run(connection, run_id)
            if run is None or run.fence != fence:
                raise StaleWrite(f"run {run_id} is not under fence {fence}")
            rows = connection.execute(
                "SELECT record FROM batches WHERE run_id = ? AND (status = ? OR (status = ? AND fence < ?))",
                (run_id, BatchStatus.QUEUED.value, BatchStatus.WORKING.value, fence),
            )
            _free(connection, rows, attempts=0)

    def free_leases(self) -> int:
        """Queue every batch again that is being worked on; how many. For a start at which no worker is alive.

        Attempts stay counted and partial results kept, as after a lease that ran out. Runs are left alone: their
        messages are still in the queue, so a run goes on by itself once these are delivered again and somebody renews
        its lease; to end it here would ask for a `resume` that nobody needs.
        """
        with self._database.writing() as connection:
            rows = connection.execute("SELECT record FROM batches WHERE status = ?", (BatchStatus.WORKING.value,))
            return _free(connection, rows)

    def free_lease(self, run_id: str, fence: int, batch_id: str) -> int:
        """Queue one batch again if it is being worked on under this fence; how many were. For one whose worker has died.

        Attempts and partial results are kept, as `free_leases` does.
        """
        with self._database.writing() as connection:
            rows = connection.execute(
                "SELECT record FROM batches WHERE run_id = ? AND fence = ? AND batch_id = ? AND status = ?",
                (run_id, fence, batch_id, BatchStatus.WORKING.value),
            )
            return _free(connection, rows)

    def summary(self, run_id: str, now: datetime, recent_window_s: float) -> Summary:
        """Sums over the run's batches, its progress and its cursor; empty for an unknown run."""
        with self._database.reading() as connection:
            run = _run(connection, run_id)
            if run is None:
                return Summary()
            return final_sums(run, now, recent_window_s) or summary(connection, run, now, recent_window_s)


def _run(connection: sqlite3.Connection, run_id: str) -> Run | None:
    row = connection.execute("SELECT record FROM runs WHERE run_id = ?", (run_id,)).fetchone()
    return _runs.decode(row[0]) if row else None


def _held(connection: sqlite3.Connection, run_id: str, batch_id: str, owner: str) -> tuple[Batch, int]:
    """The batch that `owner` works on, and its fence; `StaleWrite` when it was taken over or its run has another fence."""
    row = connection.execute(
        "SELECT batches.record, batches.fence FROM batches JOIN runs USING (run_id, fence)"
        " WHERE run_id = ? AND batch_id = ? AND status = ? AND owner = ?",
        (run_id, batch_id, BatchStatus.WORKING.value, owner),
    ).fetchone()
    if row is None:
        raise StaleWrite(f"batch {batch_id} of run {run_id} is not held by this worker any more")
    return _batches.decode(row[0]), row[1]


def _freed(batch: Batch, **changes: Any) -> Batch:
    return msgspec.structs.replace(batch, status=BatchStatus.QUEUED, owner=None, lease_until=None, **changes)


def _free(connection: sqlite3.Connection, rows: Iterable[tuple[bytes]], **changes: Any) -> int:
    freed = [_freed(_batches.decode(record), **changes) for (record,) in rows]
    connection.executemany(_REPLACE, [_row(batch, fence=None) for batch in freed])
    return len(freed)


def _row(batch: Batch, *, fence: int | None) -> dict[str, Any]:
    """The columns of a batch; `fence` is that under which it is being worked on."""
    result = batch.result
    reasons = {"skipped": result.skipped, "failed": result.failed, "adjusted": result.adjusted}
    return {
        "run_id": batch.run_id,
        "batch_id": batch.batch_id,
        "range_index": batch.range_index,
        "number": batch.number,
        "status": batch.status.value,
        "owner": batch.owner,
        "fence": fence,
        "lease_until": micros(batch.lease_until) if batch.lease_until else None,
        "finished_at": micros(batch.finished_at) if batch.finished_at else None,
        "size": batch.size,
        "seen": result.seen,
        "sent": result.sent,
        "reasons": _encode(reasons).decode() if any(total(counts) for counts in reasons.values()) else None,
        "failed_items": _encode(result.failed_items) if result.failed_items else None,
        "examples": _encode(result.examples) if result.examples else None,
        "record": _encode(batch),
    }
