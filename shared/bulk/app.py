"""What the parts of an import work with: one value, wired once per process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from shared.access import VerifyIdToken
from shared.bulk.ports import Queue, RunStore
from shared.bulk.refusals import Refusals
from shared.commercetools.client import CommercetoolsClient
from shared.commercetools.lock import ImportLock
from shared.dead_letters import DeadLetters
from shared.klaviyo.catalog_imports import CatalogImporter
from shared.klaviyo.client import KlaviyoClient
from shared.klaviyo.event_imports import EventImporter
from shared.klaviyo.profile_imports import ProfileImporter
from shared.reading.choosing import Chooser
from shared.reading.lookups import Lookups
from shared.settings import Settings
from shared.slots import Slots


@dataclass(frozen=True, slots=True)
class ImportApp:
    """Settings, the ports, the clients and the clock of one process.

    `slots` bounds the batches that are worked on at once; `now` gives the time in UTC, `new_id` a name that nobody has
    used. `verify_id_token` is as for `access.check_task_caller`, `refusals` are those of tasks. The clients are shared by all
    threads, and so is what `lookups` remembers.
    """

    settings: Settings
    slots: Slots
    store: RunStore
    queue: Queue
    dead_letters: DeadLetters
    lock: ImportLock
    commercetools: CommercetoolsClient
    lookups: Lookups
    chooser: Chooser
    klaviyo: KlaviyoClient
    profiles: ProfileImporter
    events: EventImporter
    catalog: CatalogImporter
    verify_id_token: VerifyIdToken | None
    refusals: Refusals
    now: Callable[[], datetime]
    new_id: Callable[[], str]
