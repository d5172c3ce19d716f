"""From a notification to the dead letter about it, and back (decisions.md 15)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from shared.dead_letters import DeadLetter, letter_id_of
from shared.realtime.notification import MalformedNotification, Notification
from shared.realtime.notifications.orders import sets_first_identity, spoken_state

SOURCE = "realtime_event"

T = TypeVar("T")


def letter_of(notification: Notification, reason: str, pointer: str | None, at: datetime) -> DeadLetter:
    """The letter about a notification that cannot be handled: what a replay needs, none of what the message holds."""
    return DeadLetter(
        letter_id=letter_id_of(notification.type, notification.resource_type, notification.resource_id, reason),
        at=at,
        source=SOURCE,
        reason=reason,
        message_type=notification.type,
        resource_type=notification.resource_type,
        resource_id=notification.resource_id,
        pointer=pointer,
        happened_at=notification.at or None,
        sku=notification.sku,
        data_erasure=notification.data_erasure,
        first_identity=_said(sets_first_identity, notification),
        order_state=_state(notification),
    )


_STATE = re.compile("[A-Za-z]{1,40}")


def _state(notification: Notification) -> str | None:
    """Only what looks like a state of commercetools: a letter keeps no text from outside."""
    state = _said(spoken_state, notification)
    return state if state and _STATE.fullmatch(state) else None


def _said(ask: Callable[[Notification], T], notification: Notification) -> T | None:
    """What a message about an order says; None when its fields are the very thing that cannot be read."""
    try:
        return ask(notification) if notification.resource_type == "order" else None
    except MalformedNotification:
        return None


def notification_of_letter(letter: DeadLetter) -> Notification | None:
    """The notification that the letter is about, or None when it names no resource.

    It comes without the message's own fields, as a large one does, so that what has become of the resource since is read and
    sent, never what was true once.
    """
    if not (letter.message_type and letter.resource_type and letter.resource_id):
        return None
    return Notification(
        type=letter.message_type,
        resource_type=letter.resource_type,
        resource_id=letter.resource_id,
        at=letter.happened_at or letter.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        has_payload=False,
        sku=letter.sku,
        data_erasure=letter.data_erasure,
        first_identity=letter.first_identity,
        order_state=letter.order_state,
    )
