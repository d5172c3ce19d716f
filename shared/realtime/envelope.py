"""From a delivery to the notification in it, through whatever envelopes are around it. Pure.

A notification arrives as commercetools' own JSON or as a CloudEvent around it, in a Pub/Sub push, which may be raw or an
Eventarc CloudEvent, in an SNS body, or bare (commercetools.md 1; platform.md 2).
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from shared.push import Layer, MalformedPush, delivery_id, event_data, layer_of, published_message, shown_id, text, text_if_any

MOST_PAYLOAD_BYTES = 10_000_000
"""The largest message that Pub/Sub carries, and so the largest notification that commercetools sends."""

MOST_BODY_BYTES = 14_000_000
"""The largest request: such a message in base64, which adds a third, with its attributes."""

MOST_LAYERS = 6
"""Two more than any known delivery: a CloudEvent around a Pub/Sub message around an SNS body around a CloudEvent."""

_PIECE_BYTES = 65_536

_SNS_CONFIRMATIONS = {
    "SubscriptionConfirmation": "sns_subscription_confirmation",
    "UnsubscribeConfirmation": "sns_unsubscribe_confirmation",
}


@dataclass(frozen=True, slots=True)
class Enveloped:
    """What a delivery holds: the notification's JSON, UTF-8, which is still to be read.

    A `payload` of None means that there is nothing to handle, and `reason` says why. `message_id` is the queue's name of the
    delivery, "" when it has none that could be shown.
    """

    payload: bytes | None
    message_id: str = ""
    reason: str = ""


def notification_body(headers: Mapping[str, str], body: bytes, *, bare: bool) -> Enveloped:
    """The notification in a delivery; `headers` have lower-case names.

    `bare` (`SKIP_BASE64_DECODE`) also accepts the notification as the body itself, which any other sender puts into an
    envelope. An SNS confirmation is never followed up: its `SubscribeURL` is an address that a stranger may have chosen
    (decisions.md 17). Raises `MalformedPush`, whatever the body is.
    """
    if len(body) > MOST_BODY_BYTES:
        raise MalformedPush("body_too_large")
    content: bytes | msgspec.Raw = body
    message_id = ""
    is_open = bare or "ce-specversion" in headers  # the body of a binary CloudEvent is its data
    for _ in range(MOST_LAYERS):
        layer = layer_of(content)
        if layer.notification_type:
            if not is_open:
                raise MalformedPush("no_message")
            return Enveloped(_payload(content), message_id or delivery_id(headers.get("ce-id", "")))
        if layer.sns_type and (reason := _SNS_CONFIRMATIONS.get(text_if_any(layer.sns_type))):
            return Enveloped(None, reason=reason)
        content, found = _opened(layer)
        message_id = message_id or found
        is_open = True
    raise MalformedPush("nested_too_deeply")


def _opened(layer: Layer) -> tuple[bytes | msgspec.Raw, str]:
    """What is inside an envelope, and the id that stands on it."""
    if layer.specversion:
        return event_data(layer), shown_id(layer.id)
    if layer.sns_type and layer.sns_message:
        return text(layer.sns_message).encode(), shown_id(layer.sns_message_id)
    published = published_message(layer)
    if not published.data:
        raise MalformedPush("no_data")
    return published.data, published.message_id


def _payload(content: bytes | msgspec.Raw) -> bytes:
    payload = bytes(content)
    if len(payload) > MOST_PAYLOAD_BYTES:
        raise MalformedPush("body_too_large")
    _check_utf8(payload)
    return payload


def _check_utf8(payload: bytes) -> None:
    """In pieces: the whole as a text would take up to four times its size."""
    decoder, whole = codecs.getincrementaldecoder("utf-8")(), memoryview(payload)
    try:
        for start in range(0, len(whole), _PIECE_BYTES):
            decoder.decode(whole[start : start + _PIECE_BYTES])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise MalformedPush("not_utf8") from None
