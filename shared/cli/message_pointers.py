"""What a dead message is about: ids and types, none of what it holds. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

import msgspec

from shared.bulk.messages import PlanMessage, WorkMessage
from shared.decoding import UNDECODABLE
from shared.google.names import Stream
from shared.push import MalformedPush
from shared.realtime.envelope import notification_body
from shared.realtime.notification import MalformedNotification, notification_of

_PLAIN = re.compile(r"[A-Za-z0-9._-]{1,128}")


@dataclass(frozen=True, slots=True)
class Pointers:
    """What a message names; None: it names none, or it cannot be read. Of an import's message the resource is its run."""

    message_type: str | None = None
    resource_type: str | None = None
    resource_id: str | None = None
    happened_at: str | None = None
    batch_id: str | None = None
    range_index: int | None = None


def pointers_of(stream: Stream, body: bytes) -> Pointers:
    """What a message of this stream is about, read as its function reads it."""
    try:
        match stream:
            case Stream.EVENTS:
                return _of_notification(body)
            case Stream.PLAN:
                plan = msgspec.json.decode(body, type=PlanMessage)
                return Pointers(PlanMessage.__name__, "run", _plain(plan.run_id) or None, range_index=plan.range_index)
            case Stream.WORK:
                work = msgspec.json.decode(body, type=WorkMessage)
                return Pointers(WorkMessage.__name__, "run", _plain(work.run_id) or None, batch_id=_plain(work.batch_id) or None)
    except (MalformedPush, MalformedNotification, *UNDECODABLE):
        return Pointers()


def _of_notification(body: bytes) -> Pointers:
    """A message of Pub/Sub has the notification itself as its data, or a CloudEvent around it."""
    payload = notification_body({}, body, bare=True).payload
    if payload is None:
        return Pointers()
    notification = notification_of(payload)
    return Pointers(
        _plain(notification.type) or None,
        _plain(notification.resource_type) or None,
        notification.resource_id or None,
        notification.at or None,
    )


def _plain(candidate: str) -> str:
    """`candidate` if it could be a type or one of our ids, else ""."""
    return candidate if _PLAIN.fullmatch(candidate) else ""
