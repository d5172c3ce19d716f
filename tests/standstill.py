"""How long the machine has stood still, so that a test of a time limit measures the product and not the machine."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

TICK_S = 0.05


@dataclass(slots=True)
class Took:
    """Seconds from the begin of a piece of work to its end, and how many of them the machine stood still."""

    seconds: float = 0.0
    stood_still_s: float = 0.0

    @property
    def moving_s(self) -> float:
        """The seconds in which something could happen."""
        return self.seconds - self.stood_still_s


@contextmanager
def measured() -> Iterator[Took]:
    """Measures what is done inside; the result is filled in at the end.

    A thread that wants to be woken every `TICK_S` seconds counts by how much it is woken too late.
    """
    took, over = Took(), threading.Event()

    def tick() -> None:
        seen = time.monotonic()
        while not over.wait(TICK_S):
            now = time.monotonic()
            took.stood_still_s += max(0.0, now - seen - 2 * TICK_S)
            seen = now

    begun = time.monotonic()
    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield took
    finally:
        over.set()
        thread.join()
        took.seconds = time.monotonic() - begun
