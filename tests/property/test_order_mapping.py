"""Whatever commercetools holds of an order and its payments, the events are ones that Klaviyo takes, or the order is skipped."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from test_customer_mapping import (
    ADDRESSES,
    ANY_CHARACTER,
    EMAILS,
    FIELDS,
    JSON,
    NAMES,
    PROPERTY_RULES,
    TEXT,
    VALUES,
    assert_within_limits,
    reproducible,
)

from sandbox import contracts
from shared.commercetools.catalog import (
    AncestorReference,
    Attribute,
    Category,
    CategoryName,
    DiscountedPrice,
    Image,
    Money,
    Price,
    Variant,
)
from shared.commercetools.orders import (
    CustomLineItem,
    Delivery,
    DiscountCodeInfo,
    DiscountCodeReference,
    DiscountedAmount,
    DiscountedItemPrice,
    DiscountedPriceForQuantity,
    DiscountPortion,
    LineItem,
    Order,
    Parcel,
    Payment,
    Shipping,
    ShippingInfo,
    TrackingData,
    Transaction,
)
from shared.commercetools.resources import CustomerGroupReference, CustomFields, ExpandedGroup, StoreKeyReference
from shared.klaviyo.events import Event
from shared.mapping.choices import Choices
from shared.mapping.limits import MAX_PROPERTIES
from shared.mapping.order_events import MappedEvents, cancelled_order, fulfilled_at, fulfilled_order, placed_order
from shared.mapping.order_history import order_history
from shared.mapping.order_summary import order_summary
from shared.mapping.refunds import refund_events, refunded_orders
from shared.mapping.result import Skip
from shared.mapping.sources import OrderedProduct, OrderSource, PaidOrderSource
from shared.settings.document import CustomFieldRules, OrderPropertyRules, OrderRules, ProductRules, SyncDocument

SHORT = st.text(ANY_CHARACTER, max_size=8) | st.sampled_from(["half \ud800 character", "NUL\0"])
IDS = st.sampled_from(["a", "b", "c"]) | st.uuids().map(str) | SHORT
MONEY = st.builds(
    Money,
    centAmount=st.integers(-(2**63), 2**63 - 1),
    currencyCode=st.sampled_from(["EUR", "JPY", "KWD"]),
    fractionDigits=st.integers(0, 20),
    preciseAmount=st.none() | st.integers(-(2**63), 2**63 - 1),
)
TIMES = st.datetimes().map(lambda moment: moment.isoformat() + "Z") | st.sampled_from(
    [
        "",
        "2026-03-01T09:30:00.000Z",
        "2026-03-01T09:30:00+14:00",
        "1989-12-31T23:59:59.999Z",
        "9999-12-31T23:59:59.999Z",
        "0001-01-01T00:00:00+14:00",
    ]
)
LOCALIZED = st.dictionaries(st.sampled_from(["en", "de-AT", "de", "EN_us"]) | SHORT, TEXT, max_size=3)
ATTRIBUTES = st.lists(
    st.builds(Attribute, name=st.sampled_from(["brand", "SKU", "size", "OrderId"]) | SHORT, value=VALUES | LOCALIZED), max_size=4
)
VARIANTS = st.builds(
    Variant, sku=st.none() | TEXT, attributes=ATTRIBUTES, images=st.lists(st.builds(Image, url=TEXT), max_size=2)
)
PRICES = st.builds(Price, value=MONEY, discounted=st.none() | st.builds(DiscountedPrice, value=MONEY))
DISCOUNTED = st.builds(
    DiscountedItemPrice, includedDiscounts=st.lists(st.builds(DiscountPortion, discountedAmount=MONEY), max_size=2)
)
PER_QUANTITY = st.lists(
    st.builds(DiscountedPriceForQuantity, quantity=st.integers(0, 10**9), discountedPrice=DISCOUNTED), max_size=2
)
LINES = st.builds(
    LineItem,
    id=IDS,
    productId=IDS,
    name=LOCALIZED,
    productSlug=LOCALIZED,
    productKey=st.none() | TEXT,
    variant=VARIANTS,
    price=st.none() | PRICES,
    quantity=st.integers(-1, 10**9),
    totalPrice=st.none() | MONEY,
    discountedPricePerQuantity=PER_QUANTITY,
)
CUSTOM_LINES = st.builds(CustomLineItem, id=IDS, name=LOCALIZED, discountedPricePerQuantity=PER_QUANTITY)
PARCELS = st.builds(
    Parcel, trackingData=st.none() | st.builds(TrackingData, trackingId=st.none() | TEXT, carrier=st.none() | TEXT)
)
SHIPPING_INFOS = st.builds(
    ShippingInfo,
    shippingMethodName=st.none() | TEXT,
    discountedPrice=st.none() | DISCOUNTED,
    deliveries=st.lists(st.builds(Delivery, createdAt=st.none() | TIMES, parcels=st.lists(PARCELS, max_size=2)), max_size=2),
)
CODES = st.builds(
    DiscountCodeInfo, discountCode=st.builds(DiscountCodeReference, id=IDS), state=st.none() | st.just("MatchesCart") | SHORT
)
ORDERS = st.builds(
    Order,
    id=IDS,
    createdAt=TIMES,
    lastModifiedAt=TIMES,
    orderNumber=st.none() | TEXT,
    customerId=st.none() | st.text(ANY_CHARACTER, max_size=260),
    customerEmail=st.none() | EMAILS,
    customerGroup=st.none()
    | st.builds(CustomerGroupReference, id=TEXT, obj=st.none() | st.builds(ExpandedGroup, name=st.none() | TEXT)),
    store=st.none() | st.builds(StoreKeyReference, key=TEXT),
    lineItems=st.lists(LINES, max_size=3),
    customLineItems=st.lists(CUSTOM_LINES, max_size=2),
    totalPrice=MONEY,
    discountOnTotalPrice=st.none() | st.builds(DiscountedAmount, discountedAmount=st.none() | MONEY),
    discountCodes=st.lists(CODES, max_size=2),
    billingAddress=st.none() | ADDRESSES,
    shippingAddress=st.none() | ADDRESSES,
    shippingInfo=st.none() | SHIPPING_INFOS,
    shipping=st.lists(st.builds(Shipping, shippingInfo=st.none() | SHIPPING_INFOS), max_size=2),
    country=st.none() | SHORT,
    completedAt=st.none() | TIMES,
    custom=st.none() | st.builds(CustomFields, fields=FIELDS),
)
CATEGORIES = st.builds(
    Category,
    id=IDS,
    name=LOCALIZED,
    ancestors=st.lists(
        st.builds(AncestorReference, id=IDS, obj=st.none() | st.builds(CategoryName, id=IDS, name=LOCALIZED)), max_size=2
    ),
)
PRODUCTS = st.builds(OrderedProduct, categories=st.lists(CATEGORIES, max_size=2), attributes=ATTRIBUTES)
RAW = st.dictionaries(NAMES, VALUES, max_size=4) | st.builds(
    lambda lines: {"lineItems": lines}, JSON | st.lists(st.builds(lambda key, more: {**more, "id": key}, IDS, FIELDS), max_size=2)
)
SOURCES = st.builds(
    OrderSource,
    order=ORDERS,
    raw=RAW,
    products=st.dictionaries(IDS, PRODUCTS, max_size=2),
    discount_codes=st.dictionaries(IDS, TEXT, max_size=2),
)
TRANSACTIONS = st.builds(
    Transaction,
    id=IDS,
    type=st.sampled_from(["Refund", "Charge"]),
    state=st.sampled_from(["Success", "Pending"]),
    amount=MONEY,
    timestamp=st.none() | TIMES,
)
PAYMENTS = st.lists(st.builds(Payment, id=IDS, lastModifiedAt=TIMES, transactions=st.lists(TRANSACTIONS, max_size=4)), max_size=3)
CHOICES = st.builds(
    Choices,
    locale=st.sampled_from(["", "en", "de-CH"]) | SHORT,
    url_template=st.sampled_from(["", "https://shop.example.com/{{productSlug}}?{{productId}}&{{productKey}}&{{sku}}"]),
    document=st.builds(
        SyncDocument,
        order=st.builds(
            OrderRules,
            properties=st.builds(
                lambda rules, raw: OrderPropertyRules(include=rules.include, exclude=rules.exclude, map=rules.map, raw=raw),
                PROPERTY_RULES,
                st.sampled_from([True, False, "auto"]),
            ),
            customFields=st.builds(CustomFieldRules, properties=PROPERTY_RULES),
        ),
        product=st.builds(ProductRules, brandAttribute=st.sampled_from(["brand", "size"])),
    ),
)

briefly = settings(reproducible, max_examples=60)
"""For the large sources, whose making takes longer than their mapping."""

ENCODER = msgspec.json.Encoder(decimal_format="number")


@cache
def contract() -> Any:
    """Klaviyo's strict schema of an event's body."""
    document = msgspec.json.decode(Path(contracts.__file__).with_name("klaviyo.json").read_bytes())
    schema = {"$ref": "#/$defs/EventCreateQueryV2", "$defs": document["$defs"]}
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


def body_of(event: Event) -> bytes:
    """The event as the body of a request."""
    attributes = {
        "metric": {"data": {"type": "metric", "attributes": {"name": event.metric}}},
        "profile": {"data": {"type": "profile", "attributes": event.profile}},
        **{name: getattr(event, name) for name in ("unique_id", "time", "value", "value_currency", "properties")},
    }
    return ENCODER.encode({"data": {"type": "event", "attributes": attributes}})


def assert_klaviyo_takes(event: Event) -> None:
    """Names, types, sizes, text and somebody to whom it belongs."""
    body = body_of(event)
    assert len(body) <= 4_500_000
    contract().validate(json.loads(body))
    assert event.profile.external_id or event.profile.email
    assert "1990" <= event.time[:4] <= "9999"
    assert event.value_currency
    assert len(event.properties) <= MAX_PROPERTIES
    for value in event.properties.values():
        assert value is not None
        assert_within_limits(value, 1)


def refunds_in_bulk(source: OrderSource, payments: list[Payment], choices: Choices) -> list[Event]:
    """The refunds among the events that an import sends of an order."""
    summary = order_summary(source, choices)
    return [] if isinstance(summary, Skip) else refund_events(summary, payments, choices)


def all_mappings(source: OrderSource, choices: Choices, payments: list[Payment]) -> list[MappedEvents | Skip]:
    """Everything that can be said of an order."""
    paid = [PaidOrderSource(payment=one, order=source, payments=payments) for one in payments]
    return [
        placed_order(source, choices),
        fulfilled_order(source, choices, fulfilled_at(source.order)),
        cancelled_order(source, choices, source.order.createdAt),
        order_history(source, payments, choices),
        *(refunded_orders(one, choices, one.payment.id, None) for one in paid),
    ]


@briefly
@given(SOURCES, CHOICES, PAYMENTS)
def test_an_order_is_skipped_or_its_events_keep_the_contract(
    source: OrderSource, choices: Choices, payments: list[Payment]
) -> None:
    """Whatever is in it, nothing raises and nothing is sent that Klaviyo would refuse."""
    for mapped in all_mappings(source, choices, payments):
        if isinstance(mapped, MappedEvents):
            assert mapped.events
            assert len(set(mapped.adjustments)) == len(mapped.adjustments)
            for event in mapped.events:
                assert_klaviyo_takes(event)


@briefly
@given(SOURCES, CHOICES)
def test_an_order_makes_an_event_for_itself_and_one_for_each_line(source: OrderSource, choices: Choices) -> None:
    """All lines at one time, after the order."""
    mapped = placed_order(source, choices)
    if isinstance(mapped, Skip):
        return
    first, *lines = mapped.events
    assert len(lines) == len(source.order.lineItems)
    assert len({event.time for event in lines}) <= 1
    assert all(event.time > first.time for event in lines)


@briefly
@given(SOURCES, CHOICES, PAYMENTS)
def test_the_mapping_of_orders_is_pure(source: OrderSource, choices: Choices, payments: list[Payment]) -> None:
    """The same order gives the same events, and nothing of what was given is changed."""
    before = repr((source, choices, payments))
    assert repr(all_mappings(source, choices, payments)) == repr(all_mappings(source, choices, payments))
    assert repr((source, choices, payments)) == before


def exactly(money: Money) -> Fraction:
    """What the money is worth, without any rounding."""
    return Fraction(money.centAmount if money.preciseAmount is None else money.preciseAmount, 10**money.fractionDigits)


@reproducible
@given(MONEY, st.lists(st.tuples(MONEY, st.integers(1, 1_000)), max_size=3))
def test_money_is_exact_down_to_the_body(total: Money, portions: list[tuple[Money, int]]) -> None:
    """Totals, prices, sums of discounts: JSON numbers with every digit, whatever the currency and its precision."""
    discounted = [
        DiscountedPriceForQuantity(
            quantity=pieces, discountedPrice=DiscountedItemPrice(includedDiscounts=[DiscountPortion(discountedAmount=money)])
        )
        for money, pieces in portions
    ]
    line = LineItem(id="l", productId="p", price=Price(value=total), totalPrice=total, discountedPricePerQuantity=discounted)
    order = Order(id="o", createdAt="2026-03-01T09:30:00Z", customerId="c", totalPrice=total, lineItems=[line])
    mapped = placed_order(OrderSource(order=order), Choices())
    assert isinstance(mapped, MappedEvents)
    placed, ordered = (
        json.loads(body_of(event), parse_float=Decimal, parse_int=Decimal)["data"]["attributes"] for event in mapped.events
    )
    [item] = placed["properties"]["Items"]
    worth = [placed["value"], ordered["value"], item["ItemPrice"], item["RowTotal"], ordered["properties"]["ItemPrice"]]
    assert [Fraction(amount) for amount in worth] == [exactly(total)] * len(worth)
    taken = sum((exactly(money) * pieces for money, pieces in portions), Fraction(0))
    assert Fraction(placed["properties"]["DiscountValue"]) == taken


@st.composite
def courses(draw: st.DrawFn) -> list[list[Payment]]:
    """What becomes of the payments of an order, step by step: refunds are added and succeed, in any order."""
    counts = draw(st.lists(st.integers(0, 4), min_size=1, max_size=3))
    amount = Money(centAmount=500, currencyCode="EUR")
    charged = draw(st.lists(st.booleans(), min_size=len(counts), max_size=len(counts)))
    transactions = [
        [Transaction(id=f"c{number}", type="Charge", state="Success" if is_charged else "Failure", amount=amount)]
        for number, is_charged in enumerate(charged)
    ]
    steps = draw(st.permutations([number for number, count in enumerate(counts) for _ in range(2 * count)]))
    course = []
    for number in steps:
        waiting = [at for at, one in enumerate(transactions[number]) if one.type == "Refund" and one.state == "Pending"]
        added = sum(one.type == "Refund" for one in transactions[number])
        if added < counts[number] and (not waiting or draw(st.booleans())):
            refund = Transaction(id=f"r{number}-{added}", type="Refund", state="Pending", amount=amount)
            transactions[number] = [*transactions[number], refund]
        elif waiting:
            at = draw(st.sampled_from(waiting))
            transactions[number] = list(transactions[number])
            transactions[number][at] = msgspec.structs.replace(transactions[number][at], state="Success")
        course.append([Payment(id=f"p{index}", transactions=list(own)) for index, own in enumerate(transactions)])
    return course


@reproducible
@given(courses())
def test_a_refund_keeps_its_id_and_shares_it_with_none(course: list[list[Payment]]) -> None:
    """Whatever succeeds first, on whichever payment, in realtime and in bulk, told once or again."""
    order = Order(id="o", createdAt="2026-03-01T09:30:00Z", customerId="c", totalPrice=Money(centAmount=1, currencyCode="EUR"))
    source = OrderSource(order=order)
    ids: dict[str, str] = {}
    for payments in course:
        everything = refunds_in_bulk(source, payments, Choices())
        successful = [one.id for paid in payments for one in paid.transactions if (one.type, one.state) == ("Refund", "Success")]
        for refund, event in zip(successful, everything, strict=True):
            assert ids.setdefault(refund, event.unique_id) == event.unique_id
        for paid in payments:
            for transaction in paid.transactions:
                named = refunded_orders(
                    PaidOrderSource(payment=paid, order=source, payments=payments), Choices(), paid.id, transaction.id
                )
                assert isinstance(named, MappedEvents) == (transaction.id in successful)
                if isinstance(named, MappedEvents):
                    assert [event.unique_id for event in named.events] == [ids[transaction.id]]
    assert len(set(ids.values())) == len(ids)
