"""Categories, products and stock reach the state wanted, whatever Klaviyo had before (mapping.md "Catalog")."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
import pytest
from write_world import TRACKED, StepTime, WriteWorld, category, item, product, variant

from shared.errors import HostDown, PermanentError, TransientError
from shared.klaviyo.catalog import CatalogStock, InventoryPolicy, compound_id
from shared.klaviyo.catalog_reads import LOOK_UPS_AT_ONCE
from shared.klaviyo.catalog_requests import CATEGORIES_PER_REQUEST, is_as_wanted
from shared.klaviyo.client import KlaviyoClient
from shared.klaviyo.limiter import Limiter
from shared.mapping.result import Adjustment, SkipReason
from shared.realtime.catalog_writes import CATEGORY_ATTEMPTS
from shared.realtime.sending import WriteResult, send
from shared.realtime.writes import PutCategories, PutProduct, RemoveCategory, RemoveProduct, SetStock

CHANGED = variant("changed", title="Renamed")
LIST = "GET catalog-items/p1/variants"
ITEM, VARIANT, CATEGORY = "catalog-items", "catalog-variants", "catalog-categories"


def put(world: WriteWorld, *skus: str, of: str = "p1", categories: tuple[str, ...] = ()) -> None:
    """The product is there; how it came there is forgotten."""
    world.send(product(*skus, of=of, categories=categories))
    world.forget()


# Categories


def test_a_new_category_is_created_without_a_look_up() -> None:
    """Case 59."""
    world = WriteWorld()
    assert world.send(PutCategories((category("c1"),), new=True)) == WriteResult()
    assert world.requests() == [f"POST {CATEGORY} 201"]
    assert world.transport.seen[0].body["data"] == {
        "type": "catalog-category",
        "attributes": {
            "external_id": "c1",
            "integration_type": "$custom",
            "catalog_type": "$default",
            "name": "Women > Pants",
        },
    }


def test_a_new_category_that_is_there_already_gets_its_name() -> None:
    """Case 60: the notification came twice."""
    world = WriteWorld()
    world.send(PutCategories((category("c1", "Old"),), new=True))
    world.send(PutCategories((category("c1", "New"),), new=True))
    assert world.requests()[1:] == [f"POST {CATEGORY} 409", f"PATCH {CATEGORY}/c1 200"]
    assert world.stored("category", "c1") == {"name": "New"}


def test_of_many_categories_only_the_changed_are_renamed_and_the_missing_created() -> None:
    """Case 61: the descendants of a renamed category; asked for fifty at a time."""
    world = WriteWorld()
    world.send(PutCategories(tuple(category(f"c{n}", "Old" if n < 3 else "Same") for n in range(119)), new=True))
    world.forget()
    world.send(PutCategories(tuple(category(f"c{n}", "New" if n < 3 else "Same") for n in range(120))))
    assert world.requests()[:3] == [f"GET {CATEGORY} 200"] * 3
    assert sorted(world.requests()[3:]) == [
        *(f"PATCH {CATEGORY}/c{n} 200" for n in range(3)),
        f"POST {CATEGORY} 201",
    ]
    assert {name["name"] for name in (world.stored("category", f"c{n}") for n in (0, 1, 2, 119))} == {"New", "Same"}


def test_the_look_up_of_many_categories_has_a_url_that_passes_everywhere() -> None:
    """Ids of commercetools have 36 characters; many servers take 8 KB."""
    world = WriteWorld()
    ids = [f"00000000-0000-4000-8000-{n:012d}" for n in range(60)]
    world.send(PutCategories(tuple(map(category, ids))))
    assert max(len(quote(seen.query.get("filter", ""), safe="")) for seen in world.transport.seen) < 4_200


def test_a_category_that_vanished_after_the_look_up_is_created() -> None:
    """404 of the rename."""
    world = WriteWorld()
    world.send(PutCategories((category("c1", "Old"),), new=True))
    world.forget()
    world.transport.once_after("GET", lambda: world.vanish("category", "c1"))
    world.send(PutCategories((category("c1"),)))
    assert world.requests() == [f"GET {CATEGORY} 200", f"PATCH {CATEGORY}/c1 404", f"POST {CATEGORY} 201"]


def test_a_deleted_category_is_deleted_and_may_be_gone() -> None:
    """Case 62."""
    world = WriteWorld()
    world.send(PutCategories((category("c1"),), new=True))
    assert world.send(RemoveCategory("c1")) == world.send(RemoveCategory("c1")) == WriteResult()
    assert world.requests()[1:] == [f"DELETE {CATEGORY}/c1 204", f"DELETE {CATEGORY}/c1 404"]


def test_what_was_created_is_named_and_what_was_renamed_is_not() -> None:
    """So that a category which is deleted meanwhile can be taken back."""
    world = WriteWorld()
    world.send(PutCategories((category("c1", "Old"),), new=True))
    created: list[str] = []
    world.send(PutCategories((category("c1", "New"), category("c2"))), created_categories=created)
    world.send(product("s1", categories=("c2", "c3")), created_categories=created)
    assert created == ["c2", "c3"]


def test_what_was_created_is_named_also_when_the_write_fails() -> None:
    """The next delivery may not speak of it any more."""
    world = WriteWorld()
    world.send(PutCategories((category("c0", "Old"),), new=True))
    world.fault(kind="status", method="PATCH", path=f"/api/{CATEGORY}", status=400)
    created: list[str] = []
    with pytest.raises(PermanentError):
        world.send(PutCategories((category("c0"), category("c1"))), created_categories=created)
    bad = variant("bad", custom_metadata={"nested": {"a": 1}})
    write = PutProduct(item("p1", "c3"), (bad,), (category("c3"),))
    with pytest.raises(PermanentError):
        world.send(write, created_categories=created)
    assert created == ["c1", "c3"]


def test_a_category_that_comes_and_goes_while_it_is_written_is_there_in_the_end() -> None:
    """Other deliveries create and delete it; that is no fault of this one."""
    world = WriteWorld()
    world.fault(kind="status", method="POST", path=f"/api/{CATEGORY}", status=409, first=1)
    created: list[str] = []
    world.send(PutCategories((category("c1"),), new=True), created_categories=created)
    assert world.requests() == [f"POST {CATEGORY} 409", f"PATCH {CATEGORY}/c1 404", f"POST {CATEGORY} 201"]
    assert created == ["c1"]


def test_a_category_that_comes_and_goes_all_the_time_is_a_transient_failure() -> None:
    """Never a dead letter: the message comes again and the state is read anew."""
    world = WriteWorld()
    world.fault(kind="status", method="POST", path=f"/api/{CATEGORY}", status=409)
    with pytest.raises(TransientError, match="came and went"):
        world.send(PutCategories((category("c1"),), new=True))
    assert world.requests() == [f"POST {CATEGORY} 409", f"PATCH {CATEGORY}/c1 404"] * (CATEGORY_ATTEMPTS // 2)


@pytest.mark.parametrize("new", [True, False])
def test_a_category_that_flips_at_each_request_is_a_transient_failure(new: bool) -> None:
    """Also when a look-up found it: neither the 404 of the renaming nor the 409 of the creation is a verdict."""
    world = WriteWorld()
    world.send(PutCategories((category("c1", "Old"),), new=True))
    world.forget()
    world.fault(kind="status", method="PATCH", path=f"/api/{CATEGORY}", status=404)
    with pytest.raises(TransientError, match="came and went"):
        world.send(PutCategories((category("c1"),), new=new))
    rounds = [f"PATCH {CATEGORY}/c1 404", f"POST {CATEGORY} 409"] * CATEGORY_ATTEMPTS
    assert world.requests() == (rounds[1:][:CATEGORY_ATTEMPTS] if new else [f"GET {CATEGORY} 200", *rounds[:CATEGORY_ATTEMPTS]])


def test_the_names_of_thousands_of_categories_are_looked_up_a_few_at_a_time() -> None:
    """Each answer waits until so many requests are there; more than that are never there."""
    full, lock, under_way, most = threading.Barrier(LOOK_UPS_AT_ONCE, timeout=30), threading.Lock(), 0, 0

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        full.wait()
        with lock:
            under_way -= 1
        ids = msgspec.json.decode(request.url.params["filter"].removeprefix("any(ids,").removesuffix(")"))
        return httpx.Response(200, json={"data": [{"id": one, "attributes": {"name": "Same"}} for one in ids]})

    time = StepTime()
    http = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://klaviyo.test")
    client = KlaviyoClient(http, "pk", Limiter(monotonic=time.monotonic))
    many = tuple(category(f"c{n}", "Same") for n in range(3 * LOOK_UPS_AT_ONCE * CATEGORIES_PER_REQUEST))
    assert send(PutCategories(many), client, time.budget()) == WriteResult()
    assert most == LOOK_UPS_AT_ONCE == 4


# Products


def test_a_new_product_is_created_item_first() -> None:
    """Case 63: a variant needs its item."""
    world = WriteWorld()
    assert world.send(product("s1", "s2")) == WriteResult()
    assert world.requests() == [f"{LIST} 404", f"POST {ITEM} 201", f"POST {VARIANT} 201", f"POST {VARIANT} 201"]
    assert world.transport.seen[1].body["data"] == {
        "type": "catalog-item",
        "attributes": {
            "external_id": "p1",
            "integration_type": "$custom",
            "catalog_type": "$default",
            "title": "Jeans",
            "description": "Blue",
            "url": "https://shop.example.com/jeans",
            "price": 19.99,
            "custom_metadata": {"title_json": '{"en":"Jeans"}'},
            "published": True,
        },
        "relationships": {"categories": {"data": []}},
    }
    bodies = sorted((seen.body["data"] for seen in world.transport.seen[2:]), key=str)
    assert bodies[0]["relationships"] == {"item": {"data": {"type": "catalog-item", "id": "$custom:::$default:::p1"}}}
    assert bodies[0]["attributes"] == {
        "external_id": "s1",
        "integration_type": "$custom",
        "catalog_type": "$default",
        "title": "Jeans 32",
        "description": "Blue",
        "sku": "s1",
        "inventory_policy": 1,
        "inventory_quantity": 5,
        "price": 19.99,
        "url": "https://shop.example.com/jeans",
        "custom_metadata": {},
        "published": True,
    }


def test_the_variants_of_a_known_product_become_exactly_those_wanted() -> None:
    """Case 64: extra ones deleted, missing ones created, changed ones updated; the item is updated."""
    world = WriteWorld()
    put(world, "extra", "same", "changed")
    world.send(PutProduct(item(), (variant("same"), CHANGED, variant("missing"))))
    assert world.requests()[:2] == [f"{LIST} 200", f"PATCH {ITEM}/p1 200"]
    assert sorted(world.requests()[2:]) == [
        f"DELETE {VARIANT}/extra 204",
        f"PATCH {VARIANT}/changed 200",
        f"POST {VARIANT} 201",
    ]
    assert set(world.catalog("variant")) == {"same", "changed", "missing"}
    assert world.stored("variant", "changed")["title"] == "Renamed"


@pytest.mark.parametrize(
    "change",
    [
        {"title": "Other"},
        {"description": "Other"},
        {"sku": "other"},
        {"url": "https://shop.example.com/other"},
        {"price": Decimal("19.98")},
        {"image_full_url": "https://img.example.com/2.jpg"},
        {"custom_metadata": {"a": "2"}},
        {"custom_metadata": {}},
        {"stock": CatalogStock(inventory_quantity=4, inventory_policy=TRACKED)},
        {"stock": CatalogStock(inventory_quantity=5, inventory_policy=InventoryPolicy.UNTRACKED)},
        {"published": False},
    ],
    ids=str,
)
def test_a_variant_is_written_when_anything_of_it_is_different(change: dict[str, Any]) -> None:
    """Each attribute that we write counts."""
    world = WriteWorld()
    before = variant("s1", image_full_url="https://img.example.com/1.jpg", custom_metadata={"a": "1"})
    after = msgspec.structs.replace(before, **change)
    world.send(PutProduct(item(), (before,)))
    world.forget()
    world.send(PutProduct(item(), (after,)))
    assert world.requests() == [f"{LIST} 200", f"PATCH {ITEM}/p1 200", f"PATCH {VARIANT}/s1 200"]
    world.forget()
    world.send(PutProduct(item(), (after,)))
    assert world.requests() == [f"{LIST} 200", f"PATCH {ITEM}/p1 200"], "it is as it is to be"


SHOWN = {
    "title": "Jeans 32",
    "description": "Blue",
    "sku": "s1",
    "inventory_policy": 1,
    "inventory_quantity": 5,
    "price": Decimal("19.99"),
    "url": "https://shop.example.com/jeans",
    "image_full_url": None,
    "custom_metadata": {"size": 32, "new": True},
    "published": True,
}


@pytest.mark.parametrize(
    ("shown", "same"),
    [
        ({}, True),
        ({"price": Decimal("19.990"), "inventory_quantity": Decimal("5.0"), "inventory_policy": Decimal(1)}, True),
        ({"image_full_url": "https://img.example.com/1.jpg"}, True),  # we would not name it
        ({"price": "19.99"}, False),
        ({"price": None}, False),
        ({"published": 1}, False),
        ({"custom_metadata": {"size": 32, "new": 1}}, False),
        ({"custom_metadata": {"size": 32}}, False),
        ({"custom_metadata": {"size": 32, "new": True, "more": None}}, False),
        ({"custom_metadata": None}, False),
    ],
    ids=str,
)
def test_numbers_are_compared_by_value_and_all_else_exactly(shown: dict[str, Any], same: bool) -> None:
    """What Klaviyo shows in another form leads to a write, which loses nothing."""
    wanted = variant("s1", custom_metadata={"size": 32, "new": True})
    assert is_as_wanted(wanted, {**SHOWN, **shown}) is same


def test_an_attribute_that_is_not_shown_is_written() -> None:
    """An answer without attributes is no proof."""
    assert not any(is_as_wanted(variant("s1"), {k: v for k, v in SHOWN.items() if k != name}) for name in ("title", "price"))
    assert not is_as_wanted(variant("s1"), {})


SKUS = tuple(f"s{n}" for n in range(150))


def test_a_new_product_that_exceeds_the_quota_is_done_after_some_deliveries() -> None:
    """Each delivery goes on where the last one ended: no variant is written twice."""
    world = WriteWorld(rate_share=0.1)
    assert world.deliveries(product(*SKUS)) > 1
    assert {entry.versions for entry in world.catalog("variant").values()} == {1}
    assert set(world.catalog("variant")) == set(SKUS)


def test_a_changed_product_that_exceeds_the_quota_is_done_after_some_deliveries() -> None:
    """All variants are there and have to be updated."""
    world = WriteWorld(rate_share=0.1)
    world.deliveries(product(*SKUS))
    assert world.deliveries(PutProduct(item(), tuple(variant(sku, title="Renamed") for sku in SKUS))) > 1
    assert {entry.versions for entry in world.catalog("variant").values()} == {2}
    assert {world.stored("variant", sku)["title"] for sku in SKUS} == {"Renamed"}


def test_a_product_that_exceeds_the_quota_is_hidden_after_some_deliveries() -> None:
    """What is hidden is not hidden again."""
    world = WriteWorld(rate_share=0.1)
    world.deliveries(product(*SKUS))
    assert world.deliveries(RemoveProduct("p1", hide=True)) > 1
    assert {entry.versions for entry in world.catalog("variant").values()} == {2}
    assert not any(world.stored("variant", sku)["published"] for sku in SKUS)


def test_a_product_that_takes_over_more_skus_than_the_quota_allows_is_done_after_some_deliveries() -> None:
    """Each is refused, deleted and created before the next ones are: none is refused in vain at each delivery."""
    world = WriteWorld(rate_share=0.1)
    world.deliveries(product(*SKUS, of="p2"))
    assert world.deliveries(product(*SKUS)) > 1
    assert {entry.item for entry in world.catalog("variant").values()} == {world.catalog("item")["p1"]}


def test_whose_a_taken_sku_is_is_told_by_a_look_that_began_afterwards() -> None:
    """One that was under way may not know what another instance has created since, which would be deleted."""
    looks, listed = 0, threading.Event()
    refused: set[str] = set()
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal looks
        body = msgspec.json.decode(request.content) if request.content else {"data": {}}
        sku = body["data"].get("attributes", {}).get("external_id", "")
        seen.append(f"{request.method} {sku or request.url.path.removeprefix('/api/').replace(compound_id(''), '')}")
        if request.method == "GET":
            looks += 1
            if looks == 1:
                return httpx.Response(404)
            if looks == 2:
                listed.set()
            return httpx.Response(200, json={"data": [{"id": compound_id("late")}] if looks == 3 else []})
        if request.method == "POST" and sku in {"early", "late"} - refused:
            refused.add(sku)
            assert sku == "early" or listed.wait(30)
            return httpx.Response(409, json={"errors": []})
        return httpx.Response(200)

    time = StepTime()
    http = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://klaviyo.test")
    client = KlaviyoClient(http, "pk", Limiter(monotonic=time.monotonic))
    send(product("early", "late"), client, time.budget())
    assert (looks, f"DELETE {VARIANT}/early" in seen, f"DELETE {VARIANT}/late" in seen) == (3, True, False)
    assert f"PATCH {VARIANT}/late" in seen


def test_the_same_product_again_changes_nothing() -> None:
    """Case 13."""
    world = WriteWorld()
    write = product("s1", "s2", categories=("c1",))
    world.send(write)
    world.send(write)
    entries = [*world.catalog("item").values(), *world.catalog("variant").values(), *world.catalog("category").values()]
    assert {entry.changes for entry in entries} == {1}


def test_a_price_is_sent_as_an_exact_number() -> None:
    """A decimal in JSON is a number, not a text."""
    world = WriteWorld()
    world.send(PutProduct(item(price=Decimal("0.10")), (variant("s1", price=Decimal("1234567.89")),)))
    assert world.stored("item", "p1")["price"] == 0.1
    assert world.stored("variant", "s1")["price"] == 1234567.89


def test_an_image_is_sent_when_there_is_one() -> None:
    """None: left out."""
    world = WriteWorld()
    image = "https://img.example.com/1.jpg"
    world.send(PutProduct(item(image_full_url=image), (variant("s1"), variant("s2", image_full_url=image))))
    assert world.stored("item", "p1")["image_full_url"] == world.stored("variant", "s2")["image_full_url"] == image
    assert "image_full_url" not in world.stored("variant", "s1")


def test_a_product_that_lost_all_its_categories_loses_its_links() -> None:
    """Case 66: the empty list is sent."""
    world = WriteWorld()
    put(world, "s1", categories=("c1", "c2"))
    assert set(world.catalog("item")["p1"].categories) == {compound_id("c1"), compound_id("c2")}
    world.send(product("s1"))
    assert world.catalog("item")["p1"].categories == {}


@pytest.mark.parametrize("status", [404, 400])
@pytest.mark.parametrize("known", [False, True])
def test_missing_categories_are_created_and_the_item_is_sent_once_more(status: int, known: bool) -> None:
    """Both readings of how Klaviyo refuses such a link, for a creation and an update."""
    world = WriteWorld(missing_link_status=status)
    if known:
        put(world, "s1")
    world.send(PutCategories((category("c1", "As it is called"),), new=True))
    world.forget()
    method, path = ("PATCH", f"{ITEM}/p1") if known else ("POST", ITEM)
    assert world.send(product("s1", categories=("c1", "c2"))) == WriteResult()
    assert world.requests()[1:5] == [
        f"{method} {path} {status}",
        f"GET {CATEGORY} 200",
        f"POST {CATEGORY} 201",
        f"{method} {path} {200 if known else 201}",
    ]
    assert set(world.catalog("item")["p1"].categories) == {compound_id("c1"), compound_id("c2")}
    assert world.stored("category", "c1")["name"] == "As it is called"


@pytest.mark.parametrize("status", [404, 400])
def test_a_link_to_a_category_that_nobody_can_name_is_left_out(status: int) -> None:
    """The product is worth more than the link; it is counted."""
    world = WriteWorld(missing_link_status=status)
    result = world.send(product("s1", categories=("c1", "c2")))
    assert result == WriteResult()
    unnamed = PutProduct(item("p2", "c1", "nameless"), (variant("s9", "p2"),))
    assert world.send(unnamed) == WriteResult((Adjustment.CATEGORY_UNKNOWN,))
    assert set(world.catalog("item")["p2"].categories) == {compound_id("c1")}


def test_a_category_that_came_to_be_meanwhile_keeps_its_name() -> None:
    """The name we have was read before; whoever created it may have read a newer one."""
    world = WriteWorld()

    def created_by_another() -> None:
        row = {"attributes": {"external_id": "c1", "name": "Newer"}}
        world.account.catalog.create("category", row, world.time.monotonic())

    world.transport.once_after("GET", lambda: None)  # the variants
    world.transport.once_after("GET", created_by_another)
    created: list[str] = []
    world.send(product("s1", categories=("c1",)), created_categories=created)
    assert world.requests()[1:5] == [f"POST {ITEM} 404", f"GET {CATEGORY} 200", f"POST {CATEGORY} 409", f"POST {ITEM} 201"]
    assert (world.stored("category", "c1"), created) == ({"name": "Newer"}, [])
    assert set(world.catalog("item")["p1"].categories) == {compound_id("c1")}


def test_a_category_that_vanishes_again_before_the_item_links_to_it_is_a_transient_failure() -> None:
    """The refusal of such a link may look like a lasting one."""
    world = WriteWorld(missing_link_status=400)
    world.transport.once_after("POST", lambda: None)  # the item
    world.transport.once_after("POST", lambda: world.vanish("category", "c1"))
    with pytest.raises(TransientError, match="came and went"):
        world.send(product("s1", categories=("c1",)))
    assert world.requests()[1:] == [
        f"POST {ITEM} 400",
        f"GET {CATEGORY} 200",
        f"POST {CATEGORY} 201",
        f"POST {ITEM} 400",
        f"GET {CATEGORY} 200",
    ]


def test_links_that_are_refused_although_all_categories_are_there_are_a_lasting_failure() -> None:
    """Another delivery would fare the same."""

    def refuse(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            error = {"code": "invalid", "source": {"pointer": "/data/relationships/categories/data"}}
            return httpx.Response(400, json={"errors": [error]})
        if request.url.path.endswith("/variants"):
            return httpx.Response(404)
        return httpx.Response(200, json={"data": [{"id": compound_id("c1"), "attributes": {"name": "Here"}}]})

    time = StepTime()
    http = httpx.Client(transport=httpx.MockTransport(refuse), base_url="http://klaviyo.test")
    client = KlaviyoClient(http, "pk", Limiter(monotonic=time.monotonic))
    with pytest.raises(PermanentError, match="invalid"):
        send(product("s1", categories=("c1",)), client, time.budget())


def test_an_item_that_came_to_be_meanwhile_is_updated_and_its_variants_are_looked_at_again() -> None:
    """Another instance was faster, or the answer to our own creation was lost."""
    world = WriteWorld()
    put(world, "extra")
    world.fault(kind="status", method="GET", first=1, status=404)
    world.send(product("s1"))
    assert world.requests()[:4] == [f"{LIST} 404", f"POST {ITEM} 409", f"PATCH {ITEM}/p1 200", f"{LIST} 200"]
    assert set(world.catalog("variant")) == {"s1"}


def test_an_item_that_vanished_meanwhile_is_created() -> None:
    """404 of the update."""
    world = WriteWorld()
    put(world, "s1")
    world.transport.once_after("GET", lambda: world.vanish("item", "p1"))
    world.send(product("s1"))
    assert world.requests()[:3] == [f"{LIST} 200", f"PATCH {ITEM}/p1 404", f"POST {ITEM} 201"]
    assert set(world.catalog("variant")) == {"s1"}
    assert world.catalog("variant")["s1"].item is world.catalog("item")["p1"]


def test_a_sku_that_moved_from_another_product_is_deleted_there_and_created_here() -> None:
    """Klaviyo cannot move a variant."""
    world = WriteWorld()
    put(world, "moved", of="p2")
    world.send(product("moved"))
    assert world.catalog("variant")["moved"].item is world.catalog("item")["p1"]
    assert world.requests()[-3:] == [f"{LIST} 200", f"DELETE {VARIANT}/moved 204", f"POST {VARIANT} 201"]


def test_a_variant_that_came_to_be_meanwhile_under_this_item_is_updated() -> None:
    """Never deleted: subscriptions to it would be lost."""
    world = WriteWorld()
    put(world, "s1")
    world.fault(kind="status", method="GET", first=1, status=404)
    world.fault(kind="status", method="GET", first=1, status=404)
    world.send(product("s1"))
    assert f"DELETE {VARIANT}/s1 204" not in world.requests()
    assert world.requests()[-3:] == [f"POST {VARIANT} 409", f"{LIST} 200", f"PATCH {VARIANT}/s1 200"]


def test_a_known_variant_that_vanished_is_created() -> None:
    """404 of its update."""
    world = WriteWorld()
    put(world, "s1")
    world.transport.once_after("GET", lambda: world.vanish("variant", "s1"))
    world.send(PutProduct(item(), (variant("s1", title="Renamed"),)))
    assert world.requests()[-2:] == [f"PATCH {VARIANT}/s1 404", f"POST {VARIANT} 201"]


@pytest.mark.parametrize("reading", ["variants_too", "item_only"])
def test_a_deleted_product_can_come_back(reading: str) -> None:
    """Both readings of what happens to the variants of a deleted item: left ones are taken over."""
    world = WriteWorld(item_delete=reading)
    put(world, "s1", "s2")
    world.vanish("item", "p1")
    world.send(product("s1", "s2"))
    assert {entry.item for entry in world.catalog("variant").values()} == {world.catalog("item")["p1"]}


def test_one_bad_variant_does_not_keep_the_others_back() -> None:
    """It is raised at the end."""
    world = WriteWorld()
    bad = variant("bad", custom_metadata={"nested": {"a": 1}})
    with pytest.raises(PermanentError) as caught:
        world.send(PutProduct(item(), (bad, variant("s1"), variant("s2"))))
    assert caught.value.pointer == "/data/attributes/custom_metadata"
    assert set(world.catalog("variant")) == {"s1", "s2"}


def test_an_item_that_is_refused_gets_no_variants() -> None:
    """Item before its variants, always."""
    world = WriteWorld()
    with pytest.raises(PermanentError):
        world.send(PutProduct(item(custom_metadata={"nested": {"a": 1}}), (variant("s1"),)))
    assert world.requests() == [f"{LIST} 404", f"POST {ITEM} 400"]


def test_a_404_that_nothing_explains_is_an_incident() -> None:
    """During one good paths answered 404; the message is delivered again, nothing is lost."""
    world = WriteWorld()
    world.fault(kind="status", status=404, path="/api/catalog-items")
    with pytest.raises(HostDown):
        world.send(product("s1"))


def test_a_storm_of_404_deletes_nothing() -> None:
    """What is there stays there, and is right afterwards."""
    world = WriteWorld()
    put(world, "s1", "extra", categories=("c1",))
    world.fault(kind="status", status=404, first=3)
    world.send(product("s1", categories=("c1",)))
    assert set(world.catalog("variant")) == {"s1"}
    assert set(world.catalog("item")["p1"].categories) == {compound_id("c1")}


@pytest.mark.parametrize("there", [False, True])
def test_a_missing_category_is_found_also_when_no_pointer_says_so(there: bool) -> None:
    """404 without a body: the item itself is tried both ways first, then its categories are looked at."""
    world = WriteWorld()
    if there:
        put(world, "s1")
    plain = _without_bodies(world)
    assert send(product("s1", categories=("c1",)), plain, world.time.budget()) == WriteResult()
    assert set(world.catalog("item")["p1"].categories) == {compound_id("c1")}


def _without_bodies(world: WriteWorld) -> KlaviyoClient:
    """A client that sees no error body."""

    def answer(request: httpx.Request) -> httpx.Response:
        response = world.transport.handle_request(request)
        return httpx.Response(response.status_code, content=response.content if response.is_success else b"")

    http = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://klaviyo.test")
    return KlaviyoClient(http, "pk_sandbox", Limiter(monotonic=world.time.monotonic), attempts=3, rng=lambda: 0.0)


@pytest.mark.parametrize("status", [404, 400])
def test_an_item_that_vanished_under_its_variants_is_a_transient_failure(status: int) -> None:
    """The message comes again and the state is read anew."""
    world = WriteWorld(missing_link_status=status)
    world.transport.once_after("POST", lambda: world.vanish("item", "p1"))
    began = world.time.monotonic()
    with pytest.raises(TransientError, match="the item of a variant vanished"):
        world.send(product("s1"))
    assert world.requests()[2:] == [f"POST {VARIANT} {status}"], "at once: another try would fare the same"
    assert world.time.monotonic() == began


def test_an_item_that_vanished_under_variants_that_are_taken_is_a_transient_failure() -> None:
    """Whose they are cannot be told any more, so none is deleted."""
    world = WriteWorld()
    put(world, "s1", of="p2")
    world.transport.once_after("POST", lambda: None)  # of the item
    world.transport.once_after("POST", lambda: world.vanish("item", "p1"))
    with pytest.raises(TransientError, match="the item of a variant vanished"):
        world.send(product("s1"))
    assert world.requests()[2:] == [f"POST {VARIANT} 409", f"{LIST} 404"]
    assert world.catalog("variant")["s1"].item is world.catalog("item")["p2"]


def test_a_sku_that_is_taken_again_at_once_is_a_transient_failure() -> None:
    """Another delivery of the same product, or of the one that had it; never a dead letter."""
    world = WriteWorld()
    put(world, "moved", of="p2")
    world.fault(kind="status", method="POST", path=f"/api/{VARIANT}", status=409, skip=1, first=1)
    with pytest.raises(TransientError, match="taken again"):
        world.send(product("moved"))
    assert world.requests()[2:] == [f"POST {VARIANT} 409", f"{LIST} 200", f"DELETE {VARIANT}/moved 204", f"POST {VARIANT} 409"]


def test_a_variant_that_was_taken_and_vanishes_after_all_is_created() -> None:
    """404 of its update, at the second look as at the first."""
    world = WriteWorld()
    put(world, "s1")
    world.fault(kind="status", method="GET", first=1, status=404)
    world.fault(kind="status", method="GET", first=1, status=404)
    for _ in range(2):
        world.transport.once_after("GET", lambda: None)
    world.transport.once_after("GET", lambda: world.vanish("variant", "s1"))
    world.send(product("s1"))
    assert world.requests()[-4:] == [f"POST {VARIANT} 409", f"{LIST} 200", f"PATCH {VARIANT}/s1 404", f"POST {VARIANT} 201"]


def test_a_product_of_many_variants_is_listed_page_by_page() -> None:
    """250 variants are three pages; the ones that commercetools no longer has are found on each."""
    world = WriteWorld(rate_limits=False)
    put(world, *(f"s{n}" for n in range(250)))
    world.send(product(*(f"s{n}" for n in range(0, 250, 2))))
    assert world.requests()[:3] == [f"{LIST} 200"] * 3
    assert set(world.catalog("variant")) == {f"s{n}" for n in range(0, 250, 2)}


def test_ids_are_percent_encoded_in_paths() -> None:
    """A SKU may hold anything."""
    world = WriteWorld()
    sku = "ä/b c?d#e%f+g"
    world.send(product(sku))
    world.send(SetStock(sku, CatalogStock(inventory_quantity=1, inventory_policy=TRACKED)))
    assert world.transport.seen[-1].path == "/api/catalog-variants/" + quote(compound_id(sku), safe="")
    assert world.stored("variant", sku)["inventory_quantity"] == 1


# Removing products


@pytest.mark.parametrize("reading", ["variants_too", "item_only"])
def test_a_deleted_product_leaves_nothing_behind(reading: str) -> None:
    """Cases 67 and 68: variants on all pages first, then the item, by both readings of what deleting an item does."""
    world = WriteWorld(item_delete=reading, rate_limits=False)
    put(world, *(f"s{n}" for n in range(120)))
    put(world, "other", of="p2")
    assert world.send(RemoveProduct("p1")) == WriteResult()
    assert (world.requests()[:2], world.requests()[-1]) == ([f"{LIST} 200"] * 2, f"DELETE {ITEM}/p1 204")
    assert (set(world.catalog("variant")), set(world.catalog("item"))) == ({"other"}, {"p2"})


@pytest.mark.parametrize("hide", [False, True])
def test_a_product_that_is_gone_already_is_fine(hide: bool) -> None:
    """404 is the state wanted."""
    world = WriteWorld()
    assert world.send(RemoveProduct("p1", hide=hide)) == WriteResult()
    assert world.requests() == [f"{LIST} 404", f"{'PATCH' if hide else 'DELETE'} {ITEM}/p1 404"]


def test_a_hidden_product_is_all_there_but_not_published() -> None:
    """Nothing else of it changes, its links neither."""
    world = WriteWorld()
    put(world, "s1", categories=("c1",))
    before = world.stored("item", "p1"), world.stored("variant", "s1")
    assert world.send(RemoveProduct("p1", hide=True)) == WriteResult()
    assert world.requests() == [f"{LIST} 200", f"PATCH {VARIANT}/s1 200", f"PATCH {ITEM}/p1 200"]
    after = world.stored("item", "p1"), world.stored("variant", "s1")
    assert after == tuple({**old, "published": False} for old in before)
    assert set(world.catalog("item")["p1"].categories) == {compound_id("c1")}
    world.send(product("s1", categories=("c1",)))
    assert (world.stored("item", "p1"), world.stored("variant", "s1")) == before


def test_the_item_stays_while_one_of_its_variants_could_not_be_deleted() -> None:
    """The next delivery finds it by the item."""
    world = WriteWorld()
    put(world, "s1")
    world.fault(kind="status", path="/api/catalog-variants", status=500)
    with pytest.raises(HostDown):
        world.send(RemoveProduct("p1"))
    assert "p1" in world.catalog("item")


def test_the_skus_that_were_deleted_are_named() -> None:
    """They may have moved to another product meanwhile, which has to be looked at then; those taken over are ours."""
    world = WriteWorld()
    put(world, "extra", "s1")
    put(world, "moved", of="p2")
    deleted: list[str] = []
    world.send(product("s1", "moved"), deleted_skus=deleted)
    assert deleted == ["extra"]
    world.send(RemoveProduct("p1", hide=True), deleted_skus=deleted)
    assert deleted == ["extra"]
    world.send(RemoveProduct("p1"), deleted_skus=deleted)
    assert sorted(deleted) == ["extra", "moved", "s1"]


def test_the_skus_that_were_deleted_are_named_also_when_the_write_fails() -> None:
    """The next delivery does not find them under the item any more."""
    world = WriteWorld()
    put(world, "extra", "s1")
    world.fault(kind="status", method="PATCH", path=f"/api/{VARIANT}", status=500)
    deleted: list[str] = []
    with pytest.raises(HostDown):
        world.send(PutProduct(item(), (variant("s1", title="Renamed"),)), deleted_skus=deleted)
    assert deleted == ["extra"]
    world.fault(kind="status", method="DELETE", path=f"/api/{ITEM}", status=500)
    with pytest.raises(HostDown):
        world.send(RemoveProduct("p1"), deleted_skus=deleted)
    assert deleted == ["extra", "s1"]


def test_a_sku_whose_deletion_was_lost_on_the_way_is_named() -> None:
    """The second try finds it gone, and the first one was ours."""
    world = WriteWorld()
    put(world, "s1")
    world.fault(kind="lost", method="DELETE", path=f"/api/{VARIANT}", first=1)
    deleted: list[str] = []
    world.send(RemoveProduct("p1"), deleted_skus=deleted)
    assert f"DELETE {VARIANT}/s1 404" in world.requests()
    assert deleted == ["s1"]


# Stock


@pytest.mark.parametrize("quantity", [0, 100])
def test_stock_changes_quantity_and_policy_and_nothing_else(quantity: int) -> None:
    """Cases 72 and 73: 0 is a quantity, and what is hidden stays hidden."""
    world = WriteWorld()
    world.send(PutProduct(item(), (variant("s1", published=False),)))
    before = world.stored("variant", "s1")
    stock = CatalogStock(inventory_quantity=quantity, inventory_policy=TRACKED)
    assert world.send(SetStock("s1", stock)) == WriteResult()
    assert world.transport.seen[-1].body["data"]["attributes"] == {"inventory_policy": 1, "inventory_quantity": quantity}
    assert world.stored("variant", "s1") == {**before, "inventory_quantity": quantity}


def test_stock_of_a_variant_that_klaviyo_does_not_know_is_skipped() -> None:
    """Case 74."""
    world = WriteWorld()
    stock = CatalogStock(inventory_quantity=1, inventory_policy=TRACKED)
    assert world.send(SetStock("s1", stock)) == WriteResult(skip=SkipReason.UNKNOWN_VARIANT)


def test_a_refused_stock_is_raised() -> None:
    """Only a 404 is a skip."""

    def refuse(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(400, json={"errors": []})

    time = StepTime()
    http = httpx.Client(transport=httpx.MockTransport(refuse), base_url="http://klaviyo.test")
    client = KlaviyoClient(http, "pk", Limiter(monotonic=time.monotonic))
    for write in (
        SetStock("s1", CatalogStock(inventory_quantity=1, inventory_policy=TRACKED)),
        RemoveCategory("c1"),
        RemoveProduct("p1"),
    ):
        with pytest.raises(PermanentError):
            send(write, client, time.budget())
