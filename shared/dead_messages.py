"""Dead messages: what a queue gave up on, as it was, until a person decides (decisions.md 15).

A dead letter is a pointer to what was refused; a dead message is the message itself, whose handling never ended.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from shared.budget import Budget


@dataclass(frozen=True, slots=True)
class DeadMessage:
    """A message that was delivered `deliveries` times (None: unknown) and never acknowledged.

    `message_id` is the queue's own name of it, unique among the dead of its stream.
    """

    message_id: str
    body: bytes = field(repr=False)
    died_at: datetime
    published_at: datetime | None
    deliveries: int | None


class DeadMessages(Protocol):
    """The dead messages of one stream; adapters for SQLite and Pub/Sub.

    All methods raise `TransientError` when the queue does not answer, and `Interrupted` as the budget does. What another
    reader holds at the moment may be missing from what they find; it is not lost. Silence is never told as emptiness.
    """

    def look(self, budget: Budget, message_ids: Collection[str] | None = None) -> list[DeadMessage]:
        """Those with these ids, or all, each once, in no order; they stay. Of all, no more than `dead_letters.MOST`."""

    def replay(self, message_ids: Collection[str], budget: Budget) -> set[str]:
        """Put these into their stream again, as they were, and only then remove them; the ids of those that were there.

        Who reads the stream may get one twice, when this ends early.
        """

    def drop(self, message_ids: Collection[str], budget: Budget) -> set[str]:
        """Remove these for good; the ids of those that were there."""
