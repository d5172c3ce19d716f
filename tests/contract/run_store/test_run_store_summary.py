"""Run store: sums over batches, progress and the cursor."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from run_store_records import (
    FIRST,
    LEASE,
    NOW,
    RESULT,
    RUN_ID,
    a_run,
    changed,
    item_ids,
    plan_batch,
    planned,
    settled,
    stored,
    taken,
)

from shared.bulk.plan import FeedPage, fed, listed, scanned
from shared.bulk.ports import RunStore
from shared.bulk.records import BatchResult, BatchStatus, FailedItem, Feed, IdRange, RunOptions, RunStatus, Summary
from shared.bulk.results import EXAMPLES, SHOWN_FAILURES, total


def summary(store: RunStore, *, seconds_later: float = 0, window_s: float = 60) -> Summary:
    return store.summary(RUN_ID, NOW + timedelta(seconds=seconds_later), window_s)


def failures(batch: int, count: int) -> list[FailedItem]:
    return [FailedItem(id=f"{batch}-{item}", reason="invalid") for item in range(count)]


def test_an_unknown_run_has_an_empty_summary(store: RunStore) -> None:
    """Nothing planned, nothing done."""
    assert store.summary("nobody", NOW, 60) == Summary()


def test_batches_are_counted_by_state(store: RunStore) -> None:
    """Planned are all; done, failed and queued as they stand; live are those with a lease that has not run out."""
    planned(store, [4, 2])
    settled(store, "000-000001")
    settled(store, "000-000002", status=BatchStatus.FAILED)
    taken(store, "a", "000-000003")
    taken(store, "b", "000-000004", now=NOW + timedelta(seconds=30))
    got = summary(store)
    assert (got.planned, got.done, got.failed_batches, got.queued, got.live) == (6, 1, 1, 2, 2)
    assert (got.planned_items, got.settled_items) == (60, 20)
    assert summary(store, seconds_later=60).live == 1
    assert summary(store, seconds_later=90).live == 0


def test_results_are_summed_by_reason(store: RunStore) -> None:
    """Sums over all batches, and nothing is lost: seen = sent + skipped + failed."""
    planned(store, [2, 1])
    other = BatchResult(seen=10, sent=7, skipped={"no_email": 1}, failed={"conflict": 1, "invalid": 1})
    settled(store, "000-000001", RESULT)
    settled(store, "000-000002", other)
    settled(store, "001-000001", other, status=BatchStatus.FAILED)
    result = summary(store).result
    assert (result.seen, result.sent) == (30, 20)
    assert result.skipped == {"no_email": 4}
    assert result.failed == {"invalid": 4, "conflict": 2}
    assert result.adjusted == {"phone_left_out": 1}
    assert result.seen == result.sent + total(result.skipped) + total(result.failed)


def test_a_reason_that_never_occurred_is_not_named(store: RunStore) -> None:
    """A count of zero is not a failure."""
    planned(store)
    settled(store, FIRST, BatchResult(seen=10, sent=9, skipped={"no_email": 1}, failed={"invalid": 0}))
    assert summary(store).result.failed == {}


def test_what_was_done_of_a_batch_put_back_counts(store: RunStore) -> None:
    """Counted while it waits and while it is worked again, and not twice once it is settled."""
    planned(store)
    store.put_back(taken(store, "a"), "a", cursor="item-5", result=RESULT, count_attempt=False)
    assert (summary(store).result.sent, summary(store).settled_items) == (6, 0)
    again = taken(store, "b")
    assert summary(store).result.sent == 6
    store.settle(again, "b", BatchStatus.DONE, msgspec.structs.replace(RESULT, seen=14, sent=10), NOW)
    assert (summary(store).result.sent, summary(store).settled_items) == (10, 10)


def test_ids_of_failed_items_stand_in_the_batch_not_in_the_summary(store: RunStore) -> None:
    """There may be very many; the first hundred, in the order of planning, are shown with their reasons."""
    planned(store, [3])
    for number, count in ((3, 50), (1, 40), (2, 40)):
        items = failures(number, count)
        settled(
            store,
            f"000-{number:06d}",
            BatchResult(failed={"invalid": count}, failed_ids=[i.id for i in items], failed_items=items),
        )
    result = summary(store).result
    assert (result.failed_ids, result.job_ids) == ([], [])
    assert result.failed_items == [*failures(1, 40), *failures(2, 40), *failures(3, 50)][:SHOWN_FAILURES]
    assert stored(store, "000-000003").result.failed_ids == [item.id for item in failures(3, 50)]


def test_the_first_examples_are_shown(store: RunStore) -> None:
    """Of a dry run: up to twenty, in the order of planning."""
    planned(store, [2])
    for number in (2, 1):
        settled(store, f"000-{number:06d}", BatchResult(examples=[{"batch": number, "n": n} for n in range(15)]))
    expected = [{"batch": 1, "n": n} for n in range(15)] + [{"batch": 2, "n": n} for n in range(15)]
    assert summary(store).result.examples == expected[:EXAMPLES]


def test_recent_items_are_those_of_the_window(store: RunStore) -> None:
    """For the rate: what finished within the last seconds."""
    planned(store, [3])
    for number, seconds in ((1, 0), (2, 30), (3, 50)):
        settled(store, f"000-{number:06d}", now=NOW + timedelta(seconds=seconds))
    assert summary(store, seconds_later=60, window_s=60).recent_items == 20
    assert summary(store, seconds_later=60, window_s=20).recent_items == 10
    assert summary(store, seconds_later=60, window_s=61).recent_items == 30
    assert summary(store, seconds_later=60).settled_items == 30


SUMS = Summary(planned=3, done=3, ranges_done=True, cursor="kept", result=BatchResult(seen=30, sent=29, failed={"invalid": 1}))


def test_a_run_that_has_completed_keeps_its_sums(store: RunStore) -> None:
    """A while after its end no batch is looked at for them any more; until then some are recent."""
    planned(store, [1])
    settled(store, FIRST, RESULT)
    changed(store, status=RunStatus.COMPLETED, finished_at=NOW, sums=SUMS)
    assert summary(store, seconds_later=30).recent_items == 10
    assert summary(store, seconds_later=3600) == SUMS
    assert summary(store, seconds_later=3600, window_s=3601).recent_items == 10


def test_a_run_that_goes_on_is_summed_anew(store: RunStore) -> None:
    """And one that was recorded without its sums."""
    planned(store, [1])
    settled(store, FIRST, RESULT)
    changed(store, status=RunStatus.COMPLETED, finished_at=NOW)
    assert summary(store, seconds_later=3600).result.sent == RESULT.sent
    changed(store, status=RunStatus.RUNNING, finished_at=None, sums=SUMS)
    assert summary(store, seconds_later=3600).result.sent == RESULT.sent


def test_planning_is_over_when_every_range_is_done(store: RunStore) -> None:
    """One open range is enough to go on."""
    run = planned(store, [1, 1], done=False)
    assert not summary(store).ranges_done
    plan_batch(store, run, 0, [], ended=True)
    assert not summary(store).ranges_done
    plan_batch(store, run, 1, [], ended=True)
    assert summary(store).ranges_done


def test_a_run_without_ranges_is_not_planned_out(store: RunStore) -> None:
    """Nothing planned is not the same as everything planned."""
    store.create(a_run(), [])
    got = summary(store)
    assert (got.open_done, got.open_settled, got.ranges_done) == (False, False, False)


def feed_batch(store: RunStore, index: int, ids: list[str], *, ended: bool = False) -> None:
    """Record one more step of a range with a feed."""
    before = store.ranges(RUN_ID)[index]
    after, batches = fed(before, RUN_ID, FeedPage(ids, f"behind {ids[-1]}" if ids else None, ended), 10)
    store.record(RUN_ID, 1, before, after, batches)


def with_sweep(store: RunStore) -> None:
    """A run of one scan range, one with a feed, and two closing ones; only the scan is planned: one batch of 10."""
    run = a_run()
    feeds = [(Feed.STOCK, False), (Feed.CHANGED, True), (Feed.SENT, True)]
    parts = [IdRange(index=index, feed=feed, closing=closing) for index, (feed, closing) in enumerate(feeds, start=1)]
    store.create(run, [IdRange(index=0), *parts])
    plan_batch(store, run, 0, item_ids(0, 1), ended=True)


def phases(store: RunStore) -> tuple[bool, bool, bool]:
    """What the closing ranges, and the end, wait for."""
    got = summary(store)
    return got.open_done, got.open_settled, got.ranges_done


def test_the_closing_ranges_wait_until_all_others_are_planned_and_settled(store: RunStore) -> None:
    """A failed batch is settled, too; batches of closing ranges do not count, so that it stays so."""
    with_sweep(store)
    settled(store, "000-000001", status=BatchStatus.FAILED)
    assert phases(store) == (False, False, False)
    feed_batch(store, 1, ["a", "b"])
    settled(store, "001-000001")
    assert phases(store) == (False, False, False)
    feed_batch(store, 1, ["c"], ended=True)
    assert phases(store) == (True, False, False)
    held = taken(store, "a", "001-000002")
    assert phases(store) == (True, False, False)
    store.settle(held, "a", BatchStatus.DONE, RESULT, NOW)
    assert phases(store) == (True, True, False)
    feed_batch(store, 2, ["d"], ended=True)
    assert phases(store) == (True, True, False)
    feed_batch(store, 3, [], ended=True)
    assert phases(store) == (True, True, True)


def test_what_is_not_settled_is_not_settled_after_a_take_over_either(store: RunStore) -> None:
    """A batch of the scan that a worker has died over, and one of the sweep."""
    planned(store)
    taken(store, "a")
    changed(store, fence=2)
    store.requeue(RUN_ID, 2)
    assert phases(store) == (True, False, True)
    store.settle(taken(store, "b", fence=2), "b", BatchStatus.DONE, RESULT, NOW)
    assert phases(store) == (True, True, True)


def test_items_of_feeds_are_counted_apart(store: RunStore) -> None:
    """They come on top of what a scan of the ids finds; a range without any counts for nothing."""
    with_sweep(store)
    assert (summary(store).planned_items, summary(store).fed_items) == (10, 0)
    feed_batch(store, 1, ["a", "b"])
    feed_batch(store, 2, ["c"])
    feed_batch(store, 3, [])
    got = summary(store)
    assert (got.planned, got.planned_items, got.fed_items) == (3, 13, 3)


def test_the_step_of_a_feed_without_ids_is_kept(store: RunStore) -> None:
    """The advanced cursor alone, and several batches at once: each range as it was recorded."""
    with_sweep(store)
    before = store.ranges(RUN_ID)[2]
    after, none = fed(before, RUN_ID, FeedPage([], "far", ended=False), 10)
    store.record(RUN_ID, 1, before, after, none)
    assert store.ranges(RUN_ID)[2] == msgspec.structs.replace(before, cursor="far")
    further, three = fed(after, RUN_ID, FeedPage([f"{n:02d}" for n in range(25)], "end", ended=True), 10)
    store.record(RUN_ID, 1, after, further, three)
    assert store.ranges(RUN_ID)[2] == further
    assert [stored(store, f"002-{n:06d}").ids for n in (1, 2, 3)] == [batch.ids for batch in three]


def test_the_cursor_is_over_the_ids_in_order_alone(store: RunStore) -> None:
    """What feeds add does neither hold it up nor move it."""
    with_sweep(store)
    feed_batch(store, 1, ["zz"], ended=True)
    settled(store, "001-000001")
    assert summary(store).cursor is None
    settled(store, "000-000001")
    assert summary(store).cursor == item_ids(0, 1)[-1]
    feed_batch(store, 2, ["zzz"])
    settled(store, "002-000001", status=BatchStatus.FAILED)
    assert summary(store).cursor == item_ids(0, 1)[-1]


def test_a_feed_among_the_ranges_is_passed_over_by_the_cursor(store: RunStore) -> None:
    """Whatever place it has among them."""
    store.create(a_run(), [IdRange(index=0), IdRange(index=1, feed=Feed.STOCK), IdRange(index=2)])
    for index in (0, 2):
        before = IdRange(index=index)
        after, batches = scanned(before, RUN_ID, item_ids(index, 1), ended=True)
        store.record(RUN_ID, 1, before, after, batches)
        settled(store, f"00{index}-000001")
    assert summary(store).cursor == item_ids(2, 1)[-1]


def test_a_run_of_feeds_alone_has_no_cursor(store: RunStore) -> None:
    """A deletion goes through what Klaviyo has, in Klaviyo's order."""
    store.create(a_run(options=RunOptions(delete_all=True)), [IdRange(index=0, feed=Feed.KLAVIYO)])
    feed_batch(store, 0, ["a", "b"], ended=True)
    settled(store, FIRST)
    assert (summary(store).done, summary(store).fed_items, summary(store).cursor) == (1, 2, None)


A, B, C = "000", "001", "002"


@pytest.mark.parametrize(
    ("batches", "planned_out", "done", "failed", "cursor"),
    [
        pytest.param([2, 2], True, [], [], None, id="nothing done: none"),
        pytest.param([2, 2], True, [f"{A}-000001"], [], item_ids(0, 1)[-1], id="the last id of the first batch"),
        pytest.param([2, 2], True, [f"{A}-000002"], [], None, id="a gap at the start: none"),
        pytest.param([3], True, [f"{A}-000001", f"{A}-000003"], [], item_ids(0, 1)[-1], id="up to the gap"),
        pytest.param([2, 2], True, [f"{B}-000001", f"{B}-000002"], [], None, id="later ranges alone do not count"),
        pytest.param([1, 2], True, [f"{A}-000001", f"{B}-000001"], [], item_ids(1, 1)[-1], id="over the end of a range"),
        pytest.param([1, 2], False, [f"{A}-000001", f"{B}-000001"], [], item_ids(0, 1)[-1], id="not past a range still planned"),
        pytest.param([1, 0, 1], True, [f"{A}-000001", f"{C}-000001"], [], item_ids(2, 1)[-1], id="over an empty range"),
        pytest.param([1, 0, 1], True, [f"{A}-000001"], [], item_ids(0, 1)[-1], id="an empty range adds no id"),
        pytest.param([0, 0], True, [], [], None, id="only empty ranges: none"),
        pytest.param(
            [2, 1], True, [f"{A}-000001", f"{B}-000001"], [f"{A}-000002"], item_ids(0, 1)[-1], id="not past a failed batch"
        ),
        pytest.param([1, 1], True, [f"{A}-000001", f"{B}-000001"], [], item_ids(1, 1)[-1], id="everything done: the last id"),
    ],
)
def test_the_cursor_is_the_highest_id_below_which_all_is_done(
    store: RunStore, batches: list[int], planned_out: bool, done: list[str], failed: list[str], cursor: str | None
) -> None:
    """Ranges in their order, batches in theirs, to the first that is not done (http-api.md "Status of a run")."""
    planned(store, batches, done=planned_out)
    for name in done:
        settled(store, name)
    for name in failed:
        settled(store, name, status=BatchStatus.FAILED)
    assert summary(store).cursor == cursor


@pytest.mark.parametrize("options", [RunOptions(ids=["b", "a"]), RunOptions(retry_of="run-0")], ids=["ids", "retry"])
def test_a_run_over_a_list_has_no_cursor(store: RunStore, options: RunOptions) -> None:
    """It does not go through the ids in order, so no id says how far it came."""
    run = a_run(options=options)
    store.create(run, [IdRange(index=0)])
    after, batches = listed(IdRange(index=0), RUN_ID, ["b", "a"], 10)
    store.record(RUN_ID, 1, IdRange(index=0), after, batches)
    settled(store, FIRST)
    assert (summary(store).done, summary(store).cursor) == (1, None)


def test_another_runs_batches_are_not_counted(store: RunStore) -> None:
    """Each run has its own sums."""
    planned(store)
    planned(store, [3], run_id="run-2")
    settled(store, FIRST, RESULT)
    assert store.summary("run-2", NOW + LEASE, 60).result.seen == 0
    assert summary(store).planned == 1
