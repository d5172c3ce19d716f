"""Keeps the children alive and the pump running until a signal, then lets everything end in order."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from shared.local.children import Child, ChildGaveUp
from shared.local.pump import Pump

TICK_S = 0.1
DRAIN_S = 20.0
CHILD_END_S = 5.0

Say = Callable[[str], None]


@dataclass(slots=True)
class StopRequests:
    """How often somebody asked to stop. A plain number, because a signal's handler must not touch a lock."""

    count: int = 0

    def note(self, _number: int, _frame: FrameType | None) -> None:
        """The signal handler."""
        self.count += 1


@contextmanager
def stop_signals() -> Iterator[StopRequests]:
    """SIGTERM and SIGINT, noted instead of obeyed."""
    requests = StopRequests()
    before = {number: signal.signal(number, requests.note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield requests
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def supervise(
    children: Sequence[Child],
    pump: Pump,
    stop: StopRequests,
    *,
    on_ready: Callable[[], None],
    say: Say,
    drain_s: float = DRAIN_S,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Run until asked to stop; `on_ready` is called once, when every child answers.

    Then: no new delivery, at most `drain_s` seconds for those under way (a second request ends the wait), and the children
    end. What was cut off is delivered again at the next start. Raises `ChildGaveUp`, after everything has ended.
    """
    ready = False
    pump.start()
    try:
        while not stop.count:
            for child in children:
                child.tick()
            if not ready and all(child.url for child in children):
                ready = True
                on_ready()
            sleep(TICK_S)
        _drain(pump, stop, say, drain_s)
    except ChildGaveUp:
        pump.stop_leasing()
        raise
    finally:
        for child in children:
            child.ask_to_end()
        until = time.monotonic() + CHILD_END_S
        for child in children:
            child.end(max(0.0, until - time.monotonic()))
        pump.close(timeout_s=2.0)


def _drain(pump: Pump, stop: StopRequests, say: Say, drain_s: float) -> None:
    pump.stop_leasing()
    if under_way := pump.under_way:
        deliveries = "delivery" if under_way == 1 else "deliveries"
        say(f"stopping: up to {drain_s:.0f} s for {under_way} {deliveries} under way; press Ctrl-C again to stop at once")
    asked, until = stop.count, time.monotonic() + drain_s
    while not pump.wait(TICK_S) and time.monotonic() < until and stop.count == asked:
        pass
