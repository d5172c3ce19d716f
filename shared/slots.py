"""How much of a process works at once: whoever only waits for somebody else gives its place to another."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from shared.budget import Budget
from shared.errors import Interrupted

_LOOK_EVERY_S = 0.2


class Slots:
    """A number of places for pieces of work that hold memory and use the processor; shared by the threads of a process."""

    def __init__(self, count: int) -> None:
        self._places = threading.Semaphore(count)
        self._mine = threading.local()

    @contextmanager
    def taken(self, budget: Budget) -> Iterator[None]:
        """Work in a place of this thread's own, once there is one. Raises `Interrupted` as the budget does."""
        self._take(budget)
        try:
            yield
        finally:
            self._release()

    @contextmanager
    def given_up(self, budget: Budget) -> Iterator[None]:
        """Inside `taken`: wait for something without a place, and take one again afterwards, unless the wait failed."""
        self._release()
        yield
        self._take(budget)

    def _take(self, budget: Budget) -> None:
        try:
            budget.check()
            while not self._places.acquire(timeout=_LOOK_EVERY_S):
                budget.check()
        except Interrupted as interrupted:
            if interrupted.cause is Interrupted.Cause.DEADLINE:
                raise Interrupted(Interrupted.Cause.CROWDED) from None
            raise
        self._mine.held = True

    def _release(self) -> None:
        if getattr(self._mine, "held", False):
            self._mine.held = False
            self._places.release()
