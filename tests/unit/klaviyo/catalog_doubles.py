"""The simulated Klaviyo's catalog on virtual time, an importer that talks to it, and objects to write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import httpx
import msgspec
from klaviyo_doubles import InProcess, Sandbox, client_of

from shared.budget import Budget
from shared.klaviyo.catalog import CatalogCategory, CatalogItem, CatalogStock, CatalogVariant, InventoryPolicy, compound_id
from shared.klaviyo.catalog_imports import CatalogImporter, CatalogOutcomes
from shared.klaviyo.row_outcomes import Failed, Sent
from shared.slots import Slots


def an_item(number: int, **changed: Any) -> CatalogItem:
    """The `number`-th product."""
    item = CatalogItem(
        external_id=f"p{number}",
        title=f"Product {number}",
        description="None",
        url="https://shop.example.com/",
        price=Decimal("9.5"),
    )
    return msgspec.structs.replace(item, **changed)


def a_variant(number: int, item: str = "p1", **changed: Any) -> CatalogVariant:
    """The `number`-th variant, under an item."""
    variant = CatalogVariant(
        external_id=f"s{number}",
        item_id=item,
        sku=f"s{number}",
        title=f"Variant {number}",
        description="None",
        url="https://shop.example.com/",
        price=Decimal("9.5"),
        stock=CatalogStock(inventory_quantity=number, inventory_policy=InventoryPolicy.TRACKED),
    )
    return msgspec.structs.replace(variant, **changed)


def a_category(number: int, name: str | None = None) -> CatalogCategory:
    """The `number`-th category."""
    return CatalogCategory(external_id=f"c{number}", name=name or f"Category {number}")


Spoil = Callable[[httpx.Request], httpx.Response | None]


class Between(httpx.BaseTransport):
    """Asks `spoil` for another answer first; counts what is asked, by method and path without ids."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self.inner = inner
        self.spoil: Spoil = lambda _: None
        self.asked = Counter[str]()
        self.starts: list[tuple[str, int]] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api/")
        self.asked[f"{request.method} {path.split('/')[0]}{'/one' if '/' in path else ''}"] += 1
        if request.method == "POST":
            (rows,) = msgspec.json.decode(request.read())["data"]["attributes"].values()
            self.starts.append((path, len(rows["data"])))
        return self.spoil(request) or self.inner.handle_request(request)


class CatalogWorld(Sandbox):
    """A simulated Klaviyo, and a catalog importer."""

    def __init__(self, *, rate_share: float = 1.0, jobs_most: int = 500, slots: Slots | None = None, **chosen: Any) -> None:
        super().__init__(**chosen)
        self.between = Between(InProcess(self.app, self.time))
        self.client = client_of(self.between, self.time)
        self.catalog = CatalogImporter(
            self.client, slots=slots, rate_share=rate_share, jobs_most=jobs_most, monotonic=self.time.monotonic
        )

    @property
    def soon(self) -> Budget:
        """More time than anything takes."""
        return self.time.budget()

    def shelf(self, kind: str) -> dict[str, Any]:
        """What the account has of `item`, `variant` or `category`, by external id."""
        shelf = self.account.catalog.shelves[kind]
        return {entry.external_id: entry for entry in shelf.after(0)}

    def with_items(self, *numbers: int) -> None:
        """Items that are there already."""
        assert all_sent(self.catalog.put_items([an_item(number) for number in numbers], (), self.soon))

    def owner_of(self, sku: str) -> str:
        """The item that has a variant."""
        owner: str = self.shelf("variant")[sku].item.external_id
        return owner

    def jobs_asked(self, action: str, kind: str) -> int:
        """How many jobs of a type were started, or tried."""
        return self.between.asked[f"POST catalog-{kind}-bulk-{action}-jobs"]


def all_sent(outcomes: CatalogOutcomes) -> bool:
    """Whether nothing failed."""
    return all(isinstance(outcome, Sent) for outcome in outcomes.outcomes.values())


def failed(outcomes: CatalogOutcomes) -> dict[str, Failed]:
    """What failed."""
    return {name: outcome for name, outcome in outcomes.outcomes.items() if isinstance(outcome, Failed)}


def refused(*pointers: str, status: int = 400, code: str = "invalid") -> httpx.Response:
    """A refusal of a whole request."""
    entries: Sequence[dict[str, object]] = [
        {"id": "1", "code": code, "title": "Invalid.", "detail": "Invalid.", "source": {"pointer": pointer}}
        for pointer in pointers
    ]
    return httpx.Response(status, json={"errors": entries})


def row_ids(request: httpx.Request) -> list[str]:
    """Klaviyo's ids of the rows of a request that starts a job."""
    (rows,) = msgspec.json.decode(request.read())["data"]["attributes"].values()
    return [row.get("id") or compound_id(row["attributes"]["external_id"]) for row in rows["data"]]
