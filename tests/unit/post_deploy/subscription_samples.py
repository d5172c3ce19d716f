"""What the tests of the deployment scripts share: the default wanted subscriptions, and how the API holds them."""

from __future__ import annotations

from typing import Any

import msgspec

from post_deploy.destinations import Destination, PubSubTopic, SnsTopic
from post_deploy.held import Held
from post_deploy.wanted import Wanted, wanted_subscriptions
from shared.settings import SyncDocument

TOPIC = PubSubTopic("cloud-1", "notifications")
SNS = SnsTopic("arn:aws:sns:eu-central-1:123456789012:notifications")


def wanted_of(*disabled: str, destination: Destination | None = TOPIC, env: str = "") -> dict[str, Wanted | None]:
    """What is wanted under each key when these events are disabled."""
    return wanted_subscriptions(SyncDocument(disabledEvents=list(disabled)), env, destination)


def one_wanted(resource_type: str, *disabled: str) -> Wanted | None:
    """What is wanted of one type of resource."""
    return wanted_of(*disabled)[f"connect-connect_dev-{resource_type}"]


def held_as(wanted: Wanted, **changed: Any) -> Held:
    """A subscription as the API holds it after it was made as wanted, but for what is `changed`."""
    destination: dict[str, Any] = {"type": "GoogleCloudPubSub", "projectId": "cloud-1", "topic": "notifications"}
    body: dict[str, Any] = {
        "version": 7,
        "key": wanted.key,
        "destination": destination,
        "messages": [{"resourceTypeId": wanted.resource_type, "types": list(wanted.messages)}] if wanted.messages else [],
        "changes": [{"resourceTypeId": wanted.resource_type}] if wanted.changes else [],
        "events": [],
        "format": {"type": "Platform"},
        "status": "Healthy",
    }
    return msgspec.convert(body | changed, Held)
