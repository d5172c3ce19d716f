"""How a run is cut into ranges and batches (decisions.md 10). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from shared.bulk.records import Batch, BatchStatus, Feed, IdRange, Kind, RunOptions

BATCH_SIZES: Mapping[Kind, int] = {
    Kind.CUSTOMERS: 10_000,
    Kind.ORDERS: 2_500,
    Kind.PRODUCTS: 1_000,
    Kind.CATEGORIES: 1_000,
}
"""Items a batch holds at most: what one request to Klaviyo takes, or a few of them."""

LEAST_SIZES: Mapping[Kind, int] = {Kind.ORDERS: 500}
"""Items that a range holds at least, so that Klaviyo's requests are full: one takes the events of some 220 orders."""

MOST_RANGES = 16
BUSY_RANGES = 4
"""Ranges that keep the workers of one machine busy."""

_HELD_BACK = frozenset({Feed.KLAVIYO, Feed.KLAVIYO_VARIANTS})
_WITHOUT_TIME = _HELD_BACK | {Feed.SENT}
_ID_SPACE = 1 << 128


@dataclass(frozen=True, slots=True)
class FeedPage:
    """The next ids of a feed, the place behind them, and whether the feed ends there."""

    ids: Sequence[str]
    cursor: str | None
    ended: bool


@dataclass(frozen=True, slots=True)
class Failures:
    """What of a run is to be retried: single ids, and `(first, last)` of batches of a scan that are worked again in full."""

    ids: frozenset[str] = frozenset()
    spans: frozenset[tuple[str, str]] = frozenset()


NO_FAILURES = Failures()


def range_count(total: int | None, batch_size: int, least: int = 1) -> int:
    """How many ranges are scanned in parallel, up to 16; an unknown `total` means many.

    A batch waits some seconds for Klaviyo's jobs, however small it is. So a few items are spread over `BUSY_RANGES`, but
    `least` in each, and more of them over ranges that hold about one full batch each (ids are random, so a little less is
    aimed at).
    """
    if total is None:
        return MOST_RANGES
    spread = min(BUSY_RANGES, -(-total * BUSY_RANGES // batch_size), total // least)
    filled = -(-total * 20 // (batch_size * 17))
    return max(1, min(MOST_RANGES, max(spread, filled)))


def ranges_of(kind: Kind, options: RunOptions, total: int | None, since: str) -> list[IdRange]:
    """The ranges of a run of one kind over `total` items (None: unknown), the closing ones last.

    `since` is the time from which on changes concern its end: 60 seconds before its start, by commercetools' clock
    (flows.md "Closing sweep", "Delete all").
    """
    if options.retry_of is not None:
        feeds: list[Feed | None] = [None, Feed.KLAVIYO_VARIANTS] if _deletes_variants(kind, options) else [None]
        return [IdRange(index=index, feed=feed) for index, feed in enumerate(feeds)]
    if options.ids is not None:
        return [IdRange(index=0)]
    if options.delete_all:
        last = [Feed.KLAVIYO, Feed.KLAVIYO_VARIANTS] if _deletes_variants(kind, options) else [Feed.KLAVIYO]
        return [IdRange(index=0, feed=Feed.KLAVIYO), *_fed_ranges(1, last, None, closing=True)]
    count = range_count(total, BATCH_SIZES[kind], LEAST_SIZES.get(kind, 1))
    ranges = id_ranges(count, options.start_id)
    if kind is Kind.PRODUCTS and options.modified_after is not None:
        ranges += _fed_ranges(len(ranges), [Feed.STOCK, Feed.PRICES], options.modified_after, closing=False)
    if not options.dry_run:
        ranges += _fed_ranges(len(ranges), _sweep_of(kind), since, closing=True)
    return ranges


def is_held_back(part: IdRange) -> bool:
    """The batches of this range may not be worked yet: what lists Klaviyo's records is read to its end before any is deleted."""
    return part.feed in _HELD_BACK and not part.done


def may_run(part: IdRange, *, open_settled: bool) -> bool:
    """There is something to plan in this range, and the time for it has come."""
    return not part.done and (open_settled or not part.closing)


def has_begun(part: IdRange) -> bool:
    """Somebody has planned some of this range."""
    return part.done or part.planned > 0 or part.cursor is not None


def unpublished(part: IdRange) -> range:
    """The numbers of the batches whose messages are to be put into the queue, for all that the range knows."""
    return range(0) if is_held_back(part) else range(part.published + 1, part.planned + 1)


def id_ranges(count: int, start_id: str | None = None) -> list[IdRange]:
    """`count` disjoint ranges that cover all ids from `start_id` (None: from the lowest) upwards; the last is unbounded.

    Bounds are whole UUIDs, because a shorter literal may be refused in a predicate (commercetools.md 3).
    """
    low = int(start_id.replace("-", ""), 16) if start_id else 0
    bounds = [low + (_ID_SPACE - low) * index // count for index in range(count)]
    return [
        IdRange(
            index=index,
            first=_uuid(bound),
            until=_uuid(bounds[index + 1]) if index + 1 < count else None,
        )
        for index, bound in enumerate(bounds)
    ]


def scanned(current: IdRange, run_id: str, ids: Sequence[str], *, ended: bool) -> tuple[IdRange, list[Batch]]:
    """The range after `ids` (ascending, after its cursor) were found, and the batch that holds them; none for no ids."""
    batches = []
    if ids:
        batches.append(
            Batch(
                run_id=run_id,
                range_index=current.index,
                number=current.planned + 1,
                size=len(ids),
                first=ids[0],
                last=ids[-1],
            )
        )
    return _advanced(current, cursor=ids[-1] if ids else current.cursor, batches=batches, ended=ended), batches


def listed(current: IdRange, run_id: str, ids: Sequence[str], batch_size: int) -> tuple[IdRange, list[Batch]]:
    """The range after the next `batch_size` of all listed `ids` went into a batch."""
    start = int(current.cursor or 0)
    chunk = list(ids[start : start + batch_size])
    batches = []
    if chunk:
        batches.append(
            Batch(
                run_id=run_id,
                range_index=current.index,
                number=current.planned + 1,
                size=len(chunk),
                first=chunk[0],
                last=chunk[-1],
                ids=chunk,
            )
        )
    position = start + len(chunk)
    return _advanced(current, cursor=str(position), batches=batches, ended=position >= len(ids)), batches


def fed(current: IdRange, run_id: str, page: FeedPage, batch_size: int) -> tuple[IdRange, list[Batch]]:
    """The range after the ids that its feed gave went into batches; none for no ids."""
    batches = _batches_of(current, run_id, sorted(set(page.ids)), batch_size)
    return _advanced(current, cursor=page.cursor, batches=batches, ended=page.ended), batches


def retried(
    current: IdRange,
    run_id: str,
    settled: Sequence[Batch],
    batch_size: int,
    *,
    ended: bool,
    of_variants: frozenset[int] = frozenset(),
    elsewhere: Failures = NO_FAILURES,
) -> tuple[IdRange, list[Batch]]:
    """The range after the failures of these batches of another run went into batches of their own.

    A batch of a scan that failed as a whole is worked again in full. All other failed items are listed together, each once,
    but for those that such a batch covers, and those that other steps bring: `elsewhere`. So no two batches have the same
    item, though the other run may have met it in its scan and in its sweep. `of_variants` are the ranges of the other run
    whose ids are those of Klaviyo's variants: they belong into a range of this feed, and all others into one without.
    """
    mine = [old for old in settled if (old.range_index in of_variants) == (current.feed is Feed.KLAVIYO_VARIANTS)]
    found = failures_of(mine)
    batches = [
        Batch(
            run_id=run_id,
            range_index=current.index,
            number=current.planned + number,
            size=old.size,
            first=old.first,
            last=old.last,
        )
        for number, old in enumerate((old for old in mine if _is_failed_scan(old)), start=1)
    ]
    spans = found.spans | elsewhere.spans
    ids = sorted(item for item in found.ids - elsewhere.ids if not any(first <= item <= last for first, last in spans))
    batches += _batches_of(current, run_id, ids, batch_size, behind=len(batches))
    cursor = settled[-1].batch_id if settled else current.cursor
    return _advanced(current, cursor=cursor, batches=batches, ended=ended), batches


def failures_of(settled: Iterable[Batch]) -> Failures:
    """What of these batches is to be retried."""
    ids: set[str] = set()
    spans: set[tuple[str, str]] = set()
    for old in settled:
        if _is_failed_scan(old):
            spans.add((old.first, old.last))
        else:
            ids.update(old.ids or () if old.status is BatchStatus.FAILED else old.result.failed_ids)
    return Failures(frozenset(ids), frozenset(spans))


def _is_failed_scan(old: Batch) -> bool:
    return old.status is BatchStatus.FAILED and old.ids is None


def _deletes_variants(kind: Kind, options: RunOptions) -> bool:
    """Whether a run deletes variants by themselves; `onlyOwn` cannot, since a SKU does not tell whose it is."""
    return kind is Kind.PRODUCTS and options.delete_all and not options.only_own


def _sweep_of(kind: Kind) -> list[Feed]:
    match kind:
        case Kind.PRODUCTS:
            return [Feed.CHANGED, Feed.STOCK, Feed.PRICES, Feed.SENT]
        case Kind.CATEGORIES:
            return [Feed.CHANGED, Feed.SENT]
        case _:
            return [Feed.CHANGED]


def _fed_ranges(start: int, feeds: Sequence[Feed], since: str | None, *, closing: bool) -> list[IdRange]:
    return [
        IdRange(index=index, feed=feed, since=None if feed in _WITHOUT_TIME else since, closing=closing)
        for index, feed in enumerate(feeds, start)
    ]


def _batches_of(current: IdRange, run_id: str, ids: list[str], batch_size: int, *, behind: int = 0) -> list[Batch]:
    """The next batches of a range over listed ids, `behind` others of the same step."""
    return [
        Batch(
            run_id=run_id,
            range_index=current.index,
            number=current.planned + number,
            size=len(piece),
            first=piece[0],
            last=piece[-1],
            ids=piece,
        )
        for number, piece in enumerate(_pieces(ids, batch_size), start=behind + 1)
    ]


def _pieces(ids: list[str], size: int) -> Iterator[list[str]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))


def _advanced(current: IdRange, *, cursor: str | None, batches: Sequence[Batch], ended: bool) -> IdRange:
    """What was recorded before is known to be published by now, unless it is held back: then nothing is, until the next step."""
    return msgspec.structs.replace(
        current,
        cursor=cursor,
        planned=current.planned + len(batches),
        published=current.published if is_held_back(current) else current.planned,
        done=ended,
    )


def _uuid(number: int) -> str:
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
