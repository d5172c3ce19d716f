"""What a realtime function works with; one for the process, shared by its threads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from shared.dead_letters import DeadLetters
from shared.klaviyo.client import KlaviyoClient
from shared.realtime.reading import Sources
from shared.settings import Settings


@dataclass(frozen=True, slots=True)
class RealtimeApp:
    """Settings, both APIs, the store of dead letters, and the clock (`now`, UTC)."""

    settings: Settings
    sources: Sources
    klaviyo: KlaviyoClient
    dead_letters: DeadLetters
    now: Callable[[], datetime]
