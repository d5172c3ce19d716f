"""Who may start the next catalog jobs (decisions.md 8)."""

from __future__ import annotations

import pytest
from klaviyo_doubles import VirtualTime

from shared.errors import Interrupted
from shared.klaviyo.job_places import JobPlaces


def test_who_came_first_gets_all_places_that_he_can_use() -> None:
    """Nobody who came later gets any meanwhile; afterwards those that are left."""
    budget = VirtualTime().budget()
    places = JobPlaces(5)
    first, second = places.turn(), places.turn()
    with places.first_in_line(first, budget):
        assert places.take(first, 2) == 2
        assert places.take(second, 1) == 0
        assert places.take(first, 1) == 1
    with places.first_in_line(second, budget):
        assert places.take(second, 5) == 2
        assert places.take(second, 1) == 0


def test_who_comes_back_keeps_his_place_in_the_line() -> None:
    """A call that has more rows than places goes before all that began after it."""
    budget = VirtualTime().budget()
    places = JobPlaces(2)
    first, second = places.turn(), places.turn()
    with places.first_in_line(second, budget):
        assert places.take(second, 1) == 1
        with places.first_in_line(first, budget):
            assert places.take(second, 1) == 0
            assert places.take(first, 1) == 1


def test_a_call_comes_to_its_end_before_later_ones_get_on() -> None:
    """Three calls of six waves each: the first one has ended when a third of all the time is over, and not at the very end."""
    time = VirtualTime()
    places = JobPlaces(2)
    turns = [places.turn() for _ in range(3)]
    ended: dict[int, float] = {}

    def call(turn: int) -> None:
        for _ in range(6):
            with places.first_in_line(turn, time.budget()):
                held = places.take(turn, 2)
            time.sleep(10)
            places.give_back(held)
        ended[turn] = time.monotonic()

    begun = time.monotonic()
    time.run(*[lambda turn=turn: call(turn) for turn in turns])
    took = sorted(end - begun for end in ended.values())
    assert list(ended) == turns
    assert took[0] < 0.4 * took[-1]


@pytest.mark.parametrize(("free", "cause"), [(0, Interrupted.Cause.CROWDED), (1, Interrupted.Cause.DEADLINE)])
def test_only_time_that_others_took_is_no_fault_of_the_work(free: int, cause: Interrupted.Cause) -> None:
    """Out of time while others have the places is `crowded`; being out of time before is not."""
    time = VirtualTime()
    places = JobPlaces(1)
    places.take(places.turn(), 1 - free)
    with pytest.raises(Interrupted) as interrupted, places.first_in_line(places.turn(), time.budget(5.0 if not free else 0.0)):
        pass
    assert interrupted.value.cause is cause
