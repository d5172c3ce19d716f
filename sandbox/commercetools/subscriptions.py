"""Subscriptions: create, update actions, delete, the limit of 50, and the test notification that each new one sends.

Destinations: Pub/Sub, SNS and SQS; others are refused. Each delivers, until a checker sets another `status`.
"""

import re
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import msgspec

from sandbox.commercetools.collection import Collection, Resource
from sandbox.commercetools.errors import ApiError, concurrent_modification, invalid_input, invalid_json, not_found
from sandbox.commercetools.settings import Clock, SandboxSettings, api_instant
from sandbox.sample.identity import id_at

SCOPES = ("manage_subscriptions",)
MAX_SUBSCRIPTIONS = 50

MessageType = Literal[
    "approval-flow", "approval-rule", "associate-role", "business-unit", "category", "customer",
    "customer-email-token", "customer-group", "customer-password-token", "inventory-entry", "order", "payment",
    "product", "product-selection", "product-tailoring", "quote", "quote-request", "review", "shopping-list",
    "staged-quote", "standalone-price", "store",
]  # fmt: skip
ChangeType = Literal[
    "approval-flow", "approval-rule", "associate-role", "attribute-group", "business-unit", "cart", "cart-discount",
    "category", "channel", "customer", "customer-email-token", "customer-group", "customer-password-token",
    "discount-code", "discount-group", "extension", "inventory-entry", "key-value-document", "order", "order-edit",
    "payment", "product", "product-discount", "product-selection", "product-tailoring", "product-type", "quote",
    "quote-request", "recurrence-policy", "recurring-order", "review", "shipping-method", "shopping-list",
    "staged-quote", "standalone-price", "state", "store", "subscription", "tax-category", "type", "zone",
]  # fmt: skip
Status = Literal["Healthy", "ConfigurationError", "ConfigurationErrorDeliveryStopped", "TemporaryError", "ManuallySuspended"]
_KEY = re.compile(r"[A-Za-z0-9_-]{2,256}")


class _Strict(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A body, or a part of one; unknown fields are refused."""


class PubSub(_Strict, tag="GoogleCloudPubSub", tag_field="type"):
    """Google Cloud Pub/Sub."""

    projectId: str  # noqa: N815 - the API's name
    topic: str


class Sns(_Strict, tag="SNS", tag_field="type"):
    """Amazon SNS."""

    topicArn: str  # noqa: N815 - the API's name
    accessKey: str | None = None  # noqa: N815 - the API's name
    accessSecret: str | None = None  # noqa: N815 - the API's name
    authenticationMode: Literal["Credentials", "IAM"] | None = None  # noqa: N815 - the API's name


class Sqs(_Strict, tag="SQS", tag_field="type"):
    """Amazon SQS."""

    queueUrl: str  # noqa: N815 - the API's name
    region: str
    accessKey: str | None = None  # noqa: N815 - the API's name
    accessSecret: str | None = None  # noqa: N815 - the API's name
    authenticationMode: Literal["Credentials", "IAM"] | None = None  # noqa: N815 - the API's name


Destination = PubSub | Sns | Sqs


class Messages(_Strict):
    """A message subscription; no `types` means all."""

    resourceTypeId: MessageType  # noqa: N815 - the API's name
    types: list[str] | None = None


class Changes(_Strict):
    """A change subscription."""

    resourceTypeId: ChangeType  # noqa: N815 - the API's name


class Events(_Strict):
    """An event subscription."""

    resourceTypeId: Literal["checkout", "import-api"]  # noqa: N815 - the API's name
    types: list[str] | None = None


class Platform(_Strict, tag="Platform", tag_field="type"):
    """The default delivery format."""


class CloudEvents(_Strict, tag="CloudEvents", tag_field="type"):
    """CloudEvents 1.0, structured mode."""

    cloudEventsVersion: str  # noqa: N815 - the API's name


class SubscriptionDraft(_Strict):
    """The body of `POST /subscriptions`."""

    destination: Destination
    key: str | None = None
    messages: list[Messages] = []
    changes: list[Changes] = []
    events: list[Events] = []
    format: Platform | CloudEvents | None = None


class SetKey(_Strict, tag="setKey", tag_field="action"):
    """Set or remove the key."""

    key: str | None = None


class SetMessages(_Strict, tag="setMessages", tag_field="action"):
    """Replace the message subscriptions."""

    messages: list[Messages] | None = None


class SetChanges(_Strict, tag="setChanges", tag_field="action"):
    """Replace the change subscriptions."""

    changes: list[Changes] | None = None


class SetEvents(_Strict, tag="setEvents", tag_field="action"):
    """Replace the event subscriptions."""

    events: list[Events] | None = None


class ChangeDestination(_Strict, tag="changeDestination", tag_field="action"):
    """Send elsewhere; sends the test notification again."""

    destination: Destination


Action = SetKey | SetMessages | SetChanges | SetEvents | ChangeDestination


class Suffering(_Strict):
    """What a checker sets behind the API's back."""

    status: Status


class SubscriptionUpdate(_Strict):
    """The body of an update."""

    version: int
    actions: list[Action]


@dataclass(slots=True)
class Subscriptions:
    """All Subscriptions of the project; `notifications` are the test notifications sent."""

    settings: SandboxSettings
    clock: Clock
    rows: Collection = field(init=False)
    notifications: list[dict[str, Any]] = field(default_factory=list)
    _made: int = 0

    def __post_init__(self) -> None:
        self.rows = Collection(None, self.settings.seed, 0)

    def reset(self) -> None:
        """Forget all of them."""
        self.rows.reset()
        self.notifications.clear()

    def find(self, identifier: str | None, key: str | None) -> Resource:
        """Return one by id, or by key. Raises ApiError 404."""
        found = self.rows.get(identifier) if identifier is not None else self.rows.by_key(key or "")
        if found is None:
            named = f"ID '{identifier}'" if identifier is not None else f"key '{key}'"
            raise not_found(f"The Resource with {named} was not found.")
        return found

    def create(self, raw: bytes) -> Resource:
        """Create one. Raises ApiError 400: a bad draft, a key in use, the limit, an unreachable destination."""
        draft = _decoded(raw, SubscriptionDraft)
        if self.rows.count >= MAX_SUBSCRIPTIONS:
            message = f"Maximum number of Subscriptions ({MAX_SUBSCRIPTIONS}) reached."
            raise ApiError(400, "MaxResourceLimitExceeded", message, {"exceededResource": "subscription"})
        now = api_instant(self.clock)
        self._made += 1
        created: Resource = {
            "id": id_at(self.settings.seed, "subscription", self._made, self._made + 1),
            "version": 1,
            "createdAt": now,
            "lastModifiedAt": now,
            "destination": msgspec.to_builtins(draft.destination),
            "messages": msgspec.to_builtins(draft.messages),
            "changes": msgspec.to_builtins(draft.changes),
            "events": msgspec.to_builtins(draft.events),
            "format": msgspec.to_builtins(draft.format or Platform()),
            "status": "Healthy",
        }
        self._set_key(created, draft.key)
        _check_not_empty(created)
        self._send_test(created)
        self.rows.put(created)
        return created

    def update(self, held: Resource, raw: bytes) -> Resource:
        """Apply update actions. Raises ApiError 400 and 409; nothing is changed then."""
        update = _decoded(raw, SubscriptionUpdate)
        if update.version != held["version"]:
            raise concurrent_modification(held["id"], update.version, held["version"])
        if not update.actions:
            return held
        changed = dict(held)
        for action in update.actions:
            if isinstance(action, SetKey):
                self._set_key(changed, action.key)
            elif isinstance(action, SetMessages):
                changed["messages"] = msgspec.to_builtins(action.messages or [])
            elif isinstance(action, SetChanges):
                changed["changes"] = msgspec.to_builtins(action.changes or [])
            elif isinstance(action, SetEvents):
                changed["events"] = msgspec.to_builtins(action.events or [])
            else:
                changed["destination"] = msgspec.to_builtins(action.destination)
        _check_not_empty(changed)
        changed["version"] = held["version"] + len(update.actions)
        changed["lastModifiedAt"] = api_instant(self.clock)
        if any(isinstance(action, ChangeDestination) for action in update.actions):
            self._send_test(changed)
            if changed["status"] != "ManuallySuspended":  # which only the vendor's support ends
                changed["status"] = "Healthy"
        self.rows.put(changed)
        return changed

    def delete(self, held: Resource, version: int | None) -> Resource:
        """Delete one and return it. Raises ApiError 400 without a version, 409 with another one."""
        if version is None:
            raise invalid_input("Missing required parameter: version.")
        if version != held["version"]:
            raise concurrent_modification(held["id"], version, held["version"])
        self.rows.remove(held["id"])
        return held

    def suffer(self, key: str, raw: bytes) -> Resource:
        """Set the status, which no request of the API can. Raises ApiError 400, 404."""
        suffering = {**self.find(None, key), "status": _decoded(raw, Suffering).status}
        self.rows.put(suffering)
        return suffering

    def _set_key(self, subscription: Resource, key: str | None) -> None:
        if key is None:
            subscription.pop("key", None)
            return
        if not _KEY.fullmatch(key):
            raise invalid_input("The key must consist of 2 to 256 letters, digits, '_' or '-'.")
        other = self.rows.by_key(key)
        if other is not None and other["id"] != subscription["id"]:
            message = f"A duplicate value '\"{key}\"' exists for field 'key'."
            raise ApiError(400, "DuplicateField", message, {"field": "key", "duplicateValue": key})
        subscription["key"] = key

    def _send_test(self, subscription: Resource) -> None:
        destination = subscription["destination"]
        if destination.get("topic") in self.settings.unreachable_topics:
            raise invalid_input("The test notification could not be delivered to the destination.")
        payload: dict[str, Any] = {
            "notificationType": "ResourceCreated",
            "projectKey": self.settings.project_key,
            "resource": {"typeId": "subscription", "id": subscription["id"]},
            "version": subscription["version"],
            "modifiedAt": subscription["lastModifiedAt"],
        }
        if "key" in subscription:
            payload["resourceUserProvidedIdentifiers"] = {"key": subscription["key"]}
        self.notifications.append({"destination": destination, "payload": payload})


_Body = TypeVar("_Body", bound=_Strict)


def _decoded(raw: bytes, wanted: type[_Body]) -> _Body:
    try:
        return msgspec.json.decode(raw, type=wanted)
    except msgspec.DecodeError as error:
        raise invalid_json(str(error)) from None


def _check_not_empty(subscription: Resource) -> None:
    if not (subscription["messages"] or subscription["changes"] or subscription["events"]):
        raise invalid_input("At least one of 'messages', 'changes' and 'events' must be set.")
