"""Requests that concern items, variants and categories of the catalog, one at a time. Pure (klaviyo.md 1.5).

Each kind has a row for creating and one for updating, `encode_new_...` and `encode_...`: the `data` of a single request,
and a row of a bulk body. Ids are external ones; paths and bodies have Klaviyo's compound ids.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from shared.klaviyo import limits
from shared.klaviyo.catalog import (
    CatalogCategory,
    CatalogItem,
    CatalogKind,
    CatalogStock,
    CatalogVariant,
    compound_id,
    external_id_of,
    klaviyo_id,
)
from shared.klaviyo.limits import Endpoint
from shared.klaviyo.requests import PAGE_SIZE, Answer, Links, Request, any_of, body_as, nothing

CATEGORIES_PER_REQUEST = 50
"""How many categories one look-up asks for: a compound id takes 82 bytes of the URL, of which 8 KB pass everywhere."""

VARIANT_ATTRIBUTES = (
    "title",
    "description",
    "sku",
    "inventory_policy",
    "inventory_quantity",
    "price",
    "url",
    "image_full_url",
    "custom_metadata",
    "published",
)
"""All attributes that an update of a variant may name."""

_NEW: dict[str, Any] = {"integration_type": "$custom", "catalog_type": "$default"}


class ShownVariant(msgspec.Struct, frozen=True):
    """A variant as Klaviyo shows it, with the attributes that were asked for; numbers with a fraction are `Decimal`."""

    id: str
    attributes: dict[str, Any] = {}

    @property
    def sku(self) -> str:
        """Its external id."""
        return external_id_of(self.id)


class VariantPage(msgspec.Struct, frozen=True):
    """A page of an item's variants."""

    data: list[ShownVariant]
    links: Links = Links()

    @property
    def skus(self) -> list[str]:
        """The external ids of the page's variants."""
        return [variant.sku for variant in self.data]


class _CategoryAttributes(msgspec.Struct, frozen=True):
    name: str | None = None


class _Category(msgspec.Struct, frozen=True):
    id: str
    attributes: _CategoryAttributes = _CategoryAttributes()


class _CategoryPage(msgspec.Struct, frozen=True):
    data: list[_Category]


_encode = msgspec.json.Encoder(decimal_format="number").encode
_decode_exactly = msgspec.json.Decoder(float_hook=Decimal).decode
_decode_variants = msgspec.json.Decoder(VariantPage, float_hook=Decimal).decode
_category_page = body_as(_CategoryPage)


def encode_new_item(item: CatalogItem) -> bytes:
    """An item as a row that creates it, with its links to categories."""
    return _row(CatalogKind.ITEM, None, {"external_id": item.external_id, **_NEW, **_item(item)}, _links(item))


def encode_item(item: CatalogItem) -> bytes:
    """An item as a row that updates it; the links are always named, so that those it has lost are cleared."""
    return _row(CatalogKind.ITEM, item.external_id, _item(item), _links(item))


def encode_new_variant(variant: CatalogVariant) -> bytes:
    """A variant as a row that creates it under its item."""
    attributes = {"external_id": variant.external_id, **_NEW, **_variant(variant)}
    return _row(CatalogKind.VARIANT, None, attributes, {"item": {"data": _reference(CatalogKind.ITEM, variant.item_id)}})


def encode_variant(variant: CatalogVariant) -> bytes:
    """A variant as a row that updates it; it stays under its item, Klaviyo cannot move it."""
    return _row(CatalogKind.VARIANT, variant.external_id, _variant(variant))


def encode_new_category(category: CatalogCategory) -> bytes:
    """A category as a row that creates it."""
    return _row(CatalogKind.CATEGORY, None, {"external_id": category.external_id, **_NEW, "name": category.name})


def encode_category(category: CatalogCategory) -> bytes:
    """A category as a row that renames it."""
    return _row(CatalogKind.CATEGORY, category.external_id, {"name": category.name})


def encode_hidden(kind: CatalogKind, named: str) -> bytes:
    """A row that leaves an item or a variant as it is, but not published; `named` as in `klaviyo_id`."""
    return _encode({"type": kind, "id": klaviyo_id(named), "attributes": {"published": False}})


def encode_deletion(kind: CatalogKind, named: str) -> bytes:
    """A row that deletes; `named` as in `klaviyo_id`."""
    return _encode({"type": kind, "id": klaviyo_id(named)})


def create_item(item: CatalogItem) -> Request[None]:
    """Create an item; 409 when there is one."""
    return _post(limits.CREATE_ITEM, encode_new_item(item))


def update_item(item: CatalogItem) -> Request[None]:
    """Update an item; 404 when there is none."""
    return _patch(limits.UPDATE_ITEM, item.external_id, encode_item(item))


def hide_item(item_id: str) -> Request[None]:
    """Leave an item as it is, but not published."""
    return _patch(limits.UPDATE_ITEM, item_id, _row(CatalogKind.ITEM, item_id, {"published": False}))


def delete_item(item_id: str) -> Request[None]:
    """Delete an item; 404 when there is none."""
    return _delete(limits.DELETE_ITEM, item_id)


def list_variants(item_id: str, cursor: str | None = None, fields: Sequence[str] = ("id",)) -> Request[VariantPage]:
    """A page of up to 100 variants of an item; 404 when there is no such item.

    `cursor` as `next_cursor` gave it, `fields` the attributes wanted; the ids are always there.
    """
    asked = ("fields[catalog-variant]", ",".join(fields))
    query = (asked, PAGE_SIZE) if cursor is None else (asked, PAGE_SIZE, ("page[cursor]", cursor))
    return Request(limits.LIST_VARIANTS, limits.LIST_VARIANTS.path_of(compound_id(item_id)), _variants, query=query)


def is_as_wanted(variant: CatalogVariant, shown: Mapping[str, Any]) -> bool:
    """Whether an update would change nothing of the attributes shown. Numbers are equal by their value.

    What is not shown, or in another form than it was sent, counts as different: that costs a write and loses nothing.
    """
    wanted = _decode_exactly(_encode(_variant(variant)))
    return all(name in shown and _is_same(shown[name], value) for name, value in wanted.items())


def create_variant(variant: CatalogVariant) -> Request[None]:
    """Create a variant; 409 when there is one of this SKU under any item."""
    return _post(limits.CREATE_VARIANT, encode_new_variant(variant))


def update_variant(variant: CatalogVariant) -> Request[None]:
    """Update a variant; 404 when there is none."""
    return _patch(limits.UPDATE_VARIANT, variant.external_id, encode_variant(variant))


def set_stock(sku: str, stock: CatalogStock) -> Request[None]:
    """Update a variant's stock and nothing else; 404 when there is no such variant."""
    return _patch(limits.UPDATE_VARIANT, sku, _row(CatalogKind.VARIANT, sku, _stock(stock)))


def hide_variant(sku: str) -> Request[None]:
    """Leave a variant as it is, but not published."""
    return _patch(limits.UPDATE_VARIANT, sku, _row(CatalogKind.VARIANT, sku, {"published": False}))


def delete_variant(sku: str) -> Request[None]:
    """Delete a variant; 404 when there is none."""
    return _delete(limits.DELETE_VARIANT, sku)


def find_categories(category_ids: Sequence[str]) -> Request[dict[str, str]]:
    """The names of those of up to `CATEGORIES_PER_REQUEST` categories that Klaviyo has, by external id."""
    query = (any_of("ids", map(compound_id, category_ids)), ("fields[catalog-category]", "name"), PAGE_SIZE)
    return Request(limits.FIND_CATEGORIES, limits.FIND_CATEGORIES.path, _names, query=query)


def create_category(category: CatalogCategory) -> Request[None]:
    """Create a category; 409 when there is one."""
    return _post(limits.CREATE_CATEGORY, encode_new_category(category))


def rename_category(category: CatalogCategory) -> Request[None]:
    """Give a category its name; 404 when there is none."""
    return _patch(limits.UPDATE_CATEGORY, category.external_id, encode_category(category))


def delete_category(category_id: str) -> Request[None]:
    """Delete a category; 404 when there is none."""
    return _delete(limits.DELETE_CATEGORY, category_id)


def _item(item: CatalogItem) -> dict[str, Any]:
    return {
        "title": item.title,
        "description": item.description,
        "url": item.url,
        "price": item.price,
        **_image(item.image_full_url),
        "custom_metadata": item.custom_metadata,
        "published": item.published,
    }


def _variant(variant: CatalogVariant) -> dict[str, Any]:
    return {
        "title": variant.title,
        "description": variant.description,
        "sku": variant.sku,
        **_stock(variant.stock),
        "price": variant.price,
        "url": variant.url,
        **_image(variant.image_full_url),
        "custom_metadata": variant.custom_metadata,
        "published": variant.published,
    }


def _is_same(one: Any, other: Any) -> bool:
    """Equality of two JSON values, in which `true` is not `1`."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_is_same(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_is_same, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other)


def _stock(stock: CatalogStock) -> dict[str, Any]:
    return {"inventory_policy": stock.inventory_policy, "inventory_quantity": stock.inventory_quantity}


def _image(url: str | None) -> dict[str, str]:
    return {} if url is None else {"image_full_url": url}


def _links(item: CatalogItem) -> dict[str, Any]:
    return {"categories": {"data": [_reference(CatalogKind.CATEGORY, category_id) for category_id in item.categories]}}


def _reference(kind: CatalogKind, external_id: str) -> dict[str, str]:
    return {"type": kind, "id": compound_id(external_id)}


def _row(kind: CatalogKind, external_id: str | None, attributes: dict[str, Any], links: dict[str, Any] | None = None) -> bytes:
    """A resource object; `external_id` None leaves out Klaviyo's id, for what is to be created."""
    identity: dict[str, str] = {"type": kind} if external_id is None else _reference(kind, external_id)
    return _encode({**identity, "attributes": attributes, **({"relationships": links} if links else {})})


def _post(endpoint: Endpoint, row: bytes) -> Request[None]:
    return Request(endpoint, endpoint.path, nothing, _document(row))


def _patch(endpoint: Endpoint, external_id: str, row: bytes) -> Request[None]:
    return Request(endpoint, endpoint.path_of(compound_id(external_id)), nothing, _document(row))


def _delete(endpoint: Endpoint, external_id: str) -> Request[None]:
    return Request(endpoint, endpoint.path_of(compound_id(external_id)), nothing)


def _document(row: bytes) -> bytes:
    return b"".join((b'{"data":', row, b"}"))


def _variants(answer: Answer) -> VariantPage:
    return _decode_variants(answer.body)


def _names(answer: Answer) -> dict[str, str]:
    return {external_id_of(category.id): category.attributes.name or "" for category in _category_page(answer).data}
