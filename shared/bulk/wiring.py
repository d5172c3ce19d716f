"""Wiring an import function: settings, adapters, clients. The only place that chooses them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.access import refuse_unfit_import
from shared.bulk.app import ImportApp
from shared.bulk.ports import Queue, RunStore
from shared.bulk.refusals import Refusals
from shared.commercetools.client import CommercetoolsClient, open_project
from shared.commercetools.lock import ImportLock
from shared.dead_letter_stores import open_dead_letters
from shared.dead_letters import DeadLetters
from shared.errors import ConfigError, Problem
from shared.google.errors import LACKS_CLIENTS, lacks_clients
from shared.google_tokens import google_claims
from shared.klaviyo.catalog_imports import CatalogImporter
from shared.klaviyo.client import KlaviyoClient, open_klaviyo
from shared.klaviyo.event_imports import EventImporter
from shared.klaviyo.limiter import Limiter
from shared.klaviyo.profile_imports import ProfileImporter
from shared.reading.choosing import Chooser
from shared.reading.lookups import Lookups, bulk_rules
from shared.settings import QueueBackend, Settings, StateBackend, load
from shared.slots import Slots
from shared.version import USER_AGENT


@dataclass(frozen=True, slots=True)
class State:
    """Where a process keeps runs, messages and dead letters."""

    store: RunStore
    queue: Queue
    dead_letters: DeadLetters


def open_import_app(settings: Settings | None = None) -> ImportApp:
    """The wired import of this process; sends and opens nothing yet. Raises `ConfigError` with every problem."""
    settings = settings or load()
    if problems := refuse_unfit_import(settings):
        raise ConfigError(problems)
    commercetools = open_project(settings.commercetools)
    klaviyo = open_klaviyo(
        base_url=settings.klaviyo.api_url,
        api_key=settings.klaviyo.auth_key.reveal(),
        limiter=Limiter(rate_share=settings.klaviyo.rate_share, realtime_headroom=True),
        user_agent=USER_AGENT,
    )
    return wired(
        settings,
        open_state(settings, commercetools),
        commercetools,
        klaviyo,
        now=lambda: datetime.now(UTC),
        new_id=lambda: uuid.uuid4().hex,
    )


def wired(
    settings: Settings,
    state: State,
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
        store=state.store,
        queue=state.queue,
        dead_letters=state.dead_letters,
        lock=ImportLock(commercetools),
        commercetools=commercetools,
        lookups=lookups,
        chooser=Chooser(settings.mapping, lookups),
        klaviyo=klaviyo,
        profiles=ProfileImporter(klaviyo, slots=slots),
        events=EventImporter(klaviyo),
        catalog=CatalogImporter(klaviyo, slots=slots, rate_share=settings.klaviyo.rate_share),
        verify_id_token=google_claims() if settings.access.push_service_account else None,
        refusals=Refusals(),
        now=now,
        new_id=new_id,
    )


def open_state(settings: Settings, commercetools: CommercetoolsClient) -> State:
    """The adapters that `STATE_BACKEND` and `QUEUE_BACKEND` choose; each is imported only when it is (decisions.md 12)."""
    return State(_store(settings), _queue(settings), open_dead_letters(settings, commercetools))


@contextmanager
def _needs_google_extra(variable: str) -> Iterator[None]:
    """Raises `ConfigError` about the `variable` that chose them when Google's clients are not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if not lacks_clients(error):
            raise
        raise ConfigError([Problem(variable, LACKS_CLIENTS)]) from None


def _store(settings: Settings) -> RunStore:
    if settings.state.state_backend is StateBackend.FIRESTORE:
        with _needs_google_extra("STATE_BACKEND"):
            from shared.google.run_store import open_run_store

            return open_run_store(settings.google)
    from shared.sqlite.database import state_file
    from shared.sqlite.run_store import SqliteRunStore

    return SqliteRunStore(state_file(settings.state.state_path))


def _queue(settings: Settings) -> Queue:
    if settings.state.queue_backend is QueueBackend.PUBSUB:
        with _needs_google_extra("QUEUE_BACKEND"):
            from shared.google.queue import open_queue

            return open_queue(settings.google)
    from shared.sqlite.database import state_file
    from shared.sqlite.queue import SqliteQueue

    return SqliteQueue(state_file(settings.state.state_path))
