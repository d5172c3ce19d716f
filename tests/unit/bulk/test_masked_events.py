"""Events as a dry run shows them: products may be seen, people and what nobody knows the content of may not."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from shared.bulk.masking import MASK, masked_event, masked_profile
from shared.klaviyo.events import Event
from shared.klaviyo.profiles import ProfileAttributes, ProfileLocation

ITEM = {
    "ProductID": "p1",
    "SKU": "JEANS-32",
    "ProductName": "Jeans",
    "Quantity": 2,
    "ItemPrice": Decimal("6.50"),
    "Categories": ["Women"],
}
PROFILE = ProfileAttributes(
    external_id="customer-1",
    email="anna@example.com",
    phone_number="+493023125014",
    first_name="Anna",
    location=ProfileLocation(address1="Hauptstraße 7", country="DE"),
)


def event(properties: dict[str, Any], metric: str = "Placed Order") -> Event:
    """An event of Anna's."""
    return Event(
        metric=metric,
        profile=PROFILE,
        unique_id="order-1",
        time="2026-03-01T09:30:00.000Z",
        value=Decimal("13.00"),
        value_currency="EUR",
        properties=properties,
    )


def test_an_order_shows_what_happened_and_its_products() -> None:
    """Metric, id, time, value and the facts of its items; of its buyer the customer's id, and which attributes there are."""
    properties = {"OrderId": "order-1", "Categories": ["Women"], "Brands": ["Muster"], "Items": [ITEM], "DiscountCode": "ANNA-10"}
    assert masked_event(event(properties)) == {
        "metric": "Placed Order",
        "profile": {
            "external_id": "customer-1",
            **dict.fromkeys(("email", "phone_number", "first_name", "location"), MASK),
        },
        "unique_id": "order-1",
        "time": "2026-03-01T09:30:00.000Z",
        "value": 13.0,
        "value_currency": "EUR",
        "properties": {
            "OrderId": "order-1",
            "Categories": ["Women"],
            "Brands": ["Muster"],
            "Items": [{**ITEM, "ItemPrice": 6.5}],
            "DiscountCode": MASK,
        },
    }


def test_a_customers_id_is_shown_with_the_profile_as_with_the_events() -> None:
    """It is an identifier of commercetools, and tells nobody who the customer is; the e-mail does."""
    profiles = (masked_profile(PROFILE), masked_event(event({}))["profile"])
    assert [(shown["external_id"], shown["email"]) for shown in profiles] == [("customer-1", MASK)] * 2


def test_what_is_not_known_to_be_harmless_is_masked_whole() -> None:
    """Names of custom and raw fields stay; their values, and whatever is in them, do not."""
    properties = {
        "OrderNumber": "ORD-1",
        "DiscountCodes": ["ANNA-10"],
        "ItemNames": ["Engraving: for Anna"],
        "BillingAddress": {"FirstName": "Anna", "Zip": "10115"},
        "Country": "DE",
        "greeting": {"anna@example.com": ["Dear Anna"]},
        "SKU": "a custom field of an order that is called like a fact of a product",
        "ProductName": "the same",
        "Items": [{**ITEM, "Engraving": "Anna"}, "Anna"],
        "customerEmail": None,
    }
    shown = masked_event(event(properties))["properties"]
    assert shown == {**dict.fromkeys(properties, MASK), "Items": [{**ITEM, "ItemPrice": 6.5, "Engraving": MASK}, MASK]}


def test_a_line_shows_its_product() -> None:
    """Attributes of the variant and raw fields of the line item are masked."""
    properties = {"OrderId": "order-1", **ITEM, "Brand": "Muster", "color": "red", "custom": {"fields": {"for": "Anna"}}}
    shown = masked_event(event(properties, "Ordered Product"), of_line=True)["properties"]
    assert shown == {"OrderId": "order-1", **ITEM, "ItemPrice": 6.5, "Brand": "Muster", "color": MASK, "custom": MASK}


def test_the_examples_of_large_orders_fit_a_record() -> None:
    """Of long lists the first elements, and how many more there are."""
    items = [{**ITEM, "Categories": [f"Category {number}" for number in range(50)]} for _ in range(500)]
    shown = masked_event(event({"Items": items, "Categories": ["Women"] * 4}))
    assert [*shown["properties"]["Items"][3:], shown["properties"]["Categories"][-1]] == ["and 497 more", "and 1 more"]
    assert shown["properties"]["Items"][0]["Categories"][3:] == ["and 47 more"]
    assert len(json.dumps(shown)) < 5_000
