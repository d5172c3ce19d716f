"""Orders: placed once, then fulfilled or cancelled (mapping.md "Events", "Placed, once", "Which states")."""

from __future__ import annotations

from datetime import datetime

from shared.klaviyo.events import Event
from shared.mapping.choices import Choices
from shared.mapping.customer import profile_of
from shared.mapping.order_events import MappedEvents, cancelled_order, fulfilled_order, placed_order, same_person
from shared.mapping.order_history import order_history
from shared.mapping.order_states import counts
from shared.mapping.result import Adjustment, Skip, SkipReason
from shared.mapping.sources import OrderSource
from shared.realtime.messages import (
    ORDER_CUSTOMER_SET,
    ORDER_IMPORTED,
    SETS_IDENTITY,
    OrderCustomerEmailMessage,
    OrderCustomerMessage,
    OrderMessage,
    OrderStateMessage,
    embeds_order,
)
from shared.realtime.notification import Notification
from shared.realtime.route import Result, Route
from shared.realtime.writes import Mapped, SendEvents, UpsertProfile
from shared.settings.document import SyncDocument

SHIPMENT_STATE_CHANGED = "OrderShipmentStateChanged"


def spoken_state(notification: Notification) -> str | None:
    """The order's state, or shipment state, that the notification speaks of; None when it speaks of none.

    What became of the order since does not change what the notification says.
    """
    if not notification.has_payload:
        return notification.order_state
    if embeds_order(notification):
        return notification.fields(OrderMessage).order.orderState
    message = notification.fields(OrderStateMessage)
    return message.shipmentState if notification.type == SHIPMENT_STATE_CHANGED else message.orderState


def _created_irrelevant(notification: Notification, document: SyncDocument) -> SkipReason | None:
    if not embeds_order(notification) or notification.type == ORDER_IMPORTED:
        return None
    return None if spoken_state(notification) in document.order.states.created.placedOrder else SkipReason.ORDER_STATE


def order_created(notification: Notification, source: OrderSource, choices: Choices, _now: datetime) -> Result:
    """An order in the state it was created in, or, where the notification does not say, in any state that counts."""
    if notification.type == ORDER_IMPORTED and embeds_order(notification):
        return _all_that_counts(source, choices)
    if embeds_order(notification):
        return _sent([placed_order(source, choices)])
    placed_then = notification.order_state in choices.document.order.states.created.placedOrder
    return _all_that_counts(source, choices, placed_then=placed_then)


def order_identity_set(notification: Notification, source: OrderSource, choices: Choices, _now: datetime) -> Result:
    """An order whose customer or e-mail came later: placed now, unless it may have been placed for somebody else before."""
    if _first_identity(notification, source):
        return _all_that_counts(source, choices)
    if source.customer is None:
        return Skip(SkipReason.ORDER_PLACED_BEFORE)
    profile = profile_of(source.customer, choices.document.customer)
    return profile if isinstance(profile, Skip) else Mapped((UpsertProfile(profile.attributes),), profile.adjustments)


def _state_irrelevant(notification: Notification, document: SyncDocument) -> SkipReason | None:
    states, state = document.order.states.changed, spoken_state(notification)
    return None if state in (None, *states.fulfilledOrder, *states.cancelledOrder) else SkipReason.ORDER_STATE


def _shipment_irrelevant(notification: Notification, document: SyncDocument) -> SkipReason | None:
    states = document.order.shipmentStates.fulfilledOrder
    return None if spoken_state(notification) in (None, *states) else SkipReason.ORDER_STATE


def order_state_changed(notification: Notification, source: OrderSource, choices: Choices, _now: datetime) -> Result:
    """An order that is complete, or cancelled."""
    state = spoken_state(notification) or source.order.orderState
    states = choices.document.order.states.changed
    return _sent(
        [
            *([fulfilled_order(source, choices, notification.at)] if state in states.fulfilledOrder else []),
            *([cancelled_order(source, choices, notification.at)] if state in states.cancelledOrder else []),
        ]
    )


def order_shipment_state_changed(notification: Notification, source: OrderSource, choices: Choices, _now: datetime) -> Result:
    """An order that was shipped or delivered."""
    state = spoken_state(notification) or source.order.shipmentState
    shipped = state in choices.document.order.shipmentStates.fulfilledOrder
    return _sent([fulfilled_order(source, choices, notification.at)] if shipped else [])


def _first_identity(notification: Notification, source: OrderSource) -> bool:
    """Whether the order cannot have been placed for another person before (mapping.md "Placed, once")."""
    order = source.order
    other = order.customerEmail if notification.type == ORDER_CUSTOMER_SET else order.customerId
    match sets_first_identity(notification):
        case None:
            return bool(order.customerId and order.customerEmail) and same_person(order, source.customer)
        case first:
            return first and (not other or same_person(order, source.customer))


def sets_first_identity(notification: Notification) -> bool | None:
    """Whether the message gives an order a customer, or an e-mail, where it had none; None when nobody knows."""
    if notification.type not in SETS_IDENTITY:
        return None
    if not notification.has_payload:
        return notification.first_identity
    if notification.type == ORDER_CUSTOMER_SET:
        customer = notification.fields(OrderCustomerMessage)
        return customer.customer is not None and customer.oldCustomer is None
    email = notification.fields(OrderCustomerEmailMessage)
    return bool(email.email) and not email.oldEmail


def _all_that_counts(source: OrderSource, choices: Choices, *, placed_then: bool = False) -> Result:
    """Placed, and whatever has happened to the order since; `placed_then`: it is known to have been in a state that places."""
    if not placed_then and not counts(source.order, choices.document.order):
        return Skip(SkipReason.ORDER_STATE)
    return _sent([order_history(source, (), choices)])


def _sent(mapped: list[MappedEvents | Skip]) -> Result:
    """All events in one write; an order that has no identity for one event has none for the others."""
    events: list[Event] = []
    adjustments: set[Adjustment] = set()
    for one in mapped:
        if isinstance(one, Skip):
            return one
        events.extend(one.events)
        adjustments.update(one.adjustments)
    if not events:
        return Skip(SkipReason.ORDER_STATE)
    return Mapped((SendEvents(tuple(events)),), tuple(kind for kind in Adjustment if kind in adjustments))


def _created_types(document: SyncDocument) -> list[str]:
    return [name for name in document.order.messages.created if name not in SETS_IDENTITY]


def _identity_types(document: SyncDocument) -> list[str]:
    return [name for name in document.order.messages.created if name in SETS_IDENTITY]


ROUTES = (
    Route(
        name="OrderCreated",
        resource_type="order",
        types=_created_types,
        irrelevant=_created_irrelevant,
        source=OrderSource,
        map=order_created,
        summary="Placed Order, Ordered Product for each line item; of an imported order also what happened to it before",
    ),
    Route(
        name="OrderIdentitySet",
        resource_type="order",
        types=_identity_types,
        source=OrderSource,
        map=order_identity_set,
        converges=True,
        also_disabled_by=("OrderCreated",),
        summary="as OrderCreated when the order had no identity before, else upserts the customer's profile",
    ),
    Route(
        name="OrderShipmentStateChanged",
        resource_type="order",
        types=lambda _document: (SHIPMENT_STATE_CHANGED,),
        irrelevant=_shipment_irrelevant,
        source=OrderSource,
        map=order_shipment_state_changed,
        summary="Fulfilled Order",
    ),
    Route(
        name="OrderStateChanged",
        resource_type="order",
        types=lambda document: document.order.messages.changed,
        irrelevant=_state_irrelevant,
        source=OrderSource,
        map=order_state_changed,
        summary="Fulfilled Order, Cancelled Order",
    ),
)
