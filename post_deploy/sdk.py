"""The commercetools SDK for the writes: its drafts, update actions and requests, over our own connection.

The SDK's own connection has no timeouts, returns None for a 409 or a 429 here and there, follows redirects and lets the
environment choose a proxy (decisions.md 2, 17; commercetools.md 4). So only its request builders and models are used.
The builders give a request's parts by keyword. Importing this module takes a third of a second: import it where something
is written.
"""

from __future__ import annotations

from typing import Any

from commercetools.platform.client import Client
from commercetools.platform.client.subscriptions.by_project_key_subscriptions_request_builder import (
    ByProjectKeySubscriptionsRequestBuilder,
)
from commercetools.platform.models.subscription import (
    AwsAuthenticationMode,
    ChangeSubscription,
    ChangeSubscriptionResourceTypeId,
    GoogleCloudPubSubDestination,
    MessageSubscription,
    MessageSubscriptionResourceTypeId,
    PlatformFormat,
    SnsDestination,
    SubscriptionChangeDestinationAction,
    SubscriptionDraft,
    SubscriptionSetChangesAction,
    SubscriptionSetMessagesAction,
    SubscriptionUpdate,
    SubscriptionUpdateAction,
)

from post_deploy.destinations import Destination, SnsTopic
from post_deploy.plan import Action, ChangeDestination, SetChanges, SetMessages
from post_deploy.wanted import Wanted
from shared.budget import Budget
from shared.commercetools.client import CommercetoolsClient
from shared.outcomes import PathKind


class _Accepted:
    """A success as the SDK wants it; what is none has been raised before.

    It shows the SDK nothing of the body, which it refuses when it holds a value that is younger than its lists; what was
    written is read again anyway (see `held`).
    """

    status_code = 200

    def json(self) -> dict[str, Any]:
        return {}


class ProjectClient(Client):
    """The SDK's client of one project, whose requests go through `connection` within `budget` and raise its errors."""

    def __init__(self, connection: CommercetoolsClient, project_id: str, budget: Budget) -> None:
        # Not the SDK's own: that would open a connection and fetch a token at once, without a time limit.
        self._connection = connection
        self._project_id = project_id
        self._budget = budget

    def subscriptions(self) -> ByProjectKeySubscriptionsRequestBuilder:
        """The SDK's requests about subscriptions."""
        return self.with_project_key(self._project_id).subscriptions()

    def _post(self, *_: Any, **given: Any) -> Any:
        path = self._path(given["endpoint"])
        kind = PathKind.SINGLE if "=" in path else PathKind.COLLECTION
        self._connection.post(path, given["json"], budget=self._budget, kind=kind)
        return _Accepted()

    def _delete(self, *_: Any, **given: Any) -> Any:
        params = [(name, str(value)) for name, value in given["params"].items()]
        self._connection.delete(self._path(given["endpoint"]), params, budget=self._budget)
        return _Accepted()

    def _path(self, endpoint: str) -> str:
        """Below the project, as our connection takes it."""
        return endpoint.removeprefix(f"/{self._project_id}/")


def create(client: ProjectClient, wanted: Wanted) -> None:
    """Create a subscription. A key that is taken raises `PermanentError` with the reason `DuplicateField`.

    Raises ValueError when it is not said where it shall deliver.
    """
    if wanted.destination is None:
        raise ValueError(f"{wanted.key}: no destination")
    draft = SubscriptionDraft(
        key=wanted.key,
        destination=_destination(wanted.destination),
        messages=_messages(wanted.resource_type, wanted.messages) or None,
        changes=_changes(wanted.resource_type, wanted.changes) or None,
        format=PlatformFormat(),  # type: ignore[no-untyped-call] # the SDK left it without types
    )
    client.subscriptions().post(draft)


def update(client: ProjectClient, wanted: Wanted, version: int, actions: list[Action]) -> None:
    """Apply actions to that version; another one raises `VersionConflict`, none at all `Gone`."""
    body = SubscriptionUpdate(version=version, actions=[_action(wanted.resource_type, action) for action in actions])
    client.subscriptions().with_key(wanted.key).post(body)


def remove(client: ProjectClient, key: str, version: int) -> None:
    """Remove that version; another one raises `VersionConflict`, none at all `Gone`."""
    client.subscriptions().with_key(key).delete(version=version)


def _destination(destination: Destination) -> GoogleCloudPubSubDestination | SnsDestination:
    if isinstance(destination, SnsTopic):
        return SnsDestination(topic_arn=destination.arn, authentication_mode=AwsAuthenticationMode.IAM)
    return GoogleCloudPubSubDestination(project_id=destination.project_id, topic=destination.topic)


def _messages(resource_type: str, types: tuple[str, ...]) -> list[MessageSubscription]:
    if not types:
        return []
    return [MessageSubscription(resource_type_id=MessageSubscriptionResourceTypeId(resource_type), types=list(types))]


def _changes(resource_type: str, on: bool) -> list[ChangeSubscription]:
    return [ChangeSubscription(resource_type_id=ChangeSubscriptionResourceTypeId(resource_type))] if on else []


def _action(resource_type: str, action: Action) -> SubscriptionUpdateAction:
    match action:
        case SetMessages(types):
            return SubscriptionSetMessagesAction(messages=_messages(resource_type, types))
        case SetChanges(on):
            return SubscriptionSetChangesAction(changes=_changes(resource_type, on))
        case ChangeDestination(destination):
            return SubscriptionChangeDestinationAction(destination=_destination(destination))
