"""What a write comes to, without sending it: the requests that goldens show are those that are sent."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from write_world import TRACKED, WriteWorld, category, customer, event, item, product, variant

from shared.klaviyo.catalog import CatalogStock, compound_id
from shared.klaviyo.profile_requests import FoundAttributes, FoundProfile
from shared.klaviyo.requests import Request
from shared.realtime.preferred import Known, preferred_requests
from shared.realtime.writes import (
    PutCategories,
    PutProduct,
    RemoveCategory,
    RemoveProduct,
    RemoveProfile,
    SendEvents,
    SetStock,
    UpsertProfile,
    Write,
)

STOCK = CatalogStock(inventory_quantity=7, inventory_policy=TRACKED)
PROFILE = FoundProfile("01P", FoundAttributes("customer-1@example.com"))


def shown(request: Request[Any]) -> str:
    """Method and path, without the parts that are always the same."""
    return f"{request.endpoint.method} {request.path.removeprefix('/api/').replace('%24custom%3A%3A%3A%24default%3A%3A%3A', '')}"


@pytest.mark.parametrize(
    ("write", "known", "requests"),
    [
        (UpsertProfile(customer(1)), Known(), ["POST profile-import"]),
        (UpsertProfile(customer(1)), Known(profile=PROFILE), ["PATCH profiles/01P"]),
        (RemoveProfile("customer-1", "erase"), Known(), []),
        (RemoveProfile("customer-1", "erase"), Known(profile=PROFILE), ["POST data-privacy-deletion-jobs"]),
        (RemoveProfile("customer-1", "suppress"), Known(profile=PROFILE), ["POST profile-suppression-bulk-create-jobs"]),
        (RemoveProfile("customer-1", "suppress"), Known(profile=FoundProfile("01P")), []),
        (SendEvents((event("a"), event("b"))), Known(), ["POST events"] * 2),
        (PutCategories((category("c1"),), new=True), Known(), ["POST catalog-categories"]),
        (
            PutCategories((category("c1", "New"), category("c2", "Same"), category("c3", "New"))),
            Known(categories={"c1": "Old", "c2": "Same"}),
            ["PATCH catalog-categories/c1", "POST catalog-categories"],
        ),
        (RemoveCategory("c1"), Known(), ["DELETE catalog-categories/c1"]),
        (product("s1", "s2"), Known(), ["POST catalog-items", "POST catalog-variants", "POST catalog-variants"]),
        (
            product("s1", "s2"),
            Known(item=True, variants=("s1", "extra")),
            ["PATCH catalog-items/p1", "POST catalog-variants", "PATCH catalog-variants/s1", "DELETE catalog-variants/extra"],
        ),
        (
            product("s1", "s2", "s3"),
            Known(item=True, variants=("s1", "s2"), settled={"s1"}),
            ["PATCH catalog-items/p1", "POST catalog-variants", "PATCH catalog-variants/s2"],
        ),
        (
            RemoveProduct("p1", hide=True),
            Known(variants=("s1", "hidden"), settled={"hidden"}),
            ["PATCH catalog-variants/s1", "PATCH catalog-items/p1"],
        ),
        (RemoveProduct("p1"), Known(), ["DELETE catalog-items/p1"]),
        (RemoveProduct("p1"), Known(variants=("s1",)), ["DELETE catalog-variants/s1", "DELETE catalog-items/p1"]),
        (RemoveProduct("p1", hide=True), Known(variants=("s1",)), ["PATCH catalog-variants/s1", "PATCH catalog-items/p1"]),
        (SetStock("s1", STOCK), Known(), ["PATCH catalog-variants/s1"]),
    ],
)
def test_a_write_comes_to_these_requests(write: Write, known: Known, requests: list[str]) -> None:
    """In the order of their dependence."""
    assert [shown(request) for request in preferred_requests(write, known)] == requests


WRITES: list[Write] = [
    UpsertProfile(customer(1)),
    SendEvents((event("a"), event("b"))),
    PutCategories((category("c1", "New"), category("c9", "New"))),
    RemoveCategory("c1"),
    product("s1", "new", categories=("c1",)),
    RemoveProduct("p1"),
    RemoveProduct("p1", hide=True),
    SetStock("s1", STOCK),
]


@pytest.mark.parametrize("write", WRITES, ids=lambda write: type(write).__name__)
def test_what_is_sent_is_what_is_shown(write: Write) -> None:
    """To a Klaviyo that has what is known; look-ups aside, and independent requests in any order."""
    world = WriteWorld()
    world.send(product("s1", "extra", categories=("c1",)))
    world.forget()
    world.send(write)
    settled = {"s1"} if isinstance(write, PutProduct) else ()
    known = Known(item=True, variants=("s1", "extra"), categories={"c1": "Category c1"}, settled=settled)
    expected = [(r.endpoint.method, r.path, _decoded(r.body)) for r in preferred_requests(write, known)]
    sent = [(seen.method, seen.path, seen.body) for seen in world.transport.seen if seen.method != "GET"]
    assert sorted(sent, key=str) == sorted(expected, key=str)


def _decoded(body: bytes) -> Any:
    return msgspec.json.decode(body) if body else None


def test_an_item_links_to_its_categories_by_their_compound_ids() -> None:
    """Also when it is created."""
    (request, *_) = preferred_requests(product("s1", categories=("c1",)))
    assert _decoded(request.body)["data"]["relationships"] == {
        "categories": {"data": [{"type": "catalog-category", "id": compound_id("c1")}]}
    }


def test_variants_and_items_of_the_same_id_are_told_apart() -> None:
    """A product whose SKU is its own id."""
    requests = preferred_requests(product("p1"), Known(item=True, variants=("p1",)))
    assert [shown(request) for request in requests] == ["PATCH catalog-items/p1", "PATCH catalog-variants/p1"]
    assert variant("p1").external_id == item("p1").external_id
