"""Dead letters as text and as JSON: letters in, lines out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared.cli.letters import (
    COMMERCETOOLS,
    PUBSUB,
    STATE_FILE,
    Found,
    FoundMessage,
    LetterStore,
    MessageStore,
    NotReadable,
    Replay,
    Requeued,
    Store,
)
from shared.dead_letters import MOST, DeadLetter
from shared.google.names import Stream
from shared.realtime.replay import SOURCE, notification_of_letter
from shared.realtime.verdict import Outcome

SCOPE = "manage_key_value_documents"
_NAMES = {STATE_FILE: "state file", COMMERCETOOLS: "commercetools", PUBSUB: "Pub/Sub"}


def as_json(one: Found) -> dict[str, Any]:
    """All fields, for scripts; what is not known is null."""
    letter = one.letter
    fields: dict[str, Any] = {
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
    if isinstance(one, FoundMessage):
        fields |= {
            "stream": one.store.stream.value,
            "messageId": one.message_id,
            "deliveries": one.deliveries,
            "publishedAt": one.published_at,
            "batchId": one.pointers.batch_id,
            "rangeIndex": one.pointers.range_index,
        }
    return fields


def table(found: Sequence[Found]) -> list[str]:
    """Letters as rows, in the order given."""
    head = ("id", "set aside at", "store", "message", "resource", "reason")
    rows = [
        (
            one.letter.letter_id,
            one.letter.at.isoformat(timespec="seconds"),
            _store(one.store),
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
    fields: dict[str, object] = {
        "store": _store(one.store),
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
    if isinstance(one, FoundMessage):
        fields |= {
            "deliveries": one.deliveries,
            "published at": one.published_at,
            "range": one.pointers.range_index,
            "batch": one.pointers.batch_id,
        }
    known = [f"  {name:<13} {value}" for name, value in fields.items() if value is not None]
    return [f"dead letter {letter.letter_id}", *known, f"  {advice(one)}"]


def advice(one: Found) -> str:
    """What a person can do."""
    letter = one.letter
    if isinstance(one, FoundMessage):
        again = f"put it into its queue again with: ct-klaviyo dead-letters replay {letter.letter_id}"
        if one.store.stream is Stream.EVENTS:
            return f"its handling never ended, look into the log for why; {again}"
        return f"its handling never ended, look into the log for why; {again}; once its run has ended, that changes nothing"
    if notification_of_letter(letter) is not None:
        return f"send it again with: ct-klaviyo dead-letters replay {letter.letter_id}"
    return _advice_without_resource(letter)


def _advice_without_resource(letter: DeadLetter) -> str:
    drop = f"ct-klaviyo dead-letters drop {letter.letter_id}"
    if letter.source == SOURCE:
        return f"the delivery could not be read, so nothing more is known of it; remove it with: {drop}"
    return (
        f"a message of an import; try what failed of the run again with: ct-klaviyo retry RUN_ID, then remove this with: {drop}"
    )


def outcome(result: Replay | Requeued) -> str:
    """What became of a letter or a message that was replayed, on one line."""
    if isinstance(result, Requeued):
        letter_id = result.one.letter.letter_id
        return f"{letter_id}  put into its queue again, dropped" if result.settled else not_there_now(result.one)
    letter, verdict = result.one.letter, result.verdict
    if verdict is None:
        return f"{letter.letter_id}  cannot be replayed, it names no resource: {advice(result.one)}"
    said = {
        Outcome.DONE: "sent again, dropped",
        Outcome.SKIPPED: f"nothing to send any more ({verdict.reason}), dropped",
        Outcome.DEAD_LETTERED: f"refused again ({verdict.reason}), it stays",
        Outcome.REDELIVER: f"could not be finished now ({verdict.reason}), it stays",
    }
    return f"{letter.letter_id}  {said[verdict.outcome]}"


def not_there_now(one: FoundMessage) -> str:
    """Of a message that was found, and then could not be had."""
    return f"{one.letter.letter_id}  is gone meanwhile, or somebody else holds it: try again in a few minutes"


def not_shown(store: NotReadable) -> str:
    """A note about a store that could not be looked into."""
    if store.advice is None:
        return f"note: dead letters in {_NAMES[store.name]} are not shown, because the API client has not the scope {SCOPE}"
    return f"note: dead letters of {_NAMES[PUBSUB]} are not all shown: {store.advice}"


def in_part(store: MessageStore) -> str:
    """A note about a store that has more than was looked at."""
    return f"note: {MOST:,} dead letters of {_store(store)} were looked at, and there may be more: deal with some of these first"


def _store(store: Store) -> str:
    """In words; of a queue also the stream."""
    return _NAMES[store.name] if isinstance(store, LetterStore) else f"{_NAMES[store.queue]}, {store.stream}"


def _resource(letter: DeadLetter) -> str:
    return " ".join(filter(None, (letter.resource_type, letter.resource_id))) or "-"
