"""The two messages of an import: ids and the fence, nothing else (flows.md "Messages")."""

from __future__ import annotations

import msgspec


class PlanMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Plan the next slice of one range."""

    run_id: str
    fence: int
    range_index: int


class WorkMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Work one batch."""

    run_id: str
    fence: int
    batch_id: str


def encoded(message: PlanMessage | WorkMessage) -> bytes:
    """The message's body."""
    return msgspec.json.encode(message)
