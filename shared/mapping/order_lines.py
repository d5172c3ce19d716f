"""Line items in Klaviyo's words: an element of `Items`, and the properties of Ordered Product (mapping.md "Properties")."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from shared.commercetools.orders import LineItem, Order
from shared.mapping.attribute_values import scalar_attributes, text_attribute
from shared.mapping.category import category_paths
from shared.mapping.choices import Choices
from shared.mapping.localized import localized
from shared.mapping.money import amount_of
from shared.mapping.order_discounts import EXACT
from shared.mapping.product_url import NO_URL, image_url, product_url
from shared.mapping.result import Adjustment
from shared.mapping.sources import OrderedProduct, OrderSource

_UNKNOWN_PRODUCT = OrderedProduct()
_OF_ITEMS_ALONE = "RowTotal"


def order_items(source: OrderSource, choices: Choices, adjustments: set[Adjustment]) -> list[dict[str, Any]]:
    """The elements of `Items`, one per line item, in their order.

    `ProductID` and `VariantID` are the ids of the catalog item and of its variant, which is the SKU. `ItemPrice` is what one
    piece costs, reduced by a product discount but by none of the cart; `RowTotal` is what the line costs in the end.
    """
    paths: dict[str, list[str]] = {}
    items = []
    for line in source.order.lineItems:
        product = source.products.get(line.productId, _UNKNOWN_PRODUCT)
        if line.productId not in paths:
            paths[line.productId] = category_paths(product.categories, choices.locale)
        items.append(_item(line, product, paths[line.productId], choices, adjustments))
    return items


def _item(
    line: LineItem, product: OrderedProduct, categories: list[str], choices: Choices, adjustments: set[Adjustment]
) -> dict[str, Any]:
    item = {
        "ProductID": line.productId,
        "VariantID": line.variant.sku,
        "SKU": line.variant.sku,
        "ProductName": localized(line.name, choices.locale),
        "Quantity": line.quantity,
        "ItemPrice": unit_price(line),
        "RowTotal": line_total(line),
        "ProductURL": _url(line, choices, adjustments),
        "ImageURL": _image(line, adjustments),
        "Categories": categories,
        "Brand": _brand(line, product, choices),
    }
    return {name: value for name, value in item.items() if value is not None and value != ""}


def line_properties(order: Order, item: Mapping[str, Any]) -> dict[str, Any]:
    """What Ordered Product says in Klaviyo's words, given the line's element of `Items`."""
    return {"OrderId": order.id, **{name: value for name, value in item.items() if name != _OF_ITEMS_ALONE}}


def further_line_properties(line: LineItem, raw: Mapping[str, Any], choices: Choices) -> dict[str, Any]:
    """What Ordered Product says besides: the variant's flat attributes, and the raw line item's fields, which are stronger.

    `raw` is empty where raw fields are not sent. Templates written for the older product count on its names.
    """
    attributes = scalar_attributes(line.variant.attributes, choices.locale)
    return attributes | {name: value for name, value in raw.items() if value is not None}


def raw_lines(source: OrderSource, choices: Choices) -> dict[str, Mapping[str, Any]]:
    """The raw line items by id; none where raw fields are not sent."""
    lines = source.raw.get("lineItems") if choices.document.order.properties.sends_raw else None
    if not isinstance(lines, list):
        return {}
    return {line["id"]: line for line in lines if isinstance(line, dict) and isinstance(line.get("id"), str)}


def unit_price(line: LineItem) -> Decimal | None:
    """What one piece costs: the price of the line, with its product discount."""
    if line.price is None:
        return None
    return amount_of(line.price.value if line.price.discounted is None else line.price.discounted.value)


def line_total(line: LineItem) -> Decimal:
    """What the line costs, after all its discounts; where commercetools does not say, price times quantity."""
    if line.totalPrice is not None:
        return amount_of(line.totalPrice)
    return EXACT.multiply(unit_price(line) or Decimal(0), Decimal(line.quantity))


def _brand(line: LineItem, product: OrderedProduct, choices: Choices) -> str | None:
    """From the product's attribute, else from the variant's."""
    name = choices.document.product.brandAttribute
    of_product = text_attribute(product.attributes, name, choices.locale)
    return of_product or text_attribute(line.variant.attributes, name, choices.locale)


def _image(line: LineItem, adjustments: set[Adjustment]) -> str | None:
    """The first image of the variant that a message can show."""
    for image in line.variant.images:
        if url := image_url(image.url):
            return url
    if line.variant.images:
        adjustments.add(Adjustment.IMAGE_UNUSABLE)
    return None


def _url(line: LineItem, choices: Choices, adjustments: set[Adjustment]) -> str | None:
    """The page of the product; None without a template, and where the template needs what the line does not have."""
    slug = localized(line.productSlug, choices.locale)
    needed = {"{{productSlug}}": slug, "{{productKey}}": line.productKey, "{{sku}}": line.variant.sku}
    if any(not value and token in choices.url_template for token, value in needed.items()):
        return None
    url = product_url(choices.url_template, slug=slug, product_id=line.productId, key=line.productKey, sku=line.variant.sku)
    if url != NO_URL:
        return url
    if choices.url_template:
        adjustments.add(Adjustment.PROPERTY_TRIMMED)
    return None
