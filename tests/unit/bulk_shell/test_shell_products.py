"""Importing products: Klaviyo's catalog ends as what is published, and every product is accounted for (mapping.md "Catalog")."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest
from catalog_world import NOBODY, Catalog, Document, run_of
from shell_world import CATEGORIES, PRODUCTS, World, open_world, soon

from sandbox.launch import Sandbox
from shared.budget import Budget, budget_of
from shared.bulk.kinds.products import STEP_SMALLER, import_products
from shared.bulk.records import Batch, BatchResult, FailedItem, Kind, RunOptions, RunStatus
from shared.bulk.run import ACTIVE
from shared.bulk.tally import Progress, Step
from shared.commercetools.kinds import PRODUCTS as PRODUCTS_KIND
from shared.errors import HostDown, Interrupted, TransientError
from shared.klaviyo.catalog_finding import FoundItem, ItemPage
from shared.klaviyo.catalog_imports import CatalogImporter
from shared.klaviyo.client import KlaviyoClient
from shared.klaviyo.requests import Request
from shared.reading.gone import confirm_gone

T = TypeVar("T")

UNPUBLISHED = 4
SHOWN = PRODUCTS - UNPUBLISHED


@pytest.fixture
def catalog(world: World) -> Catalog:
    """An import of the catalog between simulators as they were at their start."""
    return Catalog(world)


def test_a_first_import_brings_every_published_product_over_with_all_of_its_variants(catalog: Catalog) -> None:
    """Categories first, then products; what is not published, and not in Klaviyo either, is skipped with that reason."""
    catalog.categories()
    result = catalog.products()
    assert (result.seen, result.sent, result.failed) == (PRODUCTS, SHOWN, {})
    assert result.skipped == {"not_published": UNPUBLISHED}
    assert set(result.sent_ids) == {row["id"] for row in catalog.published()}
    assert result.job_ids
    assert catalog.check().problems == ()


@pytest.mark.parametrize(
    ("kind", "count"), [(Kind.CATEGORIES, CATEGORIES), (Kind.PRODUCTS, PRODUCTS)], ids=["categories", "products"]
)
def test_an_import_and_then_a_deletion_run_from_start_to_end(servers: Sandbox, tmp_path: Path, kind: Kind, count: int) -> None:
    """Through the plan, the queue and the closing ranges; the deletion leaves nothing of the kind."""
    with open_world(servers, tmp_path / "s.sqlite3", kind=kind) as world:
        for options in (RunOptions(), RunOptions(delete_all=True)):
            run = world.start(options)
            while world.status(run.run_id) in ACTIVE:
                world.plan()
                world.work()
            assert world.status(run.run_id) is RunStatus.COMPLETED
            left = Catalog(world).stored("category" if kind is Kind.CATEGORIES else "item")
            assert (left == {}) == options.delete_all
            if not options.delete_all:
                assert world.summary(run.run_id).result.seen == count


def test_a_second_import_updates_everything_and_changes_nothing(catalog: Catalog) -> None:
    """What exists is known beforehand, so nothing is created, and no request is refused."""
    catalog.categories()
    first = catalog.products()
    before = (catalog.stored("item"), catalog.stored("variant"))
    created = catalog.world.requests("POST /api/catalog-item-bulk-create-jobs")
    second = catalog.products()
    assert (second.sent, second.skipped, second.adjusted) == (first.sent, first.skipped, first.adjusted)
    assert catalog.world.requests("POST /api/catalog-item-bulk-create-jobs") == created
    after = (catalog.stored("item"), catalog.stored("variant"))
    assert [{name: row["attributes"] for name, row in kind.items()} for kind in after] == [
        {name: row["attributes"] for name, row in kind.items()} for kind in before
    ]
    assert catalog.check().problems == ()


def test_the_categories_that_products_link_to_are_created_when_they_are_missing(catalog: Catalog) -> None:
    """A product that is imported first brings the names of its categories along, and of all above them."""
    result = catalog.products()
    assert "category_unknown" not in result.adjusted
    linked = {category for row in catalog.published() for category in _category_ids(row)}
    assert linked <= catalog.stored("category").keys()
    assert [problem for problem in catalog.check().problems if not problem.startswith("category")] == []


def test_a_link_to_a_category_that_nobody_can_name_is_left_out_and_counted(catalog: Catalog) -> None:
    """commercetools does not have it any more, nor does Klaviyo: the product goes without."""
    product = catalog.published()[0]
    lost, current = {"typeId": "category", "id": NOBODY}, product["masterData"]["current"]
    current = {**current, "categories": [lost]}
    catalog.change("products", product["id"], masterData={**product["masterData"], "current": current})
    result = catalog.products([product["id"]])
    assert (result.sent, result.adjusted["category_unknown"]) == (1, 1)
    assert catalog.stored("item")[product["id"]]["categories"] == []


def test_a_product_that_is_not_published_any_more_is_removed_with_its_variants(catalog: Catalog) -> None:
    """It counts as sent, for Klaviyo had it; the next time there is nothing to remove, and it is skipped."""
    catalog.categories()
    catalog.products()
    product = catalog.published()[0]
    catalog.unpublish(product["id"])
    first, second = catalog.products(), catalog.products()
    assert (first.sent, first.skipped) == (SHOWN, {"not_published": UNPUBLISHED})
    assert product["id"] not in first.sent_ids
    assert (second.sent, second.skipped) == (SHOWN - 1, {"not_published": UNPUBLISHED + 1})
    assert catalog.check().problems == ()


@pytest.mark.parametrize("reading", ["variants_too", "item_only"])
def test_a_product_that_is_gone_is_removed_whatever_klaviyo_does_with_the_variants_of_an_item(
    catalog: Catalog, reading: str
) -> None:
    """Named by a list, as the closing sweep does; one that Klaviyo does not have either is skipped."""
    catalog.klaviyo_is(item_delete=reading)
    catalog.categories()
    catalog.products()
    product = catalog.published()[0]
    catalog.remove("products", product["id"])
    result = catalog.products([product["id"], NOBODY])
    assert (result.seen, result.sent, result.skipped, result.sent_ids) == (2, 1, {"gone": 1}, [])
    assert catalog.check().problems == ()


def test_with_hide_an_unpublished_product_stays_in_klaviyo_unseen_and_a_gone_one_does_not(
    servers: Sandbox, tmp_path: Path
) -> None:
    """`product.unpublished: hide`; published again, it is shown again."""
    with open_world(servers, tmp_path / "s.sqlite3", SYNC_CONFIG='{"product": {"unpublished": "hide"}}') as world:
        catalog = Catalog(world)
        hidden, gone = (row["id"] for row in catalog.published()[:2])
        catalog.products([hidden, gone])
        catalog.unpublish(hidden)
        catalog.remove("products", gone)
        result = catalog.products([hidden, gone])
        assert (result.sent, result.sent_ids) == (2, []), "what is hidden need not be looked at again"
        assert {row: item["attributes"]["published"] for row, item in catalog.stored("item").items()} == {hidden: False}
        assert {row["attributes"]["published"] for row in catalog.stored("variant").values()} == {False}

        (row,) = (row for row in catalog.rows("products") if row["id"] == hidden)
        catalog.change("products", hidden, masterData={**row["masterData"], "published": True})
        catalog.products([hidden])
        assert {row["attributes"]["published"] for kind in ("item", "variant") for row in catalog.stored(kind).values()} == {True}


def test_a_variant_that_a_product_has_no_longer_is_deleted(catalog: Catalog) -> None:
    """The others stay and are updated."""
    catalog.categories()
    catalog.products()
    product = next(row for row in catalog.published() if len(_skus(row)) > 2)
    current = product["masterData"]["current"]
    catalog.set_variants(product["id"], [current["masterVariant"], *current["variants"][1:]])
    result = catalog.products([product["id"]])
    assert (result.seen, result.sent) == (1, 1)
    assert catalog.check().problems == ()


@pytest.mark.parametrize("both", [True, False], ids=["both products in the batch", "only the one that lost it"])
def test_a_sku_that_moved_to_another_product_is_under_that_one_afterwards(catalog: Catalog, both: bool) -> None:
    """Klaviyo cannot move a variant: it is deleted here and created there, also when the batch knows only the one side."""
    catalog.categories()
    catalog.products()
    giver, taker = [row for row in catalog.published() if len(_skus(row)) > 2][:2]
    moved = giver["masterData"]["current"]["variants"][0]
    rest = giver["masterData"]["current"]["variants"][1:]
    catalog.set_variants(giver["id"], [giver["masterData"]["current"]["masterVariant"], *rest])
    current = taker["masterData"]["current"]
    catalog.set_variants(taker["id"], [current["masterVariant"], *current["variants"], moved])
    result = catalog.products([giver["id"], taker["id"]] if both else [giver["id"]])
    assert (result.seen, result.sent, result.failed) == (2 if both else 1, 2 if both else 1, {})
    assert catalog.stored("variant")[moved["sku"]]["item"] == taker["id"]
    assert catalog.check().problems == ()


def test_a_sku_that_is_taken_over_is_moved_when_only_its_new_product_is_imported(catalog: Catalog) -> None:
    """The old product still lists it in Klaviyo; it is deleted there, and nowhere else."""
    catalog.categories()
    catalog.products()
    giver, taker = [row for row in catalog.published() if len(_skus(row)) > 2][:2]
    moved, *rest = giver["masterData"]["current"]["variants"]
    catalog.set_variants(giver["id"], [giver["masterData"]["current"]["masterVariant"], *rest])
    current = taker["masterData"]["current"]
    catalog.set_variants(taker["id"], [current["masterVariant"], *current["variants"], moved])
    assert catalog.products([taker["id"]]).sent == 1
    assert catalog.check().problems == ()


def test_skus_that_were_deleted_before_the_work_was_interrupted_are_looked_after_by_the_next_attempt(catalog: Catalog) -> None:
    """What the interrupted attempt carries over says whose variants may be missing, though Klaviyo does not show it any more."""
    catalog.categories()
    catalog.products()
    first, second = catalog.published()[:2]
    sku = _skus(first)[0]
    catalog.send("DELETE", f"catalog-variants/$custom:::$default:::{sku}")
    batch = Batch(run_id="run", range_index=0, number=1, size=1, ids=[second["id"]], carried={"deleted": {sku: first["id"]}})
    catalog.worked(run_of(Kind.PRODUCTS), batch)
    assert catalog.check().problems == ()


def test_a_product_of_five_hundred_variants_is_imported(catalog: Catalog) -> None:
    """Read by one request, its stock by several, written by jobs of a hundred."""
    catalog.categories()
    product = catalog.published()[0]
    master = product["masterData"]["current"]["masterVariant"]
    many = [{**master, "sku": f"many-{number:03d}", "key": f"many-{number:03d}"} for number in range(500)]
    catalog.set_variants(product["id"], many)
    result = catalog.products([product["id"]])
    assert (result.sent, result.failed) == (1, {})
    assert sum(1 for row in catalog.stored("variant").values() if row["item"] == product["id"]) == 500
    assert catalog.world.requests("POST /api/catalog-variant-bulk-create-jobs") == 5


def test_stock_that_may_not_be_read_is_done_without(catalog: Catalog) -> None:
    """The stock in the product counts then; what is missing is counted once a product."""
    catalog.world.commercetools_fails(kind="status", status=403, path="/sandbox/inventory")
    result = catalog.products()
    assert (result.sent, result.adjusted["lookup_forbidden"]) == (SHOWN, SHOWN)


def test_prices_that_may_not_be_read_are_counted_for_products_that_have_them_elsewhere(catalog: Catalog) -> None:
    """Only standalone prices are read from there."""
    row = catalog.published()[0]
    catalog.change("products", row["id"], priceMode="Standalone")
    standalone = sum(1 for row in catalog.published() if row["priceMode"] == "Standalone")
    catalog.world.commercetools_fails(kind="status", status=403, path="/sandbox/standalone-prices")
    result = catalog.products()
    assert (result.sent, result.adjusted["lookup_forbidden"]) == (SHOWN, standalone)


@pytest.mark.parametrize("what", ["item", "variant"])
def test_a_product_that_klaviyo_refuses_is_named_and_the_others_are_sent(catalog: Catalog, what: str) -> None:
    """By the product's id; the variants of an item that is refused are not sent, nor is its removal asked for."""
    catalog.categories()
    bad = catalog.published()[0]
    refused = bad["id"] if what == "item" else _skus(bad)[0]
    result = catalog.meddled([refused]).products()
    assert (result.sent, result.failed, result.failed_ids) == (SHOWN - 1, {"invalid": 1}, [bad["id"]])
    assert result.failed_items == [FailedItem(id=bad["id"], reason="invalid", pointer=f"/data/attributes/{refused}")]
    assert (bad["id"] in result.sent_ids) == (what == "variant")
    of_it = {sku for sku, row in catalog.stored("variant").items() if row["item"] == bad["id"]}
    assert of_it == (set() if what == "item" else set(_skus(bad)[1:]))


def test_a_category_that_is_deleted_while_items_are_written_is_made_anew(catalog: Catalog) -> None:
    """The items that Klaviyo refuses for it are sent once more, with what they can be linked to by then."""
    catalog.categories()
    lost = _category_ids(next(row for row in catalog.published() if _category_ids(row)))[0]
    path = f"catalog-categories/$custom:::$default:::{lost}"
    calls: list[str] = []

    def lose_it_once() -> None:
        if not calls:
            catalog.send("DELETE", path)
        calls.append(path)

    result = catalog.meddled(before_items=lose_it_once).products()
    assert (result.sent, result.failed, len(calls)) == (SHOWN, {}, 2)
    assert catalog.check().problems == ()


def test_a_batch_of_large_products_goes_window_by_window_and_keeps_what_is_done(catalog: Catalog) -> None:
    """An attempt that is stopped in between leaves a cursor, and the next one begins behind it."""
    ids = [row["id"] for row in catalog.published()[:4]]
    for product_id in ids:
        _make_heavy(catalog, product_id)
    batch = Batch(run_id="run", range_index=0, number=1, size=4, ids=ids)
    progress, stopped = Progress(None, BatchResult()), False

    def check_stop() -> None:
        if stopped:
            raise Interrupted(Interrupted.Cause.STOP)

    steps = import_products(catalog.world.app, run_of(Kind.PRODUCTS), batch, progress, budget_of(60, check_stop=check_stop))
    progress.add(next(steps))
    stopped = True
    with pytest.raises(Interrupted):
        next(steps)
    assert 0 < progress.result.seen < 4
    assert set(catalog.stored("item")) == set(ids[: progress.result.seen])
    assert progress.carried() is None

    left = msgspec.structs.replace(batch, cursor=progress.cursor, result=progress.result)
    result = catalog.worked(run_of(Kind.PRODUCTS), left)
    assert (result.seen, result.sent) == (4, 4)
    assert set(catalog.stored("item")) == set(ids)


def test_what_was_deleted_is_carried_to_the_next_attempt_when_the_work_is_interrupted(catalog: Catalog) -> None:
    """Else nobody would know any more that another product may have lost a variant by it."""
    catalog.categories()
    catalog.products()
    product = next(row for row in catalog.published() if len(_skus(row)) > 2)
    gone = _skus(product)[1]
    current = product["masterData"]["current"]
    keep = [variant for variant in (current["masterVariant"], *current["variants"]) if variant.get("sku") != gone]
    catalog.set_variants(product["id"], keep)
    progress = Progress(None, BatchResult())
    batch = Batch(run_id="run", range_index=0, number=1, size=1, ids=[product["id"]])

    def interrupt() -> None:
        raise Interrupted(Interrupted.Cause.DEADLINE)

    with pytest.raises(Interrupted):
        catalog.meddled(before_items=interrupt).worked(run_of(Kind.PRODUCTS), batch, progress)
    carried = progress.carried() or {}
    assert carried["deleted"] == {gone: product["id"]}

    again = Progress(None, BatchResult())
    catalog.world.commercetools_fails(kind="status", status=503, path="/sandbox/product-projections")
    with pytest.raises(HostDown):
        catalog.worked(run_of(Kind.PRODUCTS), msgspec.structs.replace(batch, carried=carried), again)
    assert again.carried() == carried, "an attempt that gets nowhere passes it on"


def test_an_attempt_that_ran_out_of_time_is_followed_by_one_with_smaller_windows(catalog: Catalog) -> None:
    """Until one of them is written in time; the next ones are larger again."""
    catalog.categories()
    ids = [row["id"] for row in catalog.published()[:12]]
    rows = sum(1 + len(_skus(row)) for row in catalog.published()[:12])
    batch = Batch(run_id="run", range_index=0, number=1, size=len(ids), ids=ids)
    sizes = [_rows_after_a_deadline(catalog, batch)]
    while sizes[-1] > 1:
        sizes.append(_rows_after_a_deadline(catalog, msgspec.structs.replace(batch, carried={"rows": sizes[-1]})))
    assert sizes[0] == rows // STEP_SMALLER
    assert sizes == sorted(set(sizes), reverse=True)
    last = msgspec.structs.replace(batch, carried={"rows": 1})
    assert _rows_after_a_deadline(catalog, last) == 1, "nothing is new then, and the attempts are counted"
    steps = _steps(catalog, last)
    assert [steps[0].result.sent, sum(step.result.sent for step in steps)] == [1, len(ids)]
    assert steps[1].result.sent <= steps[2].result.sent
    assert len(steps) < len(ids)


def test_a_window_has_no_more_rows_than_jobs_can_carry_at_once(catalog: Catalog) -> None:
    """So that something is recorded soon also where this process may have few jobs."""
    catalog.categories()
    world = catalog.world
    few = CatalogImporter(world.app.klaviyo, slots=world.app.slots, jobs_most=10, rate_share=0.1)
    assert few.rows_at_once == 100
    ids = [row["id"] for row in catalog.published()]
    batch = Batch(run_id="run", range_index=0, number=1, size=len(ids), ids=ids)
    steps = _steps(Catalog(dataclasses.replace(world, app=dataclasses.replace(world.app, catalog=few))), batch)
    assert len(steps) > 2
    assert sum(step.result.sent for step in steps) == len(ids)


def test_a_removed_product_leaves_no_variant_that_a_page_of_items_does_not_show(catalog: Catalog) -> None:
    """Where deleting an item leaves its variants, they would stay for good."""
    catalog.categories()
    catalog.products()
    catalog.klaviyo_is(item_delete="item_only")
    product = max(catalog.published(), key=lambda row: 2 < len(_skus(row)) < 9)
    catalog.remove("products", product["id"])
    world = catalog.world
    app = dataclasses.replace(world.app, klaviyo=_ShowsNoVariants(world.app.klaviyo))
    result = Catalog(dataclasses.replace(world, app=app)).products([product["id"]])
    assert (result.sent, result.failed) == (1, {})
    assert set(_skus(product)).isdisjoint(catalog.stored("variant"))


def test_nothing_is_removed_that_commercetools_shows_when_it_is_asked_by_id(catalog: Catalog) -> None:
    """A query may not know yet what was published a moment ago; then the batch comes again."""
    shown, hidden = (
        catalog.published()[0]["id"],
        next(row["id"] for row in catalog.rows("products") if not row["masterData"]["published"]),
    )
    client = catalog.world.app.commercetools
    confirm_gone([NOBODY, hidden], PRODUCTS_KIND, client, soon())
    with pytest.raises(TransientError):
        confirm_gone([NOBODY, shown], PRODUCTS_KIND, client, soon())


def test_a_product_of_another_form_than_documented_is_named_and_the_others_are_sent(catalog: Catalog) -> None:
    """By the field that differs."""
    bad = catalog.published()[0]
    current = {**bad["masterData"]["current"], "name": "not localized"}
    catalog.change("products", bad["id"], masterData={**bad["masterData"], "current": current})
    result = catalog.products()
    assert (result.sent, result.failed_items) == (SHOWN - 1, [FailedItem(id=bad["id"], reason="unreadable", pointer="name")])


@pytest.mark.parametrize("collection", ["inventory", "standalone-prices"])
def test_a_product_whose_stock_or_price_is_of_another_form_is_named_and_the_others_are_sent(
    catalog: Catalog, collection: str
) -> None:
    """The one that has the SKU, by the field that differs."""
    bad = next(row for row in catalog.published() if row["priceMode"] == "Standalone")
    sku = _skus(bad)[0]
    row = next(row for row in catalog.rows(collection) if row["sku"] == sku)
    field = "supplyChannel" if collection == "inventory" else "channel"
    catalog.change(collection, row["id"], **{field: {"typeId": "channel", "id": 7}})
    result = catalog.products()
    assert (result.sent, result.failed_items) == (
        SHOWN - 1,
        [FailedItem(id=bad["id"], reason="unreadable", pointer=f"{collection}.{field}.id")],
    )
    assert bad["id"] not in catalog.stored("item")


def test_a_dry_run_maps_everything_and_sends_nothing(catalog: Catalog) -> None:
    """The examples are the requests that would create the first items and variants."""
    result = catalog.products(options=RunOptions(dry_run=True))
    assert (result.seen, result.sent, result.skipped) == (PRODUCTS, SHOWN, {"not_published": UNPUBLISHED})
    assert len(result.examples) == 20
    assert {example["data"]["type"] for example in result.examples} == {"catalog-item", "catalog-variant"}
    assert catalog.world.klaviyo()["by_endpoint"] == {}
    assert result.sent_ids == []


class _ShowsNoVariants(KlaviyoClient):
    """A client of a Klaviyo whose pages of items come without variants."""

    def __init__(self, inner: KlaviyoClient) -> None:
        self._inner = inner

    def send(self, request: Request[T], budget: Budget) -> T:
        """As the client does, but for pages of items."""
        answer = self._inner.send(request, budget)
        if not isinstance(answer, ItemPage):
            return answer
        return msgspec.structs.replace(answer, data=[FoundItem(item.id) for item in answer.data], included=[])


def _rows_after_a_deadline(catalog: Catalog, batch: Batch) -> int:
    """How many rows the next attempt may begin with, when the time of this one is over before its first items are sent."""

    def interrupt() -> None:
        raise Interrupted(Interrupted.Cause.DEADLINE)

    progress = Progress(None, BatchResult())
    with pytest.raises(Interrupted):
        catalog.meddled(before_items=interrupt).worked(run_of(Kind.PRODUCTS), batch, progress)
    return int((progress.carried() or {})["rows"])


def _steps(catalog: Catalog, batch: Batch) -> list[Step]:
    return list(import_products(catalog.world.app, run_of(Kind.PRODUCTS), batch, Progress(None, BatchResult()), soon()))


def _skus(product: Document) -> list[str]:
    current = product["masterData"]["current"]
    return [variant["sku"] for variant in (current["masterVariant"], *current["variants"]) if "sku" in variant]


def _category_ids(product: Document) -> list[str]:
    return [reference["id"] for reference in product["masterData"]["current"]["categories"]]


def _make_heavy(catalog: Catalog, product_id: str) -> None:
    """A description of nearly 100 KB, which each of forty variants repeats."""
    (row,) = (row for row in catalog.rows("products") if row["id"] == product_id)
    current = {**row["masterData"]["current"], "description": {"en": "d" * 99_000}}
    catalog.change("products", product_id, masterData={**row["masterData"], "current": current})
    variants = [{**current["masterVariant"], "sku": f"{product_id}-{number}"} for number in range(40)]
    catalog.set_variants(product_id, variants)
