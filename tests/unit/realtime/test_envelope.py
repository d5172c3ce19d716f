"""A notification is found in whatever envelopes are around it, and what holds none is named, never a crash."""

from __future__ import annotations

import base64
import json
import time
import tracemalloc
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from shared.push import MalformedPush, pushed_message
from shared.realtime.envelope import MOST_BODY_BYTES, MOST_PAYLOAD_BYTES, Enveloped, notification_body
from shared.realtime.notification import notification_of

EVENT_ID = "8f5b1c1e-2c3d-4e5f-8a9b-0c1d2e3f4a5b"
JSON = {"content-type": "application/json"}
BINARY = {
    **JSON,
    "ce-specversion": "1.0",
    "ce-id": EVENT_ID,
    "ce-source": "//pubsub.googleapis.com/projects/p/topics/t",
    "ce-type": "google.cloud.pubsub.topic.v1.messagePublished",
}
STRUCTURED = {"content-type": "application/cloudevents+json; charset=utf-8"}

# Numbers and letters that would not survive being built and written again.
PAYLOAD = (
    '{"notificationType": "Message", "type": "CustomerCreated", "resource": {"typeId": "customer", "id": "c-1"}, '
    '"amount": 12345678901234567890.10, "name": "Zoë \\u00df"}'
).encode()

Envelope = Callable[[bytes], bytes]


def pubsub(data: bytes) -> bytes:
    """A raw push of Pub/Sub."""
    encoded = base64.b64encode(data).decode()
    message = {
        "data": encoded,
        "messageId": "17",
        "message_id": "17",
        "publishTime": "2026-01-02T03:04:05Z",
        "attributes": {},
    }
    return json.dumps({"message": message, "subscription": "projects/p/subscriptions/s", "deliveryAttempt": 1}).encode()


def event(data: bytes) -> bytes:
    """A structured CloudEvent whose data is JSON, left as it was written."""
    return b'{"specversion": "1.0", "id": "%s", "source": "/shop/customers", "type": "t", "data": %s}' % (EVENT_ID.encode(), data)


def event_with_text(data: bytes) -> bytes:
    """A structured CloudEvent whose data is a text that holds JSON."""
    return event(json.dumps(data.decode()).encode())


def event_in_base64(data: bytes) -> bytes:
    """A structured CloudEvent whose data is bytes."""
    return json.dumps({"specversion": "1.0", "id": EVENT_ID, "data_base64": base64.b64encode(data).decode()}).encode()


def sns(data: bytes) -> bytes:
    """An SNS notification."""
    return json.dumps(
        {
            "Type": "Notification",
            "MessageId": "6f9619ff-8b86-d011-b42d-00c04fc964ff",
            "TopicArn": "arn:aws:sns:eu-central-1:1:t",
            "Message": data.decode(),
            "UnsubscribeURL": "https://sns.example.com/?Action=Unsubscribe",
        }
    ).encode()


def same(data: bytes) -> bytes:
    """No envelope."""
    return data


ENVELOPES: Mapping[str, tuple[Mapping[str, str], list[Envelope], str]] = {
    "raw push": (JSON, [pubsub], "17"),
    "raw push without a content type": ({}, [pubsub], "17"),
    "binary event around a push": (BINARY, [pubsub], "17"),
    "structured event around a push": (STRUCTURED, [event, pubsub], EVENT_ID),
    "commercetools event in a push": (JSON, [pubsub, event], "17"),
    "commercetools event in a push in a binary event": (BINARY, [pubsub, event], "17"),
    "commercetools event in a push in a structured event": (STRUCTURED, [event, pubsub, event], EVENT_ID),
    "commercetools event as the structured request": (STRUCTURED, [event], EVENT_ID),
    "commercetools event as plain JSON": (JSON, [event], EVENT_ID),
    "commercetools event as the binary request": (BINARY, [same], EVENT_ID),
    "event whose data is a text": (STRUCTURED, [event_with_text], EVENT_ID),
    "event whose data is bytes": (STRUCTURED, [event_in_base64], EVENT_ID),
    "SNS body": ({"content-type": "text/plain; charset=UTF-8"}, [sns], "6f9619ff-8b86-d011-b42d-00c04fc964ff"),
    "SNS body in a push": (JSON, [pubsub, sns], "17"),
    "SNS body in a push in a binary event": (BINARY, [pubsub, sns], "17"),
    "commercetools event in an SNS body": (JSON, [sns, event], "6f9619ff-8b86-d011-b42d-00c04fc964ff"),
    "every envelope at once": (STRUCTURED, [event, pubsub, sns, event], EVENT_ID),
}


def wrapped(envelopes: list[Envelope], payload: bytes) -> bytes:
    """The payload in the envelopes, the first of which is the outermost."""
    for envelope in reversed(envelopes):
        payload = envelope(payload)
    return payload


@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize("name", list(ENVELOPES))
def test_the_payload_comes_out_of_every_envelope_as_it_was_written(name: str, bare: bool) -> None:
    """To the byte, with the id that the queue gave the delivery; a setting for bare bodies closes no other way."""
    headers, envelopes, message_id = ENVELOPES[name]
    enveloped = notification_body(headers, wrapped(envelopes, PAYLOAD), bare=bare)
    assert enveloped == Enveloped(PAYLOAD, message_id)
    assert notification_of(PAYLOAD).resource_id == "c-1"


def test_base64_whose_slashes_are_escaped_is_the_same() -> None:
    """As some senders write JSON."""
    body = wrapped([pubsub], b'"\xff\xfe\xfd"' + PAYLOAD).replace(b"/", b"\\/")
    assert b"\\/" in body
    assert pushed_message({}, body).data == b'"\xff\xfe\xfd"' + PAYLOAD


@pytest.mark.parametrize("envelopes", [[pubsub], [event_in_base64], [event, pubsub]])
def test_a_large_payload_is_copied_once_to_be_opened(envelopes: list[Envelope]) -> None:
    """Twelve of nine megabytes have come at once."""
    filled = PAYLOAD.replace(b"Zo", "Zo\N{GRINNING FACE}".encode() + b"x" * 5_000_000)
    body = wrapped(envelopes, filled)
    tracemalloc.start()
    try:
        enveloped = notification_body(STRUCTURED if envelopes[0] is not pubsub else JSON, body, bare=False)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert enveloped.payload == filled
    assert peak_bytes < 1.2 * len(filled)


def test_a_bare_payload_is_accepted_only_by_that_setting() -> None:
    """Without it whoever posts a payload has left out the envelope."""
    assert notification_body(JSON, PAYLOAD, bare=True) == Enveloped(PAYLOAD, "")
    with pytest.raises(MalformedPush, match="no_message"):
        notification_body(JSON, PAYLOAD, bare=False)


@pytest.mark.parametrize("envelope", [same, pubsub, event])
@pytest.mark.parametrize("kind", ["SubscriptionConfirmation", "UnsubscribeConfirmation"])
def test_an_sns_confirmation_holds_nothing_to_handle(kind: str, envelope: Envelope) -> None:
    """It is acknowledged by its name, and the address in it goes nowhere."""
    body = {
        "Type": kind,
        "MessageId": "1",
        "Token": "t",
        "SubscribeURL": "https://sns.example.com/confirm",
        "Message": "You have...",
    }
    enveloped = notification_body(JSON, envelope(json.dumps(body).encode()), bare=False)
    assert enveloped.payload is None
    assert enveloped.reason == ("sns_subscription_confirmation" if kind[0] == "S" else "sns_unsubscribe_confirmation")


def push_with(**message: Any) -> bytes:
    """A push whose message has these members."""
    return json.dumps({"message": message}).encode()


POISON: Mapping[str, tuple[bytes, str]] = {
    "an empty body": (b"", "not_a_json_object"),
    "no JSON": (b"hello", "not_a_json_object"),
    "a list": (b"[]", "not_a_json_object"),
    "null": (b"null", "not_a_json_object"),
    "no UTF-8": (b'\xff\xfe{"message": {}}', "not_a_json_object"),
    "an empty object": (b"{}", "no_message"),
    "no message": (b'{"subscription": "s"}', "no_message"),
    "a message of null": (b'{"message": null}', "no_message"),
    "a message that is a list": (b'{"message": []}', "no_message"),
    "a message that is a text": (b'{"message": "x"}', "no_message"),
    "no data": (push_with(messageId="1", attributes={"a": "b"}), "no_data"),
    "empty data": (push_with(data=""), "no_data"),
    "data of null": (push_with(data=None), "data_is_no_text"),
    "data that is a number": (push_with(data=1), "data_is_no_text"),
    "data that is an object": (push_with(data={"a": 1}), "data_is_no_text"),
    "bad base64": (push_with(data="%%%"), "data_is_not_base64"),
    "base64 cut off": (push_with(data="YWI"), "data_is_not_base64"),
    "base64 with letters of no alphabet": (push_with(data="ÿÿÿÿ"), "data_is_not_base64"),
    "data that is no JSON": (pubsub(b"hello"), "not_a_json_object"),
    "data that is a number in JSON": (pubsub(b"1"), "not_a_json_object"),
    "data that is no UTF-8": (pubsub(b"\xff\xfe"), "not_a_json_object"),
    "data that holds nothing of ours": (pubsub(b'{"a": 1}'), "no_message"),
    "a text that is no UTF-8 in the payload": (pubsub(b'{"notificationType": "Message", "x": "\xff"}'), "not_utf8"),
    "an event without data": (b'{"specversion": "1.0", "id": "1"}', "event_without_data"),
    "an event with data of null": (event(b"null"), "not_a_json_object"),
    "an event with data that is a number": (event(b"5"), "not_a_json_object"),
    "an event with a text that is no JSON": (event(b'"hello"'), "not_a_json_object"),
    "an event with bytes that are no base64": (b'{"specversion": "1.0", "data_base64": "%"}', "data_is_not_base64"),
    "an SNS message that is no text": (b'{"Type": "Notification", "Message": {}}', "data_is_no_text"),
    "an SNS message that is no JSON": (b'{"Type": "Notification", "Message": "hello"}', "not_a_json_object"),
    "an SNS type of a wrong type": (b'{"Type": [], "Message": 5}', "data_is_no_text"),
    "a JSON of great depth": (b'{"message": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "not_a_json_object"),
    "a payload of great depth": (
        pubsub(b'{"notificationType": "Message", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        "not_a_json_object",
    ),
    "envelopes without end": (wrapped([event] * 50, PAYLOAD), "nested_too_deeply"),
    "a body beyond the limit": (b" " * (MOST_BODY_BYTES + 1), "body_too_large"),
    "a payload beyond the limit": (
        pubsub(b'{"notificationType": "Message", "x": "' + b"x" * MOST_PAYLOAD_BYTES + b'"}'),
        "body_too_large",
    ),
}


@pytest.mark.parametrize("name", list(POISON))
def test_poison_is_named_by_a_short_code(name: str) -> None:
    """The same as a raw push and as the data of a binary CloudEvent."""
    body, reason = POISON[name]
    for headers in (JSON, BINARY):
        with pytest.raises(MalformedPush) as caught:
            notification_body(headers, body, bare=False)
        assert caught.value.reason == reason
        assert str(caught.value) == reason


def test_an_id_of_another_form_is_not_passed_on() -> None:
    """It would be logged, and may be anything."""
    names = ("someone@example.com", "anna", "Ada", "Dee-Abba", "Anna.Example", "0170-1234567", "+4930123456", "two words")
    for value in (*names, "", "1" * 65, 7, None, ["1"]):
        body = json.loads(pubsub(PAYLOAD))
        body["message"] |= {"messageId": value, "message_id": value}
        assert notification_body(JSON, json.dumps(body).encode(), bare=False) == Enveloped(PAYLOAD, "")
    headers = {**BINARY, "ce-id": "someone@example.com"}
    assert notification_body(headers, PAYLOAD, bare=False) == Enveloped(PAYLOAD, "")


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
KEYS = [
    *("specversion", "id", "data", "data_base64"),
    *("message", "messageId", "message_id", "attributes"),
    *("Type", "Message", "MessageId"),
    *("notificationType", "resource", "type"),
]
ANY_TYPES = st.dictionaries(st.sampled_from(KEYS), ANY_JSON | st.sampled_from(["Notification", "1.0", "e30=", "{}"]), max_size=6)
ANY_PUSH = st.recursive(
    ANY_TYPES,
    lambda inner: st.one_of(
        inner.map(lambda value: {"message": value}),
        inner.map(lambda value: {"message": {"data": base64.b64encode(json.dumps(value).encode()).decode()}}),
        inner.map(lambda value: {"specversion": "1.0", "data": value}),
        inner.map(lambda value: {"specversion": "1.0", "data": json.dumps(value)}),
        inner.map(lambda value: {"Type": "Notification", "Message": json.dumps(value)}),
    ),
    max_leaves=5,
)
ANY_BODY = st.one_of(
    st.binary(max_size=60),
    st.binary(max_size=60).map(pubsub),
    ANY_JSON.map(lambda value: json.dumps(value).encode()),
    ANY_PUSH.map(lambda value: json.dumps(value).encode()),
    ANY_PUSH.map(lambda value: pubsub(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))),
)
ANY_HEADERS = st.sampled_from([{}, JSON, BINARY, STRUCTURED, {"content-type": "\x00", "ce-specversion": "", "ce-id": "\udcff"}])


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(headers=ANY_HEADERS, body=ANY_BODY, bare=st.booleans())
@example(headers={}, body=b'{"message": {"data": "\\ud800"}}', bare=False)
@example(headers={}, body=b'{"Type": "\\ud800", "Message": "\\udc00"}', bare=False)
def test_whatever_is_delivered_is_a_payload_or_malformed(headers: dict[str, str], body: bytes, bare: bool) -> None:
    """No other error, for any JSON and any bytes; what comes out is a JSON object in UTF-8."""
    with suppress(MalformedPush):
        enveloped = notification_body(headers, body, bare=bare)
        assert enveloped.payload is None or isinstance(json.loads(enveloped.payload.decode()), dict)
        assert (enveloped.payload is None) == bool(enveloped.reason)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(headers=ANY_HEADERS, body=ANY_BODY)
def test_whatever_is_pushed_to_the_import_is_a_message_or_malformed(headers: dict[str, str], body: bytes) -> None:
    """The same for the import's own messages."""
    with suppress(MalformedPush):
        assert isinstance(pushed_message(headers, body).data, bytes)


@pytest.mark.parametrize("envelopes", [[pubsub], [event], [pubsub, event], [sns]], ids=["push", "event", "event in push", "sns"])
def test_five_megabytes_are_opened_in_a_fraction_of_the_deadline(envelopes: list[Envelope]) -> None:
    """An order of thousands of lines; of the processor's time, which no other process takes."""
    lines = [{"id": f"line-{number}", "name": {"en": "A thing"}, "price": {"centAmount": number}} for number in range(80_000)]
    payload = PAYLOAD[:-1] + b', "order": ' + json.dumps({"lineItems": lines}).encode() + b"}"
    body = wrapped(envelopes, payload)
    assert len(payload) > 5_000_000
    took_s = []
    for _ in range(3):
        began = time.process_time()
        assert notification_body(JSON, body, bare=False).payload == payload
        took_s.append(time.process_time() - began)
    assert min(took_s) < 0.5
