"""What look-ups read of resources that others refer to: a few fields of each, and what is kept of a product."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from shared.commercetools.catalog import Attribute, Reference
from shared.commercetools.resources import ExpandedGroup


class _Variant(msgspec.Struct, frozen=True):
    attributes: tuple[Attribute, ...] = ()


class _ProductData(msgspec.Struct, frozen=True, rename="camel"):
    categories: tuple[Reference, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    master_variant: _Variant = _Variant()


class _MasterData(msgspec.Struct, frozen=True):
    current: _ProductData


class ProductRow(msgspec.Struct, frozen=True, rename="camel"):
    """A product with its current data, published or not."""

    id: str
    master_data: _MasterData


class DiscountCodeRow(msgspec.Struct, frozen=True):
    """A discount code."""

    id: str
    code: str


class CustomerGroupRow(msgspec.Struct, frozen=True):
    """A customer group."""

    id: str
    name: str | None = None
    key: str | None = None

    @property
    def named(self) -> ExpandedGroup:
        """The group as an expanded reference has it."""
        return ExpandedGroup(name=self.name, key=self.key)


@dataclass(frozen=True, slots=True)
class KeptProduct:
    """What is kept of a product: its categories by id, and its own attributes before those of the master variant."""

    category_ids: tuple[str, ...]
    attributes: tuple[Attribute, ...]


def kept_product(product: ProductRow, wanted: frozenset[str] | None) -> KeptProduct:
    """What is kept of a product, of its attributes those of the names `wanted`; None keeps all."""
    current = product.master_data.current
    attributes = (*current.attributes, *current.master_variant.attributes)
    return KeptProduct(
        category_ids=tuple(category.id for category in current.categories),
        attributes=attributes if wanted is None else tuple(one for one in attributes if one.name in wanted),
    )
