"""Orders to Klaviyo events (mapping.md "Events"): one pure function each for realtime and bulk. None of them raises."""

from __future__ import annotations

from shared.commercetools.orders import Order
from shared.commercetools.resources import Customer
from shared.klaviyo.events import Event
from shared.mapping.choices import Choices
from shared.mapping.email import normalised_email
from shared.mapping.moments import first_moment, iso, moment_of
from shared.mapping.order_lines import further_line_properties, line_properties, line_total, raw_lines
from shared.mapping.order_profile import placing_profile
from shared.mapping.order_properties import fitted_properties
from shared.mapping.order_shipping import deliveries
from shared.mapping.order_summary import MappedEvents, OrderSummary, mapped_events, order_summary
from shared.mapping.result import Adjustment, Skip
from shared.mapping.sources import OrderSource

__all__ = [
    "MappedEvents",
    "cancelled_at",
    "cancelled_order",
    "fulfilled_at",
    "fulfilled_order",
    "placed_events",
    "placed_order",
    "same_person",
]

LINES_LATER_S = 1
"""So many seconds after Placed Order come its lines, all at once: Klaviyo shows them in this order."""


def placed_order(source: OrderSource, choices: Choices) -> MappedEvents | Skip:
    """Placed Order, then one Ordered Product for each line item; custom line items have none."""
    summary = order_summary(source, choices)
    return summary if isinstance(summary, Skip) else placed_events(summary, source, choices)


def placed_events(summary: OrderSummary, source: OrderSource, choices: Choices, *, tells_of_buyer: bool = True) -> MappedEvents:
    """The events of `placed_order`, given the summary of the order; with all that was left out of either.

    Unless it `tells_of_buyer`, Placed Order names its buyer as all other events do, by the identifiers alone.
    """
    adjustments = set(summary.adjustments)
    profile = placing_profile(summary.buyer, summary.order, adjustments) if tells_of_buyer else None
    placed = summary.event(choices.document.order.metrics.placedOrder, iso(summary.placed), profile=profile)
    lines = _ordered_products(summary, source, choices, adjustments)
    return mapped_events([placed, *lines], adjustments)


def _ordered_products(summary: OrderSummary, source: OrderSource, choices: Choices, adjustments: set[Adjustment]) -> list[Event]:
    order = summary.order
    raw = raw_lines(source, choices)
    time = iso(summary.placed, seconds_later=LINES_LATER_S)
    return [
        summary.part(
            choices.document.order.metrics.orderedProduct,
            unique_id=line.id,
            time=time,
            value=line_total(line),
            currency=(line.totalPrice or order.totalPrice).currencyCode,
            properties=fitted_properties(
                line_properties(order, item), further_line_properties(line, raw.get(line.id, {}), choices), adjustments
            ),
        )
        for line, item in zip(order.lineItems, summary.items, strict=True)
    ]


def fulfilled_order(source: OrderSource, choices: Choices, at: str) -> MappedEvents | Skip:
    """Fulfilled Order, `at` the time of the notification or of `fulfilled_at`."""
    return _whole_order(source, choices, choices.document.order.metrics.fulfilledOrder, at)


def cancelled_order(source: OrderSource, choices: Choices, at: str) -> MappedEvents | Skip:
    """Cancelled Order, `at` the time of the notification or of `cancelled_at`."""
    return _whole_order(source, choices, choices.document.order.metrics.cancelledOrder, at)


def _whole_order(source: OrderSource, choices: Choices, metric: str, at: str) -> MappedEvents | Skip:
    summary = order_summary(source, choices)
    if isinstance(summary, Skip):
        return summary
    return mapped_events([summary.event(metric, summary.moment(at))], summary.adjustments)


def fulfilled_at(order: Order) -> str:
    """When the order was fulfilled, as far as it tells: its first delivery of all, else its completion, else its last change."""
    delivered = [moment for delivery in deliveries(order) if (moment := moment_of(delivery.createdAt))]
    moment = min(delivered) if delivered else first_moment(order.completedAt, order.lastModifiedAt)
    return iso(moment) if moment else ""


def cancelled_at(order: Order) -> str:
    """When the order was cancelled, as far as it tells: at its last change."""
    return order.lastModifiedAt


def same_person(order: Order, customer: Customer | None) -> bool:
    """Whether the customer's e-mail is the order's, as Klaviyo compares them (mapping.md "Placed, once")."""
    email = normalised_email(order.customerEmail)
    return email is not None and customer is not None and normalised_email(customer.email) == email
