"""A window of products into Klaviyo's catalog: first goes what is superfluous, then items, then variants (flows.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shared.budget import Budget
from shared.bulk.app import ImportApp
from shared.bulk.kinds.category_links import CategoryLinks
from shared.commercetools.kinds import PRODUCTS
from shared.klaviyo.catalog import CatalogItem, CatalogVariant
from shared.klaviyo.catalog_imports import CatalogOutcomes
from shared.klaviyo.catalog_reads import items_there
from shared.klaviyo.row_outcomes import Failed, RowOutcome, Sent
from shared.mapping.product import MappedProduct
from shared.mapping.result import Adjustment
from shared.reading.gone import confirm_gone


@dataclass(frozen=True, slots=True)
class Absent:
    """Ids of products that are not published: those that exist, and those that do not."""

    unpublished: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()


@dataclass(slots=True)
class Written:
    """What became of products, by id: `outcomes` has all but the absent ones that Klaviyo does not have either.

    `in_catalog` are the ids of the items that Klaviyo has now, `job_ids` its names for the jobs.
    """

    outcomes: dict[str, RowOutcome] = field(default_factory=dict)
    in_catalog: set[str] = field(default_factory=set)
    job_ids: list[str] = field(default_factory=list)


def write_products(
    app: ImportApp, products: Sequence[MappedProduct], absent: Absent, links: CategoryLinks, deleted: set[str], budget: Budget
) -> Written:
    """Bring the products to their state, and remove (or hide) those that are absent.

    `deleted` gathers the SKUs that were deleted, or may have been, from a product that has them no longer: by now they may be
    another product's, which then has to be written again. Raises what reading and sending raise; all of it may run again.
    """
    ids = [product.item.external_id for product in products]
    shown = items_there([*ids, *sorted(absent.unpublished | absent.gone)], app.klaviyo, budget)
    listed = {item_id: item.variants for item_id, item in shown.items()}
    return _Write(app, products, listed, links, deleted, budget).run(absent)


class _Write:
    """One window on its way; each phase begins when the one before it is complete.

    `listed` has the SKUs under each item that Klaviyo has.
    """

    def __init__(
        self,
        app: ImportApp,
        products: Sequence[MappedProduct],
        listed: Mapping[str, frozenset[str]],
        links: CategoryLinks,
        deleted: set[str],
        budget: Budget,
    ) -> None:
        self._app = app
        self._products = {product.item.external_id: product for product in products}
        self._listed = listed
        self._links = links
        self._deleted = deleted
        self._budget = budget
        self._failed: dict[str, Failed] = {}
        self._adjusted: dict[str, set[Adjustment]] = {}
        self._written = Written()

    def run(self, absent: Absent) -> Written:
        hides = self._app.settings.mapping.document.product.unpublished == "hide"
        hidden = sorted(absent.unpublished & self._listed.keys()) if hides else []
        removed = sorted((absent.unpublished | absent.gone) & self._listed.keys() - set(hidden))
        confirm_gone([*removed, *hidden], PRODUCTS, self._app.commercetools, self._budget)
        self._remove_variants(removed)
        self._hide(hidden)
        whole = [item_id for item_id in removed if item_id not in self._failed]
        if whole:
            self._note(self._app.catalog.delete_items(whole, self._budget), {item_id: item_id for item_id in whole})
        there = self._put_items()
        self._put_variants(there)
        for product_id in (*self._products, *removed, *hidden):
            adjusted = self._adjusted.get(product_id, set())
            sent = Sent(tuple(adjustment for adjustment in Adjustment if adjustment in adjusted))
            self._written.outcomes[product_id] = self._failed.get(product_id, sent)
        left = self._listed.keys() - {item_id for item_id in whole if item_id not in self._failed}
        self._written.in_catalog = {*left, *there}
        return self._written

    def _remove_variants(self, removed: Sequence[str]) -> None:
        """Delete the variants of the items that go, and of the others those that they have no longer."""
        owners = {sku: item_id for item_id in removed for sku in self._listed[item_id]}
        for product_id, product in self._products.items():
            wanted = {variant.external_id for variant in product.variants}
            owners |= dict.fromkeys(self._listed.get(product_id, frozenset()) - wanted, product_id)
        if owners:
            self._deleted.update(owners)
            self._note(self._app.catalog.delete_variants(sorted(owners), self._budget), owners)

    def _hide(self, hidden: Sequence[str]) -> None:
        owners = {sku: item_id for item_id in hidden for sku in self._listed[item_id]}
        if owners:
            self._note(self._app.catalog.hide_variants(sorted(owners), self._budget), owners)
        if hidden:
            self._note(self._app.catalog.hide_items(hidden, self._budget), {item_id: item_id for item_id in hidden})

    def _put_variants(self, there: Sequence[str]) -> None:
        """The variants of those products whose items are there. A SKU that two of them have goes to the first."""
        variants: dict[str, CatalogVariant] = {}
        for product_id in there:
            for variant in self._products[product_id].variants:
                if variants.setdefault(variant.external_id, variant) is not variant:
                    self._adjusted[product_id].add(Adjustment.SKU_DUPLICATE)
        if not variants:
            return
        known = {sku for sku, variant in variants.items() if sku in self._listed.get(variant.item_id, ())}
        put = self._app.catalog.put_variants(list(variants.values()), known, self._budget)
        self._deleted.update(put.replaced)
        self._note(put, {sku: variant.item_id for sku, variant in variants.items()})

    def _put_items(self) -> list[str]:
        """The ids of the products whose items are there now.

        An item that is refused is put once more: a category that it links to may have been deleted meanwhile.
        """
        items = self._linked([product.item for product in self._products.values()])
        outcomes = self._items_put(items)
        refused = [item for item in items if isinstance(outcomes[item.external_id], Failed) and item.categories]
        self._links.forget(refused)
        outcomes |= self._items_put(self._linked(refused))
        self._note(CatalogOutcomes(outcomes), {item.external_id: item.external_id for item in items})
        return [product_id for product_id, outcome in outcomes.items() if isinstance(outcome, Sent)]

    def _items_put(self, items: Sequence[CatalogItem]) -> dict[str, RowOutcome]:
        if not items:
            return {}
        there = self._listed.keys() & {item.external_id for item in items}
        put = self._app.catalog.put_items(items, there, self._budget)
        self._written.job_ids += put.job_ids
        return put.outcomes

    def _linked(self, items: Sequence[CatalogItem]) -> list[CatalogItem]:
        nameable = {category.external_id: category for product in self._products.values() for category in product.categories}
        linked = self._links.linkable(items, nameable, self._budget)
        for before, item in zip(items, linked, strict=True):
            if item != before:
                self._adjusted.setdefault(item.external_id, set()).add(Adjustment.CATEGORY_UNKNOWN)
        return linked

    def _note(self, outcomes: CatalogOutcomes, product_of: dict[str, str]) -> None:
        """A product has failed by the first of its objects that has."""
        self._written.job_ids += outcomes.job_ids
        for external_id, outcome in outcomes.outcomes.items():
            product_id = product_of[external_id]
            if isinstance(outcome, Failed):
                self._failed.setdefault(product_id, outcome)
            else:
                self._adjusted.setdefault(product_id, set()).update(outcome.adjustments)
