"""A Firestore run store whose reads are counted, and in whose writes something may come between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.cloud.firestore import WriteBatch

from shared.errors import HostDown
from shared.google.firestore_documents import Documents


class Watched(Documents):
    """Documents that count what they read, as Firestore bills it, and call `between` before the next commit, `behind` after it.

    The next `silent_reads` readings of documents fail.
    With `loses_answers`, each commit is done and then repeated, as the client library does when no answer came.
    """

    reads = 0
    commits = 0
    between: Callable[[], object] | None = None
    behind: Callable[[], object] | None = None
    silent_reads = 0
    loses_answers = False

    def get(self, *references: Any, **options: Any) -> list[Any]:
        if self.silent_reads:
            self.silent_reads -= 1
            raise HostDown("silent")
        found = super().get(*references, **options)
        self.reads += len(found)
        return found

    def query(self, query: Any, **options: Any) -> list[Any]:
        found = super().query(query, **options)
        self.reads += max(1, len(found))
        return found

    def count(self, query: Any, **options: Any) -> int:
        found = super().count(query, **options)
        self.reads += 1 + found // 1000
        return found

    def commit(self, writes: WriteBatch) -> list[Any]:
        (between, behind), self.between, self.behind = (self.between, self.behind), None, None
        if between:
            between()
        self.commits += 1
        if self.loses_answers:
            sent = list(writes._write_pbs)
            super().commit(writes)
            writes._write_pbs = sent
        written = super().commit(writes)
        if behind:
            behind()
        return written
