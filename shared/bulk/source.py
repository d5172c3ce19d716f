"""What a run reads from commercetools: how many items, their ids, the items of a batch."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from shared import logs
from shared.budget import Budget
from shared.bulk.app import ImportApp
from shared.bulk.records import Batch, IdRange, Kind, Run, RunOptions
from shared.commercetools import scan
from shared.commercetools.kinds import KINDS, ResourceKind, T
from shared.commercetools.predicates import Filter, instant
from shared.commercetools.scan import Page
from shared.commercetools.verdict import Forbidden
from shared.errors import Host, HostDown

LAST_PAGE_S = 30.0
"""With less time left, no further page is asked for."""

SWEEP_BACK_S = 60.0
"""How long before a run's start its closing sweep begins (flows.md "Closing sweep")."""

_log = logs.get(__name__)


def count_items(app: ImportApp, kind: Kind, options: RunOptions, budget: Budget) -> int | None:
    """How many items a run will see; None when commercetools cannot say."""
    wanted = Filter(
        id_from=options.start_id,
        created_after=options.created_after,
        created_before=options.created_before,
        modified_after=options.modified_after,
    )
    return scan.count(app.commercetools, KINDS[kind.value], wanted, budget=budget)


def changed_since(app: ImportApp) -> str:
    """The time from which on changes concern the end of a run that starts now, by commercetools' clock.

    It is `SWEEP_BACK_S` seconds ago: what was written shortly before may not be found yet by the run's first query.
    Raises `HostDown` when commercetools has not said what time it is; taking the import lock has asked it.
    """
    now = app.commercetools.server_time()
    if now is None:
        raise HostDown(f"{Host.COMMERCETOOLS} does not say what time it is (no Date header)", host=Host.COMMERCETOOLS)
    return instant(now - timedelta(seconds=SWEEP_BACK_S))


def ids_after(app: ImportApp, run: Run, current: IdRange, most: int, budget: Budget) -> tuple[list[str], bool]:
    """The next `most` ids of a range behind its cursor, ascending, and whether the range ends with them.

    Fewer when the budget comes to its end: what was found by then is kept, so that every slice gets on.
    """
    wanted = _filter(run.options, id_from=current.first or None, id_before=current.until)
    ids: list[str] = []
    after = current.cursor
    while len(ids) < most:
        budget.check()
        if ids and budget.remaining_s < LAST_PAGE_S:
            return ids, False
        asked = min(scan.PAGE, most - len(ids))
        page = scan.id_page(app.commercetools, KINDS[run.kind.value], wanted, after, asked, budget=budget)
        ids += page
        if len(page) < asked:
            return ids, True
        after = page[-1]
    return ids, False


def ids_of(app: ImportApp, run: Run, batch: Batch, kind: ResourceKind[T], budget: Budget) -> list[str]:
    """The ids of a batch behind its cursor, ascending, each once: those listed, or those that commercetools has now."""
    if batch.ids is not None:
        return sorted({item for item in batch.ids if batch.cursor is None or item > batch.cursor})
    wanted = _filter(run.options).within(batch.first, batch.last)
    ids: list[str] = []
    after = batch.cursor
    while True:
        page = scan.id_page(app.commercetools, kind, wanted, after, budget=budget)
        ids += page
        if len(page) < scan.PAGE:
            return ids
        after = page[-1]


def items_of(app: ImportApp, run: Run, batch: Batch, kind: ResourceKind[T], budget: Budget) -> Iterator[Page[T]]:
    """The items of a batch behind its cursor, ascending by id, a page at a time."""

    def on_forbidden(error: Forbidden) -> None:
        _log.warning("look-up not allowed, going on without", run_id=run.run_id, reason=error.reason)

    if batch.ids is not None:
        left = [item for item in batch.ids if batch.cursor is None or item > batch.cursor]
        return scan.by_ids(app.commercetools, kind, left, budget=budget, on_forbidden=on_forbidden)
    wanted = _filter(run.options).after(batch.cursor)
    return scan.pages(app.commercetools, kind, wanted, batch.first, batch.last, budget=budget, on_forbidden=on_forbidden)


def _filter(options: RunOptions, *, id_from: str | None = None, id_before: str | None = None) -> Filter:
    return Filter(
        id_from=id_from,
        id_before=id_before,
        created_after=options.created_after,
        created_before=options.created_before,
        modified_after=options.modified_after,
    )
