"""What one line of the registry says: which notifications, what is read for them, and the pure function that maps them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeAlias, TypeVar

import msgspec

from shared.mapping.choices import Choices
from shared.mapping.result import Skip, SkipReason
from shared.realtime.notification import Notification
from shared.realtime.writes import Mapped
from shared.settings.document import SyncDocument

S = TypeVar("S", bound=msgspec.Struct)


class NoSource(msgspec.Struct, frozen=True):
    """For notifications that say everything themselves: nothing is read."""


Result: TypeAlias = Mapped | Skip


def _relevant(_notification: Notification, _document: SyncDocument) -> SkipReason | None:
    return None


def _gone(_notification: Notification, _choices: Choices) -> Result:
    return Skip(SkipReason.GONE)


def _vanished(_notification: Notification, _choices: Choices, _made: bool) -> Result:
    return Skip(SkipReason.GONE)


@dataclass(frozen=True, slots=True)
class Route(Generic[S]):
    """One kind of notification.

    `name` is what `disabledEvents` takes, and the name of its golden folder; `also_disabled_by` are further names that
    switch it off. `resource_type` as in the notification. `types` are those that it handles, of messages and changes, by the
    document; `irrelevant` says why one of them comes to nothing, as far as the notification alone tells. `source` says what
    is read of commercetools. `map` turns that into writes, at a time (UTC): there are prices that begin and end. `is_gone` says
    what is to be done when the resource does not exist at the first reading; `vanished` when it was there then and is gone
    after the writes, and whether these have made something new. With `converges` the source is read again after the writes,
    until it has not moved (decisions.md 7).
    """

    name: str
    resource_type: str
    types: Callable[[SyncDocument], Sequence[str]]
    source: type[S]
    map: Callable[[Notification, S, Choices, datetime], Result]
    summary: str
    is_gone: Callable[[Notification, Choices], Result] = _gone
    irrelevant: Callable[[Notification, SyncDocument], SkipReason | None] = _relevant
    vanished: Callable[[Notification, Choices, bool], Result] = _vanished
    converges: bool = False
    also_disabled_by: tuple[str, ...] = ()

    def handles(self, notification: Notification, document: SyncDocument) -> bool:
        """Whether the notification is of this kind."""
        return notification.resource_type == self.resource_type and notification.type in self.types(document)

    @property
    def names(self) -> frozenset[str]:
        """All names that switch it off."""
        return frozenset((self.name, *self.also_disabled_by))

    def disabled(self, notification: Notification, document: SyncDocument) -> bool:
        """Whether the merchant has switched it off, by a name of this route or by the message type."""
        return not {*self.names, notification.type}.isdisjoint(document.disabledEvents)
