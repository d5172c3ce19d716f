"""The stock of a variant (mapping.md "Stock")."""

from __future__ import annotations

from collections.abc import Sequence

from shared.commercetools.catalog import InventoryEntry, Variant
from shared.klaviyo.catalog import CatalogStock, InventoryPolicy
from shared.mapping.choices import Choices

UNKNOWN_QUANTITY = 1_000_000
"""Klaviyo requires a quantity. Of unknown stock it is large, so that it is neither sold out nor, once known, back in stock."""

UNKNOWN = CatalogStock(inventory_quantity=UNKNOWN_QUANTITY, inventory_policy=InventoryPolicy.UNTRACKED)


def stock_of_entries(entries: Sequence[InventoryEntry], choices: Choices) -> CatalogStock:
    """The stock that the inventory entries of one SKU come to, 0 included; unknown when none of them is the one that counts.

    With a channel configured that is the channel's entry, without one the entry that has no channel.
    """
    for entry in entries:
        channel_id = entry.supplyChannel.id if entry.supplyChannel else ""
        if channel_id == choices.stock_channel_id:
            return _tracked(entry.availableQuantity)
    return UNKNOWN


def stock_of_variant(variant: Variant, entries: Sequence[InventoryEntry] | None, choices: Choices) -> CatalogStock:
    """The variant's stock: by those of `entries` that are of its SKU, or, when there are none, as it stands in the product."""
    of_sku = [entry for entry in entries or () if entry.sku == variant.sku]
    return stock_of_entries(of_sku, choices) if of_sku else _stock_in_product(variant, choices)


def is_unknown(stock: CatalogStock) -> bool:
    """Whether nothing is known of the stock, so that its quantity claims nothing."""
    return stock.inventory_policy is InventoryPolicy.UNTRACKED


def _stock_in_product(variant: Variant, choices: Choices) -> CatalogStock:
    availability = variant.availability
    if availability is None:
        return UNKNOWN
    if not choices.stock_channel_id:
        return _tracked(availability.availableQuantity)
    channel = availability.channels.get(choices.stock_channel_id)
    return UNKNOWN if channel is None else _tracked(channel.availableQuantity)


def _tracked(quantity: int | None) -> CatalogStock:
    """More sold than there is: nothing left."""
    if quantity is None:
        return UNKNOWN
    return CatalogStock(inventory_quantity=max(quantity, 0), inventory_policy=InventoryPolicy.TRACKED)
