"""Calls that block in a library, run so that whoever waits for them can be stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from typing import TypeVar

from shared.budget import Budget

_SLICE_S = 0.5

R = TypeVar("R")


def in_background(call: Callable[[], R], *, name: str) -> Future[R]:
    """Run a call in a thread of its own, called `name`, that does not hold up the end of the process."""
    future: Future[R] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # handed to the thread that waits
            future.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future


def awaited(future: Future[R], budget: Budget) -> R:
    """What the call gives or raises.

    The budget is asked at once and then each half second; when it raises `Interrupted`, the call goes on unheard.
    """
    while True:
        try:
            return future.result(budget.timeout_s(_SLICE_S))
        except NotYet:
            if future.done():  # just now, or it raised a timeout of its own
                return future.result()
