"""A message as the cloud delivers it: a binary CloudEvent in Eventarc's Pub/Sub shape (platform.md 2). Pure."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from shared.bulk.ports import Topic

EVENT_TYPE = "google.cloud.pubsub.topic.v1.messagePublished"


@dataclass(frozen=True, slots=True)
class Event:
    """An HTTP request's headers and body."""

    headers: dict[str, str]
    body: bytes


def message_published(topic: Topic, message_id: str, body: bytes, published_at: datetime) -> Event:
    """The event that says that `body` was published on `topic`."""
    time = published_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    headers = {
        "ce-specversion": "1.0",
        "ce-type": EVENT_TYPE,
        "ce-source": f"//pubsub.googleapis.com/projects/local/topics/{topic}",
        "ce-id": message_id,
        "ce-time": time,
        "content-type": "application/json",
    }
    envelope = {
        "message": {
            "data": base64.b64encode(body).decode("ascii"),
            "messageId": message_id,
            "publishTime": time,
            "attributes": {},
        },
        "subscription": f"projects/local/subscriptions/{topic}",
    }
    return Event(headers, msgspec.json.encode(envelope))
