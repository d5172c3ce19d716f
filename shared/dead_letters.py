"""Dead letters: pointers to what could not be handled, never its content (decisions.md 15)."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

import msgspec


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message or item set aside for a person.

    `source` is the function that gave up, `reason` a short code, `pointer` where the host's error points to.
    """

    letter_id: str
    at: datetime
    source: str
    reason: str
    message_type: str | None = None
    resource_type: str | None = None
    resource_id: str | None = None
    pointer: str | None = None


class DeadLetters(Protocol):
    """Where dead letters stand; adapters for SQLite and for commercetools custom objects."""

    def add(self, letter: DeadLetter) -> None:
        """Record a dead letter; adding the same `letter_id` again changes nothing. Raises `TransientError`."""

    def newest(self, limit: int = 100) -> list[DeadLetter]:
        """Dead letters, newest first."""

    def get(self, letter_id: str) -> DeadLetter | None:
        """One dead letter, or None."""

    def drop(self, letter_id: str) -> bool:
        """Remove one; whether it was there."""
