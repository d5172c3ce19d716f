"""What Klaviyo should have at the end: the mapping of the project's final state, by the product's own pure functions."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from sandbox.checker_sources import resources, stored
from sandbox.notifications.project import ProjectControl
from shared.commercetools.catalog import Category, InventoryEntry, ProductProjection, StandalonePrice
from shared.commercetools.orders import Order
from shared.commercetools.resources import Customer
from shared.mapping.category import category_of
from shared.mapping.choices import Choices
from shared.mapping.customer import profile_of
from shared.mapping.order_events import placed_order
from shared.mapping.product import product_of
from shared.mapping.result import Skip
from shared.mapping.sources import OrderSource, ProductSource
from shared.settings.document import CustomerRules

T = TypeVar("T")

CHOICES = Choices()
"""A project without any configuration."""

Rows = dict[tuple[str, str], dict[str, Any]]


def differences(commercetools_url: str, klaviyo_url: str, *, buyers: Collection[str]) -> list[str]:
    """Everything in which Klaviyo differs from the mapping of the project, in words.

    `buyers` are customers in whose names somebody has ordered: their location may be that of an order. A phone that several
    customers have belongs to one of them.
    """
    project = ProjectControl(commercetools_url)
    catalog = {(row["kind"], row["external_id"]): row for row in stored(klaviyo_url, "catalog")}
    found = [
        *_catalog(project, catalog),
        *_profiles(commercetools_url, klaviyo_url, frozenset(buyers)),
        *_events(commercetools_url, klaviyo_url),
    ]
    project.close()
    return found


def _catalog(project: ProjectControl, catalog: Rows) -> Iterator[str]:
    mapped: Rows = {}
    for row in project.all("categories"):
        shown = _as(Category, project.get("categories", row["id"], expand="ancestors[*]"))
        category = category_of(shown, CHOICES.locale)
        mapped["category", category.external_id] = {"attributes": {"name": category.name}}
    entries = [_as(InventoryEntry, row) for row in project.all("inventory")]
    prices = [_as(StandalonePrice, row) for row in project.all("standalone-prices")]
    for row in project.all("products"):
        answer = project.get("product-projections", row["id"], expand="categories[*].ancestors[*]")
        if answer is not None:
            mapped.update(_product(_as(ProductProjection, answer), entries, prices))
    for key in sorted(mapped.keys() ^ catalog.keys()):
        yield f"{' '.join(key)} is {'missing' if key in mapped else 'there'}"
    for key in sorted(mapped.keys() & catalog.keys()):
        for part, wanted in mapped[key].items():
            yield from _unlike(" ".join(key), part, catalog[key][part], wanted)


def _product(product: ProductProjection, entries: list[InventoryEntry], prices: list[StandalonePrice]) -> Rows:
    skus = {variant.sku for variant in product.all_variants}
    own = [entry for entry in entries if entry.sku in skus]
    source = ProductSource(product=product, entries=own, standalone_prices=[price for price in prices if price.sku in skus])
    mapped = product_of(source, CHOICES, datetime.now(UTC))
    item = msgspec.structs.asdict(mapped.item)
    rows: Rows = {
        ("item", item.pop("external_id")): {
            "categories": sorted(item.pop("categories")),
            "attributes": item,
        }
    }
    for variant in mapped.variants:
        attributes = msgspec.structs.asdict(variant)
        stock = attributes.pop("stock")
        attributes |= {"inventory_quantity": stock.inventory_quantity, "inventory_policy": int(stock.inventory_policy)}
        rows["variant", attributes.pop("external_id")] = {"item": attributes.pop("item_id"), "attributes": attributes}
    return rows


def _profiles(commercetools_url: str, klaviyo_url: str, buyers: frozenset[str]) -> Iterator[str]:
    profiles = {row["external_id"]: row["attributes"] for row in stored(klaviyo_url, "profiles")}
    mapped = [profile_of(_as(Customer, row), CustomerRules()) for row in resources(commercetools_url, "customers")]
    for one in mapped:
        assert not isinstance(one, Skip)
        attributes = msgspec.to_builtins(one.attributes)
        identifier = attributes["external_id"]
        attributes.pop("phone_number", None)  # whoever wrote it first has it
        if identifier in buyers:
            attributes.pop("location", None)
        yield from _unlike(f"profile {identifier}", "attributes", profiles.get(identifier, {}), attributes)


def _events(commercetools_url: str, klaviyo_url: str) -> Iterator[str]:
    events = {(row["metric"], row["unique_id"]): row for row in stored(klaviyo_url, "events")}
    for row in resources(commercetools_url, "orders"):
        placed = placed_order(OrderSource(order=_as(Order, row)), CHOICES)
        for event in () if isinstance(placed, Skip) else placed.events:
            found = events.get((event.metric, event.unique_id), {})
            wanted = {
                "value": event.value,
                "value_currency": event.value_currency,
                "time": int(datetime.fromisoformat(event.time).timestamp()),
            }
            yield from _unlike(f"{event.metric} {event.unique_id}", "attributes", found, wanted)


def _unlike(name: str, part: str, found: Any, wanted: Any) -> Iterator[str]:
    """In what `found` differs; what the mapping leaves out (None) is not looked at."""
    if not isinstance(wanted, Mapping):
        if _plain(found) != _plain(wanted):
            yield f"{name}: {part} is {found!r}, not {wanted!r}"
        return
    for key, value in wanted.items():
        if value is not None:
            yield from _unlike(name, f"{part}.{key}", found.get(key), value)


def _plain(value: Any) -> Any:
    return Decimal(str(value)) if isinstance(value, int | float | Decimal) and not isinstance(value, bool) else value


def _as(wanted: type[T], resource: Any) -> T:
    return msgspec.convert(resource, wanted)
