"""Dead letters: pointers to what could not be handled, never its content (decisions.md 15)."""

from __future__ import annotations

import hashlib
from datetime import datetime
from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol

import msgspec

from shared.budget import Budget
from shared.errors import AuthError, Interrupted, PermanentError, StaleWrite, TransientError

if TYPE_CHECKING:
    from shared.logs import Log

MOST = 5_000
"""Dead letters that are kept; when there are more, the oldest go."""


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message or item set aside for a person.

    `source` is the function that gave up, `reason` a short code, `pointer` where the host's error points to. What a replay
    needs besides the resource: `happened_at`, the notification's own time, ISO 8601 in UTC; `sku`, of an inventory entry
    that may be gone; `data_erasure`, whether the notification asked for it; `first_identity`, whether the order had neither
    this customer nor this e-mail, nor another one, before; `order_state`, the state that a message about an order spoke of.
    """

    letter_id: str
    at: datetime
    source: str
    reason: str
    message_type: str | None = None
    resource_type: str | None = None
    resource_id: str | None = None
    pointer: str | None = None
    happened_at: str | None = None
    sku: str | None = None
    data_erasure: bool = False
    first_identity: bool | None = None
    order_state: str | None = None


class DeadLetters(Protocol):
    """Where dead letters stand, `MOST` of them; adapters for SQLite and for commercetools custom objects.

    All methods raise `TransientError` when the store does not answer, and `Interrupted` as the budget does.
    """

    def add(self, letter: DeadLetter, budget: Budget) -> None:
        """Record a dead letter; adding the same `letter_id` again changes nothing. Raises `Forbidden` without the scope."""

    def newest(self, budget: Budget, limit: int = 100) -> list[DeadLetter]:
        """Dead letters, newest first."""

    def get(self, letter_id: str, budget: Budget) -> DeadLetter | None:
        """One dead letter, or None."""

    def drop(self, letter_id: str, budget: Budget) -> bool:
        """Remove one; whether it was there."""


class Kept(Enum):
    """Where a dead letter is when its message is to be acknowledged."""

    STORED = auto()
    LOGGED = auto()  # the store refuses it, so the pointer is in an ERROR log line
    NOT_YET = auto()  # nowhere: the message is to be delivered again


def keep(store: DeadLetters, letter: DeadLetter, budget: Budget) -> Kept:
    """Record a dead letter, before its message is acknowledged (decisions.md 4); says in the log what has failed."""
    try:
        store.add(letter, budget)
    except (PermanentError, StaleWrite):
        _log().error("dead letter cannot be stored, this line is all there is", **log_fields(letter))
        return Kept.LOGGED
    except (TransientError, AuthError, Interrupted) as error:
        _log().warning("dead letter is not stored yet", dead_letter_id=letter.letter_id, error=error)
        return Kept.NOT_YET
    return Kept.STORED


def log_fields(letter: DeadLetter) -> dict[str, str | None]:
    """What a log line says of a dead letter: enough to find the resource without it."""
    return {
        "dead_letter_id": letter.letter_id,
        "reason": letter.reason,
        "message_type": letter.message_type,
        "resource_type": letter.resource_type,
        "resource_id": letter.resource_id,
        "at": letter.pointer,
    }


def say_deleted(count: int) -> None:
    """Say it where the oldest letters went to keep the bound: a replay will never find them."""
    if count:
        _log().error("dead letters over the bound were deleted", deleted_count=count)


def _log() -> Log:
    from shared import logs  # the command line loads this module for its help, and no logging with it

    return logs.get(__name__)


def letter_id_of(message_type: str, resource_type: str, resource_id: str, reason: str) -> str:
    """The id of the letter about a message, the same for each delivery of it: 32 hexadecimal digits."""
    return _id_of(msgspec.json.encode([message_type, resource_type, resource_id, reason]))


def poison_id_of(body: bytes) -> str:
    """The same for a message of which nothing is known but its body; only a hash of that is kept."""
    return _id_of(body)


def _id_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
