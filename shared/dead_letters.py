"""Dead letters: pointers to what could not be handled, never its content (decisions.md 15)."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Protocol

import msgspec

from shared.budget import Budget

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


def say_deleted(count: int) -> None:
    """Say it where the oldest letters went to keep the bound: a replay will never find them."""
    if count:
        from shared import logs  # the command line loads this module for its help, and no logging with it

        _log = logs.get(__name__)
        _log.error("dead letters over the bound were deleted", deleted_count=count)


def letter_id_of(message_type: str, resource_type: str, resource_id: str, reason: str) -> str:
    """The id of the letter about a message, the same for each delivery of it: 32 hexadecimal digits."""
    return _id_of(msgspec.json.encode([message_type, resource_type, resource_id, reason]))


def poison_id_of(body: bytes) -> str:
    """The same for a message of which nothing is known but its body; only a hash of that is kept."""
    return _id_of(body)


def _id_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
