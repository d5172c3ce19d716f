"""Stock (cases 72 to 75): whatever a notification says, all entries of its SKU are read, and the one that counts is sent.

The SKU is in the notification. Differences from the older product: the entry is not read by its id, the variant is patched
without being looked up first (404 says that Klaviyo does not know it), and whether it is published is never touched.
"""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.notifications import messages
from sandbox.notifications.platform import change, without_payload
from tests.e2e.realtime_requests import (
    UNKNOWN_STOCK,
    VARIANTS,
    adjusted,
    entry,
    has_item,
    has_variant,
    in_stock,
    patch_variant,
    said,
    scopes,
)
from tests.e2e.realtime_resources import product, projection, variant
from tests.e2e.realtime_world import World, stamp

CH1, CH2 = "6c1dc8b0-0000-4000-8000-000000000001", "6c1dc8b0-0000-4000-8000-000000000002"
ENTRIES_TWICE = {"GET inventory 200": 2}


def _channelled(world: World) -> World:
    """The world with stock of the channel `ch1` alone, configured by its key."""
    channelled = world.having({"product": {"inventory": {"useChannelInventory": "ch1"}}})
    channelled.put("channels", id=CH1, key="ch1", roles=["InventorySupply"])
    return channelled


def _known(world: World, published: bool = True) -> str:
    """A SKU that Klaviyo has, with 5 pieces."""
    product_id, sku = world.new_id(), f"sku-{world.new_id()}"
    has_item(world, product_id)
    has_variant(world, product_id, sku, published=published)
    return sku


def _stocked(world: World, sku: str) -> tuple[int, int]:
    held = world.catalog()["variant", sku]["attributes"]
    return held["inventory_policy"], held["inventory_quantity"]


def _notified(world: World, held: dict[str, Any], kind: str = "ResourceUpdated") -> None:
    assert world.deliver(change(kind, "inventory-entry", held, stamp())).status == 204  # type: ignore[arg-type]


def test_changed_stock_is_sent_to_the_variant(world: World) -> None:
    """Case 73: 100 pieces: policy 1, quantity 100; a variant that is not published stays so."""
    sku = _known(world, published=False)
    held = world.put("inventory", **entry(sku, 100))
    _notified(world, held)
    assert world.sent() == [patch_variant(sku, in_stock(100))]
    assert world.reads() == ENTRIES_TWICE
    attributes = world.catalog()["variant", sku]["attributes"]
    assert (attributes["inventory_quantity"], attributes["published"]) == (100, False)
    assert world.outcomes() == [("ResourceUpdated", "done", None)]


def test_a_notification_without_a_sku_reads_the_entry_first(world: World) -> None:
    """Case 73: `GET inventory/{id}` as the older product, when commercetools did not name the SKU."""
    sku = _known(world)
    held = world.put("inventory", **entry(sku, 100))
    nameless = {**change("ResourceUpdated", "inventory-entry", held, stamp()), "resourceUserProvidedIdentifiers": {}}
    assert world.deliver(nameless).status == 204
    assert world.sent() == [patch_variant(sku, in_stock(100))]
    assert world.reads() == {**ENTRIES_TWICE, "GET inventory/{id} 200": 2}


def test_sold_out_is_zero(world: World) -> None:
    """Case 73: 0 is a quantity; more sold than there is, is 0 as well."""
    sku = _known(world)
    held = world.put("inventory", **entry(sku, 0))
    _notified(world, held)
    held = world.change("inventory", held["id"], meanwhile=True, availableQuantity=-3)
    _notified(world, held)
    assert world.sent() == [patch_variant(sku, in_stock(0))] * 2


def test_stock_of_a_sku_that_klaviyo_does_not_know_is_skipped(world: World) -> None:
    """Case 74: 204, with the reason; no dead letter."""
    sku = f"sku-{world.new_id()}"
    held = world.put("inventory", **entry(sku, 100))
    _notified(world, held)
    assert world.sent() == [patch_variant(sku, in_stock(100), 404)]
    assert world.outcomes() == [("ResourceUpdated", "skipped", "variant_not_in_klaviyo")]
    assert world.dead_letters() == []


def test_a_new_inventory_entry_sets_the_stock(world: World) -> None:
    """Case 75: the older product ignores it."""
    sku = _known(world)
    _notified(world, world.put("inventory", **entry(sku, 42)), "ResourceCreated")
    assert world.sent() == [patch_variant(sku, in_stock(42))]
    assert _stocked(world, sku) == (1, 42)


@pytest.mark.parametrize("kind", ["message", "message without payload", "change"])
def test_a_deleted_inventory_entry_recomputes_the_stock(world: World, kind: str) -> None:
    """Case 75: what is left of the SKU counts; nothing left is unknown, not 0. So for each way of being told."""
    sku = _known(world)
    held = world.put("inventory", **entry(sku, 42))
    world.put("inventory", **entry(sku, 7, CH1))
    world.remove("inventory", held["id"])
    deleted = messages.inventory_entry_deleted(held, stamp())
    notification = {
        "message": deleted,
        "message without payload": without_payload(deleted),
        "change": change("ResourceDeleted", "inventory-entry", held, stamp()),
    }[kind]
    assert world.deliver(notification).status == 204
    assert world.sent() == [patch_variant(sku, UNKNOWN_STOCK)]
    assert world.reads() == ENTRIES_TWICE
    assert adjusted(world) == ["stock_unknown"]


def test_notifications_in_any_order_leave_the_current_stock(world: World) -> None:
    """Our own: the current quantity is read, no deltas are added."""
    sku = _known(world)
    versions = [world.put("inventory", **entry(sku, 10))]
    versions += [world.change("inventory", versions[0]["id"], availableQuantity=quantity) for quantity in (7, 3)]
    for held in (versions[2], versions[0], versions[1]):
        _notified(world, held)
    assert world.sent() == [patch_variant(sku, in_stock(3))] * 3
    assert _stocked(world, sku) == (1, 3)


def test_stock_that_changes_while_it_is_written_is_written_again(world: World) -> None:
    """Two instances may overtake each other (decisions.md 7)."""
    sku = _known(world)
    held = world.put("inventory", **entry(sku, 10))
    with world.klaviyo_holds(lambda: _notified(world, held), path=VARIANTS):
        assert world.reads() == {"GET inventory 200": 1}
        world.change("inventory", held["id"], meanwhile=True, availableQuantity=4)
    assert world.sent() == [patch_variant(sku, in_stock(10)), patch_variant(sku, in_stock(4))]


def test_messages_about_inventory_that_say_the_same_again_are_skipped(world: World) -> None:
    """`InventoryEntryCreated` and `InventoryEntryQuantitySet` come beside the changes; 204, and no call."""
    held = world.put("inventory", **entry(f"sku-{world.new_id()}", 10))
    assert world.deliver(messages.inventory_entry_created(held, stamp())).status == 204
    assert world.deliver(messages.inventory_entry_quantity_set(held, held, stamp())).status == 204
    assert (world.sent(), world.reads()) == ([], {})


# By name: the inventory entries of a SKU (channel, quantity), and what is sent without a channel and with `ch1` configured.
STOCKS: dict[str, tuple[list[tuple[str, int]], dict[str, int], dict[str, int]]] = {
    "nothing": ([], UNKNOWN_STOCK, UNKNOWN_STOCK),
    "7 without channel": ([("", 7)], in_stock(7), UNKNOWN_STOCK),
    "7, ch1 5": ([("", 7), (CH1, 5)], in_stock(7), in_stock(5)),
    "7, ch1 0": ([("", 7), (CH1, 0)], in_stock(7), in_stock(0)),
    "7, ch2 5": ([("", 7), (CH2, 5)], in_stock(7), UNKNOWN_STOCK),
    "9 without channel": ([("", 9)], in_stock(9), UNKNOWN_STOCK),
    "ch1 9": ([(CH1, 9)], UNKNOWN_STOCK, in_stock(9)),
    "ch1 0": ([(CH1, 0)], UNKNOWN_STOCK, in_stock(0)),
    "ch2 9": ([(CH2, 9)], UNKNOWN_STOCK, UNKNOWN_STOCK),
    "ch2 9, ch1 4": ([(CH2, 9), (CH1, 4)], UNKNOWN_STOCK, in_stock(4)),
    "0 without channel": ([("", 0)], in_stock(0), UNKNOWN_STOCK),
}


@pytest.mark.parametrize("channelled", [False, True], ids=["no channel", "ch1"])
@pytest.mark.parametrize("readable", [True, False], ids=["entries readable", "entries forbidden"])
def test_the_stock_of_a_published_product_by_every_row_of_the_matrix(world: World, channelled: bool, readable: bool) -> None:
    """Case 72: each row of reference.md 3.6 is a variant of one product; ch1 = 0 is 0, and what is unknown is never 0.

    The same with an API client that may not read inventory entries: then the product's own `availability` is used, with the
    channel configured by its id.
    """
    document = {"product": {"inventory": {"useChannelInventory": CH1}}} if channelled else None
    stocking = world.having(document, **({} if readable else {"CT_SCOPES": scopes("view_published_products")}))
    skus = {name: f"{name.replace(' ', '-').replace(',', '')}-{stocking.new_id()}" for name in STOCKS}
    for name, (entries, _, _) in STOCKS.items():
        for channel, quantity in entries:
            stocking.put("inventory", **entry(skus[name], quantity, channel))
    first, *others = (variant(at, sku) for at, sku in enumerate(skus.values(), start=1))
    held = stocking.put("products", **product("Shirt", first, *others))
    assert stocking.deliver(messages.product_published(held, projection(held), stamp())).status == 204
    expected = {skus[name]: row[2 if channelled else 1] for name, row in STOCKS.items()}
    bodies = [said(sent) for sent in stocking.sent()[2:]]
    assert {body["sku"]: {name: body[name] for name in UNKNOWN_STOCK} for body in bodies} == expected
    kept = stocking.catalog()
    assert {sku: {name: kept["variant", sku]["attributes"][name] for name in UNKNOWN_STOCK} for sku in expected} == expected
    forbidden = [] if readable else ["lookup_forbidden"]
    assert adjusted(stocking) == ["price_missing", "stock_unknown", *forbidden]


@pytest.mark.parametrize("channelled", [False, True], ids=["no channel", "ch1"])
def test_an_inventory_notification_by_every_row_of_the_matrix(world: World, channelled: bool) -> None:
    """Case 72: every entry of each row changes: the entry that counts is sent, whichever of them the notification is about.

    Difference: where the older product skips a notification that is "not relevant", the same state is sent again; entries of
    other channels, or without one, never change it.
    """
    stocking = _channelled(world) if channelled else world
    for name, (entries, without, with_channel) in STOCKS.items():
        if not entries:
            continue
        sku = _known(stocking)
        changed = [stocking.put("inventory", **entry(sku, quantity, channel)) for channel, quantity in entries]
        for held in changed:
            _notified(stocking, held)
        expected = with_channel if channelled else without
        assert stocking.sent() == [patch_variant(sku, expected)] * len(entries), name
        assert _stocked(stocking, sku) == (expected["inventory_policy"], expected["inventory_quantity"]), name


def test_stock_of_a_channel_that_does_not_exist_is_unknown_and_the_log_says_so_once(world: World) -> None:
    """A wrong key must not sell out the shop: nothing is claimed of the stock, and the configuration is named."""
    with world.fresh({"product": {"inventory": {"useChannelInventory": "no-such-channel"}}}) as mistaken:
        sku = _known(mistaken)
        held = mistaken.put("inventory", **entry(sku, 9))
        for _ in range(2):
            _notified(mistaken, held)
        assert mistaken.sent() == [patch_variant(sku, UNKNOWN_STOCK)] * 2
        (line,) = mistaken.logged("the configuration names something that does not exist in commercetools")
        assert line["operation"] == "product.inventory.useChannelInventory"
