"""Tells of refused tasks, without a line for each: a queue whose deliveries are refused goes on for days."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta

SAID_EVERY = timedelta(minutes=10)


@dataclass(slots=True)
class Refusals:
    """What was refused in this process, by fault. Shared by all threads."""

    _said_at: dict[str, datetime] = field(default_factory=dict)
    _unsaid: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def to_say(self, fault: str, now: datetime) -> int:
        """Count one refusal; how many there were since the last line about this fault, or 0 while no new line is due."""
        with self._lock:
            unsaid = self._unsaid.get(fault, 0) + 1
            said_at = self._said_at.get(fault)
            if said_at is not None and now < said_at + SAID_EVERY:
                self._unsaid[fault] = unsaid
                return 0
            self._said_at[fault], self._unsaid[fault] = now, 0
            return unsaid
