"""Ids that are no slice of the id space: what changed, what was sent, what Klaviyo has (flows.md "Closing sweep", "Delete all").

A feed is read a step at a time, from a cursor that only it understands. It may name an id twice: to bring something over
again does no harm.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from shared import logs
from shared.budget import Budget
from shared.bulk.app import ImportApp
from shared.bulk.plan import FeedPage
from shared.bulk.records import BatchStatus, Feed, IdRange, Kind, Run, RunOptions
from shared.bulk.source import LAST_PAGE_S
from shared.commercetools import changes
from shared.commercetools.changes import Changes
from shared.commercetools.client import PAGE_READ_S
from shared.commercetools.kinds import KINDS
from shared.commercetools.predicates import Filter, ModifiedCursor, instant
from shared.commercetools.reads import chunked
from shared.commercetools.scan import PAGE
from shared.commercetools.verdict import Forbidden
from shared.klaviyo import catalog_reads
from shared.klaviyo.catalog import ID_PREFIX, external_id_of
from shared.reading.sku_owners import owners_of
from shared.together import results, together

STEP_S = 10.0
"""After this long a step ends with what it has, so that its cursor is recorded also where a feed has no ids for long."""

SENT_BATCHES = 5
"""Batches whose sent ids are looked at together."""

_SKU_QUERIES_AT_ONCE = 4
_PATHS = {Feed.STOCK: "inventory", Feed.PRICES: "standalone-prices"}
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

_log = logs.get(__name__)


def page_of(app: ImportApp, run: Run, current: IdRange, most: int, budget: Budget) -> FeedPage:
    """The next ids of a range with a feed behind its cursor, each once: `most`, or some more where they come in pages.

    Fewer when the feed ends, after `STEP_S` seconds, or when the budget comes to its end. Raises what reading raises.
    """
    if current.feed is None:
        raise ValueError("the range has no feed")
    read = _READERS[current.feed]
    ids: dict[str, None] = {}
    step_until_s = budget.remaining_s - STEP_S
    page = FeedPage((), current.cursor, ended=False)
    while len(ids) < most:
        budget.check()
        if page.cursor != current.cursor and budget.remaining_s < max(step_until_s, LAST_PAGE_S):
            break
        page = read(app, run, current, page.cursor, most - len(ids), budget)
        ids.update(dict.fromkeys(page.ids))
        if page.ended:
            break
    return FeedPage(list(ids), page.cursor, page.ended)


def _changed(app: ImportApp, run: Run, current: IdRange, cursor: str | None, most: int, budget: Budget) -> FeedPage:
    options = run.options
    moments = [instant(moment) for moment in (current.since, options.modified_after) if moment is not None]
    where = _own_filter(options, modified_after=max(moments), behind=_modified(cursor))
    found = changes.changed_ids(app.commercetools, KINDS[run.kind.value], where, most, budget=budget)
    return FeedPage(found.found, _behind(found, cursor), found.ended)


def _products_of_skus(app: ImportApp, run: Run, current: IdRange, cursor: str | None, _most: int, budget: Budget) -> FeedPage:
    """Products, by the SKUs of the inventory entries or standalone prices that changed."""
    path = _PATHS[current.feed or Feed.STOCK]
    where = Filter(modified_after=current.since, behind=_modified(cursor))
    try:
        found = changes.changed_skus(app.commercetools, path, where, budget=budget)
    except Forbidden as error:
        _log.warning("look-up not allowed, going on without", run_id=run.run_id, reason=error.reason)
        return FeedPage((), cursor, ended=True)
    calls = [partial(owners_of, skus, app.commercetools, budget, read_timeout_s=PAGE_READ_S) for skus in chunked(found.found)]
    owners = {owner for some in results(together(calls, budget, threads=_SKU_QUERIES_AT_ONCE)) for owner in some}
    wanted = _own_filter(run.options)
    if wanted != Filter():
        owners = _existing(app, Kind.PRODUCTS, owners, wanted, budget)
    return FeedPage(sorted(owners), _behind(found, cursor), found.ended)


def _no_longer_there(app: ImportApp, run: Run, _range: IdRange, cursor: str | None, _most: int, budget: Budget) -> FeedPage:
    """What batches before the closing ranges have sent, and commercetools does not have (or publish) any more."""
    before = {part.index for part in app.store.ranges(run.run_id) if not part.closing}
    settled = app.store.batches(run.run_id, [BatchStatus.DONE, BatchStatus.FAILED], after=cursor or "", limit=SENT_BATCHES)
    sent = {item for batch in settled if batch.range_index in before for item in batch.result.sent_ids}
    there = _existing(app, run.kind, sent, Filter(fixed=_IN_CATALOG.get(run.kind)), budget)
    return FeedPage(sorted(sent - there), settled[-1].batch_id if settled else cursor, ended=len(settled) < SENT_BATCHES)


def _in_klaviyo(app: ImportApp, run: Run, _range: IdRange, cursor: str | None, _most: int, budget: Budget) -> FeedPage:
    read = catalog_reads.klaviyo_categories if run.kind is Kind.CATEGORIES else catalog_reads.klaviyo_items
    found = read(app.klaviyo, cursor, budget)
    ids = [_named(whole) for whole in found.ids if not run.options.only_own or is_own(whole)]
    return FeedPage(ids, found.next_cursor, ended=found.next_cursor is None)


def _variants_in_klaviyo(app: ImportApp, _run: Run, _range: IdRange, cursor: str | None, _most: int, budget: Budget) -> FeedPage:
    found = catalog_reads.klaviyo_variants(app.klaviyo, cursor, budget)
    return FeedPage([_named(whole) for whole in found.ids], found.next_cursor, ended=found.next_cursor is None)


_READERS: Mapping[Feed, Callable[[ImportApp, Run, IdRange, str | None, int, Budget], FeedPage]] = {
    Feed.CHANGED: _changed,
    Feed.STOCK: _products_of_skus,
    Feed.PRICES: _products_of_skus,
    Feed.SENT: _no_longer_there,
    Feed.KLAVIYO: _in_klaviyo,
    Feed.KLAVIYO_VARIANTS: _variants_in_klaviyo,
}

_IN_CATALOG: Mapping[Kind, str] = {Kind.PRODUCTS: "masterData(published = true)"}
"""What must hold of a resource so that Klaviyo's catalog has it."""


def is_own(whole_id: str) -> bool:
    """Klaviyo's id has the external id of a commercetools resource in it (http-api.md `onlyOwn`)."""
    return whole_id.startswith(ID_PREFIX) and _UUID.fullmatch(external_id_of(whole_id)) is not None


def _named(whole_id: str) -> str:
    """The external id in Klaviyo's id; that itself where the rest holds `:::`, and so would pass for a whole id."""
    external_id = external_id_of(whole_id)
    return whole_id if ":::" in external_id else external_id


def _existing(app: ImportApp, kind: Kind, ids: Iterable[str], where: Filter, budget: Budget) -> set[str]:
    wanted, found = sorted(ids), set[str]()
    for start in range(0, len(wanted), PAGE):
        budget.check()
        found |= changes.existing(app.commercetools, KINDS[kind.value], wanted[start : start + PAGE], where, budget=budget)
    return found


def _own_filter(options: RunOptions, *, modified_after: str | None = None, behind: ModifiedCursor | None = None) -> Filter:
    """What the run asked for besides the time of the last change."""
    return Filter(
        id_from=options.start_id,
        created_after=options.created_after,
        created_before=options.created_before,
        modified_after=modified_after,
        behind=behind,
    )


def _modified(cursor: str | None) -> ModifiedCursor | None:
    if cursor is None:
        return None
    at, _, last_id = cursor.partition(" ")
    return ModifiedCursor(at, last_id)


def _behind(found: Changes, cursor: str | None) -> str | None:
    return f"{found.last.at} {found.last.id}" if found.last else cursor
