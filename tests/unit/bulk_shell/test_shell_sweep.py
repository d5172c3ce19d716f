"""The closing sweep: what changed while a run worked is brought over before it ends (flows.md "Closing sweep")."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from catalog_world import Catalog
from shell_world import BATCH_SIZE, CUSTOMERS, RANGES, Thread, World, open_world, with_queue

from sandbox.checker_sources import stored
from sandbox.launch import Sandbox
from shared.budget import budget_of
from shared.bulk import feeds
from shared.bulk.dispatch import plan_slice
from shared.bulk.messages import PlanMessage, WorkMessage
from shared.bulk.plan import FeedPage, fed
from shared.bulk.ports import Topic
from shared.bulk.records import Batch, Feed, IdRange, Kind, Run, RunOptions, RunStatus
from shared.bulk.source import LAST_PAGE_S
from shared.bulk.work import work_batch
from shared.errors import Interrupted, TransientError

EVER = "2000-01-01T00:00:00.000Z"
CLOSING = RANGES
"""The index of the only closing range of a run over customers."""


@pytest.fixture
def products(servers: Sandbox, tmp_path: Path) -> Iterator[Catalog]:
    """An import of products."""
    with open_world(servers, tmp_path / "products.sqlite3", kind=Kind.PRODUCTS) as world:
        yield Catalog(world)


@pytest.fixture
def categories(servers: Sandbox, tmp_path: Path) -> Iterator[Catalog]:
    """An import of categories."""
    with open_world(servers, tmp_path / "categories.sqlite3", kind=Kind.CATEGORIES) as world:
        yield Catalog(world)


def _fail() -> None:
    raise TransientError("the queue does not answer")


def _swept(world: World, run: Run) -> list[Batch]:
    """The batches of the closing ranges."""
    closing = {part.index for part in world.store.ranges(run.run_id) if part.closing}
    return [batch for batch in world.batches(run.run_id) if batch.range_index in closing]


def _fed(world: World, run: Run, feed: Feed) -> list[str]:
    """The ids that a feed gave to the run."""
    (index,) = (part.index for part in world.store.ranges(run.run_id) if part.feed is feed)
    return [item for batch in world.batches(run.run_id) if batch.range_index == index for item in batch.ids or []]


def _all_worked(world: World, run: Run) -> WorkMessage:
    """Work every batch but the last; its message, not delivered yet."""
    *most, last = [msgspec.json.decode(one.body, type=WorkMessage) for one in world.take(Topic.WORK)]
    for message in most:
        work_batch(world.app, message, "worker", 60.0)
    assert world.messages(Topic.PLAN) == []
    return last


def _closing_message(run: Run) -> PlanMessage:
    return PlanMessage(run.run_id, run.fence, CLOSING)


# when it begins


def test_what_changed_while_a_run_worked_is_brought_over_again_before_it_ends(world: World) -> None:
    """The customer had been read already; the run ends only when the sweep is done."""
    run = world.start()
    world.plan()
    (changed,) = world.ids(1)
    last = _all_worked(world, run)
    work_batch(world.app, last, "worker", 60.0)
    world.change_customer(changed, firstName="Changed")
    assert world.status(run.run_id) is RunStatus.RUNNING
    world.plan()
    world.work()
    assert world.status(run.run_id) is RunStatus.COMPLETED
    assert [batch.ids for batch in _swept(world, run)] == [[changed]]
    profiles = stored(world.servers.klaviyo.url, "profiles")
    assert [one["attributes"]["first_name"] for one in profiles if one["attributes"]["external_id"] == changed] == ["Changed"]
    assert world.summary(run.run_id).result.seen == CUSTOMERS + 1
    assert world.lock() is None


def test_the_sweep_is_planned_when_the_last_batch_is_settled_and_not_before(world: World) -> None:
    """One message for each closing range; a run without changes ends with that."""
    run = world.start()
    world.plan()
    last = _all_worked(world, run)
    work_batch(world.app, last, "worker", 60.0)
    assert world.messages(Topic.PLAN) == [_closing_message(run)]
    world.plan()
    assert world.status(run.run_id) is RunStatus.COMPLETED
    assert _swept(world, run) == []


def test_a_run_that_finds_nothing_is_swept_too(world: World) -> None:
    """There is no batch to end, so the planning's own delivery begins the sweep."""
    run = world.start(RunOptions(created_after="2100-01-01T00:00:00Z"))
    world.plan()
    assert all(part.done for part in world.store.ranges(run.run_id))
    assert world.status(run.run_id) is RunStatus.COMPLETED


def test_the_sweep_goes_by_commercetools_clock(world: World) -> None:
    """Ours may be wrong by hours, and a change would be missed."""
    world.clock.forward(7_200)
    run = world.start()
    since = world.store.ranges(run.run_id)[CLOSING].since
    assert since is not None
    age = datetime.now(UTC) - datetime.fromisoformat(since)
    assert timedelta(seconds=59) < age < timedelta(seconds=75)


def test_the_sweep_keeps_to_what_the_run_was_asked_for(world: World) -> None:
    """A customer below `startId` changed as well: it is none of the run's business."""
    below, first = world.ids(2)
    run = world.start(RunOptions(start_id=first))
    world.plan()
    world.change_customer(below, firstName="Changed")
    world.change_customer(first, firstName="Changed")
    world.work()
    assert world.status(run.run_id) is RunStatus.COMPLETED
    assert [batch.ids for batch in _swept(world, run)] == [[first]]


# what may crash


def test_a_sweep_that_could_not_be_published_is_published_by_the_redelivery_of_the_last_batch(world: World) -> None:
    """The batch is settled already, so its message is not acknowledged until the next step is in the queue."""
    run = world.start()
    world.plan()
    last = _all_worked(world, run)
    with pytest.raises(TransientError):
        work_batch(with_queue(world, Topic.PLAN, _fail), last, "worker", 60.0)
    assert (world.messages(Topic.PLAN), world.status(run.run_id)) == ([], RunStatus.RUNNING)
    work_batch(world.app, last, "another", 60.0)
    assert world.messages(Topic.PLAN) == [_closing_message(run)]
    world.plan()
    assert world.status(run.run_id) is RunStatus.COMPLETED


def test_a_sweep_published_twice_is_worked_once(world: World) -> None:
    """The process died after it had published, before it could acknowledge."""
    run = world.start()
    world.plan()
    (changed,) = world.ids(1)
    last = _all_worked(world, run)
    for owner in ("worker", "another"):
        work_batch(world.app, last, owner, 60.0)
    assert world.messages(Topic.PLAN) == [_closing_message(run)] * 2
    world.change_customer(changed, firstName="Changed")
    world.plan()
    world.work()
    assert [batch.ids for batch in _swept(world, run)] == [[changed]]
    assert world.status(run.run_id) is RunStatus.COMPLETED


def test_many_deliveries_of_the_sweep_at_once_double_no_batch(world: World) -> None:
    """The write of cursor and batches is conditional."""
    run = world.start()
    world.plan()
    work_batch(world.app, _all_worked(world, run), "worker", 60.0)
    world.change_customer(world.ids(1)[0], firstName="Changed")
    threads = [Thread(lambda: plan_slice(world.app, _closing_message(run), 60.0)) for _ in range(6)]
    assert [thread.join() for thread in threads] == [None] * 6
    assert len(_swept(world, run)) == 1


def test_a_sweep_that_is_asked_for_too_early_waits(world: World) -> None:
    """Such a message is acknowledged; it comes again when its time has come."""
    run = world.start()
    world.plan()
    plan_slice(world.app, _closing_message(run), 60.0)
    assert world.store.ranges(run.run_id)[CLOSING] == IdRange(
        index=CLOSING, feed=Feed.CHANGED, since=world.store.ranges(run.run_id)[CLOSING].since, closing=True
    )
    world.work()
    assert world.status(run.run_id) is RunStatus.COMPLETED


def test_a_sweep_that_has_begun_is_not_asked_for_again(world: World) -> None:
    """However often the batches before it, or its own, are delivered: who plans it goes on with it."""
    run = world.start()
    world.plan()
    last = _all_worked(world, run)
    work_batch(world.app, last, "worker", 60.0)
    (planning,) = world.take(Topic.PLAN)
    before = world.store.ranges(run.run_id)[CLOSING]
    (changed,) = world.ids(1)
    after, batches = fed(before, run.run_id, FeedPage([changed], f"{EVER} {changed}", ended=False), 10)
    world.store.record(run.run_id, run.fence, before, after, batches)
    for name, owner in ((last.batch_id, "a"), (batches[0].batch_id, "b"), (batches[0].batch_id, "c")):
        work_batch(world.app, WorkMessage(run.run_id, run.fence, name), owner, 60.0)
    assert world.messages(Topic.PLAN) == []
    assert world.status(run.run_id) is RunStatus.RUNNING
    world.queue.ack(planning)
    plan_slice(world.app, _closing_message(run), 60.0)
    world.work()
    assert world.status(run.run_id) is RunStatus.COMPLETED


def test_what_the_sweep_recorded_but_did_not_publish_is_published_by_the_next_delivery(world: World) -> None:
    """As with every other range."""
    run = world.start()
    world.plan()
    work_batch(world.app, _all_worked(world, run), "worker", 60.0)
    world.change_customer(world.ids(1)[0], firstName="Changed")
    with pytest.raises(TransientError):
        plan_slice(with_queue(world, Topic.WORK, _fail), _closing_message(run), 60.0)
    assert world.messages(Topic.WORK) == []
    world.plan()
    world.work()
    assert world.status(run.run_id) is RunStatus.COMPLETED


# stop and resume


def test_a_stopped_run_does_not_begin_its_sweep_and_resume_does(world: World) -> None:
    """Stopped after its last batch: nothing is left but the sweep."""
    run = world.start()
    world.plan()
    last = _all_worked(world, run)
    with pytest.raises(TransientError):
        work_batch(with_queue(world, Topic.PLAN, _fail), last, "worker", 60.0)
    world.stop()
    work_batch(world.app, last, "another", 60.0)
    assert (world.status(run.run_id), world.messages(Topic.PLAN)) == (RunStatus.STOPPED, [])
    resumed = world.resume(run.run_id)
    assert set(world.messages(Topic.PLAN)) == {_closing_message(resumed)}
    world.plan()
    assert world.status(run.run_id) is RunStatus.COMPLETED


def test_a_sweep_that_was_asked_for_before_a_stop_is_ignored_after_it(world: World) -> None:
    """Nothing is read for a run that does not go on, and its message is of an older fence after a resume."""
    run = world.start()
    world.plan()
    work_batch(world.app, _all_worked(world, run), "worker", 60.0)
    world.stop()
    world.plan()
    assert not world.store.ranges(run.run_id)[CLOSING].done
    world.resume(run.run_id)
    world.plan()
    assert world.status(run.run_id) is RunStatus.COMPLETED


def test_resume_leaves_the_sweep_to_the_last_batch_while_others_are_open(world: World) -> None:
    """Only what may run now is published."""
    run = world.start()
    world.plan()
    _all_worked(world, run)
    world.stop()
    resumed = world.resume(run.run_id)
    assert world.messages(Topic.PLAN) == []
    (left,) = world.messages(Topic.WORK)
    assert isinstance(left, WorkMessage)
    work_batch(world.app, left, "worker", 60.0)
    assert world.messages(Topic.PLAN) == [_closing_message(resumed)]


# products and categories


def test_a_product_deleted_between_its_batch_and_the_sweep_is_deleted_in_klaviyo(products: Catalog) -> None:
    """So is one that was taken off sale meanwhile; with their variants."""
    world = products.world
    gone, hidden = (row["id"] for row in products.published()[:2])
    run = world.start()
    world.plan()
    while world.messages(Topic.WORK):
        world.deliver(Topic.WORK)
    assert {gone, hidden} <= products.stored("item").keys()
    products.remove("products", gone)
    products.unpublish(hidden)
    world.plan()
    world.work()
    assert world.status(run.run_id) is RunStatus.COMPLETED
    assert _fed(world, run, Feed.SENT) == sorted([gone, hidden])
    assert products.stored("item").keys() == {row["id"] for row in products.published()}
    items = {row["item"] for row in products.stored("variant").values()}
    assert not any(part in str(item) for item in items for part in (gone, hidden))


def test_a_category_deleted_between_its_batch_and_the_sweep_is_deleted_in_klaviyo(categories: Catalog) -> None:
    """Nobody else would notice."""
    world = categories.world
    run = world.start()
    world.plan()
    while world.messages(Topic.WORK):
        world.deliver(Topic.WORK)
    leaf = next(row["id"] for row in categories.rows("categories") if row["id"] not in _ancestors(categories))
    categories.remove("categories", leaf)
    world.plan()
    world.work()
    assert world.status(run.run_id) is RunStatus.COMPLETED
    assert _fed(world, run, Feed.SENT) == [leaf]
    assert categories.stored("category").keys() == {row["id"] for row in categories.rows("categories")}


def _ancestors(catalog: Catalog) -> set[str]:
    return {parent["id"] for row in catalog.rows("categories") for parent in row.get("ancestors", [])}


def test_a_product_whose_stock_changed_while_the_run_worked_is_brought_over_again(products: Catalog) -> None:
    """commercetools does not call the product changed then."""
    world = products.world
    entry, product_id = _entry_and_owner(products)
    run = world.start()
    world.plan()
    while world.messages(Topic.WORK):
        world.deliver(Topic.WORK)
    products.change("inventory", entry["id"], quantityOnStock=4_711, availableQuantity=4_711)
    world.plan()
    world.work()
    assert world.status(run.run_id) is RunStatus.COMPLETED
    assert _fed(world, run, Feed.STOCK) == [product_id]
    assert [problem for problem in products.check().problems if not problem.startswith("category")] == []


def _entry_and_owner(products: Catalog) -> tuple[dict[str, str], str]:
    """An inventory entry, and the published product that has its SKU."""
    owners = {
        variant["sku"]: row["id"]
        for row in products.published()
        for current in [row["masterData"]["current"]]
        for variant in [current["masterVariant"], *current["variants"]]
        if "sku" in variant
    }
    return next((entry, owners[entry["sku"]]) for entry in products.rows("inventory") if entry["sku"] in owners)


def test_modified_after_counts_stock_as_a_modification(products: Catalog) -> None:
    """A product that was not touched, but whose stock was; the sweep finds the change once more, which does no harm."""
    world = products.world
    entry, product_id = _entry_and_owner(products)
    products.change("inventory", entry["id"], quantityOnStock=4_712, availableQuantity=4_712)
    moment = datetime.now(UTC) - timedelta(seconds=50)
    run = world.start(RunOptions(modified_after=moment.isoformat()))
    world.plan()
    world.work()
    assert world.status(run.run_id) is RunStatus.COMPLETED
    assert product_id in products.stored("item")
    by_range = {part.index: part for part in world.store.ranges(run.run_id)}
    first = next(batch for batch in world.batches(run.run_id) if by_range[batch.range_index].feed is Feed.STOCK)
    assert (first.ids, by_range[first.range_index].closing) == ([product_id], False)


@pytest.mark.parametrize(("feed", "path"), [(Feed.STOCK, "inventory"), (Feed.PRICES, "standalone-prices")])
def test_where_stock_or_prices_may_not_be_read_that_feed_is_empty(
    products: Catalog, feed: Feed, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """decisions.md 4: the work goes on without, and says so once."""
    world = products.world
    run = world.start(RunOptions(modified_after=EVER))
    world.commercetools_fails(kind="status", status=403, path=f"/sandbox/{path}")
    part = next(part for part in world.store.ranges(run.run_id) if part.feed is feed)
    plan_slice(world.app, PlanMessage(run.run_id, run.fence, part.index), 60.0)
    after = world.store.ranges(run.run_id)[part.index]
    assert (after.done, after.planned, world.status(run.run_id)) == (True, 0, RunStatus.RUNNING)
    assert capsys.readouterr().err.count("look-up not allowed") == 1


@pytest.mark.parametrize("feed", [Feed.STOCK, Feed.PRICES])
def test_products_of_a_feed_keep_to_what_the_run_was_asked_for(products: Catalog, feed: Feed) -> None:
    """Their own dates and ids count, not those of the entry or the price."""
    world = products.world
    everything = _page(world, feed, RunOptions())
    assert set(everything) <= {row["id"] for row in products.published()}
    middle = everything[len(everything) // 2]
    assert _page(world, feed, RunOptions(start_id=middle)) == [item for item in everything if item >= middle]
    assert _page(world, feed, RunOptions(created_after="2100-01-01T00:00:00Z")) == []


def _page(world: World, feed: Feed, options: RunOptions) -> list[str]:
    """All that a feed has had ever."""
    run = _run(world, options)
    page = feeds.page_of(world.app, run, IdRange(index=0, feed=feed, since=EVER), 10_000, budget_of(60.0))
    assert page.ended
    return list(page.ids)


def _run(world: World, options: RunOptions) -> Run:
    now = datetime.now(UTC)
    return Run(
        run_id="run",
        kind=world.kind,
        status=RunStatus.RUNNING,
        fence=1,
        lease_until=now,
        started_at=now,
        updated_at=now,
        resumed_at=now,
        options=options,
    )


# feeds, page by page


@pytest.mark.parametrize("most", [700, BATCH_SIZE])
def test_what_changed_is_read_in_the_order_of_change_to_its_end(world: World, most: int) -> None:
    """Step by step behind the last one's cursor: everything once, as far as it is not changed again."""
    run, part, seen = _run(world, RunOptions()), IdRange(index=0, feed=Feed.CHANGED, since=EVER), list[str]()
    for _ in range(CUSTOMERS // most + 1):
        page = feeds.page_of(world.app, run, part, most, budget_of(60.0))
        seen += page.ids
        part = msgspec.structs.replace(part, cursor=page.cursor, done=page.ended)
        assert page.ended or len(page.ids) == most
    assert part.done
    assert len(seen) == len(set(seen)) == CUSTOMERS


def test_a_feed_without_much_time_left_gives_what_it_has(world: World) -> None:
    """One page, so that every slice gets on, however short."""
    part = IdRange(index=0, feed=Feed.CHANGED, since=EVER)
    page = feeds.page_of(world.app, _run(world, RunOptions()), part, 2_000, budget_of(LAST_PAGE_S - 1))
    assert (len(page.ids), page.ended) == (500, False)
    assert page.cursor is not None


def test_a_feed_is_not_read_for_a_run_that_stops(world: World) -> None:
    """Every page looks first."""

    def stop() -> None:
        raise Interrupted(Interrupted.Cause.STOP)

    part = IdRange(index=0, feed=Feed.CHANGED, since=EVER)
    with pytest.raises(Interrupted):
        feeds.page_of(world.app, _run(world, RunOptions()), part, 10, budget_of(30.0, check_stop=stop))


def test_a_slice_of_the_sweep_without_time_leaves_it_to_its_continuation(world: World) -> None:
    """As with every other range."""
    run = world.start()
    world.plan()
    work_batch(world.app, _all_worked(world, run), "worker", 60.0)
    for delivery in world.take(Topic.PLAN):
        plan_slice(world.app, _closing_message(run), 0.0)
        world.queue.ack(delivery)
    assert world.messages(Topic.PLAN) == [_closing_message(run)]
    world.plan()
    assert world.status(run.run_id) is RunStatus.COMPLETED
