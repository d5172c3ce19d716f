"""The catalog: categories, items with their variants, stock (mapping.md "Catalog").

What Klaviyo has is asked first; an answer that says otherwise turns a creation into an update or the other way round, so
that each write may run twice, or beside another instance's.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import msgspec

from shared.budget import Budget
from shared.errors import Host, HostDown, PermanentError, TransientError
from shared.klaviyo.catalog import CatalogCategory, CatalogItem, CatalogVariant
from shared.klaviyo.catalog_reads import Listed, categories_there, variants_of
from shared.klaviyo.catalog_requests import (
    VARIANT_ATTRIBUTES,
    ShownVariant,
    create_category,
    create_variant,
    delete_category,
    delete_variant,
    is_as_wanted,
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
    unsettled,
    variant_request,
)
from shared.realtime.writes import PutCategories, PutProduct, RemoveProduct, SetStock
from shared.together import results, together

CATEGORY_ATTEMPTS = 4
"""How often a category is created or renamed in turn, while others delete and create it."""

Created = list[str]
"""Gathers the categories (external ids) that a write had to create, also when it fails in the end."""

Deleted = list[str]
"""Gathers the SKUs that a write has deleted, or may have deleted, from a product that should not have them."""


def put_categories(write: PutCategories, klaviyo: KlaviyoClient, budget: Budget, created: Created) -> None:
    """Create what is missing, rename what has another name. Raises what sending raises, the worst of it at the end."""
    ids = [category.external_id for category in write.categories]
    known = Known(categories={} if write.new else categories_there(ids, klaviyo, budget))
    puts = changed(write.categories, known)
    results(together([partial(_put_category, category, known, klaviyo, budget, created) for category in puts], budget))


def remove_category(category_id: str, klaviyo: KlaviyoClient, budget: Budget) -> None:
    """Delete a category that may be gone already."""
    _sent_or_missing(delete_category(category_id), klaviyo, budget)


def put_product(
    write: PutProduct, klaviyo: KlaviyoClient, budget: Budget, created: Created, deleted: Deleted
) -> tuple[Adjustment, ...]:
    """The item, then its variants together; what had to be left out. Raises what sending raises, the worst of it at the end.

    Variants that are as they are to be are not written again, so that a product of which the quota lets only a part through
    is done after some deliveries.
    """
    listed = _compared(write, klaviyo, budget)
    put = _ItemPut(write, klaviyo, budget, created, there=listed is not None)
    put.run()
    if put.taken or put.gone:  # what was listed is not true any more
        listed = _compared(write, klaviyo, budget)
    found = listed or Listed()
    known = Known(item=True, variants=found.skus, settled=found.settled)
    _VariantsPut(write, known, klaviyo, budget, deleted).run()
    return put.adjustments


def remove_product(write: RemoveProduct, klaviyo: KlaviyoClient, budget: Budget, deleted: Deleted) -> None:
    """Delete or hide all variants, then the item; what is gone or hidden already is fine."""
    fields = ("published",) if write.hide else ("id",)
    listed = variants_of(write.product_id, klaviyo, budget, fields=fields, is_settled=_is_hidden) or Listed()
    known = Known(variants=listed.skus, settled=listed.settled)
    *hiding, item = preferred_requests(write, known)
    if write.hide:
        results(together([partial(_sent_or_missing, request, klaviyo, budget) for request in hiding], budget))
    else:
        results(together([partial(_removed, sku, klaviyo, budget, deleted) for sku in known.variants], budget))
    _sent_or_missing(item, klaviyo, budget)


def set_stock(write: SetStock, klaviyo: KlaviyoClient, budget: Budget) -> SkipReason | None:
    """Update a variant's stock; why not, when Klaviyo does not know the variant."""
    sent = [_sent_or_missing(request, klaviyo, budget) for request in preferred_requests(write)]
    return None if all(sent) else SkipReason.UNKNOWN_VARIANT


def _compared(write: PutProduct, klaviyo: KlaviyoClient, budget: Budget) -> Listed | None:
    """The variants that Klaviyo has under the item; settled are those that an update would not change."""
    wanted = {variant.external_id: variant for variant in write.variants}

    def is_settled(shown: ShownVariant) -> bool:
        return shown.sku in wanted and is_as_wanted(wanted[shown.sku], shown.attributes)

    return variants_of(write.item.external_id, klaviyo, budget, fields=VARIANT_ATTRIBUTES, is_settled=is_settled)


def _is_hidden(shown: ShownVariant) -> bool:
    return shown.attributes.get("published") is False


class _ItemPut:
    """One item on the way to Klaviyo. Each kind of surprise is met once, so `run` ends.

    `there`: Klaviyo has the item, as far as we know; `taken`: it had when we thought that it had not; `gone`: the reverse.
    """

    def __init__(self, write: PutProduct, klaviyo: KlaviyoClient, budget: Budget, created: Created, *, there: bool) -> None:
        self.taken = False
        self.gone = False
        self.adjustments: tuple[Adjustment, ...] = ()
        self._item = write.item
        self._categories = {category.external_id: category for category in write.categories}
        self._klaviyo = klaviyo
        self._budget = budget
        self._created = created
        self._there = there
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
        elif self._there and not self.taken and not self.gone and is_missing(error) and not names_category:
            self._there, self.gone = False, True
        elif not self._linked and (is_missing(error) or names_category):
            self._item, self._linked = self._linkable(), True
        elif names_category and self._missing_categories():
            raise TransientError("a category came and went while an item was linked to it", host=Host.KLAVIYO)
        elif is_missing(error):
            raise HostDown("klaviyo answered 404 to an item, and nothing of it is missing", host=Host.KLAVIYO)
        else:
            raise error

    def _missing_categories(self) -> list[str]:
        names = categories_there(self._item.categories, self._klaviyo, self._budget)
        return [category_id for category_id in self._item.categories if category_id not in names]

    def _linkable(self) -> CatalogItem:
        """The item with the links that Klaviyo can take, once the missing categories that we can name are there."""
        missing = self._missing_categories()
        nameable = [self._categories[category_id] for category_id in missing if category_id in self._categories]
        results(together([partial(self._be_there, category) for category in nameable], self._budget))
        unknown = {category_id for category_id in missing if category_id not in self._categories}
        if unknown:
            self.adjustments = (Adjustment.CATEGORY_UNKNOWN,)
        kept = tuple(category_id for category_id in self._item.categories if category_id not in unknown)
        return msgspec.structs.replace(self._item, categories=kept)

    def _be_there(self, category: CatalogCategory) -> None:
        """Create a category. One that came to be meanwhile keeps the name it was given: ours may be the older one."""
        try:
            self._klaviyo.send(create_category(category), self._budget)
        except PermanentError as error:
            if not is_taken(error):
                raise
        else:
            self._created.append(category.external_id)


class _VariantsPut:
    """The variants of one item on the way to Klaviyo: those that are different, and none beside them."""

    def __init__(self, write: PutProduct, known: Known, klaviyo: KlaviyoClient, budget: Budget, deleted: Deleted) -> None:
        self._write = write
        self._known = known
        self._klaviyo = klaviyo
        self._budget = budget
        self._deleted = deleted
        self._lock = threading.Lock()
        self._begun = 0
        self._listed: tuple[int, list[str]] = (0, [])

    def run(self) -> None:
        """Raises what sending raises, the worst of it at the end."""
        extra = superfluous(self._write.variants, self._known)
        calls = [
            *(partial(self._put, variant) for variant in unsettled(self._write.variants, self._known)),
            *(partial(_removed, sku, self._klaviyo, self._budget, self._deleted) for sku in extra),
        ]
        outcomes = together(calls, self._budget)
        refusals = [outcome for outcome in outcomes if isinstance(outcome, PermanentError)]
        if any(names_link(refusal, "item") or is_missing(refusal) for refusal in refusals):
            raise _item_vanished()
        results(outcomes)

    def _put(self, variant: CatalogVariant) -> None:
        """Bring a variant to its state, also when its SKU is taken: by this item meanwhile, or by another one.

        Klaviyo cannot move a variant, so that of another item is deleted. Raises the 404 of an item that is gone.
        """
        try:
            self._written(variant, there=variant.external_id in self._known.variants)
        except PermanentError as error:
            if not is_taken(error):
                raise
        else:
            return
        there = variant.external_id in self._skus_by_now()
        if not there:
            _sent_or_missing(delete_variant(variant.external_id), self._klaviyo, self._budget)
        try:
            self._written(variant, there=there)
        except PermanentError as error:
            if is_taken(error):
                raise TransientError("a SKU was taken again while it was written", host=Host.KLAVIYO) from None
            raise

    def _written(self, variant: CatalogVariant, *, there: bool) -> None:
        """Raises the 409 of a SKU that Klaviyo has, but perhaps not under this item, and the 404 of an item that is gone."""
        try:
            self._klaviyo.send(variant_request(variant, there=there), self._budget)
        except PermanentError as error:
            if not (there and is_missing(error)):
                raise
            self._klaviyo.send(create_variant(variant), self._budget)

    def _skus_by_now(self) -> list[str]:
        """What Klaviyo has under the item at some time after this call began; threads that wait for it share one look."""
        seen = self._begun
        with self._lock:
            if self._listed[0] <= seen:
                self._begun += 1
                listed = variants_of(self._write.item.external_id, self._klaviyo, self._budget)
                if listed is None:
                    raise _item_vanished()
                self._listed = (self._begun, listed.skus)
            return self._listed[1]


def _removed(sku: str, klaviyo: KlaviyoClient, budget: Budget, deleted: Deleted) -> None:
    """A variant that was under the item a moment ago. It may have moved since, and its deletion go unnoticed: see `Deleted`."""
    deleted.append(sku)
    _sent_or_missing(delete_variant(sku), klaviyo, budget)


def _item_vanished() -> TransientError:
    return TransientError("the item of a variant vanished while it was written", host=Host.KLAVIYO)


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
