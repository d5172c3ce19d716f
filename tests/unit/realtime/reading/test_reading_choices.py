"""The merchant's choices, keys resolved to ids (configuration.md "The document")."""

from __future__ import annotations

import pytest
from reading_world import NOWHERE, World, budget, configured, pauses_of

from shared.errors import HostDown
from shared.mapping.sources import CategorySource, OrderSource, ProductSource, StockSource
from shared.reading.lookups import TTL_S


def keyed(world: World, collection: str) -> tuple[str, str]:
    """Key and id of a resource."""
    row = world.row(collection, lambda row: "key" in row)
    return row["key"], row["id"]


def test_keys_become_ids_and_are_remembered(world: World) -> None:
    """A channel for prices, one for stock, and a customer group; asked for once, and again after a while."""
    (channel, channel_id), (group, group_id) = keyed(world, "channels"), keyed(world, "customer-groups")
    price = {"channel": channel, "customerGroup": group}
    world.document = configured(product={"price": price, "inventory": {"useChannelInventory": channel}})
    sources = world.sources()
    world.asked()
    choices = sources.choices(ProductSource, budget())
    assert (choices.price_channel_id, choices.price_group_id, choices.stock_channel_id) == (channel_id, group_id, channel_id)
    assert (choices.locale, choices.currency) == ("de", "EUR")
    assert choices.url_template == "https://shop.example.com/{{productSlug}}"
    assert choices.document is world.document
    assert sources.choices(ProductSource, budget()) == choices
    assert world.asked() == {"channels/key={key}": 1, "customer-groups/key={key}": 1}
    world.clock.now += TTL_S
    assert sources.choices(StockSource, budget()).stock_channel_id == channel_id
    assert world.asked() == {"channels/key={key}": 1}


def test_nothing_is_asked_for_what_is_not_configured_or_not_needed(world: World) -> None:
    """Orders and categories have neither prices nor stock; stock has no price."""
    channel, _ = keyed(world, "channels")
    world.asked()
    assert world.sources().choices(ProductSource, budget()).stock_channel_id == ""
    world.document = configured(product={"price": {"channel": channel}, "inventory": {"useChannelInventory": channel}})
    sources = world.sources()
    for source in (OrderSource, CategorySource):
        choices = sources.choices(source, budget())
        assert (choices.price_channel_id, choices.stock_channel_id) == ("", "")
    assert world.asked() == {}
    assert sources.choices(StockSource, budget()).price_channel_id == ""
    assert world.asked() == {"channels/key={key}": 1}


def test_an_id_is_used_as_it_stands(world: World) -> None:
    """In lower case, as resources have it; nobody looks whether it exists."""
    world.document = configured(product={"price": {"channel": NOWHERE.upper()}})
    world.asked()
    assert world.sources().choices(ProductSource, budget()).price_channel_id == NOWHERE
    assert world.asked() == {}


def test_a_key_that_does_not_exist_matches_nothing_and_is_named_once(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """The setting still counts, so that other channels' stock is not taken for it."""
    world.document = configured(product={"inventory": {"useChannelInventory": "no-such-channel"}})
    sources = world.sources()
    world.asked()
    for _ in range(2):
        assert sources.choices(StockSource, budget()).stock_channel_id not in {"", *(row["id"] for row in world.rows("channels"))}
        assert world.asked() == {"channels/key={key}": 1}
        world.clock.now += TTL_S
    assert capsys.readouterr().err.count("product.inventory.useChannelInventory") == 1


def test_a_key_that_cannot_be_resolved_now_is_no_choice_at_all(world: World) -> None:
    """Guessing would send a wrong price or stock."""
    channel, channel_id = keyed(world, "channels")
    world.document = configured(product={"inventory": {"useChannelInventory": channel}})
    sources = world.sources()
    world.fails({"kind": "status", "status": 503, "endpoint": "channels/key={key}"})
    with pytest.raises(HostDown):
        sources.choices(StockSource, pauses_of(1.0))
    world.fails()
    assert sources.choices(StockSource, budget()).stock_channel_id == channel_id
