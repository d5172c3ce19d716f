"""The catalog: categories, items with their variants, stock (mapping.md "Catalog").

What Klaviyo has is asked first; an answer that says otherwise turns a creation into an update or the other way round, so
that each write may run twice, or beside another instance's.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec

from shared.budget import Budget
from shared.errors import Host, HostDown, PermanentError, TransientError
from shared.klaviyo.catalog import CatalogCategory, CatalogItem, CatalogVariant
from shared.klaviyo.catalog_reads import names_of, variants_of
from shared.klaviyo.catalog_requests import (
    create_category,
    create_variant,
    delete_category,
    delete_variant,
    rename_category,
)
from shared.klaviyo.client import KlaviyoClient
from shared.klaviyo.requests import Request
from shared.klaviyo.verdicts import is_missing, is_taken, names_link
from shared.mapping.result import Adjustment, SkipReason
from shared.realtime.preferred import (
    Known,
    changed,
    item_request,
    preferred_requests,
    superfluous,
    variant_request,
)
from shared.realtime.together import results, together
from shared.realtime.writes import PutCategories, PutProduct, RemoveProduct, SetStock

CATEGORY_ATTEMPTS = 4
"""How often a category is created or renamed in turn, while others delete and create it."""

Created = list[str]
"""Gathers the categories (external ids) that a write had to create, also when it fails in the end."""


def put_categories(write: PutCategories, klaviyo: KlaviyoClient, budget: Budget, created: Created) -> None:
    """Create what is missing, rename what has another name. Raises what sending raises, the worst of it at the end."""
    ids = [category.external_id for category in write.categories]
    known = Known(categories={} if write.new else names_of(ids, klaviyo, budget))
    puts = changed(write.categories, known)
    results(together([partial(_put_category, category, known, klaviyo, budget, created) for category in puts]))


def remove_category(category_id: str, klaviyo: KlaviyoClient, budget: Budget) -> None:
    """Delete a category that may be gone already."""
    _sent_or_missing(delete_category(category_id), klaviyo, budget)


def put_product(write: PutProduct, klaviyo: KlaviyoClient, budget: Budget, created: Created) -> tuple[Adjustment, ...]:
    """The item, then its variants together; what had to be left out. Raises what sending raises, the worst of it at the end."""
    skus = variants_of(write.item.external_id, klaviyo, budget)
    put = _ItemPut(write, klaviyo, budget, created, there=skus is not None)
    put.run()
    if skus is None and put.taken:
        skus = variants_of(write.item.external_id, klaviyo, budget)
    _put_variants(write, Known(item=True, variants=skus or []), klaviyo, budget)
    return put.adjustments


def remove_product(write: RemoveProduct, klaviyo: KlaviyoClient, budget: Budget) -> None:
    """Delete or hide all variants, then the item; what is gone already is fine."""
    known = Known(variants=variants_of(write.product_id, klaviyo, budget) or [])
    *variants, item = preferred_requests(write, known)
    results(together([partial(_sent_or_missing, request, klaviyo, budget) for request in variants]))
    _sent_or_missing(item, klaviyo, budget)


def set_stock(write: SetStock, klaviyo: KlaviyoClient, budget: Budget) -> SkipReason | None:
    """Update a variant's stock; why not, when Klaviyo does not know the variant."""
    sent = [_sent_or_missing(request, klaviyo, budget) for request in preferred_requests(write)]
    return None if all(sent) else SkipReason.UNKNOWN_VARIANT


class _ItemPut:
    """One item on the way to Klaviyo. Each kind of surprise is met once, so `run` ends.

    `there`: Klaviyo has the item, as far as we know; `taken`: it had when we thought that it had not.
    """

    def __init__(self, write: PutProduct, klaviyo: KlaviyoClient, budget: Budget, created: Created, *, there: bool) -> None:
        self.taken = False
        self.adjustments: tuple[Adjustment, ...] = ()
        self._item = write.item
        self._categories = {category.external_id: category for category in write.categories}
        self._klaviyo = klaviyo
        self._budget = budget
        self._created = created
        self._there = there
        self._gone = False
        self._linked = not write.item.categories

    def run(self) -> None:
        """Raises what sending raises; `HostDown` for a 404 that neither the item nor a category explains."""
        while True:
            try:
                self._klaviyo.send(item_request(self._item, there=self._there), self._budget)
            except PermanentError as error:
                self._meet(error)
            else:
                return

    def _meet(self, error: PermanentError) -> None:
        """Make of a refusal what to do next, or raise."""
        names_category = names_link(error, "categories")
        if not self._there and not self.taken and is_taken(error):
            self._there = self.taken = True
        elif self._there and not self.taken and not self._gone and is_missing(error) and not names_category:
            self._there, self._gone = False, True
        elif not self._linked and (is_missing(error) or names_category):
            self._item, self._linked = self._linkable(), True
        elif is_missing(error):
            raise HostDown("klaviyo answered 404 to an item, and nothing of it is missing", host=Host.KLAVIYO)
        else:
            raise error

    def _linkable(self) -> CatalogItem:
        """The item with the links that Klaviyo can take, once the missing categories that we can name are there."""
        names = names_of(self._item.categories, self._klaviyo, self._budget)
        missing = [category_id for category_id in self._item.categories if category_id not in names]
        for category_id in missing:
            if category_id in self._categories:
                _put_category(self._categories[category_id], Known(), self._klaviyo, self._budget, self._created)
        unknown = {category_id for category_id in missing if category_id not in self._categories}
        if unknown:
            self.adjustments = (Adjustment.CATEGORY_UNKNOWN,)
        kept = tuple(category_id for category_id in self._item.categories if category_id not in unknown)
        return msgspec.structs.replace(self._item, categories=kept)


def _put_variants(write: PutProduct, known: Known, klaviyo: KlaviyoClient, budget: Budget) -> None:
    """Bring all variants to their state and delete the others; SKUs that are taken are looked at again afterwards."""
    calls = [
        *(partial(_put_variant, variant, known, klaviyo, budget) for variant in write.variants),
        *(partial(_removed, sku, klaviyo, budget) for sku in superfluous(write.variants, known)),
    ]
    outcomes = together(calls)
    put = outcomes[: len(write.variants)]
    taken = [at for at, outcome in enumerate(put) if isinstance(outcome, PermanentError) and is_taken(outcome)]
    if taken:
        skus = variants_of(write.item.external_id, klaviyo, budget)
        if skus is None:
            raise _item_vanished()
        now = Known(item=True, variants=skus)
        again = together([partial(_take_variant, write.variants[at], now, klaviyo, budget) for at in taken])
        for at, outcome in zip(taken, again, strict=True):
            outcomes[at] = outcome
    refusals = [outcome for outcome in outcomes if isinstance(outcome, PermanentError)]
    if any(names_link(refusal, "item") or is_missing(refusal) for refusal in refusals):
        raise _item_vanished()
    if any(is_taken(refusal) for refusal in refusals):
        raise TransientError("a SKU was taken again while it was written", host=Host.KLAVIYO)
    results(outcomes)


def _item_vanished() -> TransientError:
    return TransientError("the item of a variant vanished while it was written", host=Host.KLAVIYO)


def _put_variant(variant: CatalogVariant, known: Known, klaviyo: KlaviyoClient, budget: Budget) -> None:
    """Raises the 409 of a SKU that Klaviyo has, but perhaps not under this item, and the 404 of an item that is gone."""
    there = variant.external_id in known.variants
    try:
        klaviyo.send(variant_request(variant, there=there), budget)
    except PermanentError as error:
        if not (there and is_missing(error)):
            raise
        klaviyo.send(create_variant(variant), budget)


def _take_variant(variant: CatalogVariant, known: Known, klaviyo: KlaviyoClient, budget: Budget) -> None:
    """A SKU that was taken: by this item meanwhile, or by another one, from which Klaviyo cannot move it."""
    if variant.external_id not in known.variants:
        _removed(variant.external_id, klaviyo, budget)
    _put_variant(variant, known, klaviyo, budget)


def _removed(sku: str, klaviyo: KlaviyoClient, budget: Budget) -> None:
    _sent_or_missing(delete_variant(sku), klaviyo, budget)


def _put_category(category: CatalogCategory, known: Known, klaviyo: KlaviyoClient, budget: Budget, created: Created) -> None:
    """Raises `TransientError` when it comes and goes each time that it is written."""
    there = category.external_id in known.categories
    for _ in range(CATEGORY_ATTEMPTS):
        try:
            klaviyo.send(rename_category(category) if there else create_category(category), budget)
        except PermanentError as error:
            if not (is_missing(error) if there else is_taken(error)):
                raise
            there = not there
        else:
            if not there:
                created.append(category.external_id)
            return
    raise TransientError("a category came and went while it was written", host=Host.KLAVIYO)


def _sent_or_missing(request: Request[Any], klaviyo: KlaviyoClient, budget: Budget) -> bool:
    """Whether what the request is about was there."""
    try:
        klaviyo.send(request, budget)
    except PermanentError as error:
        if is_missing(error):
            return False
        raise
    return True
