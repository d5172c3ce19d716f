"""Removing an import lock by hand: the custom object in commercetools that keeps imports of a kind apart (decisions.md 11)."""

from __future__ import annotations

from collections.abc import Callable

from shared.budget import Budget
from shared.commercetools.client import open_project
from shared.commercetools.lock import Free, Held, ImportLock, LockState
from shared.errors import SyncError
from shared.settings import Settings

BUDGET_S = 60.0

Confirm = Callable[[str], bool]


class StillAlive(SyncError):
    """A run of ours holds the lock and shows signs of life."""


def import_lock(settings: Settings) -> ImportLock:
    """The locks of the project that the settings name."""
    return ImportLock(open_project(settings.commercetools))


def unlock(lock: ImportLock, kind: str, confirm: Confirm, budget: Budget, *, force: bool) -> str:
    """Remove the lock of a kind, once `confirm` has agreed to the sentence that says what it is; returns what was done.

    Raises `StillAlive` unless forced, and what the client raises.
    """
    found = lock.read(kind, budget)
    if found is None:
        return f"there is no import lock of {kind}"
    if isinstance(found, Held) and not found.foreign and not found.expired and not force:
        raise StillAlive(
            f"run {found.run_id} holds the import lock of {kind} and is alive (its lease ends at {found.expires}): "
            f"stop it with `ct-klaviyo stop {kind}`, or wait until then; --force removes the lock all the same"
        )
    if not confirm(f"This removes the import lock of {kind}, {described(found)}."):
        return "nothing was removed"
    removed = lock.clear(kind, budget)
    return f"removed the import lock of {kind}, {described(removed)}"


def described(state: LockState) -> str:
    """A lock in words."""
    if state is None:
        return "which was gone already"
    if isinstance(state, Free):
        return "left by a process that ended while it took it"
    if state.foreign:
        return f"made at {state.since} by another product, which may be importing still"
    return f"of run {state.run_id} since {state.since}, {'expired' if state.expired else 'good until'} {state.expires}"
