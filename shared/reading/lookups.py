"""What a resource refers to, looked up for all messages of a process: cached, and done without where that cannot be had."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeVar
from urllib.parse import quote

import msgspec

from shared import logs
from shared.budget import Budget
from shared.cache import ExpiringCache
from shared.commercetools.catalog import Attribute, Category, Reference
from shared.commercetools.client import CommercetoolsClient
from shared.commercetools.reads import Identified, chunked, one, rows
from shared.commercetools.resources import Customer, ExpandedGroup
from shared.commercetools.verdict import Forbidden
from shared.errors import Gone, Interrupted, PermanentError, TransientError
from shared.mapping.result import Adjustment
from shared.mapping.sources import OrderedProduct
from shared.outcomes import PathKind

TTL_S = 300.0
"""How long something looked up may be used, and how long what was forbidden is not asked again."""

READ_S = 3.5
"""How long one read may take, so that of 8.5 seconds one that hangs leaves time for another (decisions.md 5)."""

LOOKUP_READ_S = 1.6
"""The same for a look-up that an order can do without."""

LOOKUP_SHARE = 0.4
"""The part of the remaining time that all look-ups of an order may take together; the rest is for sending it."""

_MOST_PRODUCTS = 500
_MOST_CATEGORIES = 2_000
_MOST_OTHERS = 1_000

LeftOut = set[Adjustment]
"""Gathers what had to be done without."""

Row = TypeVar("Row", bound=Identified)
V = TypeVar("V")

_log = logs.get(__name__)


class _Variant(msgspec.Struct, frozen=True):
    attributes: tuple[Attribute, ...] = ()


class _ProductData(msgspec.Struct, frozen=True, rename="camel"):
    categories: tuple[Reference, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    master_variant: _Variant = _Variant()


class _MasterData(msgspec.Struct, frozen=True):
    current: _ProductData


class _Product(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    master_data: _MasterData


class _DiscountCode(msgspec.Struct, frozen=True):
    id: str
    code: str


class _CustomerGroup(msgspec.Struct, frozen=True):
    id: str
    name: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class _Ordered:
    """What is kept of a product: its categories by id, and its own attributes before those of the master variant."""

    category_ids: tuple[str, ...]
    attributes: tuple[Attribute, ...]


class Lookups:
    """The look-ups of one process, for all its threads.

    Methods that take `left_out` go on without what the credentials may not read, and say so there; of an order's look-ups
    (`products`, `discount_codes`, `group`) also without what cannot be read now. They raise what the client raises
    for everything else: `AuthError` for credentials that are refused, `Interrupted` when asked to stop.
    """

    def __init__(
        self, client: CommercetoolsClient, *, ttl_s: float = TTL_S, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.client = client
        self._products = ExpiringCache[str, _Ordered | None](_MOST_PRODUCTS, ttl_s, monotonic)
        self._categories = ExpiringCache[str, Category | None](_MOST_CATEGORIES, ttl_s, monotonic)
        self._codes = ExpiringCache[str, str | None](_MOST_OTHERS, ttl_s, monotonic)
        self._groups = ExpiringCache[str, ExpandedGroup | None](_MOST_OTHERS, ttl_s, monotonic)
        self._ids = ExpiringCache[tuple[str, str], str](_MOST_OTHERS, ttl_s, monotonic)
        self._forbidden = ExpiringCache[str, bool](_MOST_OTHERS, ttl_s, monotonic)
        self._named: set[str] = set()

    def products(self, ids: Iterable[str], budget: Budget, left_out: LeftOut) -> dict[str, OrderedProduct]:
        """Current categories (ancestors expanded) and attributes by product id; one request for a hundred that are not known."""
        found = self._by_id("products", self._products, ids, _Product, _ordered, budget, left_out)
        category_ids = {category_id for product in found.values() for category_id in product.category_ids}
        categories = self._by_id(
            "categories", self._categories, category_ids, Category, _itself, budget, left_out, expand=("ancestors[*]",)
        )
        return {
            product_id: OrderedProduct(
                categories=[categories[category_id] for category_id in product.category_ids if category_id in categories],
                attributes=[*product.attributes],
            )
            for product_id, product in found.items()
        }

    def discount_codes(self, ids: Iterable[str], budget: Budget, left_out: LeftOut) -> dict[str, str]:
        """The codes by the ids of the discount codes."""
        return self._by_id("discount-codes", self._codes, ids, _DiscountCode, lambda row: row.code, budget, left_out)

    def customer(self, customer_id: str, budget: Budget, left_out: LeftOut) -> Customer | None:
        """A customer as it is at this moment: never from the cache, since its e-mail decides whose an event is.

        Only a customer that may not be read is done without; one that cannot be read now is an error.
        """

        def read() -> list[Customer]:
            return rows(
                self.client,
                "customers",
                Customer,
                "id = :id",
                {"id": customer_id},
                budget=budget,
                read_timeout_s=READ_S,
                kind=PathKind.OPTIONAL_LOOKUP,
            )

        found = self.if_allowed("customers", read, left_out)
        return found[0] if found else None

    def group(self, group_id: str, budget: Budget, left_out: LeftOut) -> ExpandedGroup | None:
        """Name and key of a customer group."""
        found = self._by_id("customer-groups", self._groups, [group_id], _CustomerGroup, _expanded_group, budget, left_out)
        return found.get(group_id)

    def id_of_key(self, path: str, key: str, budget: Budget) -> str:
        """The id of the resource with this key, empty when there is none. Raises what the client raises."""
        if (path, key) not in (held := self._ids.held([(path, key)])):
            try:
                found = one(self.client, f"{path}/key={quote(key, safe='')}", Reference, budget=budget, read_timeout_s=READ_S).id
            except Gone:
                found = ""
            held = {(path, key): found}
            self._ids.put(held)
        return held[path, key]

    def if_allowed(self, name: str, read: Callable[[], V], left_out: LeftOut) -> V | None:
        """What `read` gives; None when it is forbidden, and then without asking for a while. `name` tells look-ups apart."""
        if not self._forbidden.held([name]):
            try:
                return read()
            except Forbidden:
                self.forbid(name)
        left_out.add(Adjustment.LOOKUP_FORBIDDEN)
        return None

    def is_forbidden(self, name: str) -> bool:
        """Whether the look-up is known to be forbidden."""
        return bool(self._forbidden.held([name]))

    def forbid(self, name: str) -> None:
        """Remember for a while that the look-up is forbidden; the log names it once."""
        self._forbidden.put({name: True})
        if name not in self._named:
            self._named.add(name)
            _log.warning("the API client may not read something that is optional: going on without it", operation=name)

    def _by_id(
        self,
        path: str,
        cache: ExpiringCache[str, V | None],
        ids: Iterable[str],
        row_type: type[Row],
        value_of: Callable[[Row], V],
        budget: Budget,
        left_out: LeftOut,
        expand: tuple[str, ...] = (),
    ) -> dict[str, V]:
        """Values by id, from the cache or by as few queries as possible; what does not exist or cannot be had is not there."""
        wanted = set(ids)
        held = cache.held(wanted)
        for piece in chunked(wanted - held.keys()):

            def read(piece: list[str] = piece) -> list[Row]:
                return rows(
                    self.client,
                    path,
                    row_type,
                    "id in :id",
                    {"id": piece},
                    budget=budget,
                    read_timeout_s=LOOKUP_READ_S,
                    kind=PathKind.OPTIONAL_LOOKUP,
                    expand=expand,
                )

            found = self._if_possible(path, read, left_out)
            if found is None:
                break
            values: dict[str, V | None] = {**dict.fromkeys(piece), **{row.id: value_of(row) for row in found}}
            cache.put(values)
            held |= values
        return {key: value for key, value in held.items() if value is not None}

    def _if_possible(self, path: str, read: Callable[[], V], left_out: LeftOut) -> V | None:
        """What `read` gives; None when it fails in any way but wrong credentials and a stop."""
        try:
            return self.if_allowed(path, read, left_out)
        except (PermanentError, TransientError) as error:
            failure: Exception = error
        except Interrupted as interrupted:
            if interrupted.cause in (Interrupted.Cause.STOP, Interrupted.Cause.SUPERSEDED):
                raise
            failure = interrupted
        _log.warning("a look-up failed: going on without it", endpoint=path, error=failure)
        left_out.add(Adjustment.LOOKUP_FAILED)
        return None


def lookup_share(budget: Budget) -> Budget:
    """The part of a budget that an order's look-ups may use up."""
    return replace(budget, deadline=budget.monotonic() + max(0.0, budget.remaining_s) * LOOKUP_SHARE)


def _ordered(product: _Product) -> _Ordered:
    current = product.master_data.current
    return _Ordered(
        category_ids=tuple(category.id for category in current.categories),
        attributes=(*current.attributes, *current.master_variant.attributes),
    )


def _itself(category: Category) -> Category:
    return category


def _expanded_group(group: _CustomerGroup) -> ExpandedGroup:
    return ExpandedGroup(name=group.name, key=group.key)
