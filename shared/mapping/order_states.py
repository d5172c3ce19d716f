"""What the states of an order stand for (mapping.md "Which states")."""

from __future__ import annotations

from shared.commercetools.orders import Order
from shared.settings.document import OrderRules


def is_fulfilled(order: Order, rules: OrderRules) -> bool:
    """Whether the order is complete, or has been shipped."""
    return order.orderState in rules.states.changed.fulfilledOrder or order.shipmentState in rules.shipmentStates.fulfilledOrder


def is_cancelled(order: Order, rules: OrderRules) -> bool:
    """Whether the order is cancelled."""
    return order.orderState in rules.states.changed.cancelledOrder


def counts(order: Order, rules: OrderRules) -> bool:
    """Whether the order is in any state that makes an event (mapping.md "Placed, once")."""
    return order.orderState in rules.states.created.placedOrder or is_cancelled(order, rules) or is_fulfilled(order, rules)
