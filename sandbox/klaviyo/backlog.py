"""Asynchronous work, done when its time has come, without blocking the loop.

A job's state follows from the clock. Its rows are applied in slices, a few at every request (`nudge`) and all that
are due before an answer that depends on them (`settle`); a server also settles while nobody asks.
"""

import asyncio
import heapq
from collections.abc import Callable
from typing import Final

Step = Callable[[], bool]
"""Does one slice of work; True when nothing is left."""

SLICE_ROWS: Final = 200
"""Rows a step should apply: two to three milliseconds of work."""


class Backlog:
    """Pending work by the time at which it is due (seconds, the simulator's clock)."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Step]] = []
        self._count = 0

    def add(self, due_at: float, step: Step) -> None:
        """Do `step` again and again, once `due_at` has come, until it returns True."""
        self._count += 1
        heapq.heappush(self._heap, (due_at, self._count, step))

    def nudge(self, now: float) -> bool:
        """Do one slice of due work; False when none is due."""
        if not self._heap or self._heap[0][0] > now:
            return False
        due_at, number, step = self._heap[0]
        if step() and self._heap and self._heap[0][:2] == (due_at, number):
            heapq.heappop(self._heap)
        return True

    async def settle(self, now: float) -> None:
        """Do all work that is due at `now`, letting other requests in between slices."""
        while self.nudge(now):
            await asyncio.sleep(0)

    def settle_at_once(self, now: float) -> None:
        """As `settle`, without giving way; for code that is not asynchronous."""
        while self.nudge(now):
            pass

    def clear(self) -> None:
        """Forget all work."""
        self._heap.clear()
