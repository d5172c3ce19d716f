"""What Ordered Product says of a line (mapping.md "Properties")."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from order_samples import (
    CHOICES,
    LINE,
    choices,
    eur,
    line,
    line_properties_of,
    line_with,
    order,
    placed,
    properties_of,
    source_of,
)

from shared.commercetools.catalog import Attribute, Category, DiscountedPrice, Image, Price
from shared.mapping.result import Adjustment
from shared.mapping.sources import OrderedProduct, OrderSource

TEMPLATE = "https://shop.example.com/{{productSlug}}?id={{productId}}&key={{productKey}}&sku={{sku}}"


def test_a_line_is_told_in_klaviyos_words() -> None:
    """The line's element of `Items` but for `RowTotal`, which is the event's value, and the order that it is of."""
    products = {
        "product-1": OrderedProduct(
            categories=[Category(id="c", name={"en": "Women"})], attributes=[Attribute(name="brand", value="Acme")]
        )
    }
    source = OrderSource(order=order(), products=products)
    chosen = choices(url_template=TEMPLATE)
    assert line_properties_of(source, chosen) == {
        "OrderId": "order-1",
        "ProductID": "product-1",
        "VariantID": "JEANS-32",
        "SKU": "JEANS-32",
        "ProductName": "Jeans",
        "Quantity": 2,
        "ItemPrice": Decimal("6.50"),
        "ProductURL": "https://shop.example.com/jeans?id=product-1&key=jeans-key&sku=JEANS-32",
        "ImageURL": "https://images.example.com/jeans.jpg",
        "Categories": ["Women"],
        "Brand": "Acme",
    }
    [item] = properties_of(source, chosen)["Items"]
    assert {name: value for name, value in item.items() if name != "RowTotal"} == {
        name: value for name, value in line_properties_of(source, chosen).items() if name != "OrderId"
    }


def test_of_a_bare_line_nothing_is_invented() -> None:
    """No SKU, no price, no name, no image: none of the properties."""
    bare = line(variant=msgspec.structs.replace(LINE.variant, sku=None, images=[]), price=None, name={}, productSlug={})
    assert line_properties_of(source_of(lineItems=[bare])) == {
        "OrderId": "order-1",
        "ProductID": "product-1",
        "Quantity": 2,
        "Categories": [],
    }


def test_the_item_price_is_the_reduced_one_where_there_is_one() -> None:
    """A product discount changes what one piece costs."""
    reduced = Price(value=eur(900), discounted=DiscountedPrice(value=eur(650)))
    assert line_properties_of(source_of(lineItems=[line(price=reduced)]))["ItemPrice"] == Decimal("6.50")


@pytest.mark.parametrize(
    ("template", "changes", "url"),
    [
        ("", {}, None),
        ("https://shop.example.com/{{productId}}", {"productSlug": {}, "productKey": None}, "https://shop.example.com/product-1"),
        (
            "https://shop.example.com/{{productSlug}}",
            {"productSlug": {"de": "hose/größe"}},
            "https://shop.example.com/hose%2Fgr%C3%B6%C3%9Fe",
        ),
        ("https://shop.example.com/{{productSlug}}", {"productSlug": {}}, None),
        ("https://shop.example.com/{{productKey}}", {"productKey": None}, None),
        ("https://shop.example.com/?sku={{sku}}", {"variant": msgspec.structs.replace(LINE.variant, sku=None)}, None),
    ],
    ids=["no template", "needs nothing absent", "encoded", "no slug", "no key", "no SKU"],
)
def test_a_link_is_sent_when_it_leads_to_the_product(template: str, changes: dict[str, Any], url: str | None) -> None:
    """A template with an empty place in it would lead nowhere."""
    assert line_properties_of(source_of(lineItems=[line(**changes)]), choices(url_template=template)).get("ProductURL") == url


def test_an_over_long_link_is_left_out_and_counted() -> None:
    """A cut one would lead elsewhere."""
    mapped = placed(source_of(lineItems=[line(productSlug={"en": "x" * 9_000})]), choices(url_template=TEMPLATE))
    assert "ProductURL" not in mapped.events[1].properties
    assert mapped.adjustments == (Adjustment.PROPERTY_TRIMMED,)


def test_the_image_is_the_first_that_a_message_can_show() -> None:
    """An address that is none is passed over."""
    images = [Image(url="no address"), Image(url="//images.example.com/2.jpg")]
    shown = line(variant=msgspec.structs.replace(LINE.variant, images=images))
    assert line_properties_of(source_of(lineItems=[shown]))["ImageURL"] == "https://images.example.com/2.jpg"
    hidden = line(variant=msgspec.structs.replace(LINE.variant, images=images[:1]))
    mapped = placed(source_of(lineItems=[hidden]))
    assert "ImageURL" not in mapped.events[1].properties
    assert mapped.adjustments == (Adjustment.IMAGE_UNUSABLE,)


def test_flat_attributes_of_the_variant_are_sent_by_their_names() -> None:
    """Texts, numbers, booleans, labels and amounts; no references, sets or nested attributes."""
    attributes = {
        "color": {"key": "blue", "label": {"en": "Blue", "de": "Blau"}},
        "size": {"key": "32", "label": "W32"},
        "care": {"en": "Wash cold", "de": "Kalt waschen"},
        "weight": 0,
        "share": 0.5,
        "organic": False,
        "note": "",
        "deposit": {"type": "centPrecision", "centAmount": 250, "currencyCode": "EUR", "fractionDigits": 2},
        "similar": {"typeId": "product", "id": "product-2"},
        "sizes": ["32", "34"],
        "nested": [[{"name": "a", "value": 1}]],
        "nothing": None,
        "strange": {"centAmount": "much"},
    }
    properties = line_properties_of(source_of(lineItems=[line_with(*attributes.items())]))
    assert {name: properties[name] for name in attributes if name in properties} == {
        "color": "Blue",
        "size": "W32",
        "care": "Wash cold",
        "weight": 0,
        "share": 0.5,
        "organic": False,
        "note": "",
        "deposit": Decimal("2.50"),
    }


def test_klaviyos_own_names_beat_attributes() -> None:
    """An attribute that is called SKU does not change the SKU."""
    properties = line_properties_of(source_of(lineItems=[line_with(("SKU", "fake"), ("Quantity", 99), ("sku", "mine"))]))
    assert (properties["SKU"], properties["Quantity"], properties["sku"]) == ("JEANS-32", 2, "mine")


@pytest.mark.parametrize(
    ("value", "brand"),
    [
        ("Acme", "Acme"),
        (" ", None),
        (501, "501"),
        (True, None),
        ({"typeId": "key-value-document", "id": "b1"}, None),
        ({"de": "Akme", "en": "Acme"}, "Acme"),
        ({"key": "acme", "label": "Acme"}, "Acme"),
    ],
)
def test_a_brand_is_a_text(value: Any, brand: str | None) -> None:
    """Or a number, or the label of an enum; anything else is none."""
    assert line_properties_of(source_of(lineItems=[line_with(("brand", value))])).get("Brand") == brand


RAW_LINE = {"id": "line-1", "quantity": 2, "name": {"en": "Jeans"}, "SKU": "fake", "material": "raw", "custom": None}


def raw_source() -> OrderSource:
    """An order with its JSON; of its two lines one is not in it."""
    lines = [line_with(("material", "denim"), ("fit", "slim")), line(id="line-2")]
    return OrderSource(order=order(lineItems=lines), raw={"lineItems": [RAW_LINE, "no line"]})


def test_the_raw_line_item_is_sent_beside_klaviyos_own_names() -> None:
    """Unmapped, whatever `order.properties` renames; it beats attributes, Klaviyo's own names beat it."""
    rules = {"include": ["lineItems"], "map": {"lineItems": "items", "quantity": "count"}}
    properties = line_properties_of(raw_source(), choices({"order": {"properties": rules}}))
    own = line_properties_of(source_of())
    assert properties == own | {"id": "line-1", "quantity": 2, "name": {"en": "Jeans"}, "material": "raw", "fit": "slim"}


def test_the_raw_line_item_is_not_sent_by_default() -> None:
    """Templates written for Klaviyo's names need none of it."""
    properties = line_properties_of(raw_source())
    assert properties == line_properties_of(source_of()) | {"material": "denim", "fit": "slim"}


@pytest.mark.parametrize("raw", [{}, {"lineItems": None}, {"lineItems": [1, {}, {"id": 2}]}])
def test_raw_fields_that_are_not_there_are_not_missed(raw: dict[str, Any]) -> None:
    """The event goes with what there is."""
    source = OrderSource(order=order(), raw=raw)
    chosen = choices({"order": {"properties": {"raw": True}}})
    assert placed(source, chosen).events[1].properties == line_properties_of(source_of(), CHOICES)
