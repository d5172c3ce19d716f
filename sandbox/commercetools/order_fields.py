"""The fields of orders, payments and discount codes."""

from sandbox.commercetools.catalog_fields import PRICE, VARIANT
from sandbox.commercetools.fields import (
    ADDRESS,
    AUDITED,
    CUSTOM,
    KEY_REFERENCE,
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
_TAX_RATE = Node(
    {"id": _S, "key": _S, "name": _S, "amount": _N, "includedInPrice": _B, "country": _S, "state": _S, "subRates": _ANY}
)
_TAXED = Node(
    {
        "totalNet": MONEY,
        "totalGross": MONEY,
        "totalTax": MONEY,
        "taxPortions": ListOf(Node({"name": _S, "rate": _N, "amount": MONEY})),
    }
)
_STATES = ListOf(Node({"quantity": _N, "state": plain_reference()}))
_LINE: dict[str, Field] = {
    "id": _S,
    "key": _S,
    "name": LOCALIZED,
    "quantity": _N,
    "totalPrice": MONEY,
    "discountedPricePerQuantity": _ANY,
    "taxedPrice": _TAXED,
    "taxedPricePortions": _ANY,
    "state": _STATES,
    "taxRate": _TAX_RATE,
    "perMethodTaxRate": _ANY,
    "priceMode": _S,
    "shippingDetails": _ANY,
    "custom": CUSTOM,
    "recurrenceInfo": _ANY,
}
LINE_ITEM = Node(
    {
        **_LINE,
        "productId": Leaf.ID,
        "productKey": _S,
        "productSlug": LOCALIZED,
        "productType": reference("product-types"),
        "variant": VARIANT,
        "price": PRICE,
        "supplyChannel": reference("channels"),
        "distributionChannel": reference("channels"),
        "lineItemMode": _S,
        "inventoryMode": _S,
        "reservation": plain_reference(),
        "addedAt": _T,
        "lastModifiedAt": _T,
    }
)
CUSTOM_LINE_ITEM = Node({**_LINE, "money": MONEY, "slug": _S, "taxCategory": plain_reference()})
_DELIVERY_ITEMS = ListOf(Node({"id": _S, "quantity": _N}))
_TRACKING = Node({**dict.fromkeys(("trackingId", "carrier", "provider", "providerTransaction"), _S), "isReturn": _B})
_PARCEL = Node(
    {
        "id": _S,
        "key": _S,
        "createdAt": _T,
        "measurements": _ANY,
        "trackingData": _TRACKING,
        "items": _DELIVERY_ITEMS,
        "custom": CUSTOM,
    }
)
_DELIVERY = Node(
    {
        "id": _S,
        "key": _S,
        "createdAt": _T,
        "items": _DELIVERY_ITEMS,
        "parcels": ListOf(_PARCEL),
        "address": ADDRESS,
        "custom": CUSTOM,
    }
)
_SHIPPING_INFO = Node(
    {
        "shippingMethodName": _S,
        "price": MONEY,
        "shippingRate": _ANY,
        "taxedPrice": _TAXED,
        "taxRate": _TAX_RATE,
        "taxCategory": plain_reference(),
        "shippingMethod": plain_reference(),
        "deliveries": ListOf(_DELIVERY),
        "discountedPrice": _ANY,
        "shippingMethodState": _S,
        "estimatedDelivery": _ANY,
    }
)
_RETURN_ITEM = Node(
    {
        **dict.fromkeys(("id", "key", "type", "lineItemId", "customLineItemId", "comment", "shipmentState", "paymentState"), _S),
        "quantity": _N,
        "custom": CUSTOM,
        "createdAt": _T,
        "lastModifiedAt": _T,
    }
)
_ORDER_STRINGS = (
    "orderNumber purchaseOrderNumber customerEmail anonymousId priceRoundingMode taxMode taxRoundingMode "
    "taxCalculationMode inventoryMode shippingMode shippingKey country locale origin orderState shipmentState paymentState"
)

ORDER = Node(
    {
        **AUDITED,
        **dict.fromkeys(_ORDER_STRINGS.split(), _S),
        "customerId": Leaf.ID,
        "customerGroup": reference("customer-groups"),
        "businessUnit": KEY_REFERENCE,
        "store": KEY_REFERENCE,
        "lineItems": ListOf(LINE_ITEM),
        "customLineItems": ListOf(CUSTOM_LINE_ITEM),
        "totalPrice": MONEY,
        "taxedPrice": _TAXED,
        "taxedShippingPrice": _TAXED,
        "discountOnTotalPrice": _ANY,
        "billingAddress": ADDRESS,
        "shippingAddress": ADDRESS,
        "shippingInfo": _SHIPPING_INFO,
        "shippingRateInput": _ANY,
        "shippingCustomFields": CUSTOM,
        "shipping": ListOf(Node({"shippingKey": _S, "shippingInfo": _SHIPPING_INFO, "shippingAddress": ADDRESS})),
        "itemShippingAddresses": ListOf(ADDRESS),
        "discountCodes": ListOf(Node({"discountCode": reference("discount-codes"), "state": _S})),
        "directDiscounts": _ANY,
        "refusedGifts": ListOf(plain_reference()),
        "paymentInfo": Node({"payments": ListOf(reference("payments"))}),
        "cart": plain_reference(),
        "quote": plain_reference(),
        "recurringOrder": plain_reference(),
        "state": plain_reference(),
        "syncInfo": ListOf(Node({"channel": reference("channels"), "externalId": _S, "syncedAt": _T})),
        "returnInfo": ListOf(Node({"items": ListOf(_RETURN_ITEM), "returnTrackingId": _S, "returnDate": _T})),
        "discountTypeCombination": _ANY,
        "lastMessageSequenceNumber": _N,
        "custom": CUSTOM,
        "completedAt": _T,
    }
)

_TRANSACTION = Node(
    {
        **dict.fromkeys(("id", "type", "interactionId", "interfaceId", "state"), _S),
        "timestamp": _T,
        "amount": MONEY,
        "custom": CUSTOM,
    }
)

PAYMENT = Node(
    {
        **AUDITED,
        **dict.fromkeys(("key", "anonymousId", "externalId", "interfaceId", "authorizedUntil"), _S),
        **dict.fromkeys(("amountPlanned", "amountAuthorized", "amountPaid", "amountRefunded"), MONEY),
        "customer": reference("customers"),
        "paymentMethodInfo": _ANY,
        "paymentStatus": Node({"interfaceCode": _S, "interfaceText": _S, "state": plain_reference()}),
        "transactions": ListOf(_TRANSACTION),
        "interfaceInteractions": _ANY,
        "custom": CUSTOM,
    }
)

DISCOUNT_CODE = Node(
    {
        **AUDITED,
        **dict.fromkeys(("key", "code", "cartPredicate"), _S),
        **dict.fromkeys(("maxApplications", "maxApplicationsPerCustomer", "applicationVersion"), _N),
        "name": LOCALIZED,
        "description": LOCALIZED,
        "cartDiscounts": ListOf(plain_reference()),
        "stores": ListOf(KEY_REFERENCE),
        "isActive": _B,
        "references": ListOf(plain_reference()),
        "custom": CUSTOM,
        "groups": ListOf(_S),
        "validFrom": _T,
        "validUntil": _T,
    }
)
