"""Deleting what Klaviyo's catalog has: variants before their items (http-api.md "deleteAll", flows.md "Delete all")."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shared.budget import Budget
from shared.bulk.app import ImportApp
from shared.bulk.records import Batch, Feed, Kind, Run
from shared.bulk.tally import Progress, Step, Tally
from shared.klaviyo.catalog import external_id_of, id_to_name
from shared.klaviyo.catalog_imports import CatalogOutcomes
from shared.klaviyo.catalog_reads import items_there
from shared.klaviyo.row_outcomes import Failed


def delete_catalog(app: ImportApp, run: Run, batch: Batch, _progress: Progress, budget: Budget) -> Iterator[Step]:
    """Delete the items, variants or categories that a batch lists; yields once, since what is gone by then is not there again.

    Ids are external ones, or Klaviyo's whole ids; what is missing counts as sent. Raises what sending raises.
    """
    ids = [listed for listed in batch.ids or () if batch.cursor is None or listed > batch.cursor]
    tally = Tally()
    with app.slots.taken(budget):
        if run.kind is Kind.CATEGORIES:
            _count(app.catalog.delete_categories(ids, budget), tally)
        elif _feed_of(app, run, batch) is Feed.KLAVIYO_VARIANTS:
            _count(app.catalog.delete_variants(ids, budget), tally)
        else:
            _delete_items(app, ids, tally, budget)
        yield Step(max(batch.ids or (batch.last,)), tally.result())


def _delete_items(app: ImportApp, ids: Sequence[str], tally: Tally, budget: Budget) -> None:
    """Items once nothing is under them; one whose variant cannot be deleted stays, and has failed for that."""
    named = {external_id_of(listed): listed for listed in ids}
    found = items_there(ids, app.klaviyo, budget)
    shown = {named[item_id]: item for item_id, item in found.items() if item_id in named}
    owners = {id_to_name(sku): item_id for item_id, item in shown.items() for sku in item.variants}
    failed: dict[str, Failed] = {}
    if owners:
        variants = app.catalog.delete_variants(sorted(owners), budget)
        tally.jobs(list(variants.job_ids))
        for variant_id, outcome in variants.outcomes.items():
            if isinstance(outcome, Failed):
                failed.setdefault(owners[variant_id], outcome)
    for item_id, failure in failed.items():
        tally.failed(item_id, failure.reason, failure.pointer)
    tally.sent(len(set(ids) - shown.keys()))
    there = [item_id for item_id in shown if item_id not in failed]
    if there:
        _count(app.catalog.delete_items(there, budget), tally)


def _count(outcomes: CatalogOutcomes, tally: Tally) -> None:
    tally.jobs(list(outcomes.job_ids))
    for external_id, outcome in outcomes.outcomes.items():
        if isinstance(outcome, Failed):
            tally.failed(external_id, outcome.reason, outcome.pointer)
        else:
            tally.sent()


def _feed_of(app: ImportApp, run: Run, batch: Batch) -> Feed | None:
    return next(planned.feed for planned in app.store.ranges(run.run_id) if planned.index == batch.range_index)
