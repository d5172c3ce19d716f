"""What a product shows of its variants' stock: it follows the inventory entries, without a new version of the product."""

from collections.abc import Iterable, Mapping
from typing import Any

from sandbox.commercetools.collection import Collection, Resource
from sandbox.commercetools.condition import Compare
from sandbox.commercetools.matching import matcher


def entries_of(inventory: Collection, sku: str) -> list[Resource]:
    """All inventory entries of a SKU."""
    match = matcher(Compare("sku", "=", sku))
    rows = (inventory.full(row) for row in inventory.with_values("sku", [sku]))
    return [entry for entry in rows if match(entry)]


def with_stock(product: Resource, inventory: Collection, skus: frozenset[str] | None = None) -> Resource:
    """The product with what its variants have on stock now; `skus` are those that are looked at, None: all."""
    master = product["masterData"]
    shown = {name: _data(master[name], inventory, skus) for name in ("current", "staged")}
    if all(shown[name] is master[name] for name in shown):
        return product
    return {**product, "masterData": {**master, **shown}}


def sells(product: Resource, sku: str) -> bool:
    """Whether a variant of the product has this SKU, in the current data or the staged."""
    master = product["masterData"]
    return any(variant.get("sku") == sku for name in ("current", "staged") for variant in _variants(master[name]))


def _data(shown: Resource, inventory: Collection, skus: frozenset[str] | None) -> Resource:
    before = _variants(shown)
    after = [_variant(variant, inventory, skus) for variant in before]
    if all(one is other for one, other in zip(before, after, strict=True)):
        return shown
    return {**shown, "masterVariant": after[0], "variants": after[1:]}


def _variant(variant: Resource, inventory: Collection, skus: frozenset[str] | None) -> Resource:
    sku = variant.get("sku")
    if sku is None or (skus is not None and sku not in skus):
        return variant
    stock = _availability(entries_of(inventory, sku))
    if variant.get("availability") == stock:
        return variant
    without = {name: value for name, value in variant.items() if name != "availability"}
    return without if stock is None else {**without, "availability": stock}


def _availability(entries: Iterable[Mapping[str, Any]]) -> Resource | None:
    shown: Resource = {}
    channels: Resource = {}
    for entry in entries:
        available = entry["availableQuantity"]
        stock = {"isOnStock": available > 0, "availableQuantity": available}
        if "restockableInDays" in entry:
            stock["restockableInDays"] = entry["restockableInDays"]
        if "supplyChannel" in entry:
            channels[entry["supplyChannel"]["id"]] = stock
        else:
            shown |= stock
    if channels:
        shown["channels"] = channels
    return shown or None


def _variants(shown: Resource) -> list[Resource]:
    return [shown["masterVariant"], *shown["variants"]]
