"""Requests that find or list what the catalog has, by its ids. Pure (klaviyo.md 1.5)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from shared.klaviyo import limits
from shared.klaviyo.catalog import CatalogKind, klaviyo_id
from shared.klaviyo.requests import PAGE_SIZE, Links, Request, any_of, body_as, query_string, quoted

QUERY_BYTES_MOST = 7_000
"""How long a list of ids in a URL may get; 8 KB of URL pass everywhere."""

IDS_PER_REQUEST = 100
"""How many objects one look-up asks for; as many as a page has."""


class _Identity(msgspec.Struct, frozen=True):
    id: str


class _ToOne(msgspec.Struct, frozen=True):
    data: _Identity | None = None


class _ToMany(msgspec.Struct, frozen=True):
    data: list[_Identity] | None = None


class _ItemAttributes(msgspec.Struct, frozen=True):
    published: bool | None = None


class _ItemRelationships(msgspec.Struct, frozen=True):
    variants: _ToMany = _ToMany()


class _VariantRelationships(msgspec.Struct, frozen=True):
    item: _ToOne = _ToOne()


class FoundItem(msgspec.Struct, frozen=True):
    """An item as a page of `find_items` has it."""

    id: str
    attributes: _ItemAttributes = _ItemAttributes()
    relationships: _ItemRelationships = _ItemRelationships()


class IncludedVariant(msgspec.Struct, frozen=True):
    """A variant of an item on the same page; `item_id` is Klaviyo's, None when it does not say."""

    id: str
    relationships: _VariantRelationships = _VariantRelationships()

    @property
    def item_id(self) -> str | None:
        """Klaviyo's id of its item."""
        owner = self.relationships.item.data
        return None if owner is None else owner.id


class ItemPage(msgspec.Struct, frozen=True):
    """Items, and what came along of their variants; `included` is None when nothing was said."""

    data: list[FoundItem]
    included: list[IncludedVariant] | None = None
    links: Links = Links()


class IdPage(msgspec.Struct, frozen=True):
    """A page of objects of which only Klaviyo's ids matter."""

    data: list[_Identity]
    links: Links = Links()

    @property
    def ids(self) -> list[str]:
        """Klaviyo's ids."""
        return [one.id for one in self.data]


_item_page = body_as(ItemPage)
_id_page = body_as(IdPage)
_COLLECTIONS = {
    CatalogKind.ITEM: limits.FIND_ITEMS,
    CatalogKind.VARIANT: limits.FIND_VARIANTS,
    CatalogKind.CATEGORY: limits.FIND_CATEGORIES,
}


def find_items(item_ids: Sequence[str], cursor: str | None = None) -> Request[ItemPage]:
    """Those of some items (`id_pieces` says how many) that Klaviyo has, with their variants."""
    fields = (("include", "variants"), ("fields[catalog-item]", "published"), ("fields[catalog-variant]", "id"))
    query = (any_of("ids", map(klaviyo_id, item_ids)), *fields, PAGE_SIZE)
    return Request(limits.FIND_ITEMS, limits.FIND_ITEMS.path, _item_page, query=_at(query, cursor))


def find_ids(kind: CatalogKind, named: Sequence[str]) -> Request[IdPage]:
    """Those of some objects (`id_pieces` says how many) that Klaviyo has; `named` as in `klaviyo_id`."""
    endpoint = _COLLECTIONS[kind]
    query = (any_of("ids", map(klaviyo_id, named)), (f"fields[{kind}]", "id"), PAGE_SIZE)
    return Request(endpoint, endpoint.path, _id_page, query=query)


def list_ids(kind: CatalogKind, cursor: str | None = None) -> Request[IdPage]:
    """A page of up to 100 objects of a kind, oldest first, whoever made them; `cursor` as `next_cursor` gave it."""
    endpoint = _COLLECTIONS[kind]
    query = ((f"fields[{kind}]", "id"), ("sort", "created"), PAGE_SIZE)
    return Request(endpoint, endpoint.path, _id_page, query=_at(query, cursor))


def id_pieces(named: Sequence[str]) -> Iterator[Sequence[str]]:
    """Pieces of up to `IDS_PER_REQUEST` ids whose list fits a URL; `named` as in `klaviyo_id`."""
    piece: list[str] = []
    size_bytes = 0
    for one in named:
        added = len(query_string([("", f"{quoted(klaviyo_id(one))},")]))
        if piece and (len(piece) == IDS_PER_REQUEST or size_bytes + added > QUERY_BYTES_MOST):
            yield piece
            piece, size_bytes = [], 0
        piece.append(one)
        size_bytes += added
    if piece:
        yield piece


def _at(query: tuple[tuple[str, str], ...], cursor: str | None) -> tuple[tuple[str, str], ...]:
    return query if cursor is None else (*query, ("page[cursor]", cursor))
