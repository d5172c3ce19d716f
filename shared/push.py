"""One decoder for what a queue pushes to us (decisions.md 13).

Reads a binary or structured CloudEvent that carries a Pub/Sub message (Eventarc, the local pump), and a raw Pub/Sub push.
The framework's own decoder is not used: it answers 400 to what has to be acknowledged, and echoes the payload.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from cloudevents.exceptions import GenericException
from cloudevents.http import from_http

from shared.errors import SyncError


class MalformedPush(SyncError):
    """The body holds no message that could be read; `reason` is a short code. Delivering it again would not help."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class PushedMessage:
    """A Pub/Sub message: its decoded data, id and attributes."""

    data: bytes
    message_id: str
    attributes: Mapping[str, str]


def pushed_message(headers: Mapping[str, str], body: bytes) -> PushedMessage:
    """The message in a push; `headers` have lower-case names. Raises `MalformedPush`."""
    envelope = _event_data(headers, body) if _is_cloudevent(headers) else _json_object(body)
    message = envelope.get("message")
    if not isinstance(message, dict):
        raise MalformedPush("no_message")
    data = message.get("data", "")
    if not isinstance(data, str):
        raise MalformedPush("data_is_no_text")
    try:
        decoded = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise MalformedPush("data_is_not_base64") from None
    message_id = message.get("messageId") or message.get("message_id")
    attributes = message.get("attributes")
    return PushedMessage(
        data=decoded,
        message_id=message_id if isinstance(message_id, str) else "",
        attributes=attributes if isinstance(attributes, dict) else {},
    )


def _is_cloudevent(headers: Mapping[str, str]) -> bool:
    return "ce-specversion" in headers or headers.get("content-type", "").startswith("application/cloudevents+json")


def _event_data(headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    try:
        event = from_http(dict(headers), body)
    except (GenericException, ValueError, TypeError, UnicodeDecodeError):
        raise MalformedPush("not_a_cloudevent") from None
    data = event.get_data() if event is not None else None
    if not isinstance(data, dict):
        raise MalformedPush("event_data_is_no_object")
    return data


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise MalformedPush("not_a_json_object") from None
