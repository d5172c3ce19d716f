"""Reading an order, or the order of a payment, with what its events need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from shared.budget import Budget
from shared.commercetools.client import CommercetoolsClient
from shared.commercetools.orders import Order, Payment
from shared.commercetools.reads import chunked, decoded, first, one, rows
from shared.commercetools.resources import Customer
from shared.errors import Gone, Host, PermanentError
from shared.mapping.refunds import REFUND, SUCCESS
from shared.mapping.sources import OrderSource, PaidOrderSource
from shared.reading.lookups import READ_S, LeftOut, Lookups, lookup_share
from shared.realtime.messages import SETS_IDENTITY, OrderMessage, embeds_order, transaction_id
from shared.realtime.notification import Notification

ORDER_WAITS_S = (0.5, 1.0, 2.0)
"""Pauses before an order that does not name a payment yet is looked for again."""


class NoOrderForPayment(PermanentError):
    """No order names the payment, although it was looked for several times; `reason` is no_order_for_payment."""

    def __init__(self) -> None:
        super().__init__("no_order_for_payment", host=Host.COMMERCETOOLS, status=200)


class _RawOrderMessage(msgspec.Struct, frozen=True):
    order: dict[str, Any]


@dataclass(frozen=True, slots=True)
class OrderReader:
    """`whole_customer` reads a customer for a profile; `sends_raw`: events carry raw order fields."""

    client: CommercetoolsClient
    lookups: Lookups
    whole_customer: Callable[[str, Budget, LeftOut], Customer]
    sends_raw: bool

    def order(self, notification: Notification, budget: Budget, left_out: LeftOut) -> OrderSource:
        """The order that the notification holds, else as it is now. Raises `Gone` and what the client raises."""
        if embeds_order(notification):
            order = notification.fields(OrderMessage).order
            raw = notification.fields(_RawOrderMessage).order if self.sends_raw else {}
            return self._complete(order, raw, self._buyer(order, budget, left_out), budget, left_out)
        body = self.client.get(f"orders/{notification.resource_id}", budget=budget, read_timeout_s=READ_S)
        order = decoded(body, Order, "GET orders")
        whose = self._whose if notification.type in SETS_IDENTITY else self._buyer
        return self._complete(order, self._raw(body), whose(order, budget, left_out), budget, left_out)

    def paid_order(self, notification: Notification, budget: Budget, left_out: LeftOut) -> PaidOrderSource:
        """The payment, and when a refund of it that the notification means has succeeded, its order with all payments.

        Raises `Gone`, `NoOrderForPayment` and what the client raises.
        """
        payment = one(self.client, f"payments/{notification.resource_id}", Payment, budget=budget, read_timeout_s=READ_S)
        meant = transaction_id(notification)
        if not any(
            transaction.type == REFUND and transaction.state == SUCCESS and meant in (None, transaction.id)
            for transaction in payment.transactions
        ):
            return PaidOrderSource(payment=payment)
        order, body = self._order_with(payment.id, budget)
        named = [reference.id for reference in order.paymentInfo.payments] if order.paymentInfo else []
        found = {payment.id: payment}
        for piece in chunked(payment_id for payment_id in named if payment_id != payment.id):
            page = rows(self.client, "payments", Payment, "id in :id", {"id": piece}, budget=budget, read_timeout_s=READ_S)
            found |= {row.id: row for row in page}
        return PaidOrderSource(
            payment=payment,
            order=self._complete(order, self._raw(body), self._buyer(order, budget, left_out), budget, left_out),
            payments=[found[payment_id] for payment_id in named if payment_id in found],
        )

    def _buyer(self, order: Order, budget: Budget, left_out: LeftOut) -> Customer | None:
        """Whose events they are. Only what is forbidden is done without: the order's own e-mail may be an older one."""
        return self.lookups.customer(order.customerId, budget, left_out) if order.customerId else None

    def _whose(self, order: Order, budget: Budget, left_out: LeftOut) -> Customer | None:
        """The customer whole, since the message may come to a profile; nothing is done without it but where it is gone."""
        if not order.customerId:
            return None
        try:
            return self.whole_customer(order.customerId, budget, left_out)
        except Gone:
            return None

    def _complete(
        self, order: Order, raw: dict[str, Any], customer: Customer | None, budget: Budget, left_out: LeftOut
    ) -> OrderSource:
        """The order with what it refers to, as far as that can be had in a part of the time (decisions.md 4)."""
        lookups, share = self.lookups, lookup_share(budget)
        codes = {info.discountCode.id: info.discountCode.obj for info in order.discountCodes}
        expanded = {code_id: obj.code for code_id, obj in codes.items() if obj and obj.code}
        group = order.customerGroup
        if group and group.obj is None:
            named = msgspec.structs.replace(group, obj=lookups.groups([group.id], share, left_out).get(group.id))
            order = msgspec.structs.replace(order, customerGroup=named)
        return OrderSource(
            order=order,
            raw=raw,
            products=lookups.products({line.productId for line in order.lineItems}, share, left_out),
            discount_codes=expanded | lookups.discount_codes(codes.keys() - expanded.keys(), share, left_out),
            customer=customer,
        )

    def _raw(self, body: bytes) -> dict[str, Any]:
        return decoded(body, dict[str, Any], "GET orders") if self.sends_raw else {}

    def _order_with(self, payment_id: str, budget: Budget) -> tuple[Order, bytes]:
        """The oldest order that names the payment, and its JSON; one that is made at this moment is waited for."""
        for wait_s in (0.0, *ORDER_WAITS_S):
            if wait_s:
                if budget.remaining_s < wait_s + READ_S / 2:
                    break
                budget.sleep(wait_s)
            found = first(
                self.client,
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
