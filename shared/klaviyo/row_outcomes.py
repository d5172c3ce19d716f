"""What became of one row of a bulk import. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from shared.mapping.result import Adjustment

ROW_TOO_LARGE = "row_too_large"
"""Why a row failed that no request may hold."""

UNNAMED_ERROR = "unnamed_error"
"""Why a row failed whose job says that so many rows have failed, but not which."""


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
