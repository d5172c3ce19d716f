"""One decoder for what a queue pushes to us (decisions.md 13).

A delivery is a JSON object inside another, and only the innermost is ours. Each layer is read just far enough to find the
next, which stays as it was written: nothing of the content is built twice, and no number of it is rounded on the way. The
framework's own decoder is not used: it answers 400 to what has to be acknowledged, and echoes the payload. Pure.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from shared.decoding import UNDECODABLE
from shared.errors import SyncError

STRUCTURED_EVENT = "application/cloudevents+json"
ABSENT = msgspec.Raw(b"")

_ID = re.compile(r"[0-9]{1,32}|[0-9A-Fa-f]{16,64}|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
"""What queues call a delivery: a number, hexadecimal digits, a UUID. Ids are logged, so nothing that may be a name is one."""


class MalformedPush(SyncError):
    """The body holds no message that could be read; `reason` is a short code. Delivering it again would not help."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class Layer(msgspec.Struct, frozen=True):
    """The members by which an envelope is recognised and opened, each as it was written; an absent one is empty."""

    specversion: msgspec.Raw = ABSENT
    id: msgspec.Raw = ABSENT
    data: msgspec.Raw = ABSENT
    data_base64: msgspec.Raw = ABSENT
    message: msgspec.Raw = ABSENT
    notification_type: msgspec.Raw = msgspec.field(name="notificationType", default=ABSENT)
    sns_type: msgspec.Raw = msgspec.field(name="Type", default=ABSENT)
    sns_message: msgspec.Raw = msgspec.field(name="Message", default=ABSENT)
    sns_message_id: msgspec.Raw = msgspec.field(name="MessageId", default=ABSENT)


class _Published(msgspec.Struct, frozen=True):
    data: msgspec.Raw = ABSENT
    camel_id: msgspec.Raw = msgspec.field(name="messageId", default=ABSENT)
    snake_id: msgspec.Raw = msgspec.field(name="message_id", default=ABSENT)


@dataclass(frozen=True, slots=True)
class PushedMessage:
    """A Pub/Sub message: its decoded data, and its id ("" when there is none that could be shown)."""

    data: bytes
    message_id: str


_LAYER = msgspec.json.Decoder(Layer)
_PUBLISHED = msgspec.json.Decoder(_Published)
_TEXT = msgspec.json.Decoder(str)


def pushed_message(headers: Mapping[str, str], body: bytes) -> PushedMessage:
    """The Pub/Sub message of a push: raw, or inside a CloudEvent; `headers` have lower-case names. Raises `MalformedPush`.

    The body of a binary CloudEvent is its data, so only the structured one is a layer more.
    """
    layer = layer_of(body)
    if headers.get("content-type", "").startswith(STRUCTURED_EVENT):
        layer = layer_of(event_data(layer))
    return published_message(layer)


def layer_of(content: bytes | msgspec.Raw) -> Layer:
    """The JSON object that `content` is. Raises `MalformedPush`."""
    try:
        return _LAYER.decode(content)
    except UNDECODABLE:
        raise MalformedPush("not_a_json_object") from None


def published_message(layer: Layer) -> PushedMessage:
    """The Pub/Sub message in the body of a push. Raises `MalformedPush`."""
    try:
        message = _PUBLISHED.decode(layer.message)
    except UNDECODABLE:
        raise MalformedPush("no_message") from None
    return PushedMessage(
        data=base64_bytes(message.data) if message.data else b"",
        message_id=shown_id(message.camel_id) or shown_id(message.snake_id),
    )


def event_data(layer: Layer) -> bytes | msgspec.Raw:
    """The data of a structured CloudEvent, which may also be a text that holds JSON. Raises `MalformedPush`."""
    if layer.data_base64:
        return base64_bytes(layer.data_base64)
    if not layer.data:
        raise MalformedPush("event_without_data")
    return text(layer.data).encode() if _is_text(layer.data) else layer.data


def text(value: msgspec.Raw) -> str:
    """The JSON text that `value` is. Raises `MalformedPush`."""
    try:
        return _TEXT.decode(value)
    except UNDECODABLE:
        raise MalformedPush("data_is_no_text") from None


def base64_bytes(value: msgspec.Raw) -> bytes:
    """What the JSON text `value` encodes in base64. Raises `MalformedPush`."""
    try:
        if _is_text(value):  # as it stands there, without a copy; unless characters of it are escaped
            with suppress(binascii.Error):
                return binascii.a2b_base64(memoryview(value)[1:-1], strict_mode=True)
        return binascii.a2b_base64(text(value), strict_mode=True)
    except (binascii.Error, ValueError):
        raise MalformedPush("data_is_not_base64") from None


def _is_text(value: msgspec.Raw) -> bool:
    return memoryview(value)[:1].tobytes() == b'"'


def text_if_any(value: msgspec.Raw) -> str:
    """The JSON text that `value` is, "" if it is none."""
    try:
        return _TEXT.decode(value) if value else ""
    except UNDECODABLE:
        return ""


def shown_id(value: msgspec.Raw) -> str:
    """The JSON text `value` if it has the form of a queue's id, else ""."""
    return delivery_id(text_if_any(value))


def delivery_id(candidate: str) -> str:
    """`candidate` if it has the form of a queue's id, else "": what has not might be anything."""
    return candidate if _ID.fullmatch(candidate) else ""
