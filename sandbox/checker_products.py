"""Is every published product in the catalog as it is? For imports of any size: products are read one at a time.

The rules are those without any configuration, written down here once more: items by product id, variants by SKU, the first
text, the price for everybody, the stock of the entry that has no channel, the first image, links to categories with all above.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sandbox.checker_catalog import UNTRACKED, UNTRACKED_QUANTITY, presence, text_of
from sandbox.checker_prices import price_of
from sandbox.checker_sources import resources

MAX_TITLE_BYTES = 1_000
"""What a title is cut to."""

_MAX_SKU_CHARS = 256
_Rows = Mapping[str, "Held"]


@dataclass(frozen=True, slots=True)
class Held:
    """What Klaviyo has of an item or a variant."""

    item: str | None
    categories: frozenset[str]
    title: str
    price: float | None
    image: str | None
    published: bool
    stock: tuple[int, int] | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Held:
        """A line of Klaviyo's dump."""
        shown = row["attributes"]
        stock = (shown["inventory_quantity"], shown["inventory_policy"]) if row["kind"] == "variant" else None
        return cls(
            row["item"],
            frozenset(row["categories"]),
            shown["title"],
            shown.get("price"),
            shown.get("image_full_url"),
            shown["published"],
            stock,
        )


@dataclass(frozen=True, slots=True)
class Sources:
    """What products refer to: resources of the simulated project."""

    categories: Iterable[Mapping[str, Any]]
    inventory: Iterable[Mapping[str, Any]]
    standalone_prices: Iterable[Mapping[str, Any]]

    @classmethod
    def of(cls, commercetools_url: str) -> Sources:
        """All of a project."""
        return cls(
            resources(commercetools_url, "categories", "id,ancestors"),
            resources(commercetools_url, "inventory", "sku,supplyChannel,availableQuantity"),
            resources(commercetools_url, "standalone-prices"),
        )


class Shelves:
    """What Klaviyo has of products, to be compared with what there is of them."""

    def __init__(self, items: _Rows, variants: _Rows, sources: Sources, now: str) -> None:
        """`now`: the moment whose prices count, ISO 8601 in UTC."""
        self._items, self._variants, self._now = items, variants, now
        self._above = {row["id"]: frozenset(above["id"] for above in row["ancestors"]) for row in sources.categories}
        entries = sources.inventory
        self._stock = {row["sku"]: max(0, row["availableQuantity"]) for row in entries if "supplyChannel" not in row}
        self._standalone: dict[str, list[Mapping[str, Any]]] = {}
        for price in sources.standalone_prices:
            if price["active"]:
                self._standalone.setdefault(price["sku"], []).append(price)

    def problems(self, projections: Iterator[Mapping[str, Any]]) -> Iterator[str]:
        """All that is wrong, in words; `projections` are those of all published products."""
        items: set[str] = set()
        variants: dict[str, str] = {}
        for product in projections:
            items.add(product["id"])
            yield from self._item(product)
            for variant in sellable(product):
                variants[variant["sku"]] = product["id"]
                yield from self._variant(product, variant)
        yield from presence("item", items, self._items.keys())
        yield from presence("variant", variants.keys(), self._variants.keys())
        for sku in variants.keys() & self._variants.keys():
            if self._variants[sku].item != variants[sku]:
                yield f"variant {sku} is of item {self._variants[sku].item}, not of {variants[sku]}"

    def _item(self, product: Mapping[str, Any]) -> Iterator[str]:
        held, name = self._items.get(product["id"]), f"item {product['id']}"
        if held is None:
            return
        own = frozenset(reference["id"] for reference in product["categories"]) & self._above.keys()
        above = frozenset[str]().union(*(self._above[identifier] for identifier in own))
        if not own <= held.categories <= own | above:
            yield f"{name} is in {sorted(held.categories)}, not in {sorted(own)} or also {sorted(above - own)}"
        master = product["masterVariant"]
        yield from _differences(name, held, product, self._price(product, master), _image(master))

    def _variant(self, product: Mapping[str, Any], variant: Mapping[str, Any]) -> Iterator[str]:
        held, name = self._variants.get(variant["sku"]), f"variant {variant['sku']}"
        if held is None:
            return
        image = _image(variant) or _image(product["masterVariant"])
        yield from _differences(name, held, product, self._price(product, variant), image)
        tracked = self._stock.get(variant["sku"])
        wanted = (UNTRACKED_QUANTITY, UNTRACKED) if tracked is None else (tracked, 1)
        if held.stock != wanted:
            yield f"{name} has the stock (quantity, policy) {held.stock}, not {wanted}"

    def _price(self, product: Mapping[str, Any], variant: Mapping[str, Any]) -> Decimal:
        standalone = product.get("priceMode") == "Standalone"
        prices = self._standalone.get(variant.get("sku", ""), ()) if standalone else variant["prices"]
        return price_of(prices, self._now)


def sellable(product: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The variants that have a SKU which can be a catalog id, each SKU once."""
    found: dict[str, Mapping[str, Any]] = {}
    for variant in (product["masterVariant"], *product["variants"]):
        sku = variant.get("sku", "")
        if sku.strip() and ":::" not in sku and len(sku) <= _MAX_SKU_CHARS:
            found.setdefault(sku, variant)
    return list(found.values())


def _differences(name: str, held: Held, product: Mapping[str, Any], price: Decimal, image: str | None) -> Iterator[str]:
    title = text_of(product["name"])
    cut = len(title.encode()) > MAX_TITLE_BYTES and title.startswith(held.title)
    if held.title != title and not cut:
        yield f"{name} has the title '{held.title}', not '{title}'"
    if held.price is None or Decimal(str(held.price)) != price:
        yield f"{name} costs {held.price}, not {price}"
    if held.image != image:
        yield f"{name} has the image {held.image}, not {image}"
    if not held.published:
        yield f"{name} is hidden"


def _image(variant: Mapping[str, Any]) -> str | None:
    return next((str(image["url"]) for image in variant["images"]), None)
