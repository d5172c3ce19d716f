"""Categories into Klaviyo's catalog under their breadcrumbs; what is gone is deleted (mapping.md "Catalog")."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shared.budget import Budget
from shared.bulk.app import ImportApp
from shared.bulk.kinds.examples import as_document
from shared.bulk.records import Batch, Run
from shared.bulk.results import EXAMPLES
from shared.bulk.source import items_of
from shared.bulk.tally import Progress, Step, Tally
from shared.commercetools.catalog import Category
from shared.commercetools.kinds import CATEGORIES
from shared.commercetools.reads import UNREADABLE, chunked, rows
from shared.commercetools.scan import Undecodable
from shared.klaviyo.catalog import CatalogCategory
from shared.klaviyo.catalog_imports import CatalogOutcomes
from shared.klaviyo.catalog_reads import categories_there
from shared.klaviyo.catalog_requests import encode_new_category
from shared.klaviyo.row_outcomes import Failed
from shared.mapping.category import category_of
from shared.mapping.result import Adjustment, SkipReason
from shared.mapping.sources import CategorySource
from shared.reading.gone import confirm_gone

READ_S = 15.0
"""How long one read of the categories below others may take."""


def import_categories(app: ImportApp, run: Run, batch: Batch, _progress: Progress, budget: Budget) -> Iterator[Step]:
    """Bring the categories of a batch over; yields once. Raises what reading and writing raise."""
    with app.slots.taken(budget):
        work = _Work(app, budget)
        for page in items_of(app, run, batch, CATEGORIES, budget):
            for row in page:
                work.admit(row)
        listed = batch.ids or []
        gone = sorted({category_id for category_id in listed if _is_left(category_id, batch)} - work.seen)
        if run.options.dry_run:
            work.show(gone)
        else:
            below = work.below() if batch.ids is not None or run.options.modified_after else []
            work.write(gone, below)
        yield Step(max(listed) if listed else batch.last, work.tally.result())


class _Work:
    """The categories of a batch on their way."""

    def __init__(self, app: ImportApp, budget: Budget) -> None:
        self.tally = Tally()
        self.seen: set[str] = set()
        self._app = app
        self._budget = budget
        self._locale = app.chooser.choices(CategorySource, budget).locale
        self._mapped: dict[str, CatalogCategory] = {}
        self._unnamed: set[str] = set()

    def admit(self, row: Category | Undecodable) -> None:
        """Map one category."""
        self.seen.add(row.id)
        if isinstance(row, Undecodable):
            self.tally.failed(row.id, UNREADABLE, row.field_path)
            return
        self._mapped[row.id] = category_of(row, self._locale)
        if any(ancestor.obj is None for ancestor in row.ancestors):
            self._unnamed.add(row.id)

    def below(self) -> list[Category]:
        """The categories below those of the batch: a new name above is part of theirs, though they did not change."""
        found = {
            row.id: row
            for piece in chunked(self._mapped)
            for row in rows(
                self._app.commercetools,
                CATEGORIES.path,
                Category,
                "ancestors(id in :id)",
                {"id": piece},
                budget=self._budget,
                read_timeout_s=READ_S,
                expand=() if self._unnamed else CATEGORIES.expand,
            )
        }
        return [row for row in found.values() if row.id not in self.seen]

    def write(self, gone: Sequence[str], below: Sequence[Category]) -> None:
        """Create and rename what is different, delete what is gone, and count each category of the batch."""
        names = categories_there(sorted({*self._mapped, *gone, *(row.id for row in below)}), self._app.klaviyo, self._budget)
        renamed = {row.id: row for row in below if names.get(row.id) not in (None, category_of(row, self._locale).name)}
        puts = [category for category in self._mapped.values() if names.get(category.external_id) != category.name]
        puts += [category_of(row, self._locale) for row in renamed.values()]
        put = self._app.catalog.put_categories(puts, names.keys(), self._budget) if puts else CatalogOutcomes()
        failed = {category_id: outcome for category_id, outcome in put.outcomes.items() if isinstance(outcome, Failed)}
        for category_id in [category_id for category_id in failed if category_id in renamed]:
            above = next(ancestor.id for ancestor in renamed[category_id].ancestors if ancestor.id in self._mapped)
            failed.setdefault(above, failed.pop(category_id))
        for category_id in self._mapped:
            self._count(category_id, failed.get(category_id))
        self.tally.jobs(list(put.job_ids))
        self.tally.in_catalog(sorted((names.keys() & self._mapped.keys()) | (self._mapped.keys() - failed.keys())))
        self._delete(gone, names.keys() & set(gone))

    def show(self, gone: Sequence[str]) -> None:
        """Count as if all of it were sent; the first few as the requests that would create them."""
        for number, category in enumerate(self._mapped.values()):
            self._count(category.external_id, None)
            if number < EXAMPLES:
                self.tally.example(as_document(encode_new_category(category)))
        self.tally.skipped(SkipReason.GONE, len(gone))

    def _delete(self, gone: Sequence[str], there: set[str]) -> None:
        self.tally.skipped(SkipReason.GONE, len(gone) - len(there))
        if not there:
            return
        confirm_gone(sorted(there), CATEGORIES, self._app.commercetools, self._budget)
        deleted = self._app.catalog.delete_categories(sorted(there), self._budget)
        self.tally.jobs(list(deleted.job_ids))
        for category_id, outcome in deleted.outcomes.items():
            if isinstance(outcome, Failed):
                self.tally.failed(category_id, outcome.reason, outcome.pointer)
            else:
                self.tally.sent()

    def _count(self, category_id: str, failure: Failed | None) -> None:
        if failure is not None:
            self.tally.failed(category_id, failure.reason, failure.pointer)
            return
        self.tally.sent()
        if category_id in self._unnamed:
            self.tally.adjusted(Adjustment.LOOKUP_FORBIDDEN)


def _is_left(category_id: str, batch: Batch) -> bool:
    return batch.cursor is None or category_id > batch.cursor
