"""What is asked of Klaviyo's catalog before a bulk write and for a deletion of everything (klaviyo.md 1.5)."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import httpx
import msgspec
import pytest
from catalog_doubles import CatalogWorld, a_category, a_variant, an_item
from hypothesis import given
from hypothesis import strategies as st

from shared.klaviyo.catalog import CatalogKind, compound_id
from shared.klaviyo.catalog_finding import IDS_PER_REQUEST, find_ids, find_items, id_pieces
from shared.klaviyo.catalog_reads import (
    ShownItem,
    categories_there,
    ids_there,
    items_there,
    klaviyo_categories,
    klaviyo_items,
    klaviyo_variants,
)
from shared.klaviyo.requests import query_string

URL_BYTES_MOST = 8_000


def test_a_hundred_products_fit_one_look_up() -> None:
    """Within the 8 KB of a URL that pass everywhere, since Klaviyo's ids stay readable in it."""
    ids = [str(uuid.UUID(int=number)) for number in range(250)]
    pieces = list(id_pieces(ids))
    assert [len(piece) for piece in pieces] == [100, 100, 50]
    request = find_items(pieces[0])
    assert "%22$custom:::$default:::" in query_string(request.query)
    assert len(request.path) + len(query_string(request.query)) < URL_BYTES_MOST


@given(st.lists(st.text(min_size=1, max_size=300), max_size=150))
def test_no_look_up_has_a_longer_url(ids: list[str]) -> None:
    """Whatever SKUs look like: every id is asked for once, in its order."""
    pieces = list(id_pieces(ids))
    assert [one for piece in pieces for one in piece] == ids
    for piece in pieces:
        assert len(piece) <= IDS_PER_REQUEST
        query = query_string(find_ids(CatalogKind.VARIANT, piece).query)
        assert len(query) < URL_BYTES_MOST or len(piece) == 1


@given(st.text())
def test_a_query_is_read_back_as_it_was(text: str) -> None:
    """Leaving some characters as they are changes no value."""
    url = httpx.URL(f"https://klaviyo.example.com/x?{query_string([('filter', text), ('page[size]', '100')])}")
    assert url.params.get("filter") == text
    assert url.params.get("page[size]") == "100"


def test_items_come_with_their_variants() -> None:
    """What Klaviyo has, in one request; what it has not is not among them."""
    world = CatalogWorld()
    world.with_items(1, 2)
    world.catalog.put_variants([a_variant(1), a_variant(2)], (), world.soon)
    world.catalog.hide_items(["p2"], world.soon)
    assert items_there(["p1", "p2", "p3"], world.client, world.soon) == {
        "p1": ShownItem(published=True, variants=frozenset({"s1", "s2"})),
        "p2": ShownItem(published=False, variants=frozenset()),
    }
    assert world.between.asked["GET catalog-items"] == 1
    assert world.between.asked["GET catalog-items/one"] == 0


def test_an_item_of_very_many_variants_is_listed() -> None:
    """What came along may be a first page of them."""
    world = CatalogWorld()
    world.with_items(1, 2)
    world.catalog.put_variants([a_variant(number) for number in range(120)], (), world.soon)
    found = items_there(["p1", "p2"], world.client, world.soon)
    assert found["p1"].variants == {f"s{number}" for number in range(120)}
    assert world.between.asked["GET catalog-items/one"] == 2


Answered = Callable[[dict[str, Any]], None]


def answering(world: CatalogWorld, change: Answered) -> None:
    """Change what the account says of items."""

    def spoil(request: httpx.Request) -> httpx.Response | None:
        if request.url.path != "/api/catalog-items" or request.method != "GET":
            return None
        body = msgspec.json.decode(world.between.inner.handle_request(request).content)
        change(body)
        return httpx.Response(200, json=body)

    world.between.spoil = spoil


def no_variants_named(body: dict[str, Any]) -> None:
    for item in body["data"]:
        del item["relationships"]["variants"]["data"]


def no_items_named(body: dict[str, Any]) -> None:
    no_variants_named(body)
    for variant in body["included"]:
        del variant["relationships"]


def nothing_included(body: dict[str, Any]) -> None:
    no_variants_named(body)
    del body["included"]


@pytest.mark.parametrize(("change", "listings"), [(no_variants_named, 0), (no_items_named, 2), (nothing_included, 2)])
def test_whose_a_variant_is_may_be_said_in_either_way(change: Answered, listings: int) -> None:
    """By the item, by the variant, or not at all: then the items are listed."""
    world = CatalogWorld()
    world.with_items(1, 2)
    world.catalog.put_variants([a_variant(1), a_variant(2, "p2"), a_variant(3, "p2")], (), world.soon)
    answering(world, change)
    found = items_there(["p1", "p2"], world.client, world.soon)
    assert {name: item.variants for name, item in found.items()} == {"p1": {"s1"}, "p2": {"s2", "s3"}}
    assert world.between.asked["GET catalog-items/one"] == listings


def of_fifty_each(count: int) -> CatalogWorld:
    """A world of items with fifty variants each."""
    world = CatalogWorld()
    world.with_items(*range(count))
    world.catalog.put_variants([a_variant(number, f"p{number // 50}") for number in range(50 * count)], (), world.soon)
    return world


def cut_at_a_hundred(body: dict[str, Any]) -> None:
    no_variants_named(body)
    body["included"] = body["included"][:100]


def two_named(body: dict[str, Any]) -> None:
    for item in body["data"]:
        item["relationships"]["variants"]["data"] = item["relationships"]["variants"]["data"][:2]


def two_included(body: dict[str, Any]) -> None:
    body["included"] = [one for one in body["included"] if one["id"].endswith(("0", "1"))]


@pytest.mark.parametrize("change", [cut_at_a_hundred, two_named, two_included])
def test_items_of_a_page_that_may_not_show_all_variants_are_listed(change: Answered) -> None:
    """It ends where a page may end, or items and variants contradict each other."""
    world = of_fifty_each(3)
    answering(world, change)
    found = items_there(["p0", "p1", "p2"], world.client, world.soon)
    assert {name: len(item.variants) for name, item in found.items()} == {"p0": 50, "p1": 50, "p2": 50}
    assert world.between.asked["GET catalog-items/one"] >= 3


def test_items_of_a_page_with_equally_many_variants_are_not_listed() -> None:
    """A catalog whose items have one size, or five, each gives such pages all the time."""
    world = of_fifty_each(2)
    found = items_there(["p0", "p1"], world.client, world.soon)
    assert {name: len(item.variants) for name, item in found.items()} == {"p0": 50, "p1": 50}
    assert world.between.asked["GET catalog-items/one"] == 0


def test_items_to_be_removed_can_be_listed_in_any_case() -> None:
    """Whatever a page says; one that is not there is not asked for."""
    world = of_fifty_each(3)

    def some_hidden(body: dict[str, Any]) -> None:
        two_named(body)
        named = {one["id"] for item in body["data"] for one in item["relationships"]["variants"]["data"]}
        body["included"] = [one for one in body["included"] if one["id"] in named]

    answering(world, some_hidden)
    found = items_there(["p0", "p1", "p7"], world.client, world.soon, surely={"p1", "p7"})
    assert {name: len(item.variants) for name, item in found.items()} == {"p0": 2, "p1": 50}
    assert world.between.asked["GET catalog-items/one"] == 1


def test_categories_come_with_their_names() -> None:
    """Fifty a request."""
    world = CatalogWorld()
    world.catalog.put_categories([a_category(number) for number in range(60)], (), world.soon)
    found = categories_there([f"c{number}" for number in range(70)], world.client, world.soon)
    assert found == {f"c{number}": f"Category {number}" for number in range(60)}
    assert world.between.asked["GET catalog-categories"] == 2


def test_what_is_there_is_told_by_the_ids_asked_for() -> None:
    """External ones and Klaviyo's own."""
    world = CatalogWorld()
    world.with_items(1, 2)
    asked = ["p1", compound_id("p2"), "p3", "$shopify:::$default:::1"]
    assert ids_there(CatalogKind.ITEM, asked, world.client, world.soon) == {"p1", compound_id("p2")}


def test_everything_is_listed_by_klaviyos_ids() -> None:
    """A hundred a page, each kind for itself."""
    world = CatalogWorld()
    world.catalog.put_items([an_item(number) for number in range(150)], (), world.soon)
    world.catalog.put_variants([a_variant(number, f"p{number}") for number in range(3)], (), world.soon)
    world.catalog.put_categories([a_category(1)], (), world.soon)
    first = klaviyo_items(world.client, None, world.soon)
    second = klaviyo_items(world.client, first.next_cursor, world.soon)
    assert (len(first.ids), len(second.ids), second.next_cursor) == (100, 50, None)
    assert {*first.ids, *second.ids} == {compound_id(f"p{number}") for number in range(150)}
    assert set(klaviyo_variants(world.client, None, world.soon).ids) == {compound_id(f"s{number}") for number in range(3)}
    assert klaviyo_categories(world.client, None, world.soon).ids == (compound_id("c1"),)
