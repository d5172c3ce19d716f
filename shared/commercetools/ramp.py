"""How many requests to commercetools may be under way at once: halved when the host is overloaded, grown by success.

commercetools publishes no rate limit and asks for a gradual ramp (commercetools.md 3), so the number is found, not set.
"""

from __future__ import annotations

import threading
from enum import Enum, auto

from shared.budget import Budget

START = 8
CEILING = 32
_SLICE_S = 0.5


class Load(Enum):
    """What an answer says about the host's load."""

    FINE = auto()
    OVERLOADED = auto()
    UNKNOWN = auto()  # no answer: may be the network


class Gate:
    """Lets at most `limit` requests through at once.

    An overload halves `limit` (never below 1), once for all requests that were under way together. Each `limit` fine
    answers in a row add one, up to `ceiling`. Shared by all threads; knows no clock but the budgets of those who wait.
    """

    def __init__(self, start: int = START, ceiling: int = CEILING) -> None:
        self._limit = max(1, min(start, ceiling))
        self._ceiling = max(1, ceiling)
        self._under_way = 0
        self._fine = 0
        self._epoch = 0
        self._changed = threading.Condition()

    @property
    def limit(self) -> int:
        """How many requests may be under way at once now."""
        return self._limit

    @property
    def under_way(self) -> int:
        """How many requests are under way now."""
        return self._under_way

    def enter(self, budget: Budget) -> int:
        """Wait for a place and take it; returns what `leave` needs. Raises `Interrupted` from the budget."""
        with self._changed:
            while self._under_way >= self._limit:
                self._changed.wait(budget.timeout_s(_SLICE_S))
            self._under_way += 1
            return self._epoch

    def leave(self, epoch: int, load: Load) -> None:
        """Give the place back and learn from the answer; `epoch` is what `enter` returned."""
        with self._changed:
            self._under_way -= 1
            if load is Load.OVERLOADED:
                self._fine = 0
                if epoch == self._epoch:
                    self._epoch += 1
                    self._limit = max(1, self._limit // 2)
            elif load is Load.FINE:
                self._fine += 1
                if self._fine >= self._limit and self._limit < self._ceiling:
                    self._limit += 1
                    self._fine = 0
            self._changed.notify_all()
