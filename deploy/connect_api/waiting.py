"""Waiting for what takes minutes: look, say how it stands, sleep, until it has ended or the time is over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from deploy.connect_api.errors import TimedOut, Unreachable
from deploy.connect_api.output import Output

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """How often to look, and for how long; both in seconds."""

    interval_s: float
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Clock:
    """Time: seconds that only grow, and sleep."""

    now: Callable[[], float]
    sleep: Callable[[float], None]


def wait_for(
    look: Callable[[], T],
    state_of: Callable[[T], str],
    ended: Callable[[T], bool],
    *,
    patience: Patience,
    clock: Clock,
    output: Output,
    next_step: str,
) -> T:
    """What `look` sees once it has `ended`; `ended` may raise when it has ended badly.

    A host that does not answer is waited for too. Raises TimedOut with the last state.
    """
    begun, told, state = clock.now(), "", "not seen yet"
    while True:
        try:
            seen = look()
            state = state_of(seen)
        except Unreachable as fault:
            seen, state = None, f"unknown ({fault})"
        elapsed_s = clock.now() - begun
        if state != told:
            output.say(f"{int(elapsed_s) // 60}:{int(elapsed_s) % 60:02} {state}")
            told = state
        if seen is not None and ended(seen):
            return seen
        if elapsed_s + patience.interval_s > patience.timeout_s:
            raise TimedOut(f"not done after {elapsed_s:.0f} s; it is still {state}", next_step)
        clock.sleep(patience.interval_s)
