"""The two messages of an import: ids and the fence, nothing else (flows.md "Messages").

During a deployment, or after it was taken back, old code reads messages of new code, and the other way round. What nobody can
read is acknowledged and set aside, so each must read the other's: a field that is added has a default, none that has no
default is removed or renamed, and fields that are not known are passed over. The required ones tell the messages apart.
"""

from __future__ import annotations

import msgspec


class PlanMessage(msgspec.Struct, frozen=True, rename="camel"):
    """Plan the next slice of one range."""

    run_id: str
    fence: int
    range_index: int


class WorkMessage(msgspec.Struct, frozen=True, rename="camel"):
    """Work one batch."""

    run_id: str
    fence: int
    batch_id: str


def encoded(message: PlanMessage | WorkMessage) -> bytes:
    """The message's body."""
    return msgspec.json.encode(message)
