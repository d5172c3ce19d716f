"""Time flows down as a budget (decisions.md 5, flows.md)."""

from __future__ import annotations

import pytest

from shared.budget import Budget, budget_of
from shared.errors import Interrupted


class Clock:
    """Seconds that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def test_work_goes_on_until_the_deadline_and_not_beyond() -> None:
    """At the deadline itself nothing is left."""
    clock = Clock()
    budget = Budget(110.0, clock.monotonic, clock.sleep)
    budget.check()
    clock.now = 110.0
    with pytest.raises(Interrupted) as interrupted:
        budget.check()
    assert interrupted.value.cause is Interrupted.Cause.DEADLINE


def test_a_wait_is_slept_in_slices_of_at_most_a_second() -> None:
    """So that a stop is noticed; together they are the wait."""
    clock = Clock()
    Budget(200.0, clock.monotonic, clock.sleep).sleep(3.5)
    assert clock.slept == [1.0, 1.0, 1.0, 0.5]


def test_a_stop_ends_a_wait() -> None:
    """Asked for after two seconds of ten."""
    clock = Clock()

    def check_stop() -> None:
        if clock.now >= 102.0:
            raise Interrupted(Interrupted.Cause.STOP)

    with pytest.raises(Interrupted) as interrupted:
        Budget(200.0, clock.monotonic, clock.sleep, check_stop).sleep(10)
    assert interrupted.value.cause is Interrupted.Cause.STOP
    assert clock.now == 102.0


def test_a_wait_never_outlasts_the_deadline_by_more_than_a_slice() -> None:
    """Then the work is interrupted."""
    clock = Clock()
    with pytest.raises(Interrupted):
        Budget(102.5, clock.monotonic, clock.sleep).sleep(60)
    assert clock.now <= 103.5


def test_a_timeout_is_cut_to_what_is_left() -> None:
    """And nothing is begun when nothing is left."""
    clock = Clock()
    budget = Budget(104.0, clock.monotonic, clock.sleep)
    assert (budget.timeout_s(2.0), budget.timeout_s(30.0)) == (2.0, 4.0)
    clock.now = 105.0
    with pytest.raises(Interrupted):
        budget.timeout_s(2.0)


def test_a_budget_on_the_real_clock_begins_now() -> None:
    """`budget_of` takes seconds from now, and somebody who may stop the work."""
    assert 0 < budget_of(5).remaining_s <= 5

    def stopped() -> None:
        raise Interrupted(Interrupted.Cause.STOP)

    with pytest.raises(Interrupted):
        budget_of(5, check_stop=stopped).check()
