"""What is to become true in Klaviyo after a notification: the result of a mapping, before any request is made of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from shared.klaviyo.catalog import CatalogCategory, CatalogItem, CatalogStock, CatalogVariant
from shared.klaviyo.events import Event
from shared.klaviyo.profiles import ProfileAttributes
from shared.mapping.result import Adjustment


@dataclass(frozen=True, slots=True)
class UpsertProfile:
    """The customer's profile has these attributes."""

    attributes: ProfileAttributes


@dataclass(frozen=True, slots=True)
class RemoveProfile:
    """The profile of a deleted customer gets no more marketing, or is erased with all that Klaviyo knows of the person."""

    customer_id: str
    how: Literal["suppress", "erase"]


@dataclass(frozen=True, slots=True)
class SendEvents:
    """These events have happened; the first goes before the others."""

    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class PutCategories:
    """These categories exist with these names. `new`: they are probably not there yet, so creating is tried first."""

    categories: tuple[CatalogCategory, ...]
    new: bool = False


@dataclass(frozen=True, slots=True)
class RemoveCategory:
    """The category does not exist."""

    category_id: str


@dataclass(frozen=True, slots=True)
class PutProduct:
    """The item exists with exactly these variants. `categories`: those it links to, to be created if one is missing."""

    item: CatalogItem
    variants: tuple[CatalogVariant, ...]
    categories: tuple[CatalogCategory, ...] = ()


@dataclass(frozen=True, slots=True)
class RemoveProduct:
    """The item and its variants do not exist; with `hide` they do, but are not published."""

    product_id: str
    hide: bool = False


@dataclass(frozen=True, slots=True)
class SetStock:
    """The variant, if Klaviyo knows it, has this stock."""

    sku: str
    stock: CatalogStock


Write: TypeAlias = (
    UpsertProfile | RemoveProfile | SendEvents | PutCategories | RemoveCategory | PutProduct | RemoveProduct | SetStock
)


@dataclass(frozen=True, slots=True)
class Mapped:
    """What a notification comes to: the writes in the order of their dependence, and what had to be left out."""

    writes: tuple[Write, ...]
    adjustments: tuple[Adjustment, ...] = ()
