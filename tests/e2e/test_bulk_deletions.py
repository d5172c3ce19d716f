"""`deleteAll`: all of a kind that Klaviyo's catalog has, or only what is commercetools' own (http-api.md; cases 87, 88)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from sandbox.klaviyo.catalog import ID_PREFIX
from tests.e2e.bulk_world import Imports, is_write
from tests.e2e.fault_fixtures import hold, klaviyo_settings

DELETED = pytest.mark.parametrize("kind", ["products", "categories"])
DELETIONS = {
    "products": "POST /api/catalog-item-bulk-delete-jobs",
    "categories": "POST /api/catalog-category-bulk-delete-jobs",
}
FOREIGN = [f"made-by-hand-{number}" for number in range(3)]


def _catalog_object(kind: str, external_id: str, **more: Any) -> dict[str, Any]:
    attributes = {"external_id": external_id, "integration_type": "$custom", "catalog_type": "$default", **more}
    return {"type": f"catalog-{kind}", "attributes": attributes}


def _foreign(imports: Imports) -> None:
    """Items with a variant each, and categories, that somebody else has made."""
    shown = {"title": "Gift card", "description": "", "url": "https://shop.example.com/"}
    for name in FOREIGN:
        imports.klaviyo_has("/api/catalog-items", _catalog_object("item", name, **shown))
        variant = _catalog_object("variant", f"{name}-sku", **shown, sku=f"{name}-sku", inventory_quantity=1, price=1)
        item = {"data": {"type": "catalog-item", "id": f"{ID_PREFIX}{name}"}}
        imports.klaviyo_has("/api/catalog-variants", {**variant, "relationships": {"item": item}})
        imports.klaviyo_has("/api/catalog-categories", _catalog_object("category", name, name="Gifts"))


def _full(imports: Imports) -> None:
    imports.completed("categories")
    imports.completed("products")
    _foreign(imports)


def _confirmed(kind: str, **more: Any) -> Mapping[str, Any]:
    return {"deleteAll": True, "confirmDeletion": kind, **more}


UNCONFIRMED: list[dict[str, Any]] = [
    {},
    {"confirmDeletion": "yes"},
    {"confirmDeletion": "orders"},
    {"confirmDeletetion": ""},
]


@DELETED
@pytest.mark.parametrize("more", UNCONFIRMED, ids=str)
def test_a_deletion_that_is_not_confirmed_is_a_400_that_explains(imports: Imports, kind: str, more: dict[str, Any]) -> None:
    """Case 87: the risk is named, no run is made, nothing is deleted."""
    answer = imports.post(f"/sync/{kind}", {"deleteAll": True, **more})
    assert (answer.status_code, answer.json()["error"]) == (400, "bad_request")
    said = " ".join(problem["message"] for problem in answer.json()["problems"])
    assert "cannot be undone" in said
    assert kind in said
    assert imports.requests() == []


@pytest.mark.parametrize("kind", ["customers", "orders", "all"])
def test_nothing_but_the_catalog_can_be_deleted(imports: Imports, kind: str) -> None:
    """Case 87: not even with a confirmation."""
    answer = imports.post(f"/sync/{kind}", _confirmed(kind))
    assert (answer.status_code, answer.json()["error"]) == (400, "bad_request")
    assert imports.requests() == []


@DELETED
@pytest.mark.parametrize("spelling", ["confirmDeletion", "confirmDeletetion"])
def test_a_confirmed_deletion_deletes_all_foreign_ones_too(imports: Imports, kind: str, spelling: str) -> None:
    """Case 88: whoever made it; of the other kind nothing."""
    _full(imports)
    before = {name: set(imports.catalog(name)) for name in ("item", "variant", "category")}
    status = imports.completed(kind, deleteAll=True, **{spelling: kind})
    after = {name: set(imports.catalog(name)) for name in ("item", "variant", "category")}
    if kind == "products":
        assert after == {"item": set(), "variant": set(), "category": before["category"]}
        assert status["sent"] >= len(before["item"])
    else:
        assert after == {**before, "category": set()}
        assert status["sent"] >= len(before["category"])
    imports.assert_within_limits()
    imports.assert_given_back(kind)


@DELETED
def test_only_own_spares_what_others_made(imports: Imports, kind: str) -> None:
    """Case 88: what has not the id of a commercetools resource stays, with its variants."""
    _full(imports)
    others = "category" if kind == "products" else "item"
    before = set(imports.catalog(others))
    imports.completed(kind, **_confirmed(kind, onlyOwn=True))
    assert set(imports.catalog("item" if kind == "products" else "category")) == set(FOREIGN)
    assert set(imports.catalog(others)) == before
    if kind == "products":
        assert set(imports.catalog("variant")) == {f"{name}-sku" for name in FOREIGN}


@pytest.mark.parametrize("reading", ["variants_too", "item_only"])
@pytest.mark.parametrize("only_own", [False, True])
def test_variants_go_before_their_items_however_klaviyo_deletes_items(imports: Imports, reading: str, only_own: bool) -> None:
    """Case 88: no variant is left over, also where a deleted item leaves its variants behind."""
    with klaviyo_settings(imports.klaviyo, item_delete=reading):
        _full(imports)
        imports.completed("products", **_confirmed("products", onlyOwn=only_own))
    spared = FOREIGN if only_own else []
    assert set(imports.catalog("item")) == set(spared)
    assert set(imports.catalog("variant")) == {f"{name}-sku" for name in spared}
    deleted = [effect["kind"] for effect in imports.effects() if effect["kind"] in ("item_deleted", "variant_deleted")]
    assert deleted.index("item_deleted") > 0
    if reading == "variants_too":
        first_item = min(request["at"] for request in imports.calls(DELETIONS["products"]))
        variants = imports.calls("POST /api/catalog-variant-bulk-delete-jobs")
        assert min(request["at"] for request in variants) < first_item


@DELETED
def test_a_dry_run_of_a_deletion_is_refused(imports: Imports, kind: str) -> None:
    """Case 87: any other field beside `deleteAll` is a 400."""
    for more in ({"dryRun": True}, {"ids": ["00000000-0000-4000-8000-000000000000"]}, {"createdAfter": "2026-01-01T00:00:00Z"}):
        answer = imports.post(f"/sync/{kind}", _confirmed(kind, **more))
        assert (answer.status_code, [one["field"] for one in answer.json()["problems"]]) == (400, list(more))
    assert imports.requests() == []


@DELETED
def test_nothing_is_deleted_after_a_confirmed_stop_and_resume_deletes_the_rest(imports: Imports, kind: str) -> None:
    """Case 94: a deletion is stopped and resumed as any run."""
    _full(imports)
    hold(imports.klaviyo, endpoint=DELETIONS[kind])
    run_id = imports.start(kind, **_confirmed(kind))
    imports.until_held(imports.klaviyo)
    status, stopped_at = imports.stopped(kind)
    assert status["resumable"]
    imports.assert_silent_after(stopped_at)
    left = {name: set(imports.catalog(name)) for name in ("item", "variant", "category")}
    assert left["item" if kind == "products" else "category"]
    imports.klaviyo_fails()
    status = imports.resumed(kind, run_id)
    assert (status["status"], status["failed"]) == ("completed", 0)
    assert imports.in_klaviyo(kind) == set()


@DELETED
def test_an_import_after_a_deletion_brings_everything_back(imports: Imports, kind: str) -> None:
    """What was deleted is created anew."""
    _full(imports)
    imports.completed(kind, **_confirmed(kind, onlyOwn=True))
    imports.completed(kind)
    assert imports.in_klaviyo(kind) == {resource["id"] for resource in imports.wanted(kind)} | set(FOREIGN)


@DELETED
def test_an_empty_catalog_is_deleted_in_no_time(imports: Imports, kind: str) -> None:
    """No item, no failure."""
    status = imports.completed(kind, **_confirmed(kind))
    assert (status["seen"], status["status"]) == (0, "completed")
    assert not [request for request in imports.requests() if is_write(request)]


def test_more_than_a_page_of_items_is_deleted(imports: Imports) -> None:
    """Klaviyo shows a hundred at a time; paging and deleting do not get into each other's way."""
    shown = {"title": "Gift card", "description": "", "url": "https://shop.example.com/"}
    for first in (0, 100, 200):
        rows = [_catalog_object("item", f"made-{number}", **shown) for number in range(first, min(first + 100, 230))]
        job = {"type": "catalog-item-bulk-create-job", "attributes": {"items": {"data": rows}}}
        imports.klaviyo_has("/api/catalog-item-bulk-create-jobs", job)
    imports.until(lambda: len(imports.in_klaviyo("products")) == 230, "the items were not made")
    status = imports.completed("products", **_confirmed("products"))
    assert status["sent"] == 230
    assert imports.in_klaviyo("products") == set()
    imports.assert_within_limits()
