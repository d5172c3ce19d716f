"""What Klaviyo's catalog already has of something, read page by page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from shared.budget import Budget
from shared.errors import PermanentError
from shared.klaviyo.catalog import CatalogKind, external_id_of, klaviyo_id
from shared.klaviyo.catalog_finding import (
    FoundItem,
    ItemPage,
    find_ids,
    find_items,
    id_pieces,
    list_ids,
)
from shared.klaviyo.catalog_requests import CATEGORIES_PER_REQUEST, ShownVariant, find_categories, list_variants
from shared.klaviyo.client import KlaviyoClient
from shared.klaviyo.requests import next_cursor
from shared.klaviyo.verdicts import is_missing
from shared.together import results, together

LOOK_UPS_AT_ONCE = 4

R = TypeVar("R")

INCLUDED_SURELY = 99
"""Of how many variants of an item a page of items surely shows all; a longer list may be a first page of them."""

INCLUDED_AT_ONCE = 100
"""A whole multiple of so many variants on a page may be all that Klaviyo gives at once; nothing says that it never cuts there."""


@dataclass(frozen=True, slots=True)
class ShownItem:
    """An item that Klaviyo has: whether it is published, and the SKUs of its variants."""

    published: bool
    variants: frozenset[str]


@dataclass(frozen=True, slots=True)
class KlaviyoIds:
    """A page of Klaviyo's own ids, whoever made the objects, and the cursor of the next page, None on the last."""

    ids: tuple[str, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Listed:
    """The external ids of an item's variants, and of those that are settled: nothing has to be written to them."""

    skus: list[str] = field(default_factory=list)
    settled: set[str] = field(default_factory=set)


def variants_of(
    item_id: str,
    client: KlaviyoClient,
    budget: Budget,
    *,
    fields: Sequence[str] = ("id",),
    is_settled: Callable[[ShownVariant], bool] = lambda _variant: False,
) -> Listed | None:
    """An item's variants; None when there is no such item. Raises what sending raises.

    `is_settled` judges by the attributes in `fields`, which are not kept: a page of them may have megabytes.
    """
    listed = Listed()
    cursor: str | None = None
    while True:
        try:
            page = client.send(list_variants(item_id, cursor, fields), budget)
        except PermanentError as error:
            if is_missing(error):
                return None
            raise
        listed.skus.extend(page.skus)
        listed.settled.update(variant.sku for variant in page.data if is_settled(variant))
        cursor = next_cursor(page.links)
        if cursor is None:
            return listed


def variants_under(item_ids: Sequence[str], client: KlaviyoClient, budget: Budget) -> dict[str, frozenset[str]]:
    """The SKUs of those of the items that Klaviyo has, listed item by item to their end. Raises what sending raises."""
    listed = _together([partial(variants_of, item_id, client, budget) for item_id in item_ids], budget)
    return {item_id: frozenset(variants.skus) for item_id, variants in zip(item_ids, listed, strict=True) if variants is not None}


def items_there(
    item_ids: Sequence[str], client: KlaviyoClient, budget: Budget, *, surely: Collection[str] = frozenset()
) -> dict[str, ShownItem]:
    """Those of the items that Klaviyo has, by external id. Raises what sending raises.

    The variants that come along with a page of items need not be all of them. Where that is to be seen, items are listed one
    by one; those in `surely` are in any case, as those should be that are to be removed.
    """
    found = _together([partial(_item_pages, piece, client, budget) for piece in id_pieces(item_ids)], budget)
    items: dict[str, ShownItem] = {}
    unsure: dict[str, FoundItem] = {}
    for page in (page for pages in found for page in pages):
        for item, skus in _skus_on(page):
            item_id = external_id_of(item.id)
            if skus is None or len(skus) > INCLUDED_SURELY or item_id in surely:
                unsure[item_id] = item
            else:
                items[item_id] = _shown(item, skus)
    listed = variants_under(list(unsure), client, budget)
    return items | {item_id: _shown(unsure[item_id], skus) for item_id, skus in listed.items()}


def categories_there(category_ids: Sequence[str], client: KlaviyoClient, budget: Budget) -> dict[str, str]:
    """The names of those of the categories that Klaviyo has, by external id. Raises what sending raises."""
    pieces = [category_ids[at : at + CATEGORIES_PER_REQUEST] for at in range(0, len(category_ids), CATEGORIES_PER_REQUEST)]
    found = _together([partial(client.send, find_categories(piece), budget) for piece in pieces], budget)
    return {category_id: name for names in found for category_id, name in names.items()}


def ids_there(kind: CatalogKind, named: Sequence[str], client: KlaviyoClient, budget: Budget) -> set[str]:
    """Those of some objects that Klaviyo has; `named` as in `klaviyo_id`. Raises what sending raises."""
    pages = _together([partial(client.send, find_ids(kind, piece), budget) for piece in id_pieces(named)], budget)
    found = {klaviyos for page in pages for klaviyos in page.ids}
    return {one for one in named if klaviyo_id(one) in found}


def klaviyo_items(client: KlaviyoClient, cursor: str | None, budget: Budget) -> KlaviyoIds:
    """A page of all items, oldest first; `cursor` None for the first. Raises what sending raises."""
    return _ids(CatalogKind.ITEM, client, cursor, budget)


def klaviyo_variants(client: KlaviyoClient, cursor: str | None, budget: Budget) -> KlaviyoIds:
    """A page of all variants; otherwise as `klaviyo_items`."""
    return _ids(CatalogKind.VARIANT, client, cursor, budget)


def klaviyo_categories(client: KlaviyoClient, cursor: str | None, budget: Budget) -> KlaviyoIds:
    """A page of all categories; otherwise as `klaviyo_items`."""
    return _ids(CatalogKind.CATEGORY, client, cursor, budget)


def _ids(kind: CatalogKind, client: KlaviyoClient, cursor: str | None, budget: Budget) -> KlaviyoIds:
    page = client.send(list_ids(kind, cursor), budget)
    return KlaviyoIds(tuple(page.ids), next_cursor(page.links))


def _together(calls: Sequence[Callable[[], R]], budget: Budget) -> list[R]:
    return results(together(calls, budget, threads=LOOK_UPS_AT_ONCE))


def _item_pages(item_ids: Sequence[str], client: KlaviyoClient, budget: Budget) -> list[ItemPage]:
    pages: list[ItemPage] = []
    cursor: str | None = None
    while True:
        pages.append(client.send(find_items(item_ids, cursor), budget))
        cursor = next_cursor(pages[-1].links)
        if cursor is None:
            return pages


def _skus_on(page: ItemPage) -> Iterator[tuple[FoundItem, Collection[str] | None]]:
    """The items of a page with their SKUs: None where it does not say whose its variants are, or may not show them all."""
    owners = {variant.id: variant.item_id for variant in page.included or ()}
    came = defaultdict[str | None, set[str]](set)
    for variant_id, owner in owners.items():
        came[owner].add(variant_id)
    named = {item.id: {one.id for one in item.relationships.variants.data or ()} for item in page.data}
    unowned = bool(came[None].difference(*named.values()))
    counts = {len(named[item.id] | came[item.id]) for item in page.data}
    cut = bool(owners) and len(owners) % INCLUDED_AT_ONCE == 0 and len(counts) > 1
    for item in page.data:
        says = item.relationships.variants.data is not None
        differs = says and page.included is not None and (named[item.id] - owners.keys() or came[item.id] - named[item.id])
        silent = not says and page.included is None
        sure = not (unowned or cut or differs or silent)
        yield item, [external_id_of(variant_id) for variant_id in named[item.id] | came[item.id]] if sure else None


def _shown(item: FoundItem, skus: Iterable[str]) -> ShownItem:
    return ShownItem(item.attributes.published is not False, frozenset(skus))
