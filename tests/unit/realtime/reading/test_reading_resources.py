"""Customers, products, categories and stock as they are at the moment of reading (decisions.md 7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from reading_world import NOWHERE, World, budget, notification, pauses_of, read

from shared.commercetools.client import open_commercetools
from shared.errors import HostDown, PermanentError
from shared.mapping.result import Adjustment
from shared.mapping.sources import CategorySource, CustomerSource, ProductSource, StockSource
from shared.reading.lookups import TTL_S
from shared.realtime.notification import Notification
from shared.realtime.reading import Sources
from shared.realtime.route import NoSource
from shared.settings.document import SyncDocument
from shared.settings.model import MappingSettings

FORBIDDEN = {"kind": "status", "status": 403}


def product_row(world: World, mode: str = "Embedded") -> dict[str, Any]:
    """A published product with a category and more than one variant."""

    def wanted(row: dict[str, Any]) -> bool:
        data = row["masterData"]["current"]
        return (
            row["masterData"]["published"]
            and row.get("priceMode", "Embedded") == mode
            and bool(data["variants"] and data["categories"])
        )

    return world.row("products", wanted)


def skus_of(row: dict[str, Any]) -> set[str]:
    data = row["masterData"]["current"]
    return {variant["sku"] for variant in [data["masterVariant"], *data["variants"]] if "sku" in variant}


def published(row: dict[str, Any]) -> Notification:
    return notification("ProductPublished", "product", row["id"])


def entries_in(world: World, skus: set[str]) -> list[str]:
    """The ids of all inventory entries of these SKUs, in their order."""
    return sorted(row["id"] for row in world.rows("inventory") if row["sku"] in skus)


def test_a_customer_comes_with_the_name_of_the_group(world: World) -> None:
    """In one request."""
    row = world.row("customers", lambda row: "customerGroup" in row)
    world.asked()
    customer = read(world.sources(), CustomerSource, notification("ResourceUpdated", "customer", row["id"])).source.customer
    assert world.asked() == {"customers/{id}": 1}
    assert customer.customerGroup is not None
    assert customer.customerGroup.obj is not None
    group = world.row("customer-groups", lambda group: group["id"] == row["customerGroup"]["id"])
    assert customer.customerGroup.obj.name == group["name"]


def test_a_customer_whose_group_may_not_be_read_comes_without_its_name(world: World) -> None:
    """The expansion is left out for a while, then tried again."""
    row, sources = world.row("customers", lambda row: "customerGroup" in row), world.sources()
    about = notification("ResourceUpdated", "customer", row["id"])
    world.fails({**FORBIDDEN, "endpoint": "customers/{id}", "first": 1})
    world.asked()
    for requests in (2, 1, 1):
        found = read(sources, CustomerSource, about)
        assert found.source.customer.customerGroup is not None
        assert found.source.customer.customerGroup.obj is None
        assert found.adjustments == (Adjustment.LOOKUP_FORBIDDEN,)
        assert world.asked() == {"customers/{id}": requests}
    world.clock.now += TTL_S
    found = read(sources, CustomerSource, about)
    assert found.source.customer.customerGroup is not None
    assert (found.source.customer.customerGroup.obj is None, found.adjustments) == (False, ())


@pytest.mark.parametrize(
    ("source", "about"),
    [
        (CustomerSource, notification("ResourceUpdated", "customer", NOWHERE)),
        (ProductSource, notification("ProductPublished", "product", NOWHERE)),
        (CategorySource, notification("ResourceUpdated", "category", NOWHERE)),
        (StockSource, notification("ResourceUpdated", "inventory-entry", NOWHERE)),
    ],
    ids=lambda value: getattr(value, "resource_type", ""),
)
def test_what_is_gone_is_none(world: World, source: Any, about: Notification) -> None:
    """404 of the resource itself."""
    assert world.sources().read(source, about, budget()) is None


def test_nothing_is_read_for_a_notification_that_says_everything(world: World) -> None:
    """Not even a token."""
    world.asked()
    assert read(world.sources(), NoSource, notification("ResourceDeleted", "category", NOWHERE)).source == NoSource()
    assert world.asked() == {}


def test_a_product_comes_with_breadcrumbs_and_stock_in_two_requests(world: World) -> None:
    """Categories with the names of all above them; the entries of all its SKUs and of no other, in id order."""
    row = product_row(world)
    world.asked()
    found = read(world.sources(), ProductSource, published(row))
    assert world.asked() == {"product-projections/{id}": 1, "inventory": 1}
    source = found.source
    assert (source.product.id, source.standalone_prices, found.adjustments) == (row["id"], [], ())
    assert all(category.obj for category in source.product.categories)
    assert all(above.obj for category in source.product.categories if category.obj for above in category.obj.ancestors)
    assert source.entries is not None
    assert [entry.id for entry in source.entries] == entries_in(world, skus_of(row)) != []


def test_a_product_with_standalone_prices_comes_with_those_of_its_skus(world: World) -> None:
    """Asked for only by the price mode."""
    row = product_row(world, "Standalone")
    world.asked()
    source = read(world.sources(), ProductSource, published(row)).source
    assert world.asked() == {"product-projections/{id}": 1, "inventory": 1, "standalone-prices": 1}
    prices = sorted(price["id"] for price in world.rows("standalone-prices") if price["sku"] in skus_of(row))
    assert [price.id for price in source.standalone_prices] == prices != []


def test_an_unpublished_product_is_none(world: World) -> None:
    """There is no projection of it."""
    row = product_row(world)
    world.change("products", row["id"], masterData={**row["masterData"], "published": False})
    assert world.sources().read(ProductSource, published(row), budget()) is None


def test_many_entries_of_a_product_are_read_over_all_pages(world: World) -> None:
    """Five hundred a page."""
    row = product_row(world)
    sku = min(skus_of(row))
    for number in range(600):
        world.create("inventory", id=f"{number:08x}-0000-4000-8000-000000000000", sku=sku, availableQuantity=number)
    expected = entries_in(world, skus_of(row))
    world.asked()
    entries = read(world.sources(), ProductSource, published(row)).source.entries
    assert world.asked()["inventory"] == 2
    assert entries is not None
    assert [entry.id for entry in entries] == expected
    assert len(expected) > 600


def test_stock_and_prices_that_may_not_be_read_are_done_without(world: World) -> None:
    """Then the stock in the product counts; not asked for again for a while."""
    row, sources = product_row(world, "Standalone"), world.sources()
    world.fails({**FORBIDDEN, "endpoint": "inventory"}, {**FORBIDDEN, "endpoint": "standalone-prices"})
    world.asked()
    for requests in (3, 1):
        found = read(sources, ProductSource, published(row))
        assert (found.source.entries, found.source.standalone_prices) == (None, [])
        assert found.adjustments == (Adjustment.LOOKUP_FORBIDDEN,)
        assert sum(world.asked().values()) == requests


def test_stock_that_fails_is_not_done_without(world: World) -> None:
    """A product's state can be sent again, so that it is never sent with half of what is known."""
    row, sources = product_row(world), world.sources()
    world.fails({"kind": "status", "status": 503, "endpoint": "inventory"})
    with pytest.raises(HostDown):
        sources.read(ProductSource, published(row), pauses_of(1.0))
    world.fails({"kind": "status", "status": 400, "endpoint": "inventory"})
    with pytest.raises(PermanentError):
        sources.read(ProductSource, published(row), budget())


def _change_product(world: World, row: dict[str, Any]) -> None:
    world.change("products", row["id"], key="another-key")


def _change_stock(world: World, row: dict[str, Any]) -> None:
    world.change("inventory", entries_in(world, skus_of(row))[0], availableQuantity=123_456)


def _change_price(world: World, row: dict[str, Any]) -> None:
    price = world.row("standalone-prices", lambda price: price["sku"] in skus_of(row))
    world.change("standalone-prices", price["id"], active=not price.get("active", True))


def _change_category_name(world: World, row: dict[str, Any]) -> None:
    world.change("categories", row["masterData"]["current"]["categories"][0]["id"], name={"de": "Anders"})


@pytest.mark.parametrize("change", [_change_product, _change_stock, _change_price, _change_category_name])
def test_a_second_reading_differs_exactly_when_something_has_changed(
    world: World, change: Callable[[World, dict[str, Any]], None]
) -> None:
    """Nothing of a product comes from memory."""
    row, sources = product_row(world, "Standalone"), world.sources()
    before = read(sources, ProductSource, published(row)).source
    assert read(sources, ProductSource, published(row)).source == before
    change(world, row)
    assert read(sources, ProductSource, published(row)).source != before


def test_a_category_comes_with_all_below_it(world: World) -> None:
    """Each with the names of all above it."""
    rows = world.rows("categories")
    root = next(row for row in rows if not row["ancestors"])
    below = sorted(row["id"] for row in rows if root["id"] in [above["id"] for above in row["ancestors"]])
    world.asked()
    source = read(world.sources(), CategorySource, notification("ResourceUpdated", "category", root["id"])).source
    assert world.asked() == {"categories/{id}": 1, "categories": 1}
    assert source.category.name == root["name"]
    assert [category.id for category in source.descendants] == below != []
    assert all(above.obj for category in source.descendants for above in category.ancestors)
    assert {len(category.ancestors) for category in source.descendants} == {1, 2}


def test_categories_that_are_there_are_found_by_one_query_and_the_others_asked_for_by_id(world: World) -> None:
    """Only the 404 of a category itself says that it is gone."""
    there = [row["id"] for row in world.rows("categories")]
    sources = world.sources()
    world.asked()
    assert sources.missing_categories(there, budget()) == []
    assert world.asked() == {"categories": 1}
    assert sources.missing_categories([there[0], NOWHERE], budget()) == [NOWHERE]
    assert world.asked() == {"categories": 1, "categories/{id}": 1}


def test_a_category_that_a_query_does_not_know_yet_is_not_missing() -> None:
    """It was created a moment ago."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/token"):
            return httpx.Response(200, json={"access_token": "t", "expires_in": 3600})
        return httpx.Response(200, json={"id": NOWHERE} if request.url.path.endswith(NOWHERE) else {"results": []})

    url = "http://commercetools.test"
    client = open_commercetools(
        api_url=url, auth_url=url, project_id="p", client_id="c", secret="s", transport=httpx.MockTransport(answer)
    )
    sources = Sources(client, MappingSettings("", "", "", SyncDocument()))
    assert sources.missing_categories([NOWHERE], budget()) == []
    client.close()


def test_stock_is_read_by_sku_from_wherever_the_sku_is_known(world: World) -> None:
    """The notification's own identifiers, the fields of a deletion, else the entry; all entries of that SKU."""
    entry = world.row("inventory", lambda row: "supplyChannel" in row)
    sku, sources = entry["sku"], world.sources()
    expected = entries_in(world, {sku})
    updated = notification("ResourceUpdated", "inventory-entry", entry["id"])
    identified = notification("ResourceDeleted", "inventory-entry", NOWHERE, sku)
    deleted = notification("InventoryEntryDeleted", "inventory-entry", NOWHERE, sku=None, supplyChannel=None)
    named = Notification(
        type=deleted.type,
        resource_type=deleted.resource_type,
        resource_id=NOWHERE,
        at=deleted.at,
        body=b'{"sku":"%s"}' % sku.encode(),
    )
    for about, requests in (
        (updated, {"inventory/{id}": 1, "inventory": 1}),
        (identified, {"inventory": 1}),
        (named, {"inventory": 1}),
    ):
        world.asked()
        source = read(sources, StockSource, about).source
        assert (source.sku, [row.id for row in source.entries]) == (sku, expected)
        assert world.asked() == requests
    assert sources.read(StockSource, deleted, budget()) is None


def test_a_sku_without_entries_has_none(world: World) -> None:
    """Its last entry was deleted."""
    found = read(world.sources(), StockSource, notification("ResourceDeleted", "inventory-entry", NOWHERE, 'odd "SKU" :x & y'))
    assert (found.source.sku, found.source.entries) == ('odd "SKU" :x & y', [])


def test_a_resource_of_another_form_than_documented_is_a_permanent_failure_that_names_the_place(world: World) -> None:
    """And no value."""
    row = world.row("customers")
    world.change("customers", row["id"], firstName={"someone": "else"})
    with pytest.raises(PermanentError, match="unreadable") as caught:
        world.sources().read(CustomerSource, notification("ResourceUpdated", "customer", row["id"]), budget())
    assert (caught.value.pointer, caught.value.reason) == ("firstName", "unreadable")
