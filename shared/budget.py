"""Time flows down as a budget: a deadline, a clock, and a question whether to go on (flows.md, decisions.md 5)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from shared.errors import Interrupted

_SLICE_S = 1.0


def _go_on() -> None:
    """The answer of work that nobody can stop."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How long a piece of work may take, and who may end it early.

    `deadline` is a reading of `monotonic` (seconds). `check_stop` raises `Interrupted` when somebody asked to stop;
    it is called often, so it decides itself how often it looks at a store.
    """

    deadline: float
    monotonic: Callable[[], float] = time.monotonic
    sleeper: Callable[[float], None] = time.sleep
    check_stop: Callable[[], None] = _go_on

    @property
    def remaining_s(self) -> float:
        """Seconds until the deadline; negative when it has passed."""
        return self.deadline - self.monotonic()

    def check(self) -> None:
        """Raise `Interrupted` when work must not go on: asked to stop, or out of time."""
        self.check_stop()
        if self.remaining_s <= 0:
            raise Interrupted(Interrupted.Cause.DEADLINE)

    def sleep(self, seconds: float) -> None:
        """Sleep in slices of at most a second, so that a stop is noticed; raises `Interrupted` as `check` does."""
        until = self.monotonic() + seconds
        while (left := until - self.monotonic()) > 0:
            self.check()
            self.sleeper(min(left, _SLICE_S))
        self.check()

    def timeout_s(self, most_s: float) -> float:
        """A timeout for one call: `most_s`, or what is left; raises `Interrupted` when nothing is left."""
        self.check()
        return min(most_s, self.remaining_s)


def budget_of(seconds: float, *, check_stop: Callable[[], None] = _go_on) -> Budget:
    """A budget of `seconds` from now on the real clock."""
    return Budget(deadline=time.monotonic() + seconds, check_stop=check_stop)
