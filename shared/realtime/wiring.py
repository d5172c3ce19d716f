"""Wiring the realtime function: settings, clients, stores. The only place that chooses them."""

from __future__ import annotations

from datetime import UTC, datetime

from shared import logs
from shared.commercetools.client import CommercetoolsClient, open_project
from shared.commercetools.dead_letters import CustomObjectDeadLetters
from shared.dead_letters import DeadLetters
from shared.errors import ConfigError
from shared.klaviyo.client import open_klaviyo
from shared.klaviyo.limiter import Limiter
from shared.realtime.app import RealtimeApp
from shared.realtime.reading import Sources
from shared.settings import Settings, StateBackend, load, load_logging
from shared.version import USER_AGENT

_log = logs.get(__name__)


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
        dead_letters=_dead_letters(settings, commercetools),
        now=lambda: datetime.now(UTC),
    )


def open_function() -> RealtimeApp:
    """The realtime side of a function's process, by its environment; ends the process when the settings cannot be used."""
    wanted = load_logging()
    logs.configure(wanted.level, wanted.format)
    try:
        return open_realtime_app()
    except ConfigError as error:
        _log.critical("the settings cannot be used", error=error)
        raise SystemExit(2) from None


def _dead_letters(settings: Settings, commercetools: CommercetoolsClient) -> DeadLetters:
    """The state file where this machine keeps one, else the merchant's project (product.md "Where it runs")."""
    if settings.on_google_cloud or settings.state.state_backend is not StateBackend.SQLITE:
        return CustomObjectDeadLetters(commercetools)
    from shared.sqlite.database import Database
    from shared.sqlite.dead_letters import SqliteDeadLetters

    return SqliteDeadLetters(Database(settings.state.state_path))
