"""Products that are written together, by their last reading."""

from __future__ import annotations

from datetime import datetime

from shared.commercetools.changes import Standing
from shared.commercetools.reads import UNREADABLE
from shared.commercetools.scan import Undecodable
from shared.klaviyo.catalog_requests import encode_new_item, encode_new_variant
from shared.klaviyo.row_outcomes import Failed
from shared.mapping.choices import Choices
from shared.mapping.product import MappedProduct, product_of
from shared.mapping.result import Adjustment
from shared.reading.products import ReadProduct


class ProductWindow:
    """A window's own products (`ids`), and others that are read because they have one of its SKUs.

    Each that was read is in one of `mapped`, `absent` (not published; in `gone` if it does not exist either) and `unreadable`.
    `rows` and `bytes_held` measure the own ones: items and variants, and what they come to encoded.
    """

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.rows = 0
        self.bytes_held = 0
        self.mapped: dict[str, MappedProduct] = {}
        self.adjusted: dict[str, set[Adjustment]] = {}
        self.absent: set[str] = set()
        self.gone: set[str] = set()
        self.unreadable: dict[str, Failed] = {}
        self._versions: dict[str, int] = {}
        self._skus: dict[str, frozenset[str]] = {}

    def admit(self, product_id: str, read: ReadProduct | Undecodable | None, choices: Choices, now: datetime) -> None:
        """Take a product of the window's own."""
        self.ids.append(product_id)
        self.put(product_id, read, choices, now)
        if product := self.mapped.get(product_id):
            self.rows += 1 + len(product.variants)
            self.bytes_held += len(encode_new_item(product.item)) + sum(map(len, map(encode_new_variant, product.variants)))
        elif product_id in self.absent:
            self.rows += 1

    def put(self, product_id: str, read: ReadProduct | Undecodable | None, choices: Choices, now: datetime) -> None:
        """Map a product as it was read just now; what an earlier reading said is forgotten."""
        for known in (self.mapped, self.adjusted, self.unreadable, self._versions):
            known.pop(product_id, None)
        self.absent.discard(product_id)
        self.gone.discard(product_id)
        self._skus[product_id] = frozenset()
        if read is None:
            self.absent.add(product_id)
        elif isinstance(read, Undecodable):
            self.unreadable[product_id] = Failed(UNREADABLE, read.field_path)
        else:
            product, variants = product_of(read.source, choices, now), read.source.product.all_variants
            self.mapped[product_id] = product
            self.adjusted[product_id] = {*product.adjustments, *read.left_out}
            self._versions[product_id] = read.source.product.version
            self._skus[product_id] = frozenset(variant.sku for variant in variants if variant.sku)

    def is_behind(self, product_id: str, standing: Standing | None) -> bool:
        """Whether a product that was read stands otherwise by now."""
        if product_id in self.absent:
            return (standing is None) != (product_id in self.gone) or (standing is not None and standing.published)
        return standing is None or not standing.published or standing.version > self._versions[product_id]

    def was_read_with(self, product_id: str, sku: str) -> bool:
        """Whether the product had the SKU when it was read."""
        return sku in self._skus.get(product_id, ())

    def brings(self, product_id: str, sku: str) -> bool:
        """Whether a variant of the product goes to Klaviyo under this SKU."""
        product = self.mapped.get(product_id)
        return product is not None and any(variant.external_id == sku for variant in product.variants)

    def may_bring(self, product_id: str, sku: str) -> bool:
        """Whether a product that has the SKU now brings it: all do but those that were read with it, and cannot send it."""
        return self.brings(product_id, sku) or not self.was_read_with(product_id, sku)
