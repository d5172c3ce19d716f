"""Product projections: a view of the products, so that a product that changes changes its projection at once."""

from collections.abc import Iterable, Iterator
from typing import Any

from sandbox.commercetools.collection import Collection, Resource, Row
from sandbox.sample.products import is_published, projection, published_total


class Projections(Collection):
    """The current data of all published products, or with `staged` the staged data of all products."""

    def __init__(self, products: Collection, *, staged: bool, keep_bytes: int = 0) -> None:
        super().__init__(None, 0, 0, products.scan_limit, keep_bytes=keep_bytes)
        self._products = products
        self._staged = staged

    @property
    def count(self) -> int:
        """How many projections there are now."""
        if self._staged:
            return self._products.count
        number = published_total(self._products.size)
        for index, held in self._products.changes():
            number += int(held is not None and _shown(held)) - int(index is not None and is_published(index))
        return number

    def row(self, identifier: str) -> Row | None:
        """Return the row with this id, or None."""
        found = self._products.row(identifier)
        return None if found is None else next(self._projected([found]), None)

    def full(self, row: Row) -> Resource:
        """Return the whole projection of a row. What is returned must not be changed."""
        return row[0] if row[1] is None else projection(self._products.full(row), staged=self._staged)

    def by_key(self, key: str) -> Resource | None:
        """Return the projection of the product with this key, or None."""
        product = self._products.by_key(key)
        if product is None or not (self._staged or _shown(product)):
            return None
        return projection(product, staged=self._staged)

    def by_id(self, low: str | None, high: str | None, *, descending: bool = False) -> Iterator[Row]:
        """Walk the rows whose ids are within the inclusive bounds, in id order."""
        return self._projected(self._products.by_id(low, high, descending=descending))

    def by_time(self, field: str, low: str | None, high: str | None, *, descending: bool = False) -> Iterator[Row]:
        """Walk the rows whose time `field` is within the inclusive bounds, in the order of (time, id)."""
        return self._projected(self._products.by_time(field, low, high, descending=descending))

    def _projected(self, rows: Iterable[Row]) -> Iterator[Row]:
        for head, index in rows:
            if index is not None:
                if self._staged or is_published(index):
                    yield head, index
            elif self._staged or _shown(head):
                yield projection(head, staged=self._staged), None


def _shown(product: dict[str, Any]) -> bool:
    return bool(product["masterData"]["published"])
