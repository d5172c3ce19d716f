"""Products and categories in bulk: in which jobs they go, what becomes of what is there already, what the sweep mends (mapping.md
"Catalog"; cases 89, 90, 92)."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from shared.local.listening import free_port
from tests.e2e.bulk_world import Imports, is_published, skus_of
from tests.e2e.fault_fixtures import klaviyo_settings
from tests.e2e.realtime_resources import category, money, product, variant
from tests.e2e.served_product import Product

CREATE_ITEMS = "POST /api/catalog-item-bulk-create-jobs"
CREATE_VARIANTS = "POST /api/catalog-variant-bulk-create-jobs"
DELETE_VARIANTS = "POST /api/catalog-variant-bulk-delete-jobs"
DELETE_ITEMS = "POST /api/catalog-item-bulk-delete-jobs"
ROWS_A_JOB = 100
READINGS = pytest.mark.parametrize("reading", ["variants_too", "item_only"])


def _shown(imports: Imports, name: str, count: int, **current: Any) -> dict[str, Any]:
    """A published product of so many variants, whose SKUs nobody has used."""
    prefix = uuid.uuid4().hex[:12]
    variants = [variant(number, f"{prefix}-{number}") for number in range(1, count + 1)]
    return imports.put("products", **product(name, *variants, **current))


def _ids(*products: Mapping[str, Any]) -> list[str]:
    return [one["id"] for one in products]


def _rows(imports: Imports, endpoint: str) -> list[int]:
    """How many rows each accepted job of an endpoint had, the largest first."""
    return sorted((len(request["identities"]) for request in imports.calls(endpoint)), reverse=True)


def _assert_like(imports: Imports, *products: Mapping[str, Any]) -> None:
    """Klaviyo has these items with all their variants, and of these products no other variant."""
    items, variants = imports.catalog("item"), imports.catalog("variant")
    for one in products:
        assert one["id"] in items
        assert {sku for sku, held in variants.items() if held["item"] == one["id"]} == set(skus_of(one))


def test_fifty_products_of_twenty_variants_go_in_ten_jobs_of_a_hundred(imports: Imports) -> None:
    """Case 89: items in one job, their thousand variants in ten, each at most 5 MB."""
    products = [_shown(imports, f"Shirt {number}", 20) for number in range(50)]
    status = imports.completed("products", ids=_ids(*products))
    assert (status["seen"], status["sent"]) == (50, 50)
    assert _rows(imports, CREATE_ITEMS) == [50]
    assert _rows(imports, CREATE_VARIANTS) == [ROWS_A_JOB] * 10
    imports.assert_within_limits()
    _assert_like(imports, *products)


def test_a_product_of_a_hundred_and_fifty_variants_goes_in_two_jobs(imports: Imports) -> None:
    """Case 89: a product is no reason for a job of more than a hundred rows."""
    one = _shown(imports, "Shirt", 150)
    imports.completed("products", ids=_ids(one))
    assert _rows(imports, CREATE_VARIANTS) == [100, 50]
    _assert_like(imports, one)


def test_rows_of_many_bytes_make_jobs_of_fewer_rows(imports: Imports) -> None:
    """Case 89: sixty products that describe themselves in 90 KB are more than 5 MB."""
    products = [_shown(imports, f"Shirt {number}", 1, description={"en": "x" * 90_000}) for number in range(60)]
    imports.completed("products", ids=_ids(*products))
    items = imports.calls(CREATE_ITEMS)
    assert sum(request["body_bytes"] for request in items) > 5_000_000
    assert len(items) > 1
    imports.assert_within_limits()
    _assert_like(imports, *products)


def test_a_product_of_five_hundred_variants_works(imports: Imports) -> None:
    """First, again, and with three hundred of them gone."""
    one = _shown(imports, "Shirt", 500)
    imports.completed("products", ids=_ids(one))
    _assert_like(imports, one)
    effects = imports.effects()[-1]["n"]
    imports.completed("products", ids=_ids(one))
    assert set(imports.effects_by_kind(effects)) <= {"item_unchanged", "variant_unchanged"}
    smaller = imports.change_product(one, variants=one["masterData"]["current"]["variants"][:199])
    imports.completed("products", ids=_ids(smaller))
    _assert_like(imports, smaller)
    imports.assert_within_limits()


def test_items_are_complete_before_their_variants_begin_and_queued_is_not_done(imports: Imports) -> None:
    """Case 90: jobs that are queued almost all their time are waited for; no variant is asked for before its item is there."""
    products = [_shown(imports, f"Shirt {number}", 3) for number in range(150)]
    with klaviyo_settings(imports.klaviyo, job_base_s=1.5, job_queued_share=0.9):
        status = imports.completed("products", ids=_ids(*products))
    ended = time.time()
    effects = imports.effects()
    made = {kind: [effect["at"] for effect in effects if effect["kind"] == kind] for kind in ("item_created", "variant_created")}
    assert (len(made["item_created"]), len(made["variant_created"])) == (150, 450)
    assert max(made["item_created"]) <= min(request["at"] for request in imports.calls(CREATE_VARIANTS))
    assert max(made["variant_created"]) <= ended
    assert status["sent"] == 150
    assert not [effect for effect in effects if effect["kind"].endswith("_failed")]


def test_what_exists_is_updated_and_superfluous_variants_are_deleted(imports: Imports) -> None:
    """Case 92: a known product loses two SKUs and gains one: no second item, an update, a creation and a deletion."""
    one = _shown(imports, "Shirt", 4)
    imports.completed("products", ids=_ids(one))
    known = one["masterData"]["current"]["variants"][:1]
    changed = imports.change_product(one, name={"en": "Coat"}, variants=[*known, variant(9, f"new-{uuid.uuid4()}")])
    effects = imports.effects()[-1]["n"]
    imports.completed("products", ids=_ids(one))
    _assert_like(imports, changed)
    assert imports.catalog("item")[one["id"]]["attributes"]["title"] == "Coat"
    counted = imports.effects_by_kind(effects)
    assert (counted["item_created"], counted["variant_created"], counted["variant_deleted"]) == (0, 1, 2)


def test_an_item_that_appears_between_the_look_and_the_job_is_updated_the_other_way(imports: Imports) -> None:
    """Case 92: the job's row fails on "exists", and is sent as an update; it counts as sent."""
    one = _shown(imports, "Shirt", 1)
    with imports.meanwhile("products", ids=_ids(one)) as run_id:
        _foreign_item(imports, one["id"])
    status = imports.finished("products", run_id)
    assert (status["status"], status["sent"]) == ("completed", 1)
    assert imports.effects_by_kind()["item_create_failed"] == 1, "the job did not find it there"
    assert imports.catalog("item")[one["id"]]["attributes"]["title"] == "Shirt"
    _assert_like(imports, one)


def _foreign_item(imports: Imports, external_id: str) -> None:
    attributes = {
        "external_id": external_id,
        "integration_type": "$custom",
        "catalog_type": "$default",
        "title": "Of somebody else",
        "description": "",
        "url": "https://shop.example.com/",
    }
    imports.klaviyo_has("/api/catalog-items", {"type": "catalog-item", "attributes": attributes})


def test_a_variant_without_sku_is_left_out_and_the_rest_goes(imports: Imports) -> None:
    """It is counted among the adjustments; the product is sent."""
    one = imports.put("products", **product("Shirt", variant(1, f"s-{uuid.uuid4()}"), variant(2, None)))
    status = imports.completed("products", ids=_ids(one))
    assert status["sent"] == 1
    assert sum(status["adjustments"].values()) >= 1
    _assert_like(imports, one)


def test_a_sku_that_moved_is_under_its_new_product(imports: Imports) -> None:
    """Klaviyo cannot move a variant: it is deleted there and made here, in whichever order the two products come."""
    first, second = _shown(imports, "Shirt", 3), _shown(imports, "Coat", 1)
    imports.completed("products", ids=_ids(first, second))
    *kept, moving = first["masterData"]["current"]["variants"]
    first = imports.change_product(first, variants=kept)
    second = imports.change_product(second, variants=[{**moving, "id": 2}])
    status = imports.completed("products", ids=_ids(first, second))
    assert status["sent"] == 2
    _assert_like(imports, first, second)


@READINGS
def test_an_unpublished_product_is_removed_with_its_variants(imports: Imports, reading: str) -> None:
    """Whether Klaviyo deletes variants with their item or not: first they, then it; what Klaviyo never had is skipped."""
    shown, stays, never = (_shown(imports, name, 3) for name in ("Shirt", "Coat", "Hat"))
    never = imports.change_product(never, published=False)
    with klaviyo_settings(imports.klaviyo, item_delete=reading):
        imports.completed("products", ids=_ids(shown, stays))
        imports.change_product(shown, published=False)
        status = imports.completed("products", ids=_ids(shown, stays, never))
    assert (status["sent"], status["skippedReasons"]) == (2, {"not_published": 1})
    assert set(imports.catalog("item")) == {stays["id"]}
    assert set(imports.catalog("variant")) == set(skus_of(stays))
    first_item = min(request["at"] for request in imports.calls(DELETE_ITEMS))
    assert max(request["at"] for request in imports.calls(DELETE_VARIANTS)) < first_item


@READINGS
def test_a_product_that_is_gone_is_removed_when_its_id_is_imported(imports: Imports, reading: str) -> None:
    """A list of ids also cleans up."""
    gone, stays = _shown(imports, "Shirt", 3), _shown(imports, "Coat", 3)
    with klaviyo_settings(imports.klaviyo, item_delete=reading):
        imports.completed("products", ids=_ids(gone, stays))
        imports.remove("products", gone["id"])
        status = imports.completed("products", ids=_ids(gone, stays))
    assert status["sent"] == 2
    assert set(imports.catalog("item")) == {stays["id"]}
    assert set(imports.catalog("variant")) == set(skus_of(stays))


def test_an_import_of_everything_removes_what_was_unpublished_since(imports: Imports) -> None:
    """The plan sees all products, so those that are not published any more are found."""
    imports.completed("categories")
    imports.completed("products")
    hidden = imports.wanted("products")[:3]
    for one in hidden:
        imports.change_product(one, published=False)
    imports.completed("products")
    imports.assert_right("products")
    assert not imports.in_klaviyo("products") & set(_ids(*hidden))


@pytest.fixture
def hiding(imports: Imports, tmp_path: Path) -> Iterator[Imports]:
    """A server that hides what is not published."""
    servers = imports.product.servers
    document = '{"product": {"unpublished": "hide"}}'
    other = Product(servers, servers.environment(tmp_path / "state.sqlite3", free_port(), NODE_CONFIG=document))
    other.start()
    yield Imports(other)
    for process in other.processes:
        process.kill_group()


def test_unpublished_products_can_be_hidden_instead_and_what_is_gone_is_deleted(hiding: Imports) -> None:
    """`product.unpublished: hide`: `published` is false, all else stays; what does not exist is deleted all the same."""
    hidden, gone, shown = (_shown(hiding, name, 2) for name in ("Shirt", "Coat", "Hat"))
    hiding.completed("products", ids=_ids(hidden, gone, shown))
    hiding.change_product(hidden, published=False)
    hiding.remove("products", gone["id"])
    hiding.completed("products", ids=_ids(hidden, gone, shown))
    items, variants = hiding.catalog("item"), hiding.catalog("variant")
    assert {key: held["attributes"]["published"] for key, held in items.items()} == {hidden["id"]: False, shown["id"]: True}
    published = {sku: held["attributes"]["published"] for sku, held in variants.items()}
    assert published == {**dict.fromkeys(skus_of(hidden), False), **dict.fromkeys(skus_of(shown), True)}


# The closing sweep


def _all_in(imports: Imports) -> list[dict[str, Any]]:
    imports.completed("categories")
    return [one for one in imports.wanted("products") if skus_of(one) and one.get("priceMode") != "Standalone"]


def test_what_is_unpublished_or_deleted_during_the_import_is_not_there_in_the_end(imports: Imports) -> None:
    """Both were read as published, and sent."""
    unpublished, deleted, *_ = _all_in(imports)
    with imports.meanwhile("products") as run_id:
        imports.change_product(unpublished, published=False)
        imports.remove("products", deleted["id"])
    assert imports.finished("products", run_id)["status"] == "completed"
    imports.assert_right("products")
    assert not imports.in_klaviyo("products") & {unpublished["id"], deleted["id"]}


def test_stock_that_changes_during_the_import_ends_right(imports: Imports) -> None:
    """An inventory entry is no product: the sweep asks for these as well."""
    owners = {sku: one for one in _all_in(imports) for sku in skus_of(one)}
    entry = next(row for row in imports.of("inventory") if row["sku"] in owners and "supplyChannel" not in row)
    with imports.meanwhile("products") as run_id:
        imports.change("inventory", entry["id"], availableQuantity=4_711, quantityOnStock=4_711)
    imports.finished("products", run_id)
    assert imports.catalog("variant")[entry["sku"]]["attributes"]["inventory_quantity"] == 4_711
    imports.assert_right("products")


def _standalone(imports: Imports) -> tuple[dict[str, Any], dict[str, Any]]:
    """A product with standalone prices, and its only price."""
    one = _shown(imports, "Shirt", 1)
    one = imports.change("products", one["id"], priceMode="Standalone")
    (sku,) = skus_of(one)
    return one, imports.put("standalone-prices", sku=sku, value=money(1300), active=True)


def test_a_standalone_price_that_changes_during_the_import_ends_right(imports: Imports) -> None:
    """Likewise."""
    one, price = _standalone(imports)
    imports.completed("categories")
    with imports.meanwhile("products") as run_id:
        imports.change("standalone-prices", price["id"], value=money(4_711))
    imports.finished("products", run_id)
    assert imports.catalog("variant")[skus_of(one)[0]]["attributes"]["price"] == 47.11


def test_modified_after_takes_products_whose_stock_or_price_changed(imports: Imports) -> None:
    """Neither product was changed itself (flows.md "Closing sweep")."""
    with_price, price = _standalone(imports)
    owners = {sku: one for one in _all_in(imports) if one["id"] != with_price["id"] for sku in skus_of(one)}
    entry = next(row for row in imports.of("inventory") if row["sku"] in owners and "supplyChannel" not in row)
    time.sleep(1.1)
    since = imports.change("inventory", entry["id"], availableQuantity=4_711, quantityOnStock=4_711)["lastModifiedAt"]
    imports.change("standalone-prices", price["id"], value=money(4_711))
    for one in imports.of("products"):
        if one["lastModifiedAt"] >= since:
            assert one["id"] == owners[entry["sku"]]["id"], "the stock is shown in the product"
    imports.completed("products", modifiedAfter=since)
    assert imports.in_klaviyo("products") == {with_price["id"], owners[entry["sku"]]["id"]}


def test_a_category_that_is_renamed_during_the_import_is_so_in_the_names_below_it(imports: Imports) -> None:
    """Category names are paths: a new name above changes those that did not change themselves."""
    above = Counter(reference["id"] for one in imports.of("categories") for reference in one["ancestors"])
    ((top, below),) = above.most_common(1)
    assert below
    with imports.meanwhile("categories") as run_id:
        imports.change("categories", top, name={"en": "Renamed meanwhile"})
    imports.finished("categories", run_id)
    imports.assert_right("categories")


def test_a_category_that_is_deleted_during_the_import_is_not_there_in_the_end(imports: Imports) -> None:
    """It was read, and sent."""
    above = {reference["id"] for one in imports.of("categories") for reference in one["ancestors"]}
    leaf = next(one for one in imports.of("categories") if one["id"] not in above)
    with imports.meanwhile("categories") as run_id:
        imports.remove("categories", leaf["id"])
    imports.finished("categories", run_id)
    assert leaf["id"] not in imports.in_klaviyo("categories")
    imports.assert_right("categories")


def test_a_category_that_is_gone_is_removed_when_its_id_is_imported(imports: Imports) -> None:
    """And one that Klaviyo never had is skipped as gone."""
    stays, gone = (imports.put("categories", **category(name)) for name in ("Shirts", "Coats"))
    never = str(uuid.uuid4())
    imports.completed("categories", ids=_ids(stays, gone))
    imports.remove("categories", gone["id"])
    status = imports.completed("categories", ids=[stays["id"], gone["id"], never])
    assert (status["sent"], status["skippedReasons"]) == (2, {"gone": 1})
    assert imports.in_klaviyo("categories") == {stays["id"]}


def test_a_product_that_lost_all_its_categories_loses_its_links(imports: Imports) -> None:
    """And an item is linked to every category of its product that Klaviyo has."""
    shirts = imports.put("categories", **category("Shirts"))
    one = _shown(imports, "Shirt", 1, categories=[{"typeId": "category", "id": shirts["id"]}])
    imports.completed("categories", ids=_ids(shirts))
    imports.completed("products", ids=_ids(one))
    assert imports.catalog("item")[one["id"]]["categories"] == [shirts["id"]]
    imports.change_product(one, categories=[])
    imports.completed("products", ids=_ids(one))
    assert imports.catalog("item")[one["id"]]["categories"] == []


def test_products_before_their_categories_bring_what_they_need(imports: Imports) -> None:
    """An import of products alone links them all the same, or names why not; a later import of categories ends right."""
    imports.completed("products")
    imports.completed("categories")
    imports.completed("products")
    imports.assert_right("products")
    imports.assert_right("categories")


def test_only_published_products_of_the_sample_are_there(imports: Imports) -> None:
    """The sample has both."""
    assert {is_published(one) for one in imports.of("products")} == {True, False}
    status = imports.completed("products")
    hidden = sum(not is_published(one) for one in imports.of("products"))
    assert status["skippedReasons"] == {"not_published": hidden}
