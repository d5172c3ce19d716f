"""Catalog: single objects, links, lists, and bulk jobs row by row."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from klaviyo_bench import Bench, errors

PREFIX = "$custom:::$default:::"
LISTS = {"item": "/api/catalog-items", "variant": "/api/catalog-variants", "category": "/api/catalog-categories"}
PLURAL = {"item": "items", "variant": "variants", "category": "categories"}


def item(number: str, *categories: str, **more: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "type": "catalog-item",
        "attributes": {"external_id": number, "title": "T", "description": "D", "url": "https://shop.example.com", **more},
    }
    if categories:
        row["relationships"] = links("categories", "category", *categories)
    return row


def variant(number: str, of: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "catalog-variant",
        "attributes": {
            "external_id": number, "title": "T", "description": "D", "sku": number, "inventory_quantity": 1,
            "price": 9.99, "url": "https://shop.example.com", **more,
        },
        "relationships": {"item": {"data": {"type": "catalog-item", "id": PREFIX + of}}},
    }  # fmt: skip


def category(number: str, name: str = "N") -> dict[str, Any]:
    return {"type": "catalog-category", "attributes": {"external_id": number, "name": name}}


def links(name: str, kind: str, *numbers: str) -> dict[str, Any]:
    return {name: {"data": [{"type": f"catalog-{kind}", "id": PREFIX + number} for number in numbers]}}


def change(kind: str, number: str, **attributes: Any) -> dict[str, Any]:
    return {"type": f"catalog-{kind}", "id": PREFIX + number, "attributes": attributes}


def one(kind: str, number: str, below: str = "") -> str:
    return f"{LISTS[kind]}/{quote(PREFIX + number, safe='')}{below}"


def add(bench: Bench, *rows: dict[str, Any]) -> None:
    for row in rows:
        kind = row["type"].removeprefix("catalog-")
        assert bench.post(LISTS[kind], {"data": row}).status_code == 201


def run(bench: Bench, kind: str, action: str, *rows: dict[str, Any]) -> dict[str, Any]:
    path = f"/api/catalog-{kind}-bulk-{action}-jobs"
    body = {"data": {"type": path[5:-1], "attributes": {PLURAL[kind]: {"data": list(rows)}}}}
    response = bench.post(path, body)
    assert response.status_code == 202, response.text
    bench.now += 3
    attributes: dict[str, Any] = bench.get(f"{path}/{response.json()['data']['id']}")["data"]["attributes"]
    assert attributes["status"] == "complete"
    return attributes


def numbers(bench: Bench, path: str, **params: str) -> list[str]:
    return [row["id"].removeprefix(PREFIX) for row in bench.get(path, **params)["data"]]


@pytest.fixture
def shop(bench: Bench) -> Bench:
    """Two categories, two items in the first of them, three variants."""
    add(bench, category("shoes"), category("sale"), item("p1", "shoes"), item("p2", "shoes"))
    add(bench, variant("v1", "p1"), variant("v2", "p1"), variant("v3", "p2"))
    return bench


@pytest.mark.parametrize(("kind", "row"), [("item", item("x")), ("variant", variant("x", "p1")), ("category", category("x"))])
def test_objects_are_created_read_changed_and_deleted_under_compound_ids(shop: Bench, kind: str, row: dict[str, Any]) -> None:
    """201, 409 again, 200, 204, 404; ids are percent-encoded in paths."""
    assert shop.post(LISTS[kind], {"data": row}).json()["data"]["id"] == f"{PREFIX}x"
    assert shop.post(LISTS[kind], {"data": row}).status_code == 409
    name = "name" if kind == "category" else "title"
    assert shop.get(one(kind, "x"))["data"]["attributes"]["external_id"] == "x"
    changed = shop.call("PATCH", one(kind, "x"), {"data": change(kind, "x", **{name: "New"})})
    assert (changed.status_code, changed.json()["data"]["attributes"][name]) == (200, "New")
    shop.call("PATCH", one(kind, "x"), {"data": change(kind, "x", **{name: "New"})})
    assert shop.call("DELETE", one(kind, "x")).status_code == 204
    assert [shop.call(m, one(kind, "x")).status_code for m in ("GET", "DELETE")] == [404, 404]
    assert shop.call("PATCH", one(kind, "x"), {"data": change(kind, "x")}).status_code == 404
    kinds = [effect for effect, identity in shop.effects() if identity == "x"]
    assert kinds == [f"{kind}_created", f"{kind}_updated", f"{kind}_unchanged", f"{kind}_deleted"]


def test_defaults_are_those_of_the_contract(shop: Bench) -> None:
    """Published, inventory policy 0, no price."""
    assert shop.get(one("item", "p1"))["data"]["attributes"]["published"] is True
    assert shop.get(one("item", "p1"))["data"]["attributes"]["price"] is None
    assert shop.get(one("variant", "v1"))["data"]["attributes"]["inventory_policy"] == 0


@pytest.mark.parametrize(("status", "code"), [(404, "not_found"), (400, "invalid")])
def test_a_link_to_something_missing_is_refused_with_a_pointer_at_it(
    make_bench: Callable[..., Bench], status: int, code: str
) -> None:
    """404 or 400: both readings, for items that are created or updated, and for variants."""
    bench = make_bench(missing_link_status=status)
    add(bench, category("shoes"), item("p1"))
    link = [(code, "/data/relationships/categories/data/1/id")]
    created = bench.post(LISTS["item"], {"data": item("p2", "shoes", "gone")})
    patch = {"data": {**change("item", "p1"), "relationships": links("categories", "category", "shoes", "gone")}}
    updated = bench.call("PATCH", one("item", "p1"), patch)
    assert [(r.status_code, errors(r)) for r in (created, updated)] == [(status, link)] * 2
    refused = bench.post(LISTS["variant"], {"data": variant("x", "gone")})
    assert (refused.status_code, errors(refused)) == (status, [(code, "/data/relationships/item/data/id")])
    assert bench.post(LISTS["item"], {"data": item("p1")}).status_code == 409


def test_a_variant_needs_an_existing_item(shop: Bench) -> None:
    """404 for an unknown one, 400 when none is named."""
    response = shop.post(LISTS["variant"], {"data": variant("x", "nothing")})
    assert (response.status_code, errors(response)) == (404, [("not_found", "/data/relationships/item/data/id")])
    row = variant("x", "p1")
    row["relationships"]["item"] = {}
    assert errors(shop.post(LISTS["variant"], {"data": row})) == [("invalid", "/data/relationships/item/data")]


@pytest.mark.parametrize(
    ("row", "below"),
    [
        (item("a:::b"), "external_id"),
        (item("x", custom_metadata={"a": {"b": 1}}), "custom_metadata"),
        (item("x", custom_metadata={"a": "b" * 100_000}), "custom_metadata"),
        (item("x", integration_type="shopify"), "integration_type"),
        (item("x", catalog_type="other"), "catalog_type"),
        (item("x", brand="B"), "brand"),
    ],
)
def test_an_object_outside_the_rules_is_400(bench: Bench, row: dict[str, Any], below: str) -> None:
    """Flat metadata of 100 KB, one integration, one catalog, no other fields."""
    assert errors(bench.post(LISTS["item"], {"data": row})) == [("invalid", f"/data/attributes/{below}")]


def test_deleting_an_item_removes_its_variants_or_not(make_bench: Callable[..., Bench]) -> None:
    """Klaviyo does not say: both readings."""
    for reading, left in (("variants_too", ["v3"]), ("item_only", ["v1", "v3"])):
        bench = make_bench(item_delete=reading)
        add(bench, item("p1"), item("p2"), variant("v1", "p1"), variant("v3", "p2"))
        assert bench.call("DELETE", one("item", "p1")).status_code == 204
        assert numbers(bench, LISTS["variant"]) == left


def test_links_are_added_replaced_and_removed_from_either_side(shop: Bench) -> None:
    """PATCH replaces the whole set; unknown ids are 404."""
    of_item = one("item", "p1", "/relationships/categories")
    of_category = one("category", "sale", "/relationships/items")
    both = links("data", "category", "shoes", "sale")["data"]
    assert shop.call("POST", of_item, both).status_code == 204
    assert numbers(shop, of_item) == ["shoes", "sale"]
    assert numbers(shop, one("category", "sale", "/items")) == ["p1"]
    assert shop.call("PATCH", of_category, links("data", "item", "p2")["data"]).status_code == 204
    assert (numbers(shop, of_item), numbers(shop, of_category)) == (["shoes"], ["p2"])
    assert shop.call("DELETE", of_item, both).status_code == 204
    assert numbers(shop, one("item", "p1", "/categories")) == []
    assert shop.call("POST", of_item, links("data", "category", "nothing")["data"]).status_code == 404


def test_an_update_with_categories_replaces_the_set(shop: Bench) -> None:
    """And without them leaves it."""
    row = change("item", "p1", title="New")
    shop.call("PATCH", one("item", "p1"), {"data": row})
    assert numbers(shop, one("item", "p1", "/categories")) == ["shoes"]
    shop.call("PATCH", one("item", "p1"), {"data": {**row, "relationships": {"categories": {"data": []}}}})
    assert numbers(shop, one("item", "p1", "/categories")) == []


def test_lists_are_filtered_and_paged(shop: Bench) -> None:
    """any(ids), item, category, published, sku, and a cursor that survives deletions."""
    assert numbers(shop, LISTS["variant"], filter=f'any(ids,["{PREFIX}v3","{PREFIX}v1","{PREFIX}zz"])') == ["v1", "v3"]
    assert numbers(shop, LISTS["variant"], filter=f'equals(item.id,"{PREFIX}p1")') == ["v1", "v2"]
    assert numbers(shop, LISTS["variant"], filter='equals(sku,"v2")') == ["v2"]
    assert numbers(shop, LISTS["item"], filter=f'equals(category.id,"{PREFIX}shoes")') == ["p1", "p2"]
    assert numbers(shop, LISTS["item"], filter="equals(published,false)") == []
    assert numbers(shop, LISTS["category"], filter=f'equals(item.id,"{PREFIX}p1")') == ["shoes"]
    assert numbers(shop, LISTS["variant"], sort="-created") == ["v3", "v2", "v1"]
    assert numbers(shop, one("item", "p1", "/variants")) == ["v1", "v2"]
    page = shop.get(LISTS["variant"], **{"page[size]": "2"})
    shop.call("DELETE", one("variant", "v1"))
    assert numbers(shop, page["links"]["next"].removeprefix("http://klaviyo.test")) == ["v3"]
    assert [row["id"] for row in shop.get(one("item", "p1"), include="variants")["included"]] == [f"{PREFIX}v2"]


def test_an_item_names_its_variants_when_they_are_included(shop: Bench) -> None:
    """JSON:API: what is included is linked from what was asked for; on a page as alone, and not otherwise."""
    page = shop.get(LISTS["item"], include="variants")
    linked = {item["id"]: [one["id"] for one in item["relationships"]["variants"]["data"]] for item in page["data"]}
    assert linked == {f"{PREFIX}p1": [f"{PREFIX}v1", f"{PREFIX}v2"], f"{PREFIX}p2": [f"{PREFIX}v3"]}
    assert sorted(one["id"] for one in page["included"]) == [f"{PREFIX}v1", f"{PREFIX}v2", f"{PREFIX}v3"]
    assert "data" not in shop.get(one("item", "p1"))["data"]["relationships"]["variants"]


def test_a_create_job_fails_row_by_row_on_what_exists(shop: Bench) -> None:
    """The others are created; errors name the rows."""
    done = run(shop, "item", "create", item("p3", "sale"), item("p1"), item("p4", "nothing"))
    assert (done["total_count"], done["completed_count"], done["failed_count"]) == (3, 1, 2)
    assert [(e["code"], e["source"]["pointer"]) for e in done["errors"]] == [
        ("duplicate_error", "/data/attributes/items/data/1/attributes/external_id"),
        ("not_found", "/data/attributes/items/data/2/relationships/categories/data/0/id"),
    ]
    assert numbers(shop, LISTS["item"]) == ["p1", "p2", "p3"]


def test_update_and_delete_jobs_fail_row_by_row_on_what_is_missing(shop: Bench) -> None:
    """The others are done."""
    done = run(shop, "variant", "update", change("variant", "v1", price=5), change("variant", "zz", price=5))
    assert (done["completed_count"], done["failed_count"], done["errors"][0]["code"]) == (1, 1, "not_found")
    assert shop.get(one("variant", "v1"))["data"]["attributes"]["price"] == 5
    rows = [{"type": "catalog-category", "id": PREFIX + number} for number in ("sale", "zz")]
    done = run(shop, "category", "delete", *rows)
    assert (done["completed_count"], done["failed_count"]) == (1, 1)
    assert numbers(shop, LISTS["category"]) == ["shoes"]


def test_a_faulty_row_refuses_the_whole_job(shop: Bench) -> None:
    """With its pointer; nothing is done."""
    body = {
        "data": {"type": "catalog-item-bulk-create-job", "attributes": {"items": {"data": [item("a"), {**item("b"), "x": 1}]}}}
    }
    response = shop.post("/api/catalog-item-bulk-create-jobs", body)
    assert errors(response) == [("invalid", "/data/attributes/items/data/1/x")]


def test_a_job_holds_1_to_100_rows(bench: Bench) -> None:
    """101 are refused."""
    path = "/api/catalog-category-bulk-create-jobs"
    for count, status in ((0, 400), (100, 202), (101, 400)):
        rows = [category(f"c{i}") for i in range(count)]
        body = {"data": {"type": path[5:-1], "attributes": {"categories": {"data": rows}}}}
        assert bench.post(path, body).status_code == status


def test_jobs_are_listed_by_status(shop: Bench) -> None:
    """The list is what a client should poll."""
    path = "/api/catalog-item-bulk-create-jobs"
    run(shop, "item", "create", item("p9"))
    body = {"data": {"type": path[5:-1], "attributes": {"items": {"data": [item("p10")]}}}}
    queued = shop.post(path, body).json()["data"]["id"]
    assert [row["id"] for row in shop.get(path, filter='equals(status,"queued")')["data"]] == [queued]
    assert len(shop.get(path, filter='equals(status,"complete")')["data"]) == 1


@pytest.mark.parametrize(("cap", "other"), [("account", 429), ("endpoint", 202)])
def test_at_most_500_jobs_are_in_progress(make_bench: Callable[..., Bench], cap: str, other: int) -> None:
    """Per account or per endpoint: both readings."""
    bench = make_bench(catalog_jobs_cap=cap, job_base_s=60.0, rate_limits=False)

    def start(kind: str, *rows: dict[str, Any]) -> set[int]:
        path = f"/api/catalog-{kind}-bulk-create-jobs"
        bodies = [{"data": {"type": path[5:-1], "attributes": {PLURAL[kind]: {"data": [row]}}}} for row in rows]
        return bench.post_many(path, bodies)

    assert start("category", *(category(f"c{i}") for i in range(500))) == {202}
    assert start("category", category("one more")) == {429}
    assert start("item", item("p1")) == {other}
    bench.now += 61
    assert start("category", category("one more")) == {202}
