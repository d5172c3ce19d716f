"""Published products with all that their mapping needs, many at a time (flows.md "Products")."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, Protocol, TypeAlias, TypeVar

import msgspec

from shared.budget import Budget
from shared.commercetools import scan
from shared.commercetools.catalog import InventoryEntry, ProductProjection, StandalonePrice
from shared.commercetools.kinds import PRODUCTS
from shared.commercetools.reads import Identified, chunked, rows
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
R = TypeVar("R", bound=Identified)


class _SkuRow(msgspec.Struct, frozen=True):
    id: str
    sku: str


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
    products: Sequence[ProductProjection],
    lookups: Lookups,
    budget: Budget,
    *,
    read_timeout_s: float,
    on_unreadable: Callable[[Undecodable], None] | None = None,
) -> list[ReadProduct]:
    """The products with the inventory entries and, where they count, the standalone prices of their SKUs.

    Goes on without either where the credentials may not read it. Products with an entry or a price of another form than
    documented are told to `on_unreadable` and left out; without it that raises `PermanentError`. Raises what the client raises.
    """
    standalone = [product for product in products if product.priceMode == _STANDALONE]
    tolerant = on_unreadable is not None
    stock = _OfSkus("inventory", InventoryEntry, lookups, budget, read_timeout_s, tolerant=tolerant)
    pricing = _OfSkus("standalone-prices", StandalonePrice, lookups, budget, read_timeout_s, tolerant=tolerant)
    entries, prices = stock.by_sku(_skus_of(products)), pricing.by_sku(_skus_of(standalone))
    read = []
    for product in products:
        is_standalone = product.priceMode == _STANDALONE
        skus = dict.fromkeys(_skus_of([product]))
        differs = stock.differs | pricing.differs if is_standalone else stock.differs
        place = next((differs[sku] for sku in skus if sku in differs), None)
        if place is not None and on_unreadable is not None:
            on_unreadable(Undecodable(product.id, place))
            continue
        source = ProductSource(
            product=product,
            entries=None if entries is None else _picked(skus, entries),
            standalone_prices=_picked(skus, prices or {}) if is_standalone else [],
        )
        forbidden = entries is None or (is_standalone and prices is None)
        read.append(ReadProduct(source, frozenset({Adjustment.LOOKUP_FORBIDDEN} if forbidden else ())))
    return read


def _page(asked: Sequence[str], found: scan.Page[ProductProjection], lookups: Lookups, budget: Budget) -> ReadPage:
    products = [row for row in found if not isinstance(row, Undecodable)]
    forbidden = frozenset({Adjustment.LOOKUP_FORBIDDEN} if lookups.is_forbidden(_EXPANSION) else ())
    page: dict[str, ReadProduct | Undecodable | None] = dict.fromkeys(asked)
    page |= {row.id: row for row in found if isinstance(row, Undecodable)}

    def keep(unreadable: Undecodable) -> None:
        page[unreadable.id] = unreadable

    for read in with_stock_and_prices(products, lookups, budget, read_timeout_s=BATCH_READ_S, on_unreadable=keep):
        page[read.source.product.id] = ReadProduct(read.source, read.left_out | forbidden)
    return page


class _OfSkus(Generic[Row]):
    """The rows that a collection has for some SKUs.

    `tolerant`: rows of another form than documented are left out; `differs` says by SKU where they are different.
    """

    def __init__(
        self, path: str, row_type: type[Row], lookups: Lookups, budget: Budget, read_timeout_s: float, *, tolerant: bool
    ) -> None:
        self.differs: dict[str, str] = {}
        self._path = path
        self._row_type = row_type
        self._lookups = lookups
        self._budget = budget
        self._read_timeout_s = read_timeout_s
        self._tolerant = tolerant

    def by_sku(self, skus: Iterable[str]) -> dict[str, list[Row]] | None:
        """In id order; None when they may not be read."""
        left_out: LeftOut = set()
        calls = [
            partial(self._lookups.if_allowed, self._path, partial(self._of_piece, piece), left_out) for piece in chunked(skus)
        ]
        found = results(together(calls, self._budget, threads=READ_AT_ONCE))
        if left_out:
            return None
        by_sku: dict[str, list[Row]] = {}
        for row in sorted((row for piece in found for row in piece or ()), key=lambda row: row.id):
            by_sku.setdefault(row.sku, []).append(row)
        return by_sku

    def _of_piece(self, piece: list[str]) -> list[Row]:
        places: dict[str, str] = {}
        found = self._rows(self._row_type, "sku in :sku", {"sku": piece}, places.__setitem__ if self._tolerant else None)
        for ids in chunked(places):
            for row in self._rows(_SkuRow, "id in :id", {"id": ids}):
                self.differs[row.sku] = f"{self._path}.{places[row.id]}"
        return found

    def _rows(
        self,
        row_type: type[R],
        where: str,
        variables: Mapping[str, Sequence[str]],
        on_unreadable: Callable[[str, str], None] | None = None,
    ) -> list[R]:
        return rows(
            self._lookups.client,
            self._path,
            row_type,
            where,
            variables,
            budget=self._budget,
            read_timeout_s=self._read_timeout_s,
            kind=PathKind.OPTIONAL_LOOKUP,
            on_unreadable=on_unreadable,
        )


def _skus_of(products: Iterable[ProductProjection]) -> Iterator[str]:
    return (variant.sku for product in products for variant in product.all_variants if variant.sku)


def _picked(skus: Iterable[str], by_sku: Mapping[str, list[Row]]) -> list[Row]:
    return [row for sku in skus for row in by_sku.get(sku, ())]
