"""At least once and in no order: duplicates and displacement of a stream of deliveries. Pure but for the randomness given."""

import heapq
from collections.abc import Iterable, Iterator
from random import Random
from typing import TypeVar

T = TypeVar("T")

MOST_DELIVERIES = 5


def repeated(items: Iterable[T], share: float, random: Random, most: int = MOST_DELIVERIES) -> Iterator[T]:
    """Each item once, a `share` of them two to `most` times; each further time is half as frequent as the one before."""
    times = range(2, most + 1)
    weights = [2.0**-count for count in times]
    for item in items:
        for _ in range(random.choices(times, weights)[0] if random.random() < share else 1):
            yield item


def shuffled_within(items: Iterable[T], window: int, random: Random) -> Iterator[T]:
    """The items, each less than `window` places from where it was; of `items` no more than that is taken in advance."""
    waiting: list[tuple[float, int, T]] = []
    for place, item in enumerate(items):
        heapq.heappush(waiting, (place + random.random() * window, place, item))
        while waiting and waiting[0][0] <= place + 1:  # nothing that is still to come can stand before it
            yield heapq.heappop(waiting)[2]
    while waiting:
        yield heapq.heappop(waiting)[2]
