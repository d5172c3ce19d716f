"""When a run's time is over: never after that of what belongs to it, whatever is done with it, and soon after half a year."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from shared.bulk.records import Kind, Run, RunStatus
from shared.google.run_documents import KEPT, TO_END, end_of, end_of_parts

START = datetime(2026, 1, 1, tzinfo=UTC)
RUN = Run(
    run_id="run-1",
    kind=Kind.ORDERS,
    status=RunStatus.RUNNING,
    fence=1,
    lease_until=START,
    started_at=START,
    updated_at=START,
    resumed_at=START,
)


def on_day(day: float, *, parent: str | None = None, started: float = 0) -> Run:
    """A run that was taken up last on this day."""
    at = START + timedelta(days=day)
    started_at = START + timedelta(days=started)
    return msgspec.structs.replace(RUN, started_at=started_at, resumed_at=at, updated_at=at, parent=parent)


@pytest.mark.parametrize(("day", "end"), [(0, 180), (150, 180), (151, 181), (179, 209), (180, 210), (200, 210)])
def test_a_run_is_kept_half_a_year_and_when_resumed_late_a_month_to_end(day: int, end: int) -> None:
    """Days from its start. Resumed in its last month once more, it has what is left of that."""
    assert end_of(on_day(day)) == START + timedelta(days=end)


def test_a_run_does_not_outlive_its_batches() -> None:
    """Nor does a link of a chain."""
    for day, parent in itertools.product(range(0, 400, 7), (None, "chain")):
        run = on_day(day, parent=parent)
        assert end_of(run) <= end_of_parts(run) == START + KEPT + TO_END


def test_a_chain_does_not_outlive_its_links() -> None:
    """Also one that ended on the first day while the chain is resumed on the last: it would be begun anew."""
    for day, started in itertools.product(range(0, 400, 7), (0, 0.5, 100)):
        assert end_of(on_day(day)) <= end_of(on_day(started, parent="chain", started=started))
