"""What happens in a storm, one act after the other, for as long as notifications are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sandbox.notifications.platform import Notification
from sandbox.notifications.shop import Act
from sandbox.storm import catalog, customers, orders, stock
from sandbox.storm.state import Storm

_ACTS = (*customers.ACTS, *orders.ACTS, *catalog.ACTS, *stock.ACTS)


def notifications(storm: Storm, count: int) -> Iterator[Notification]:
    """So many notifications, and what the last act tells beyond; each act happens when its first one is asked for."""
    told = 0
    acts = [act for act, weight in _ACTS for _ in range(weight)]
    for first in (catalog.new_category, catalog.new_product, catalog.new_product, customers.new_customer):
        for notification in _told(first(storm)):
            yield notification
            told += 1
    while told < count:
        for notification in _told(storm.random.choice(acts)(storm)):
            yield notification
            told += 1


def _told(acts: Sequence[Act]) -> Iterator[Notification]:
    for act in acts:
        yield from act.notifications
