"""What a mapping needs of commercetools: a resource and what it refers to, read beforehand (flows.md "One notification")."""

from __future__ import annotations

from typing import Any

import msgspec

from shared.commercetools.catalog import Attribute, Category, InventoryEntry, ProductProjection, StandalonePrice
from shared.commercetools.orders import Order, Payment
from shared.commercetools.resources import Customer


class OrderedProduct(msgspec.Struct, frozen=True, kw_only=True):
    """What events say of a product beyond the line item: its current categories (ancestors expanded) and attributes."""

    categories: list[Category] = []
    attributes: list[Attribute] = []


class OrderSource(msgspec.Struct, frozen=True, kw_only=True):
    """An order with what it refers to; what could not be read is absent, and its properties are then empty.

    `raw` is the order's whole JSON, needed where raw fields are sent. `products` by product id, `discount_codes` (the codes)
    by id of the discount code. `customer` is the one the order names now, None when there is none or it cannot be read.
    """

    order: Order
    raw: dict[str, Any] = {}
    products: dict[str, OrderedProduct] = {}
    discount_codes: dict[str, str] = {}
    customer: Customer | None = None


class PaidOrderSource(msgspec.Struct, frozen=True, kw_only=True):
    """A payment with the order it belongs to and all payments of that, in the order in which the order names them.

    Without a successful refund, of those that the notification speaks of, nobody looks for the order: `order` is None,
    `payments` empty.
    """

    payment: Payment
    order: OrderSource | None = None
    payments: list[Payment] = []


class ProductSource(msgspec.Struct, frozen=True, kw_only=True):
    """A published product with its stock and its standalone prices.

    `entries`: the inventory entries of its SKUs; None when they could not be read, then the stock in the product counts.
    """

    product: ProductProjection
    entries: list[InventoryEntry] | None = None
    standalone_prices: list[StandalonePrice] = []


class CategorySource(msgspec.Struct, frozen=True, kw_only=True):
    """A category and all categories below it, ancestors expanded."""

    category: Category
    descendants: list[Category] = []


class StockSource(msgspec.Struct, frozen=True, kw_only=True):
    """All inventory entries of one SKU."""

    sku: str
    entries: list[InventoryEntry] = []


class CustomerSource(msgspec.Struct, frozen=True, kw_only=True):
    """A customer."""

    customer: Customer
