"""The smallest resources of each kind that commercetools would show and the mappings take, as fields for `World.put`."""

from __future__ import annotations

import uuid
from typing import Any


def money(cents: int, currency: str = "EUR") -> dict[str, Any]:
    """An amount in a currency of two decimals."""
    return {"type": "centPrecision", "currencyCode": currency, "centAmount": cents, "fractionDigits": 2}


def category(name: str, *ancestors: str, **different: Any) -> dict[str, Any]:
    """A category with an English name below these (ids, from the top)."""
    references = [{"typeId": "category", "id": identifier} for identifier in ancestors]
    parent = {"parent": references[-1]} if references else {}
    return {
        "name": {"en": name},
        "slug": {"en": name.lower()},
        "ancestors": references,
        "orderHint": "0.1",
        **parent,
        **different,
    }


def variant(number: int, sku: str | None, **different: Any) -> dict[str, Any]:
    """A variant without prices, images and attributes."""
    named = {} if sku is None else {"sku": sku}
    return {"id": number, **named, "prices": [], "images": [], "attributes": [], "assets": [], **different}


def product(name: str, *variants: dict[str, Any], **different: Any) -> dict[str, Any]:
    """A published product with these variants; `different` are fields of its current data."""
    current = {
        "name": {"en": name},
        "slug": {"en": name.lower().replace(" ", "-")},
        "categories": [],
        "masterVariant": variants[0],
        "variants": list(variants[1:]),
        "attributes": [],
        "searchKeywords": {},
        **different,
    }
    return {
        "productType": {"typeId": "product-type", "id": str(uuid.uuid4())},
        "masterData": {"published": True, "hasStagedChanges": False, "current": current, "staged": current},
    }


def projection(shown: dict[str, Any]) -> dict[str, Any]:
    """What a `ProductPublished` message has of a product."""
    head = {name: shown[name] for name in ("id", "version", "createdAt", "lastModifiedAt", "productType")}
    return {**head, "published": True, "hasStagedChanges": False, **shown["masterData"]["current"]}


def line(name: str, product_id: str, cents: int, quantity: int = 1, **different: Any) -> dict[str, Any]:
    """A line item of an order."""
    return {
        "id": str(uuid.uuid4()),
        "productId": product_id,
        "name": {"en": name},
        "variant": variant(1, f"{name}-1"),
        "price": {"id": str(uuid.uuid4()), "value": money(cents)},
        "quantity": quantity,
        "totalPrice": money(cents * quantity),
        "discountedPricePerQuantity": [],
        **different,
    }


def order(*lines: dict[str, Any], **different: Any) -> dict[str, Any]:
    """An open order of a guest."""
    total = sum(item["totalPrice"]["centAmount"] for item in lines)
    return {
        "customerEmail": "guest@example.com",
        "lineItems": list(lines),
        "customLineItems": [],
        "totalPrice": money(total),
        "orderState": "Open",
        **different,
    }
