"""Orders and payments as commercetools delivers them: the typed subset that is mapped."""

from __future__ import annotations

import msgspec

from shared.commercetools.catalog import Localized, Money, Price, Reference, Variant
from shared.commercetools.resources import Address, CustomerGroupReference, CustomFields, Resource, StoreKeyReference


class DiscountPortion(msgspec.Struct, frozen=True, kw_only=True):
    """What one cart discount takes off."""

    discountedAmount: Money


class DiscountedItemPrice(msgspec.Struct, frozen=True, kw_only=True):
    """What cart discounts make of a price, of one piece or of shipping, and what each of them takes off."""

    includedDiscounts: list[DiscountPortion] = []


class DiscountedPriceForQuantity(msgspec.Struct, frozen=True, kw_only=True):
    """The discounted price of each of so many pieces of a line."""

    quantity: int = 1
    discountedPrice: DiscountedItemPrice = DiscountedItemPrice()


class LineItem(msgspec.Struct, frozen=True, kw_only=True):
    """A product in an order, as it was when it was ordered."""

    id: str
    productId: str
    name: Localized = {}
    productSlug: Localized = {}
    productKey: str | None = None
    variant: Variant = Variant()
    price: Price | None = None
    quantity: int = 1
    totalPrice: Money | None = None
    discountedPricePerQuantity: list[DiscountedPriceForQuantity] = []


class CustomLineItem(msgspec.Struct, frozen=True, kw_only=True):
    """Something in an order that is no product."""

    id: str
    name: Localized = {}
    quantity: int = 1
    totalPrice: Money | None = None
    discountedPricePerQuantity: list[DiscountedPriceForQuantity] = []


class TrackingData(msgspec.Struct, frozen=True, kw_only=True):
    """How a parcel can be followed; one with `isReturn` goes back to the merchant."""

    trackingId: str | None = None
    carrier: str | None = None
    isReturn: bool = False


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """A parcel of a delivery."""

    trackingData: TrackingData | None = None


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery of an order."""

    createdAt: str | None = None
    parcels: list[Parcel] = []


class ShippingInfo(msgspec.Struct, frozen=True, kw_only=True):
    """How an order, or a part of it, is shipped."""

    shippingMethodName: str | None = None
    discountedPrice: DiscountedItemPrice | None = None
    deliveries: list[Delivery] = []


class Shipping(msgspec.Struct, frozen=True, kw_only=True):
    """One of several shipments (`shippingMode: Multiple`)."""

    shippingInfo: ShippingInfo | None = None
    shippingAddress: Address | None = None


class ExpandedDiscountCode(msgspec.Struct, frozen=True, kw_only=True):
    """The part of an expanded discount code that is sent."""

    code: str | None = None


class DiscountCodeReference(msgspec.Struct, frozen=True, kw_only=True):
    """A reference to a discount code; `obj` when the read asked for it and was allowed."""

    id: str
    obj: ExpandedDiscountCode | None = None


class DiscountCodeInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A discount code of an order and whether it applied (`MatchesCart`)."""

    discountCode: DiscountCodeReference
    state: str | None = None


class DiscountedAmount(msgspec.Struct, frozen=True, kw_only=True):
    """What discounts take off the total of an order."""

    discountedAmount: Money | None = None


class PaymentInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The payments of an order, in their order."""

    payments: list[Reference] = []


class Order(Resource, frozen=True, kw_only=True):
    """An order; https://docs.commercetools.com/api/projects/orders."""

    orderNumber: str | None = None
    customerId: str | None = None
    customerEmail: str | None = None
    customerGroup: CustomerGroupReference | None = None
    store: StoreKeyReference | None = None
    lineItems: list[LineItem] = []
    customLineItems: list[CustomLineItem] = []
    totalPrice: Money
    discountOnTotalPrice: DiscountedAmount | None = None
    discountCodes: list[DiscountCodeInfo] = []
    billingAddress: Address | None = None
    shippingAddress: Address | None = None
    shippingInfo: ShippingInfo | None = None
    shipping: list[Shipping] = []
    country: str | None = None
    locale: str | None = None
    orderState: str | None = None
    shipmentState: str | None = None
    completedAt: str | None = None
    paymentInfo: PaymentInfo | None = None
    custom: CustomFields | None = None

    @property
    def all_lines(self) -> list[LineItem | CustomLineItem]:
        """The line items, then those that are no product."""
        return [*self.lineItems, *self.customLineItems]


class OrderWithJson(Order, frozen=True, kw_only=True):
    """An order with its whole JSON, where fields are sent that we do not know."""

    json: msgspec.Raw = msgspec.Raw()


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """A movement of money: `type` such as Charge or Refund, `state` such as Pending or Success."""

    id: str
    type: str
    state: str
    amount: Money
    timestamp: str | None = None


class Payment(Resource, frozen=True, kw_only=True):
    """A payment; https://docs.commercetools.com/api/projects/payments."""

    transactions: list[Transaction] = []
