"""Wiring an import function: settings, adapters, clients. The only place that chooses them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime

from shared import logs
from shared.bulk.app import ImportApp
from shared.commercetools.client import CommercetoolsClient, open_project
from shared.commercetools.lock import ImportLock
from shared.errors import ConfigError, Problem
from shared.klaviyo.catalog_imports import CatalogImporter
from shared.klaviyo.client import KlaviyoClient, open_klaviyo
from shared.klaviyo.event_imports import EventImporter
from shared.klaviyo.limiter import Limiter
from shared.klaviyo.profile_imports import ProfileImporter
from shared.reading.choosing import Chooser
from shared.reading.lookups import Lookups, bulk_rules
from shared.settings import QueueBackend, Settings, StateBackend, load, load_logging
from shared.slots import Slots
from shared.sqlite.database import Database
from shared.sqlite.dead_letters import SqliteDeadLetters
from shared.sqlite.queue import SqliteQueue
from shared.sqlite.run_store import SqliteRunStore
from shared.version import USER_AGENT

_log = logs.get(__name__)


def open_import_app(settings: Settings | None = None) -> ImportApp:
    """The wired import of this process; sends and opens nothing yet. Raises `ConfigError` with every problem."""
    settings = settings or load()
    _refuse_missing_backends(settings)
    database = Database(settings.state.state_path)
    commercetools = open_project(settings.commercetools)
    klaviyo = open_klaviyo(
        base_url=settings.klaviyo.api_url,
        api_key=settings.klaviyo.auth_key.reveal(),
        limiter=Limiter(rate_share=settings.klaviyo.rate_share, realtime_headroom=True),
        user_agent=USER_AGENT,
    )
    return wired(settings, database, commercetools, klaviyo, now=lambda: datetime.now(UTC), new_id=lambda: uuid.uuid4().hex)


def wired(
    settings: Settings,
    database: Database,
    commercetools: CommercetoolsClient,
    klaviyo: KlaviyoClient,
    *,
    now: Callable[[], datetime],
    new_id: Callable[[], str],
) -> ImportApp:
    """An import over these clients and this state; `now` and `new_id` as in `ImportApp`."""
    slots = Slots(settings.state.workers)
    lookups = Lookups(commercetools, bulk_rules(settings.mapping.document.product.brandAttribute))
    return ImportApp(
        settings=settings,
        slots=slots,
        store=SqliteRunStore(database),
        queue=SqliteQueue(database),
        dead_letters=SqliteDeadLetters(database),
        lock=ImportLock(commercetools),
        commercetools=commercetools,
        lookups=lookups,
        chooser=Chooser(settings.mapping, lookups),
        klaviyo=klaviyo,
        profiles=ProfileImporter(klaviyo, slots=slots),
        events=EventImporter(klaviyo),
        catalog=CatalogImporter(klaviyo, slots=slots, rate_share=settings.klaviyo.rate_share),
        now=now,
        new_id=new_id,
    )


def open_function() -> ImportApp:
    """The import of a function's process, by its environment; ends the process when the settings cannot be used."""
    wanted = load_logging()
    logs.configure(wanted.level, wanted.format)
    try:
        return open_import_app()
    except ConfigError as error:
        _log.critical("the settings cannot be used", error=error)
        raise SystemExit(2) from None


def _refuse_missing_backends(settings: Settings) -> None:
    problems = []
    if settings.state.state_backend is not StateBackend.SQLITE:
        problems.append(Problem("STATE_BACKEND", "this version keeps its state in sqlite only; leave the variable out"))
    if settings.state.queue_backend is not QueueBackend.SQLITE:
        problems.append(Problem("QUEUE_BACKEND", "this version has the sqlite queue only; leave the variable out"))
    if problems:
        raise ConfigError(problems)
