"""What an order's document tells of all that has happened to it (mapping.md "Events", "Placed, once", "Refunds")."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from order_samples import (
    A_SECOND_LATER,
    ADDRESS,
    CHOICES,
    CREATED_AT,
    MODIFIED_AT,
    choices,
    line_with,
    order,
    payment,
    source_of,
    transaction,
)

from shared.commercetools.orders import Delivery, Order, Payment, ShippingInfo
from shared.commercetools.resources import Address
from shared.klaviyo.profiles import ProfileAttributes
from shared.mapping.choices import Choices
from shared.mapping.order_events import MappedEvents, placed_order
from shared.mapping.order_history import order_history
from shared.mapping.order_profile import GuestsTold
from shared.mapping.refunds import refunded_orders
from shared.mapping.result import Adjustment, Skip, SkipReason
from shared.mapping.sources import OrderSource, PaidOrderSource

CHARGE = transaction("charge", "Charge", cents=1300)


def history(source: OrderSource, *payments: Payment, chosen: Choices = CHOICES) -> MappedEvents:
    """The history of an order that is not skipped."""
    mapped = order_history(source, payments, chosen)
    assert isinstance(mapped, MappedEvents)
    return mapped


def told(mapped: MappedEvents) -> list[tuple[str, str, str]]:
    """Metric, unique id and time of each event, in the order sent."""
    return [(event.metric, event.unique_id, event.time) for event in mapped.events]


@pytest.mark.parametrize("state", ["Open", "Confirmed", "Something new", None])
def test_an_order_is_placed_whatever_its_state(state: str | None) -> None:
    """Case 79: history has every order, also those in a state that realtime would not look at."""
    assert told(history(source_of(orderState=state))) == [
        ("Placed Order", "order-1", CREATED_AT),
        ("Ordered Product", "line-1", A_SECOND_LATER),
    ]


@pytest.mark.parametrize("states", [{"orderState": "Complete"}, {"shipmentState": "Shipped"}, {"shipmentState": "Delivered"}])
def test_an_order_that_is_complete_or_shipped_has_been_fulfilled(states: dict[str, Any]) -> None:
    """At its last change, when it does not tell better."""
    assert told(history(source_of(**states)))[2:] == [("Fulfilled Order", "order-1", MODIFIED_AT)]


def test_an_order_was_fulfilled_with_its_first_delivery() -> None:
    """The moment of the state change, as far as the document tells."""
    deliveries = [Delivery(createdAt="2026-03-03T00:00:00.000Z"), Delivery(createdAt="2026-03-02T00:00:00.000Z")]
    source = source_of(orderState="Complete", shippingInfo=ShippingInfo(deliveries=deliveries))
    assert told(history(source))[-1] == ("Fulfilled Order", "order-1", "2026-03-02T00:00:00.000Z")


def test_a_cancelled_order_was_cancelled_at_its_last_change() -> None:
    """The document knows no other time."""
    assert told(history(source_of(orderState="Cancelled")))[2:] == [("Cancelled Order", "order-1", MODIFIED_AT)]


def test_an_order_that_was_shipped_and_then_cancelled_was_both() -> None:
    """Each state tells of itself."""
    metrics = [metric for metric, _, _ in told(history(source_of(orderState="Cancelled", shipmentState="Shipped")))]
    assert metrics == ["Placed Order", "Ordered Product", "Fulfilled Order", "Cancelled Order"]


def test_which_states_count_and_the_names_of_the_metrics_are_the_merchants() -> None:
    """The same keys of the document as in realtime."""
    chosen = choices(
        {
            "order": {
                "states": {"changed": {"fulfilledOrder": ["Confirmed"], "cancelledOrder": ["Confirmed"]}},
                "shipmentStates": {"fulfilledOrder": []},
                "metrics": {"fulfilledOrder": "Done", "cancelledOrder": "Off"},
            }
        }
    )
    source = source_of(orderState="Confirmed", shipmentState="Shipped")
    assert [metric for metric, _, _ in told(history(source, chosen=chosen))][2:] == ["Done", "Off"]
    assert len(history(source_of(orderState="Complete", shipmentState="Shipped"), chosen=chosen).events) == 2


def test_every_successful_refund_of_every_payment_is_told() -> None:
    """The same events as realtime sends payment by payment; the order's own id for the one that Klaviyo takes off the revenue."""
    payments = [
        payment("p1", CHARGE, transaction("r1", cents=100), transaction("r2", state="Failure")),
        payment("p2", transaction("r3", cents=300)),
    ]
    mapped = history(source_of(), *payments)
    refunds = mapped.events[2:]
    assert [(event.unique_id, event.value) for event in refunds] == [("order-1", Decimal(1)), ("order-1:r3", Decimal(3))]
    by_payment = [
        refunded_orders(PaidOrderSource(payment=one, order=source_of(), payments=payments), CHOICES, one.id, None)
        for one in payments
    ]
    assert list(refunds) == [event for one in by_payment if isinstance(one, MappedEvents) for event in one.events]


def test_events_about_the_whole_order_share_their_properties() -> None:
    """Thousands of orders are held at once."""
    mapped = history(source_of(orderState="Complete"), payment("p1", CHARGE, transaction("r1")))
    placed, _line, fulfilled, refunded = mapped.events
    assert placed.properties is fulfilled.properties is refunded.properties


def test_what_is_left_out_is_named_once() -> None:
    """Of the order, its lines or its buyer, however many events say it."""
    bad_phone = Address(country="DE", phone="12")
    guest = source_of(customerId=None, orderState="Complete", billingAddress=bad_phone)
    assert history(guest).adjustments == (Adjustment.PHONE_UNUSABLE,)
    too_long = line_with(("text", "x" * 200_000))
    assert history(source_of(orderState="Complete", lineItems=[too_long, too_long])).adjustments == (Adjustment.PROPERTY_TRIMMED,)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"customerId": None, "customerEmail": None}, SkipReason.NO_IDENTITY),
        ({"createdAt": "", "lastModifiedAt": ""}, SkipReason.NO_TIME),
    ],
)
def test_an_order_of_nobody_or_of_no_time_is_skipped_whole(changes: dict[str, Any], reason: SkipReason) -> None:
    """For the reason that Placed Order is; its refunds could belong to nobody either."""
    source = source_of(orderState="Complete", **changes)
    skipped = order_history(source, [payment("p1", CHARGE, transaction("r1"))], CHOICES)
    assert skipped == placed_order(source, CHOICES) == Skip(reason)


def placed_by_guest(order_id: str, created_at: str, **changes: Any) -> Order:
    """An order of the guest anna@example.com, unless `changes` say otherwise."""
    return order(**{"id": order_id, "createdAt": created_at, "customerId": None, "billingAddress": ADDRESS, **changes})


def test_an_order_that_is_not_to_tell_of_its_buyer_names_only_who_it_is() -> None:
    """ADR 0011: by the identifiers, as all other events do; what would be left out of the rest is not counted."""
    guest = source_of(customerId=None, billingAddress=Address(firstName="Anna", city="Berlin", country="DE", phone="12"))
    mapped = order_history(guest, (), CHOICES, tells_of_buyer=False)
    assert isinstance(mapped, MappedEvents)
    assert [event.profile for event in mapped.events] == [ProfileAttributes(email="anna@example.com")] * 2
    assert mapped.adjustments == ()


def test_no_order_of_a_customer_tells_of_its_buyer() -> None:
    """ADR 0011: the customer's own record does."""
    assert GuestsTold().tellers([order(id="order-1", billingAddress=ADDRESS)]) == frozenset()


def test_of_a_guests_orders_the_newest_with_an_address_tells() -> None:
    """Whatever the order of ids; who has one e-mail in any case is one guest, and who has none is nobody."""
    orders = [
        placed_by_guest("a", "2026-02-01T00:00:00.000Z"),
        placed_by_guest("b", "2026-03-01T00:00:00.000Z", customerEmail=" Anna@Example.com "),
        placed_by_guest("c", "2026-01-01T00:00:00.000Z"),
        placed_by_guest("d", "2026-04-01T00:00:00.000Z", billingAddress=None),
        placed_by_guest("e", "2026-04-01T00:00:00.000Z", customerId="customer-1"),
        placed_by_guest("f", "2020-01-01T00:00:00.000Z", customerEmail="berta@example.com"),
        placed_by_guest("g", "2020-01-01T00:00:00.000Z", customerEmail=None),
    ]
    assert GuestsTold().tellers(orders) == {"b", "f"}


def test_on_later_pages_only_newer_orders_tell_of_a_guest() -> None:
    """What an older one says would overwrite what the newer one has said."""
    guests = GuestsTold()
    assert guests.tellers([placed_by_guest("a", "2026-02-01T00:00:00.000Z")]) == {"a"}
    assert guests.tellers([placed_by_guest("b", "2026-01-01T00:00:00.000Z")]) == frozenset()
    assert guests.tellers([placed_by_guest("c", "2026-03-01T00:00:00.000Z")]) == {"c"}
    assert guests.tellers([placed_by_guest("d", "2026-02-15T00:00:00.000Z")]) == frozenset()


def test_of_a_guests_orders_of_one_moment_one_tells() -> None:
    """The last one in the order of ids, in which they are read."""
    same = [placed_by_guest(order_id, CREATED_AT) for order_id in ("a", "c", "b")]
    assert GuestsTold().tellers(same) == {"c"}
