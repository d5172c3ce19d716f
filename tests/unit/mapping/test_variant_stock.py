"""How many there are of a variant (mapping.md "Stock", the matrix of reference.md 3.6; case 72)."""

from __future__ import annotations

import pytest

from shared.commercetools.catalog import Availability, ChannelAvailability, InventoryEntry, Reference, Variant
from shared.klaviyo.catalog import CatalogStock, InventoryPolicy
from shared.mapping.choices import Choices
from shared.mapping.stock import UNKNOWN, UNKNOWN_QUANTITY, is_unknown, stock_of_entries, stock_of_variant


def entry(quantity: int, channel: str = "", sku: str = "sku") -> InventoryEntry:
    """An inventory entry; without `channel` it has none."""
    supply = Reference(id=channel) if channel else None
    return InventoryEntry(id=f"{sku}/{channel}", sku=sku, supplyChannel=supply, availableQuantity=quantity)


def variant(total: int | None = None, **channels: int | None) -> Variant:
    """A variant as it stands in the product, with its total and the quantities of channels."""
    by_channel = {name: ChannelAvailability(availableQuantity=quantity) for name, quantity in channels.items()}
    return Variant(sku="sku", availability=Availability(availableQuantity=total, channels=by_channel))


def tracked(quantity: int) -> CatalogStock:
    """So many, counted."""
    return CatalogStock(inventory_quantity=quantity, inventory_policy=InventoryPolicy.TRACKED)


def expected_stock(quantity: int | None) -> CatalogStock:
    """So many, or unknown for None."""
    return UNKNOWN if quantity is None else tracked(quantity)


@pytest.mark.parametrize(
    ("of", "without_channel", "with_ch1"),
    [
        pytest.param(Variant(sku="sku"), None, None, id="no availability"),
        pytest.param(variant(), None, None, id="availability without a quantity"),
        pytest.param(variant(7), 7, None, id="a total and no channels"),
        pytest.param(variant(7, ch1=5), 7, 5, id="the channel has 5"),
        pytest.param(variant(7, ch1=0), 7, 0, id="the channel has none left"),
        pytest.param(variant(7, ch2=3), 7, None, id="only another channel"),
        pytest.param(variant(None, ch1=5), None, 5, id="only the channel"),
        pytest.param(variant(7, ch1=None), 7, None, id="the channel without a quantity"),
        pytest.param(variant(0), 0, None, id="none left"),
        pytest.param(variant(-3, ch1=-1), 0, 0, id="more sold than there is"),
    ],
)
def test_stock_in_the_product(of: Variant, without_channel: int | None, with_ch1: int | None) -> None:
    """Without entries; unknown is never 0, and 0 is never unknown."""
    unread: list[list[InventoryEntry] | None] = [None, []]
    for entries in unread:
        assert stock_of_variant(of, entries, Choices()) == expected_stock(without_channel)
        assert stock_of_variant(of, entries, Choices(stock_channel_id="ch1")) == expected_stock(with_ch1)


@pytest.mark.parametrize(
    ("entries", "without_channel", "with_ch1"),
    [
        pytest.param([], None, None, id="no entries"),
        pytest.param([entry(9)], 9, None, id="without a channel, 9"),
        pytest.param([entry(0)], 0, None, id="without a channel, none left"),
        pytest.param([entry(9, "ch1")], None, 9, id="ch1, 9"),
        pytest.param([entry(0, "ch1")], None, 0, id="ch1, none left"),
        pytest.param([entry(9, "ch2")], None, None, id="another channel"),
        pytest.param([entry(9), entry(0, "ch1"), entry(4, "ch2")], 9, 0, id="all of them"),
        pytest.param([entry(4, "ch2"), entry(6, "ch1"), entry(9)], 9, 6, id="in another order"),
        pytest.param([entry(-2), entry(-1, "ch1")], 0, 0, id="more sold than there is"),
    ],
)
def test_stock_by_entries(entries: list[InventoryEntry], without_channel: int | None, with_ch1: int | None) -> None:
    """Entries of other channels, or without one when one is configured, never change it; nothing is summed."""
    assert stock_of_entries(entries, Choices()) == expected_stock(without_channel)
    assert stock_of_entries(entries, Choices(stock_channel_id="ch1")) == expected_stock(with_ch1)


def test_entries_come_before_what_stands_in_the_product() -> None:
    """They are newer; also when none of them is the one that counts."""
    assert stock_of_variant(variant(7), [entry(3)], Choices()) == tracked(3)
    assert stock_of_variant(variant(7), [entry(0)], Choices()) == tracked(0)
    assert stock_of_variant(variant(7), [entry(3, "ch2")], Choices()) == UNKNOWN


def test_entries_of_another_sku_do_not_count() -> None:
    """As if there were none."""
    assert stock_of_variant(variant(7), [entry(3, sku="other")], Choices()) == tracked(7)


def test_unknown_stock_claims_nothing() -> None:
    """A large number that nobody tracks: neither sold out nor, later, back in stock."""
    assert CatalogStock(inventory_quantity=UNKNOWN_QUANTITY, inventory_policy=InventoryPolicy.UNTRACKED) == UNKNOWN
    assert UNKNOWN_QUANTITY == 1_000_000
    assert is_unknown(UNKNOWN)
    assert not is_unknown(tracked(UNKNOWN_QUANTITY))
    assert not is_unknown(tracked(0))
