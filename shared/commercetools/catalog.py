"""The catalog as commercetools delivers it: categories, product projections, prices, stock (the typed subset that is mapped)."""

from __future__ import annotations

from typing import Any

import msgspec

from shared.commercetools.resources import Resource

Localized = dict[str, str]
"""A text by locale."""


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """A reference by id, not expanded."""

    id: str


class Money(msgspec.Struct, frozen=True, kw_only=True):
    """An amount in minor units; `preciseAmount` is there for high precision, then in units of 10^-fractionDigits."""

    centAmount: int
    currencyCode: str
    fractionDigits: int = 2
    preciseAmount: int | None = None


class AncestorReference(msgspec.Struct, frozen=True, kw_only=True):
    """A reference to a category above; `obj` when the read asked for it."""

    id: str
    obj: CategoryName | None = None


class CategoryName(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of an expanded ancestor that are used."""

    id: str
    version: int = 0
    name: Localized = {}


class Category(Resource, frozen=True, kw_only=True):
    """A category; `ancestors` from the root down to the parent."""

    name: Localized = {}
    ancestors: list[AncestorReference] = []


class CategoryReference(msgspec.Struct, frozen=True, kw_only=True):
    """A product's category; `obj` when the read asked for `expand=categories[*]`."""

    id: str
    obj: Category | None = None


class DiscountedPrice(msgspec.Struct, frozen=True, kw_only=True):
    """What a product discount makes of a price."""

    value: Money


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """A price of a variant, embedded or standalone; times are ISO 8601 in UTC; `recurrencePolicy`: for subscriptions only."""

    value: Money
    country: str | None = None
    customerGroup: Reference | None = None
    channel: Reference | None = None
    validFrom: str | None = None
    validUntil: str | None = None
    discounted: DiscountedPrice | None = None
    recurrencePolicy: Reference | None = None


class StandalonePrice(Price, frozen=True, kw_only=True):
    """A price that names the variant it is for; inactive ones do not count."""

    id: str
    sku: str
    version: int = 0
    active: bool = True


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """An image of a variant."""

    url: str


class Attribute(msgspec.Struct, frozen=True, kw_only=True):
    """A product attribute; `value` is any JSON."""

    name: str
    value: Any = None


class ChannelAvailability(msgspec.Struct, frozen=True, kw_only=True):
    """Stock of one supply channel."""

    availableQuantity: int | None = None


class Availability(msgspec.Struct, frozen=True, kw_only=True):
    """A variant's stock as it stands in the product: without a channel, and by the id of each channel."""

    availableQuantity: int | None = None
    channels: dict[str, ChannelAvailability] = {}


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """A variant of a product, in the product or in a line item."""

    id: int = 1
    sku: str | None = None
    key: str | None = None
    prices: list[Price] = []
    attributes: list[Attribute] = []
    images: list[Image] = []
    availability: Availability | None = None


class ProductProjection(Resource, frozen=True, kw_only=True):
    """The current data of a published product; https://docs.commercetools.com/api/projects/productProjections."""

    key: str | None = None
    name: Localized = {}
    slug: Localized = {}
    description: Localized = {}
    categories: list[CategoryReference] = []
    attributes: list[Attribute] = []
    masterVariant: Variant
    variants: list[Variant] = []
    priceMode: str = "Embedded"

    @property
    def all_variants(self) -> list[Variant]:
        """The master variant, then the others."""
        return [self.masterVariant, *self.variants]


class InventoryEntry(Resource, frozen=True, kw_only=True):
    """Stock of one SKU, in one supply channel or in none."""

    sku: str
    supplyChannel: Reference | None = None
    availableQuantity: int = 0
