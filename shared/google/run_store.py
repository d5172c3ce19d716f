"""Runs, ranges and batches in Firestore (flows.md "Run record", "Batch record"); which writes win is said in `batch_leases`."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec
from google.cloud.firestore import Client, Increment, Query

from shared.bulk.records import Batch, BatchStatus, IdRange, Kind, Run, Summary
from shared.bulk.run import accepts, final_sums
from shared.errors import StaleWrite
from shared.google.batch_documents import batch_of, fields_of
from shared.google.batch_leases import BatchLeases
from shared.google.firestore_documents import Changed, Documents, is_document_id
from shared.google.run_documents import (
    TRIES,
    RunDocuments,
    contended,
    end_of_parts,
    in_states,
    mark_of,
    of_kind,
    planned_of,
    range_fields,
    run_fields,
)
from shared.google.run_summaries import PlannedRange, Summaries
from shared.settings import GoogleSettings


def open_run_store(settings: GoogleSettings) -> FirestoreRunStore:
    """The run store of a Google Cloud project; connects at the first call."""

    def client() -> Client:
        return Client(project=settings.project or None, database=settings.firestore_database)

    documents = Documents(client, settings.firestore_database)
    return FirestoreRunStore(documents, now=lambda: datetime.now(UTC), new_mark=lambda: uuid.uuid4().hex)


class FirestoreRunStore(BatchLeases):
    """Implements `shared.bulk.ports.RunStore`; `now` and `new_mark` as in `RunDocuments`. Threads may share it."""

    def __init__(self, documents: Documents, *, now: Callable[[], datetime], new_mark: Callable[[], str]) -> None:
        super().__init__(RunDocuments(documents, now=now, new_mark=new_mark))
        self._summaries = Summaries(documents)

    def next_fence(self, kind: Kind) -> int:
        """A number higher than any given for this kind before."""
        writes = self._documents.writes()
        writes.set(self._runs.fence(kind), {"fence": Increment(1)}, merge=True)
        (written,) = self._documents.commit(writes)
        return int(written.transform_results[0].integer_value)

    def create(self, run: Run, ranges: Sequence[IdRange]) -> None:
        """Write a new run with its ranges, all or nothing; `StaleWrite` when there is a run of this id.

        One commit: a run has some twenty ranges.
        """
        mark = self._runs.new_mark()
        writes = self._documents.writes()
        writes.create(self._runs.run(run.run_id), self._runs.marked(mark, run_fields(run)))
        for part in ranges:
            fields = {**range_fields(PlannedRange(part, batches=0, items=0)), "expires_at": end_of_parts(run)}
            writes.create(self._runs.range(run.run_id, part.index), self._runs.marked(mark, fields))
        try:
            self._documents.commit(writes)
        except Changed:
            (there,) = self._documents.get(self._runs.run(run.run_id), fields=["written"])
            if mark_of(there) != mark:
                raise StaleWrite(f"run {run.run_id} exists already") from None

    def run(self, run_id: str) -> Run | None:
        """The run, or None."""
        return self._runs.stored(run_id)

    def runs(self, kind: Kind | None = None, limit: int = 100) -> list[Run]:
        """Runs, newest first."""
        runs = self._runs.runs()
        newest = of_kind(runs, "by_start", kind) if kind else runs.order_by("started_at", direction=Query.DESCENDING)
        found = self._documents.query(newest.limit(limit), wide=True)
        return [run for run in map(self._runs.run_of, found) if run]

    def current(self, kind: Kind) -> Run | None:
        """The run of the kind with the highest fence: the one that was started or resumed last."""
        found = self._documents.query(of_kind(self._runs.runs(), "by_fence", kind).limit(1))
        return self._runs.run_of(found[0]) if found else None

    def save(self, run: Run) -> Run:
        """Write a run if its stored revision is still `run.revision`; returns it with the next revision."""
        after = msgspec.structs.replace(run, revision=run.revision + 1)
        mark = self._runs.new_mark()
        for _ in range(TRIES):
            (there,) = self._documents.get(self._runs.run(run.run_id))
            if mark_of(there) == mark:
                return after
            stored = self._runs.run_of(there)
            if stored is None or stored.revision != run.revision:
                raise StaleWrite(f"run {run.run_id} was changed meanwhile")
            try:
                self._runs.update(there.reference, there.update_time, run_fields(after), mark)
            except Changed:
                continue
            return after
        raise contended(run.run_id)

    def ranges(self, run_id: str) -> list[IdRange]:
        """The ranges of a run by index."""
        return [planned.part for planned in self._runs.planned(run_id)] if is_document_id(run_id) else []

    def record(self, run_id: str, fence: int, before: IdRange, after: IdRange, batches: Sequence[Batch]) -> None:
        """Write new batches and the advanced range together, in one commit.

        Only while the run is accepted or running under this fence and the stored range equals `before`. Of the steps of a
        planner a retry's is the largest: the failures of twenty batches, 200,000 ids of 39 bytes, which is 8 MB before they
        are packed, where a commit may have 10 MiB.
        """
        mark = self._runs.new_mark()
        for _ in range(TRIES):
            there, stored_run = self._documents.get(self._runs.range(run_id, before.index), self._runs.run(run_id))
            if mark_of(there) == mark:
                return
            run = self._runs.run_of(stored_run)
            if run is None or not accepts(run, fence):
                raise StaleWrite(f"run {run_id} does not go on under fence {fence}")
            stored = planned_of(there) if there.exists else None
            if stored is None or stored.part != before:
                raise StaleWrite(f"range {before.index} of run {run_id} was advanced meanwhile")
            items = stored.items + sum(batch.size for batch in batches)
            advanced = range_fields(PlannedRange(after, stored.batches + len(batches), items))
            writes = self._documents.writes()
            self._runs.add_update(writes, there.reference, there.update_time, advanced, mark)
            for batch in batches:
                document = self._runs.batch(run_id, batch.batch_id)
                fields = {**fields_of(batch, fence), "expires_at": end_of_parts(run)}
                writes.create(document, self._runs.marked(mark, fields))
            try:
                self._documents.commit(writes)
            except Changed:
                continue
            return
        raise contended(run_id)

    def batches(self, run_id: str, statuses: Sequence[BatchStatus], *, after: str = "", limit: int = 1000) -> list[Batch]:
        """Batches in these states with `batch_id > after`, by batch id."""
        if not statuses or not is_document_id(run_id):
            return []
        query = in_states(self._runs.batches(run_id), statuses)
        if after:
            query = query.start_after({"__name__": self._runs.batch(run_id, after)})
        found = self._documents.query(query.limit(limit), wide=True)
        return [batch_of(run_id, there.id, there.to_dict() or {}) for there in found]

    def summary(self, run_id: str, now: datetime, recent_window_s: float) -> Summary:
        """Sums over the run's batches, its progress and its cursor; empty for an unknown run."""
        if not is_document_id(run_id):
            return Summary()
        (there,) = self._documents.get(self._runs.run(run_id))
        run = self._runs.run_of(there)
        if run is None:
            return Summary()
        if sums := final_sums(run, now, recent_window_s):
            return sums
        at = there.read_time
        batches = self._runs.batches(run_id)
        return self._summaries.of(run, lambda: self._runs.planned(run_id, at), batches, at, now, recent_window_s)

    def close(self) -> None:
        """End the connection."""
        self._documents.close()
