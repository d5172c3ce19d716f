"""Were Klaviyo's limits respected, was anything written twice, was anything sent too late? Said from the ledger alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TypeVar

import msgspec

from sandbox.launch import HTTP
from sandbox.ledger import Effect, Entry

BODY_BYTES, EVENTS, CATALOG_ROWS, PROFILES, JOBS = 5_000_000, 1_000, 100, 10_000, 500
"""A body's bytes, a bulk body's rows by what they are, and catalog jobs in progress (klaviyo.md 1.5)."""

THROTTLED_SHARE = 0.01
"""How many of the requests may be answered 429."""

_PAGE = 10_000
_Row = TypeVar("_Row", Entry, Effect)
_WRITES = ("created", "updated", "unchanged", "stored", "ignored")


@dataclass(frozen=True, slots=True)
class Account:
    """The ledger of one simulated Klaviyo from some moment on."""

    entries: Sequence[Entry]
    effects: Sequence[Effect]
    job_base_s: float
    job_s_per_row: float

    def endpoint_of(self) -> dict[int, str]:
        """The endpoint of each request by its number."""
        return {entry.seq: entry.endpoint for entry in self.entries}


@dataclass(frozen=True, slots=True)
class LedgerCheck:
    """Figures of the ledger, and what of them is too much, in words."""

    requests: int
    throttled: int
    most_jobs: int
    problems: tuple[str, ...]
    by_endpoint: Counter[str] = field(default_factory=Counter)

    @property
    def throttled_share(self) -> float:
        """How many of the requests were answered 429."""
        return self.throttled / self.requests if self.requests else 0.0


def read_ledger(klaviyo_url: str, since: float = 0.0) -> Account:
    """The ledger of the simulator, requests and effects at or after `since` (seconds since 1970)."""
    settings = HTTP.get(f"{klaviyo_url}/_sandbox/settings").json()
    entries = [entry for entry in _pages(klaviyo_url, "requests", Entry) if entry.at >= since]
    effects = [effect for effect in _pages(klaviyo_url, "effects", Effect) if effect.at >= since]
    return Account(entries, effects, settings["job_base_s"], settings["job_s_per_row"])


def check_limits(account: Account) -> LedgerCheck:
    """Bytes and rows of each body, jobs in progress, and the share of 429."""
    throttled = sum(entry.status == 429 for entry in account.entries)
    most = most_jobs(account)
    found = list(_bodies(account.entries))
    if most > JOBS:
        found.append(f"{most} catalog jobs were in progress at once")
    if account.entries and throttled / len(account.entries) > THROTTLED_SHARE:
        found.append(f"{throttled} of {len(account.entries)} requests were answered 429")
    by_endpoint = Counter(entry.endpoint for entry in account.entries)
    return LedgerCheck(len(account.entries), throttled, most, tuple(found), by_endpoint)


def most_jobs(account: Account) -> int:
    """The highest number of catalog jobs that were queued or processing at once."""
    changes: list[tuple[float, int]] = []
    for entry in account.entries:
        if _is_catalog_job(entry) and entry.status == 202:
            ends = entry.at + account.job_base_s + len(entry.identities) * account.job_s_per_row
            changes += [(entry.at, 1), (ends, -1)]
    return max(accumulate(change for _, change in sorted(changes)), default=0)


def written(account: Account, things: Collection[str], endpoints: str = "") -> Counter[str]:
    """How often each of `things` (`event`, `item`, ...) was written, by its identity in the ledger.

    `endpoints`: only by requests whose endpoint has this in its name.
    """
    endpoint_of = account.endpoint_of() if endpoints else {}
    found: Counter[str] = Counter()
    for effect in account.effects:
        thing, _, what = effect.kind.partition("_")
        if thing in things and what in _WRITES and (not endpoints or endpoints in endpoint_of.get(effect.seq, "")):
            found[effect.identity] += 1
    return found


def sent_after(account: Account, moment: float) -> list[str]:
    """What reached Klaviyo after `moment` (seconds since 1970), which may be nothing after a confirmed stop."""
    late = Counter(entry.endpoint for entry in account.entries if entry.at > moment)
    return [f"{count} requests to {endpoint} came after the stop" for endpoint, count in late.items()]


def _bodies(entries: Iterable[Entry]) -> Iterator[str]:
    for entry in entries:
        if entry.body_bytes > BODY_BYTES or entry.status == 413:
            yield f"request {entry.seq} to {entry.endpoint} has {entry.body_bytes} bytes"
        most = _most_rows(entry)
        if most and len(entry.identities) > most:
            yield f"request {entry.seq} to {entry.endpoint} has {len(entry.identities)} rows"


def _most_rows(entry: Entry) -> int:
    if entry.endpoint == "POST /api/event-bulk-create-jobs":
        return EVENTS
    if entry.endpoint == "POST /api/profile-bulk-import-jobs":
        return PROFILES
    return CATALOG_ROWS if _is_catalog_job(entry) else 0


def _is_catalog_job(entry: Entry) -> bool:
    return entry.endpoint.startswith("POST /api/catalog-") and "-bulk-" in entry.endpoint


def _pages(klaviyo_url: str, what: str, row: type[_Row]) -> Iterator[_Row]:
    after = 0
    while True:
        address = f"{klaviyo_url}/_sandbox/ledger?what={what}&after={after}&limit={_PAGE}"
        page = msgspec.json.decode(HTTP.get(address).content, type=list[row])  # type: ignore[valid-type]  # known at run time
        yield from page
        after += len(page)
        if len(page) < _PAGE:
            return
