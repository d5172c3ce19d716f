"""A local delivery has the cloud's shape."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from shared.bulk.ports import Topic
from shared.local.cloudevent import message_published
from shared.push import pushed_message

AT = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)


def test_the_functions_own_decoder_reads_it() -> None:
    """What was published comes out of the decoder that reads Eventarc's deliveries."""
    event = message_published(Topic.WORK, "17", b'{"runId": "r"}', AT)
    pushed = pushed_message(event.headers, event.body)
    assert (pushed.data, pushed.message_id) == (b'{"runId": "r"}', "17")


def test_it_is_a_binary_event_of_the_documented_type() -> None:
    """Type, source, time and subscription are those of a Pub/Sub message delivered by Eventarc."""
    event = message_published(Topic.PLAN, "3", b"x", AT)
    assert event.headers == {
        "ce-specversion": "1.0",
        "ce-type": "google.cloud.pubsub.topic.v1.messagePublished",
        "ce-source": "//pubsub.googleapis.com/projects/local/topics/plan",
        "ce-id": "3",
        "ce-time": "2026-01-02T03:04:05.678Z",
        "content-type": "application/json",
    }
    body = msgspec.json.decode(event.body)
    assert body["subscription"] == "projects/local/subscriptions/plan"
    assert body["message"] == {"data": "eA==", "messageId": "3", "publishTime": "2026-01-02T03:04:05.678Z", "attributes": {}}
