"""How many catalog jobs of this process are in progress (decisions.md 8)."""

from __future__ import annotations

import threading

from shared.budget import Budget

LOOK_EVERY_S = 0.2


class JobPlaces:
    """A number of places for jobs, shared by the threads of a process. Who has some waits for jobs, never for more places."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._lock = threading.Lock()

    def take(self, most: int) -> int:
        """Take up to `most` places, or what there is; how many they are, perhaps none."""
        with self._lock:
            taken = max(0, min(most, self._free))
            self._free -= taken
            return taken

    def take_one(self, budget: Budget) -> None:
        """Wait for a place and take it. Raises `Interrupted` as the budget does."""
        budget.check()
        while not self.take(1):
            budget.sleep(LOOK_EVERY_S)

    def give_back(self, count: int) -> None:
        """Free places."""
        with self._lock:
            self._free += count
