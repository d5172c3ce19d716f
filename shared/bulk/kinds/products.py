"""Products into Klaviyo's catalog: what is published is mapped and written, the rest removed (mapping.md "Catalog")."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from shared.budget import Budget
from shared.bulk.app import ImportApp
from shared.bulk.kinds.category_links import CategoryLinks
from shared.bulk.kinds.product_rounds import ProductRounds
from shared.bulk.kinds.product_window import ProductWindow
from shared.bulk.masking import as_document
from shared.bulk.records import Batch, Run
from shared.bulk.results import EXAMPLES
from shared.bulk.source import ids_of
from shared.bulk.tally import Progress, Step, Tally
from shared.commercetools.changes import standings
from shared.commercetools.kinds import PRODUCTS
from shared.errors import Interrupted
from shared.klaviyo.catalog_requests import encode_new_item, encode_new_variant
from shared.klaviyo.row_outcomes import Failed, RowOutcome, Sent
from shared.mapping.result import SkipReason
from shared.mapping.sources import ProductSource
from shared.reading.products import published_products

WINDOW_BYTES = 8_000_000
"""Mapped products held at once, as encoded rows; an ordinary batch is a window or two."""

MOST_CARRIED = 5_000
"""SKUs that a batch remembers from one attempt to the next, so that its record stays small."""

STEP_SMALLER = 4
"""So many times fewer rows has a window after an attempt that ran out of time, and again more after one that was written."""


class _Carried(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an attempt leaves to the next one: SKUs that it deleted, by product, and categories that it created.

    `rows`: how many of them a window may have, if fewer than usual.
    """

    deleted: dict[str, str] = {}
    created: list[str] = []
    rows: int | None = None


def import_products(app: ImportApp, run: Run, batch: Batch, progress: Progress, budget: Budget) -> Iterator[Step]:
    """Bring the products of a batch over; yields after each window of them, usually once or twice.

    A window has no more rows than jobs can carry at once, and fewer after an attempt whose time was over in the middle of one.
    Raises what reading and writing raise; `progress.carry` then tells which SKUs were deleted since the last step.
    """
    with app.slots.taken(budget):
        work = _Work(app, run, msgspec.convert(batch.carried or {}, _Carried), budget)
        progress.carry = work.carried
        window = ProductWindow()
        try:
            for page in published_products(ids_of(app, run, batch, PRODUCTS, budget), app.lookups, budget):
                for product_id, read in page.items():
                    window.admit(product_id, read, work.choices, app.now())
                    if window.bytes_held >= WINDOW_BYTES or window.rows >= work.rows_most:
                        yield work.done(window, product_id, progress)
                        window = ProductWindow()
            yield work.done(window, max(batch.ids) if batch.ids else batch.last, progress)
        except Interrupted as interrupted:
            if interrupted.cause is Interrupted.Cause.DEADLINE:
                work.takes_less_than(window)
            raise


class _Work:
    """A batch on its way, a window at a time."""

    def __init__(self, app: ImportApp, run: Run, carried: _Carried, budget: Budget) -> None:
        self.choices = app.chooser.choices(ProductSource, budget)
        self._app = app
        self._run = run
        self._budget = budget
        self._links = CategoryLinks(app, carried.created)
        self._deleted = dict(carried.deleted)
        self._fewer_rows = carried.rows

    @property
    def rows_most(self) -> int:
        """How many rows a window may have; the product that reaches this is its last."""
        usual = self._app.catalog.rows_at_once
        return min(usual, self._fewer_rows or usual)

    def takes_less_than(self, window: ProductWindow) -> None:
        """The time was not enough for the window: the next attempt begins with a smaller one."""
        if window.rows:
            self._fewer_rows = max(1, min(self.rows_most, window.rows) // STEP_SMALLER)

    def carried(self) -> dict[str, Any] | None:
        """What the next attempt is to know, should this one end here."""
        deleted = dict(sorted(self._deleted.items())[:MOST_CARRIED])
        return msgspec.to_builtins(_Carried(deleted, sorted(self._links.created), self._fewer_rows)) or None

    def done(self, window: ProductWindow, cursor: str, progress: Progress) -> Step:
        """Write a window, or show it, and say what became of it."""
        tally = Tally()
        if self._run.options.dry_run:
            absent = window.absent
            window.gone = absent - standings(self._app.commercetools, PRODUCTS, absent, budget=self._budget).keys()
            _count(window, {**dict.fromkeys(window.mapped, Sent()), **window.unreadable}, tally)
            _show(window, tally)
        else:
            progress.carry = self.carried
            self._write(window, tally)
        if self._fewer_rows:
            self._fewer_rows *= STEP_SMALLER
        return Step(cursor, tally.result())

    def _write(self, window: ProductWindow, tally: Tally) -> None:
        rounds = ProductRounds(self._app, window, self.choices, self._links, self._deleted, self._budget)
        rounds.run()
        self._links.settle(self.choices.locale, self._budget)
        _count(window, rounds.outcomes, tally)
        tally.in_catalog(sorted(rounds.in_catalog))
        tally.jobs([*rounds.job_ids, *self._links.job_ids])
        self._links.job_ids = []


def _count(window: ProductWindow, outcomes: Mapping[str, RowOutcome], tally: Tally) -> None:
    """Each product of the window's own once; without an outcome are those that are neither published nor in Klaviyo."""
    for product_id in window.ids:
        outcome = outcomes.get(product_id)
        if outcome is None:
            tally.skipped(SkipReason.GONE if product_id in window.gone else SkipReason.NOT_PUBLISHED)
        elif isinstance(outcome, Failed):
            tally.failed(product_id, outcome.reason, outcome.pointer)
        else:
            tally.sent()
            for adjustment in {*window.adjusted.get(product_id, ()), *outcome.adjustments}:
                tally.adjusted(adjustment)


def _show(window: ProductWindow, tally: Tally) -> None:
    """The request that creates each item, and the one for its first variant, of the first few products."""
    for product in list(window.mapped.values())[:EXAMPLES]:
        for row in (encode_new_item(product.item), *map(encode_new_variant, product.variants[:1])):
            tally.example(as_document(row))
