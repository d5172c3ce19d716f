"""The simulated account: everything that a reset forgets, and one request on its way to a handler."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sandbox.faults import FaultPlan
from sandbox.klaviyo.answers import ErrorIds
from sandbox.klaviyo.backlog import Backlog
from sandbox.klaviyo.catalog import Catalog
from sandbox.klaviyo.contract import Operation
from sandbox.klaviyo.events import Events
from sandbox.klaviyo.jobs import Jobs
from sandbox.klaviyo.profiles import MatchRules, Profiles
from sandbox.klaviyo.queries import Query
from sandbox.klaviyo.settings import KlaviyoSandboxSettings
from sandbox.klaviyo.windows import RateWindows
from sandbox.ledger import Ledger


@dataclass(frozen=True, slots=True)
class KeptBody:
    """What the request number `seq` of the ledger said: its query as it was written, and its body (UTF-8)."""

    seq: int
    query: str
    body: str


@dataclass(slots=True)
class Account:
    """State of one simulator. `clock` gives seconds since the epoch; `settings` may be replaced while it runs."""

    settings: KlaviyoSandboxSettings
    clock: Callable[[], float]
    faults: FaultPlan
    ledger: Ledger = field(default_factory=Ledger)
    windows: RateWindows = field(default_factory=RateWindows)
    error_ids: ErrorIds = field(default_factory=ErrorIds)
    backlog: Backlog = field(default_factory=Backlog)
    profiles: Profiles = field(default_factory=Profiles)
    consents: dict[int, dict[str, Any]] = field(default_factory=dict)
    suppressed: dict[int, float] = field(default_factory=dict)
    jobs: Jobs = field(default_factory=Jobs)
    events: Events = field(default_factory=Events)
    mapped_metrics: dict[str, str] = field(default_factory=dict)
    catalog: Catalog = field(default_factory=Catalog)
    bodies: list[KeptBody] = field(default_factory=list)

    def reset(self) -> None:
        """Forget everything but settings, faults and clock."""
        self.ledger = Ledger()
        self.windows = RateWindows()
        self.error_ids = ErrorIds()
        self.backlog.clear()  # not another one: somebody may be in the middle of working this one off
        self.profiles = Profiles()
        self.consents = {}
        self.suppressed = {}
        self.jobs = Jobs()
        self.events = Events()
        self.mapped_metrics = {}
        self.catalog = Catalog()
        self.bodies = []

    @property
    def match_rules(self) -> MatchRules:
        """The settings' readings of doubtful profile matches."""
        return MatchRules(self.settings.phone_match, self.settings.email_match)


@dataclass(frozen=True, slots=True)
class Call:
    """One admitted and checked request. `base_url` ends without a slash; `raw` is the body as received."""

    account: Account
    operation: Operation
    path: dict[str, str]
    query: Query
    body: Any
    raw: bytes
    seq: int
    now: float
    base_url: str

    def effect(self, kind: str, identity: str) -> None:
        """Write an effect of this request into the ledger."""
        self.account.ledger.effect(self.seq, self.now, kind, identity)

    def url(self, *parts: str) -> str:
        """Absolute address of an API path."""
        return "/".join((self.base_url, "api", *parts))
