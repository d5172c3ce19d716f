"""What Placed, Fulfilled, Cancelled and Refunded Order say of an order (mapping.md "Properties", klaviyo.md 5.1)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from order_samples import ADDRESS, LINE, choices, encoded, eur, line, order, placed, properties_of, source_of

from shared.commercetools.catalog import AncestorReference, Attribute, Category, CategoryName, DiscountedPrice, Price
from shared.commercetools.orders import (
    CustomLineItem,
    Delivery,
    DiscountCodeInfo,
    DiscountCodeReference,
    DiscountedAmount,
    DiscountedItemPrice,
    DiscountedPriceForQuantity,
    DiscountPortion,
    ExpandedDiscountCode,
    Parcel,
    Shipping,
    ShippingInfo,
    TrackingData,
)
from shared.commercetools.resources import CustomerGroupReference, CustomFields, ExpandedGroup, StoreKeyReference
from shared.mapping.limits import MAX_ARRAY_ITEMS, MAX_PROPERTIES, without_largest
from shared.mapping.order_properties import MAX_PROPERTIES_BYTES
from shared.mapping.result import Adjustment
from shared.mapping.sources import OrderedProduct, OrderSource

JEANS = Category(
    id="jeans",
    name={"en": "Jeans"},
    ancestors=[
        AncestorReference(id="women", obj=CategoryName(id="women", name={"en": "Women"})),
        AncestorReference(id="pants", obj=CategoryName(id="pants", name={"en": "Pants"})),
    ],
)
WOMEN = Category(id="women", name={"en": "Women"})


def test_an_order_of_one_line_says_so_in_klaviyos_words() -> None:
    """Lists are there even when empty; what is not known is not there at all."""
    assert properties_of(source_of()) == {
        "OrderId": "order-1",
        "Categories": [],
        "ItemNames": ["Jeans"],
        "Brands": [],
        "DiscountCodes": [],
        "DiscountValue": Decimal(0),
        "Items": [
            {
                "ProductID": "product-1",
                "VariantID": "JEANS-32",
                "SKU": "JEANS-32",
                "ProductName": "Jeans",
                "Quantity": 2,
                "ItemPrice": Decimal("6.50"),
                "RowTotal": Decimal("13.00"),
                "ImageURL": "https://images.example.com/jeans.jpg",
                "Categories": [],
            }
        ],
    }


def test_an_orders_own_fields_are_flat_where_segments_need_them() -> None:
    """Number, store, country, shipping method and customer group."""
    group = CustomerGroupReference(id="group-1", obj=ExpandedGroup(name="Gold", key="gold"))
    properties = properties_of(
        source_of(
            orderNumber="N-1",
            store=StoreKeyReference(key="berlin"),
            country="DE",
            shippingInfo=ShippingInfo(shippingMethodName="Express"),
            customerGroup=group,
        )
    )
    names = ("OrderNumber", "Store", "Country", "ShippingMethod", "CustomerGroup")
    assert [properties[name] for name in names] == ["N-1", "berlin", "DE", "Express", "Gold"]


def test_an_order_without_country_has_that_of_its_shipping_address() -> None:
    """Where it goes; neither known, neither sent."""
    assert properties_of(source_of(shippingAddress=ADDRESS))["Country"] == "DE"
    assert "Country" not in properties_of(source_of(billingAddress=ADDRESS))


def test_categories_have_every_step_of_every_path_once() -> None:
    """Case 42: of all categories of all ordered products, each prefix, in the order of the lines."""
    products = {"product-1": OrderedProduct(categories=[JEANS]), "product-2": OrderedProduct(categories=[WOMEN, JEANS])}
    source = OrderSource(order=order(lineItems=[line(), line(id="line-2", productId="product-2")]), products=products)
    paths = ["Women", "Women > Pants", "Women > Pants > Jeans"]
    properties = properties_of(source)
    assert properties["Categories"] == paths
    assert [item["Categories"] for item in properties["Items"]] == [paths, paths]


def test_an_order_whose_products_could_not_be_read_is_sent_without_their_categories() -> None:
    """Case 46: the list is empty, the event goes."""
    assert properties_of(source_of())["Categories"] == []


def test_item_names_are_those_of_all_lines_each_once() -> None:
    """Case 43: custom line items have a name too; what has none is left out."""
    lines = [line(), line(id="line-2"), line(id="line-3", name={"de": "Hemd"}), line(id="line-4", name={})]
    custom = [CustomLineItem(id="custom-1", name={"en": "Engraving"})]
    assert properties_of(source_of(lineItems=lines, customLineItems=custom))["ItemNames"] == ["Jeans", "Hemd", "Engraving"]


def test_brands_are_those_of_the_products_else_of_the_variants() -> None:
    """`product.brandAttribute` names the attribute; each brand once."""
    of_variant = msgspec.structs.replace(LINE.variant, attributes=[Attribute(name="maker", value="Variant & Co")])
    lines = [line(variant=of_variant), line(id="line-2", productId="product-2", variant=of_variant), line(id="line-3")]
    label = {"key": "acme", "label": {"en": "Acme", "de": "Akme"}}
    products = {"product-1": OrderedProduct(attributes=[Attribute(name="maker", value=label)])}
    chosen = choices({"product": {"brandAttribute": "maker"}})
    properties = properties_of(OrderSource(order=order(lineItems=lines), products=products), chosen)
    assert properties["Brands"] == ["Acme", "Variant & Co"]
    assert [item["Brand"] for item in properties["Items"]] == ["Acme", "Variant & Co", "Acme"]


def test_addresses_are_told_in_klaviyos_words() -> None:
    """Without what is blank; a mobile goes before a phone, as for profiles."""
    plain = msgspec.structs.replace(ADDRESS, region=None, state="Berlin", lastName=" ", mobile="+491711234567")
    properties = properties_of(source_of(billingAddress=ADDRESS, shippingAddress=plain))
    assert properties["BillingAddress"] == {
        "FirstName": "Anna",
        "LastName": "Berg",
        "Address1": "7, Hauptstraße",
        "City": "Berlin",
        "RegionCode": "BE",
        "CountryCode": "DE",
        "Zip": "10115",
        "Phone": "030 23125014",
    }
    shipping = properties["ShippingAddress"]
    assert (shipping["RegionCode"], shipping["Phone"], "LastName" in shipping) == ("Berlin", "+491711234567", False)


def parcel(number: str | None, carrier: str | None = None, *, back: bool = False) -> Delivery:
    """A delivery of one parcel."""
    return Delivery(parcels=[Parcel(), Parcel(trackingData=TrackingData(trackingId=number, carrier=carrier, isReturn=back))])


def test_a_parcel_can_be_followed() -> None:
    """The first one with a tracking number; one on its way back does not count."""
    info = ShippingInfo(deliveries=[parcel(None, "UPS"), parcel("R1", "UPS", back=True), parcel("T1", "DHL"), parcel("T2")])
    properties = properties_of(source_of(shippingInfo=info))
    assert (properties["TrackingNumber"], properties["Carrier"]) == ("T1", "DHL")


def test_several_shipments_are_read_like_one() -> None:
    """`shippingMode: Multiple`: method, address and parcels are those of the first shipment that has them."""
    info = ShippingInfo(shippingMethodName="Express", deliveries=[parcel("T1")])
    shipping = [Shipping(), Shipping(shippingInfo=info, shippingAddress=ADDRESS)]
    properties = properties_of(source_of(shipping=shipping))
    assert (properties["ShippingMethod"], properties["TrackingNumber"], "Carrier" in properties) == ("Express", "T1", False)
    assert properties["ShippingAddress"]["City"] == "Berlin"


def code(code_id: str, *, state: str | None = "MatchesCart", read: str | None = None) -> DiscountCodeInfo:
    """A discount code of an order, expanded when `read`."""
    expanded = ExpandedDiscountCode(code=read) if read else None
    return DiscountCodeInfo(discountCode=DiscountCodeReference(id=code_id, obj=expanded), state=state)


def test_discount_codes_are_those_that_applied() -> None:
    """From the look-up or the expansion; one that could not be read, or did not apply, is left out."""
    codes = [code("c1"), code("c2", read="SPRING"), code("c3"), code("c4", state="DoesNotMatchCart", read="VOID"), code("c1")]
    source = OrderSource(order=order(discountCodes=codes), discount_codes={"c1": "WELCOME"})
    assert properties_of(source)["DiscountCodes"] == ["WELCOME", "SPRING"]


def test_the_discount_code_for_segments_is_the_first() -> None:
    """A joined text would equal none of the codes that a segment may ask for; without codes there is none."""
    source = source_of(discountCodes=[code("c1", read="WELCOME"), code("c2", read="SPRING")])
    assert properties_of(source)["DiscountCode"] == "WELCOME"
    assert "DiscountCode" not in properties_of(source_of())


def taken(*cents: int) -> DiscountedItemPrice:
    """A price from which discounts took so many cents each."""
    return DiscountedItemPrice(includedDiscounts=[DiscountPortion(discountedAmount=eur(one)) for one in cents])


def test_the_discount_value_is_all_that_cart_discounts_took() -> None:
    """Off the total, off each piece of each line, off the shipping; not a product's reduced price, which is in ItemPrice."""
    reduced = Price(value=eur(900), discounted=DiscountedPrice(value=eur(650)))
    per_quantity = [
        DiscountedPriceForQuantity(quantity=2, discountedPrice=taken(10, 5)),
        DiscountedPriceForQuantity(discountedPrice=taken(3)),
    ]
    source = source_of(
        discountOnTotalPrice=DiscountedAmount(discountedAmount=eur(100)),
        lineItems=[line(price=reduced, quantity=3, discountedPricePerQuantity=per_quantity)],
        customLineItems=[
            CustomLineItem(id="x", discountedPricePerQuantity=[DiscountedPriceForQuantity(discountedPrice=taken(7))])
        ],
        shippingInfo=ShippingInfo(discountedPrice=taken(20)),
    )
    properties = properties_of(source)
    assert properties["DiscountValue"] == Decimal("1.60")
    assert properties["Items"][0]["ItemPrice"] == Decimal("6.50")


def test_custom_fields_go_by_their_rules() -> None:
    """Include, exclude and map; `0`, `false` and the empty text are values, null is none; Klaviyo's own names win."""
    fields = {"gift": False, "points": 0, "note": "", "nothing": None, "secret": "x", "old": 1, "OrderId": "fake"}
    rules = {"exclude": ["secret"], "map": {"old": "new"}}
    chosen = choices({"order": {"customFields": {"properties": rules}}})
    properties = properties_of(source_of(custom=CustomFields(fields=fields)), chosen)
    own = properties_of(source_of())
    assert {name: value for name, value in properties.items() if name not in own} == {
        "gift": False,
        "points": 0,
        "note": "",
        "new": 1,
    }
    assert properties["OrderId"] == "order-1"


RAW = {"id": "order-1", "version": 3, "anonymousId": "", "lineItems": [{"id": "line-1"}], "custom": {"fields": {"points": 1}}}


@pytest.mark.parametrize(
    ("rules", "names"),
    [
        ({}, set()),
        ({"raw": False, "include": ["version"]}, set()),
        ({"raw": True}, {"id", "version", "anonymousId", "lineItems", "custom"}),
        ({"include": ["version", "lineItems", "absent"], "map": {"lineItems": "items"}}, {"version", "items"}),
        ({"exclude": ["id", "lineItems", "custom"]}, {"version", "anonymousId"}),
    ],
    ids=["by default", "refused", "all", "included and renamed", "excluded"],
)
def test_raw_fields_are_sent_when_wanted(rules: dict[str, Any], names: set[str]) -> None:
    """Case 45: beside Klaviyo's own names, by `order.properties`."""
    own = properties_of(source_of())
    properties = properties_of(OrderSource(order=order(), raw=RAW), choices({"order": {"properties": rules}}))
    assert properties.keys() - own.keys() == names
    assert {name: properties[name] for name in own} == own


def test_klaviyos_own_names_beat_custom_fields_and_these_beat_raw_fields() -> None:
    """Whatever the merchant's map makes of the names."""
    rules = {"properties": {"raw": True, "map": {"version": "points", "id": "OrderId"}}}
    source = OrderSource(order=order(custom=CustomFields(fields={"points": 7})), raw=RAW)
    properties = properties_of(source, choices({"order": rules}))
    assert (properties["OrderId"], properties["points"]) == ("order-1", 7)


def test_a_name_that_only_looks_different_does_not_beat_klaviyos_own() -> None:
    """What no body may carry is taken out of names as well; the result must not overwrite."""
    fields = {"OrderId\0": "fake"}
    assert properties_of(source_of(custom=CustomFields(fields=fields)))["OrderId"] == "order-1"


def test_raw_fields_are_trimmed_to_klaviyos_levels() -> None:
    """Case 58: what lies deeper is left out and counted, the event goes."""
    deep: Any = "too deep"
    for _ in range(12):
        deep = {"in": deep}
    mapped = placed(OrderSource(order=order(), raw={"deep": deep}), choices({"order": {"properties": {"raw": True}}}))
    assert mapped.adjustments == (Adjustment.PROPERTY_TRIMMED,)
    assert encoded(mapped.events[0]).count(b'{"in"') == 8
    assert b"too deep" not in encoded(mapped.events[0])


def test_of_too_many_properties_klaviyos_own_stay() -> None:
    """400 are taken."""
    fields = {f"Aa{number:03}": number for number in range(500)}
    mapped = placed(source_of(custom=CustomFields(fields=fields)))
    properties = mapped.events[0].properties
    assert len(properties) == MAX_PROPERTIES
    assert properties_of(source_of()).items() <= properties.items()
    assert mapped.adjustments == (Adjustment.PROPERTY_TRIMMED,)


def test_of_too_many_bytes_klaviyos_own_stay() -> None:
    """The largest others go first, and no more than needed; the body fits 4.5 MB."""
    fields = {f"text{number}": "x" * (99_000 - number) for number in range(50)}
    mapped = placed(source_of(custom=CustomFields(fields=fields)))
    properties = mapped.events[0].properties
    size = len(encoded(mapped.events[0]))
    assert MAX_PROPERTIES_BYTES - 100_000 < size < 4_500_000
    assert properties_of(source_of()).items() <= properties.items()
    assert ("text0" in properties, "text49" in properties) == (False, True)
    assert mapped.adjustments == (Adjustment.PROPERTY_TRIMMED,)


def test_of_too_many_lines_the_first_are_told() -> None:
    """An array has 4,000 elements at most; every line is still an Ordered Product."""
    lines = [line(id=f"line-{number}") for number in range(MAX_ARRAY_ITEMS + 1)]
    mapped = placed(source_of(lineItems=lines))
    assert len(mapped.events[0].properties["Items"]) == MAX_ARRAY_ITEMS
    assert len(mapped.events) == 1 + len(lines)
    assert mapped.adjustments == (Adjustment.PROPERTY_TRIMMED,)


def test_amounts_in_properties_are_exact_numbers() -> None:
    """No quotes, no rounding, also inside `Items`."""
    body = encoded(placed(source_of()).events[0])
    assert b'"ItemPrice":6.50,"RowTotal":13.00' in body
    assert b'"DiscountValue":0' in body


def test_amounts_are_counted_as_the_numbers_that_are_sent() -> None:
    """What has to go is measured like the body: without quotes."""
    properties = {"amounts": [Decimal("1.50")] * 1_000, "text": "x" * 100}
    size = len(b'{"amounts":[') + 1_000 * len(b"1.50,") - 1 + len(b"]}")
    assert "text" in without_largest(properties, excess_bytes=size - 1)
    assert "text" not in without_largest(properties, excess_bytes=size)
