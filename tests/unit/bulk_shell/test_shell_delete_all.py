"""Deleting everything: Klaviyo's list is read to its end before anything is deleted (flows.md "Delete all")."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from catalog_world import Catalog
from shell_world import World, open_world, with_queue

from sandbox.launch import Sandbox
from shared.bulk.dispatch import plan_slice
from shared.bulk.feeds import is_own
from shared.bulk.messages import PlanMessage, WorkMessage
from shared.bulk.plan import FeedPage, fed
from shared.bulk.ports import Topic
from shared.bulk.records import Feed, Kind, Run, RunOptions, RunStatus
from shared.errors import TransientError
from shared.klaviyo.catalog import compound_id
from shared.klaviyo.catalog_imports import CatalogImporter
from shared.klaviyo.client import KlaviyoClient
from shared.klaviyo.limiter import Limiter

EVERYTHING = RunOptions(delete_all=True)
OWN = RunOptions(delete_all=True, only_own=True)
FOREIGN = "a-shelf-of-somebody-else"


@pytest.fixture
def products(servers: Sandbox, tmp_path: Path) -> Iterator[Catalog]:
    """Klaviyo with all products, one item of somebody else's, and an import of products."""
    with open_world(servers, tmp_path / "products.sqlite3", kind=Kind.PRODUCTS) as world:
        catalog = Catalog(world)
        catalog.products()
        catalog.send("POST", "catalog-items", _foreign_item())
        yield catalog


@pytest.fixture
def categories(servers: Sandbox, tmp_path: Path) -> Iterator[Catalog]:
    """Klaviyo with all categories, and an import of categories."""
    with open_world(servers, tmp_path / "categories.sqlite3", kind=Kind.CATEGORIES) as world:
        catalog = Catalog(world)
        catalog.categories()
        yield catalog


def _foreign_item() -> dict[str, Any]:
    attributes = {
        "external_id": FOREIGN,
        "integration_type": "$custom",
        "catalog_type": "$default",
        "title": "A shelf",
        "description": "Of somebody else",
        "url": "https://shop.example.com/shelf",
    }
    return {"data": {"type": "catalog-item", "attributes": attributes}}


def _fail() -> None:
    raise TransientError("the queue does not answer")


def _read_to_the_end(world: World, run: Run) -> None:
    plan_slice(world.app, PlanMessage(run.run_id, run.fence, 0), 60.0)


def test_everything_is_deleted_variants_with_their_items(products: Catalog) -> None:
    """Whoever made it; the second look finds nothing, and the run ends."""
    world = products.world
    run = world.start(EVERYTHING)
    assert run.total is None
    count = len(products.stored("item"))
    world.plan()
    world.work()
    assert world.status(run.run_id) is RunStatus.COMPLETED
    assert (products.stored("item"), products.stored("variant")) == ({}, {})
    result = world.summary(run.run_id).result
    assert (result.seen, result.sent, world.summary(run.run_id).cursor) == (count, count, None)
    assert all(part.done for part in world.store.ranges(run.run_id))
    assert world.lock() is None


@pytest.mark.parametrize("orphaned", [False, True], ids=["under its item", "by itself"])
def test_what_has_the_separator_of_klaviyos_ids_in_its_own_is_deleted_too(products: Catalog, orphaned: bool) -> None:
    """Items and variants of another product may be called so; the whole id names them."""
    shelf, board = _foreign_item(), _foreign_item()
    shelf["data"]["attributes"]["external_id"] = "other--shelf"
    attributes = {**board["data"]["attributes"], "external_id": "other--board", "sku": "board", "price": 1}
    item = {"data": {"type": "catalog-item", "id": compound_id("other--shelf")}}
    products.send("POST", "catalog-items", shelf)
    variant = {"type": "catalog-variant", "attributes": {**attributes, "inventory_quantity": 1}, "relationships": {"item": item}}
    products.send("POST", "catalog-variants", {"data": variant})
    if orphaned:
        products.klaviyo_is(item_delete="item_only")
        products.send("DELETE", f"catalog-items/{compound_id('other--shelf')}")
    world = products.world
    http = httpx.Client(base_url=world.servers.klaviyo.url, transport=_OtherIds(verify=False))
    with closing(KlaviyoClient(http, world.app.settings.klaviyo.auth_key.reveal(), Limiter())) as klaviyo:
        app = replace(world.app, klaviyo=klaviyo, catalog=CatalogImporter(klaviyo, slots=world.app.slots))
        world = replace(world, app=app)
        run = world.start(EVERYTHING)
        world.plan()
        world.work()
    assert world.status(run.run_id) is RunStatus.COMPLETED
    assert (products.stored("item"), products.stored("variant")) == ({}, {})


class _OtherIds(httpx.HTTPTransport):
    """To Klaviyo, which knows ids `other:::...`; the simulator takes none, so there they are `other--...`."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """As the transport does."""
        path = request.url.raw_path.replace(b"other%3A%3A%3A", b"other--").replace(b"other:::", b"other--")
        content = request.read().replace(b"other:::", b"other--")
        headers = [(name, value) for name, value in request.headers.items() if name != "content-length"]
        answer = super().handle_request(
            httpx.Request(request.method, request.url.copy_with(raw_path=path), headers=headers, content=content)
        )
        shown = answer.read().replace(b"other--", b"other:::")
        kept = [(name, value) for name, value in answer.headers.items() if name not in {"content-length", "content-encoding"}]
        return httpx.Response(answer.status_code, headers=kept, content=shown)


def test_with_only_own_what_has_no_id_of_commercetools_stays(products: Catalog) -> None:
    """http-api.md `onlyOwn`: the shape of the external id decides."""
    world = products.world
    run = world.start(OWN)
    world.plan()
    world.work()
    assert world.status(run.run_id) is RunStatus.COMPLETED
    assert set(products.stored("item")) == {FOREIGN}


def test_all_categories_are_deleted(categories: Catalog) -> None:
    """Items and variants are none of this run's business."""
    world = categories.world
    run = world.start(EVERYTHING)
    world.plan()
    world.work()
    assert world.status(run.run_id) is RunStatus.COMPLETED
    assert categories.stored("category") == {}


def test_what_appears_while_it_is_deleted_is_found_by_the_second_look(products: Catalog) -> None:
    """Somebody made an item after the list had been read."""
    world = products.world
    run = world.start(OWN)
    world.plan()
    late = _foreign_item()
    late["data"]["attributes"]["external_id"] = "5f0e9c1d-2b3a-4c5d-8e9f-0a1b2c3d4e5f"
    products.send("POST", "catalog-items", late)
    world.work()
    assert world.status(run.run_id) is RunStatus.COMPLETED
    assert set(products.stored("item")) == {FOREIGN}


def test_a_listing_that_was_interrupted_deletes_nothing_until_it_has_ended(products: Catalog) -> None:
    """Its batches are recorded, and held back over a stop and a resume, until Klaviyo's list is read to its end."""
    world = products.world
    run = world.start(EVERYTHING)
    before = world.store.ranges(run.run_id)[0]
    after, batches = fed(before, run.run_id, FeedPage([FOREIGN], None, ended=False), 1)
    world.store.record(run.run_id, run.fence, before, after, batches)
    world.stop()
    resumed = world.resume(run.run_id)
    assert world.messages(Topic.WORK) == []
    _read_to_the_end(world, resumed)
    published = [message.batch_id for message in world.messages(Topic.WORK) if isinstance(message, WorkMessage)]
    assert published == [batch.batch_id for batch in world.batches(run.run_id)] == ["000-000001", "000-000002"]
    world.plan()
    world.work()
    assert world.status(run.run_id) is RunStatus.COMPLETED
    assert (products.stored("item"), products.stored("variant")) == ({}, {})


def test_a_list_read_to_its_end_whose_batches_were_not_published_is_published_by_the_next_delivery(products: Catalog) -> None:
    """The process died, or the queue was away, between the record and the messages."""
    world = products.world
    run = world.start(EVERYTHING)
    with pytest.raises(TransientError):
        plan_slice(with_queue(world, Topic.WORK, _fail), PlanMessage(run.run_id, run.fence, 0), 60.0)
    assert world.store.ranges(run.run_id)[0].done
    assert world.messages(Topic.WORK) == []
    world.plan()
    world.work()
    assert world.status(run.run_id) is RunStatus.COMPLETED
    assert products.stored("item") == {}


def test_variants_without_an_item_are_deleted_too(products: Catalog) -> None:
    """They are not to be found by their items, so the second look goes through them as well."""
    world = products.world
    products.klaviyo_is(item_delete="item_only")
    item_id = next(iter(products.stored("item")))
    products.send("DELETE", f"catalog-items/{compound_id(item_id)}")
    left = {sku for sku, row in products.stored("variant").items() if item_id in str(row)}
    assert left
    run = world.start(EVERYTHING)
    world.plan()
    world.work()
    assert world.status(run.run_id) is RunStatus.COMPLETED
    assert products.stored("variant") == {}
    (orphans,) = [part for part in world.store.ranges(run.run_id) if part.feed is Feed.KLAVIYO_VARIANTS]
    batches = [batch for batch in world.batches(run.run_id) if batch.range_index == orphans.index]
    assert left == {sku for batch in batches for sku in batch.ids or []}


def test_what_could_not_be_deleted_is_retried_as_what_it_is(products: Catalog) -> None:
    """A retry lists items as items, and variants as variants."""
    world = products.world
    run = world.start(OWN)
    world.klaviyo_fails(kind="status", status=400, path="/api/catalog-item-bulk-delete-jobs")
    world.plan()
    world.work()
    world.klaviyo_fails()
    assert world.status(run.run_id) is RunStatus.COMPLETED_WITH_ERRORS
    again = world.retry(run.run_id)
    assert [part.feed for part in world.store.ranges(again.run_id)] == [None]
    world.plan()
    world.work()
    assert world.status(again.run_id) is RunStatus.COMPLETED
    assert set(products.stored("item")) == {FOREIGN}


@pytest.mark.parametrize(
    ("whole_id", "own"),
    [
        ("$custom:::$default:::5f0e9c1d-2b3a-4c5d-8e9f-0a1b2c3d4e5f", True),
        ("$custom:::$default:::5F0E9C1D-2B3A-4C5D-8E9F-0A1B2C3D4E5F", True),
        ("$custom:::$default:::5f0e9c1d-2b3a-4c5d-8e9f-0a1b2c3d4e5f-2", False),
        ("$custom:::$default:::shelf", False),
        ("$shopify:::$default:::5f0e9c1d-2b3a-4c5d-8e9f-0a1b2c3d4e5f", False),
    ],
)
def test_what_is_own_is_told_by_the_id(whole_id: str, *, own: bool) -> None:
    """A UUID in Klaviyo's own kind of catalog; another shop system's item is not ours, whatever its id."""
    assert is_own(whole_id) is own
