"""How an order is shipped: one shipment, or several (`shippingMode: Multiple`), read alike."""

from __future__ import annotations

from collections.abc import Iterator

from shared.commercetools.orders import Delivery, Order, ShippingInfo, TrackingData
from shared.commercetools.resources import Address


def shipping_infos(order: Order) -> Iterator[ShippingInfo]:
    """The order's own, then those of its several shipments."""
    if order.shippingInfo is not None:
        yield order.shippingInfo
    for shipping in order.shipping:
        if shipping.shippingInfo is not None:
            yield shipping.shippingInfo


def deliveries(order: Order) -> Iterator[Delivery]:
    """All deliveries of all shipments."""
    for info in shipping_infos(order):
        yield from info.deliveries


def shipping_address(order: Order) -> Address | None:
    """The order's own, else that of the first shipment that has one."""
    if order.shippingAddress is not None:
        return order.shippingAddress
    return next((shipping.shippingAddress for shipping in order.shipping if shipping.shippingAddress is not None), None)


def shipping_method(order: Order) -> str | None:
    """The first named shipping method."""
    return next((info.shippingMethodName for info in shipping_infos(order) if info.shippingMethodName), None)


def tracking(order: Order) -> TrackingData | None:
    """Of the first parcel on its way to the buyer that can be followed."""
    for delivery in deliveries(order):
        for parcel in delivery.parcels:
            if parcel.trackingData is not None and parcel.trackingData.trackingId and not parcel.trackingData.isReturn:
                return parcel.trackingData
    return None
