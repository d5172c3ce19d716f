"""A window of products into Klaviyo's catalog: first goes what is superfluous, then items, then variants (flows.md)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from shared.budget import Budget
from shared.bulk.app import ImportApp
from shared.bulk.kinds.category_links import CategoryLinks
from shared.bulk.kinds.product_window import ProductWindow
from shared.commercetools.kinds import PRODUCTS
from shared.klaviyo.catalog import CatalogItem, CatalogVariant, id_to_name
from shared.klaviyo.catalog_imports import CatalogOutcomes
from shared.klaviyo.catalog_reads import items_there
from shared.klaviyo.row_outcomes import Failed, RowOutcome, Sent
from shared.mapping.result import Adjustment
from shared.reading.gone import confirm_gone
from shared.reading.sku_owners import owners_by_sku


@dataclass(slots=True)
class Written:
    """What became of products, by id.

    `outcomes` has all but those that are not finished, and the absent ones that Klaviyo does not have either. `in_catalog`
    are the ids of the items that Klaviyo shows now, `job_ids` its names for the jobs. `takers`: products to be read and
    written because they have a SKU that is under another product's item, with the ids of these. `again`: what is to be
    written once more when that is done.
    """

    outcomes: dict[str, RowOutcome] = field(default_factory=dict)
    in_catalog: set[str] = field(default_factory=set)
    job_ids: list[str] = field(default_factory=list)
    takers: dict[str, set[str]] = field(default_factory=dict)
    again: set[str] = field(default_factory=set)


def write_products(
    app: ImportApp,
    window: ProductWindow,
    ids: Collection[str],
    failed: Mapping[str, Failed],
    links: CategoryLinks,
    deleted: dict[str, str],
    budget: Budget,
) -> Written:
    """Bring these products of a window to their state, and remove (or hide) those that are absent.

    A superfluous SKU that is another published product's by now stays where it is until that one has taken it over: so it is
    not lost whenever the process dies. `failed` are products whose last attempt failed: they will not take any over.
    `deleted` gathers the SKUs that were deleted or hidden, or may have been, and of which product: by now they may be another
    one's, which then has to be written. Raises what reading and sending raise; all of it may run again.
    """
    absent = window.absent.intersection(ids)
    wanted = [*(product_id for product_id in ids if product_id in window.mapped), *sorted(absent)]
    shown = items_there(wanted, app.klaviyo, budget, surely=absent)
    listed = {item_id: item.variants for item_id, item in shown.items()}
    return _Write(app, window, wanted, listed, failed, links, deleted, budget).run()


class _Write:
    """Products on their way; each phase begins when the one before it is complete.

    `listed` has the SKUs under each item that Klaviyo has.
    """

    def __init__(
        self,
        app: ImportApp,
        window: ProductWindow,
        ids: Sequence[str],
        listed: Mapping[str, frozenset[str]],
        failed_before: Mapping[str, Failed],
        links: CategoryLinks,
        deleted: dict[str, str],
        budget: Budget,
    ) -> None:
        self._app = app
        self._window = window
        self._absent = window.absent.intersection(ids)
        self._products = {product_id: window.mapped[product_id] for product_id in ids if product_id in window.mapped}
        self._listed = listed
        self._failed_before = failed_before
        self._links = links
        self._deleted = deleted
        self._budget = budget
        self._failed: dict[str, Failed] = {}
        self._adjusted: dict[str, set[Adjustment]] = {}
        self._kept: dict[str, str] = {}
        self._written = Written()

    def run(self) -> Written:
        hides = self._app.settings.mapping.document.product.unpublished == "hide"
        hidden = sorted((self._absent - self._window.gone) & self._listed.keys()) if hides else []
        removed = sorted(self._absent & self._listed.keys() - set(hidden))
        confirm_gone([*removed, *hidden], PRODUCTS, self._app.commercetools, self._budget)
        superfluous = self._superfluous([*removed, *hidden])
        self._keep_what_others_have(superfluous)
        self._remove_variants({sku: owner for sku, owner in superfluous.items() if owner not in hidden})
        self._hide(hidden, {sku: owner for sku, owner in superfluous.items() if owner in hidden})
        held = {*self._failed, *self._kept.values()}
        whole = [item_id for item_id in removed if item_id not in held]
        if whole:
            self._note(self._app.catalog.delete_items(whole, self._budget), {item_id: item_id for item_id in whole})
        there = self._put_items()
        taken = self._put_variants(there)
        for sku, product_id in self._kept.items():
            if product_id not in self._failed and (sku not in taken or product_id in removed):
                self._written.again.add(product_id)
        for product_id in (*self._products, *whole, *hidden, *self._failed):
            adjusted = self._adjusted.get(product_id, set())
            sent = Sent(tuple(adjustment for adjustment in Adjustment if adjustment in adjusted))
            self._written.outcomes[product_id] = self._failed.get(product_id, sent)
        left = self._listed.keys() - {item_id for item_id in (*whole, *hidden) if item_id not in self._failed}
        self._written.in_catalog = {*left, *there}
        return self._written

    def _superfluous(self, absent: Iterable[str]) -> dict[str, str]:
        """The SKUs under the items that go, and of the others those that they have no longer, with the items."""
        owners = {sku: item_id for item_id in absent for sku in self._listed[item_id]}
        for product_id, product in self._products.items():
            wanted = {variant.external_id for variant in product.variants}
            owners |= dict.fromkeys(self._listed.get(product_id, frozenset()) - wanted, product_id)
        return owners

    def _keep_what_others_have(self, superfluous: dict[str, str]) -> None:
        """Take out of `superfluous` what a published product has: that product itself moves it under its own item."""
        owners = owners_by_sku(superfluous, self._app.commercetools, self._budget) if superfluous else {}
        for sku in sorted(owners):
            takers = [taker for taker in sorted(owners[sku]) if self._window.may_bring(taker, sku)]
            if not takers:
                continue
            product_id = self._kept[sku] = superfluous.pop(sku)
            for taker in takers:
                if taker in self._products and self._window.brings(taker, sku):
                    continue  # it takes the SKU over below
                if taker != product_id and taker in self._failed_before:
                    self._failed.setdefault(product_id, self._failed_before[taker])
                else:
                    self._written.takers.setdefault(taker, set()).add(product_id)

    def _remove_variants(self, owners: Mapping[str, str]) -> None:
        if owners:
            self._deleted.update(owners)
            named = {id_to_name(sku): item_id for sku, item_id in owners.items()}
            self._note(self._app.catalog.delete_variants(sorted(named), self._budget), named)

    def _hide(self, hidden: Sequence[str], owners: Mapping[str, str]) -> None:
        if owners:
            self._deleted.update(owners)
            named = {id_to_name(sku): item_id for sku, item_id in owners.items()}
            self._note(self._app.catalog.hide_variants(sorted(named), self._budget), named)
        if hidden:
            self._note(self._app.catalog.hide_items(hidden, self._budget), {item_id: item_id for item_id in hidden})

    def _put_variants(self, there: Sequence[str]) -> set[str]:
        """The variants of those products whose items are there: which of them were sent.

        A SKU that two products have goes to the first.
        """
        variants: dict[str, CatalogVariant] = {}
        for product_id in there:
            for variant in self._products[product_id].variants:
                if variants.setdefault(variant.external_id, variant) is not variant:
                    self._adjusted[product_id].add(Adjustment.SKU_DUPLICATE)
        if not variants:
            return set()
        known = {sku for sku, variant in variants.items() if sku in self._listed.get(variant.item_id, ())}
        put = self._app.catalog.put_variants(list(variants.values()), known, self._budget)
        items = {sku: variant.item_id for sku, variant in variants.items()}
        sent = {sku for sku, outcome in put.outcomes.items() if isinstance(outcome, Sent)}
        self._deleted.update((sku, items[sku]) for sku in put.replaced - sent)
        self._note(put, items)
        return sent

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
