"""Reading from commercetools what a notification's route needs (flows.md "One notification")."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar, cast

import msgspec

from shared.budget import Budget
from shared.commercetools.catalog import Category, InventoryEntry, ProductProjection, Reference
from shared.commercetools.client import CommercetoolsClient
from shared.commercetools.kinds import PRODUCTS
from shared.commercetools.reads import Identified, chunked, one, rows
from shared.commercetools.resources import Customer
from shared.errors import AuthError, Gone
from shared.mapping.choices import Choices
from shared.mapping.result import Adjustment
from shared.mapping.sources import CategorySource, CustomerSource, OrderSource, PaidOrderSource, ProductSource, StockSource
from shared.reading.choosing import Chooser
from shared.reading.lookups import READ_S, TTL_S, LeftOut, Lookups
from shared.reading.products import EXPANDED, with_stock_and_prices
from shared.reading.sku_owners import owners_of
from shared.realtime.messages import InventoryDeletedMessage
from shared.realtime.notification import Notification
from shared.realtime.order_reading import OrderReader
from shared.realtime.route import NoSource
from shared.settings.model import MappingSettings

S = TypeVar("S", bound=msgspec.Struct)
Row = TypeVar("Row", bound=Identified)
T = TypeVar("T")

_Reader: TypeAlias = Callable[[Notification, Budget, LeftOut], msgspec.Struct]


@dataclass(frozen=True, slots=True)
class Reading(Generic[S]):
    """What was read, and what had to be left out of it."""

    source: S
    adjustments: tuple[Adjustment, ...] = ()


class Sources:
    """Reads the sources of all mappings; one for the process, shared by its threads."""

    def __init__(
        self,
        client: CommercetoolsClient,
        mapping: MappingSettings,
        *,
        ttl_s: float = TTL_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`ttl_s`: how long what resources refer to may be used without being read again."""
        self._client = client
        self._lookups = Lookups(client, ttl_s=ttl_s, monotonic=monotonic)
        self._chooser = Chooser(mapping, self._lookups)
        sends_raw = mapping.document.order.properties.sends_raw
        orders = OrderReader(client, self._lookups, self._one_customer, sends_raw=sends_raw)
        self._readers: Mapping[type[msgspec.Struct], _Reader] = {
            NoSource: self._nothing,
            CustomerSource: self._customer,
            OrderSource: orders.order,
            PaidOrderSource: orders.paid_order,
            ProductSource: self._product,
            CategorySource: self._category,
            StockSource: self._stock,
        }

    def choices(self, source: type[msgspec.Struct], budget: Budget) -> Choices:
        """The merchant's choices for a mapping of `source`. Raises what the client raises."""
        return self._chooser.choices(source, budget)

    def read(self, source: type[S], notification: Notification, budget: Budget) -> Reading[S] | None:
        """The source for a notification, None when the resource does not exist any more.

        The resource itself, stock and prices are read anew each time, so that two readings may be compared. Raises
        `MalformedNotification`, `NoOrderForPayment`, and what the client raises.
        """
        left_out: LeftOut = set()
        try:
            found = self._readers[source](notification, budget, left_out)
        except Gone:
            return None
        return Reading(cast(S, found), tuple(kind for kind in Adjustment if kind in left_out))

    def missing_categories(self, ids: Sequence[str], budget: Budget) -> list[str]:
        """Which of these categories commercetools does not have. Raises what the client raises.

        What a query does not find is asked for by its id: a query may not know yet what was created a moment ago.
        """
        found = {row.id for row in self._rows("categories", Reference, "id in :id", "id", list(ids), budget)}
        return [category_id for category_id in ids if category_id not in found and self._is_gone(category_id, budget)]

    def owners_of(self, skus: Sequence[str], budget: Budget) -> list[str]:
        """The ids of the published products that have one of these SKUs. Raises what the client raises."""
        return owners_of(skus, self._client, budget)

    def _is_gone(self, category_id: str, budget: Budget) -> bool:
        try:
            one(self._client, f"categories/{category_id}", Reference, budget=budget, read_timeout_s=READ_S)
        except Gone:
            return True
        return False

    def _nothing(self, _notification: Notification, _budget: Budget, _left_out: LeftOut) -> NoSource:
        return NoSource()

    def _customer(self, notification: Notification, budget: Budget, left_out: LeftOut) -> CustomerSource:
        return CustomerSource(customer=self._one_customer(notification.resource_id, budget, left_out))

    def _product(self, notification: Notification, budget: Budget, left_out: LeftOut) -> ProductSource:
        path = f"product-projections/{notification.resource_id}"
        product = self._expanded(path, ProductProjection, EXPANDED, budget, left_out, params=PRODUCTS.params)
        (read,) = with_stock_and_prices([product], self._lookups, budget, read_timeout_s=READ_S)
        left_out.update(read.left_out)
        return read.source

    def _category(self, notification: Notification, budget: Budget, left_out: LeftOut) -> CategorySource:
        category = self._expanded(f"categories/{notification.resource_id}", Category, "ancestors[*]", budget, left_out)
        descendants = rows(
            self._client,
            "categories",
            Category,
            "ancestors(id = :id)",
            {"id": category.id},
            budget=budget,
            read_timeout_s=READ_S,
            expand=("ancestors[*]",),
        )
        return CategorySource(category=category, descendants=descendants)

    def _stock(self, notification: Notification, budget: Budget, _left_out: LeftOut) -> StockSource:
        sku = notification.sku
        if not sku and notification.has_payload and notification.type == "InventoryEntryDeleted":
            sku = notification.fields(InventoryDeletedMessage).sku
        if not sku:
            path = f"inventory/{notification.resource_id}"
            sku = one(self._client, path, InventoryEntry, budget=budget, read_timeout_s=READ_S).sku
        return StockSource(sku=sku, entries=self._entries([sku], budget))

    def _one_customer(self, customer_id: str, budget: Budget, left_out: LeftOut) -> Customer:
        return self._expanded(f"customers/{customer_id}", Customer, "customerGroup", budget, left_out)

    def _entries(self, skus: list[str], budget: Budget) -> list[InventoryEntry]:
        return self._rows("inventory", InventoryEntry, "sku in :sku", "sku", skus, budget)

    def _rows(
        self,
        path: str,
        row_type: type[Row],
        where: str,
        variable: str,
        values: list[str],
        budget: Budget,
    ) -> list[Row]:
        """All resources that have one of the values, in id order."""
        found = [
            row
            for piece in chunked(values)
            for row in rows(self._client, path, row_type, where, {variable: piece}, budget=budget, read_timeout_s=READ_S)
        ]
        return sorted(found, key=lambda row: row.id)

    def _expanded(
        self,
        path: str,
        resource_type: type[T],
        expand: str,
        budget: Budget,
        left_out: LeftOut,
        *,
        params: tuple[tuple[str, str], ...] = (),
    ) -> T:
        """One resource with what it refers to; without that where the credentials may read only the resource itself."""
        collection = path.partition("/")[0]
        name = f"{collection}.{expand}"
        refused = False
        if not self._lookups.is_forbidden(name):
            try:
                asked = (*params, ("expand", expand))
                return one(self._client, path, resource_type, budget=budget, read_timeout_s=READ_S, params=asked)
            except AuthError as error:
                if error.status != 403:
                    raise
                refused = True
        found = one(self._client, path, resource_type, budget=budget, read_timeout_s=READ_S, params=params)
        if refused:
            self._lookups.forbid(name)
        left_out.add(Adjustment.LOOKUP_FORBIDDEN)
        return found
