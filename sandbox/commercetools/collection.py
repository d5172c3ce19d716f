"""The resources of one kind: generated rows that are never held, under an overlay of what changed since the start."""

import heapq
from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

import msgspec

from sandbox.sample.identity import stratum_of
from sandbox.sample.kinds import SampleKind

Resource: TypeAlias = dict[str, Any]
Row: TypeAlias = tuple[Resource, int | None]
"""A resource's head (id, version, createdAt, lastModifiedAt) and its index; index None: the whole resource is there."""

HEAD_FIELDS = frozenset({"id", "version", "createdAt", "lastModifiedAt"})
TIME_FIELDS = ("createdAt", "lastModifiedAt")


class Collection:
    """Rows of `kind` (None: none are generated) and whatever was put, replaced or removed since.

    Walks ascend or descend by id, or by a time and then by id. Memory: the overlay, and four bytes a row for each
    time field that was ever walked. `scan_limit` is how many rows one query may look at, None without end.
    `keep_bytes`: generated rows that were encoded are kept up to so many bytes together, for kinds that are read repeatedly.
    """

    def __init__(
        self, kind: SampleKind | None, seed: int, size: int, scan_limit: int | None = None, *, keep_bytes: int = 0
    ) -> None:
        self.scan_limit = scan_limit
        self._encoded: dict[int, msgspec.Raw] = {}
        self._may_keep = keep_bytes
        self._kind = kind
        self._seed = seed
        self._size = size if kind is not None else 0
        self._orders: dict[str, array[int]] = {}
        self._overlay: dict[str, Resource | None] = {}
        self._held_ids: list[str] = []
        self._removed = 0

    @property
    def size(self) -> int:
        """How many rows are generated."""
        return self._size

    def changes(self) -> Iterator[tuple[int | None, Resource | None]]:
        """Walk what changed since the start: the index of the generated row if there is one, and what is there now."""
        return ((self._index_of(identifier), held) for identifier, held in self._overlay.items())

    @property
    def count(self) -> int:
        """How many resources there are now."""
        return self._size - self._removed + sum(1 for i in self._held_ids if self._index_of(i) is None)

    def reset(self) -> None:
        """Forget everything but the generated rows."""
        self._overlay.clear()
        self._held_ids.clear()
        self._removed = 0

    def get(self, identifier: str) -> Resource | None:
        """Return the resource with this id, or None."""
        row = self.row(identifier)
        return None if row is None else self.full(row)

    def row(self, identifier: str) -> Row | None:
        """Return the row with this id, or None."""
        if identifier in self._overlay:
            held = self._overlay[identifier]
            return None if held is None else (held, None)
        index = self._index_of(identifier)
        return None if index is None else (self._head(index), index)

    def full(self, row: Row) -> Resource:
        """Return the whole resource of a row. What is returned must not be changed."""
        head, index = row
        if index is None:
            return head
        assert self._kind is not None  # noqa: S101 - a row with an index was generated
        return self._kind.complete(head, self._seed, index, self._size)

    def prepare(self) -> None:
        """Encode all generated rows now, as far as they may be kept."""
        for index in range(self._size):
            self.encoded((self._head(index), index))

    def encoded(self, row: Row) -> msgspec.Raw:
        """Return the whole resource of a row as JSON."""
        index = row[1]
        if index is None:
            return msgspec.Raw(msgspec.json.encode(row[0]))
        kept = self._encoded.get(index)
        if kept is None:
            kept = msgspec.Raw(msgspec.json.encode(self.full(row)))
            if self._may_keep > 0:
                self._may_keep -= len(bytes(kept))
                self._encoded[index] = kept
        return kept

    def by_key(self, key: str) -> Resource | None:
        """Return the resource with this user-defined key, or None; an order's key is its number."""
        name = "key" if self._kind is None else self._kind.key_field
        for identifier in self._held_ids:
            held = self._overlay[identifier]
            if held is not None and held.get(name) == key:
                return held
        for index in self._indexes_with(key):
            found = self.full((self._head(index), index))
            if found.get(name) == key and found["id"] not in self._overlay:
                return found
        return None

    def has_outline(self, paths: frozenset[str]) -> bool:
        """Whether the fields at these paths cost less than the whole resource."""
        kind = self._kind
        return kind is not None and kind.outline is not None and paths <= HEAD_FIELDS | kind.outline_paths

    def outline(self, row: Row) -> Resource:
        """Return the head of a row with the fields that the kind's outline has, or the whole resource if it is there."""
        head, index = row
        if index is None:
            return head
        assert self._kind is not None and self._kind.outline is not None  # noqa: S101, PT018 - see has_outline
        return self._kind.outline(head, index)

    def paths_to_few(self) -> frozenset[str]:
        """Name the paths of fields for whose values `with_values` finds the rows."""
        return frozenset() if self._kind is None else frozenset(self._kind.locate)

    def with_values(self, path: str, values: Iterable[str]) -> list[Row]:
        """Return, in id order, all rows that can have one of the values at a path of `paths_to_few`, and some others."""
        assert self._kind is not None  # noqa: S101 - else there is no such path
        locate = self._kind.locate[path]
        indexes = {index for value in values for index in locate(value, self._size) if index < self._size}
        rows: list[Row] = [(self._head(index), index) for index in indexes]
        rows = [row for row in rows if row[0]["id"] not in self._overlay]
        rows += [(held, None) for held in self._overlay.values() if held is not None]
        return sorted(rows, key=lambda row: str(row[0]["id"]))

    def put(self, resource: Resource) -> None:
        """Add a resource, or replace the one with its id."""
        identifier = resource["id"]
        held_before = self._overlay.get(identifier)
        if held_before is None:
            insort(self._held_ids, identifier)
            if identifier in self._overlay and self._index_of(identifier) is not None:
                self._removed -= 1
        self._overlay[identifier] = resource

    def remove(self, identifier: str) -> None:
        """Remove the resource with this id; nothing happens when there is none."""
        if self.row(identifier) is None:
            return
        if self._overlay.get(identifier) is not None:
            self._held_ids.pop(bisect_left(self._held_ids, identifier))
        if self._index_of(identifier) is None:
            del self._overlay[identifier]
        else:
            self._overlay[identifier] = None
            self._removed += 1

    def by_id(self, low: str | None, high: str | None, *, descending: bool = False) -> Iterator[Row]:
        """Walk the rows whose ids are within the inclusive bounds, in id order."""
        first = 0 if low is None else self._position(low)
        last = self._size if high is None else self._position(high + "\0")
        indexes = range(last - 1, first - 1, -1) if descending else range(first, last)
        held = self._held_ids[
            0 if low is None else bisect_left(self._held_ids, low) : len(self._held_ids)
            if high is None
            else bisect_right(self._held_ids, high)
        ]
        own: list[Row] = [(resource, None) for i in held if (resource := self._overlay[i]) is not None]
        if descending:
            own.reverse()
        return self._merged(iter(indexes), own, lambda row: row[0]["id"], descending=descending)

    def by_time(self, field: str, low: str | None, high: str | None, *, descending: bool = False) -> Iterator[Row]:
        """Walk the rows whose time `field` is within the inclusive bounds, in the order of (time, id)."""
        order = self._order(field)

        def time_of(index: int) -> str:
            return str(self._head(index)[field])

        first = 0 if low is None else bisect_left(order, low, key=time_of)
        last = len(order) if high is None else bisect_right(order, high, key=time_of)
        positions = range(last - 1, first - 1, -1) if descending else range(first, last)
        held = (resource for i in self._held_ids if (resource := self._overlay[i]) is not None)
        own: list[Row] = [
            (resource, None)
            for resource in held
            if (low is None or resource[field] >= low) and (high is None or resource[field] <= high)
        ]

        def key(row: Row) -> tuple[str, str]:
            return row[0][field], row[0]["id"]

        own.sort(key=key, reverse=descending)
        return self._merged((order[position] for position in positions), own, key, descending=descending)

    def _merged(self, indexes: Iterator[int], own: list[Row], key: Callable[[Row], Any], *, descending: bool) -> Iterator[Row]:
        overlay = self._overlay
        rows: Iterator[Row] = ((self._head(index), index) for index in indexes)
        if overlay:
            rows = (row for row in rows if row[0]["id"] not in overlay)
        return heapq.merge(rows, own, key=key, reverse=descending) if own else rows

    def _head(self, index: int) -> Resource:
        assert self._kind is not None  # noqa: S101 - only generated rows have an index
        return self._kind.head(self._seed, index, self._size)

    def _index_of(self, identifier: str) -> int | None:
        index = stratum_of(identifier, self._size) if self._size else None
        return index if index is not None and self._head(index)["id"] == identifier else None

    def _position(self, identifier: str) -> int:
        return bisect_left(range(self._size), identifier, key=lambda index: str(self._head(index)["id"]))

    def _order(self, field: str) -> "array[int]":
        if field not in self._orders:
            times = [self._head(index)[field] for index in range(self._size)]
            self._orders[field] = array("I", sorted(range(self._size), key=times.__getitem__))
        return self._orders[field]

    def _indexes_with(self, key: str) -> Iterator[int]:
        if self._kind is None:
            return iter(())
        if self._kind.index_of_key is None:
            return iter(range(self._size))
        index = self._kind.index_of_key(key, self._size)
        return iter(()) if index is None else iter((index,))
