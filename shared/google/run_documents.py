"""Where runs, ranges and batches stand in Firestore, and how one of their documents is written.

    runs/{run_id}                        the run
    runs/{run_id}/ranges/{index}         its ranges
    runs/{run_id}/batches/{batch_id}     its batches
    fences/{kind}                        the last fence given

A query asks for one field at a time, so that no index is to be made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

import msgspec
from google.cloud.firestore import CollectionReference, DocumentReference, FieldFilter, Query, WriteBatch

from shared.bulk.records import BatchStatus, IdRange, Kind, Run
from shared.errors import HostDown
from shared.google.firestore_documents import (
    Documents,
    Fields,
    Snapshot,
    is_document_id,
    packed,
    unpacked,
)
from shared.google.run_summaries import PlannedRange
from shared.microseconds import micros

KEPT = timedelta(days=180)
"""How long a run is kept from its start (`expires_at`, Firestore's TTL): half a year in which it can be looked at and its
failures retried, and not much longer, since it names ids of customers. See `end_of`."""
TO_END = timedelta(days=30)
"""How long a run that is resumed at the end of that time is kept so that it can come to its own end."""
TRIES = 10
"""How often a write is tried whose document changes each time between being read and being written."""

_encode = msgspec.json.encode
_runs = msgspec.json.Decoder(Run)
_ranges = msgspec.json.Decoder(IdRange)


class RunDocuments:
    """The documents of runs; `documents` is the database that they are in.

    `now` tells whose time is over. `new_mark` gives a text that nobody else gives: each write leaves one in `written`, so that a
    write whose answer was lost, and which was therefore repeated in vain, is known as one's own.
    """

    def __init__(self, documents: Documents, *, now: Callable[[], datetime], new_mark: Callable[[], str]) -> None:
        self.documents = documents
        self.new_mark = new_mark
        self._now = now

    def runs(self) -> CollectionReference:
        """All runs."""
        return self.documents.collection("runs")

    def run(self, run_id: str) -> DocumentReference:
        """Where a run stands."""
        return self.documents.collection("runs").document(run_id)

    def ranges(self, run_id: str) -> CollectionReference:
        """The ranges of a run, by index."""
        return self.documents.collection("runs", run_id, "ranges")

    def range(self, run_id: str, index: int) -> DocumentReference:
        """Where a range stands."""
        return self.ranges(run_id).document(f"{index:03d}")

    def batches(self, run_id: str) -> CollectionReference:
        """The batches of a run, by batch id."""
        return self.documents.collection("runs", run_id, "batches")

    def batch(self, run_id: str, batch_id: str) -> DocumentReference:
        """Where a batch stands."""
        return self.batches(run_id).document(batch_id)

    def fence(self, kind: Kind) -> DocumentReference:
        """Where the last fence of a kind stands; it is kept for ever."""
        return self.documents.collection("fences").document(kind.value)

    def stored(self, run_id: str) -> Run | None:
        """A run as it stands now."""
        if not is_document_id(run_id):
            return None
        return self.run_of(*self.documents.get(self.run(run_id)))

    def run_of(self, there: Snapshot) -> Run | None:
        """The run of a document; None when there is none, or its time is over: then Firestore deletes it piece by piece."""
        fields = there.to_dict()
        if fields is None or fields["expires_at"] <= self._now():
            return None
        return _runs.decode(unpacked(fields["record"]))

    def planned(self, run_id: str, at: datetime | None = None) -> list[PlannedRange]:
        """The ranges of a run by index; `at` as for `Documents.get`."""
        return [planned_of(there) for there in self.documents.query(self.ranges(run_id).order_by("__name__"), at=at)]

    def marked(self, mark: str, fields: Fields) -> Fields:
        """Fields as they are written: with the mark of this write."""
        return {**fields, "written": mark}

    def add_update(self, writes: WriteBatch, document: DocumentReference, since: datetime, fields: Fields, mark: str) -> None:
        """Write fields of a document with this commit, on the condition that it was last written then."""
        writes.update(document, self.marked(mark, fields), option=self.documents.unchanged(since))

    def update(self, document: DocumentReference, since: datetime, fields: Fields, mark: str) -> datetime:
        """Write fields of a document that was last written then; when that was done. Raises `Changed`."""
        writes = self.documents.writes()
        self.add_update(writes, document, since, fields, mark)
        (written,) = self.documents.commit(writes)
        at: datetime = written.update_time
        return at


def end_of_parts(run: Run) -> datetime:
    """The end of the time of a run's ranges and batches; see `end_of`."""
    return run.started_at + KEPT + TO_END


def end_of(run: Run) -> datetime:
    """The end of a run's time, after which it is not there any more, and Firestore deletes it piece by piece.

    A run must not outlive its batches: it would be shown with numbers that shrink, could never be settled, and a retry would
    pass over what failed. So both count from the start of the run, whenever they are written: no write moves the end of a
    batch, and none has to, which leaves settled batches as they are (`SettledBatches` builds on that). That a run is ended or
    abandoned late does not prolong it. Resumed late, it is kept for `TO_END`, but never beyond its batches; resumed once more
    in these last days it has the rest of them.

    Nor may a chain outlive its links, since it would begin those anew that it does not find. Links start after their chain,
    and each is kept as long as any chain can be.
    """
    last = end_of_parts(run)
    return last if run.parent else min(last, max(run.started_at + KEPT, run.resumed_at + TO_END))


def run_fields(run: Run) -> Fields:
    """The fields of a run, the keys that runs are found by, and the end of its time."""
    return {
        "expires_at": end_of(run),
        "record": packed(_encode(run)),
        "started_at": run.started_at,
        "by_start": f"{run.kind}/{micros(run.started_at):020d}",
        "by_fence": f"{run.kind}/{run.fence:012d}",
    }


def range_fields(planned: PlannedRange) -> Fields:
    """The fields of a range, but for the end of its time, which is written once."""
    return {"record": packed(_encode(planned.part)), "batches": planned.batches, "items": planned.items}


def planned_of(there: Snapshot) -> PlannedRange:
    """The range of a document that exists."""
    fields = there.to_dict() or {}
    return PlannedRange(_ranges.decode(unpacked(fields["record"])), fields["batches"], fields["items"])


def mark_of(there: Snapshot) -> str | None:
    """The mark of the last write of a document."""
    return (there.to_dict() or {}).get("written")


def of_kind(runs: CollectionReference, key: str, kind: Kind) -> Query:
    """The runs of a kind by a key that begins with it, highest first."""
    first, behind = f"{kind}/", f"{kind}0"  # "0" is what comes after "/"
    those = runs.where(filter=FieldFilter(key, ">=", first)).where(filter=FieldFilter(key, "<", behind))
    return those.order_by(key, direction=Query.DESCENDING)


def in_states(batches: CollectionReference, statuses: Sequence[BatchStatus]) -> Query:
    """Batches in these states by batch id; of one moment, because it is one query."""
    return batches.where(filter=FieldFilter("status", "in", [status.value for status in statuses])).order_by("__name__")


def chunks(documents: Sequence[Snapshot], size: int) -> Iterable[Sequence[Snapshot]]:
    """These documents, so many at a time."""
    return (documents[start : start + size] for start in range(0, len(documents), size))


def contended(run_id: str) -> HostDown:
    """Others were quicker each time: that says nothing about what was to be written."""
    return HostDown(f"Firestore: too many write run {run_id} at once")
