"""All kinds of notification that are handled; routing, subscriptions and the documentation follow from this table. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shared.realtime.notification import Change, Notification
from shared.realtime.notifications import categories, customers, inventory, orders, payments, products
from shared.realtime.route import Route
from shared.settings.document import SyncDocument

ROUTES: tuple[Route[Any], ...] = (
    *customers.ROUTES,
    *orders.ROUTES,
    *payments.ROUTES,
    *categories.ROUTES,
    *products.ROUTES,
    *inventory.ROUTES,
)

CHANGES = frozenset(change.value for change in Change)


def route_of(notification: Notification, document: SyncDocument) -> Route[Any] | None:
    """The route that handles the notification, or None."""
    return next((route for route in ROUTES if route.handles(notification, document)), None)


@dataclass(frozen=True, slots=True)
class Subscription:
    """What has to be subscribed to for one type of resource: message types, and whether changes as well.

    Without `messages` the resource must not be subscribed to for messages at all: to commercetools an empty list of types
    means all.
    """

    resource_type: str
    messages: tuple[str, ...]
    changes: bool


def subscriptions(document: SyncDocument) -> list[Subscription]:
    """What the routes that are not disabled need, by the type of resource in the order of the table.

    A type of resource whose routes are all disabled has no entry.
    """
    messages: dict[str, list[str]] = {}
    changes: set[str] = set()
    for route in ROUTES:
        if not route.names.isdisjoint(document.disabledEvents):
            continue
        wanted = [name for name in route.types(document) if name not in document.disabledEvents]
        if wanted:
            messages.setdefault(route.resource_type, []).extend(name for name in wanted if name not in CHANGES)
        if not CHANGES.isdisjoint(wanted):
            changes.add(route.resource_type)
    return [
        Subscription(resource_type, tuple(dict.fromkeys(types)), resource_type in changes)
        for resource_type, types in messages.items()
    ]
