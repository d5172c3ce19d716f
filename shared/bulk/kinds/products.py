"""Products into Klaviyo's catalog: what is published is mapped and written, the rest removed (mapping.md "Catalog")."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

import msgspec

from shared import logs
from shared.budget import Budget
from shared.bulk.app import ImportApp
from shared.bulk.kinds.category_links import CategoryLinks
from shared.bulk.kinds.examples import as_document
from shared.bulk.kinds.product_writes import Absent, Written, write_products
from shared.bulk.records import Batch, Run
from shared.bulk.results import EXAMPLES
from shared.bulk.source import ids_of
from shared.bulk.tally import Progress, Step, Tally
from shared.commercetools.kinds import PRODUCTS
from shared.commercetools.reads import UNREADABLE
from shared.commercetools.scan import Undecodable
from shared.klaviyo.catalog_requests import encode_new_item, encode_new_variant
from shared.klaviyo.row_outcomes import Failed
from shared.mapping.choices import Choices
from shared.mapping.product import MappedProduct, product_of
from shared.mapping.result import Adjustment, SkipReason
from shared.mapping.sources import ProductSource
from shared.reading.products import ReadProduct, existing_products, published_products
from shared.reading.sku_owners import owners_of

WINDOW_BYTES = 8_000_000
"""Mapped products held at once, as encoded rows; an ordinary batch is a window or two."""

MOST_CARRIED = 5_000
"""SKUs that a batch remembers from one attempt to the next, so that its record stays small."""

_DELETED = "deleted"

_log = logs.get(__name__)


class _Window:
    """Products that wait to be written together: `mapped`, and those that were found unpublished or gone."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.cursor = ""
        self.bytes_held = 0
        self.mapped: list[MappedProduct] = []
        self.absent: list[str] = []
        self._adjusted: dict[str, set[Adjustment]] = {}

    def admit(self, product_id: str, read: ReadProduct | Undecodable | None, choices: Choices, now: datetime) -> None:
        """Map a product; whatever becomes of it is counted."""
        self.cursor = product_id
        if read is None:
            self.absent.append(product_id)
        elif isinstance(read, Undecodable):
            self.tally.failed(product_id, UNREADABLE, read.field_path)
        else:
            product = product_of(read.source, choices, now)
            self.mapped.append(product)
            self.bytes_held += len(encode_new_item(product.item)) + sum(map(len, map(encode_new_variant, product.variants)))
            self._adjusted[product_id] = {*product.adjustments, *read.left_out}

    def sent(self, product_id: str, more: Sequence[Adjustment] = ()) -> None:
        """Count a product, and what was left out of it."""
        self.tally.sent()
        for adjustment in {*self._adjusted.get(product_id, ()), *more}:
            self.tally.adjusted(adjustment)


def import_products(app: ImportApp, run: Run, batch: Batch, progress: Progress, budget: Budget) -> Iterator[Step]:
    """Bring the products of a batch over; yields after each window of them, usually once or twice.

    Raises what reading and writing raise; `progress.carry` then tells which SKUs were deleted since the last step.
    """
    with app.slots.taken(budget):
        work = _Work(app, run, _carried(batch), budget)
        progress.carry = work.carried
        window = _Window()
        for page in published_products(ids_of(app, run, batch, PRODUCTS, budget), app.lookups, budget):
            for product_id, read in page.items():
                window.admit(product_id, read, work.choices, app.now())
                if window.bytes_held >= WINDOW_BYTES:
                    yield work.done(window, progress)
                    window = _Window()
        window.cursor = max(batch.ids) if batch.ids else batch.last
        yield work.done(window, progress)


class _Work:
    """A batch on its way, a window at a time."""

    def __init__(self, app: ImportApp, run: Run, deleted: set[str], budget: Budget) -> None:
        self.choices = app.chooser.choices(ProductSource, budget)
        self._app = app
        self._run = run
        self._budget = budget
        self._links = CategoryLinks(app)
        self._deleted = deleted

    def carried(self) -> dict[str, list[str]] | None:
        """What the next attempt is to know, should this one end here."""
        return {_DELETED: sorted(self._deleted)[:MOST_CARRIED]} if self._deleted else None

    def done(self, window: _Window, progress: Progress) -> Step:
        """Write a window, or show it, and say what became of it."""
        existing = existing_products(window.absent, self._app.lookups, self._budget)
        absent = Absent(frozenset(existing), frozenset(window.absent) - existing)
        if self._run.options.dry_run:
            _show(window)
            _skip(absent, frozenset(), window.tally)
        else:
            progress.carry = self.carried
            self._write(window, absent)
        return Step(window.cursor, window.tally.result())

    def _write(self, window: _Window, absent: Absent) -> None:
        written = write_products(self._app, window.mapped, absent, self._links, self._deleted, self._budget)
        _count(written, window)
        _skip(absent, written.outcomes.keys(), window.tally)
        window.mapped = []
        done = set(written.outcomes)
        while owners := sorted({*owners_of(self._deleted, self._app.commercetools, self._budget)} - done):
            done |= set(owners)
            self._write_owners(owners, window.tally)
        self._deleted.clear()
        window.tally.jobs(self._links.job_ids)
        self._links.job_ids = []

    def _write_owners(self, owners: list[str], tally: Tally) -> None:
        """Write products that have a SKU which was deleted from another one; they are counted where they are planned."""
        for page in published_products(owners, self._app.lookups, self._budget):
            sources = [read.source for read in page.values() if isinstance(read, ReadProduct)]
            mapped = [product_of(source, self.choices, self._app.now()) for source in sources]
            written = write_products(self._app, mapped, Absent(), self._links, self._deleted, self._budget)
            tally.jobs(written.job_ids)
            tally.in_catalog(sorted(written.in_catalog))
            for product_id, outcome in written.outcomes.items():
                if isinstance(outcome, Failed):
                    _log.warning(
                        "a product that has taken over a SKU could not be written",
                        run_id=self._run.run_id,
                        resource_id=product_id,
                        reason=outcome.reason,
                    )


def _carried(batch: Batch) -> set[str]:
    return set(msgspec.convert((batch.carried or {}).get(_DELETED, []), list[str]))


def _count(written: Written, window: _Window) -> None:
    window.tally.jobs(written.job_ids)
    window.tally.in_catalog(sorted(written.in_catalog))
    for product_id, outcome in written.outcomes.items():
        if isinstance(outcome, Failed):
            window.tally.failed(product_id, outcome.reason, outcome.pointer)
        else:
            window.sent(product_id, outcome.adjustments)


def _skip(absent: Absent, handled: Collection[str], tally: Tally) -> None:
    """Count what is neither published nor in Klaviyo."""
    tally.skipped(SkipReason.NOT_PUBLISHED, len(absent.unpublished - set(handled)))
    tally.skipped(SkipReason.GONE, len(absent.gone - set(handled)))


def _show(window: _Window) -> None:
    """The request that creates each item, and the one for its first variant, of the first few products."""
    for number, product in enumerate(window.mapped):
        window.sent(product.item.external_id)
        if number < EXAMPLES:
            for row in (encode_new_item(product.item), *map(encode_new_variant, product.variants[:1])):
                window.tally.example(as_document(row))
