"""The events of an order: which there are, whose they are, what they are worth and when they happened (mapping.md "Events")."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from order_samples import (
    A_SECOND_LATER,
    ADDRESS,
    CHOICES,
    CREATED_AT,
    MODIFIED_AT,
    choices,
    encoded,
    eur,
    line,
    order,
    placed,
    source_of,
)

from shared.commercetools.catalog import Money
from shared.commercetools.orders import CustomLineItem, Delivery, Shipping, ShippingInfo
from shared.commercetools.resources import Customer
from shared.klaviyo.profiles import ProfileAttributes, ProfileLocation
from shared.mapping.order_events import (
    MappedEvents,
    cancelled_at,
    cancelled_order,
    fulfilled_at,
    fulfilled_order,
    placed_order,
    same_person,
)
from shared.mapping.result import Adjustment, Skip, SkipReason
from shared.mapping.sources import OrderSource

NOTIFIED_AT = "2026-03-03T12:00:00.000Z"


def test_an_order_is_placed_and_then_each_of_its_lines_is_ordered() -> None:
    """Case 36: Placed Order first, under the order's id; Ordered Product under the line's, all a second later."""
    lines = [line(), line(id="line-2", totalPrice=eur(250))]
    placed_event, *ordered = placed(source_of(lineItems=lines, totalPrice=eur(1550))).events
    assert (placed_event.metric, placed_event.unique_id, placed_event.time) == ("Placed Order", "order-1", CREATED_AT)
    assert (placed_event.value, placed_event.value_currency) == (Decimal("15.50"), "EUR")
    assert [(event.metric, event.unique_id, event.time, event.value, event.value_currency) for event in ordered] == [
        ("Ordered Product", "line-1", A_SECOND_LATER, Decimal("13.00"), "EUR"),
        ("Ordered Product", "line-2", A_SECOND_LATER, Decimal("2.50"), "EUR"),
    ]


def test_a_custom_line_item_is_no_ordered_product() -> None:
    """It is in the order's names, and has no product to speak of."""
    custom = CustomLineItem(id="custom-1", name={"en": "Engraving"}, totalPrice=eur(100))
    assert [event.unique_id for event in placed(source_of(customLineItems=[custom])).events] == ["order-1", "line-1"]


@pytest.mark.parametrize(
    ("money", "value"),
    [
        (Money(centAmount=1300, currencyCode="JPY", fractionDigits=0), "1300"),
        (Money(centAmount=1301, currencyCode="KWD", fractionDigits=3), "1.301"),
        (Money(centAmount=1, currencyCode="EUR", fractionDigits=12, preciseAmount=12345678901), "0.012345678901"),
        (Money(centAmount=9007199254740993, currencyCode="EUR"), "90071992547409.93"),
    ],
    ids=["no minor unit", "three digits", "high precision", "more than a float can tell apart"],
)
def test_an_amount_is_exact_in_the_body(money: Money, value: str) -> None:
    """Down to the last digit, for the order and for its lines, as a JSON number."""
    lines = [line(totalPrice=money)]
    for event in placed(source_of(totalPrice=money, lineItems=lines)).events:
        assert event.value == Decimal(value)
        assert f'"value":{value},"value_currency":"{money.currencyCode}"'.encode() in encoded(event)


def test_a_line_without_a_total_is_worth_its_price_times_its_quantity() -> None:
    """commercetools always gives a total; where a source does not, the line is not worth nothing."""
    assert placed(source_of(lineItems=[line(totalPrice=None)])).events[1].value == Decimal("13.00")


def test_metric_names_are_the_merchants() -> None:
    """All five are configurable; the names of refunds are tested with them."""
    metrics = {"placedOrder": "P", "orderedProduct": "O", "fulfilledOrder": "F", "cancelledOrder": "C"}
    chosen = choices({"order": {"metrics": metrics}})
    mapped = (placed_order, lambda *of: fulfilled_order(*of, NOTIFIED_AT), lambda *of: cancelled_order(*of, NOTIFIED_AT))
    assert [event.metric for one in mapped for event in events(one(source_of(), chosen))] == ["P", "O", "F", "C"]


@pytest.mark.parametrize(("mapping", "metric"), [(fulfilled_order, "Fulfilled Order"), (cancelled_order, "Cancelled Order")])
def test_a_later_event_is_worth_the_order_at_the_moment_of_the_change(mapping: Callable[..., Any], metric: str) -> None:
    """Cases 48, 49: one event, under the order's id, with the order's properties."""
    [event] = events(mapping(source_of(), CHOICES, NOTIFIED_AT))
    assert (event.metric, event.unique_id, event.time) == (metric, "order-1", NOTIFIED_AT)
    assert (event.value, event.value_currency) == (Decimal("13.00"), "EUR")
    assert event.properties == placed(source_of()).events[0].properties


@pytest.mark.parametrize("at", ["", "yesterday", "0001-01-01T00:00:00Z", "1989-12-31T23:59:59.999Z"])
def test_a_later_event_without_a_usable_time_has_that_of_the_orders_last_change(at: str) -> None:
    """Klaviyo takes no time before 1990."""
    [event] = events(fulfilled_order(source_of(), CHOICES, at))
    assert event.time == MODIFIED_AT


def test_times_are_sent_in_utc() -> None:
    """An offset is resolved; a time without one is UTC."""
    [with_offset] = events(fulfilled_order(source_of(), CHOICES, "2026-03-03T12:00:00+02:00"))
    [without] = events(fulfilled_order(source_of(), CHOICES, "2026-03-03T12:00:00"))
    assert (with_offset.time, without.time) == ("2026-03-03T10:00:00.000Z", "2026-03-03T12:00:00.000Z")


MAPPINGS: list[Callable[[OrderSource], Any]] = [
    lambda source: placed_order(source, CHOICES),
    lambda source: fulfilled_order(source, CHOICES, NOTIFIED_AT),
    lambda source: cancelled_order(source, CHOICES, NOTIFIED_AT),
]


@pytest.mark.parametrize("mapping", MAPPINGS, ids=["placed", "fulfilled", "cancelled"])
@pytest.mark.parametrize("email", [None, "", "  "], ids=["no e-mail", "empty e-mail", "blank e-mail"])
def test_an_order_of_nobody_is_skipped(mapping: Callable[[OrderSource], Any], email: str | None) -> None:
    """Case 38: neither customer nor e-mail."""
    assert mapping(source_of(customerId=None, customerEmail=email)) == Skip(SkipReason.NO_IDENTITY)


@pytest.mark.parametrize("mapping", MAPPINGS, ids=["placed", "fulfilled", "cancelled"])
def test_an_order_of_no_time_is_skipped(mapping: Callable[[OrderSource], Any]) -> None:
    """commercetools always gives one; an event of now would be a lie."""
    assert mapping(source_of(createdAt="", lastModifiedAt="")) == Skip(SkipReason.NO_TIME)


def test_a_buyer_is_known_by_customer_id_and_by_normalised_email() -> None:
    """Every event names both, as far as there are both."""
    both = [ProfileAttributes(external_id="customer-1", email="anna@example.com")] * 2
    assert profiles(customerEmail=" Anna@Example.com ") == both
    assert profiles(customerEmail=None) == [ProfileAttributes(external_id="customer-1")] * 2
    assert profiles(customerId=None) == [ProfileAttributes(email="anna@example.com")] * 2


@pytest.mark.parametrize("mapping", MAPPINGS, ids=["placed", "fulfilled", "cancelled"])
def test_a_customers_event_carries_the_customers_own_email(mapping: Callable[[OrderSource], Any]) -> None:
    """The order's is as old as the order, or another one typed at checkout (ADR 0010)."""
    source = source_of(customerEmail="old@example.com")
    now = msgspec.structs.replace(source, customer=Customer(id="customer-1", email=" New@Example.com "))
    assert {event.profile.email for event in mapping(now).events} == {"new@example.com"}
    assert {event.profile.external_id for event in mapping(now).events} == {"customer-1"}
    assert [event.profile.email for event in mapping(source).events] == ["old@example.com"] * len(mapping(now).events)


@pytest.mark.parametrize("email", [None, "", "  "])
def test_the_orders_email_stands_in_for_one_that_the_customer_has_not(email: str | None) -> None:
    """Better an old one than none."""
    source = msgspec.structs.replace(source_of(), customer=Customer(id="customer-1", email=email))
    assert {event.profile.email for event in placed(source).events} == {"anna@example.com"}


def test_an_email_of_the_customer_that_klaviyo_cannot_store_is_left_out() -> None:
    """The order's would take its place in the profile."""
    source = msgspec.structs.replace(source_of(), customer=Customer(id="customer-1", email="x" * 321))
    assert {event.profile.email for event in placed(source).events} == {None}
    assert placed(source).adjustments == (Adjustment.IDENTIFIER_UNUSABLE,)


def test_an_identifier_that_klaviyo_cannot_store_is_left_out_when_there_is_another() -> None:
    """A changed identifier could be somebody else's; without any, the order is skipped."""
    assert profiles(customerEmail="x" * 321)[1] == ProfileAttributes(external_id="customer-1")
    assert profiles(customerId="x" * 256)[1] == ProfileAttributes(email="anna@example.com")
    assert placed(source_of(customerId="x" * 256)).adjustments == (Adjustment.IDENTIFIER_UNUSABLE,)
    skip = placed_order(source_of(customerId="x" * 256, customerEmail="an\0na@example.com"), CHOICES)
    assert skip == Skip(SkipReason.IDENTIFIER_UNUSABLE)


def test_placed_order_tells_where_a_customer_lives_and_no_more() -> None:
    """Case 44: the billing address becomes the location, on Placed Order only; names and phone stay the customer's own."""
    located = ProfileLocation(address1="7, Hauptstraße", city="Berlin", country="DE", region="BE", zip="10115")
    assert profiles(billingAddress=ADDRESS) == [
        ProfileAttributes(external_id="customer-1", email="anna@example.com", location=located),
        ProfileAttributes(external_id="customer-1", email="anna@example.com"),
    ]


def test_placed_order_tells_a_guests_names_and_phone() -> None:
    """Case 57: a guest has no other source of them than the billing address."""
    [guest, on_line] = profiles(customerId=None, billingAddress=ADDRESS)
    assert (guest.first_name, guest.last_name, guest.phone_number) == ("Anna", "Berg", "+493023125014")
    assert on_line == ProfileAttributes(email="anna@example.com")


def test_a_guests_unusable_phone_is_left_out_and_counted() -> None:
    """Klaviyo would refuse the whole event."""
    address = msgspec.structs.replace(ADDRESS, phone="call me")
    mapped = placed(source_of(customerId=None, billingAddress=address))
    assert mapped.events[0].profile.phone_number is None
    assert mapped.adjustments == (Adjustment.PHONE_UNUSABLE,)


def test_an_order_without_billing_address_leaves_the_location_alone() -> None:
    """The shipping address may be somebody else's."""
    assert profiles(billingAddress=None, shippingAddress=ADDRESS)[0].location is None


def test_later_events_leave_the_profile_alone() -> None:
    """Only Placed Order speaks of the address: what came later may be newer than it."""
    source = source_of(customerId=None, billingAddress=ADDRESS)
    for mapped in (fulfilled_order(source, CHOICES, NOTIFIED_AT), cancelled_order(source, CHOICES, NOTIFIED_AT)):
        assert [event.profile for event in events(mapped)] == [ProfileAttributes(email="anna@example.com")]


def shipped(*created_at: str | None) -> ShippingInfo:
    """A shipment with deliveries of these times."""
    return ShippingInfo(deliveries=[Delivery(createdAt=one) for one in created_at])


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({"shippingInfo": shipped("2026-03-02T08:00:00.000Z", "2026-03-03T08:00:00.000Z")}, "2026-03-02T08:00:00.000Z"),
        (
            {
                "shippingInfo": shipped("2026-03-03T08:00:00.000Z"),
                "shipping": [Shipping(), Shipping(shippingInfo=shipped("2026-03-02T07:00:00.000Z"))],
            },
            "2026-03-02T07:00:00.000Z",
        ),
        ({"shippingInfo": shipped(None), "completedAt": "2026-03-02T09:00:00.000Z"}, "2026-03-02T09:00:00.000Z"),
        ({}, MODIFIED_AT),
    ],
    ids=["first delivery", "first of several shipments", "completion", "last change"],
)
def test_bulk_says_when_an_order_was_fulfilled(changes: dict[str, Any], at: str) -> None:
    """The first delivery, else the completion, else the last change."""
    assert fulfilled_at(order(**changes)) == at


def test_bulk_says_when_an_order_was_cancelled() -> None:
    """At its last change."""
    assert cancelled_at(order()) == MODIFIED_AT


@pytest.mark.parametrize(
    ("of_order", "of_customer", "same"),
    [
        ("anna@example.com", " Anna@Example.COM", True),
        ("anna@example.com", "berta@example.com", False),
        (None, "anna@example.com", False),
        (None, None, False),
        ("", " ", False),
    ],
)
def test_an_email_tells_whether_the_order_is_the_customers(of_order: str | None, of_customer: str | None, same: bool) -> None:
    """As Klaviyo compares them; nothing is nobody's."""
    assert same_person(order(customerEmail=of_order), Customer(id="customer-1", email=of_customer)) is same


def test_an_unknown_customer_is_not_the_same_person() -> None:
    """Nothing is known of one that could not be read."""
    assert same_person(order(), None) is False


def events(mapped: MappedEvents | Skip) -> tuple[Any, ...]:
    """The events of what is not skipped."""
    assert isinstance(mapped, MappedEvents)
    return mapped.events


def profiles(**changes: Any) -> list[ProfileAttributes]:
    """The profiles of the events of an order with these changes: Placed Order's, then the line's."""
    return [event.profile for event in placed(source_of(**changes)).events]
