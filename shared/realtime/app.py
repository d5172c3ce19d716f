"""What a realtime function works with; one for the process, shared by its threads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from shared.cache import ExpiringCache
from shared.dead_letters import DeadLetters
from shared.klaviyo.client import KlaviyoClient
from shared.realtime.event_writes import EventMemory
from shared.realtime.reading import Sources
from shared.settings import Settings
from shared.slots import Slots

LARGE_AT_ONCE = 2
"""Deliveries of more than a megabyte that are worked at a time: each may take 60 MB, of the 512 that some platforms give."""


@dataclass(frozen=True, slots=True)
class RealtimeApp:
    """Settings, both APIs, the store of dead letters, the clock (`now`, UTC), and places for `large` deliveries.

    `events` remembers what is settled of messages that will come again.
    `unread` remembers, by type and id, resources that were written without being read again, and whether that made a profile.
    """

    settings: Settings
    sources: Sources
    klaviyo: KlaviyoClient
    dead_letters: DeadLetters
    now: Callable[[], datetime]
    events: EventMemory = field(default_factory=EventMemory)
    large: Slots = field(default_factory=lambda: Slots(LARGE_AT_ONCE))
    unread: ExpiringCache[tuple[str, str], bool] = field(default_factory=lambda: ExpiringCache(1_000, 3_600.0))
