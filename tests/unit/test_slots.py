"""A bounded number of batches work at once; those that only wait give their place to others."""

from __future__ import annotations

import threading
import time

import pytest

from shared.budget import Budget
from shared.errors import Interrupted
from shared.slots import Slots


def _budget(seconds: float = 60.0) -> Budget:
    return Budget(deadline=time.monotonic() + seconds)


def test_no_more_work_at_once_than_there_are_places() -> None:
    """Ten threads, two places: never three inside."""
    slots, inside, most, lock, pair = Slots(2), [0], [0], threading.Lock(), threading.Barrier(2, timeout=60)

    def work() -> None:
        with slots.taken(_budget()):
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            pair.wait()
            with lock:
                inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 2


def test_whoever_waits_gives_its_place_up() -> None:
    """With one place, a second piece of work gets in while the first waits, and the first goes on afterwards."""
    slots, order = Slots(1), list[str]()
    second_done = threading.Event()

    def second() -> None:
        with slots.taken(_budget()):
            order.append("second works")
        second_done.set()

    with slots.taken(_budget()):
        order.append("first works")
        thread = threading.Thread(target=second)
        with slots.given_up(_budget()):
            thread.start()
            assert second_done.wait(60)
        order.append("first goes on")
    thread.join()
    assert order == ["first works", "second works", "first goes on"]


def test_waiting_for_a_place_ends_with_the_budget() -> None:
    """A stop or a deadline does not wait for somebody else's work to end."""
    slots = Slots(1)
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with slots.taken(_budget()):
            held.set()
            done.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(60)
    with pytest.raises(Interrupted), slots.taken(_budget(0.05)):
        pytest.fail("there is no place")
    done.set()
    thread.join()


def test_a_failed_wait_neither_keeps_nor_doubles_a_place() -> None:
    """After an error inside `given_up` the one place is free again, once."""
    slots = Slots(1)
    with pytest.raises(ValueError, match="broken"), slots.taken(_budget()), slots.given_up(_budget()):
        raise ValueError("broken")
    with slots.taken(_budget()), pytest.raises(Interrupted), slots.taken(_budget(0.05)):
        pytest.fail("a second place has appeared")
