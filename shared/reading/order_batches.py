"""What the orders of a page refer to, read for all of them at once (flows.md "One import")."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import msgspec

from shared.budget import Budget
from shared.commercetools.orders import Order, OrderWithJson, Payment
from shared.commercetools.reads import chunked
from shared.commercetools.resources import Customer, ExpandedGroup
from shared.commercetools.scan import Undecodable
from shared.mapping.result import Adjustment
from shared.mapping.sources import OrderSource
from shared.reading.lookups import LeftOut, Lookups
from shared.together import results, together

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class CompleteOrder:
    """An order with what it refers to; `payments` in its order. `left_out` says what had to be done without."""

    source: OrderSource
    payments: list[Payment]
    left_out: frozenset[Adjustment]


class _LookUp(Generic[V]):
    """One look-up for a page: what it asks for, in pieces that are asked for at the same time, and what it found."""

    def __init__(self, read: Callable[[Iterable[str], Budget, LeftOut], dict[str, V]], pieces: Iterable[list[str]]) -> None:
        self._read = read
        self._pieces = [piece for piece in pieces if piece]
        self.found: dict[str, V] = {}
        self.left_out: LeftOut = set()

    def calls(self, budget: Budget) -> list[Callable[[], None]]:
        """The calls that fill `found` and `left_out`."""
        return [partial(self._ask, piece, budget) for piece in self._pieces]

    def _ask(self, piece: list[str], budget: Budget) -> None:
        self.found.update(self._read(piece, budget, self.left_out))


def complete_orders(orders: Sequence[Order], lookups: Lookups, budget: Budget) -> Iterator[CompleteOrder | Undecodable]:
    """Each of the orders, in their order, with its customer, payments, products, discount codes and customer group.

    An order whose customer or payment is not what the API documents comes as `Undecodable`, with the place in that. Raises
    what the look-ups raise.
    """
    customers = _LookUp(lookups.customers, chunked(order.customerId for order in orders if order.customerId))
    payments = _LookUp(lookups.payments, chunked(payment_id for order in orders for payment_id in _payment_ids(order)))
    products = _LookUp(lookups.products, [[line.productId for order in orders for line in order.lineItems]])
    codes = _LookUp(lookups.discount_codes, [[info.discountCode.id for order in orders for info in order.discountCodes]])
    groups = _LookUp(lookups.groups, [[order.customerGroup.id for order in orders if order.customerGroup]])
    calls = [call for one in (customers, payments, products, codes, groups) for call in one.calls(budget)]
    results(together(calls, budget))
    for order in orders:
        customer = customers.found.get(order.customerId or "")
        named = [found for payment_id in _payment_ids(order) if (found := payments.found.get(payment_id))]
        if place := _unreadable(customer, named):
            yield Undecodable(order.id, place)
            continue
        left_out = set[Adjustment]()
        needed: tuple[tuple[object, LeftOut], ...] = (
            (order.customerId, customers.left_out),
            (_payment_ids(order), payments.left_out),
            (order.lineItems, products.left_out),
            (order.discountCodes, codes.left_out),
            (order.customerGroup, groups.left_out),
        )
        for refers, done_without in needed:
            if refers:
                left_out |= done_without
        yield CompleteOrder(
            source=OrderSource(
                order=_with_group(order, groups.found),
                raw=_raw(order),
                products=products.found,
                discount_codes=codes.found,
                customer=customer if isinstance(customer, Customer) else None,
            ),
            payments=[payment for payment in named if isinstance(payment, Payment)],
            left_out=frozenset(left_out),
        )


def _payment_ids(order: Order) -> list[str]:
    return [reference.id for reference in order.paymentInfo.payments] if order.paymentInfo else []


def _unreadable(customer: Customer | Undecodable | None, payments: Iterable[Payment | Undecodable]) -> str | None:
    """Where something that the order cannot do without has another form: who it is of, or what was paid back."""
    if isinstance(customer, Undecodable):
        return f"customer.{customer.field_path}"
    return next((f"payment.{payment.field_path}" for payment in payments if isinstance(payment, Undecodable)), None)


def _with_group(order: Order, groups: Mapping[str, ExpandedGroup]) -> Order:
    group = order.customerGroup
    if group is None:
        return order
    return msgspec.structs.replace(order, customerGroup=msgspec.structs.replace(group, obj=groups.get(group.id)))


def _raw(order: Order) -> dict[str, Any]:
    return msgspec.json.decode(order.json, type=dict[str, Any]) if isinstance(order, OrderWithJson) else {}
