"""Independent calls that run at the same time in a few threads, so that latency adds up only in part (klaviyo.md 2.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from shared.budget import Budget
from shared.errors import AuthError, Interrupted, RateLimited, SyncError, TransientError

THREADS_MOST = 16

R = TypeVar("R")

_WORST_FIRST: tuple[type[SyncError], ...] = (AuthError, TransientError, Interrupted, SyncError)


def together(
    calls: Sequence[Callable[[], R]], budget: Budget, *, alone: int = 0, threads: int = THREADS_MOST
) -> list[R | SyncError]:
    """What each call gives, or the error of this product that it raises, in the order of the calls.

    The first `alone` calls run one after the other, before the rest, of which `threads` run at a time. All are attempted,
    whatever becomes of one of them; but once the budget is over, or after an `AuthError`, a `RateLimited` or an
    `Interrupted`, none begins any more, since it would fare the same, and has that error.
    """
    ended: list[SyncError] = []

    def attempt(call: Callable[[], R]) -> R | SyncError:
        if ended:
            return ended[0]
        try:
            budget.check()
            return call()
        except (AuthError, RateLimited, Interrupted) as error:
            ended.append(error)
            return error
        except SyncError as error:
            return error

    outcomes = [attempt(call) for call in calls[:alone]]
    rest = calls[alone:]
    if len(rest) < 2:
        return [*outcomes, *map(attempt, rest)]
    with ThreadPoolExecutor(min(len(rest), threads), thread_name_prefix="klaviyo-write") as pool:
        return [*outcomes, *pool.map(attempt, rest)]


def results(outcomes: Iterable[R | SyncError]) -> list[R]:
    """The results. Raises the worst error if there is one: `AuthError`, then transient ones, then lasting ones, by position."""
    given: list[R] = []
    errors: list[SyncError] = []
    for outcome in outcomes:
        if isinstance(outcome, SyncError):
            errors.append(outcome)
        else:
            given.append(outcome)
    for kind in _WORST_FIRST:
        for error in errors:
            if isinstance(error, kind):
                raise error
    return given
