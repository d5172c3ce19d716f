"""Orders, whole: addresses, shipping, references to customers, payments and discount codes around their lines."""

from typing import Any

from sandbox.sample import discount_codes, fulfilment, heads, identity, payments, project, timeline, words
from sandbox.sample.money import cents, converted
from sandbox.sample.order_lines import custom_line_items, line_items, tax_rate, taxed
from sandbox.sample.order_plan import BLOCK, NOBODY_ROW, Plan, plan
from sandbox.sample.project import outside_reference
from sandbox.sample.scale import Scale

Resource = dict[str, Any]

_LOCALES = {"DE": "de-DE", "US": "en-US", "GB": "en-GB", "FR": "fr-FR", "JP": "ja-JP", "AE": "ar-AE", "AU": "en-AU"}


def order(seed: int, index: int, size: int, scale: Scale) -> Resource:
    """Return order `index` of a sample of `size`; of `scale` all but the number of orders counts."""
    return completed(heads.head("order", seed, index, size), seed, index, size, scale)


def completed(head: Resource, seed: int, index: int, size: int, scale: Scale) -> Resource:
    """Return the whole order of a head; the head is left alone."""
    planned = plan(seed, index, scale)
    states = fulfilment.states(planned)
    lines = line_items(seed, planned, scale)
    shipped = [(line["id"], line["quantity"]) for line in lines]
    result = dict(head)
    _identify(result, planned)
    result["lineItems"] = lines
    result["customLineItems"] = custom_line_items(seed, planned)
    result["totalPrice"] = cents(planned.currency, planned.total)
    if not planned.untaxed:
        result["taxedPrice"] = taxed(planned, planned.total, planned.tax_name)
    if planned.reduction:
        result["discountOnTotalPrice"] = _total_discount(seed, planned)
    _settle(result, seed, planned)
    _ship(result, planned, fulfilment.deliveries(seed, planned, states.shipment, shipped))
    result["orderState"] = states.order
    if states.shipment is not None:
        result["shipmentState"] = states.shipment
    if states.payment is not None:
        result["paymentState"] = states.payment
    returned = fulfilment.returns(seed, planned, states.order, shipped)
    if returned:
        result["returnInfo"] = returned
    _refer(result, seed, planned, size)
    return result


def number_of(index: int) -> str | None:
    """Return the order number; of ten orders one has none."""
    if index % 10 == 7:
        return None
    return f"OLD/{index} №" if index % 25 == 9 else f"ORD-{index:07d}"


def index_of_number(number: str, size: int) -> int | None:
    """Return the only index whose order can have this number, or None."""
    digits = number.removeprefix("OLD/").removesuffix(" №").removeprefix("ORD-")
    if not digits.isdecimal() or int(digits) >= size or number_of(int(digits)) != number:
        return None
    return int(digits)


def _identify(result: Resource, planned: Plan) -> None:
    number = number_of(planned.index)
    if number is not None:
        result["orderNumber"] = number
    if planned.roll[13] % 30 == 0:
        result["purchaseOrderNumber"] = f"PO {planned.index}"
    if planned.buyer is not None:
        result["customerId"] = planned.buyer.id
        if planned.buyer.group is not None:
            result["customerGroup"] = planned.buyer.group
    if planned.email is not None:
        result["customerEmail"] = planned.email
    if planned.anonymous:
        result["anonymousId"] = f"session-{planned.index}"
    if planned.roll[13] % 10 < 6:
        keys = project.STORE_KEYS
        result["store"] = {"typeId": "store", "key": keys[planned.roll[13] // 10 % len(keys)]}


def _total_discount(seed: int, planned: Plan) -> Resource:
    amount = cents(planned.currency, planned.reduction)
    portion = {"discount": outside_reference(seed, "cart-discount", 2), "discountedAmount": amount}
    return {"discountedAmount": amount, "includedDiscounts": [portion]}


def _settle(result: Resource, seed: int, planned: Plan) -> None:
    """Country, locale, modes and origin."""
    choice = planned.roll[14]
    external = choice % 19 == 4
    result["taxMode"] = "Disabled" if planned.untaxed else "External" if external else "Platform"
    result |= {"taxRoundingMode": "HalfEven", "taxCalculationMode": "LineItemLevel", "priceRoundingMode": "HalfEven"}
    result["inventoryMode"] = ("None", "TrackOnly", "ReserveOnOrder")[choice % 3]
    if choice % 15:
        result["country"] = planned.country
    if choice % 4:
        result["locale"] = _LOCALES[planned.country]
    result["origin"] = "Merchant" if planned.imported else "RecurringOrder" if planned.recurring else "Customer"
    if planned.imported:
        result["completedAt"] = f"20{10 + planned.index // 25 % 10}-11-0{1 + planned.index % 9}T08:15:30.000Z"
    if choice % 2:
        fields: Resource = {"giftMessage": ("", "Alles Gute! 🎂")[choice // 2 % 2], "isGift": choice % 3 == 0, "loyaltyPoints": 0}
        if choice % 5 == 0:
            fields["pickupStores"] = ["berlin-mitte", "online"]
        result["custom"] = {"type": outside_reference(seed, "type", 2), "fields": fields}


def _ship(result: Resource, planned: Plan, deliveries: list[Resource]) -> None:
    """Addresses and shipping; several methods in one order of forty, none in one of twenty."""
    result["shipping"] = []
    result["shippingMode"] = "Single"
    address = _address(planned, 0)
    if planned.index % BLOCK != NOBODY_ROW and planned.roll[15] % 12:
        result["billingAddress"] = _address(planned, 1) if planned.roll[15] % 4 == 0 else address
    if planned.shipping is None:
        return
    result["shippingAddress"] = address
    info: Resource = {
        "shippingMethodName": ("Standard", "Express 24 h", "Abholung — Click & Collect")[planned.roll[6] % 3],
        "price": cents(planned.currency, planned.shipping),
        "shippingRate": {"price": cents(planned.currency, planned.shipping), "tiers": []},
        "deliveries": deliveries,
        "shippingMethodState": "MatchesCart",
    }
    if planned.shipping and planned.roll[6] % 5 == 0:
        info["shippingRate"]["freeAbove"] = cents(planned.currency, converted(5_000, planned.currency))
    if not planned.untaxed:
        info |= {"taxRate": tax_rate(planned), "taxedPrice": taxed(planned, planned.shipping, planned.tax_name)}
    if planned.roll[6] % 40 == 5:
        result["shippingMode"] = "Multiple"
        result["shipping"] = [{"shippingKey": "parcel", "shippingInfo": info, "shippingAddress": address}]
        result["itemShippingAddresses"] = [{**address, "key": "home"}]
        return
    result["shippingInfo"] = info


def _address(planned: Plan, other: int) -> Resource:
    choice = planned.roll[5 + other]
    city, postal_code, region = words.PLACES[planned.country][choice % 3]
    address: Resource = {"country": planned.country, "firstName": planned.person[0], "lastName": planned.person[1]}
    address |= {"streetName": words.STREETS[choice // 3 % len(words.STREETS)], "streetNumber": f"{choice // 18 % 150 + 1}"}
    address |= {"postalCode": postal_code, "city": city}
    if region:
        address["state" if planned.country in ("US", "AU") else "region"] = region
    if planned.email is not None and choice % 3 == 0:
        address["email"] = planned.email
    if choice % 5 == 0:
        address["additionalAddressInfo"] = "c/o Nachbar\n<b>2. OG</b>"
    return address


def _refer(result: Resource, seed: int, planned: Plan, size: int) -> None:
    """References to payments, discount codes, the cart, a recurring order; what created the order."""
    paid = payments.payment_references(seed, planned.index, size)
    if paid:
        result["paymentInfo"] = {"payments": paid}
    choice = planned.roll[7]
    codes = discount_codes.code_references(seed)
    used = (0, 0, 0, 0, 0, 0, 1, 1, 2, 0)[choice % 10]
    applied = ("MatchesCart", "MatchesCart", "MatchesCart", "DoesNotMatchCart")[choice // 10 % 4]
    result["discountCodes"] = [
        {"discountCode": codes[(choice // 40 + step) % len(codes)], "state": applied} for step in range(used)
    ]
    result |= {"directDiscounts": [], "refusedGifts": [], "syncInfo": _synced(seed, planned)}
    if not planned.imported:
        result["cart"] = {"typeId": "cart", "id": identity.loose_ids(seed, "cart", planned.index, 1)[0]}
    if planned.recurring:
        result["recurringOrder"] = outside_reference(seed, "recurring-order", planned.index % 7)
    by = {"clientId": "importer" if planned.imported else "checkout"}
    result["createdBy"] = result["lastModifiedBy"] = by


def _synced(seed: int, planned: Plan) -> list[Resource]:
    if planned.version < 36:
        return []
    at = timeline.instant(planned.modified)
    return [{"channel": project.channel_references(seed)[3], "externalId": f"erp-{planned.index}", "syncedAt": at}]
