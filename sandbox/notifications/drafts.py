"""What a merchant and the shoppers make: customers and products as the sample has them, and orders and payments of these. Pure.

Everything is without the fields that the API sets; each part has a new id from the ids given.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any
from uuid import UUID

from sandbox.sample import customers, products
from sandbox.sample.heads import head
from sandbox.sample.money import cents
from sandbox.sample.scale import Scale

Resource = dict[str, Any]

_SET_BY_THE_API = ("id", "version", "createdAt", "lastModifiedAt")


@dataclass(frozen=True, slots=True)
class Bought:
    """A line of an order to be placed: a variant of a product (as the API shows the product) and how many."""

    product: Mapping[str, Any]
    variant: Mapping[str, Any]
    quantity: int = 1


def new_ids(random: Random) -> Iterator[str]:
    """Random version 4 ids, without end."""
    while True:
        yield str(UUID(int=random.getrandbits(128), version=4))


def customer_draft(seed: int, index: int, size: int) -> Resource:
    """A customer of the sample, with an e-mail that no other has, not even in another case."""
    found = _drafted(customers.completed(head("customer", seed, index, size), seed, index, size))
    found["email"] = f"{index}.{found['email'].lower()}" if index % 4 else f"{index}.{found['email']}"
    found.pop("customerNumber", None)
    return found


def product_draft(seed: int, index: int, *, published: bool, categories: Sequence[str], variants: int | None = None) -> Resource:
    """A product of the sample in the categories with these ids; `variants` as in `Scale`."""
    scale = Scale(customers=0, categories=0, products=index + 1, orders=0, variants=variants)
    found = _drafted(products.product(seed, index, index + 1, scale))
    current = {**found["masterData"]["current"], "categories": [_reference("category", id_) for id_ in categories]}
    for variant in (current["masterVariant"], *current["variants"]):
        variant.pop("availability", None)  # what there is follows the inventory entries
    found["masterData"] = {"published": published, "hasStagedChanges": False, "current": current, "staged": current}
    return found


def order_draft(
    ids: Iterator[str],
    lines: Sequence[Bought],
    *,
    currency: str = "EUR",
    customer: Mapping[str, Any] | None = None,
    email: str | None = None,
    state: str = "Open",
    country: str = "DE",
    name: tuple[str, str] | None = ("Kim", "Example"),
) -> Resource:
    """An order in `state`; a variant without a price in `currency` costs 1,000 minor units of it.

    `customer`: whose order it is; `email` is a guest's, or another one than the customer's. `name` stands in the address.
    """
    items = [_line_item(ids, line, currency) for line in lines]
    total = sum(item["totalPrice"]["centAmount"] for item in items)
    found: Resource = {
        "lineItems": items,
        "customLineItems": [],
        "totalPrice": cents(currency, total),
        "orderState": state,
        "origin": "Customer",
        "country": country,
        "shippingMode": "Single",
        "shipping": [],
        "syncInfo": [],
        "refusedGifts": [],
        "discountCodes": [],
        "billingAddress": {"country": country, "city": "Berlin", "postalCode": "10115"},
    }
    if name is not None:
        found["billingAddress"] |= {"firstName": name[0], "lastName": name[1]}
    shown = email if email is not None or customer is None else customer["email"]
    if shown is not None:
        found["customerEmail"] = shown
    if customer is not None:
        found["customerId"] = customer["id"]
        if "customerGroup" in customer:
            found["customerGroup"] = customer["customerGroup"]
    return found


def payment_draft(amount: Mapping[str, Any], transactions: Sequence[Resource]) -> Resource:
    """A payment of `amount` with these transactions."""
    return {
        "amountPlanned": dict(amount),
        "paymentMethodInfo": {"paymentInterface": "example-psp", "method": "CREDIT_CARD"},
        "paymentStatus": {},
        "transactions": list(transactions),
        "interfaceInteractions": [],
    }


def transaction_draft(ids: Iterator[str], type_: str, state: str, amount: Mapping[str, Any], at: str | None = None) -> Resource:
    """A transaction of a payment; `at` is when it took place, ISO 8601, absent where nobody says."""
    found = {"id": next(ids), "type": type_, "state": state, "amount": dict(amount)}
    return found if at is None else {**found, "timestamp": at}


def category_draft(name: Mapping[str, str], slug: str, above: Sequence[str], order_hint: str = "0.5") -> Resource:
    """A category below those with the ids `above`, from the root down to its parent."""
    ancestors = [_reference("category", id_) for id_ in above]
    found: Resource = {
        "name": dict(name),
        "slug": {"en": slug},
        "orderHint": order_hint,
        "ancestors": ancestors,
        "assets": [],
    }
    return {**found, "parent": ancestors[-1]} if ancestors else found


def entry_draft(sku: str, quantity: int, channel_id: str | None = None) -> Resource:
    """An inventory entry, of a supply channel or of none."""
    found: Resource = {"sku": sku, "quantityOnStock": quantity, "availableQuantity": quantity}
    return found if channel_id is None else {**found, "supplyChannel": _reference("channel", channel_id)}


def variants_of(product: Mapping[str, Any]) -> list[Resource]:
    """All variants of a product's current data, the master first."""
    current = product["masterData"]["current"]
    return [current["masterVariant"], *current["variants"]]


def _line_item(ids: Iterator[str], line: Bought, currency: str) -> Resource:
    current = line.product["masterData"]["current"]
    price = next((p for p in line.variant.get("prices", ()) if p["value"]["currencyCode"] == currency), None)
    price = price or {"id": next(ids), "value": cents(currency, 1_000)}
    worth = price.get("discounted", price)["value"]["centAmount"]
    item: Resource = {
        "id": next(ids),
        "productId": line.product["id"],
        "name": current["name"],
        "productSlug": current["slug"],
        "productType": line.product["productType"],
        "variant": {name: value for name, value in line.variant.items() if name != "availability"},
        "price": price,
        "quantity": line.quantity,
        "totalPrice": cents(currency, worth * line.quantity),
        "discountedPricePerQuantity": [],
        "taxedPricePortions": [],
        "state": [],
        "perMethodTaxRate": [],
        "priceMode": "Platform",
        "lineItemMode": "Standard",
    }
    if "key" in line.product:
        item["productKey"] = line.product["key"]
    return item


def _reference(type_id: str, identifier: str) -> dict[str, str]:
    return {"typeId": type_id, "id": identifier}


def _drafted(resource: Mapping[str, Any]) -> Resource:
    return {name: value for name, value in resource.items() if name not in _SET_BY_THE_API}
