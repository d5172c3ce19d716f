"""Dead letters as text and as JSON: letters in, lines out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared.cli.letters import COMMERCETOOLS, SCOPE, STATE_FILE, Found, Replay
from shared.dead_letters import DeadLetter
from shared.realtime.replay import notification_of_letter
from shared.realtime.verdict import Outcome

REALTIME = "realtime_event"
_NAMES = {STATE_FILE: "state file", COMMERCETOOLS: "commercetools"}


def as_json(one: Found) -> dict[str, Any]:
    """All fields, for scripts; what is not known is null."""
    letter = one.letter
    return {
        "id": letter.letter_id,
        "store": one.store.name,
        "at": letter.at.isoformat(),
        "source": letter.source,
        "reason": letter.reason,
        "messageType": letter.message_type,
        "resourceType": letter.resource_type,
        "resourceId": letter.resource_id,
        "pointer": letter.pointer,
        "happenedAt": letter.happened_at,
        "sku": letter.sku,
        "dataErasure": letter.data_erasure,
        "firstIdentity": letter.first_identity,
        "orderState": letter.order_state,
    }


def table(found: Sequence[Found]) -> list[str]:
    """Letters as rows, in the order given."""
    head = ("id", "set aside at", "store", "message", "resource", "reason")
    rows = [
        (
            one.letter.letter_id,
            one.letter.at.isoformat(timespec="seconds"),
            _NAMES[one.store.name],
            one.letter.message_type or "-",
            _resource(one.letter),
            one.letter.reason,
        )
        for one in found
    ]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    return ["  ".join(text.ljust(widths[column]) for column, text in enumerate(row)).rstrip() for row in (head, *rows)]


def detail(one: Found) -> list[str]:
    """All that is known of a letter, and what to do with it."""
    letter = one.letter
    fields = {
        "store": _NAMES[one.store.name],
        "set aside at": letter.at.isoformat(),
        "by": letter.source,
        "reason": letter.reason,
        "pointer": letter.pointer,
        "message": letter.message_type,
        "happened at": letter.happened_at,
        "resource": _resource(letter),
        "sku": letter.sku,
        "data erasure": "asked for" if letter.data_erasure else None,
    }
    known = [f"  {name:<13} {value}" for name, value in fields.items() if value is not None]
    return [f"dead letter {letter.letter_id}", *known, f"  {advice(letter)}"]


def advice(letter: DeadLetter) -> str:
    """What a person can do."""
    if notification_of_letter(letter) is not None:
        return f"send it again with: ct-klaviyo dead-letters replay {letter.letter_id}"
    drop = f"ct-klaviyo dead-letters drop {letter.letter_id}"
    if letter.source == REALTIME:
        return f"the delivery could not be read, so nothing more is known of it; remove it with: {drop}"
    return (
        f"a message of an import; try what failed of the run again with: ct-klaviyo retry RUN_ID, then remove this with: {drop}"
    )


def outcome(replay: Replay) -> str:
    """What became of a replayed letter, on one line."""
    letter, verdict = replay.one.letter, replay.verdict
    if verdict is None:
        return f"{letter.letter_id}  cannot be replayed, it names no resource: {advice(letter)}"
    said = {
        Outcome.DONE: "sent again, dropped",
        Outcome.SKIPPED: f"nothing to send any more ({verdict.reason}), dropped",
        Outcome.DEAD_LETTERED: f"refused again ({verdict.reason}), it stays",
        Outcome.REDELIVER: f"could not be finished now ({verdict.reason}), it stays",
    }
    return f"{letter.letter_id}  {said[verdict.outcome]}"


def missing_scope(stores: Sequence[str]) -> list[str]:
    """A note for each store that must not be read."""
    return [
        f"note: dead letters in {_NAMES[name]} are not shown, because the API client has not the scope {SCOPE}" for name in stores
    ]


def _resource(letter: DeadLetter) -> str:
    return " ".join(filter(None, (letter.resource_type, letter.resource_id))) or "-"
