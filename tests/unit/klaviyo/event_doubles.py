"""Orders, a simulated Klaviyo and a scripted one for the tests of the event import."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

import httpx
import msgspec
from klaviyo_doubles import Sandbox, VirtualTime, client_of

from shared.klaviyo.event_imports import EventImporter, OrderEvents
from shared.klaviyo.events import Event
from shared.klaviyo.limits import EVENT_IMPORT_LIMITS, PackLimits
from shared.klaviyo.profiles import ProfileAttributes
from shared.klaviyo.row_outcomes import RowOutcome

NOW = 1_780_000_000.0
"""A moment of 2026, since Klaviyo takes no events of the future."""

OK = httpx.Response(202)
Bulk = Callable[[list[dict[str, Any]]], httpx.Response]
Single = Callable[[dict[str, Any]], httpx.Response]


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


class Refusing:
    """A Klaviyo whose answers are rules of the test's: of the rows of a bulk body (flattened), and of a single event."""

    def __init__(self, bulk: Bulk, single: Single = lambda _: OK) -> None:
        self.bulk, self.single = bulk, single
        self.bodies: list[int] = []
        self.accepted = Counter[str]()
        self.alone: list[str] = []
        self._lock = threading.Lock()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        attributes = msgspec.json.decode(request.read())["data"]["attributes"]
        with self._lock:
            if request.url.path == "/api/events":
                assert attributes["backfill"] is True
                self.alone.append(attributes["unique_id"])
                return self._answered([flat(attributes, attributes)], self.single(flat(attributes, attributes)))
            rows = [
                flat(row["attributes"], row["attributes"]["events"]["data"][0]["attributes"])
                for row in attributes["events-bulk-create"]["data"]
            ]
            self.bodies.append(len(rows))
            return self._answered(rows, self.bulk(rows))

    def _answered(self, rows: list[dict[str, Any]], answer: httpx.Response) -> httpx.Response:
        if answer.status_code == 202:
            self.accepted.update(row["unique_id"] for row in rows)
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    def bring(self, orders: Sequence[OrderEvents]) -> dict[str, RowOutcome]:
        """Import these orders to the end."""
        time = VirtualTime()
        importer = EventImporter(client_of(self, time))
        outcomes = list(importer.import_events(orders, time.budget()))
        assert [order_id for order_id, _ in outcomes] == [one.order_id for one in orders]
        return dict(outcomes)


def flat(of_profile: dict[str, Any], of_event: dict[str, Any]) -> dict[str, Any]:
    """Unique id, and phone if there is one."""
    profile = of_profile["profile"]["data"]["attributes"]
    phone = {"phone": profile["phone_number"]} if "phone_number" in profile else {}
    return {"unique_id": of_event["unique_id"], "person": profile.get("external_id"), **phone}
