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
QUIET_END_S = 1.5
"""A child that answers nothing has ended by then; of one that has not, the operator is told."""


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
    pump: Pump | None,
    stop: StopRequests,
    *,
    on_ready: Callable[[], None],
    say: Say,
    drain_s: float = DRAIN_S,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Run until asked to stop; `on_ready` is called once, when every child answers.

    Then: no new delivery, at most `drain_s` seconds for those under way (a second request ends the wait), and the children
    end. What was cut off is delivered again, by the pump at the next start, or by whoever calls us. Raises `ChildGaveUp`, after
    everything has ended. Without a `pump` nothing is delivered from here.
    """
    ready = False
    if pump:
        pump.start()
    try:
        while not stop.count:
            for child in children:
                child.tick()
            if not ready and all(child.url for child in children):
                ready = True
                on_ready()
            sleep(TICK_S)
        _drain(children, pump, stop, say, drain_s)
    except ChildGaveUp:
        if pump:
            pump.stop_leasing()
        raise
    finally:
        for child in children:
            child.ask_to_end()
        until = time.monotonic() + CHILD_END_S
        for child in children:
            child.end(max(0.0, until - time.monotonic()))
        if pump:
            pump.close(timeout_s=2.0)


def _drain(children: Sequence[Child], pump: Pump | None, stop: StopRequests, say: Say, drain_s: float) -> None:
    called = [child for child in children if child.spec.called_by_others]
    for child in called:
        child.ask_to_end()
    asked, began = stop.count, time.monotonic()
    if pump:
        pump.stop_leasing()
        if under_way := pump.under_way:
            deliveries = "delivery" if under_way == 1 else "deliveries"
            _say_how_long(say, drain_s, f"{under_way} {deliveries} under way")
    told = False
    while time.monotonic() < began + drain_s and stop.count == asked:
        pumped = pump is None or pump.wait(TICK_S)
        if pumped and all(child.has_ended for child in called):
            return
        if pumped:
            time.sleep(TICK_S)
        if not told and time.monotonic() > began + QUIET_END_S and (busy := [child for child in called if not child.has_ended]):
            told = True
            _say_how_long(say, drain_s, f"what {' and '.join(child.spec.name for child in busy)} is answering")


def _say_how_long(say: Say, drain_s: float, what: str) -> None:
    say(f"stopping: up to {drain_s:.0f} s for {what}; press Ctrl-C again to stop at once")
