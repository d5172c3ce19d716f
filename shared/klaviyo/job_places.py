"""How many catalog jobs of this process are in progress, and who may start the next ones (decisions.md 8)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from shared.budget import Budget
from shared.errors import Interrupted

LOOK_EVERY_S = 0.2


class JobPlaces:
    """A number of places for jobs, shared by the threads of a process. Who has some waits for jobs, never for more places.

    Places go to the call that came first, until it has as many as it can use: were they dealt out evenly, a little to each,
    no call would come to its end in time.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._free = most
        self._lock = threading.Lock()
        self._turns = count()
        self._line: set[int] = set()

    def turn(self) -> int:
        """A place in the line, to be kept for all that a call starts."""
        return next(self._turns)

    @contextmanager
    def first_in_line(self, turn: int, budget: Budget) -> Iterator[None]:
        """Take places inside: there is one by then, and nobody who came later gets any before the end.

        Raises `Interrupted` as the budget does; that the time was over while others had the places is `CROWDED`.
        """
        budget.check()
        with self._lock:
            self._line.add(turn)
        try:
            while not self._is_next(turn):
                wait_for_others(LOOK_EVERY_S, budget)
            yield
        finally:
            with self._lock:
                self._line.discard(turn)

    def take(self, turn: int, most: int) -> int:
        """Take up to `most` places, or what there is; how many they are, perhaps none."""
        with self._lock:
            taken = max(0, min(most, self._for(turn)))
            self._free -= taken
            return taken

    def give_back(self, count: int) -> None:
        """Free places."""
        with self._lock:
            self._free += count

    def _is_next(self, turn: int) -> bool:
        with self._lock:
            return self._for(turn) > 0

    def _for(self, turn: int) -> int:
        return self._free if min(self._line, default=turn) >= turn else 0


def wait_for_others(seconds: float, budget: Budget) -> None:
    """Sleep while others have what is needed. Raises `Interrupted`, out of time as `CROWDED`: it says nothing about the work."""
    try:
        budget.sleep(seconds)
    except Interrupted as interrupted:
        if interrupted.cause is Interrupted.Cause.DEADLINE:
            raise Interrupted(Interrupted.Cause.CROWDED) from None
        raise
