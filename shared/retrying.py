"""Retries of one HTTP call inside a budget: the host's `Retry-After`, else jittered exponential backoff (klaviyo.md 2.2)."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type

from shared.budget import Budget
from shared.errors import HostDown, Interrupted, RateLimited, TransientError

T = TypeVar("T")

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0


def retry_after_s(value: str | None, now: datetime | None = None) -> float | None:
    """Seconds that a `Retry-After` header asks for: a number, or an HTTP date; None when absent or unreadable.

    At least one second, because a "0" is known to be followed by another refusal (klaviyo.md 2.2).
    """
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            at = parsedate_to_datetime(value)
        except ValueError:
            return None
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        seconds = (at - (now or datetime.now(UTC))).total_seconds()
    return max(1.0, seconds) if math.isfinite(seconds) else None


def retry_reason(error: TransientError) -> str:
    """The word for the log line of a retry."""
    return "rate_limited" if isinstance(error, RateLimited) else "host_down" if isinstance(error, HostDown) else "transient"


def wait_s(attempt: int, wish_s: float | None, jitter: float) -> float:
    """Seconds to wait after the `attempt`-th try (1, 2, ...): the host's wish, else full jitter over a doubling ceiling.

    `jitter` is a random number in [0, 1). A wish is never undercut; a little jitter on top spreads the herd.
    """
    if wish_s is not None:
        return wish_s + jitter * 0.25
    ceiling: float = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (attempt - 1))
    return ceiling * (0.5 + jitter / 2)


def call_with_retries(
    call: Callable[[], T],
    budget: Budget,
    *,
    attempts: int,
    on_retry: Callable[[TransientError, float], None] = lambda _error, _wait_s: None,
    rng: Callable[[], float] = random.random,
) -> T:
    """Call until it succeeds, raises something lasting, `attempts` are used up, or the wait would not fit the budget.

    A 429 says nothing about the request, so it uses up no attempt; only the budget ends a series of them.
    `on_retry` sees each transient error and the wait in seconds. Raises the last `TransientError`, or `Interrupted`
    from the budget; when the deadline ends a series whose last failure was the host's (`HostDown`, `RateLimited`), that
    failure is raised, since it and not the amount of work has used up the time.
    """
    failures = 0
    last: TransientError | None = None

    def wait(state: RetryCallState) -> float:
        nonlocal failures, last
        last = error = _error_of(state)
        failures += not isinstance(error, RateLimited)
        return wait_s(max(1, failures), error.retry_after_s, rng())

    def stop(state: RetryCallState) -> bool:
        return failures >= attempts or state.upcoming_sleep >= budget.remaining_s

    def before_sleep(state: RetryCallState) -> None:
        on_retry(_error_of(state), state.upcoming_sleep)

    retrying = Retrying(
        sleep=budget.sleep,
        wait=wait,
        stop=stop,
        retry=retry_if_exception_type(TransientError),
        before_sleep=before_sleep,
        reraise=True,
    )
    try:
        return retrying(call)
    except Interrupted as interrupted:
        if interrupted.cause is not Interrupted.Cause.DEADLINE or not isinstance(last, HostDown | RateLimited):
            raise
    raise last


def _error_of(state: RetryCallState) -> TransientError:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, TransientError)  # noqa: S101 - the retry condition admits nothing else
    return error
