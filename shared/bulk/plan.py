"""How a run is cut into ranges and batches (decisions.md 10). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared.bulk.records import Batch, BatchStatus, IdRange, Kind

BATCH_SIZES: Mapping[Kind, int] = {
    Kind.CUSTOMERS: 10_000,
    Kind.ORDERS: 2_500,
    Kind.PRODUCTS: 1_000,
    Kind.CATEGORIES: 1_000,
}
"""Items a batch holds at most: what one request to Klaviyo takes, or a few of them."""

MOST_RANGES = 16
BUSY_RANGES = 4
"""Ranges that keep the workers of one machine busy."""

_ID_SPACE = 1 << 128


def range_count(total: int | None, batch_size: int) -> int:
    """How many ranges are scanned in parallel, up to 16; an unknown `total` means many.

    A batch waits some seconds for Klaviyo's jobs, however small it is. So a few items are spread over `BUSY_RANGES`, and
    more of them over ranges that hold about one full batch each (ids are random, so a little less is aimed at).
    """
    if total is None:
        return MOST_RANGES
    spread = min(BUSY_RANGES, -(-total * BUSY_RANGES // batch_size))
    filled = -(-total * 20 // (batch_size * 17))
    return max(1, min(MOST_RANGES, max(spread, filled)))


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


def retried(current: IdRange, run_id: str, settled: Sequence[Batch], *, ended: bool) -> tuple[IdRange, list[Batch]]:
    """The range after the failures of these batches of another run went into batches of their own.

    A batch that failed as a whole is worked again in full, of the others only the failed items; those without any are
    passed over.
    """
    batches: list[Batch] = []
    for old in settled:
        number = current.planned + len(batches) + 1
        if old.status is BatchStatus.FAILED:
            fresh = Batch(
                run_id=run_id,
                range_index=current.index,
                number=number,
                size=old.size,
                first=old.first,
                last=old.last,
                ids=old.ids,
            )
        elif ids := sorted(old.result.failed_ids):
            fresh = Batch(run_id=run_id, range_index=current.index, number=number, size=len(ids), ids=ids)
        else:
            continue
        batches.append(fresh)
    cursor = settled[-1].batch_id if settled else current.cursor
    return _advanced(current, cursor=cursor, batches=batches, ended=ended), batches


def _advanced(current: IdRange, *, cursor: str | None, batches: Sequence[Batch], ended: bool) -> IdRange:
    return IdRange(
        index=current.index,
        first=current.first,
        until=current.until,
        cursor=cursor,
        planned=current.planned + len(batches),
        published=current.planned,
        done=ended,
    )


def _uuid(number: int) -> str:
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
