"""Is the catalog what is published? Said from the two simulators alone, by rules written down here once more.

The rules are those without any configuration: products by their id, variants by SKU, categories with their path as name, the
stock of the inventory entry that has no channel.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from sandbox.checker_sources import resources, stored

UNTRACKED, UNTRACKED_QUANTITY = 2, 1_000_000
"""What stands for stock of which nothing is known."""

_Rows = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class CatalogCheck:
    """How many of each there are in Klaviyo, and all that is wrong, in words."""

    items: int
    variants: int
    categories: int
    problems: tuple[str, ...]


def check_catalog(commercetools_url: str, klaviyo_url: str) -> CatalogCheck:
    """Compare products, categories and stock of the simulated project with the catalog of the simulated account."""
    categories = {row["id"]: row for row in resources(commercetools_url, "categories")}
    shown = {row["id"]: row for row in resources(commercetools_url, "products") if row["masterData"]["published"]}
    stock = {row["sku"]: row for row in resources(commercetools_url, "inventory") if "supplyChannel" not in row}
    held: dict[str, _Rows] = {"item": {}, "variant": {}, "category": {}}
    for row in stored(klaviyo_url, "catalog"):
        held[row["kind"].removeprefix("catalog-")][row["external_id"]] = row
    problems = [
        *category_problems(categories, held["category"]),
        *_items(shown, categories, held["item"]),
        *_variants(shown, stock, held["variant"]),
    ]
    return CatalogCheck(len(held["item"]), len(held["variant"]), len(held["category"]), tuple(problems))


def category_problems(categories: _Rows, held: _Rows) -> Iterator[str]:
    """All categories, each under its path, and no other."""
    yield from presence("category", categories.keys(), held.keys())
    for identifier in categories.keys() & held.keys():
        path = [categories[above["id"]] for above in categories[identifier]["ancestors"]] + [categories[identifier]]
        name = " > ".join(text_of(row["name"]) for row in path)
        found = held[identifier]["attributes"]["name"]
        if found != name:
            yield f"category {identifier} is named '{found}', not '{name}'"


def _items(shown: _Rows, categories: _Rows, held: _Rows) -> Iterator[str]:
    yield from presence("item", shown.keys(), held.keys())
    for identifier in shown.keys() & held.keys():
        current = shown[identifier]["masterData"]["current"]
        own = {reference["id"] for reference in current["categories"]}
        above = {row["id"] for id_ in own for row in categories[id_]["ancestors"]}
        linked = set(held[identifier]["categories"])
        if not own <= linked <= own | above:
            yield f"item {identifier} is in {sorted(linked)}, not in {sorted(own)} or also {sorted(above - own)}"
        title = held[identifier]["attributes"]["title"]
        if title != text_of(current["name"]):
            yield f"item {identifier} has the title '{title}', not '{text_of(current['name'])}'"


def _variants(shown: _Rows, stock: _Rows, held: _Rows) -> Iterator[str]:
    owners = {
        variant["sku"]: product["id"]
        for product in shown.values()
        for variant in (product["masterData"]["current"]["masterVariant"], *product["masterData"]["current"]["variants"])
        if "sku" in variant
    }
    yield from presence("variant", owners.keys(), held.keys())
    for sku in owners.keys() & held.keys():
        if held[sku]["item"] != owners[sku]:
            yield f"variant {sku} is of item {held[sku]['item']}, not of {owners[sku]}"
        attributes = held[sku]["attributes"]
        found = (attributes["inventory_quantity"], attributes["inventory_policy"])
        wanted = (max(0, stock[sku]["availableQuantity"]), 1) if sku in stock else (UNTRACKED_QUANTITY, UNTRACKED)
        if found != wanted:
            yield f"variant {sku} has the stock (quantity, policy) {found}, not {wanted}"


def presence(what: str, wanted: AbstractSet[str], found: AbstractSet[str]) -> Iterator[str]:
    """What of a kind is missing, and what should not be there."""
    for identifier in sorted(wanted - found):
        yield f"{what} {identifier} is missing"
    for identifier in sorted(found - wanted):
        yield f"{what} {identifier} should not be there"


def text_of(localized: Mapping[str, str]) -> str:
    """The first text that is not blank, trimmed: what a project without a preferred locale shows; empty when there is none."""
    return next((text.strip() for text in localized.values() if text.strip()), "")
