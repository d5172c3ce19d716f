"""A window of products until Klaviyo has what commercetools has: written, looked at again, and put right (decisions.md 7)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from shared import logs
from shared.budget import Budget
from shared.bulk.app import ImportApp
from shared.bulk.kinds.category_links import CategoryLinks
from shared.bulk.kinds.product_window import ProductWindow
from shared.bulk.kinds.product_writes import Written, write_products
from shared.commercetools.changes import Standing, standings
from shared.commercetools.kinds import PRODUCTS
from shared.errors import Host, TransientError
from shared.klaviyo.row_outcomes import Failed, RowOutcome
from shared.mapping.choices import Choices
from shared.reading.products import published_products
from shared.reading.sku_owners import owners_by_sku

TIMES_MOST = 4
"""How often a product is written before its batch is left to the next attempt: once, and three times again."""

_log = logs.get(__name__)


class ProductRounds:
    """A window on its way. `outcomes`: of all products but those that neither side has, `in_catalog` and `job_ids` as `Written`.

    `deleted` has the SKUs that were deleted, here or by an earlier attempt, and of which product; those are taken out of it
    whose new owners have been written.
    """

    def __init__(
        self,
        app: ImportApp,
        window: ProductWindow,
        choices: Choices,
        links: CategoryLinks,
        deleted: dict[str, str],
        budget: Budget,
    ) -> None:
        self.outcomes: dict[str, RowOutcome] = {}
        self.in_catalog: set[str] = set()
        self.job_ids: list[str] = []
        self._app = app
        self._window = window
        self._choices = choices
        self._links = links
        self._deleted = deleted
        self._budget = budget
        self._times = Counter[str]()
        self._givers: dict[str, set[str]] = {}

    def run(self) -> None:
        """Write the window, and again what has moved meanwhile. Raises `TransientError` for what does not come to rest."""
        due, waiting = set(self._window.ids), set[str]()
        while due:
            written = self._write(due)
            waiting |= written.again
            due = self._moved(due) | written.takers.keys() | self._new_owners(due)
            if not due:
                due, waiting = waiting, set()
            waiting -= due
            self._read(due)
        self._fail_givers()

    def _write(self, ids: Collection[str]) -> Written:
        self._times.update(ids)
        if any(self._times[product_id] > TIMES_MOST for product_id in ids):
            raise TransientError("products changed each time that they were written", host=Host.COMMERCETOOLS)
        window = self._window
        absent = window.absent.intersection(ids)
        window.gone |= absent - self._standings(absent).keys()
        failed = {product_id: outcome for product_id, outcome in self.outcomes.items() if isinstance(outcome, Failed)}
        for product_id in failed.keys() & set(ids):
            del self.outcomes[product_id]
        self.outcomes |= {product_id: window.unreadable[product_id] for product_id in window.unreadable if product_id in ids}
        written = write_products(
            self._app, window, sorted(ids), failed | window.unreadable, self._links, self._deleted, self._budget
        )
        self.outcomes |= written.outcomes
        self.in_catalog = self.in_catalog.difference(ids) | written.in_catalog
        self.job_ids += written.job_ids
        for taker, givers in written.takers.items():
            self._givers.setdefault(taker, set()).update(givers)
        return written

    def _moved(self, ids: Collection[str]) -> set[str]:
        """Those that stand otherwise than they were read, or than they were not there to be read."""
        asked = [product_id for product_id in ids if product_id not in self._window.unreadable]
        found = self._standings(asked)
        return {product_id for product_id in asked if self._window.is_behind(product_id, found.get(product_id))}

    def _new_owners(self, written: Collection[str]) -> set[str]:
        """Products that have a SKU by now which was deleted from another one, or from themselves, and must bring it back."""
        found = owners_by_sku(self._deleted, self._app.commercetools, self._budget) if self._deleted else {}
        due = set[str]()
        for sku, giver in list(self._deleted.items()):
            owners = found.get(sku, set())
            for owner in owners - {giver}:
                self._givers.setdefault(owner, set()).add(giver)
            lacking = {owner for owner in owners if not self._has_taken(owner, sku, written)}
            due |= lacking
            if not lacking:
                del self._deleted[sku]
        return due

    def _has_taken(self, taker: str, sku: str, written: Collection[str]) -> bool:
        """Whether a product needs not be written for a SKU: only a write behind the deletion has brought it back."""
        if isinstance(self.outcomes.get(taker), Failed) or not self._window.may_bring(taker, sku):
            return True
        return taker in written and self._window.brings(taker, sku)

    def _read(self, ids: Collection[str]) -> None:
        now = self._app.now()
        for page in published_products(sorted(ids), self._app.lookups, self._budget):
            for product_id, read in page.items():
                self._window.put(product_id, read, self._choices, now)

    def _fail_givers(self) -> None:
        """A product fails when another could not be written that has taken a SKU over from it: nobody counts that one here."""
        own = set(self._window.ids)
        for taker, givers in self._givers.items():
            outcome = self.outcomes.get(taker)
            if taker in own or not isinstance(outcome, Failed):
                continue
            _log.warning("a product that has taken over a SKU could not be written", resource_id=taker, reason=outcome.reason)
            for giver in givers & own:
                if not isinstance(self.outcomes.get(giver), Failed):
                    self.outcomes[giver] = outcome

    def _standings(self, ids: Collection[str]) -> dict[str, Standing]:
        return standings(self._app.commercetools, PRODUCTS, ids, budget=self._budget) if ids else {}
