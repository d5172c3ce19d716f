"""Orders and a simulated Klaviyo for the tests of the event import."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from klaviyo_doubles import Sandbox

from shared.klaviyo.event_imports import EventImporter, OrderEvents
from shared.klaviyo.events import Event
from shared.klaviyo.limits import EVENT_IMPORT_LIMITS, PackLimits
from shared.klaviyo.profiles import ProfileAttributes
from shared.klaviyo.row_outcomes import RowOutcome

NOW = 1_780_000_000.0
"""A moment of 2026, since Klaviyo takes no events of the future."""


def event(unique_id: str, person: str = "customer-1", *, metric: str = "Placed Order", **changed: Any) -> Event:
    """An event of a person who is known by id and e-mail; `phone` is the profile's, the other changes are the event's."""
    profile = ProfileAttributes(external_id=person, email=f"{person}@example.com", phone_number=changed.pop("phone", None))
    given = {
        "profile": profile,
        "time": "2026-03-01T10:00:00Z",
        "value": Decimal("13.50"),
        "value_currency": "EUR",
        "properties": {"OrderId": unique_id},
        **changed,
    }
    return Event(metric=metric, unique_id=unique_id, **given)


def order(number: int, lines: int = 2, **changed: Any) -> OrderEvents:
    """An order of a customer of its own: placed, and one event for each of its `lines`; the changes are the placing's."""
    name, person = f"order-{number}", f"customer-{number}"
    ordered = [event(f"{name}-line-{line}", person, metric="Ordered Product") for line in range(lines)]
    return OrderEvents(name, (event(name, person, **changed), *ordered))


class EventWorld(Sandbox):
    """A simulated Klaviyo, and an importer of events that talks to it."""

    def __init__(self, *, limits: PackLimits = EVENT_IMPORT_LIMITS, **chosen: Any) -> None:
        super().__init__(NOW, **chosen)
        self.events = EventImporter(self.client, limits=limits)

    def bring(self, orders: Iterable[OrderEvents], seconds: float = 100_000.0) -> list[tuple[str, RowOutcome]]:
        """Import these orders to the end."""
        return list(self.events.import_events(orders, self.time.budget(seconds)))

    def stored(self) -> list[tuple[str, str, str, bool]]:
        """Person, metric, unique id and `backfill` of all that Klaviyo has, sorted."""
        metrics = [metric.name for metric in self.account.events.metrics]
        people = {profile.seq: profile.external_id for profile in self.account.profiles.after(0)}
        return sorted(
            (people[one.profile], metrics[one.metric], one.unique_id, one.backfill) for _, one in self.account.events.after(0)
        )


def as_stored(orders: Iterable[OrderEvents]) -> list[tuple[str, str, str, bool]]:
    """What `EventWorld.stored` shows when Klaviyo has exactly the events of these orders."""
    events = [one for order_ in orders for one in order_.events]
    return sorted({(one.profile.external_id or "", one.metric, one.unique_id, True) for one in events})
