"""Discounts of an order: which codes applied, and how much cart discounts took off."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Context, Decimal

from shared.commercetools.catalog import Money
from shared.commercetools.orders import DiscountedItemPrice, Order
from shared.mapping.money import amount_of
from shared.mapping.order_shipping import shipping_infos
from shared.mapping.sources import OrderSource

EXACT = Context(prec=200)
"""Sums and products of amounts in it are exact: the usual 28 digits could round those of high precision."""

_APPLIED = "MatchesCart"


def discount_codes(source: OrderSource) -> list[str]:
    """The codes that applied, in their order, each once; without those whose code could not be read."""
    codes = [
        source.discount_codes.get(info.discountCode.id) or (info.discountCode.obj and info.discountCode.obj.code)
        for info in source.order.discountCodes
        if info.state is None or info.state == _APPLIED
    ]
    return list(dict.fromkeys(code for code in codes if code))


def discount_value(order: Order) -> Decimal:
    """What cart discounts took off the total, the lines and the shipping, in whole units; 0 when there are none.

    Reduced prices of products are not in it: no discount of the order, and already in `ItemPrice`.
    """
    total = Decimal(0)
    for amount, pieces in _portions(order):
        total = EXACT.fma(amount_of(amount), Decimal(pieces), total)
    return total


def _portions(order: Order) -> Iterator[tuple[Money, int]]:
    """What each discount took off, and how many times."""
    if order.discountOnTotalPrice is not None and order.discountOnTotalPrice.discountedAmount is not None:
        yield order.discountOnTotalPrice.discountedAmount, 1
    for line in order.all_lines:
        for priced in line.discountedPricePerQuantity:
            yield from _included(priced.discountedPrice, priced.quantity)
    for info in shipping_infos(order):
        if info.discountedPrice is not None:
            yield from _included(info.discountedPrice, 1)


def _included(price: DiscountedItemPrice, pieces: int) -> Iterator[tuple[Money, int]]:
    for portion in price.includedDiscounts:
        yield portion.discountedAmount, pieces
