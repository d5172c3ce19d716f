"""Published products with all that their mapping needs, many at a time (flows.md "Products")."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, TypeAlias, TypeVar

from shared.budget import Budget
from shared.commercetools import scan
from shared.commercetools.catalog import InventoryEntry, ProductProjection, StandalonePrice
from shared.commercetools.kinds import PRODUCTS
from shared.commercetools.predicates import Filter
from shared.commercetools.reads import chunked, rows
from shared.commercetools.scan import Undecodable
from shared.mapping.result import Adjustment
from shared.mapping.sources import ProductSource
from shared.outcomes import PathKind
from shared.reading.lookups import LeftOut, Lookups
from shared.together import results, together

BATCH_READ_S = 15.0
"""How long one read for many products may take."""

READ_AT_ONCE = 4

EXPANDED = PRODUCTS.expand[0]
_EXPANSION = f"{PRODUCTS.path}.{EXPANDED}"
_STANDALONE = "Standalone"


class _OfSku(Protocol):
    @property
    def id(self) -> str: ...

    @property
    def sku(self) -> str: ...


Row = TypeVar("Row", bound=_OfSku)


@dataclass(frozen=True, slots=True)
class ReadProduct:
    """A product as its mapping needs it, and what could not be read for it."""

    source: ProductSource
    left_out: frozenset[Adjustment] = frozenset()


ReadPage: TypeAlias = Mapping[str, ReadProduct | Undecodable | None]
"""What became of some ids, in their order; None: not published."""


def published_products(ids: Sequence[str], lookups: Lookups, budget: Budget) -> Iterator[ReadPage]:
    """The current data of the products with these ids (ascending), some at a time. Raises what the client raises."""
    kind = replace(PRODUCTS, expand=()) if lookups.is_forbidden(_EXPANSION) else PRODUCTS
    at = 0
    for rows_found in scan.by_ids(
        lookups.client, kind, ids, budget=budget, on_forbidden=lambda _error: lookups.forbid(_EXPANSION)
    ):
        asked = ids[at : bisect_right(ids, rows_found[-1].id)]
        at += len(asked)
        yield _page(asked, rows_found, lookups, budget)
    if at < len(ids):
        yield _page(ids[at:], [], lookups, budget)


def with_stock_and_prices(
    products: Sequence[ProductProjection], lookups: Lookups, budget: Budget, *, read_timeout_s: float
) -> list[ReadProduct]:
    """The products with the inventory entries and, where they count, the standalone prices of their SKUs.

    Goes on without either where the credentials may not read it. Raises what the client raises.
    """
    standalone = [product for product in products if product.priceMode == _STANDALONE]
    entries = _by_sku("inventory", InventoryEntry, _skus_of(products), lookups, budget, read_timeout_s)
    prices = _by_sku("standalone-prices", StandalonePrice, _skus_of(standalone), lookups, budget, read_timeout_s)
    read = []
    for product in products:
        is_standalone = product.priceMode == _STANDALONE
        source = ProductSource(
            product=product,
            entries=None if entries is None else _picked(product, entries),
            standalone_prices=_picked(product, prices or {}) if is_standalone else [],
        )
        forbidden = entries is None or (is_standalone and prices is None)
        read.append(ReadProduct(source, frozenset({Adjustment.LOOKUP_FORBIDDEN} if forbidden else ())))
    return read


def existing_products(ids: Collection[str], lookups: Lookups, budget: Budget) -> set[str]:
    """Which of these products exist, published or not. Raises what the client raises."""
    return {
        product_id
        for piece in chunked(ids)
        for product_id in scan.id_page(lookups.client, PRODUCTS, Filter(ids=tuple(piece)), None, budget=budget)
    }


def _page(asked: Sequence[str], found: scan.Page[ProductProjection], lookups: Lookups, budget: Budget) -> ReadPage:
    products = [row for row in found if not isinstance(row, Undecodable)]
    forbidden = frozenset({Adjustment.LOOKUP_FORBIDDEN} if lookups.is_forbidden(_EXPANSION) else ())
    page: dict[str, ReadProduct | Undecodable | None] = dict.fromkeys(asked)
    page |= {row.id: row for row in found if isinstance(row, Undecodable)}
    for read in with_stock_and_prices(products, lookups, budget, read_timeout_s=BATCH_READ_S):
        page[read.source.product.id] = ReadProduct(read.source, read.left_out | forbidden)
    return page


def _by_sku(
    path: str, row_type: type[Row], skus: Iterable[str], lookups: Lookups, budget: Budget, read_timeout_s: float
) -> dict[str, list[Row]] | None:
    """What a collection has of these SKUs, in id order; None when it may not be read."""
    left_out: LeftOut = set()

    def read(piece: list[str]) -> list[Row]:
        return rows(
            lookups.client,
            path,
            row_type,
            "sku in :sku",
            {"sku": piece},
            budget=budget,
            read_timeout_s=read_timeout_s,
            kind=PathKind.OPTIONAL_LOOKUP,
        )

    calls = [partial(lookups.if_allowed, path, partial(read, piece), left_out) for piece in chunked(skus)]
    found = results(together(calls, budget, threads=READ_AT_ONCE))
    if left_out:
        return None
    by_sku: dict[str, list[Row]] = {}
    for row in sorted((row for piece in found for row in piece or ()), key=lambda row: row.id):
        by_sku.setdefault(row.sku, []).append(row)
    return by_sku


def _skus_of(products: Iterable[ProductProjection]) -> Iterator[str]:
    return (variant.sku for product in products for variant in product.all_variants if variant.sku)


def _picked(product: ProductProjection, by_sku: Mapping[str, list[Row]]) -> list[Row]:
    skus = dict.fromkeys(_skus_of([product]))
    return [row for sku in skus for row in by_sku.get(sku, ())]
