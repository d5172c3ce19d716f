"""Notifications and what carries them, byte by byte."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from sandbox.notifications import messages
from sandbox.notifications.envelopes import ENVELOPES, Post, cloud_event, redelivery
from sandbox.notifications.platform import Stamp, change, subscription_test, without_payload

ORDER = {
    "id": "order-1",
    "version": 4,
    "orderNumber": "N-1",
    "orderState": "Complete",
    "lastModifiedAt": "2026-01-01T00:00:00.000Z",
}
STAMP = Stamp(id="message-1", at="2026-01-02T00:00:00.000Z", sequence=3, project_key="shop")
CHANGED = messages.order_state_changed(ORDER, "Open", STAMP)
POST = Post(message_id="77", published_at="2026-01-02T00:00:01.000Z", attempt=2, attributes={"a": "b"})


def test_a_message_has_its_fields_at_the_top() -> None:
    """The documented head, then the message's own fields."""
    assert CHANGED == {
        "notificationType": "Message",
        "projectKey": "shop",
        "resource": {"typeId": "order", "id": "order-1"},
        "resourceUserProvidedIdentifiers": {"orderNumber": "N-1"},
        "id": "message-1",
        "version": 1,
        "sequenceNumber": 3,
        "resourceVersion": 4,
        "createdAt": "2026-01-02T00:00:00.000Z",
        "lastModifiedAt": "2026-01-02T00:00:00.000Z",
        "type": "OrderStateChanged",
        "orderId": "order-1",
        "orderState": "Complete",
        "oldOrderState": "Open",
    }


def test_a_message_that_was_too_large_keeps_only_its_head() -> None:
    """Its type is within `payloadNotIncluded`."""
    left = without_payload(CHANGED, "too large")
    assert left.keys() == CHANGED.keys() - {"type", "orderId", "orderState", "oldOrderState"} | {"payloadNotIncluded"}
    assert left["payloadNotIncluded"] == {"reason": "too large", "payloadType": "OrderStateChanged"}


def test_a_change_has_versions_and_no_resource() -> None:
    """Updates also the old version, deletions whether data were erased."""
    entry = {"id": "e", "version": 5, "sku": "A"}
    updated = change("ResourceUpdated", "inventory-entry", entry, STAMP)
    assert updated == {
        "notificationType": "ResourceUpdated",
        "projectKey": "shop",
        "resource": {"typeId": "inventory-entry", "id": "e"},
        "resourceUserProvidedIdentifiers": {"sku": "A"},
        "version": 5,
        "oldVersion": 4,
        "modifiedAt": "2026-01-02T00:00:00.000Z",
    }
    assert change("ResourceUpdated", "inventory-entry", entry, STAMP, old_version=2)["oldVersion"] == 2
    gone = change("ResourceDeleted", "customer", {"id": "c", "version": 1}, STAMP, data_erasure=True)
    assert (gone["dataErasure"], "oldVersion" in gone, "resourceUserProvidedIdentifiers" in gone) == (True, False, False)
    assert subscription_test("s", STAMP, "k")["resource"] == {"typeId": "subscription", "id": "s"}


def test_a_message_that_places_no_order_is_refused() -> None:
    """A mistake in a test is named."""
    with pytest.raises(ValueError, match="OrderDeleted"):
        messages.order_placed(ORDER, STAMP, "OrderDeleted")


def test_a_cloud_event_of_a_message_and_of_a_change() -> None:
    """Type and source as the API names them; only messages have a sequence."""
    event = cloud_event(CHANGED)
    assert (event["type"], event["source"]) == ("com.commercetools.order.message.OrderStateChanged", "/shop/orders")
    assert (event["subject"], event["sequence"], event["data"]) == ("order-1", "3", CHANGED)
    changed = cloud_event(change("ResourceDeleted", "inventory-entry", {"id": "e", "version": 5}, STAMP))
    assert (changed["type"], changed["source"]) == ("com.commercetools.inventory-entry.change.ResourceDeleted", "/shop/inventory")
    assert "sequence" not in changed


def payload_of(name: str, body: bytes) -> Any:
    """The notification that an envelope carries, read without any code of the product."""
    if name == "bare":
        return json.loads(body)
    decoded = json.loads(body)
    if name == "sns":
        return json.loads(decoded["Message"])
    message = decoded["data"]["message"] if name == "eventarc-structured" else decoded["message"]
    return json.loads(base64.b64decode(message["data"]))


@pytest.mark.parametrize("name", sorted(ENVELOPES))
def test_every_envelope_carries_the_notification(name: str) -> None:
    """Whatever its format; also bytes that are no JSON go through those that encode them."""
    for payload in (CHANGED, cloud_event(CHANGED)):
        assert payload_of(name, ENVELOPES[name](payload, POST).body) == payload
    assert payload_of(name, ENVELOPES[name](b'"raw"', POST).body) == "raw"


def test_a_push_names_its_message_its_time_and_its_attempt() -> None:
    """As Pub/Sub does, in both spellings; without counting, there is no attempt."""
    body = json.loads(ENVELOPES["pubsub"](CHANGED, POST).body)
    message = body["message"]
    assert body["deliveryAttempt"] == 2
    assert message["messageId"] == message["message_id"] == "77"
    assert message["publishTime"] == message["publish_time"] == "2026-01-02T00:00:01.000Z"
    assert message["attributes"] == {"a": "b"}
    assert "deliveryAttempt" not in json.loads(ENVELOPES["pubsub"](CHANGED, Post()).body)
    assert redelivery(POST).attempt == 3
    of_event = json.loads(ENVELOPES["pubsub"](cloud_event(CHANGED), POST).body)["message"]["attributes"]
    assert of_event["content-type"] == "application/cloudevents+json"


def test_eventarc_puts_the_attributes_into_headers_or_into_the_body() -> None:
    """Binary and structured CloudEvents of the same push."""
    binary = ENVELOPES["eventarc-binary"](CHANGED, POST)
    structured = json.loads(ENVELOPES["eventarc-structured"](CHANGED, POST).body)
    assert binary.headers["ce-type"] == structured["type"] == "google.cloud.pubsub.topic.v1.messagePublished"
    assert binary.headers["ce-id"] == structured["id"] == "77"
    assert json.loads(binary.body) == structured["data"]
    assert ENVELOPES["eventarc-structured"](CHANGED, POST).headers["content-type"] == "application/cloudevents+json"


def test_sns_says_that_its_json_is_text() -> None:
    """As Amazon posts it."""
    request = ENVELOPES["sns"](CHANGED, POST)
    assert request.headers["content-type"].startswith("text/plain")
    assert json.loads(request.body)["Type"] == request.headers["x-amz-sns-message-type"] == "Notification"
