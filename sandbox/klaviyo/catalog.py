"""The custom catalog: items, variants and categories under compound ids, and the links between them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec

ID_PREFIX: Final = "$custom:::$default:::"
Kind = Literal["item", "variant", "category"]
PLURALS: Final[dict[Kind, str]] = {"item": "items", "variant": "variants", "category": "categories"}
_DEFAULTS: Final[dict[Kind, dict[str, Any]]] = {
    "item": {"published": True},
    "variant": {"published": True, "inventory_policy": 0},
    "category": {},
}
_NOT_KEPT: Final = ("external_id", "integration_type", "catalog_type")


class CatalogError(Exception):
    """A write that the catalog cannot take; `code` is as in error bodies, `below` where in the resource."""

    def __init__(self, code: str, detail: str, below: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.below = below


@dataclass(slots=True, eq=False)
class Entry:
    """One object. `stored` holds its attributes; `item` is a variant's item, `categories` are an item's."""

    seq: int
    external_id: str
    created: float
    updated: float
    stored: bytes = b"{}"
    versions: int = 0
    changes: int = 0
    item: "Entry | None" = None
    categories: dict[str, "Entry"] = field(default_factory=dict)
    members: dict[str, "Entry"] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The compound id."""
        return ID_PREFIX + self.external_id

    def attributes(self) -> dict[str, Any]:
        """The attributes as last written."""
        attributes: dict[str, Any] = msgspec.json.decode(self.stored)
        return attributes


class Shelf:
    """All objects of one kind, in the order of creation."""

    def __init__(self) -> None:
        self._ordered: list[Entry | None] = []
        self._by_id: dict[str, Entry] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, compound_id: str) -> Entry | None:
        """The object with this compound id."""
        return self._by_id.get(compound_id)

    def after(self, seq: int, *, descending: bool = False) -> Iterator[Entry]:
        """Objects from number `seq` on, or from `seq` down."""
        order = range(min(seq, len(self._ordered) - 1), -1, -1) if descending else range(seq, len(self._ordered))
        for position in order:
            entry = self._ordered[position]
            if entry is not None:
                yield entry

    @property
    def last_seq(self) -> int:
        """The highest number in use."""
        return len(self._ordered) - 1

    def add(self, external_id: str, now: float) -> Entry:
        """A new, still empty object."""
        entry = Entry(len(self._ordered), external_id, now, now)
        self._ordered.append(entry)
        self._by_id[entry.id] = entry
        return entry

    def remove(self, entry: Entry) -> None:
        """Take an object away; its number is not used again."""
        self._ordered[entry.seq] = None
        del self._by_id[entry.id]


class Catalog:
    """Writes of single objects, used by the single endpoints and, row by row, by jobs.

    An item's `categories` and a category's `members` mirror each other; an item's `members` are its variants.
    """

    def __init__(self) -> None:
        self.shelves: dict[Kind, Shelf] = {kind: Shelf() for kind in PLURALS}

    def find(self, kind: Kind, compound_id: str) -> Entry:
        """The object; CatalogError `not_found` without one."""
        entry = self.shelves[kind].get(compound_id)
        if entry is None:
            raise CatalogError("not_found", f"A catalog {kind} with id {compound_id} does not exist.", "/id")
        return entry

    def create(self, kind: Kind, row: dict[str, Any], now: float) -> Entry:
        """Create an object; CatalogError `conflict` when it exists, `not_found` when something it refers to does not."""
        attributes = row["attributes"]
        external_id = attributes["external_id"]
        if self.shelves[kind].get(ID_PREFIX + external_id) is not None:
            detail = f"A catalog {kind} with external ID {external_id} already exists."
            raise CatalogError("conflict", detail, "/attributes/external_id")
        links = self._linked(kind, row)
        item = self._item_of(row) if kind == "variant" else None
        entry = self.shelves[kind].add(external_id, now)
        if item is not None:
            entry.item = item
            item.members[entry.id] = entry
        self._write(entry, _DEFAULTS[kind] | attributes, now)
        if links is not None:
            self.replace_links(kind, entry, links)
        return entry

    def update(self, kind: Kind, entry: Entry, row: dict[str, Any], now: float) -> bool:
        """Change an object; absent attributes stay, null clears. Whether anything changed."""
        links = self._linked(kind, row)
        changed = self._write(entry, row["attributes"], now)
        if links is not None:
            changed = self.replace_links(kind, entry, links) or changed
        return changed

    def delete(self, kind: Kind, entry: Entry, *, variants_too: bool) -> list[Entry]:
        """Delete an object; the variants that went with it are returned."""
        self.shelves[kind].remove(entry)
        gone: list[Entry] = []
        if kind == "variant" and entry.item is not None:
            entry.item.members.pop(entry.id, None)
        elif kind == "category":
            for item in entry.members.values():
                item.categories.pop(entry.id, None)
        elif kind == "item":
            for category in entry.categories.values():
                category.members.pop(entry.id, None)
            if variants_too:
                gone = list(entry.members.values())
                for variant in gone:
                    self.shelves["variant"].remove(variant)
        return gone

    def link(self, item: Entry, category: Entry) -> bool:
        """Put an item into a category; whether it was not there."""
        new = category.id not in item.categories
        item.categories[category.id] = category
        category.members[item.id] = item
        return new

    def unlink(self, item: Entry, category: Entry) -> bool:
        """Take an item out of a category; whether it was there."""
        category.members.pop(item.id, None)
        return item.categories.pop(category.id, None) is not None

    def replace_links(self, kind: Kind, entry: Entry, others: list[Entry]) -> bool:
        """Make `others` the whole set of an item's categories or a category's items. Whether anything changed."""
        held = entry.categories if kind == "item" else entry.members
        wanted = {other.id: other for other in others}
        changed = False
        for other in [other for key, other in held.items() if key not in wanted]:
            changed = self.unlink(*((entry, other) if kind == "item" else (other, entry))) or changed
        for other in others:
            changed = self.link(*((entry, other) if kind == "item" else (other, entry))) or changed
        return changed

    def _linked(self, kind: Kind, row: dict[str, Any]) -> list[Entry] | None:
        """The objects a row links to, None when it says nothing about links."""
        if kind == "variant":
            return None
        name, other = ("categories", "category") if kind == "item" else ("items", "item")
        references = (row.get("relationships") or {}).get(name, {}).get("data")
        if references is None:
            return None
        shelf = self.shelves["category" if other == "category" else "item"]
        found = []
        for i, reference in enumerate(references):
            entry = shelf.get(reference["id"])
            if entry is None:
                where = f"/relationships/{name}/data/{i}/id"
                raise CatalogError("not_found", f"A catalog {other} with id {reference['id']} does not exist.", where)
            found.append(entry)
        return found

    def _item_of(self, row: dict[str, Any]) -> Entry:
        compound_id = row["relationships"]["item"]["data"]["id"]
        item = self.shelves["item"].get(compound_id)
        if item is None:
            detail = f"A catalog item with id {compound_id} does not exist."
            raise CatalogError("not_found", detail, "/relationships/item/data/id")
        return item

    def _write(self, entry: Entry, attributes: dict[str, Any], now: float) -> bool:
        stored = entry.attributes()
        stored.update((name, value) for name, value in attributes.items() if name not in _NOT_KEPT)
        encoded = msgspec.json.encode({k: v for k, v in stored.items() if v is not None}, order="sorted")
        changed = entry.versions == 0 or encoded != entry.stored
        entry.versions += 1
        if changed:
            entry.stored = encoded
            entry.changes += 1
            entry.updated = now
        return changed
