"""Events and metrics of the account. The first event of a profile, a metric and a unique id wins."""

import hashlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec


class Event(NamedTuple):
    """One stored event. `profile` is the profile's number, `second` its time in whole seconds since the epoch."""

    profile: int
    metric: int
    unique_id: str
    second: int
    value: float | None
    currency: str | None
    backfill: bool
    properties: bytes


class Metric(NamedTuple):
    """One metric; it comes to be with its first event."""

    id: str
    name: str
    created: float


class Events:
    """All events in the order of their arrival; `None` stands where one was deleted with its profile."""

    def __init__(self) -> None:
        self.metrics: list[Metric] = []
        self._metric_numbers: dict[str, int] = {}
        self._events: list[Event | None] = []
        self._numbers: dict[tuple[int, int, str], int] = {}

    def metric_number(self, name: str, now: float) -> int:
        """The number of a metric, created when it is new."""
        number = self._metric_numbers.get(name)
        if number is None:
            number = self._metric_numbers[name] = len(self.metrics)
            self.metrics.append(Metric(_metric_id(name), name, now))
        return number

    def metric(self, metric_id: str) -> Metric | None:
        """The metric with this id."""
        return next((metric for metric in self.metrics if metric.id == metric_id), None)

    def has(self, profile: int, metric_name: str, unique_id: str) -> bool:
        """Whether this profile has an event of this metric with this unique id."""
        number = self._metric_numbers.get(metric_name)
        return number is not None and (profile, number, unique_id) in self._numbers

    def store(self, profile: int, attributes: dict[str, Any], second: int, now: float, *, backfill: bool, keep: bool) -> bool:
        """Store an event unless there is one of the same key; without a unique id its second is the key."""
        metric = self.metric_number(attributes["metric"]["data"]["attributes"]["name"], now)
        unique_id = attributes.get("unique_id") or f"second:{second}"
        key = (profile, metric, unique_id)
        if key in self._numbers:
            return False
        self._numbers[key] = len(self._events)
        properties = msgspec.json.encode(attributes["properties"]) if keep else b""
        self._events.append(
            Event(
                profile,
                metric,
                unique_id,
                second,
                attributes.get("value"),
                attributes.get("value_currency"),
                backfill,
                properties,
            )
        )
        return True

    def after(self, number: int) -> Iterator[tuple[int, Event]]:
        """Events with their numbers, from `number` on."""
        for position in range(number, len(self._events)):
            event = self._events[position]
            if event is not None:
                yield position, event

    def get(self, number: int) -> Event | None:
        """The event with this number."""
        return self._events[number] if 0 <= number < len(self._events) else None

    def move(self, source: int, destination: int) -> None:
        """Give all events of one profile to another; those it already has are dropped."""
        for number, event in list(self.after(0)):
            if event.profile == source:
                del self._numbers[event.profile, event.metric, event.unique_id]
                key = (destination, event.metric, event.unique_id)
                taken = key in self._numbers
                self._events[number] = None if taken else event._replace(profile=destination)
                self._numbers.setdefault(key, number)

    def forget(self, profile: int) -> int:
        """Delete the events of a profile; how many there were."""
        gone = [(number, event) for number, event in self.after(0) if event.profile == profile]
        for number, event in gone:
            del self._numbers[event.profile, event.metric, event.unique_id]
            self._events[number] = None
        return len(gone)


def _metric_id(name: str) -> str:
    alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"
    digest = hashlib.sha256(name.encode()).digest()
    return "".join(alphabet[byte % len(alphabet)] for byte in digest[:6])
