"""The fields of the catalog's kinds: categories, product types, products, projections, inventory and standalone prices."""

from sandbox.commercetools.fields import (
    AUDITED,
    BASE,
    CUSTOM,
    LOCALIZED,
    MONEY,
    Field,
    Leaf,
    ListOf,
    Node,
    plain_reference,
    reference,
)

_S, _N, _B, _T, _ANY = Leaf.STRING, Leaf.NUMBER, Leaf.BOOLEAN, Leaf.INSTANT, Leaf.ANY
_META: dict[str, Field] = {"metaTitle": LOCALIZED, "metaDescription": LOCALIZED, "metaKeywords": LOCALIZED}
_ASSET = Node(
    {"id": _S, "key": _S, "name": LOCALIZED, "description": LOCALIZED, "tags": ListOf(_S), "sources": _ANY, "custom": CUSTOM}
)
_TIER = Node({"minimumQuantity": _N, "value": MONEY})
_DISCOUNTED = Node({"value": MONEY, "discount": plain_reference()})
_PRICED: dict[str, Field] = {
    "key": _S,
    "value": MONEY,
    "country": _S,
    "customerGroup": reference("customer-groups"),
    "channel": reference("channels"),
    "validFrom": _T,
    "validUntil": _T,
    "discounted": _DISCOUNTED,
    "tiers": ListOf(_TIER),
    "custom": CUSTOM,
    "recurrencePolicy": plain_reference(),
}
PRICE = Node({"id": _S, **_PRICED})
_ATTRIBUTES = ListOf(Node({"name": _S, "value": _ANY}))
_AVAILABILITY = Node(
    {
        "channels": _ANY,
        "isOnStock": _B,
        "restockableInDays": _N,
        "availableQuantity": _N,
        "id": _S,
        "version": _N,
    }
)
VARIANT = Node(
    {
        "id": _N,
        "sku": _S,
        "key": _S,
        "prices": ListOf(PRICE),
        "attributes": _ATTRIBUTES,
        "price": PRICE,
        "images": ListOf(Node({"url": _S, "label": _S, "dimensions": Node({"w": _N, "h": _N})})),
        "assets": ListOf(_ASSET),
        "availability": _AVAILABILITY,
        "isMatchingVariant": _B,
        "scopedPrice": _ANY,
        "scopedPriceDiscounted": _B,
        "recurrencePrices": ListOf(PRICE),
    }
)

CATEGORY = Node(
    {
        **AUDITED,
        **_META,
        "key": _S,
        "name": LOCALIZED,
        "slug": LOCALIZED,
        "description": LOCALIZED,
        "ancestors": ListOf(reference("categories")),
        "parent": reference("categories"),
        "orderHint": _S,
        "externalId": _S,
        "custom": CUSTOM,
        "assets": ListOf(_ASSET),
    }
)

_DATA: dict[str, Field] = {
    **_META,
    "name": LOCALIZED,
    "categories": ListOf(reference("categories")),
    "categoryOrderHints": _ANY,
    "description": LOCALIZED,
    "slug": LOCALIZED,
    "masterVariant": VARIANT,
    "variants": ListOf(VARIANT),
    "searchKeywords": _ANY,
    "attributes": _ATTRIBUTES,
}
PRODUCT_DATA = Node({**_DATA, "defaultVariant": plain_reference()})
_OF_PRODUCTS: dict[str, Field] = {
    "key": _S,
    "productType": reference("product-types"),
    "taxCategory": plain_reference(),
    "state": plain_reference(),
    "reviewRatingStatistics": _ANY,
    "priceMode": _S,
}

PRODUCT = Node(
    {
        **AUDITED,
        **_OF_PRODUCTS,
        "masterData": Node({"published": _B, "hasStagedChanges": _B, "current": PRODUCT_DATA, "staged": PRODUCT_DATA}),
        "warnings": _ANY,
    }
)

PRODUCT_PROJECTION = Node({**BASE, **_OF_PRODUCTS, **_DATA, "published": _B, "hasStagedChanges": _B})

PRODUCT_TYPE = Node(
    {
        **AUDITED,
        "key": _S,
        "name": _S,
        "description": _S,
        "attributes": ListOf(
            Node(
                {
                    "type": _ANY,
                    "name": _S,
                    "label": LOCALIZED,
                    "isRequired": _B,
                    "level": _S,
                    "attributeConstraint": _S,
                    "inputTip": LOCALIZED,
                    "inputHint": _S,
                    "isSearchable": _B,
                }
            )
        ),
    }
)

INVENTORY_ENTRY = Node(
    {
        **AUDITED,
        "key": _S,
        "sku": _S,
        "supplyChannel": reference("channels"),
        "quantityOnStock": _N,
        "availableQuantity": _N,
        "minCartQuantity": _N,
        "maxCartQuantity": _N,
        "restockableInDays": _N,
        "expectedDelivery": _T,
        "reservationExpirationInMinutes": _N,
        "stockLevels": _ANY,
        "custom": CUSTOM,
    }
)

STANDALONE_PRICE = Node(
    {
        **AUDITED,
        **_PRICED,
        "sku": _S,
        "staged": Node({"value": MONEY, "discounted": _DISCOUNTED}),
        "active": _B,
    }
)
"""An embedded price's fields and its own."""
