"""A simulated Klaviyo for the tests of writes: any number of threads, time that only sleeping moves, every request kept."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx
import msgspec

from sandbox.faults import FaultRule
from sandbox.klaviyo import KlaviyoSandboxSettings, create_app
from shared.budget import Budget
from shared.errors import Interrupted, RateLimited
from shared.klaviyo.catalog import CatalogCategory, CatalogItem, CatalogStock, CatalogVariant, InventoryPolicy, compound_id
from shared.klaviyo.client import KlaviyoClient
from shared.klaviyo.events import Event
from shared.klaviyo.limiter import Limiter
from shared.klaviyo.profiles import ProfileAttributes
from shared.realtime.event_writes import EventMemory
from shared.realtime.sending import WriteResult, send
from shared.realtime.writes import PutProduct, Write

START = 1_800_000_000.0
TRACKED = InventoryPolicy.TRACKED


class StepTime:
    """A clock in seconds that each sleep of any thread sets forward."""

    def __init__(self) -> None:
        self._now = START
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        with self._lock:
            return self._now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._now += max(0.0, seconds)

    def budget(self, seconds: float = 10_000.0) -> Budget:
        return Budget(deadline=self.monotonic() + seconds, monotonic=self.monotonic, sleeper=self.sleep)


@dataclass(frozen=True)
class Seen:
    """One request as it went out; `path` is still percent-encoded and has no query."""

    method: str
    path: str
    query: dict[str, str]
    body: Any


class Recording(httpx.BaseTransport):
    """Serves by an ASGI application in this process, one request at a time, and keeps what was asked."""

    def __init__(self, app: Any) -> None:
        self._transport = httpx.ASGITransport(app)
        self._one_at_a_time = threading.Lock()
        self.seen: list[Seen] = []
        self._afterwards: list[tuple[str, Callable[[], None]]] = []

    def once_after(self, method: str, action: Callable[[], None]) -> None:
        """Do something right after the next request of this method was answered."""
        self._afterwards.append((method, action))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        content = request.read()
        with self._one_at_a_time:
            body = msgspec.json.decode(content) if content else None
            path = request.url.raw_path.decode().split("?")[0]
            self.seen.append(Seen(request.method, path, dict(request.url.params), body))
            try:
                response = asyncio.run(self._respond(request, content))
            except ConnectionError as error:
                raise httpx.ReadError("dropped") from error
            if self._afterwards and self._afterwards[0][0] == request.method:
                self._afterwards.pop(0)[1]()
            return response

    async def _respond(self, request: httpx.Request, content: bytes) -> httpx.Response:
        sent = httpx.Request(request.method, request.url, headers=request.headers, content=content)
        response = await self._transport.handle_async_request(sent)
        return httpx.Response(response.status_code, headers=response.headers, content=await response.aread())


class WriteWorld:
    """A simulated Klaviyo, a client of ours with a share of its quota, and what the one did to the other."""

    def __init__(self, *, rate_share: float = 1.0, **chosen: Any) -> None:
        self.time = StepTime()
        self.app = create_app(KlaviyoSandboxSettings(**chosen), clock=self.time.monotonic, sleep=self._sleep)
        self.account = self.app.state.account
        self.transport = Recording(self.app)
        http = httpx.Client(transport=self.transport, base_url="http://klaviyo.test")
        limiter = Limiter(rate_share=rate_share, monotonic=self.time.monotonic)
        self.memory = EventMemory(monotonic=self.time.monotonic)
        self.client = KlaviyoClient(http, "pk_sandbox", limiter, attempts=3, rng=lambda: 0.0)

    async def _sleep(self, seconds: float) -> None:
        self.time.sleep(seconds)

    def send(
        self,
        write: Write,
        *,
        deduplicate: bool = False,
        seconds: float = 10_000.0,
        created_categories: list[str] | None = None,
        deleted_skus: list[str] | None = None,
    ) -> WriteResult:
        return send(
            write,
            self.client,
            self.time.budget(seconds),
            deduplicate=deduplicate,
            memory=self.memory,
            created_categories=created_categories,
            deleted_skus=deleted_skus,
        )

    def deliveries(self, write: Write, most: int = 60) -> int:
        """How many deliveries of the usual length a write takes, of which all but the last end with a used up quota."""
        for number in range(1, most + 1):
            try:
                self.send(write, seconds=8.5)
            except (RateLimited, Interrupted):
                self.time.sleep(10.0)
            else:
                return number
        raise AssertionError("it is never done")

    def fault(self, **rule: Any) -> None:
        self.account.faults.add(FaultRule(**rule))

    def forget(self) -> None:
        """Forget the requests so far, not what they did."""
        self.transport.seen.clear()
        self.account.ledger.entries.clear()

    def requests(self) -> list[str]:
        """Method, path without `/api/` and the compound ids' prefix, and status, as the simulator's ledger has them."""
        plain = compound_id("")
        return [
            f"{entry.method} {httpx.URL(entry.path).path.removeprefix('/api/').replace(plain, '')} {entry.status}"
            for entry in self.account.ledger.entries
        ]

    def effects(self) -> list[str]:
        """All effects so far, those of jobs that are due included."""
        self.account.backlog.settle_at_once(self.time.monotonic())
        return [f"{effect.kind} {effect.identity}" for effect in self.account.ledger.effects()]

    def catalog(self, kind: str) -> dict[str, Any]:
        """The objects of a kind as they are stored, by external id."""
        return {entry.external_id: entry for entry in self.account.catalog.shelves[kind].after(0)}

    def stored(self, kind: str, external_id: str) -> dict[str, Any]:
        attributes: dict[str, Any] = self.catalog(kind)[external_id].attributes()
        return attributes

    def vanish(self, kind: str, external_id: str) -> None:
        """Somebody else deletes an object; an item's variants go with it by the settings' reading."""
        variants_too = self.account.settings.item_delete == "variants_too"
        self.account.catalog.delete(kind, self.catalog(kind)[external_id], variants_too=variants_too)

    def events(self) -> list[Any]:
        return [event for _, event in self.account.events.after(0)]

    def profile(self, external_id: str) -> Any:
        return self.account.profiles.by_external_id(external_id)


def customer(number: int, **attributes: Any) -> ProfileAttributes:
    given = {"external_id": f"customer-{number}", "email": f"customer-{number}@example.com", **attributes}
    return msgspec.convert(given, ProfileAttributes)


def event(unique_id: str, metric: str = "Placed Order", **changes: Any) -> Event:
    given: dict[str, Any] = {
        "metric": metric,
        "profile": customer(1),
        "unique_id": unique_id,
        "time": "2026-11-20T10:00:00+00:00",
        "value": Decimal("13.10"),
        "value_currency": "EUR",
        "properties": {"OrderId": "order-1", "Items": [{"SKU": "s", "ItemPrice": Decimal("13.10")}]},
    }
    return Event(**{**given, **changes})


def category(external_id: str, name: str = "Women > Pants") -> CatalogCategory:
    return CatalogCategory(external_id=external_id, name=name)


def item(external_id: str = "p1", *categories: str, **changes: Any) -> CatalogItem:
    given: dict[str, Any] = {
        "external_id": external_id,
        "title": "Jeans",
        "description": "Blue",
        "url": "https://shop.example.com/jeans",
        "price": Decimal("19.99"),
        "custom_metadata": {"title_json": '{"en":"Jeans"}'},
        "categories": categories,
    }
    return CatalogItem(**{**given, **changes})


def variant(sku: str, of: str = "p1", **changes: Any) -> CatalogVariant:
    given: dict[str, Any] = {
        "external_id": sku,
        "item_id": of,
        "sku": sku,
        "title": "Jeans 32",
        "description": "Blue",
        "url": "https://shop.example.com/jeans",
        "price": Decimal("19.99"),
        "stock": CatalogStock(inventory_quantity=5, inventory_policy=TRACKED),
    }
    return CatalogVariant(**{**given, **changes})


def product(*skus: str, of: str = "p1", categories: tuple[str, ...] = (), **changes: Any) -> PutProduct:
    """A product with these variants and links; its categories can be named unless told otherwise."""
    named = tuple(category(external_id, f"Category {external_id}") for external_id in categories)
    chosen: dict[str, Any] = {"categories": named, **changes}
    return PutProduct(item(of, *categories), tuple(variant(sku, of) for sku in skus), **chosen)
