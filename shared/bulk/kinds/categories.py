"""Categories into Klaviyo's catalog under their breadcrumbs; what is gone is deleted (mapping.md "Catalog")."""

from __future__ import annotations

from collections.abc import Iterator

from shared.budget import Budget
from shared.bulk.app import ImportApp
from shared.bulk.kinds.category_writes import Brought, CategoryReading, bring_over
from shared.bulk.masking import as_document
from shared.bulk.records import Batch, Run
from shared.bulk.results import EXAMPLES
from shared.bulk.source import items_of
from shared.bulk.tally import Progress, Step, Tally
from shared.commercetools.kinds import CATEGORIES
from shared.klaviyo.catalog_requests import encode_new_category
from shared.klaviyo.row_outcomes import Failed
from shared.mapping.category import category_of
from shared.mapping.result import SkipReason
from shared.mapping.sources import CategorySource


def import_categories(app: ImportApp, run: Run, batch: Batch, _progress: Progress, budget: Budget) -> Iterator[Step]:
    """Bring the categories of a batch over; yields once. Raises what reading and writing raise."""
    tally = Tally()
    with app.slots.taken(budget):
        locale = app.chooser.choices(CategorySource, budget).locale
        reading = CategoryReading()
        for page in items_of(app, run, batch, CATEGORIES, budget):
            reading.add(page)
        reading.close(listed for listed in batch.ids or () if batch.cursor is None or listed > batch.cursor)
        if run.options.dry_run:
            brought = Brought(reading.outcomes())
            for row in list(reading.rows.values())[:EXAMPLES]:
                tally.example(as_document(encode_new_category(category_of(row, locale))))
        else:
            below = batch.ids is not None or run.options.modified_after is not None
            brought = bring_over(app, reading, locale, budget, below=below)
        _count(reading, brought, tally)
        yield Step(max(batch.ids) if batch.ids else batch.last, tally.result())


def _count(reading: CategoryReading, brought: Brought, tally: Tally) -> None:
    """Each category of the batch once; without an outcome are those that neither side has."""
    own = [*reading.rows, *reading.unreadable, *reading.gone]
    for category_id in own:
        outcome = brought.outcomes.get(category_id)
        if outcome is None:
            tally.skipped(SkipReason.GONE)
        elif isinstance(outcome, Failed):
            tally.failed(category_id, outcome.reason, outcome.pointer)
        else:
            tally.sent()
            for adjustment in outcome.adjustments:
                tally.adjusted(adjustment)
    tally.jobs(brought.job_ids)
    tally.in_catalog(sorted(brought.in_catalog))
