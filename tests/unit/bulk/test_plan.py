"""How a run is cut into ranges and batches (decisions.md 10)."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.bulk.plan import (
    BATCH_SIZES,
    LEAST_SIZES,
    MOST_RANGES,
    Failures,
    FeedPage,
    fed,
    has_begun,
    id_ranges,
    is_held_back,
    listed,
    may_run,
    range_count,
    ranges_of,
    retried,
    scanned,
    unpublished,
)
from shared.bulk.records import Batch, BatchResult, BatchStatus, Feed, IdRange, Kind, RunOptions

RUN = "run-2"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
SINCE = "2026-03-01T11:59:00.000Z"
LOWEST = "00000000-0000-0000-0000-000000000000"
HIGHEST = "ffffffff-ffff-ffff-ffff-ffffffffffff"

uuids = st.integers(0, 2**128 - 1).map(lambda number: str(UUID(int=number)))
exactly = settings(derandomize=True, database=None, deadline=None)


def holders(ranges: list[IdRange], item: str) -> list[int]:
    """The ranges that an id falls into, by the comparison of texts that the API makes."""
    return [part.index for part in ranges if part.first <= item and (part.until is None or item < part.until)]


def test_each_kind_has_the_batch_size_of_its_request() -> None:
    """As many items as Klaviyo takes at once, or a few of such requests."""
    assert dict(BATCH_SIZES) == {Kind.CUSTOMERS: 10_000, Kind.ORDERS: 2_500, Kind.PRODUCTS: 1_000, Kind.CATEGORIES: 1_000}


@pytest.mark.parametrize(
    ("total", "count"),
    [
        (0, 1),
        (300, 1),
        (2_500, 1),
        (2_501, 2),
        (10_000, 4),
        (34_000, 4),
        (40_000, 5),
        (100_000, 12),
        (136_000, 16),
        (10_000_000, 16),
        (None, 16),
    ],
)
def test_few_items_need_few_ranges(total: int | None, count: int) -> None:
    """A few items keep four workers busy, more go into ranges of about one batch each, sixteen at most; unknown is many."""
    assert range_count(total, 10_000) == count


@pytest.mark.parametrize(
    ("kind", "total", "count"),
    [
        (Kind.ORDERS, 400, 1),
        (Kind.ORDERS, 999, 1),
        (Kind.ORDERS, 1_000, 2),
        (Kind.ORDERS, 1_700, 3),
        (Kind.ORDERS, 10_000, 5),
        (Kind.ORDERS, 50_000, 16),
        (Kind.PRODUCTS, 200, 1),
        (Kind.PRODUCTS, 1_000, 4),
        (Kind.PRODUCTS, 10_000, 12),
        (Kind.CATEGORIES, 20, 1),
        (Kind.CATEGORIES, 500, 2),
    ],
)
def test_a_small_project_is_spread_no_thinner_than_pays(kind: Kind, total: int, count: int) -> None:
    """A range of orders has 500 at least, since one request takes the events of some 220 of them."""
    assert len([part for part in ranges_of(kind, RunOptions(), total, SINCE) if part.feed is None]) == count
    assert count == 1 or total / count >= LEAST_SIZES.get(kind, 1)


@pytest.mark.parametrize("total", [34_000, 100_000, 136_000])
def test_ranges_of_many_items_hold_a_batch_each(total: int) -> None:
    """With room for ids that are spread unevenly, so that hardly a range spills over into a second, tiny batch."""
    assert 8_000 <= total / range_count(total, 10_000) <= 8_500


@exactly
@given(count=st.integers(1, MOST_RANGES), start_id=st.none() | uuids, item=uuids)
def test_an_id_falls_into_one_range_or_lies_before_the_start(count: int, start_id: str | None, item: str) -> None:
    """Ranges are disjoint and cover everything from the start upwards, the start itself included."""
    ranges = id_ranges(count, start_id)
    assert [part.index for part in ranges] == list(range(count))
    assert len(holders(ranges, item)) == (0 if start_id and item < start_id else 1)
    assert len(holders(ranges, start_id or LOWEST)) == 1
    assert len(holders(ranges, HIGHEST)) == 1


@exactly
@given(count=st.integers(2, MOST_RANGES), start_id=st.none() | uuids)
def test_an_id_at_a_border_falls_into_one_range(count: int, start_id: str | None) -> None:
    """Where one range ends the next begins."""
    ranges = id_ranges(count, start_id)
    for before, after in pairwise(ranges):
        assert before.until == after.first
        assert len(holders(ranges, after.first)) == 1
    assert ranges[-1].until is None


@exactly
@given(count=st.integers(1, MOST_RANGES), start_id=st.none() | uuids)
def test_bounds_are_whole_ids(count: int, start_id: str | None) -> None:
    """A predicate refuses a shorter literal (commercetools.md 3)."""
    for part in id_ranges(count, start_id):
        assert all(str(UUID(bound)) == bound for bound in (part.first, part.until) if bound is not None)


def test_ranges_are_of_equal_size() -> None:
    """Ids are random, so each has about as many items."""
    ranges = id_ranges(4)
    assert [part.first[:8] for part in ranges] == ["00000000", "40000000", "80000000", "c0000000"]
    assert [part.first[:2] for part in id_ranges(2, "80000000-0000-0000-0000-000000000000")] == ["80", "c0"]


@pytest.mark.parametrize("start_id", ["8F0E9C1D-2B3A-4C5D-8E9F-0A1B2C3D4E5F", "8f0e9c1d-2b3a-4c5d-8e9f-0a1b2c3d4e5f"])
def test_the_start_is_written_as_ids_are(start_id: str) -> None:
    """In lower case, or the comparison of texts would not find it."""
    assert id_ranges(3, start_id)[0].first == "8f0e9c1d-2b3a-4c5d-8e9f-0a1b2c3d4e5f"


def test_the_highest_start_leaves_one_id() -> None:
    """All ranges but the last are empty then; none is lost, none doubled."""
    ranges = id_ranges(4, HIGHEST)
    assert holders(ranges, HIGHEST) == [3]


def test_a_page_of_ids_becomes_a_batch() -> None:
    """Its bounds are the first and the last id, the cursor is the last; numbers go on."""
    current = IdRange(index=2, first="b", until="c", cursor="b3", planned=4, published=3)
    after, batches = scanned(current, RUN, ["b5", "b6", "b9"], ended=False)
    assert batches == [Batch(run_id=RUN, range_index=2, number=5, size=3, first="b5", last="b9")]
    assert batches[0].batch_id == "002-000005"
    assert after == IdRange(index=2, first="b", until="c", cursor="b9", planned=5, published=4)


@pytest.mark.parametrize("cursor", [None, "b3"])
def test_an_empty_page_only_ends_the_range(cursor: str | None) -> None:
    """No batch of nothing; the cursor stays."""
    after, batches = scanned(IdRange(index=0, cursor=cursor, planned=1), RUN, [], ended=True)
    assert batches == []
    assert after == IdRange(index=0, cursor=cursor, planned=1, published=1, done=True)


@exactly
@given(count=st.integers(0, 60), batch_size=st.integers(1, 25))
def test_listed_ids_are_cut_into_batches_without_loss(count: int, batch_size: int) -> None:
    """All in their order, none twice, no batch above its size, none empty, and it ends with the last."""
    ids = [f"id-{number}" for number in range(count)]
    current, seen, numbers = IdRange(index=0), list[str](), list[int]()
    for _ in range(count + 1):
        current, batches = listed(current, RUN, ids, batch_size)
        for batch in batches:
            assert batch.ids is not None
            assert 0 < batch.size == len(batch.ids) <= batch_size
            assert (batch.first, batch.last) == (batch.ids[0], batch.ids[-1])
            seen += batch.ids
            numbers.append(batch.number)
        if current.done:
            break
    assert current.done
    assert seen == ids
    assert numbers == list(range(1, current.planned + 1))
    assert len(numbers) == -(-count // batch_size)


def old(number: int, status: BatchStatus, *, failed_ids: list[str] | None = None, ids: list[str] | None = None) -> Batch:
    """A batch of the run whose failures are retried."""
    return Batch(
        run_id="run-1",
        range_index=1,
        number=number,
        size=10,
        first="a",
        last="k",
        ids=ids,
        status=status,
        attempts=8,
        owner="somebody",
        cursor="c",
        result=BatchResult(failed_ids=failed_ids or []),
        finished_at=NOW,
    )


def test_of_a_done_batch_the_failed_items_are_retried() -> None:
    """They are listed; nothing of the old batch's attempts is taken along."""
    page = [old(1, BatchStatus.DONE, failed_ids=["e", "b"])]
    _, batches = retried(IdRange(index=0, planned=2), RUN, page, 10, ended=False)
    assert batches == [Batch(run_id=RUN, range_index=0, number=3, size=2, first="b", last="e", ids=["b", "e"])]


def test_the_failed_items_of_several_batches_are_retried_together_each_once() -> None:
    """What failed in the scan and in the sweep is in one batch alone, and batches are as full as they may be."""
    page = [
        old(1, BatchStatus.DONE, failed_ids=["e", "b"]),
        old(2, BatchStatus.DONE, failed_ids=["c"]),
        old(3, BatchStatus.FAILED, ids=["b", "z"]),
        old(4, BatchStatus.DONE, failed_ids=["z", "a"]),
    ]
    after, batches = retried(IdRange(index=0), RUN, page, 3, ended=False)
    assert [(batch.number, batch.ids, batch.size) for batch in batches] == [(1, ["a", "b", "c"], 3), (2, ["e", "z"], 2)]
    assert after == IdRange(index=0, cursor="001-000004", planned=2)


def test_what_is_retried_in_full_or_in_another_step_is_not_listed_as_well() -> None:
    """Two workers would do the same item at once."""
    page = [old(1, BatchStatus.FAILED), old(2, BatchStatus.DONE, failed_ids=["a", "b", "k", "l", "m", "o", "p"])]
    elsewhere = Failures(frozenset({"m", "x"}), frozenset({("n", "o")}))
    _, batches = retried(IdRange(index=0), RUN, page, 10, ended=False, elsewhere=elsewhere)
    assert [(batch.first, batch.last, batch.ids) for batch in batches] == [("a", "k", None), ("l", "p", ["l", "p"])]
    assert [batch.number for batch in batches] == [1, 2]


@pytest.mark.parametrize("ids", [None, [*"abcdefghik"]], ids=["bounds", "list"])
@pytest.mark.parametrize("failed_ids", [[], ["b"]], ids=["nothing known", "one known to have failed"])
def test_a_batch_that_failed_as_a_whole_is_retried_in_full(ids: list[str] | None, failed_ids: list[str]) -> None:
    """Which of its items were sent is not known, and to send them again does no harm."""
    _, batches = retried(IdRange(index=0), RUN, [old(1, BatchStatus.FAILED, failed_ids=failed_ids, ids=ids)], 10, ended=False)
    assert batches == [Batch(run_id=RUN, range_index=0, number=1, size=10, first="a", last="k", ids=ids)]


def test_a_batch_without_failures_is_passed_over() -> None:
    """Numbers have no gap; the cursor names the last batch looked at, so that the next slice goes on after it."""
    page = [
        old(1, BatchStatus.DONE),
        old(2, BatchStatus.DONE, failed_ids=["z"]),
        old(3, BatchStatus.DONE),
        old(4, BatchStatus.FAILED),
        old(5, BatchStatus.DONE),
    ]
    after, batches = retried(IdRange(index=0), RUN, page, 10, ended=False)
    assert [batch.number for batch in batches] == [1, 2]
    assert after == IdRange(index=0, cursor="001-000005", planned=2)


def test_a_page_without_batches_ends_the_retry() -> None:
    """The cursor stays."""
    after, batches = retried(IdRange(index=0, cursor="001-000005", planned=2), RUN, [], 10, ended=True)
    assert batches == []
    assert after == IdRange(index=0, cursor="001-000005", planned=2, published=2, done=True)


SWEEP = {
    Kind.CUSTOMERS: [Feed.CHANGED],
    Kind.ORDERS: [Feed.CHANGED],
    Kind.CATEGORIES: [Feed.CHANGED, Feed.SENT],
    Kind.PRODUCTS: [Feed.CHANGED, Feed.STOCK, Feed.PRICES, Feed.SENT],
}
"""flows.md "Closing sweep"."""


@pytest.mark.parametrize("kind", SWEEP)
def test_a_run_over_everything_ends_with_a_closing_sweep(kind: Kind) -> None:
    """Behind the ranges of the id space; what changed counts from a moment before the start, what was sent has no time."""
    ranges = ranges_of(kind, RunOptions(created_after="2026-01-01T00:00:00Z"), 10, SINCE)
    assert ranges == [
        *id_ranges(1),
        *(
            IdRange(index=index, feed=feed, since=None if feed is Feed.SENT else SINCE, closing=True)
            for index, feed in enumerate(SWEEP[kind], start=1)
        ),
    ]


@pytest.mark.parametrize("kind", SWEEP)
@pytest.mark.parametrize(
    "options", [RunOptions(ids=["a"]), RunOptions(retry_of="run-1"), RunOptions(dry_run=True)], ids=["ids", "retry", "dry run"]
)
def test_a_run_over_some_or_for_show_has_no_sweep(kind: Kind, options: RunOptions) -> None:
    """What it was not asked for it does not touch."""
    assert ranges_of(kind, options, 1, SINCE) == (id_ranges(1) if options.dry_run else [IdRange(index=0)])


def test_a_product_whose_stock_or_price_changed_counts_as_modified() -> None:
    """commercetools does not touch the product then, so these are asked by themselves, beside the scan."""
    when = "2026-02-01T00:00:00+01:00"
    ranges = ranges_of(Kind.PRODUCTS, RunOptions(modified_after=when), 10, SINCE)
    assert ranges[1:3] == [
        IdRange(index=1, feed=Feed.STOCK, since=when),
        IdRange(index=2, feed=Feed.PRICES, since=when),
    ]
    assert [part.closing for part in ranges] == [False] * 3 + [True] * 4
    assert [part.index for part in ranges] == list(range(7))
    others = ranges_of(Kind.CATEGORIES, RunOptions(modified_after=when), 10, SINCE)
    assert [part.feed for part in others] == [None, Feed.CHANGED, Feed.SENT]


@pytest.mark.parametrize(
    ("kind", "only_own", "closing"),
    [
        (Kind.CATEGORIES, False, [Feed.KLAVIYO]),
        (Kind.CATEGORIES, True, [Feed.KLAVIYO]),
        (Kind.PRODUCTS, False, [Feed.KLAVIYO, Feed.KLAVIYO_VARIANTS]),
        (Kind.PRODUCTS, True, [Feed.KLAVIYO]),
    ],
)
def test_a_deletion_goes_through_what_klaviyo_has_and_looks_again(kind: Kind, *, only_own: bool, closing: list[Feed]) -> None:
    """Variants without an item are nobody's for certain, so that `onlyOwn` leaves them."""
    ranges = ranges_of(kind, RunOptions(delete_all=True, only_own=only_own), None, SINCE)
    assert ranges == [
        IdRange(index=0, feed=Feed.KLAVIYO),
        *(IdRange(index=index, feed=feed, closing=True) for index, feed in enumerate(closing, start=1)),
    ]


def test_a_retried_deletion_tells_variants_from_items() -> None:
    """Their ids look alike; the range that a batch belongs to says which they are."""
    options = RunOptions(delete_all=True, retry_of="run-1")
    items, variants = ranges_of(Kind.PRODUCTS, options, None, SINCE)
    old_items, old_variants = (
        msgspec.structs.replace(old(1, BatchStatus.DONE, failed_ids=[name]), range_index=index)
        for index, name in ((1, "item"), (2, "sku"))
    )
    for part, expected in ((items, ["item"]), (variants, ["sku"])):
        after, batches = retried(part, RUN, [old_items, old_variants], 10, ended=True, of_variants=frozenset({2}))
        assert [batch.ids for batch in batches] == [expected]
        assert after.cursor == "002-000001"
    assert ranges_of(Kind.CATEGORIES, options, None, SINCE) == [IdRange(index=0)]


@exactly
@given(
    ids=st.lists(st.text("abcdef", min_size=1, max_size=3), max_size=60),
    batch_size=st.integers(1, 25),
    ended=st.booleans(),
    planned=st.integers(0, 3),
)
def test_what_a_feed_gives_goes_into_batches_without_loss(ids: list[str], batch_size: int, *, ended: bool, planned: int) -> None:
    """Each id once, listed, no batch above its size, none empty; the range keeps what it is and has the feed's cursor."""
    current = IdRange(index=4, feed=Feed.CHANGED, since=SINCE, closing=True, cursor="a", planned=planned, published=planned)
    after, batches = fed(current, RUN, FeedPage(ids, "b", ended), batch_size)
    listed_ids = [item for batch in batches for item in batch.ids or []]
    assert listed_ids == sorted(set(ids))
    assert all(0 < batch.size == len(batch.ids or []) <= batch_size for batch in batches)
    assert [batch.number for batch in batches] == list(range(planned + 1, planned + len(batches) + 1))
    assert after == IdRange(
        index=4,
        feed=Feed.CHANGED,
        since=SINCE,
        closing=True,
        cursor="b",
        planned=planned + len(batches),
        published=planned,
        done=ended,
    )


def test_the_messages_of_a_deletion_wait_until_its_range_is_read_to_the_end() -> None:
    """Deleting while the list is paged would move what follows, and some would be skipped (flows.md "Delete all")."""
    part = IdRange(index=0, feed=Feed.KLAVIYO)
    for page in (["a", "b"], ["c"]):
        part, _ = fed(part, RUN, FeedPage(page, page[-1], ended=False), 1)
        assert is_held_back(part)
        assert list(unpublished(part)) == []
    part, _ = fed(part, RUN, FeedPage(["d"], None, ended=True), 1)
    assert not is_held_back(part)
    assert list(unpublished(part)) == [1, 2, 3, 4]


def test_other_messages_are_published_with_every_step() -> None:
    """Those of the step before are known to be in the queue."""
    part, _ = fed(IdRange(index=0, feed=Feed.CHANGED), RUN, FeedPage(["a", "b"], "b", ended=False), 1)
    assert list(unpublished(part)) == [1, 2]
    part, _ = fed(part, RUN, FeedPage(["c"], "c", ended=True), 1)
    assert list(unpublished(part)) == [3]


@pytest.mark.parametrize(
    ("part", "before", "afterwards"),
    [
        (IdRange(index=0), True, True),
        (IdRange(index=0, done=True), False, False),
        (IdRange(index=0, closing=True), False, True),
        (IdRange(index=0, closing=True, done=True), False, False),
    ],
)
def test_a_closing_range_waits_for_all_others(part: IdRange, *, before: bool, afterwards: bool) -> None:
    """Before and after everything else is settled."""
    assert may_run(part, open_settled=False) is before
    assert may_run(part, open_settled=True) is afterwards


@pytest.mark.parametrize(
    ("part", "begun"),
    [
        (IdRange(index=0), False),
        (IdRange(index=0, cursor="x"), True),
        (IdRange(index=0, planned=1), True),
        (IdRange(index=0, done=True), True),
    ],
)
def test_a_range_has_begun_when_anything_of_it_is_recorded(part: IdRange, *, begun: bool) -> None:
    """Also a cursor alone, of a feed that has given no id so far."""
    assert has_begun(part) is begun
