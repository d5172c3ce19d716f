"""Wiring the realtime function: settings, clients, stores. The only place that chooses them."""

from __future__ import annotations

from datetime import UTC, datetime

from shared.commercetools.client import open_project
from shared.dead_letter_stores import open_dead_letters
from shared.klaviyo.client import open_klaviyo
from shared.klaviyo.limiter import Limiter
from shared.realtime.app import RealtimeApp
from shared.realtime.reading import Sources
from shared.settings import Settings, load
from shared.version import USER_AGENT


def open_realtime_app(settings: Settings | None = None) -> RealtimeApp:
    """The wired realtime side of this process; sends and opens nothing yet. Raises `ConfigError` with every problem."""
    settings = settings or load()
    commercetools = open_project(settings.commercetools)
    klaviyo = open_klaviyo(
        base_url=settings.klaviyo.api_url,
        api_key=settings.klaviyo.auth_key.reveal(),
        limiter=Limiter(rate_share=settings.klaviyo.rate_share),
        user_agent=USER_AGENT,
    )
    return RealtimeApp(
        settings=settings,
        sources=Sources(commercetools, settings.mapping),
        klaviyo=klaviyo,
        dead_letters=open_dead_letters(settings, commercetools),
        now=lambda: datetime.now(UTC),
    )
