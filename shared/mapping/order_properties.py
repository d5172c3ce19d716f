"""What the events of an order say of it (mapping.md "Properties", klaviyo.md 5.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from shared.commercetools.resources import Address
from shared.mapping.address import street
from shared.mapping.choices import Choices
from shared.mapping.limits import fitted, without_largest
from shared.mapping.localized import localized
from shared.mapping.order_discounts import discount_codes, discount_value
from shared.mapping.order_shipping import shipping_address, shipping_method, tracking
from shared.mapping.person import group_name
from shared.mapping.properties import chosen_properties
from shared.mapping.result import Adjustment
from shared.mapping.sources import OrderSource
from shared.mapping.text import sendable

MAX_PROPERTIES_BYTES = 4_400_000
"""Below what a bulk body is packed to, so that an event fits one together with its profile and the envelope."""

_ENCODER = msgspec.json.Encoder(decimal_format="number")


def order_properties(source: OrderSource, choices: Choices, items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The order in Klaviyo's words; `items` are its line items' elements of `Items`.

    Lists are there even when they are empty; what else is unknown or blank is left out. `DiscountCode` is the first of
    `DiscountCodes`, for segments that compare with one code.
    """
    order = source.order
    parcel = tracking(order)
    codes = discount_codes(source)
    deliver_to = shipping_address(order)
    names = (localized(line.name, choices.locale) for line in order.all_lines)
    properties = {
        "OrderId": order.id,
        "OrderNumber": order.orderNumber,
        "Categories": _unique(path for item in items for path in item["Categories"]),
        "ItemNames": _unique(names),
        "Brands": _unique(item.get("Brand") for item in items),
        "DiscountCodes": codes,
        "DiscountCode": codes[0] if codes else None,
        "DiscountValue": discount_value(order),
        "ShippingMethod": shipping_method(order),
        "Store": order.store.key if order.store else None,
        "Country": order.country or (deliver_to.country if deliver_to else None),
        "CustomerGroup": group_name(order.customerGroup),
        "Items": list(items),
        "BillingAddress": _address(order.billingAddress),
        "ShippingAddress": _address(deliver_to),
        "TrackingNumber": parcel.trackingId if parcel else None,
        "Carrier": parcel.carrier if parcel else None,
    }
    return {name: value for name, value in properties.items() if value is not None and value not in ("", {})}


def further_order_properties(source: OrderSource, choices: Choices) -> dict[str, Any]:
    """What the merchant wants besides: the raw order, if at all, and its custom fields, which are stronger."""
    rules = choices.document.order
    raw = chosen_properties(source.raw, rules.properties) if rules.properties.sends_raw else {}
    custom = source.order.custom
    return raw if custom is None else raw | chosen_properties(custom.fields, rules.customFields.properties)


def fitted_properties(own: Mapping[str, Any], further: Mapping[str, Any], adjustments: set[Adjustment]) -> dict[str, Any]:
    """Klaviyo's own names and what is sent besides, within the limits of an event (klaviyo.md 1.5).

    Klaviyo's own names win over others of the same name, and are the last to go where all is too much.
    """
    beside = {name: value for name, value in further.items() if sendable(name) not in own}
    result = fitted({**own, **beside}, kept=own)
    excess_bytes = len(_ENCODER.encode(result.properties)) - MAX_PROPERTIES_BYTES
    if result.trimmed or excess_bytes > 0:
        adjustments.add(Adjustment.PROPERTY_TRIMMED)
    if excess_bytes <= 0:
        return result.properties
    return without_largest(result.properties, excess_bytes=excess_bytes, kept=own)


def _address(address: Address | None) -> dict[str, str]:
    """An address in Klaviyo's words, without what is blank; the phone as it was given."""
    if address is None:
        return {}
    parts = {
        "FirstName": address.firstName,
        "LastName": address.lastName,
        "Address1": street(address),
        "City": address.city,
        "RegionCode": address.region or address.state,
        "CountryCode": address.country,
        "Zip": address.postalCode,
        "Phone": address.mobile or address.phone,
    }
    return {name: text for name, part in parts.items() if (text := (part or "").strip())}


def _unique(texts: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(text for text in texts if text))
