"""What a process remembers of a run's settled batches, and their sums: these are final, so each is read and added once."""

from __future__ import annotations

import threading
from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.bulk.records import BatchResult, BatchStatus, FailedItem
from shared.bulk.results import EXAMPLES, SHOWN_FAILURES
from shared.google.batch_documents import examples_of, failed_items_of, place_of, reasons_of
from shared.google.firestore_documents import Snapshot, plain
from shared.microseconds import EPOCH

_KEPT_FAILURES, _KEPT_EXAMPLES = 5 * SHOWN_FAILURES, 5 * EXAMPLES
"""More than is shown: a look at an earlier moment than the newest leaves out what was settled since."""

Place = tuple[int, int]
"""Range and number of a batch; in the order of planning."""
End = tuple[datetime, Place]
"""When a batch was settled, by the clock of who settled it, and which it was: the order in which Firestore lists them."""


@dataclass(frozen=True, slots=True)
class Row:
    """What sums need of a batch; `written` is when Firestore wrote it last, by its own clock."""

    place: Place
    written: datetime
    status: BatchStatus
    size: int
    last: str
    lease_until: datetime | None
    finished_at: datetime | None
    seen: int
    sent: int
    reasons: dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True, order=True)
class Shown:
    """The failures and requests of a batch that a summary may show."""

    place: Place
    written: datetime = field(compare=False)
    failed_items: list[FailedItem] = field(compare=False)
    examples: list[dict[str, Any]] = field(compare=False)


def row_of(snapshot: Snapshot) -> tuple[Row, Shown | None]:
    """A batch by the fields `SUMS` of its document."""
    fields = snapshot.to_dict() or {}
    place, written = place_of(snapshot.id), plain(snapshot.update_time)
    lease_until, finished_at = fields["lease_until"], fields["finished_at"]
    row = Row(
        place=place,
        written=written,
        status=BatchStatus(fields["status"]),
        size=fields["size"],
        last=fields["last"],
        lease_until=plain(lease_until) if lease_until else None,
        finished_at=plain(finished_at) if finished_at else None,
        seen=fields["seen"],
        sent=fields["sent"],
        reasons=reasons_of(fields),
    )
    failed_items, examples = failed_items_of(fields["failed_items"]), examples_of(fields["examples"])
    return row, Shown(place, written, failed_items, examples) if failed_items or examples else None


def end_of(snapshot: Snapshot) -> End:
    """When a settled batch ended, with `finished_at` of its document."""
    return plain(snapshot.get("finished_at")), place_of(snapshot.id)


class Totals:
    """Sums over batches."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self.done = self.failed = self.items = self.seen = self.sent = 0
        self.in_range = Counter[int]()
        self.reasons = {"skipped": Counter[str](), "failed": Counter[str](), "adjusted": Counter[str]()}
        self._last_done: dict[Place, str] = {}
        self._first_open: dict[int, int] = {}
        self._ends: list[tuple[datetime, int]] = []
        for row in rows:
            self.add(row)

    def add(self, row: Row) -> None:
        """Count a settled batch."""
        self.done += row.status is BatchStatus.DONE
        self.failed += row.status is BatchStatus.FAILED
        self.items += row.size
        self.seen += row.seen
        self.sent += row.sent
        self.in_range[row.place[0]] += 1
        for what, counts in row.reasons.items():
            self.reasons[what].update(counts)
        if row.status is BatchStatus.DONE:
            self._last_done[row.place] = row.last
        insort(self._ends, (row.finished_at or EPOCH, row.size))

    def items_since(self, moment: datetime) -> int:
        """The items of batches that were settled after this moment, by the clock of who settled them."""
        return sum(size for _, size in self._ends[bisect_right(self._ends, moment, key=lambda end: end[0]) :])

    def first_open(self, index: int) -> int:
        """The number of a range's first batch that is not done; one beyond its last when all are."""
        number = self._first_open.get(index, 1)
        while (index, number) in self._last_done:
            number += 1
        self._first_open[index] = number
        return number

    def last_id(self, index: int, number: int) -> str:
        """The last id of a batch that is done."""
        return self._last_done[index, number]

    def result(self, open_rows: Iterable[Row], shown: Iterable[Shown]) -> BatchResult:
        """What was achieved, with what is known of batches that are not settled; a reason that never occurred is not named."""
        reasons = {what: counts.copy() for what, counts in self.reasons.items()}
        seen, sent = self.seen, self.sent
        for row in open_rows:
            seen, sent = seen + row.seen, sent + row.sent
            for what, counts in row.reasons.items():
                reasons[what].update(counts)
        named = {
            what: {reason: counts[reason] for reason in sorted(counts) if counts[reason]} for what, counts in reasons.items()
        }
        in_order = sorted(shown)
        return BatchResult(
            seen=seen,
            sent=sent,
            skipped=named["skipped"],
            failed=named["failed"],
            adjusted=named["adjusted"],
            failed_items=[item for one in in_order for item in one.failed_items][:SHOWN_FAILURES],
            examples=[example for one in in_order for example in one.examples][:EXAMPLES],
        )


class SettledBatches:
    """The settled batches of one run as far as this process has read them. Who uses one holds `lock`.

    All up to `read_to` were read, but for those that came later with an earlier time; `newest_end` is the last of all that were.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self.read_to: End | None = None
        self.newest_end: End | None = None
        self._rows: dict[Place, Row] = {}
        self._newest = EPOCH
        self._totals = Totals()
        self._shown: list[Shown] = []

    def add(self, read: Iterable[tuple[Row, Shown | None]]) -> None:
        """Remember these, each once."""
        for row, shown in read:
            if row.place not in self._rows:
                self._rows[row.place] = row
                self._newest = max(self._newest, row.written)
                end = row.finished_at or EPOCH, row.place
                self.newest_end = max(self.newest_end or end, end)
                self._totals.add(row)
                if shown:
                    insort(self._shown, shown)
        self._shown = list(_first(self._shown))

    def count(self, at: datetime) -> int:
        """How many of them were settled at that moment of Firestore's clock."""
        return len(self._rows) if self._newest <= at else sum(1 for row in self._rows.values() if row.written <= at)

    def totals(self, at: datetime) -> Totals:
        """The sums over those; others may go on adding to the newest, so they are to be read before the lock is given back."""
        return self._totals if self._newest <= at else Totals(row for row in self._rows.values() if row.written <= at)

    def shown(self, at: datetime) -> list[Shown]:
        """What may be shown of those."""
        return [one for one in self._shown if one.written <= at]


def _first(shown: Iterable[Shown]) -> Iterator[Shown]:
    """As many as are kept of failures and of examples: of very many batches they would fill the memory."""
    failures = examples = 0
    for one in shown:
        if (one.failed_items and failures < _KEPT_FAILURES) or (one.examples and examples < _KEPT_EXAMPLES):
            failures, examples = failures + len(one.failed_items), examples + len(one.examples)
            yield one
