"""What became of one delivery. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """How the work on a delivery ended; all but `REDELIVER` acknowledge it."""

    DONE = "done"
    SKIPPED = "skipped"
    DEAD_LETTERED = "dead_lettered"
    REDELIVER = "redeliver"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome, and a short code that says why; never anything that the delivery held."""

    outcome: Outcome
    reason: str = ""
