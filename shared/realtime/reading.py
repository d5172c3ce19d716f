"""Reading from commercetools what a notification's route needs (flows.md "One notification")."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar, cast

import msgspec

from shared.budget import Budget
from shared.commercetools.catalog import Category, InventoryEntry, ProductProjection, Reference, StandalonePrice
from shared.commercetools.client import CommercetoolsClient
from shared.commercetools.orders import Order, Payment
from shared.commercetools.reads import Identified, chunked, decoded, first, one, rows
from shared.commercetools.resources import Customer
from shared.errors import AuthError, Gone, Host, PermanentError
from shared.mapping.choices import Choices
from shared.mapping.refunds import REFUND, SUCCESS
from shared.mapping.result import Adjustment
from shared.mapping.sources import CategorySource, CustomerSource, OrderSource, PaidOrderSource, ProductSource, StockSource
from shared.outcomes import PathKind
from shared.realtime.choosing import Chooser
from shared.realtime.lookups import READ_S, TTL_S, LeftOut, Lookups, lookup_share
from shared.realtime.messages import InventoryDeletedMessage, OrderMessage
from shared.realtime.notification import Notification
from shared.realtime.route import NoSource
from shared.settings.model import MappingSettings

EMBEDS_ORDER = frozenset({"OrderCreated", "OrderImported", "OrderCreatedFromRecurringOrder"})
"""Messages that hold the order as it was at that moment, which is then not read."""

SETS_IDENTITY = frozenset({"OrderCustomerSet", "OrderCustomerEmailSet"})
"""Messages whose meaning depends on the order's customer, who then is no optional look-up."""

ORDER_WAITS_S = (0.5, 1.0, 2.0)
"""Pauses before an order that does not name a payment yet is looked for again."""

S = TypeVar("S", bound=msgspec.Struct)
Row = TypeVar("Row", bound=Identified)
T = TypeVar("T")

_Reader: TypeAlias = Callable[[Notification, Budget, LeftOut], msgspec.Struct]


class NoOrderForPayment(PermanentError):
    """No order names the payment, although it was looked for several times; `reason` is no_order_for_payment."""

    def __init__(self) -> None:
        super().__init__("no_order_for_payment", host=Host.COMMERCETOOLS, status=200)


@dataclass(frozen=True, slots=True)
class Reading(Generic[S]):
    """What was read, and what had to be left out of it."""

    source: S
    adjustments: tuple[Adjustment, ...] = ()


class _RawOrderMessage(msgspec.Struct, frozen=True):
    order: dict[str, Any]


class _TransactionMessage(msgspec.Struct, frozen=True, rename="camel"):
    transaction_id: str | None = None
    transaction: Reference | None = None


def _transaction_id(notification: Notification) -> str | None:
    """The transaction that a message about a payment speaks of; None when it does not say."""
    if not notification.has_payload:
        return None
    message = notification.fields(_TransactionMessage)
    return message.transaction_id or (message.transaction.id if message.transaction else None)


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
        self._sends_raw = mapping.document.order.properties.sends_raw
        self._readers: Mapping[type[msgspec.Struct], _Reader] = {
            NoSource: self._nothing,
            CustomerSource: self._customer,
            OrderSource: self._order,
            PaidOrderSource: self._paid_order,
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

    def _order(self, notification: Notification, budget: Budget, left_out: LeftOut) -> OrderSource:
        if notification.has_payload and notification.type in EMBEDS_ORDER:
            order = notification.fields(OrderMessage).order
            raw = notification.fields(_RawOrderMessage).order if self._sends_raw else {}
            return self._complete(order, raw, budget, left_out)
        body = self._client.get(f"orders/{notification.resource_id}", budget=budget, read_timeout_s=READ_S)
        order = decoded(body, Order, "GET orders")
        return self._complete(order, self._raw(body), budget, left_out, whose=notification.type in SETS_IDENTITY)

    def _paid_order(self, notification: Notification, budget: Budget, left_out: LeftOut) -> PaidOrderSource:
        payment = one(self._client, f"payments/{notification.resource_id}", Payment, budget=budget, read_timeout_s=READ_S)
        named_id = _transaction_id(notification)
        if not any(
            transaction.type == REFUND and transaction.state == SUCCESS and named_id in (None, transaction.id)
            for transaction in payment.transactions
        ):
            return PaidOrderSource(payment=payment)
        order, body = self._order_with(payment.id, budget)
        named = [reference.id for reference in order.paymentInfo.payments] if order.paymentInfo else []
        found = {row.id: row for row in self._rows("payments", Payment, "id in :id", "id", named, budget)}
        return PaidOrderSource(
            payment=payment,
            order=self._complete(order, self._raw(body), budget, left_out),
            payments=[found[payment_id] for payment_id in named if payment_id in found],
        )

    def _product(self, notification: Notification, budget: Budget, left_out: LeftOut) -> ProductSource:
        path = f"product-projections/{notification.resource_id}"
        expand = "categories[*].ancestors[*]"
        product = self._expanded(path, ProductProjection, expand, budget, left_out, params=(("staged", "false"),))
        skus = [variant.sku for variant in product.all_variants if variant.sku]
        lookup = PathKind.OPTIONAL_LOOKUP
        entries = self._lookups.if_allowed("inventory", lambda: self._entries(skus, budget, kind=lookup), left_out)
        prices: list[StandalonePrice] | None = []
        if product.priceMode == "Standalone":
            prices = self._lookups.if_allowed(
                "standalone-prices",
                lambda: self._rows("standalone-prices", StandalonePrice, "sku in :sku", "sku", skus, budget, kind=lookup),
                left_out,
            )
        return ProductSource(product=product, entries=entries, standalone_prices=prices or [])

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

    def _customer_of(self, order: Order, budget: Budget, left_out: LeftOut) -> Customer | None:
        if not order.customerId:
            return None
        try:
            return self._one_customer(order.customerId, budget, left_out)
        except Gone:
            return None

    def _complete(
        self, order: Order, raw: dict[str, Any], budget: Budget, left_out: LeftOut, *, whose: bool = False
    ) -> OrderSource:
        """The order with what it refers to, as far as that can be had in a part of the time (decisions.md 4).

        The customer comes first, since who it is matters more than what else is known. `whose`: nothing goes without it.
        """
        customer = self._customer_of(order, budget, left_out) if whose else None
        lookups, share = self._lookups, lookup_share(budget)
        if order.customerId and not whose:
            customer = lookups.customer(order.customerId, share, left_out)
        codes = {info.discountCode.id: info.discountCode.obj for info in order.discountCodes}
        expanded = {code_id: obj.code for code_id, obj in codes.items() if obj and obj.code}
        group = order.customerGroup
        if group and group.obj is None:
            named = msgspec.structs.replace(group, obj=lookups.group(group.id, share, left_out))
            order = msgspec.structs.replace(order, customerGroup=named)
        return OrderSource(
            order=order,
            raw=raw,
            products=lookups.products({line.productId for line in order.lineItems}, share, left_out),
            discount_codes=expanded | lookups.discount_codes(codes.keys() - expanded.keys(), share, left_out),
            customer=customer,
        )

    def _raw(self, body: bytes) -> dict[str, Any]:
        return decoded(body, dict[str, Any], "GET orders") if self._sends_raw else {}

    def _order_with(self, payment_id: str, budget: Budget) -> tuple[Order, bytes]:
        """The oldest order that names the payment, and its JSON; one that is made at this moment is waited for."""
        for wait_s in (0.0, *ORDER_WAITS_S):
            if wait_s:
                if budget.remaining_s < wait_s + READ_S / 2:
                    break
                budget.sleep(wait_s)
            found = first(
                self._client,
                "orders",
                Order,
                "paymentInfo(payments(id = :id))",
                {"id": payment_id},
                sort=("createdAt asc", "id asc"),
                budget=budget,
                read_timeout_s=READ_S,
            )
            if found:
                return found
        raise NoOrderForPayment

    def _entries(self, skus: list[str], budget: Budget, *, kind: PathKind = PathKind.COLLECTION) -> list[InventoryEntry]:
        return self._rows("inventory", InventoryEntry, "sku in :sku", "sku", skus, budget, kind=kind)

    def _rows(
        self,
        path: str,
        row_type: type[Row],
        where: str,
        variable: str,
        values: list[str],
        budget: Budget,
        *,
        kind: PathKind = PathKind.COLLECTION,
    ) -> list[Row]:
        """All resources that have one of the values, in id order."""
        found = [
            row
            for piece in chunked(values)
            for row in rows(
                self._client, path, row_type, where, {variable: piece}, budget=budget, read_timeout_s=READ_S, kind=kind
            )
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
