"""Realtime and bulk say the same of the same resource (mapping.md), and realtime says nothing that Klaviyo would refuse.

For customers the rows of the import are compared with the bodies of realtime. Orders, payments, products, categories and
stock have one function each in `shared.mapping`; realtime adds nothing to what these say.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_catalog_mapping import CATEGORIES, CONTRACT, ENTRIES, SKUS
from test_catalog_mapping import CHOICES as CATALOG_CHOICES
from test_catalog_mapping import SOURCES as PRODUCT_SOURCES
from test_customer_mapping import CUSTOMERS, JSON, RULES, reproducible
from test_order_mapping import CHOICES as ORDER_CHOICES
from test_order_mapping import ORDERS, TRANSACTIONS, exactly, refunds_in_bulk
from test_order_mapping import SOURCES as ORDER_SOURCES

import shared.bulk
import shared.realtime
from shared.bulk.kinds.customers import _Window
from shared.commercetools.catalog import Money, Price, ProductProjection, Variant
from shared.commercetools.orders import LineItem, Order, Payment, Transaction
from shared.commercetools.resources import Customer
from shared.klaviyo import catalog, events, profiles
from shared.klaviyo.profile_requests import FoundAttributes, FoundProfile
from shared.klaviyo.requests import Request
from shared.mapping.category import category_of
from shared.mapping.choices import Choices
from shared.mapping.customer import MappedProfile, profile_of
from shared.mapping.order_events import MappedEvents, cancelled_order, fulfilled_order, placed_order
from shared.mapping.product import product_of
from shared.mapping.result import Skip, SkipReason
from shared.mapping.sources import CategorySource, CustomerSource, OrderSource, PaidOrderSource, ProductSource, StockSource
from shared.mapping.stock import stock_of_entries, stock_of_variant
from shared.mapping.text import sendable
from shared.realtime.notification import Change, MalformedNotification, Notification, notification_of
from shared.realtime.preferred import Known, preferred_requests
from shared.realtime.registry import ROUTES, route_of
from shared.realtime.route import NoSource, Result, Route
from shared.realtime.writes import Mapped, PutCategories, PutProduct, SendEvents, SetStock, UpsertProfile
from shared.settings.document import CustomerRules, SyncDocument

NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
AT = "2026-03-04T18:00:00.000Z"
BY_NAME = {route.name: route for route in ROUTES}
E164 = re.compile(r"\+[1-9][0-9]{4,14}")

STATES = st.sampled_from(["Complete", "Cancelled", "Open", "Confirmed", None])
SHIPMENT_STATES = st.sampled_from(["Shipped", "Delivered", "Pending", None])
CURRENCY_DIGITS = {"EUR": 2, "JPY": 0, "KWD": 3}
MONEY = st.builds(
    lambda cents, currency: Money(centAmount=cents, currencyCode=currency, fractionDigits=CURRENCY_DIGITS[currency]),
    st.integers(0, 2**53),
    st.sampled_from(sorted(CURRENCY_DIGITS)),
) | st.builds(
    lambda units, digits: Money(centAmount=1, currencyCode="EUR", fractionDigits=digits, preciseAmount=units),
    st.integers(0, 2**53),
    st.integers(3, 20),
)


def in_state(state: str | None, shipment: str | None, customer: Customer | None, source: OrderSource) -> OrderSource:
    """The order in these states, with its customer read."""
    order = msgspec.structs.replace(source.order, orderState=state, shipmentState=shipment)
    return msgspec.structs.replace(source, order=order, customer=customer)


def somebodys(source: OrderSource) -> OrderSource:
    """The order with a buyer and a time, without which there are no events of it."""
    order = msgspec.structs.replace(source.order, customerEmail="anna@example.com", createdAt=AT)
    return msgspec.structs.replace(source, order=order)


SOME_ORDERS = st.one_of(ORDER_SOURCES.map(somebodys), ORDER_SOURCES)
ORDERS_IN_STATES = st.builds(in_state, STATES, SHIPMENT_STATES, CUSTOMERS | st.none(), SOME_ORDERS)
PAYMENTS = st.lists(st.lists(TRANSACTIONS, min_size=1, max_size=3), min_size=1, max_size=2).map(
    lambda each: [Payment(id=f"p{at}", lastModifiedAt=AT, transactions=own) for at, own in enumerate(each)]
)
PAID_ORDERS = st.builds(
    lambda payments, order: PaidOrderSource(payment=payments[0], order=order, payments=payments),
    PAYMENTS,
    SOME_ORDERS | st.none(),
)
CATEGORY_SOURCES = st.builds(CategorySource, category=CATEGORIES, descendants=st.lists(CATEGORIES, max_size=3))
SOURCES: dict[type[msgspec.Struct], st.SearchStrategy[Any]] = {
    NoSource: st.just(NoSource()),
    CustomerSource: st.builds(CustomerSource, customer=CUSTOMERS),
    OrderSource: ORDERS_IN_STATES,
    PaidOrderSource: PAID_ORDERS,
    ProductSource: PRODUCT_SOURCES,
    CategorySource: CATEGORY_SOURCES,
    StockSource: st.builds(StockSource, sku=SKUS, entries=ENTRIES),
}
NEW = st.sampled_from([{"id": "c1"}, None])
OLD = st.sampled_from([None, {"id": "c2"}])
REFUND = Transaction(id="a", type="Refund", state="Success", amount=Money(centAmount=1, currencyCode="EUR"))
MESSAGE_FIELDS = st.fixed_dictionaries(
    {
        "orderState": STATES.map(lambda state: state or ""),
        "shipmentState": SHIPMENT_STATES.map(lambda state: state or ""),
        "customer": NEW,
        "oldCustomer": OLD,
        "email": st.sampled_from(["anna@example.com", "", None]),
        "oldEmail": st.sampled_from([None, "", "before@example.com"]),
        "transaction": st.just(
            Transaction(id="a", type="Refund", state="Success", amount=Money(centAmount=1, currencyCode="EUR"))
        ),
        "transactionId": st.sampled_from(["a", "b", "c"]),
        "sku": st.just("A"),
    }
)
"""The own fields of every message at once: a route looks only at its own."""

PROFILES = st.none() | st.builds(
    FoundProfile,
    id=st.sampled_from(["01A", "01B"]),
    attributes=st.builds(FoundAttributes, email=st.none() | st.just("anna@example.com")),
)
KNOWN = st.builds(
    Known,
    item=st.booleans(),
    variants=st.lists(st.sampled_from(["A", "B", "C/Ö &", "D"]), unique=True),
    categories=st.dictionaries(st.sampled_from([f"category-{number}" for number in range(5)]), st.just("Women")),
    profile=PROFILES,
)

briefly = settings(reproducible, max_examples=60)


def notification(route: Route[Any], kind: str, *, has_payload: bool = True, fields: Any = None, **more: Any) -> Notification:
    """A notification of the route about the resource `r1`."""
    return Notification(
        type=kind,
        resource_type=route.resource_type,
        resource_id=more.pop("resource_id", "r1"),
        at=more.pop("at", AT),
        has_payload=has_payload,
        body=msgspec.json.encode(fields or {}),
        **more,
    )


def mapped(name: str, kind: str, source: Any, choices: Choices, **more: Any) -> Result:
    """What the route of that name says."""
    route = BY_NAME[name]
    return route.map(notification(route, kind, **more), source, choices, NOW)


def events_of(result: Result) -> tuple[events.Event, ...]:
    """The events of a result that has nothing else; none when it is a skip."""
    if isinstance(result, Skip):
        return ()
    [write] = result.writes
    assert isinstance(write, SendEvents)
    return write.events


def with_rules(rules: CustomerRules) -> Choices:
    """Choices that differ only in what they say of customers."""
    return Choices(SyncDocument(customer=rules))


def assert_klaviyo_takes(request: Request[Any]) -> None:
    """The contract of its operation; a phone only in E.164."""
    [operation] = [
        one
        for one in CONTRACT._document["operations"]
        if (one["method"], one["path"]) == (request.endpoint.method, request.endpoint.path)
    ]
    assert ("body" in operation) == bool(request.body)
    if request.body:
        body = CONTRACT.check(operation["body"], request.body)
        assert len(request.body) <= request.endpoint.body_bytes_most
        for phone in phones_in(body["data"]):
            assert E164.fullmatch(phone)


def phones_in(data: dict[str, Any]) -> list[str]:
    """The phone of the profile that a body is, or is about."""
    attributes = data.get("attributes", {})
    person = attributes.get("profile", {}).get("data", {}).get("attributes", {}) if "profile" in attributes else attributes
    return [person["phone_number"]] if "phone_number" in person else []


@reproducible
@given(CUSTOMERS, RULES, st.sampled_from([("CustomerCreated", "CustomerCreated"), ("CustomerResourceUpdated", Change.UPDATED)]))
def test_a_customer_is_one_profile_to_realtime_and_to_the_import(
    customer: Customer, rules: CustomerRules, kind: tuple[str, str]
) -> None:
    """The row of the import is, byte for byte, what realtime upserts; what was left out, or why nothing is sent, is the same."""
    window = _Window()
    window.admit(customer, rules)
    rows = list(window.handed_over())
    counted = window.tally.result()
    result = mapped(*kind, CustomerSource(customer=customer), with_rules(rules))
    if isinstance(result, Skip):
        assert rows == []
        assert counted.skipped == {result.reason: 1}
        return
    [row] = rows
    [write] = result.writes
    [request] = preferred_requests(write)
    assert request.body == b'{"data":' + row.encoded + b"}"
    assert counted.adjusted == dict.fromkeys(result.adjustments, 1)
    [patch] = preferred_requests(write, Known(profile=FoundProfile("01A")))
    assert msgspec.json.decode(patch.body)["data"]["attributes"] == msgspec.json.decode(row.encoded)["attributes"]


@briefly
@given(ORDERS_IN_STATES, ORDER_CHOICES)
def test_a_profile_that_comes_with_an_order_is_the_customers(source: OrderSource, choices: Choices) -> None:
    """A customer that was set when the order had another one is the customer that the import would send."""
    fields = {"customer": {"id": "c1"}, "oldCustomer": {"id": "c2"}}
    result = mapped("OrderIdentitySet", "OrderCustomerSet", source, choices, fields=fields)
    if source.customer is None:
        assert result == Skip(SkipReason.ORDER_PLACED_BEFORE)
        return
    profile = profile_of(source.customer, choices.document.customer)
    if isinstance(profile, MappedProfile):
        assert result == Mapped((UpsertProfile(profile.attributes),), profile.adjustments)
    else:
        assert result == profile


@briefly
@given(ORDERS_IN_STATES, ORDER_CHOICES, st.sampled_from(["OrderCreated", "OrderCreatedFromRecurringOrder"]))
def test_a_created_order_is_what_the_mapping_says(source: OrderSource, choices: Choices, kind: str) -> None:
    """Placed Order and its lines, and what had to be left out of them; or the same reason why not."""
    placed = placed_order(source, choices)
    result = mapped("OrderCreated", kind, source, choices)
    if isinstance(placed, MappedEvents):
        assert result == Mapped((SendEvents(placed.events),), placed.adjustments)
    else:
        assert result == placed


@briefly
@given(ORDERS_IN_STATES, ORDER_CHOICES, st.sampled_from(["OrderCreated", "OrderImported"]))
def test_an_order_told_late_has_the_events_of_its_history(source: OrderSource, choices: Choices, kind: str) -> None:
    """Each event is, but for the time of Fulfilled and Cancelled, what the mapping says of the order, and Placed is the first."""
    result = mapped("OrderCreated", kind, source, choices, has_payload=kind == "OrderImported")
    sent = events_of(result)
    placed = placed_order(source, choices)
    if isinstance(placed, Skip) or not sent:
        assert sent == ()
        return
    assert sent[: len(placed.events)] == placed.events
    history = {events_of_one.metric: events_of_one for events_of_one in sent[len(placed.events) :]}
    assert len(history) == len(sent) - len(placed.events)
    order = source.order
    is_fulfilled = order.orderState == "Complete" or order.shipmentState in ("Shipped", "Delivered")
    assert set(history) == {
        *(["Fulfilled Order"] if is_fulfilled else []),
        *(["Cancelled Order"] if order.orderState == "Cancelled" else []),
    }
    for event in history.values():
        whole = (fulfilled_order if event.metric == "Fulfilled Order" else cancelled_order)(source, choices, event.time)
        assert isinstance(whole, MappedEvents)
        assert whole.events == (event,)


@briefly
@given(ORDERS_IN_STATES, ORDER_CHOICES, st.sampled_from(["Complete", "Cancelled"]), st.sampled_from(["Shipped", "Delivered"]))
def test_a_changed_order_is_what_the_mapping_says(source: OrderSource, choices: Choices, state: str, shipment: str) -> None:
    """Fulfilled or Cancelled Order at the time of the notification."""
    expected = (fulfilled_order if state == "Complete" else cancelled_order)(source, choices, AT)
    result = mapped("OrderStateChanged", "OrderStateChanged", source, choices, fields={"orderState": state})
    assert events_of(result) == (expected.events if isinstance(expected, MappedEvents) else ())
    shipped = fulfilled_order(source, choices, AT)
    fields = {"shipmentState": shipment}
    result = mapped("OrderShipmentStateChanged", "OrderShipmentStateChanged", source, choices, fields=fields)
    assert events_of(result) == (shipped.events if isinstance(shipped, MappedEvents) else ())


@briefly
@given(PAYMENTS, SOME_ORDERS, ORDER_CHOICES)
def test_the_refunds_of_all_notifications_are_those_of_the_import(
    payments: list[Payment], order: OrderSource, choices: Choices
) -> None:
    """Told payment by payment, or transaction by transaction, each refund is the event that the order's refunds have for it."""
    expected = Counter(map(repr, refunds_in_bulk(order, payments, choices)))
    by_payment, by_transaction = Counter[str](), set[str]()
    for payment in payments:
        source = PaidOrderSource(payment=payment, order=order, payments=payments)
        about: dict[str, Any] = {"source": source, "choices": choices, "resource_id": payment.id}
        added = mapped("OrderRefunded", "PaymentTransactionAdded", **about, has_payload=False)
        by_payment.update(map(repr, events_of(added)))
        for transaction in payment.transactions:
            fields = {"transactionId": transaction.id, "state": "Success"}
            if sendable(transaction.id) == transaction.id:
                told = mapped("OrderRefunded", "PaymentTransactionStateChanged", **about, fields=fields)
                by_transaction.update(map(repr, events_of(told)))
    assert by_payment == expected
    assert by_transaction <= set(expected)


@reproducible
@given(PRODUCT_SOURCES, CATALOG_CHOICES, st.sampled_from(["ProductPublished", "ProductUnpublished"]))
def test_a_product_is_what_the_mapping_says(source: ProductSource, choices: Choices, kind: str) -> None:
    """Item, variants, categories and what had to be left out; also where an old message says that it was unpublished."""
    product = product_of(source, choices, NOW)
    put = PutProduct(product.item, product.variants, product.categories)
    assert mapped(kind, kind, source, choices) == Mapped((put,), product.adjustments)


@reproducible
@given(CATEGORY_SOURCES, CATALOG_CHOICES, st.booleans())
def test_a_category_is_what_the_mapping_says(source: CategorySource, choices: Choices, is_new: bool) -> None:
    """The category and all below it, under their breadcrumbs."""
    name, kind = ("CategoryCreated", "CategoryCreated") if is_new else ("CategoryResourceUpdated", Change.UPDATED)
    named = tuple(category_of(category, choices.locale) for category in (source.category, *source.descendants))
    assert mapped(name, kind, source, choices) == Mapped((PutCategories(named, new=is_new),))


@reproducible
@given(st.builds(StockSource, sku=SKUS, entries=ENTRIES), CATALOG_CHOICES, st.sampled_from([*Change, "InventoryEntryDeleted"]))
def test_a_stock_is_what_the_product_would_say(source: StockSource, choices: Choices, kind: str) -> None:
    """With the same entries, a notification of the stock and one of the product send the same quantity."""
    result = mapped("InventoryResourceUpdated", kind, source, choices)
    assert isinstance(result, Mapped)
    assert result.writes == (SetStock(source.sku, stock_of_entries(source.entries, choices)),)
    own = [entry for entry in source.entries if entry.sku == source.sku]
    if own:
        assert stock_of_variant(Variant(sku=source.sku), own, choices) == stock_of_entries(own, choices)


@pytest.mark.parametrize("package", [shared.realtime, shared.bulk], ids=lambda package: package.__name__)
def test_nothing_but_the_mapping_makes_what_klaviyo_gets(package: Any) -> None:
    """No module of realtime or of the import makes a profile, an event or an object of the catalog by itself."""
    made = {
        name
        for module in (profiles, events, catalog)
        for name, thing in vars(module).items()
        if isinstance(thing, type) and issubclass(thing, msgspec.Struct) and thing is not msgspec.Struct
    }
    assert {"Event", "ProfileAttributes", "CatalogItem", "CatalogVariant", "CatalogStock", "CatalogCategory"} <= made
    modules = [file for folder in package.__path__ for file in Path(folder).rglob("*.py")]
    assert len(modules) > 10
    for file in modules:
        calls = [node.func for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
        called = {call.id for call in calls if isinstance(call, ast.Name)}
        called |= {call.attr for call in calls if isinstance(call, ast.Attribute)}
        assert called & made == set(), file.name


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_whatever_was_read_klaviyo_takes_what_is_sent(route: Route[Any]) -> None:
    """Of any type that the route handles, with or without its own fields: a declared reason, or requests within the contract."""
    document = SyncDocument()
    kinds = [*route.types(document)]

    @briefly
    @given(
        kind=st.sampled_from(kinds),
        has_payload=st.booleans(),
        fields=MESSAGE_FIELDS,
        data_erasure=st.booleans(),
        choices=ORDER_CHOICES if route.source in (OrderSource, PaidOrderSource) else CATALOG_CHOICES,
        known=KNOWN,
        vanished=st.booleans(),
        source=SOURCES[route.source] | st.none(),
    )
    def holds(
        kind: str,
        has_payload: bool,
        fields: Any,
        data_erasure: bool,
        choices: Choices,
        known: Known,
        vanished: bool,
        source: Any,
    ) -> None:
        told = notification(
            route, kind, has_payload=has_payload, fields=fields, resource_id="p0", data_erasure=data_erasure, at="no time"
        )
        assert route_of(told, choices.document) is route
        if source is not None:
            result = route.map(told, source, choices, NOW)
        elif vanished:
            result = route.vanished(told, choices, has_payload)
        else:
            result = route.is_gone(told, choices)
        if isinstance(result, Skip):
            assert result.reason in SkipReason
            return
        assert len(set(result.adjustments)) == len(result.adjustments)
        for write in result.writes:
            for request in preferred_requests(write, known):
                assert_klaviyo_takes(request)

    holds()


def carried(value: Any) -> Any:
    """The value as JSON can carry it: half characters replaced, numbers finite."""
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, dict):
        return {carried(name): carried(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [carried(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def as_json(order: Order) -> dict[str, Any]:
    """An open order of somebody, as commercetools would deliver it."""
    shown: dict[str, Any] = carried(msgspec.to_builtins(order))
    return {**shown, "id": "o1", "orderState": "Open", "createdAt": AT, "customerEmail": "anna@example.com"}


def told(resource: Any) -> bytes:
    """The body of a notification that embeds an order."""
    head = {"notificationType": "Message", "type": "OrderCreated", "resource": {"typeId": "order", "id": "o1"}, "createdAt": AT}
    return json.dumps({**head, "order": resource}).encode()


@briefly
@given(
    st.builds(
        lambda order, name, value: {**as_json(order), name: carried(value)},
        ORDERS,
        st.sampled_from(["nothing", *(field.name for field in msgspec.structs.fields(Order))]),
        JSON,
    )
    | ORDERS.map(as_json)
    | JSON,
    ORDER_CHOICES,
)
def test_whatever_a_message_embeds_it_is_malformed_or_irrelevant_or_its_events_keep_the_contract(
    resource: Any, choices: Choices
) -> None:
    """An order of any JSON: commercetools' own, one with a field of another type, or no order at all."""
    try:
        delivered = notification_of(told(resource))
        route = BY_NAME["OrderCreated"]
        assert route_of(delivered, choices.document) is route
        if route.irrelevant(delivered, choices.document) is not None:
            return
        order = delivered.fields(_Embedding).order
    except MalformedNotification:
        return
    result = route.map(delivered, OrderSource(order=order, raw=resource), choices, NOW)
    if isinstance(result, Mapped):
        for request in preferred_requests(*result.writes):
            assert_klaviyo_takes(request)


class _Embedding(msgspec.Struct):
    order: Order


@reproducible
@given(MONEY, st.integers(1, 3))
def test_money_is_exact_in_every_body(amount: Money, quantity: int) -> None:
    """Yen without decimals, dinars with three, high precision with all of its digits: orders, lines, refunds, items, variants."""
    line = LineItem(id="l", productId="p", quantity=quantity, price=Price(value=amount), totalPrice=amount)
    order = Order(id="o", createdAt=AT, customerId="c", orderState="Open", totalPrice=amount, lineItems=[line])
    refund = Payment(id="r1", transactions=[Transaction(id="t", type="Refund", state="Success", amount=amount)])
    paid = PaidOrderSource(payment=refund, order=OrderSource(order=order), payments=[refund])
    product = ProductProjection(id="p", masterVariant=Variant(sku="s", prices=[Price(value=amount)]))
    placed, lines = bodies(mapped("OrderCreated", "OrderCreated", OrderSource(order=order), Choices()))
    [refunded] = bodies(mapped("OrderRefunded", "PaymentTransactionAdded", paid, Choices(), has_payload=False))
    item, variant = bodies(mapped("ProductPublished", "ProductPublished", ProductSource(product=product), Choices()))
    assert {Fraction(body["value"]) for body in (placed, lines, refunded)} == {exactly(amount)}
    assert {body["value_currency"] for body in (placed, lines, refunded)} == {amount.currencyCode}
    assert {Fraction(body["price"]) for body in (item, variant)} == {exactly(amount)}


def bodies(result: Result) -> list[dict[str, Any]]:
    """The attributes of each request, amounts with all their digits."""
    assert isinstance(result, Mapped)
    requests = [request for write in result.writes for request in preferred_requests(write)]
    return [json.loads(one.body, parse_float=Decimal, parse_int=Decimal)["data"]["attributes"] for one in requests]
