"""Klaviyo's catalog objects as we write them (klaviyo.md 1.5, 5.2; contract: the `Catalog*CreateQuery` objects).

Ids are those of commercetools: a product's id, a variant's SKU, a category's id; `compound_id` makes Klaviyo's id of them.
"""

from __future__ import annotations

from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any

import msgspec

ID_PREFIX = "$custom:::$default:::"


class CatalogKind(StrEnum):
    """What an object of the catalog is, as Klaviyo calls it."""

    ITEM = "catalog-item"
    VARIANT = "catalog-variant"
    CATEGORY = "catalog-category"


def compound_id(external_id: str) -> str:
    """Klaviyo's id of an item, variant or category that was written through its API."""
    return f"{ID_PREFIX}{external_id}"


def external_id_of(compound: str) -> str:
    """The external id in Klaviyo's id."""
    return compound.removeprefix(ID_PREFIX)


def klaviyo_id(given: str) -> str:
    """Klaviyo's id of what `given` names: an external id, or Klaviyo's id itself, which alone may hold `:::`."""
    return given if ":::" in given else compound_id(given)


def id_to_name(external_id: str) -> str:
    """What `klaviyo_id` understands as this external id, which may hold `:::` if another product gave it: then Klaviyo's id."""
    return compound_id(external_id) if ":::" in external_id and not external_id.startswith("$") else external_id


class InventoryPolicy(IntEnum):
    """Whether Klaviyo hides what is out of stock (klaviyo.md 5.2)."""

    TRACKED = 1
    UNTRACKED = 2


class CatalogCategory(msgspec.Struct, frozen=True, kw_only=True):
    """A category; `name` is its breadcrumb."""

    external_id: str
    name: str


class CatalogStock(msgspec.Struct, frozen=True, kw_only=True):
    """A variant's stock."""

    inventory_quantity: int
    inventory_policy: InventoryPolicy


class CatalogItem(msgspec.Struct, frozen=True, kw_only=True):
    """A product; `categories` are external ids and replace all links the item has. None is left out of the request."""

    external_id: str
    title: str
    description: str
    url: str
    price: Decimal
    image_full_url: str | None = None
    custom_metadata: dict[str, Any] = {}
    published: bool = True
    categories: tuple[str, ...] = ()


class CatalogVariant(msgspec.Struct, frozen=True, kw_only=True):
    """A variant of a product; `external_id` and `sku` are the SKU, `item_id` the product's external id."""

    external_id: str
    item_id: str
    sku: str
    title: str
    description: str
    url: str
    price: Decimal
    stock: CatalogStock
    image_full_url: str | None = None
    custom_metadata: dict[str, Any] = {}
    published: bool = True
