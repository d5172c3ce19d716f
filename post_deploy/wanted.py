"""Which subscriptions there should be, from the registry of notifications and the merchant's document. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from post_deploy.destinations import Destination
from shared.realtime.registry import ROUTES, subscriptions
from shared.settings.document import SyncDocument

DEFAULT_ENV = "connect_dev"
"""What stands in a key when `CONNECT_ENV` is not set, as with the older product (reference.md 4.3)."""

RESOURCES: tuple[str, ...] = tuple(dict.fromkeys(route.resource_type for route in ROUTES))
"""The types of resource that may be subscribed to, one subscription each."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one subscription should be; no `messages` means none, not all.

    No `destination` means that it may be any: that suffices to compare, not to create.
    """

    key: str
    resource_type: str
    messages: tuple[str, ...]
    changes: bool
    destination: Destination | None


def key_of(connect_env: str, resource_type: str) -> str:
    """The key of ours for a type of resource: the older product's, which so is taken over (reference.md 5)."""
    return f"connect-{connect_env or DEFAULT_ENV}-{resource_type}"


def wanted_subscriptions(document: SyncDocument, connect_env: str, destination: Destination | None) -> dict[str, Wanted | None]:
    """What is wanted under each key of ours; None where `disabledEvents` leaves nothing of a type of resource."""
    found = {subscription.resource_type: subscription for subscription in subscriptions(document)}
    wanted: dict[str, Wanted | None] = {}
    for resource_type in RESOURCES:
        key = key_of(connect_env, resource_type)
        one = found.get(resource_type)
        wanted[key] = Wanted(key, resource_type, one.messages, one.changes, destination) if one else None
    return wanted


def nothing_wanted(connect_env: str) -> dict[str, Wanted | None]:
    """All keys of ours, nothing wanted under any of them."""
    return {key_of(connect_env, resource_type): None for resource_type in RESOURCES}
