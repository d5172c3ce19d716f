"""A small order and its parts, to be changed by the tests that look at them."""

from __future__ import annotations

from typing import Any

import msgspec

from shared.commercetools.catalog import Attribute, Image, Money, Price, Variant
from shared.commercetools.orders import LineItem, Order, Payment, Transaction
from shared.commercetools.resources import Address
from shared.klaviyo.events import Event
from shared.mapping.choices import Choices
from shared.mapping.order_events import MappedEvents, placed_order
from shared.mapping.result import Skip
from shared.mapping.sources import OrderSource
from shared.settings.document import SyncDocument

CREATED_AT = "2026-03-01T09:30:00.000Z"
A_SECOND_LATER = "2026-03-01T09:30:01.000Z"
MODIFIED_AT = "2026-03-04T18:00:00.000Z"


def eur(cents: int) -> Money:
    """So many cents."""
    return Money(centAmount=cents, currencyCode="EUR")


LINE = LineItem(
    id="line-1",
    productId="product-1",
    name={"en": "Jeans", "de": "Hose"},
    productSlug={"en": "jeans", "de": "hose"},
    productKey="jeans-key",
    variant=Variant(id=2, sku="JEANS-32", images=[Image(url="https://images.example.com/jeans.jpg")]),
    price=Price(value=eur(650)),
    quantity=2,
    totalPrice=eur(1300),
)
ORDER = Order(
    id="order-1",
    createdAt=CREATED_AT,
    lastModifiedAt=MODIFIED_AT,
    customerId="customer-1",
    customerEmail="anna@example.com",
    lineItems=[LINE],
    totalPrice=eur(1300),
    orderState="Open",
)
ADDRESS = Address(
    firstName="Anna",
    lastName="Berg",
    streetName="Hauptstraße",
    streetNumber="7",
    postalCode="10115",
    city="Berlin",
    region="BE",
    country="DE",
    phone="030 23125014",
)
CHOICES = Choices(locale="en")


def line(**changes: Any) -> LineItem:
    """Two pairs of jeans at 6.50 EUR, with `changes`."""
    return msgspec.structs.replace(LINE, **changes)


def line_with(*attributes: tuple[str, Any]) -> LineItem:
    """The line with these attributes of its variant."""
    listed = [Attribute(name=name, value=value) for name, value in attributes]
    return line(variant=msgspec.structs.replace(LINE.variant, attributes=listed))


def order(**changes: Any) -> Order:
    """An open order of a customer over two pairs of jeans, with `changes`."""
    return msgspec.structs.replace(ORDER, **changes)


def source_of(**changes: Any) -> OrderSource:
    """The order with `changes`, and nothing that it refers to."""
    return OrderSource(order=order(**changes))


def choices(document: dict[str, Any] | None = None, **changes: Any) -> Choices:
    """Choices of a document that says this and nothing else; English is preferred unless `changes` say otherwise."""
    return Choices(**{"locale": "en", "document": msgspec.convert(document or {}, SyncDocument), **changes})


def placed(source: OrderSource, chosen: Choices = CHOICES) -> MappedEvents:
    """What Placed Order and its lines come to, of an order that is not skipped."""
    mapped = placed_order(source, chosen)
    assert not isinstance(mapped, Skip)
    return mapped


def properties_of(source: OrderSource, chosen: Choices = CHOICES) -> dict[str, Any]:
    """The properties of Placed Order."""
    return placed(source, chosen).events[0].properties


def line_properties_of(source: OrderSource, chosen: Choices = CHOICES) -> dict[str, Any]:
    """The properties of the first Ordered Product."""
    return placed(source, chosen).events[1].properties


def encoded(event: Event) -> bytes:
    """The event as JSON, amounts as numbers."""
    return msgspec.json.Encoder(decimal_format="number").encode(event)


def transaction(
    transaction_id: str, kind: str = "Refund", state: str = "Success", cents: int = 500, **changes: Any
) -> Transaction:
    """A transaction of 5.00 EUR without a timestamp."""
    return Transaction(id=transaction_id, type=kind, state=state, amount=changes.pop("amount", eur(cents)), **changes)


def payment(payment_id: str, *transactions: Transaction, **changes: Any) -> Payment:
    """A payment with these transactions."""
    return Payment(id=payment_id, transactions=list(transactions), **{"lastModifiedAt": "2026-03-09T00:00:00.000Z", **changes})
