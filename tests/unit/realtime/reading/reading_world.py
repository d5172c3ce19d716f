"""A simulated commercetools project over real connections, and what is read from it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx
import msgspec

from shared.budget import Budget, budget_of
from shared.commercetools.client import CommercetoolsClient
from shared.realtime.notification import Notification
from shared.realtime.reading import Reading, Sources
from shared.settings.document import SyncDocument
from shared.settings.document_check import check_document
from shared.settings.model import MappingSettings

S = TypeVar("S", bound=msgspec.Struct)

DEADLINE_S = 8.5
NOWHERE = "ffffffff-ffff-4fff-8fff-ffffffffffff"
AT = "2026-05-01T12:00:00.000Z"


class Clock:
    """Seconds that a test lets pass."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass(slots=True)
class World:
    """One project, and a process that reads from it; `clock` is the one of its caches."""

    control: httpx.Client
    client: CommercetoolsClient
    clock: Clock = field(default_factory=Clock)
    document: SyncDocument = field(default_factory=SyncDocument)

    def sources(self) -> Sources:
        """The sources of a new process."""
        mapping = MappingSettings("https://shop.example.com/{{productSlug}}", "de", "EUR", self.document)
        return Sources(self.client, mapping, monotonic=self.clock)

    def rows(self, collection: str) -> list[dict[str, Any]]:
        """All resources of a kind as they are now."""
        answer = self.control.get(f"/{collection}", params={"whole": "true"})
        return [json.loads(line) for line in answer.text.splitlines()]

    def row(self, collection: str, wanted: Callable[[dict[str, Any]], Any] = lambda _row: True) -> dict[str, Any]:
        """The first resource that is wanted."""
        return next(row for row in self.rows(collection) if wanted(row))

    def create(self, collection: str, **fields: Any) -> dict[str, Any]:
        """A new resource."""
        answer = self.control.post(f"/{collection}", json=fields)
        answer.raise_for_status()
        made: dict[str, Any] = answer.json()
        return made

    def change(self, collection: str, identifier: str, **fields: Any) -> None:
        """Change a resource."""
        self.control.patch(f"/{collection}/{identifier}", json=fields).raise_for_status()

    def delete(self, collection: str, identifier: str) -> None:
        """Remove a resource."""
        self.control.delete(f"/{collection}/{identifier}").raise_for_status()

    def fails(self, *rules: dict[str, Any]) -> None:
        """Replace the faults; none without arguments."""
        self.control.post("/faults", json=list(rules)).raise_for_status()

    def asked(self) -> dict[str, int]:
        """How often each kind of path was asked since the last time, in vain or not, without tokens."""
        counts: dict[str, int] = {}
        answer = self.control.get("/requests").json()
        for entry in [*answer["requests"], *answer["faults"]]:
            if entry["endpoint"] != "oauth/token":
                counts[entry["endpoint"]] = counts.get(entry["endpoint"], 0) + entry["count"]
        self.control.delete("/requests").raise_for_status()
        return counts


def configured(**document: Any) -> SyncDocument:
    """A document with these parts, the rest as by default."""
    checked, problems = check_document(document)
    assert not problems
    return checked


def budget() -> Budget:
    """What a realtime message gets."""
    return budget_of(DEADLINE_S)


def pauses_of(seconds: float) -> Budget:
    """Time for pauses of so many seconds between attempts, which nobody really waits for; nothing else takes any."""
    clock = Clock()

    def sleep(pause_s: float) -> None:
        clock.now += pause_s

    return Budget(clock.now + seconds, clock, sleep)


def notification(kind: str, resource_type: str, resource_id: str, sku: str | None = None, **fields: Any) -> Notification:
    """A notification; without `fields` its own were left out."""
    body = msgspec.json.encode(fields) if fields else b"{}"
    return Notification(
        type=kind,
        resource_type=resource_type,
        resource_id=resource_id,
        at=AT,
        has_payload=bool(fields),
        sku=sku,
        body=body,
    )


def read(sources: Sources, source: type[S], about: Notification) -> Reading[S]:
    """What is read of a resource that exists."""
    found = sources.read(source, about, budget())
    assert found is not None
    return found
