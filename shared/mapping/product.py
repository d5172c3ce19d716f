"""Products to Klaviyo items and variants (mapping.md "Catalog", reference.md 3.4): one pure function for bulk and realtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from shared.commercetools.catalog import InventoryEntry, Price, ProductProjection, Variant
from shared.klaviyo.catalog import CatalogCategory, CatalogItem, CatalogVariant
from shared.mapping.category import category_ids, linked_categories
from shared.mapping.choices import Choices
from shared.mapping.limits import MAX_STRING_BYTES
from shared.mapping.localized import localized
from shared.mapping.metadata import fitting, price_metadata, text_metadata
from shared.mapping.price import active_by_sku, price_of, prices_of_variant
from shared.mapping.product_url import NO_URL, image_url, product_url
from shared.mapping.result import Adjustment
from shared.mapping.sources import ProductSource
from shared.mapping.stock import is_unknown, stock_of_variant
from shared.mapping.text import cut_to_bytes, sendable

MAX_TITLE_BYTES = 1_000
"""Klaviyo documents no length."""
MAX_SKU_LENGTH = 256
"""What commercetools allows; Klaviyo documents no length for the ids of its catalog."""
ID_SEPARATOR = ":::"
"""What joins the parts of Klaviyo's ids, and so has no place in one (klaviyo.md 5.2)."""


@dataclass(frozen=True, slots=True)
class MappedProduct:
    """What is sent for a product, and what had to be left out of it (each kind once, in the order of `Adjustment`).

    `categories`: those that the item links to, ancestors included, in the order of the links; only those whose names are known.
    """

    item: CatalogItem
    variants: tuple[CatalogVariant, ...]
    categories: tuple[CatalogCategory, ...] = ()
    adjustments: tuple[Adjustment, ...] = ()


def product_of(source: ProductSource, choices: Choices, now: datetime) -> MappedProduct:
    """The item and the variants of a published product, with the prices that are valid `now` (with a time zone); never raises.

    The item has the price and the image of the master variant, and its SKU in the URL (or, when it has none, the first SKU).
    """
    return _Mapping(source, choices, now).mapped()


@dataclass(frozen=True, slots=True)
class _Offer:
    """What the prices of a variant come to."""

    price: Decimal
    metadata: dict[str, str]


class _Mapping:
    """One product on its way: what all its variants share, and what had to be left out so far."""

    def __init__(self, source: ProductSource, choices: Choices, now: datetime) -> None:
        self.product = source.product
        self.choices = choices
        self.now = now
        self.adjustments: set[Adjustment] = set()
        self.title = self.bounded(_title(source.product, choices.locale), MAX_TITLE_BYTES)
        self.description = self.bounded(localized(source.product.description, choices.locale) or "", MAX_STRING_BYTES)
        self.slug = localized(source.product.slug, choices.locale)
        self.texts = text_metadata(source.product)
        self.standalone: Mapping[str, Sequence[Price]] = active_by_sku(source.standalone_prices)
        self.entries: dict[str, list[InventoryEntry]] = {}
        for entry in source.entries or ():
            self.entries.setdefault(entry.sku, []).append(entry)

    def mapped(self) -> MappedProduct:
        product, master = self.product, self.product.masterVariant
        sellable = self.sellable()
        master_offer, master_image = self.offer(master), self.image(master)
        variants = tuple(
            self.variant(
                variant,
                sku,
                master_offer if variant is master else self.offer(variant),
                master_image if variant is master else self.image(variant) or master_image,
            )
            for sku, variant in sellable.items()
        )
        item = CatalogItem(
            external_id=product.id,
            title=self.title,
            description=self.description,
            url=self.url(master.sku or next(iter(sellable), None)),
            price=master_offer.price,
            image_full_url=master_image,
            custom_metadata=master_offer.metadata,
            categories=category_ids(product.categories),
        )
        adjustments = tuple(adjustment for adjustment in Adjustment if adjustment in self.adjustments)
        return MappedProduct(item, variants, linked_categories(product.categories, self.choices.locale), adjustments)

    def variant(self, variant: Variant, sku: str, offer: _Offer, image: str | None) -> CatalogVariant:
        stock = stock_of_variant(variant, self.entries.get(sku), self.choices)
        if is_unknown(stock):
            self.adjustments.add(Adjustment.STOCK_UNKNOWN)
        return CatalogVariant(
            external_id=sku,
            item_id=self.product.id,
            sku=sku,
            title=self.title,
            description=self.description,
            url=self.url(sku),
            price=offer.price,
            stock=stock,
            image_full_url=image,
            custom_metadata=offer.metadata,
        )

    def sellable(self) -> dict[str, Variant]:
        """The variants by SKU: without those that have none, or one Klaviyo cannot store as it is; of equal ones the first."""
        found: dict[str, Variant] = {}
        for variant in self.product.all_variants:
            sku = variant.sku
            if sku is None or not sku.strip():
                self.adjustments.add(Adjustment.VARIANT_WITHOUT_SKU)
            elif len(sku) > MAX_SKU_LENGTH or ID_SEPARATOR in sku or sendable(sku) != sku:
                self.adjustments.add(Adjustment.SKU_UNUSABLE)
            elif sku in found:
                self.adjustments.add(Adjustment.SKU_DUPLICATE)
            else:
                found[sku] = variant
        return found

    def offer(self, variant: Variant) -> _Offer:
        prices = prices_of_variant(self.product, variant, self.standalone)
        chosen = price_of(prices, self.choices, self.now)
        if chosen.missing:
            self.adjustments.add(Adjustment.PRICE_MISSING)
        metadata = fitting(self.texts | price_metadata(prices, self.choices, self.now))
        if metadata.trimmed:
            self.adjustments.add(Adjustment.PROPERTY_TRIMMED)
        return _Offer(chosen.amount, metadata.entries)

    def image(self, variant: Variant) -> str | None:
        """The first image of the variant that a message can show."""
        for image in variant.images:
            if url := image_url(image.url):
                return url
        if variant.images:
            self.adjustments.add(Adjustment.IMAGE_UNUSABLE)
        return None

    def url(self, sku: str | None) -> str:
        product, template = self.product, self.choices.url_template
        url = product_url(template, slug=self.slug, product_id=product.id, key=product.key, sku=sku)
        if template and url == NO_URL:
            self.adjustments.add(Adjustment.PROPERTY_TRIMMED)
        return url

    def bounded(self, text: str, max_bytes: int) -> str:
        cut = cut_to_bytes(text, max_bytes)
        if cut != text:
            self.adjustments.add(Adjustment.PROPERTY_TRIMMED)
        return cut


def _title(product: ProductProjection, locale: str) -> str:
    """The name; Klaviyo requires one, so a product without goes by its slug, its key or its id."""
    key = sendable(product.key or "").strip()
    return localized(product.name, locale) or localized(product.slug, locale) or key or product.id
