"""Categories until Klaviyo has what commercetools has: compared, written, and looked at again (decisions.md 7)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from shared import logs
from shared.budget import Budget
from shared.bulk.app import ImportApp
from shared.commercetools import scan
from shared.commercetools.catalog import Category
from shared.commercetools.changes import Standing, standings
from shared.commercetools.kinds import CATEGORIES
from shared.commercetools.reads import UNREADABLE, chunked, rows
from shared.commercetools.scan import Undecodable
from shared.errors import Host, TransientError
from shared.klaviyo.catalog import CatalogCategory
from shared.klaviyo.catalog_imports import CatalogOutcomes
from shared.klaviyo.catalog_reads import categories_there
from shared.klaviyo.row_outcomes import Failed, RowOutcome, Sent
from shared.mapping.category import category_of
from shared.mapping.result import Adjustment
from shared.reading.gone import confirm_gone

TIMES_MOST = 4
"""How often categories are written before their batch is left to the next attempt: once, and three times again."""

READ_S = 15.0
"""How long one read of the categories below others may take."""

_NAMELESS = (Adjustment.LOOKUP_FORBIDDEN,)

_log = logs.get(__name__)


class CategoryReading:
    """Categories by what commercetools said of them: those that are there, and those that are not or cannot be read."""

    def __init__(self) -> None:
        self.rows: dict[str, Category] = {}
        self.unreadable: dict[str, str] = {}
        self.gone: list[str] = []

    def add(self, found: Iterable[Category | Undecodable]) -> None:
        """Take what was read."""
        for row in found:
            if isinstance(row, Undecodable):
                self.unreadable[row.id] = row.field_path
            else:
                self.rows[row.id] = row

    def close(self, asked: Iterable[str]) -> None:
        """All has been read: what else was asked for is gone."""
        self.gone = sorted(set(asked) - self.rows.keys() - self.unreadable.keys())

    def outcomes(self) -> dict[str, RowOutcome]:
        """What becomes of them when nothing is refused."""
        failed: dict[str, RowOutcome] = {row_id: Failed(UNREADABLE, where) for row_id, where in self.unreadable.items()}
        return failed | {row_id: Sent(_NAMELESS if _is_unnamed(row) else ()) for row_id, row in self.rows.items()}


@dataclass(slots=True)
class Brought:
    """What became of categories, by id: `outcomes` has all but those that neither side has. `in_catalog`: those in Klaviyo."""

    outcomes: dict[str, RowOutcome] = field(default_factory=dict)
    in_catalog: set[str] = field(default_factory=set)
    job_ids: list[str] = field(default_factory=list)


def read_categories(app: ImportApp, ids: Collection[str], budget: Budget) -> CategoryReading:
    """These categories as they are now. Raises what the client raises."""
    reading = CategoryReading()
    for page in scan.by_ids(app.commercetools, CATEGORIES, ids, budget=budget):
        reading.add(page)
    reading.close(ids)
    return reading


def bring_over(app: ImportApp, reading: CategoryReading, locale: str, budget: Budget, *, below: bool) -> Brought:
    """Create and rename what is different, delete what is gone; what changes meanwhile is read and written again.

    `below`: also rename the categories below those that were read. One that fails there fails the one above it that was read.
    Raises what reading and sending raise, and `TransientError` for categories that do not come to rest.
    """
    writes = _Writes(app, locale, budget)
    for _ in range(TIMES_MOST):
        moved = writes.round(reading, below=below)
        if not moved:
            return writes.brought
        reading, below = read_categories(app, moved, budget), True
    raise TransientError("categories changed each time that they were written", host=Host.COMMERCETOOLS)


class _Writes:
    """Categories on their way. `_above` says for whose sake one that was not asked for is written."""

    def __init__(self, app: ImportApp, locale: str, budget: Budget) -> None:
        self.brought = Brought()
        self._app = app
        self._locale = locale
        self._budget = budget
        self._above: dict[str, str] = {}

    def round(self, reading: CategoryReading, *, below: bool) -> set[str]:
        """Bring what was read over; gives those of what was written that stand otherwise by now."""
        under = self._below(reading.rows) if below else {}
        mapped = {row_id: self._named(row) for row_id, row in reading.rows.items()}
        names = categories_there(sorted({*mapped, *under, *reading.gone}), self._app.klaviyo, self._budget)
        renamed = {row_id: row for row_id, row in under.items() if names.get(row_id) not in (None, self._named(row).name)}
        changed = {row_id: row for row_id, row in reading.rows.items() if names.get(row_id) != mapped[row_id].name}
        puts = [self._named(row) for row in (*changed.values(), *renamed.values())]
        put = self._app.catalog.put_categories(puts, names.keys(), self._budget) if puts else CatalogOutcomes()
        for row_id, row in renamed.items():
            self._above.setdefault(row_id, next(ancestor.id for ancestor in row.ancestors if ancestor.id in mapped))
        self._note(reading.outcomes(), put.outcomes)
        self.brought.in_catalog |= mapped.keys() - {key for key, outcome in put.outcomes.items() if isinstance(outcome, Failed)}
        self.brought.in_catalog |= names.keys() & mapped.keys()
        self.brought.in_catalog -= set(reading.gone)
        self.brought.job_ids += put.job_ids
        deleted = self._delete([category_id for category_id in reading.gone if category_id in names])
        return self._moved({**changed, **renamed}, deleted)

    def _named(self, row: Category) -> CatalogCategory:
        return category_of(row, self._locale)

    def _below(self, above: Mapping[str, Category]) -> dict[str, Category]:
        """The categories below: a new name above is part of theirs, though they did not change."""
        found = {
            row.id: row
            for piece in chunked(above)
            for row in rows(
                self._app.commercetools,
                CATEGORIES.path,
                Category,
                "ancestors(id in :id)",
                {"id": piece},
                budget=self._budget,
                read_timeout_s=READ_S,
                expand=() if any(map(_is_unnamed, above.values())) else CATEGORIES.expand,
                on_unreadable=_leave_out,
            )
        }
        return {row_id: row for row_id, row in found.items() if row_id not in above}

    def _note(self, outcomes: Mapping[str, RowOutcome], put: Mapping[str, RowOutcome]) -> None:
        failed = {category_id: outcome for category_id, outcome in put.items() if isinstance(outcome, Failed)}
        for category_id, outcome in {**outcomes, **failed}.items():
            if isinstance(outcome, Failed) or category_id not in self._above:
                self.brought.outcomes[self._above.get(category_id, category_id)] = outcome

    def _delete(self, category_ids: list[str]) -> list[str]:
        if category_ids:
            confirm_gone(category_ids, CATEGORIES, self._app.commercetools, self._budget)
            deleted = self._app.catalog.delete_categories(category_ids, self._budget)
            self.brought.outcomes |= deleted.outcomes
            self.brought.job_ids += deleted.job_ids
        return category_ids

    def _moved(self, written: Mapping[str, Category], deleted: Collection[str]) -> set[str]:
        asked = {category_id for row in written.values() for category_id, _ in _versions(row)}.union(deleted)
        found = standings(self._app.commercetools, CATEGORIES, asked, budget=self._budget) if asked else {}
        moved = {row_id for row_id, row in written.items() if any(_is_newer(found.get(one), at) for one, at in _versions(row))}
        return moved.union(category_id for category_id in deleted if category_id in found)


def _versions(row: Category) -> Iterator[tuple[str, int]]:
    """All that a breadcrumb is made of, with their versions."""
    yield row.id, row.version
    yield from ((ancestor.id, ancestor.obj.version) for ancestor in row.ancestors if ancestor.obj)


def _is_newer(standing: Standing | None, version: int) -> bool:
    return standing is None or standing.version > version


def _is_unnamed(row: Category) -> bool:
    return any(ancestor.obj is None for ancestor in row.ancestors)


def _leave_out(category_id: str, field_path: str) -> None:
    _log.warning("a category below one that is imported cannot be read: left out", resource_id=category_id, at=field_path)
