"""Whose a SKU is that was deleted in Klaviyo: the published products that have it now."""

from __future__ import annotations

from typing import Any

import pytest
from reading_world import World, budget, pauses_of

from shared.errors import HostDown
from shared.reading.sku_owners import owners_of


def skus_of(product: dict[str, Any], data: str = "current") -> list[str]:
    """The SKUs of all variants."""
    shown = product["masterData"][data]
    return [variant["sku"] for variant in (shown["masterVariant"], *shown["variants"]) if "sku" in variant]


def several(world: World) -> list[dict[str, Any]]:
    """Published products of at least two variants."""
    return [row for row in world.rows("products") if row["masterData"]["published"] and len(skus_of(row)) > 1]


def test_the_products_that_have_a_sku_are_found_by_any_of_their_variants(world: World) -> None:
    """The master variant and the others; each product once."""
    one, two, *_ = several(world)
    wanted = [skus_of(one)[0], *skus_of(two)[:2], "nobody's"]
    assert owners_of(wanted, world.client, budget()) == sorted([one["id"], two["id"]])
    assert owners_of(["nobody's"], world.client, budget()) == []


def test_only_what_is_published_counts(world: World) -> None:
    """Neither a product that is hidden by now, nor a SKU that is only staged."""
    one, two, *_ = several(world)
    hidden = {**one["masterData"], "published": False}
    staged = two["masterData"]["staged"]
    renamed = {**staged, "masterVariant": {**staged["masterVariant"], "sku": "staged-only"}}
    world.change("products", one["id"], masterData=hidden)
    world.change("products", two["id"], masterData={**two["masterData"], "staged": renamed})
    assert owners_of([*skus_of(one), "staged-only"], world.client, budget()) == []
    assert owners_of(skus_of(two), world.client, budget()) == [two["id"]]


@pytest.mark.parametrize(("number", "requests"), [(0, 0), (1, 1), (100, 1), (101, 2)])
def test_a_hundred_skus_are_one_request(world: World, number: int, requests: int) -> None:
    """A query string has its limits; nothing to ask is nothing asked."""
    world.asked()
    owners_of([f"sku-{n}" for n in range(number)], world.client, budget())
    assert world.asked() == ({"product-projections": requests} if requests else {})


def test_an_outage_is_not_an_answer(world: World) -> None:
    """Whoever asks must ask again."""
    world.fails({"kind": "status", "status": 503})
    with pytest.raises(HostDown):
        owners_of(["sku"], world.client, pauses_of(0.4))
