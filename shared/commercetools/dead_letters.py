"""Dead letters as custom objects of the merchant's project, where there is no state of our own (decisions.md 15)."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace

import msgspec

from shared.budget import Budget
from shared.commercetools import custom_objects
from shared.commercetools.client import CommercetoolsClient
from shared.commercetools.custom_objects import CustomObject
from shared.commercetools.verdict import Forbidden, VersionConflict
from shared.dead_letters import MOST, DeadLetter, say_deleted
from shared.errors import AuthError, PermanentError, SyncError
from shared.outcomes import PathKind

CONTAINER = "klaviyo-sync-dead-letters"

LOOK_EVERY = 10
"""Letters that a process adds before it looks again how many there are; it also looks after its first one."""

_READ_S = 3.5  # one that hangs leaves time for another within 8.5 seconds (decisions.md 5)
_TRIM_S = 2.0
_KIND = PathKind.DEAD_LETTERS


class CustomObjectDeadLetters:
    """Implements `shared.dead_letters.DeadLetters`; the letter's id is the object's key.

    All methods raise what the client raises; without the scope for it, `add` and `newest` raise `Forbidden`, the others
    `AuthError`. The bound is kept for up to ten processes that add at once, the oldest being those first written.
    """

    def __init__(self, client: CommercetoolsClient, *, most: int = MOST, look_every: int = LOOK_EVERY) -> None:
        self._client = client
        self._look_every = look_every
        self._kept = most - 10 * (look_every - 1)  # ten processes may add so many more before one of them looks
        self._added = 0
        self._lock = threading.Lock()

    def add(self, letter: DeadLetter, budget: Budget) -> None:
        """Record a dead letter; adding the same `letter_id` again changes nothing. Raises `Forbidden` without the scope."""
        if self._create(letter, budget) and self._is_time_to_look():
            with suppress(SyncError):  # the letter is recorded; another one will look again
                self._trim(replace(budget, deadline=min(budget.deadline, budget.monotonic() + _TRIM_S)))

    def newest(self, budget: Budget, limit: int = 100) -> list[DeadLetter]:
        """Dead letters, newest first; reads all of them, because commercetools knows only when each was written."""
        found = custom_objects.all_of(self._client, CONTAINER, budget=budget, kind=_KIND)
        letters = [letter for one in found if (letter := _letter_of(one))]
        return sorted(letters, key=lambda letter: (letter.at, letter.letter_id), reverse=True)[:limit]

    def get(self, letter_id: str, budget: Budget) -> DeadLetter | None:
        """One dead letter, or None."""
        found = custom_objects.get(self._client, CONTAINER, letter_id, budget=budget, read_timeout_s=_READ_S)
        return _letter_of(found) if found else None

    def drop(self, letter_id: str, budget: Budget) -> bool:
        """Remove one; whether it was there (after a lost answer it may have been, and is gone)."""
        return custom_objects.delete(self._client, CONTAINER, letter_id, budget=budget) is not None

    def _create(self, letter: DeadLetter, budget: Budget) -> bool:
        """Write the letter unless there is one of its id; whether there was none.

        Version 0 never replaces an existing object. That a new one may be asked for with a version is usual but not
        documented, so that after a refusal it is read, and if nothing is there written without.
        """
        try:
            self._put(letter, budget, version=0)
        except (VersionConflict, PermanentError) as refusal:
            if isinstance(refusal, Forbidden):
                raise
            if self._is_there(letter.letter_id, budget):
                return False
            self._put(letter, budget, version=None)
        return True

    def _is_there(self, letter_id: str, budget: Budget) -> bool:
        try:
            found = custom_objects.get(self._client, CONTAINER, letter_id, budget=budget, read_timeout_s=_READ_S)
        except AuthError as error:
            if error.status != 403:
                raise
            raise Forbidden("insufficient_scope") from None
        return found is not None

    def _put(self, letter: DeadLetter, budget: Budget, *, version: int | None) -> None:
        custom_objects.put(
            self._client,
            CONTAINER,
            letter.letter_id,
            letter,
            version=version,
            budget=budget,
            kind=_KIND,
            read_timeout_s=_READ_S,
        )

    def _is_time_to_look(self) -> bool:
        with self._lock:
            self._added += 1
            return self._added % self._look_every == 1 or self._look_every == 1

    def _trim(self, budget: Budget) -> None:
        """Delete the oldest of too many: twice as many as may have been added since the last look, at most."""
        at_once = 2 * self._look_every
        listed = custom_objects.oldest(self._client, CONTAINER, at_once, budget=budget, kind=_KIND, read_timeout_s=_TRIM_S)
        deleted = 0
        try:
            for one in listed.objects[: max(0, listed.total - self._kept)]:
                deleted += custom_objects.delete(self._client, CONTAINER, one.key, budget=budget) is not None
        finally:
            say_deleted(deleted)


def _letter_of(found: CustomObject) -> DeadLetter | None:
    """The letter in a custom object; None for what somebody else has put there."""
    try:
        return msgspec.convert(found.value, DeadLetter)
    except msgspec.ValidationError:
        return None
