"""The ramp: concurrency is halved by overload and grows again with success."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.budget import Budget, budget_of
from shared.commercetools.ramp import Gate, Load
from shared.errors import Interrupted


def _finish(gate: Gate, load: Load) -> None:
    gate.leave(gate.enter(budget_of(5)), load)


def test_an_overload_halves_the_limit_down_to_one() -> None:
    """8, 4, 2, 1, 1."""
    gate = Gate(8)
    limits = []
    for _ in range(4):
        _finish(gate, Load.OVERLOADED)
        limits.append(gate.limit)
    assert limits == [4, 2, 1, 1]


def test_requests_that_were_under_way_together_halve_it_once() -> None:
    """Eight refusals of one bad second are one piece of news, not eight."""
    gate = Gate(8)
    epochs = [gate.enter(budget_of(5)) for _ in range(8)]
    for epoch in epochs:
        gate.leave(epoch, Load.OVERLOADED)
    assert gate.limit == 4
    _finish(gate, Load.OVERLOADED)
    assert gate.limit == 2


def test_a_round_of_success_adds_one_up_to_the_ceiling() -> None:
    """From 2: after two fine answers 3, after three more 4, then the ceiling holds."""
    gate = Gate(2, ceiling=4)
    limits = []
    for _ in range(12):
        _finish(gate, Load.FINE)
        limits.append(gate.limit)
    assert limits == [2, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4]


def test_no_answer_changes_nothing() -> None:
    """A broken connection says nothing about the host's load."""
    gate = Gate(4)
    for _ in range(10):
        _finish(gate, Load.UNKNOWN)
    assert gate.limit == 4


def test_no_more_than_the_limit_pass_at_once() -> None:
    """Thirty threads at a gate of three: never more than three inside, and all get through."""
    gate, inside, most, guard = Gate(3, ceiling=3), 0, 0, threading.Lock()

    def work(_number: int) -> None:
        nonlocal inside, most
        epoch = gate.enter(budget_of(20))
        with guard:
            inside += 1
            most = max(most, inside)
        with guard:
            inside -= 1
        gate.leave(epoch, Load.FINE)

    with ThreadPoolExecutor(30) as pool:
        list(pool.map(work, range(30)))
    assert most <= 3
    assert gate.under_way == 0


def test_who_waits_at_the_gate_can_be_stopped() -> None:
    """A stop ends the waiting, and the place is not lost."""
    gate = Gate(1)
    gate.enter(budget_of(5))

    def stop() -> None:
        raise Interrupted(Interrupted.Cause.STOP)

    with pytest.raises(Interrupted):
        gate.enter(Budget(budget_of(5).deadline, check_stop=stop))
    assert gate.under_way == 1
