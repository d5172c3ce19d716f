"""Open-loop load: requests leave on a fixed schedule, however slow the answers are.

A generator that waits for an answer before it sends the next request slows down with what it measures, and then reports
only the requests that it dared to send (coordinated omission). Here each request has its moment, and its latency counts from
that moment, also when no sender was free to send it then.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.notifications.delivery import ACKNOWLEDGED, NO_ANSWER
from sandbox.notifications.envelopes import Request
from sandbox.notifications.wire import Connection, NoAnswer

ANSWER_S = 10.0
"""Whoever delivers takes a later answer for none (decisions.md 5)."""

_LEAD_S = 0.1
_SENDERS_MOST = 256


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request of some kind and its moment, in seconds after the start."""

    at_s: float
    kind: str
    request: Request


@dataclass(frozen=True, slots=True)
class Shot:
    """What became of an arrival: the status, the seconds from its moment to the answer, and how late it was sent."""

    at_s: float
    kind: str
    status: int
    latency_s: float
    late_s: float

    @property
    def acknowledged(self) -> bool:
        """Whether the queue would not deliver it again."""
        return self.status in ACKNOWLEDGED


def fire(url: str, arrivals: Sequence[Arrival], rate: float) -> list[Shot]:
    """Send all at their moments, `rate` a second on average; what became of each, in the order of the arrivals."""
    round_ = _Round(arrivals)
    count = min(_SENDERS_MOST, len(arrivals), 8 + math.ceil(2 * rate))
    threads = [threading.Thread(target=round_.send, args=(Connection(url, ANSWER_S),), daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [shot for shot in round_.shots if shot is not None]


class _Round:
    """One call of `fire`, shared by its senders; each takes the next arrival, whose moment has not come or has passed."""

    def __init__(self, arrivals: Sequence[Arrival]) -> None:
        self.shots: list[Shot | None] = [None] * len(arrivals)
        self._arrivals = arrivals
        self._next = 0
        self._lock = threading.Lock()
        self._begun = time.monotonic() + _LEAD_S

    def send(self, connection: Connection) -> None:
        while (number := self._take()) is not None:
            arrival = self._arrivals[number]
            due = self._begun + arrival.at_s
            if (wait_s := due - time.monotonic()) > 0:
                time.sleep(wait_s)
            sent = time.monotonic()
            status = _post(connection, arrival.request)
            self.shots[number] = Shot(arrival.at_s, arrival.kind, status, time.monotonic() - due, sent - due)
        connection.close()

    def _take(self) -> int | None:
        with self._lock:
            if self._next == len(self._arrivals):
                return None
            self._next += 1
            return self._next - 1


def _post(connection: Connection, request: Request) -> int:
    try:
        return connection.send("POST", connection.path, request.headers, request.body).status
    except NoAnswer:
        return NO_ANSWER


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least so many percent do not exceed (nearest rank). Raises ValueError when there is none."""
    if not values:
        raise ValueError("no values")
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]
