"""The sums of a run over its documents, without reading each batch every time.

Every delivery asks for them, so reading all batches would make reads grow with the square of the batches. Two things save
it. The ranges count what was recorded of them, so queued batches need not be read. And settled batches are final, so a
process remembers them: Firestore counts how many there are, and only those that are missing are read, the last ones first.
That is exact whatever clocks and other processes do: what is remembered is part of what is settled, so as many is all.

Who looks first at a run of very many has them all to read. They come a page at a time, each is remembered at once, and only
one thread of a process reads: whoever else asks waits for it, and reads what is then still missing. Is one of them cut off,
the next goes on where that was.

Of a run that has ended even less is read: once nothing of it can change any more, its summary is kept as it is.

Everything is read as it was at one moment, that at which the run was read: the numbers belong together, and whoever has
written before they asked is in them.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from google.cloud.firestore import CollectionReference, Query
from google.cloud.firestore_v1.base_query import FieldFilter

from shared.bulk.records import BatchStatus, IdRange, Run, Summary, batch_id
from shared.bulk.run import ACTIVE, is_list
from shared.cache import ExpiringCache
from shared.errors import HostDown
from shared.google.batch_documents import SUMS
from shared.google.firestore_documents import CALL_S, LIST_S, Documents, Snapshot, plain
from shared.google.settled_batches import Row, SettledBatches, Shown, Totals, end_of, row_of
from shared.microseconds import EPOCH

_MOST_RUNS = 8
"""Runs whose batches a process remembers; no more are under way at once, since each kind has one."""
_MOST_SUMMARIES = 200
"""Ended runs whose summaries it remembers: twice as many as a list of runs shows at most."""
_SUMMARIES_KEPT_S = 86_400.0
_QUIET = timedelta(hours=1)
"""How long nothing of an ended run may have happened so that nothing will: who has planned or worked for it is gone by then."""
_LEAST_PAGE = 20
MOST_PAGE = 500
"""Batches that are read at once: of the longest, with a hundred failures each, some ten megabytes."""
_FILL_S = LIST_S
"""How long one look may read what is missing; it is for the next one to go on."""


@dataclass(frozen=True, slots=True)
class PlannedRange:
    """A range, and what was recorded of it so far: batches, and the items in them."""

    part: IdRange
    batches: int
    items: int


class Summaries:
    """Computes summaries, and remembers between them what is final. Threads may share it."""

    def __init__(
        self,
        documents: Documents,
        *,
        most_page: int = MOST_PAGE,
        wait_s: float = CALL_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._documents = documents
        self._most_page, self._wait_s, self._monotonic = most_page, wait_s, monotonic
        self._going_on: OrderedDict[str, SettledBatches] = OrderedDict()
        self._ended: OrderedDict[str, SettledBatches] = OrderedDict()
        self._lock = threading.Lock()
        self._final = ExpiringCache[tuple[str, int], Summary](_MOST_SUMMARIES, _SUMMARIES_KEPT_S)

    def of(
        self,
        run: Run,
        planned: Callable[[], Sequence[PlannedRange]],
        batches: CollectionReference,
        at: datetime,
        now: datetime,
        recent_window_s: float,
    ) -> Summary:
        """The summary of a run whose record was read `at` that moment of Firestore's clock; `planned` reads its ranges then.

        Raises `HostDown` when too many batches are to be read for one look, or another thread is still at it after `wait_s`
        seconds: a later look has less to read.
        """
        key = run.run_id, run.revision
        if final := self._final.held([key]).get(key):
            return final
        ranges = planned()
        stirred = batches.where(filter=FieldFilter("stirred", "==", True)).select(SUMS)
        open_rows = [row_of(snapshot) for snapshot in self._documents.query(stirred, at=at)]
        settled = batches.where(filter=FieldFilter("finished_at", ">", EPOCH))
        there = self._documents.count(settled, at=at)
        with self._remembered(run) as memory:
            self._complete(memory, batches, settled, there, at)
            totals = memory.totals(plain(at))
            recent = now - timedelta(seconds=recent_window_s)
            summary = _summed(run, ranges, totals, memory.shown(plain(at)), open_rows, now, recent)
            is_final = _is_final(run, totals, [row for row, _ in open_rows], now - _QUIET)
        if is_final:
            self._final.put({key: summary})
            with self._lock:
                self._ended.pop(run.run_id, None)
        return summary

    @contextmanager
    def _remembered(self, run: Run) -> Iterator[SettledBatches]:
        """What is remembered of a run, alone with it.

        However many ended ones are looked at, those that go on keep their places.
        """
        with self._lock:
            memories, others = (self._going_on, self._ended) if run.status in ACTIVE else (self._ended, self._going_on)
            memory = memories.pop(run.run_id, None) or others.pop(run.run_id, None) or SettledBatches()
            memories[run.run_id] = memory
            if len(memories) > _MOST_RUNS:
                memories.popitem(last=False)
        if not memory.lock.acquire(timeout=self._wait_s):
            raise _goes_on(run.run_id)
        try:
            yield memory
        finally:
            memory.lock.release()

    def _complete(self, memory: SettledBatches, batches: CollectionReference, settled: Query, there: int, at: datetime) -> None:
        """Read what is missing of so many that were settled `at` that moment; clocks that differ cost a page more."""
        moment, until = plain(at), self._monotonic() + _FILL_S
        if memory.count(moment) > there:  # the documents have outlived their time, and are being deleted
            memory.forget()

        def read(query: Query, limit: int) -> list[Snapshot]:
            if self._monotonic() > until:
                raise _goes_on(batches.parent.id)
            page = self._documents.query(query.limit(limit), at=at, wide=True)
            memory.add(map(row_of, page))
            return page

        # Very many: in the order in which they were settled, on from where the last look was cut off.
        oldest_first = settled.order_by("finished_at").order_by("__name__").select(SUMS)
        while there - memory.count(moment) > self._most_page:
            query = oldest_first
            if memory.read_to:
                finished_at, place = memory.read_to
                query = query.start_after({"finished_at": finished_at, "__name__": batches.document(batch_id(*place))})
            page = read(query, self._most_page)
            if page:
                memory.read_to = end_of(page[-1])
            if len(page) < self._most_page:
                break
        # The last ones, or the few that came since the last look.
        newest_first = settled.order_by("finished_at", direction=Query.DESCENDING).select(SUMS)
        query, limit = newest_first, min(there - memory.count(moment), self._most_page)
        while limit > 0:
            page = read(query, limit)
            missing = there - memory.count(moment)
            if missing <= 0 or len(page) < limit:
                break
            query, limit = newest_first.start_after(page[-1]), min(max(missing, _LEAST_PAGE), self._most_page)
        memory.read_to = memory.newest_end


def _goes_on(run_id: str) -> HostDown:
    return HostDown(f"Firestore: the batches of run {run_id} are still being read for its sums")


def _is_final(run: Run, settled: Totals, open_rows: Sequence[Row], quiet_since: datetime) -> bool:
    """Whether the summary of this revision of the run stays as it is, whoever still comes late and at whatever time it is asked.

    A run that is resumed gets another revision.
    """
    if run.status in ACTIVE or run.finished_at is None or run.finished_at >= quiet_since:
        return False
    held = any(row.lease_until and row.lease_until >= quiet_since for row in open_rows)
    return not held and settled.items_since(quiet_since) == 0


def _summed(
    run: Run,
    ranges: Sequence[PlannedRange],
    settled: Totals,
    shown: Sequence[Shown],
    open_rows: Sequence[tuple[Row, Shown | None]],
    now: datetime,
    recent: datetime,
) -> Summary:
    working = [row for row, _ in open_rows if row.status is BatchStatus.WORKING]
    planned = sum(one.batches for one in ranges)
    open_done = bool(ranges) and all(one.part.done or one.part.closing for one in ranges)
    open_settled = all(settled.in_range[one.part.index] == one.batches for one in ranges if not one.part.closing)
    return Summary(
        planned=planned,
        done=settled.done,
        failed_batches=settled.failed,
        queued=planned - settled.done - settled.failed - len(working),
        live=sum(1 for row in working if row.lease_until and row.lease_until > now),
        open_done=open_done,
        open_settled=open_done and open_settled,
        ranges_done=bool(ranges) and all(one.part.done for one in ranges),
        settled_items=settled.items,
        planned_items=sum(one.items for one in ranges),
        fed_items=sum(one.items for one in ranges if one.part.feed),
        recent_items=settled.items_since(recent),
        cursor=None if is_list(run) else _cursor([one for one in ranges if one.part.feed is None], settled),
        result=settled.result((row for row, _ in open_rows), [*shown, *(some for _, some in open_rows if some)]),
    )


def _cursor(ranges: Sequence[PlannedRange], settled: Totals) -> str | None:
    """The highest id such that everything at or below it is done (http-api.md "Status of a run").

    A failed batch ends it: a start from this id must reach what has not been sent.
    """
    cursor: str | None = None
    for one in ranges:
        first_open = settled.first_open(one.part.index)
        if first_open > 1:
            cursor = settled.last_id(one.part.index, first_open - 1)
        if first_open <= one.batches or not one.part.done:
            break
    return cursor
