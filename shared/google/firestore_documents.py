"""Reading and writing Firestore's documents: conditions, time limits, and errors in the product's words.

Every condition is one of a single commit: that a document does not exist yet (`create`), or was last written at the moment
at which it was read (`update` with `unchanged`). There are no transactions that read: these wait for each other's locks
(platform.md 3).
"""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

from google.api_core import exceptions
from google.api_core.retry import Retry, if_exception_type
from google.cloud.firestore import (
    Client,
    CollectionReference,
    DocumentReference,
    Query,
    WriteBatch,
    WriteOption,
)
from google.cloud.firestore import DocumentSnapshot as AnySnapshot
from google.cloud.firestore_v1.aggregation import AggregationQuery
from google.cloud.firestore_v1.types import WriteResult

from shared.google.errors import NotThere
from shared.google.faults import translated

CALL_S = 15.0
"""How long one call may take, its repetitions included. A method of the store makes a few of them."""
LIST_S = 30.0
"""The same for a list of whole batches, which may be many megabytes."""
MOST_WRITES = 400
"""Writes of one commit where they need not stand or fall together; Firestore takes 500, and 10 MiB."""

_LEAST_S = 0.05
_PACKED_BYTES = 8 * 1024
_ZLIB = b"\x78"  # no JSON begins with it

# A repeated commit is harmless: each has a condition that holds once (who meets its own write knows it by its mark), or
# is one of `Increment` for a number that may be skipped.
_AGAIN = if_exception_type(
    exceptions.Aborted,
    exceptions.BadGateway,
    exceptions.InternalServerError,
    exceptions.ResourceExhausted,
    exceptions.ServiceUnavailable,
    exceptions.Unknown,
)

# What reads is repeated here as a whole. The library would begin a stream anew wherever it breaks, as often as it breaks and
# without a pause, and ask for as many documents as at first, beside those that it has.
_NEVER = Retry(predicate=if_exception_type())

_T = TypeVar("_T")

Fields = dict[str, Any]
"""The fields of a document by name."""
Snapshot = AnySnapshot[DocumentReference]
"""A document as it was read."""


class Changed(Exception):
    """A commit's condition does not hold (any more); nothing of it was written."""


def is_document_id(text: str) -> bool:
    """Whether a document can have this id: other names are of documents that do not exist, and Firestore refuses them."""
    reserved = text in {"", ".", ".."} or (text.startswith("__") and text.endswith("__"))
    return not reserved and "/" not in text and text.isprintable() and len(text.encode()) <= 1500


def plain(moment: datetime) -> datetime:
    """A moment as Firestore gives it, of Python's own type: to the microsecond, which is Firestore's precision, too."""
    return datetime.combine(moment.date(), moment.timetz())


def packed(record: bytes) -> bytes:
    """JSON as it is stored: long lists of ids are compressed, since a document holds 1 MiB."""
    return zlib.compress(record, 1) if len(record) > _PACKED_BYTES else record


def unpacked(stored: bytes) -> bytes:
    """The opposite of `packed`."""
    return zlib.decompress(stored) if stored.startswith(_ZLIB) else stored


class Documents:
    """The documents of one database. Threads may share it.

    The client is made at the first call, because it does not outlive a fork of its process. All methods raise
    `TransientError` when Firestore does not answer within `call_s` seconds (`list_s` for a list of whole batches), or refuses
    what only a person can put right: the message says what.
    """

    def __init__(
        self,
        open_client: Callable[[], Client],
        database: str,
        *,
        call_s: float = CALL_S,
        list_s: float = LIST_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open_client = open_client
        self._call_s, self._list_s, self._monotonic = call_s, list_s, monotonic
        self._database = database
        self._opened: Client | None = None
        self._lock = threading.Lock()

    def collection(self, *path: str) -> CollectionReference:
        """The collection at this path."""
        return self._client().collection(*path)

    def get(
        self, *references: DocumentReference, fields: Iterable[str] | None = None, at: datetime | None = None
    ) -> list[Snapshot]:
        """Documents in the order asked for, with these fields (all); as they were `at` an earlier answer's `read_time`.

        Firestore answers each at a moment of its own, and none of them has changed until the last of these.
        """
        names = None if fields is None else list(fields)

        def read(timeout_s: float) -> list[Snapshot]:
            return list(self._client().get_all(list(references), names, retry=_NEVER, timeout=timeout_s, read_time=at))

        by_path = {snapshot.reference.path: snapshot for snapshot in self._read(read, self._call_s)}
        return [by_path[reference.path] for reference in references]

    def query(self, query: Query, *, at: datetime | None = None, wide: bool = False) -> list[Snapshot]:
        """The documents of a query, all of one moment; `at` as for `get`, `wide` where they are whole batches, or very many."""

        def read(timeout_s: float) -> list[Snapshot]:
            return list(query.stream(retry=_NEVER, timeout=timeout_s, read_time=at))

        return self._read(read, self._list_s if wide else self._call_s)

    def count(self, query: Query, *, at: datetime) -> int:
        """How many documents a query has: counted by Firestore, for the price of one read for a thousand."""

        def read(timeout_s: float) -> int:
            return int(AggregationQuery(query).count().get(retry=_NEVER, timeout=timeout_s, read_time=at)[0][0].value)

        return self._read(read, self._call_s)

    def writes(self) -> WriteBatch:
        """An empty commit: to be filled with `create`, `set`, `update`, and given to `commit`."""
        return self._client().batch()

    def unchanged(self, since: datetime) -> WriteOption:
        """The condition of an `update` that the document was last written then: the `update_time` of a reading or a write."""
        return self._client().write_option(last_update_time=since)

    def commit(self, writes: WriteBatch) -> list[WriteResult]:
        """Write everything, or nothing. Raises `Changed`."""
        with self._answers():
            try:
                return writes.commit(retry=_retry(self._call_s), timeout=self._call_s)
            except (exceptions.AlreadyExists, exceptions.FailedPrecondition) as error:
                raise Changed from error

    def close(self) -> None:
        """End the connection, if there is one; a later call makes another."""
        with self._lock:
            opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()  # type: ignore[no-untyped-call]  # the library does not say that it returns nothing

    def _client(self) -> Client:
        with self._lock:
            if self._opened is None:
                self._opened = self._made()
            return self._opened

    def _made(self) -> Client:
        try:
            with translated("Firestore"):
                return self._open_client()
        except OSError as error:  # what the library raises when nothing names a project
            raise NotThere("Firestore: no Google Cloud project is known; set GOOGLE_CLOUD_PROJECT") from error

    def _read(self, read: Callable[[float], _T], within_s: float) -> _T:
        """What `read` gives, called with its timeout in seconds; tried again from its beginning, `within_s` seconds in all."""
        end = self._monotonic() + within_s
        with self._answers():
            return _retry(within_s)(lambda: read(max(end - self._monotonic(), _LEAST_S)))()

    @contextmanager
    def _answers(self) -> Iterator[None]:
        """Google's own texts are left out of errors: they may quote what was written."""
        opened = self._client()
        where = f"Firestore, database {self._database} of project {opened.project}"
        create = "create it in Native mode, or set GOOGLE_CLOUD_PROJECT and FIRESTORE_DATABASE to where it is"
        with translated(where, role="roles/datastore.user", create=create):
            try:
                yield
            except exceptions.FailedPrecondition as error:  # of a call without conditions
                raise NotThere(f"{where}: this is no database in Native mode; {create}") from error


def _retry(within_s: float) -> Retry:
    return Retry(predicate=_AGAIN, initial=0.1, maximum=2.0, multiplier=2.0, timeout=within_s)
