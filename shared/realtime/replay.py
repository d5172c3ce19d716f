"""From a dead letter back to a notification (decisions.md 15). Pure."""

from __future__ import annotations

from datetime import UTC

from shared.dead_letters import DeadLetter
from shared.realtime.notification import Notification


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
    )
