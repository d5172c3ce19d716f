"""A commercetools notification in the Platform format, typed (commercetools.md 1). Pure."""

from __future__ import annotations

import builtins
import re
from enum import StrEnum
from typing import TypeVar

import msgspec

from shared.decoding import UNDECODABLE
from shared.errors import SyncError

T = TypeVar("T")

_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
"""What an id may look like that is put into paths, logs and dead letters; commercetools' own are UUIDs."""

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)")

_SKU = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,256}")
"""What commercetools takes for a SKU, which is put into queries, dead letters and Klaviyo's ids."""

EVENT = "Event"
"""A notification about something that is no resource (an import, a checkout); nothing here asks for any."""


class MalformedNotification(SyncError):
    """The payload is no notification; `reason` is a short code. Delivering it again would not help."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class Change(StrEnum):
    """A notification that says no more than that a resource has changed."""

    CREATED = "ResourceCreated"
    UPDATED = "ResourceUpdated"
    DELETED = "ResourceDeleted"


class ResourceReference(msgspec.Struct, frozen=True):
    """What a notification is about: the type as in the API (`customer`, `inventory-entry`) and the id."""

    typeId: str
    id: str


class UserProvidedIdentifiers(msgspec.Struct, frozen=True):
    """Of the merchant's own names of the resource, the one we need where the resource itself is gone."""

    sku: str | None = None


class PayloadNotIncluded(msgspec.Struct, frozen=True):
    """In the place of a message's own fields when these were too large: the type, which then stands only here."""

    payloadType: str = ""


class _Head(msgspec.Struct, frozen=True):
    notificationType: str
    resource: ResourceReference | None = None
    type: str = ""
    id: str = ""
    createdAt: str = ""
    modifiedAt: str = ""
    resourceUserProvidedIdentifiers: UserProvidedIdentifiers = UserProvidedIdentifiers()
    payloadNotIncluded: PayloadNotIncluded | None = None
    dataErasure: bool = False


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """One notification; one that is about no resource has an empty `resource_type` and `resource_id`.

    `type` is the message's (`OrderCreated`) or, of a change, the notification type (`ResourceUpdated`). `at` is when it
    happened, ISO 8601 in UTC, "" when it does not say. Without `has_payload` the message's own fields were left out by
    commercetools. `first_identity` and `order_state` are what a replay knows of an order's message, whose fields it has not.
    `body` is the whole JSON, for `fields`.
    """

    type: str
    resource_type: str
    resource_id: str
    at: str
    has_payload: bool = True
    sku: str | None = None
    data_erasure: bool = False
    first_identity: bool | None = None
    order_state: str | None = None
    body: bytes = b"{}"

    def fields(self, wanted: builtins.type[T]) -> T:
        """The message's own fields as `wanted`. Raises `MalformedNotification`."""
        try:
            return msgspec.json.decode(self.body, type=wanted)
        except UNDECODABLE:
            raise MalformedNotification("unreadable_fields") from None


_HEAD = msgspec.json.Decoder(_Head)


def notification_of(body: bytes) -> Notification:
    """The notification in a Platform payload. Raises `MalformedNotification`."""
    try:
        head = _HEAD.decode(body)
    except UNDECODABLE:
        raise MalformedNotification("not_a_notification") from None
    if head.notificationType == EVENT:
        return Notification(type=EVENT, resource_type="", resource_id="", at=_instant(head.createdAt))
    kind = head.type if head.notificationType == "Message" else head.notificationType
    if head.payloadNotIncluded is not None:
        kind = head.payloadNotIncluded.payloadType or kind
    resource, sku = head.resource, head.resourceUserProvidedIdentifiers.sku
    if not kind or resource is None or not resource.typeId or not _ID.fullmatch(resource.id):
        raise MalformedNotification("not_a_notification")
    return Notification(
        type=kind,
        resource_type=resource.typeId,
        resource_id=resource.id,
        at=_instant(head.createdAt or head.modifiedAt),
        has_payload=head.payloadNotIncluded is None,
        sku=sku if sku and _SKU.fullmatch(sku) else None,
        data_erasure=head.dataErasure,
        body=body,
    )


def _instant(text: str) -> str:
    return text if _INSTANT.fullmatch(text) else ""


def is_test(notification: Notification) -> bool:
    """Whether it is what commercetools sends to try a new subscription."""
    return notification.resource_type == "subscription" and notification.type == Change.CREATED
