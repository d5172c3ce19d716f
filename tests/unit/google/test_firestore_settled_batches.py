"""What a process remembers of settled batches: sums of any moment, in bounded room."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from shared.bulk.records import BatchStatus, FailedItem
from shared.bulk.results import EXAMPLES, SHOWN_FAILURES
from shared.google.settled_batches import Row, SettledBatches, Shown

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def settled(number: int, *, failures: int = 0, examples: int = 0) -> tuple[Row, Shown | None]:
    """The batch of this number, settled as many seconds after NOW; half of ten items sent."""
    at = NOW + timedelta(seconds=number)
    reasons = {"failed": {"invalid": 5}}
    row = Row((0, number), at, BatchStatus.DONE, 10, f"id-{number}", None, at, 10, 5, reasons)
    items = [FailedItem(id=f"{number}-{item}", reason="invalid") for item in range(failures)]
    return row, Shown((0, number), at, items, [{"batch": number}] * examples) if failures or examples else None


def test_the_sums_of_an_earlier_moment_leave_out_what_came_later() -> None:
    """A look that began before another one may end after it."""
    memory = SettledBatches()
    memory.add(settled(number, failures=1) for number in (3, 1, 2))
    for count in range(4):
        at = NOW + timedelta(seconds=count)
        totals, shown = memory.totals(at), memory.shown(at)
        assert memory.count(at) == count
        assert (totals.done, totals.items, totals.first_open(0)) == (count, 10 * count, count + 1)
        result = totals.result([], shown)
        assert (result.seen, result.sent) == (10 * count, 5 * count)
        assert [item.id for item in result.failed_items] == [f"{number}-0" for number in range(1, count + 1)]


def test_a_batch_that_is_read_twice_counts_once() -> None:
    """Pages overlap where clocks differ."""
    memory = SettledBatches()
    memory.add([settled(1), settled(1)])
    memory.add([settled(1)])
    assert (memory.count(NOW + timedelta(days=1)), memory.totals(NOW + timedelta(days=1)).sent) == (1, 5)


def test_what_is_shown_of_very_many_batches_takes_bounded_room() -> None:
    """The first in the order of planning, whatever the order in which they end."""
    memory = SettledBatches()
    for number in range(300, 0, -1):
        memory.add([settled(number, failures=100 if number % 2 else 0, examples=0 if number % 2 else 20)])
    at = NOW + timedelta(days=1)
    shown = memory.shown(at)
    assert sum(len(one.failed_items) for one in shown) <= 10 * SHOWN_FAILURES
    assert sum(len(one.examples) for one in shown) <= 10 * EXAMPLES
    result = memory.totals(at).result([], shown)
    assert [item.id for item in result.failed_items] == [f"1-{item}" for item in range(100)]
    assert result.examples == [{"batch": 2}] * 20


def test_the_rate_counts_items_by_when_they_ended() -> None:
    """After a moment, not at it."""
    memory = SettledBatches()
    memory.add(settled(number) for number in range(1, 6))
    totals = memory.totals(NOW + timedelta(days=1))
    assert [totals.items_since(NOW + timedelta(seconds=since)) for since in (0, 3, 5)] == [50, 20, 0]
