"""What resources refer to, looked up for all of a process: cached, and done without where that cannot be had."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeVar
from urllib.parse import quote

from shared import logs
from shared.budget import Budget
from shared.cache import ExpiringCache
from shared.commercetools.catalog import Category, Reference
from shared.commercetools.client import CommercetoolsClient
from shared.commercetools.orders import Payment
from shared.commercetools.reads import Identified, chunked, one, rows
from shared.commercetools.resources import Customer, ExpandedGroup
from shared.commercetools.scan import Undecodable
from shared.commercetools.verdict import Forbidden
from shared.errors import Gone, Interrupted, PermanentError, TransientError
from shared.mapping.result import Adjustment
from shared.mapping.sources import OrderedProduct
from shared.outcomes import PathKind
from shared.reading.lookup_rows import CustomerGroupRow, DiscountCodeRow, KeptProduct, ProductRow, kept_product

TTL_S = 300.0
"""How long something looked up may be used, and how long what was forbidden is not asked again."""

READ_S = 3.5
"""How long one read may take, so that of 8.5 seconds one that hangs leaves time for another (decisions.md 5)."""

LOOKUP_SHARE = 0.4
"""The part of the remaining time that all look-ups of an order may take together; the rest is for sending it."""


@dataclass(frozen=True, slots=True)
class LookupRules:
    """How patient look-ups are, and how much is remembered.

    `read_s` is the time for one read, `optional_read_s` for one that an order can do without. `waits`: what cannot be read
    now is an error, and the work is done again; otherwise an order does without. `attributes` names those of a product
    that are kept; None keeps all.
    """

    read_s: float
    optional_read_s: float
    waits: bool
    most_products: int
    most_categories: int
    most_others: int
    attributes: frozenset[str] | None = None


REALTIME = LookupRules(
    read_s=READ_S, optional_read_s=1.6, waits=False, most_products=500, most_categories=2_000, most_others=1_000
)
"""A message has 8.5 seconds, and other instances work on others."""


def bulk_rules(brand_attribute: str) -> LookupRules:
    """The rules of an import, whose batches come again and meet the same products: of these it needs the brand alone."""
    return LookupRules(
        read_s=30.0,
        optional_read_s=30.0,
        waits=True,
        most_products=10_000,
        most_categories=5_000,
        most_others=10_000,
        attributes=frozenset({brand_attribute}),
    )


LeftOut = set[Adjustment]
"""Gathers what had to be done without."""

Row = TypeVar("Row", bound=Identified)
V = TypeVar("V")

_log = logs.get(__name__)


class Lookups:
    """The look-ups of one process, for all its threads.

    Methods that take `left_out` go on without what the credentials may not read, and say so there; of an order's look-ups
    (`products`, `discount_codes`, `groups`) also without what has another form, and without what cannot be read now unless
    the rules say to wait. They raise what the client raises for everything else: `AuthError` for credentials that are
    refused, `Interrupted` when asked to stop.
    """

    def __init__(
        self,
        client: CommercetoolsClient,
        rules: LookupRules = REALTIME,
        *,
        ttl_s: float = TTL_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.client = client
        self._rules = rules
        self._products = ExpiringCache[str, KeptProduct | None](rules.most_products, ttl_s, monotonic)
        self._categories = ExpiringCache[str, Category | None](rules.most_categories, ttl_s, monotonic)
        self._codes = ExpiringCache[str, str | None](rules.most_others, ttl_s, monotonic)
        self._groups = ExpiringCache[str, ExpandedGroup | None](rules.most_others, ttl_s, monotonic)
        self._ids = ExpiringCache[tuple[str, str], str](rules.most_others, ttl_s, monotonic)
        self._forbidden = ExpiringCache[str, bool](rules.most_others, ttl_s, monotonic)
        self._named: set[str] = set()

    def products(self, ids: Iterable[str], budget: Budget, left_out: LeftOut) -> dict[str, OrderedProduct]:
        """Current categories (ancestors expanded) and attributes by product id; one request for a hundred that are not known."""
        wanted = self._rules.attributes
        found = self._by_id("products", self._products, ids, ProductRow, lambda row: kept_product(row, wanted), budget, left_out)
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
        return self._by_id("discount-codes", self._codes, ids, DiscountCodeRow, lambda row: row.code, budget, left_out)

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
                read_timeout_s=self._rules.read_s,
                kind=PathKind.OPTIONAL_LOOKUP,
            )

        found = self.if_allowed("customers", read, left_out)
        return found[0] if found else None

    def customers(self, ids: Iterable[str], budget: Budget, left_out: LeftOut) -> dict[str, Customer | Undecodable]:
        """Customers by id, as they are at this moment, as `customer`; a hundred a request."""
        return self._now("customers", Customer, ids, budget, left_out)

    def payments(self, ids: Iterable[str], budget: Budget, left_out: LeftOut) -> dict[str, Payment | Undecodable]:
        """Payments by id, as they are at this moment; a hundred a request. Only what may not be read is done without."""
        return self._now("payments", Payment, ids, budget, left_out)

    def groups(self, ids: Iterable[str], budget: Budget, left_out: LeftOut) -> dict[str, ExpandedGroup]:
        """Names and keys of customer groups by id."""
        return self._by_id("customer-groups", self._groups, ids, CustomerGroupRow, lambda row: row.named, budget, left_out)

    def id_of_key(self, path: str, key: str, budget: Budget) -> str:
        """The id of the resource with this key, empty when there is none. Raises what the client raises."""
        if (path, key) not in (held := self._ids.held([(path, key)])):
            try:
                where = f"{path}/key={quote(key, safe='')}"
                found = one(self.client, where, Reference, budget=budget, read_timeout_s=self._rules.read_s).id
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
            unreadable: dict[str, str] = {}

            def read(piece: list[str] = piece, unreadable: dict[str, str] = unreadable) -> list[Row]:
                return rows(
                    self.client,
                    path,
                    row_type,
                    "id in :id",
                    {"id": piece},
                    budget=budget,
                    read_timeout_s=self._rules.optional_read_s,
                    kind=PathKind.OPTIONAL_LOOKUP,
                    expand=expand,
                    on_unreadable=unreadable.__setitem__,
                )

            found = self._if_possible(path, read, left_out)
            if found is None:
                break
            if unreadable:
                _log.warning("what a look-up found cannot be read: going on without it", endpoint=path, rows=len(unreadable))
                left_out.add(Adjustment.LOOKUP_FAILED)
            absent = dict.fromkeys(row_id for row_id in piece if row_id not in unreadable)
            values: dict[str, V | None] = {**absent, **{row.id: value_of(row) for row in found}}
            cache.put(values)
            held |= values
        return {key: value for key, value in held.items() if value is not None}

    def _now(
        self, path: str, row_type: type[Row], ids: Iterable[str], budget: Budget, left_out: LeftOut
    ) -> dict[str, Row | Undecodable]:
        """Rows by id, never from a cache; what does not exist, or may not be read, is not there."""
        found: dict[str, Row | Undecodable] = {}

        def keep(row_id: str, field_path: str) -> None:
            found[row_id] = Undecodable(row_id, field_path)

        for piece in chunked(ids):

            def read(piece: list[str] = piece) -> list[Row]:
                return rows(
                    self.client,
                    path,
                    row_type,
                    "id in :id",
                    {"id": piece},
                    budget=budget,
                    read_timeout_s=self._rules.read_s,
                    kind=PathKind.OPTIONAL_LOOKUP,
                    on_unreadable=keep,
                )

            page = self.if_allowed(path, read, left_out)
            if page is None:
                break
            found |= {row.id: row for row in page}
        return found

    def _if_possible(self, path: str, read: Callable[[], V], left_out: LeftOut) -> V | None:
        """What `read` gives; None when it fails, unless that is to be waited for. Not for wrong credentials or a stop."""
        if self._rules.waits:
            return self.if_allowed(path, read, left_out)
        try:
            return self.if_allowed(path, read, left_out)
        except (PermanentError, TransientError) as error:
            failure: Exception = error
        except Interrupted as interrupted:
            if interrupted.cause not in (Interrupted.Cause.DEADLINE, Interrupted.Cause.CROWDED):
                raise
            failure = interrupted
        _log.warning("a look-up failed: going on without it", endpoint=path, error=failure)
        left_out.add(Adjustment.LOOKUP_FAILED)
        return None


def lookup_share(budget: Budget) -> Budget:
    """The part of a budget that an order's look-ups may use up."""
    return replace(budget, deadline=budget.monotonic() + max(0.0, budget.remaining_s) * LOOKUP_SHARE)


def _itself(category: Category) -> Category:
    return category
