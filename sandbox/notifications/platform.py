"""The Platform format: what every notification carries, a message's own fields beside it (commercetools.md 1). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Resource = Mapping[str, Any]
Notification = dict[str, Any]
ChangeType = Literal["ResourceCreated", "ResourceUpdated", "ResourceDeleted"]

_SAME_NAME = ("key", "externalId", "orderNumber", "customerNumber", "sku", "slug")
TOO_LARGE = "The payload exceeded the maximum size of the destination."


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What commercetools itself adds: the message's id, when it happened (ISO 8601 in UTC), its number for its resource."""

    id: str = "00000000-0000-4000-8000-000000000001"
    at: str = "2026-09-21T14:13:20.000Z"
    sequence: int = 1
    project_key: str = "sandbox"


def identifiers(resource: Resource) -> dict[str, Any]:
    """The merchant's own names of a resource; a product's slug is that of its current data."""
    found = {name: resource[name] for name in _SAME_NAME if name in resource}
    if "masterData" in resource:
        found["slug"] = resource["masterData"]["current"]["slug"]
    return found


def message(type_: str, type_id: str, resource: Resource, stamp: Stamp, **fields: Any) -> Notification:
    """A message of `type_` about a resource; `fields` are the message's own, those that are None are left out."""
    return {
        **_head("Message", type_id, resource, stamp),
        "id": stamp.id,
        "version": 1,
        "sequenceNumber": stamp.sequence,
        "resourceVersion": resource["version"],
        "createdAt": stamp.at,
        "lastModifiedAt": stamp.at,
        "type": type_,
        **{name: value for name, value in fields.items() if value is not None},
    }


def change(
    type_: ChangeType,
    type_id: str,
    resource: Resource,
    stamp: Stamp,
    *,
    old_version: int | None = None,
    data_erasure: bool = False,
) -> Notification:
    """A change of a resource. `old_version` of an update is one less when it is not given; `data_erasure` is a deletion's."""
    found = _head(type_, type_id, resource, stamp) | {"version": resource["version"], "modifiedAt": stamp.at}
    if type_ == "ResourceUpdated":
        found["oldVersion"] = resource["version"] - 1 if old_version is None else old_version
    if data_erasure:
        found["dataErasure"] = True
    return found


def without_payload(notification: Notification, reason: str = TOO_LARGE) -> Notification:
    """The same message when it was too large to send: its type stands in `payloadNotIncluded`, its own fields are gone."""
    found = {name: notification[name] for name in _MESSAGE_HEAD if name in notification}
    return {**found, "payloadNotIncluded": {"reason": reason, "payloadType": notification["type"]}}


def subscription_test(subscription_id: str, stamp: Stamp, key: str | None = None) -> Notification:
    """What a new subscription sends to try its destination."""
    subscription = {"id": subscription_id, "version": 1} | ({} if key is None else {"key": key})
    return change("ResourceCreated", "subscription", subscription, stamp)


def _head(type_: str, type_id: str, resource: Resource, stamp: Stamp) -> Notification:
    found: Notification = {
        "notificationType": type_,
        "projectKey": stamp.project_key,
        "resource": {"typeId": type_id, "id": resource["id"]},
    }
    if named := identifiers(resource):
        found["resourceUserProvidedIdentifiers"] = named
    return found


_MESSAGE_HEAD = (
    "notificationType",
    "projectKey",
    "resource",
    "resourceUserProvidedIdentifiers",
    "id",
    "version",
    "sequenceNumber",
    "resourceVersion",
    "createdAt",
    "lastModifiedAt",
)
