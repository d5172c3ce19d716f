"""Retries inside a budget (klaviyo.md 2.2, decisions.md 4)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from shared.budget import Budget
from shared.errors import Host, HostDown, Interrupted, PermanentError, RateLimited, TransientError
from shared.retrying import LONGEST_WAIT_S, call_with_retries, retry_after_s, wait_s

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


class Clock:
    """Seconds that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def budget(self, seconds: float, check_stop: Callable[[], None] = lambda: None) -> Budget:
        return Budget(seconds, lambda: self.now, self.sleep, check_stop)

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Failing:
    """Raises the errors given, one a call, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.calls = list(errors), 0

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("12", 12.0),
        ("2.5", 2.5),
        ("0", 1.0),
        ("-5", 1.0),
        ("Sat, 21 Nov 2026 12:00:30 GMT", 30.0),
        ("Sat, 21 Nov 2026 12:00:30 -0000", 30.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 1.0),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_at_least_one_second(header: str | None, seconds: float | None) -> None:
    """What cannot be read is as if it were not there."""
    assert retry_after_s(header, NOW) == seconds


def test_waits_double_up_to_a_ceiling_with_jitter_below_it() -> None:
    """0.5, 1, 2, 4 ... 30 s; the jitter takes away up to half."""
    assert [wait_s(attempt, None, 1.0) for attempt in range(1, 9)] == [0.5, 1, 2, 4, 8, 16, LONGEST_WAIT_S, LONGEST_WAIT_S]
    assert wait_s(3, None, 0.0) == 1.0


def test_the_hosts_wish_is_never_undercut() -> None:
    """A little is added, to spread the herd."""
    assert 7.0 <= wait_s(1, 7.0, 0.0) <= wait_s(1, 7.0, 0.99) < 7.25


def test_a_transient_error_is_tried_again_until_it_succeeds() -> None:
    """And each retry is told with its wait."""
    clock, call, told = Clock(), Failing(HostDown("a"), TransientError("b")), []
    answer = call_with_retries(
        call, clock.budget(100), attempts=5, on_retry=lambda error, wait: told.append((str(error), wait)), rng=lambda: 1.0
    )
    assert (answer, call.calls) == ("answer", 3)
    assert told == [("a", 0.5), ("b", 1.0)]
    assert clock.now == 1.5


def test_the_last_error_is_raised_when_the_attempts_are_used_up() -> None:
    """Three tries, two waits."""
    clock, call = Clock(), Failing(HostDown("a"), HostDown("b"), HostDown("c"))
    with pytest.raises(HostDown, match="c"):
        call_with_retries(call, clock.budget(100), attempts=3, rng=lambda: 1.0)
    assert (call.calls, clock.now) == (3, 1.5)


def test_a_429_uses_up_no_attempt() -> None:
    """It says nothing about the request."""
    clock, call = Clock(), Failing(*[RateLimited("wait", retry_after_s=2.0)] * 20, HostDown("down"))
    assert call_with_retries(call, clock.budget(100), attempts=2, rng=lambda: 0.0) == "answer"
    assert clock.now == pytest.approx(40.25)


def test_a_wait_that_does_not_fit_the_budget_is_not_begun() -> None:
    """The error is told at once, while there is still time to answer."""
    clock, call = Clock(), Failing(*[RateLimited("wait", retry_after_s=30.0)] * 9)
    with pytest.raises(RateLimited):
        call_with_retries(call, clock.budget(8.5), attempts=5, rng=lambda: 0.0)
    assert (call.calls, clock.now) == (1, 0.0)


def test_what_will_not_pass_is_not_tried_again() -> None:
    """Permanent errors and faults of ours go straight up."""
    for error in (PermanentError("invalid", host=Host.KLAVIYO, status=400), KeyError("x"), Interrupted(Interrupted.Cause.STOP)):
        call = Failing(error)
        with pytest.raises(type(error)):
            call_with_retries(call, Clock().budget(100), attempts=5)
        assert call.calls == 1


def test_a_stop_ends_the_waiting_between_tries() -> None:
    """Nothing is tried after it."""
    clock, call = Clock(), Failing(*[RateLimited("wait", retry_after_s=30.0)] * 3)

    def check_stop() -> None:
        if clock.now >= 5:
            raise Interrupted(Interrupted.Cause.STOP)

    with pytest.raises(Interrupted):
        call_with_retries(call, clock.budget(1_000, check_stop), attempts=5, rng=lambda: 0.0)
    assert (call.calls, clock.now) == (1, 5.0)


def cut_off(clock: Clock, error: Exception) -> Callable[[], str]:
    """Fails as told, and when called again uses up all time there is."""

    def call() -> str:
        if clock.now:
            clock.sleep(100)
            raise Interrupted(Interrupted.Cause.DEADLINE)
        clock.sleep(1)
        raise error

    return call


@pytest.mark.parametrize("error", [HostDown("down"), RateLimited("wait", retry_after_s=2.0)])
def test_a_deadline_after_a_failure_of_the_host_tells_that_failure(error: TransientError) -> None:
    """The host has used up the time, and not the amount of work."""
    clock = Clock()
    with pytest.raises(type(error)) as caught:
        call_with_retries(cut_off(clock, error), clock.budget(50), attempts=5)
    assert caught.value is error


def test_a_deadline_in_the_wait_after_a_failure_of_the_host_tells_that_failure() -> None:
    """A sleep may take longer than asked."""
    clock, call = Clock(), Failing(HostDown("down"))
    late = Budget(10, lambda: clock.now, lambda seconds: clock.sleep(seconds + 20))
    with pytest.raises(HostDown):
        call_with_retries(call, late, attempts=5)


def test_a_deadline_after_another_failure_is_a_deadline() -> None:
    """An answer that could not be used says nothing against the host."""
    clock = Clock()
    with pytest.raises(Interrupted):
        call_with_retries(cut_off(clock, TransientError("odd")), clock.budget(50), attempts=5)


@pytest.mark.parametrize("cause", [Interrupted.Cause.STOP, Interrupted.Cause.SUPERSEDED])
def test_a_stop_after_a_failure_of_the_host_is_a_stop(cause: Interrupted.Cause) -> None:
    """Whoever stops wants it to end as stopped."""
    call = Failing(HostDown("down"), Interrupted(cause))
    with pytest.raises(Interrupted) as caught:
        call_with_retries(call, Clock().budget(100), attempts=5)
    assert caught.value.cause is cause
