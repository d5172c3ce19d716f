"""What a simulated project is made of, and the shape of its clock."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime

from sandbox.sample.timeline import instant

Clock = Callable[[], float]
"""Seconds since 1970, the vendor's time: the only clock that resources, tokens and the `Date` header know."""

ALL_SCOPES = ("manage_project",)


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """One simulated project.

    `sizes` gives the numbers of customers, categories, products and orders; what is not named has the demo's size.
    `variants` is the number of every product's variants, `lines` of every order's line items; None: they vary.
    `scopes` are what the API client was granted, without the project key. `create_with_version` says
    what a custom object draft with a version does when there is no such object, which the vendor does not document:
    True creates it (the reading of the reference that is harder on a client), False answers 409.
    `scan_limit`: a query that looks at more rows than this is answered 400 QueryTimedOut, as the vendor does after 20 s.
    `graphql_max_limit`: a larger page is answered 400 QueryComplexityLimitExceeded; the vendor's ceiling is not public.
    `prepared` collections are encoded before the first request, so that a benchmark does not share the machine with their making.
    `unreachable_topics` are Pub/Sub topics to which the test notification cannot be delivered.
    """

    project_key: str = "sandbox"
    client_id: str = "sandbox-client"
    client_secret: str = field(default="sandbox-secret", repr=False)
    scopes: tuple[str, ...] = ALL_SCOPES
    token_lifetime_s: int = 172_800
    seed: int = 7
    sizes: dict[str, int] = field(default_factory=dict)
    variants: int | None = None
    lines: int | None = None
    malformed_emails: int | None = None
    create_with_version: bool = True
    scan_limit: int | None = None
    graphql_max_limit: int | None = None
    prepared: tuple[str, ...] = ()
    unreachable_topics: frozenset[str] = frozenset()


def api_instant(clock: Clock) -> str:
    """The clock's time as resources carry it, in UTC with milliseconds."""
    return instant(int(clock() * 1000))


def http_date(clock: Clock) -> str:
    """The clock's time as the `Date` header carries it."""
    return format_datetime(datetime.fromtimestamp(clock(), UTC), usegmt=True)
