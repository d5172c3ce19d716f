"""What all events of an order have in common, worked out once for all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from shared.commercetools.orders import Order
from shared.klaviyo.events import Event
from shared.klaviyo.profiles import ProfileAttributes
from shared.mapping.choices import Choices
from shared.mapping.moments import first_moment, iso
from shared.mapping.money import amount_of
from shared.mapping.order_lines import order_items
from shared.mapping.order_profile import buyer_of
from shared.mapping.order_properties import fitted_properties, further_order_properties, order_properties
from shared.mapping.result import Adjustment, Skip, SkipReason
from shared.mapping.sources import OrderSource
from shared.mapping.text import sendable


@dataclass(frozen=True, slots=True)
class MappedEvents:
    """Events, to be sent in this order, and what had to be left out of them (each kind once, in the order of `Adjustment`)."""

    events: tuple[Event, ...]
    adjustments: tuple[Adjustment, ...] = ()


@dataclass(frozen=True, slots=True)
class OrderSummary:
    """An order as its events tell of it: who bought, when it was placed (UTC), and the properties that it gives each event.

    `items` are its line items' elements of `Items`, untrimmed. `adjustments` say what has been left out of all this.
    """

    order: Order
    buyer: ProfileAttributes
    placed: datetime
    items: list[dict[str, Any]]
    properties: dict[str, Any]
    adjustments: frozenset[Adjustment]

    def event(self, metric: str, time: str, *, profile: ProfileAttributes | None = None) -> Event:
        """The event of this order, worth its total, that counts once per metric: its unique id is the order's."""
        return Event(
            metric=metric,
            profile=profile or self.buyer,
            unique_id=sendable(self.order.id),
            time=time,
            value=amount_of(self.order.totalPrice),
            value_currency=sendable(self.order.totalPrice.currencyCode),
            properties=self.properties,
        )

    def part(
        self,
        metric: str,
        *,
        unique_id: str,
        time: str,
        value: Decimal,
        currency: str,
        properties: dict[str, Any] | None = None,
    ) -> Event:
        """An event of a part of the order, a line or a refund, with the order's properties unless it has its own."""
        return Event(
            metric=metric,
            profile=self.buyer,
            unique_id=sendable(unique_id),
            time=time,
            value=value,
            value_currency=sendable(currency),
            properties=self.properties if properties is None else properties,
        )

    def moment(self, *raw: str | None) -> str:
        """The first of these times that Klaviyo can take, else that of the order's last change, else that of its creation."""
        return iso(first_moment(*raw, self.order.lastModifiedAt) or self.placed)


def order_summary(source: OrderSource, choices: Choices) -> OrderSummary | Skip:
    """The summary of an order, or why there are no events of it: nobody to whom, or no time at which they happened."""
    order = source.order
    adjustments: set[Adjustment] = set()
    buyer = buyer_of(source, adjustments)
    if isinstance(buyer, Skip):
        return buyer
    placed = first_moment(order.createdAt, order.lastModifiedAt)
    if placed is None:
        return Skip(SkipReason.NO_TIME)
    items = order_items(source, choices, adjustments)
    properties = fitted_properties(
        order_properties(source, choices, items), further_order_properties(source, choices), adjustments
    )
    return OrderSummary(order, buyer, placed, items, properties, frozenset(adjustments))


def mapped_events(events: Iterable[Event], adjustments: Iterable[Adjustment]) -> MappedEvents:
    """The events with each adjustment once, in the order of `Adjustment`."""
    made = set(adjustments)
    return MappedEvents(tuple(events), tuple(kind for kind in Adjustment if kind in made))
