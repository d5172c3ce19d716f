"""A subscription as commercetools holds it. Pure.

Read with a struct of our own: the SDK refuses a subscription with a type of resource that is younger than its list (such as
`shopping-list` among the messages), and somebody may have added one to ours.
"""

from __future__ import annotations

from typing import Any

import msgspec

HEALTHY = "Healthy"
DELIVERY_STOPPED = "ConfigurationErrorDeliveryStopped"
TEMPORARY = "TemporaryError"


class MessageTypes(msgspec.Struct, frozen=True, rename="camel"):
    """Messages of one type of resource; no `types` means all."""

    resource_type_id: str
    types: tuple[str, ...] = ()


class Changes(msgspec.Struct, frozen=True, rename="camel"):
    """Changes of one type of resource."""

    resource_type_id: str


class Held(msgspec.Struct, frozen=True):
    """A subscription; `version` rises with every change, `status` says whether it delivers."""

    version: int
    destination: dict[str, Any]
    messages: tuple[MessageTypes, ...] = ()
    changes: tuple[Changes, ...] = ()
    status: str = HEALTHY

    def message_types(self) -> dict[str, frozenset[str]]:
        """The types of messages by the type of resource; an empty set means all."""
        found: dict[str, frozenset[str]] = {}
        for one in self.messages:
            before = found.get(one.resource_type_id)
            is_all = not one.types or (before is not None and not before)
            found[one.resource_type_id] = frozenset() if is_all else frozenset(one.types) | (before or frozenset())
        return found

    def change_types(self) -> frozenset[str]:
        """The types of resource whose changes it delivers."""
        return frozenset(one.resource_type_id for one in self.changes)
