"""Products with their current and staged data, and the projections that the API derives from them.

Every thousand rows have the odd ones at fixed places, so that the demo's two hundred have them too. Of ten products
one is unpublished; of twenty one has staged changes, and one has no image; of thirty-three one has no description.
"""

from functools import lru_cache
from typing import Any

from sandbox.sample import catalog_words, categories, heads, identity, inventory, prices, product_types, variants
from sandbox.sample.project import outside_reference
from sandbox.sample.scale import Scale

Resource = dict[str, Any]

BLOCK = variants.BLOCK
UNUSUAL_NAME_ROWS = (60, 61, 62, 64, 65, 66)
HEAVY_ROWS = (57, 84)
"""Products whose description is longer than 100 KB."""
SEARCHABLE_OUTLINE = frozenset({"masterData.published", "masterData.hasStagedChanges", "key", "priceMode"})
"""Paths of fields that `outline` has as the whole product has them."""
_LONG_TEXT = "Long description with <em>mark-up</em>, ümlauts and facts. " * 2_000
_CREATED_BY = {"clientId": "sample-data"}
_BASE = ("id", "version", "createdAt", "lastModifiedAt")
_PROJECTED = (*_BASE, "key", "productType", "taxCategory", "state", "reviewRatingStatistics", "priceMode")


def is_published(index: int) -> bool:
    """Whether product `index` is published."""
    return index % 10 != 3


def has_staged_changes(index: int) -> bool:
    """Whether product `index` has changes that are not published."""
    return index % 20 == 5


def published_total(size: int) -> int:
    """Return how many of so many products are published."""
    return size - (size + 6) // 10


def outline(head: Resource, index: int) -> Resource:
    """Return a head with the fields of `SEARCHABLE_OUTLINE`."""
    found = {**head, "masterData": {"published": is_published(index), "hasStagedChanges": has_staged_changes(index)}}
    if index % 50 != 9:
        found["key"] = key_of(index)
    found["priceMode"] = price_mode(index)
    return found


def key_of(index: int) -> str:
    """Return the key of a product; one in fifty has none."""
    return f"product-{index}"


def price_mode(index: int) -> str:
    """Return where the prices of a product are: `Embedded` or `Standalone`."""
    return "Standalone" if index % BLOCK in variants.STANDALONE_ROWS else "Embedded"


def index_of_key(key: str, size: int) -> int | None:
    """Return the only index whose product can have this key, or None."""
    digits = key.removeprefix("product-")
    if digits == key or not digits.isdecimal() or int(digits) >= size:
        return None
    return int(digits) if int(digits) % 50 != 9 else None


def product(seed: int, index: int, size: int, scale: Scale) -> Resource:
    """Return product `index` of a sample of `size`; of `scale` the variants and categories count."""
    return completed(heads.head("product", seed, index, size), seed, index, scale)


def completed(head: Resource, seed: int, index: int, scale: Scale) -> Resource:
    """Return the whole product of a head; the head is left alone."""
    roll = identity.entropy(seed, "product", index, "body")
    result = dict(head)
    if index % 50 != 9:
        result["key"] = key_of(index)
    kind = index % product_types.PRODUCT_TYPES
    result["productType"] = {"typeId": "product-type", "id": product_type_ids(seed)[kind]}
    current = _current(seed, index, scale, roll)
    changed = has_staged_changes(index)
    result["masterData"] = {
        "published": is_published(index),
        "hasStagedChanges": changed,
        "current": current,
        "staged": _staged(seed, current, roll, scale) if changed else current,
    }
    if index % 9:
        result["taxCategory"] = outside_reference(seed, "tax-category")
    result["priceMode"] = price_mode(index)
    result["createdBy"] = result["lastModifiedBy"] = _CREATED_BY
    return result


def projection(product_: Resource, *, staged: bool) -> Resource:
    """Return the projection of a product: its current or its staged data, one level up."""
    master = product_["masterData"]
    shown = {name: product_[name] for name in _PROJECTED if name in product_}
    shown["published"], shown["hasStagedChanges"] = master["published"], master["hasStagedChanges"]
    return {**shown, **master["staged" if staged else "current"]}


def name_of(index: int) -> dict[str, str]:
    """Return the localized name of a product; of ten one misses a locale."""
    row = index % BLOCK
    if row in UNUSUAL_NAME_ROWS:
        return catalog_words.UNUSUAL_NAMES[UNUSUAL_NAME_ROWS.index(row)]
    one = catalog_words.ADJECTIVES[index % len(catalog_words.ADJECTIVES)]
    two = catalog_words.NOUNS[index // 3 % len(catalog_words.NOUNS)]
    name = {"en": f"{one[0]} {two[0]} {index}", "de": f"{one[1]} {two[1]} {index}", "fr": f"{two[2]} {one[2]} {index}"}
    if index % 10 == 6:
        del name[("en", "de", "fr")[index // 10 % 3]]
    return name


def slug_of(index: int) -> dict[str, str]:
    """Return the localized slug of a product."""
    slug = {"en": f"product-{index}", "de": f"produkt-{index}"}
    if index % 37 == 5:
        del slug["en"]
    return slug


def variant(seed: int, index: int, number: int, fixed: int | None) -> Resource:
    """Return variant `number` of product `index`; `fixed` is the scale's number of variants."""
    roll = identity.entropy(seed, "product", index, f"v{number}")
    result: Resource = {"id": number}
    sku = variants.sku_of(index, number, fixed)
    if sku is not None:
        result["sku"] = sku
    if roll[2] % 12:
        result["key"] = f"variant-{index}-{number}"
    result["prices"] = prices.embedded(seed, index, number, roll)
    result["attributes"] = product_types.attributes(index, number, roll)
    result["images"] = _images(index, number, roll)
    result["assets"] = []
    stock = inventory.availability(seed, variants.ordinal(index, number, fixed))
    if stock is not None:
        result["availability"] = stock
    return result


@lru_cache(maxsize=1_024)
def cached_variant(seed: int, index: int, number: int, fixed: int | None) -> Resource:
    """Return the same as `variant`, for line items, which name the popular ones again and again."""
    return variant(seed, index, number, fixed)


def _current(seed: int, index: int, scale: Scale, roll: tuple[int, ...]) -> Resource:
    shown: Resource = {"name": name_of(index), "slug": slug_of(index)}
    row = index % BLOCK
    if row in HEAVY_ROWS:
        shown["description"] = {"en": _LONG_TEXT, "de": "Kurz."}
    elif index % 33 != 12:
        shown["description"] = catalog_words.DESCRIPTIONS[index % len(catalog_words.DESCRIPTIONS)]
    if roll[0] % 6 == 0:
        shown["metaTitle"] = {"en": f"Buy product {index} online"}
        shown["metaDescription"] = {"en": "Free returns within 30 days"}
    shown["categories"] = categories.references_of(seed, roll[1:5], scale.categories, archived=not is_published(index))
    if shown["categories"] and roll[5] % 5 == 0:
        shown["categoryOrderHints"] = {shown["categories"][0]["id"]: "0.5"}
    every = [variant(seed, index, number, scale.variants) for number in range(1, variants.count(index, scale.variants) + 1)]
    shown["masterVariant"], shown["variants"] = every[0], every[1:]
    shown["searchKeywords"] = {}
    shown["attributes"] = product_types.product_attributes(index)
    return shown


def _staged(seed: int, current: Resource, roll: tuple[int, ...], scale: Scale) -> Resource:
    name = {locale: f"{text} (new)" for locale, text in current["name"].items()}
    elsewhere = categories.references_of(seed, roll[6:10], scale.categories, archived=False)
    return {**current, "name": name, "categories": elsewhere, "variants": current["variants"][:-1]}


def _images(index: int, number: int, roll: tuple[int, ...]) -> list[Resource]:
    if index % 20 == 8 or (number > 1 and roll[3] % 4 == 0):
        return []
    found = []
    for position in range(1 + roll[3] // 4 % 3):
        image = {
            "url": f"https://images.example.com/p/{index}/{number}-{position}.jpg?w=800&q=80",
            "dimensions": {"w": 800, "h": 1_200} if position else {"w": 0, "h": 0},
        }
        if position == 1:
            image["label"] = "Rückseite"
        found.append(image)
    return found


@lru_cache(maxsize=8)
def product_type_ids(seed: int) -> tuple[str, ...]:
    """Return the ids of the product types, in the order of their rows."""
    return tuple(product_types.product_type_id(seed, index) for index in range(product_types.PRODUCT_TYPES))
