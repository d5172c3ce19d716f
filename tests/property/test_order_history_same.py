"""The events that an import sends of an order are those that realtime sent of the same order, notification by notification."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from test_order_mapping import CHOICES
from test_order_mapping import PAYMENTS as ANY_PAYMENTS
from test_realtime_bulk_same import AT, ORDERS_IN_STATES, PAYMENTS, briefly, events_of, mapped

from shared.commercetools.orders import Payment
from shared.klaviyo.events import Event
from shared.klaviyo.profiles import ProfileAttributes
from shared.mapping.choices import Choices
from shared.mapping.order_events import MappedEvents, placed_order
from shared.mapping.order_history import order_history
from shared.mapping.sources import OrderSource, PaidOrderSource

TIMED_BY_THE_NOTIFICATION = {"Fulfilled Order", "Cancelled Order"}


def comparable(events: Iterable[Event]) -> set[str]:
    """The events without the times that only a notification knows; Klaviyo keeps one of those that are equal."""
    return {
        repr(msgspec.structs.replace(event, time="") if event.metric in TIMED_BY_THE_NOTIFICATION else event) for event in events
    }


def told_live(source: OrderSource, payments: list[Payment], choices: Choices) -> list[Event]:
    """What realtime sends when it is told that the order was created in this state, then of its state, shipment and payments.

    A shipped order that is complete is told of twice, with one id.
    """
    order = source.order
    created = mapped("OrderCreated", "OrderCreated", source, choices)
    results = [created]
    if order.orderState in ("Complete", "Cancelled"):
        state = {"orderState": order.orderState}
        results.append(mapped("OrderStateChanged", "OrderStateChanged", source, choices, fields=state))
    if order.shipmentState in ("Shipped", "Delivered"):
        shipment = {"shipmentState": order.shipmentState}
        results.append(mapped("OrderShipmentStateChanged", "OrderShipmentStateChanged", source, choices, fields=shipment))
    for payment in payments:
        paid = PaidOrderSource(payment=payment, order=source, payments=payments)
        about = {"resource_id": payment.id, "has_payload": False}
        results.append(mapped("OrderRefunded", "PaymentTransactionAdded", paid, choices, **about))
    return [event for result in results for event in events_of(result)]


@briefly
@given(ORDERS_IN_STATES, PAYMENTS, CHOICES)
def test_the_import_sends_what_realtime_has_sent(source: OrderSource, payments: list[Payment], choices: Choices) -> None:
    """But for backfill, which is not in the mapping, for the time of Fulfilled and Cancelled, and for what Placed Order tells.

    That is decided from order to order (ADR 0011); the next property says what it comes to.
    """
    history = order_history(source, payments, choices)
    sent = history.events if isinstance(history, MappedEvents) else ()
    assert comparable(sent) == comparable(told_live(source, payments, choices))
    metrics = Counter(event.metric for event in sent)
    assert all(metrics[name] <= 1 for name in ("Placed Order", *TIMED_BY_THE_NOTIFICATION))


@briefly
@given(ORDERS_IN_STATES, PAYMENTS, CHOICES)
def test_an_order_that_does_not_tell_of_its_buyer_differs_in_that_alone(
    source: OrderSource, payments: list[Payment], choices: Choices
) -> None:
    """The profile of its Placed Order is that of all its other events, the identifiers; nothing else is missing, or counted."""
    telling, history = order_history(source, payments, choices), order_history(source, payments, choices, tells_of_buyer=False)
    if not isinstance(telling, MappedEvents):
        assert history == telling
        return
    assert isinstance(history, MappedEvents)
    placed, *others = history.events
    assert [placed, *others] == [msgspec.structs.replace(telling.events[0], profile=placed.profile), *telling.events[1:]]
    assert placed.profile == ProfileAttributes(external_id=placed.profile.external_id, email=placed.profile.email)
    assert all(event.profile == placed.profile for event in others)
    assert set(history.adjustments) <= set(telling.adjustments)


@briefly
@given(ORDERS_IN_STATES, ANY_PAYMENTS, CHOICES)
def test_an_order_is_skipped_only_where_placing_it_is(source: OrderSource, payments: list[Payment], choices: Choices) -> None:
    """And what is placed comes first; the same reading twice says the same."""
    history, placed = order_history(source, payments, choices), placed_order(source, choices)
    if isinstance(placed, MappedEvents):
        assert isinstance(history, MappedEvents)
        assert history.events[: len(placed.events)] == placed.events
        assert set(placed.adjustments) <= set(history.adjustments)
        assert order_history(source, payments, choices) == history
    else:
        assert history == placed


@briefly
@given(ORDERS_IN_STATES, CHOICES, st.booleans())
def test_realtime_tells_an_imported_order_as_the_import_does(source: OrderSource, choices: Choices, has_payload: bool) -> None:
    """Placed and all that happened to it before, refunds aside, which come with their payments."""
    kind = "OrderImported"
    sent = events_of(mapped("OrderCreated", kind, source, choices, has_payload=has_payload, at=AT))
    history = order_history(source, (), choices)
    if sent:
        assert isinstance(history, MappedEvents)
        assert sent == history.events
