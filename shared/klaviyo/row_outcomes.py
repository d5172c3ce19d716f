"""What became of one row of a bulk import, and how it is stored until the next attempt. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import msgspec

from shared.mapping.result import Adjustment

K = TypeVar("K")

ROW_TOO_LARGE = "row_too_large"
"""Why a row failed that no request may hold."""

UNNAMED_ERROR = "unnamed_error"
"""Why a row failed whose job says that so many rows have failed, but not which."""

_POINTER_OVERHEAD_BYTES = 100
"""What a stored outcome takes beside its pointer."""


@dataclass(frozen=True, slots=True)
class Sent:
    """Klaviyo has it, less what `adjustments` name."""

    adjustments: tuple[Adjustment, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """Klaviyo refused it: its code, and the pointer as it gave it."""

    reason: str
    pointer: str | None = None


RowOutcome: TypeAlias = Sent | Failed


class StoredOutcome(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """An outcome as plain values, beside those that have it; `reason` is None for what Klaviyo has."""

    reason: str | None = None
    pointer: str | None = None
    adjustments: tuple[Adjustment, ...] = ()

    @property
    def outcome(self) -> RowOutcome:
        """What became of these."""
        return Sent(self.adjustments) if self.reason is None else Failed(self.reason, self.pointer)


def stored_fields(outcome: RowOutcome) -> dict[str, Any]:
    """The fields of a `StoredOutcome` that hold this outcome."""
    if isinstance(outcome, Failed):
        return {"reason": outcome.reason, "pointer": outcome.pointer}
    return {"adjustments": outcome.adjustments}


def by_outcome(outcomes: Iterable[tuple[K, RowOutcome]], pointer_bytes_most: int) -> dict[RowOutcome, list[K]]:
    """Which rows have each outcome, in the order of the rows.

    The pointers take up to `pointer_bytes_most` with what is stored beside them; of failures beyond that only the reason stays.
    """
    groups: dict[RowOutcome, list[K]] = {}
    pointer_bytes = 0
    for row, outcome in outcomes:
        told = outcome
        if isinstance(outcome, Failed) and outcome.pointer is not None and outcome not in groups:
            pointer_bytes += len(outcome.pointer) + _POINTER_OVERHEAD_BYTES
            told = outcome if pointer_bytes <= pointer_bytes_most else Failed(outcome.reason)
        groups.setdefault(told, []).append(row)
    return groups
