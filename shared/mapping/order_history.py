"""All that has happened to an order so far, as its document tells it (mapping.md "Events", "Placed, once").

What the import sends of every order, and realtime of one that it hears of late.
"""

from __future__ import annotations

from collections.abc import Sequence

from shared.commercetools.orders import Payment
from shared.mapping.choices import Choices
from shared.mapping.order_events import cancelled_at, fulfilled_at, placed_events
from shared.mapping.order_states import is_cancelled, is_fulfilled
from shared.mapping.order_summary import MappedEvents, mapped_events, order_summary
from shared.mapping.refunds import refund_events
from shared.mapping.result import Skip
from shared.mapping.sources import OrderSource


def order_history(
    source: OrderSource, payments: Sequence[Payment], choices: Choices, *, tells_of_buyer: bool = True
) -> MappedEvents | Skip:
    """Placed Order and its lines, whatever the order's state; Fulfilled, Cancelled and every successful refund where they apply.

    `payments` are those of the order, in its order, as far as they can be had. `tells_of_buyer`: Placed Order says what the
    billing address does, as in realtime; an import knows which orders had better not (ADR 0011). The events about the whole
    order share one `properties`: equal content is the same object.
    """
    summary = order_summary(source, choices)
    if isinstance(summary, Skip):
        return summary
    order, rules = source.order, choices.document.order
    placed = placed_events(summary, source, choices, tells_of_buyer=tells_of_buyer)
    events = list(placed.events)
    if is_fulfilled(order, rules):
        events.append(summary.event(rules.metrics.fulfilledOrder, summary.moment(fulfilled_at(order))))
    if is_cancelled(order, rules):
        events.append(summary.event(rules.metrics.cancelledOrder, summary.moment(cancelled_at(order))))
    events += refund_events(summary, payments, choices)
    return mapped_events(events, placed.adjustments)
