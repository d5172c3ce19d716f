"""The import lock: at most one import of a kind, by this product or the older one, in the whole project (decisions.md 11).

It is a custom object under the container and keys of the older product, to which any object there means locked. Ours
holds `{owner, since, leaseUntil, nonce}`: the run, when it began, until when it is good by commercetools' clock, and a
number that tells every write from all others, so that a write whose answer was lost is recognised.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

import msgspec

from shared.budget import Budget
from shared.commercetools import custom_objects
from shared.commercetools.client import CommercetoolsClient
from shared.commercetools.custom_objects import CustomObject
from shared.commercetools.predicates import instant
from shared.commercetools.verdict import VersionConflict
from shared.errors import Host, HostDown, PermanentError, StaleWrite, TransientError

CONTAINER = "klaviyo-ct-plugin-lock"
KEYS: Mapping[str, str] = {
    "customers": "customerFullSync",
    "orders": "orderFullSync",
    "categories": "categoryFullSync",
    "products": "productFullSync",
}
SETTLE_S = 2.0
_ROUNDS = 6
_FREE = {"free": True}


@dataclass(frozen=True, slots=True)
class Taken:
    """The lock is ours; `version` is that of the custom object."""

    version: int


@dataclass(frozen=True, slots=True)
class Held:
    """Somebody has the lock: the run `run_id`, until `expires`, or (`foreign`) another product, without an end.

    Times are ISO 8601 in UTC. `expired`: the lease is over, so that the next one may take it.
    """

    run_id: str | None
    foreign: bool
    since: str
    expires: str | None
    expired: bool = False


@dataclass(frozen=True, slots=True)
class Free:
    """An object that stands there without an owner, left by a process that ended while it took the lock."""


LockState: TypeAlias = Held | Free | None
"""What stands in the place of the lock; None: nothing."""


class _Claim(msgspec.Struct, frozen=True, rename="camel"):
    """Our value of the custom object."""

    owner: str
    since: datetime
    lease_until: datetime
    nonce: str


def _new_nonce() -> str:
    return uuid.uuid4().hex


class ImportLock:
    """The locks of one project. `kind` is customers, orders, categories or products.

    All methods raise what the client raises.
    """

    def __init__(self, client: CommercetoolsClient, *, new_nonce: Callable[[], str] = _new_nonce) -> None:
        """`new_nonce` gives a text that nobody has used."""
        self._client = client
        self._new_nonce = new_nonce

    def take(self, kind: str, owner: str, lease_s: float, budget: Budget, *, instead_of: str | None = None) -> Taken | Held:
        """Take the lock for `lease_s` seconds, if it is free, its lease is over, or `instead_of` holds it.

        That one must be known not to go on. An owner is a run and, behind a dot, its fence, so that a run which was taken
        over is another owner. A lock that the same owner holds counts as held, too. Raises `TransientError`
        when others take and release it so fast that no answer can be given.
        """
        refused, blindly = 0, False
        for _ in range(_ROUNDS):
            found = self._get(kind, budget)
            if found is None:
                blindly = refused > 1
                refused += self._create_free(kind, budget, blindly=blindly)
                continue
            refused = 0
            state = self._state_of(found)
            if isinstance(state, Held) and not state.expired and _owner_of(found) != (instead_of or ""):
                return state
            claim = self._claim(owner, None, lease_s)
            version = self._write(kind, claim, found.version, budget)
            if version is not None and blindly:
                budget.sleep(SETTLE_S)
                version = self._version_if_ours(kind, claim, budget)
            if version is not None:
                return Taken(version)
        raise TransientError("the import lock is taken and released by others all the time", host=Host.COMMERCETOOLS)

    def renew(self, kind: str, owner: str, lease_s: float, budget: Budget, *, version: int | None = None) -> int:
        """Extend the lease of a run to `lease_s` seconds from now; returns the new version.

        Raises `StaleWrite` when the lock is not this run's any more, or not of this `version` (None: any).
        """
        found, held = self._own(kind, owner, budget, version)
        renewed = self._write(kind, self._claim(owner, held.since, lease_s), found.version, budget)
        if renewed is None:
            raise StaleWrite(f"the import lock of {kind} was taken from {owner}")
        return renewed

    def release(self, kind: str, owner: str, budget: Budget, *, version: int | None = None) -> None:
        """Give the lock back; nothing there is as good.

        Raises `StaleWrite` when the lock is not this run's any more, or not of this `version` (None: any).
        """
        if self._get(kind, budget) is None:
            return
        found, _ = self._own(kind, owner, budget, version)
        custom_objects.delete(self._client, CONTAINER, KEYS[kind], version=found.version, budget=budget)

    def read(self, kind: str, budget: Budget) -> LockState:
        """What stands there now."""
        found = self._get(kind, budget)
        return None if found is None else self._state_of(found)

    def clear(self, kind: str, budget: Budget) -> LockState:
        """Remove whatever stands there, whoever made it, and return what it was: for a person who knows.

        Raises `StaleWrite` when it changed meanwhile.
        """
        found = self._get(kind, budget)
        if found is None:
            return None
        state = self._state_of(found)
        custom_objects.delete(self._client, CONTAINER, KEYS[kind], version=found.version, budget=budget)
        return state

    def _get(self, kind: str, budget: Budget) -> CustomObject | None:
        return custom_objects.get(self._client, CONTAINER, KEYS[kind], budget=budget)

    def _own(self, kind: str, owner: str, budget: Budget, version: int | None) -> tuple[CustomObject, _Claim]:
        """The lock as it stands, if it is this run's. The owner is read first, because versions start anew after a release."""
        found = self._get(kind, budget)
        claim = _claim_of(found) if found else None
        if found is None or claim is None or claim.owner != owner or version not in (None, found.version):
            raise StaleWrite(f"the import lock of {kind} is not held by {owner} any more")
        return found, claim

    def _create_free(self, kind: str, budget: Budget, *, blindly: bool) -> int:
        """Put a free lock where there is none; returns 1 when that was refused.

        Version 0 can never replace an existing object, so a slow taker cannot wipe out the lock of a quick one. That a
        new object may be asked for with a version is usual but not documented; where it is refused again and again
        although nothing is there, the object is made without, and `take` looks once more after a while.
        """
        try:
            custom_objects.put(self._client, CONTAINER, KEYS[kind], _FREE, version=None if blindly else 0, budget=budget)
        except VersionConflict:
            return 1
        except PermanentError:
            if blindly:
                raise
            return 1
        return 0

    def _write(self, kind: str, claim: _Claim, version: int, budget: Budget) -> int | None:
        """Replace exactly this version; returns the new one, None when somebody else was quicker."""
        try:
            return custom_objects.put(self._client, CONTAINER, KEYS[kind], claim, version=version, budget=budget).version
        except VersionConflict:
            return self._version_if_ours(kind, claim, budget)

    def _version_if_ours(self, kind: str, claim: _Claim, budget: Budget) -> int | None:
        found = self._get(kind, budget)
        return found.version if found and _claim_of(found) == claim else None

    def _claim(self, owner: str, since: datetime | None, lease_s: float) -> _Claim:
        now = self._now()
        return _Claim(owner, since or now, now + timedelta(seconds=lease_s), self._new_nonce())

    def _state_of(self, found: CustomObject) -> Held | Free:
        if found.value == _FREE:
            return Free()
        claim = _claim_of(found)
        if claim is None:
            return Held(run_id=None, foreign=True, since=found.created_at, expires=None)
        return Held(
            run_id=claim.owner.partition(".")[0],
            foreign=False,
            since=instant(claim.since),
            expires=instant(claim.lease_until),
            expired=claim.lease_until <= self._now(),
        )

    def _now(self) -> datetime:
        now = self._client.server_time()
        if now is None:
            raise HostDown(f"{Host.COMMERCETOOLS} does not say what time it is (no Date header)", host=Host.COMMERCETOOLS)
        return now


def _owner_of(found: CustomObject) -> str | None:
    """Who holds our lock; None when it is another product's."""
    claim = _claim_of(found)
    return claim.owner if claim else None


def _claim_of(found: CustomObject) -> _Claim | None:
    """Our claim, None when the value is somebody else's or has no usable times."""
    try:
        claim = msgspec.convert(found.value, _Claim)
    except msgspec.ValidationError:
        return None
    return claim if claim.since.tzinfo and claim.lease_until.tzinfo else None
