"""Categories: a tree of three levels, whose ids are in no order of the tree.

Rows are dealt to places of the tree by a fixed permutation: `place` 0 and up are roots, then their children, then the
leaves. Parents may have larger ids than their children. commercetools has no published flag for categories; what comes
nearest is the second root's branch, the archive: only unpublished products are in it.
"""

from functools import lru_cache
from math import gcd
from typing import Any

from sandbox.sample import heads, identity
from sandbox.sample.catalog_words import CATEGORY_NAMES

Resource = dict[str, Any]

ARCHIVE_ROOT = 1
NO_ENGLISH_SLUG_PLACES = (7, 31)
"""Places of the two categories that have no slug in the default locale, `en`."""


def level_sizes(size: int) -> tuple[int, int, int]:
    """Return how many roots, children and leaves a tree of `size` categories has: about 10, 30 and 60 of a hundred."""
    roots = min(size, max(1, size // 10))
    children = min(size - roots, max(1, size * 3 // 10))
    return roots, children, size - roots - children


def place_of(index: int, size: int) -> int:
    """Return the place in the tree of row `index`."""
    return index * _stride(size) % size


def index_at(place: int, size: int) -> int:
    """Return the row at a place of the tree."""
    return place * pow(_stride(size), -1, size) % size


def parent_place(place: int, size: int) -> int | None:
    """Return the place of the parent, None for a root."""
    roots, children, _ = level_sizes(size)
    if place < roots:
        return None
    return (place - roots) % roots if place < roots + children else roots + (place - roots - children) % children


def root_place(place: int, size: int) -> int:
    """Return the place of the root that a place is under."""
    parent = parent_place(place, size)
    return place if parent is None else root_place(parent, size)


@lru_cache(maxsize=4_096)
def category_id(seed: int, index: int, size: int) -> str:
    """Return the id of category `index`."""
    return identity.id_at(seed, "category", index, size)


def completed(head: Resource, seed: int, index: int, size: int) -> Resource:
    """Return the whole category of a head; the head is left alone."""
    place = place_of(index, size)
    name = _name(place, size)
    roll = identity.entropy(seed, "category", index, "body")
    if place % 10 == 4:
        del name[("en", "de", "fr")[place // 10 % 3]]
    slug = {locale: f"{_slug(text)}-{place}" for locale, text in name.items() if locale != "fr"} or {"fr": f"categorie-{place}"}
    if place in NO_ENGLISH_SLUG_PLACES:
        slug = {"de": f"kategorie-{place}"}
    category = dict(head)
    if roll[1] % 8:
        category["key"] = f"category-{index}"
    category |= {"name": name, "slug": slug, "orderHint": f"0.{place + 1:06d}"}
    if roll[2] % 3 == 0:
        category["externalId"] = f"erp/{place}"
    if roll[3] % 4 == 0:
        category["description"] = {"en": "All that is in <b>stock</b> & more", "de": "Alles für drinnen und draußen"}
    if roll[4] % 5 == 0:
        category["metaTitle"] = {"en": f"{name.get('en', 'Category')} | Example Shop"}
    ancestors = [_reference(seed, index_at(above, size), size) for above in _places_above(place, size)]
    category["ancestors"] = ancestors
    if ancestors:
        category["parent"] = ancestors[-1]
    category["assets"] = []
    category["createdBy"] = category["lastModifiedBy"] = {"clientId": "sample-data"}
    return category


def category(seed: int, index: int, size: int) -> Resource:
    """Return category `index` of a tree of `size`."""
    return completed(heads.head("category", seed, index, size), seed, index, size)


def index_of_key(key: str, size: int) -> int | None:
    """Return the only index whose category can have this key, or None."""
    digits = key.removeprefix("category-")
    if digits == key or not digits.isdecimal() or int(digits) >= size:
        return None
    return int(digits)


def references_of(seed: int, choices: tuple[int, ...], size: int, *, archived: bool) -> list[dict[str, str]]:
    """Return references to one to three categories for a product; the archive's only where `archived`, then one."""
    if not size:
        return []
    places = _archive(size) if archived else _shelves(size)
    wanted = 1 if archived else 1 + choices[0] % 3
    chosen = dict.fromkeys(places[choice % len(places)] for choice in choices[1 : 1 + wanted])
    return [_reference(seed, index_at(place, size), size) for place in chosen]


@lru_cache(maxsize=8)
def _archive(size: int) -> tuple[int, ...]:
    found = tuple(place for place in range(size) if root_place(place, size) == ARCHIVE_ROOT)
    return found or tuple(range(size))


@lru_cache(maxsize=8)
def _shelves(size: int) -> tuple[int, ...]:
    found = tuple(place for place in range(size) if root_place(place, size) != ARCHIVE_ROOT)
    return found or tuple(range(size))


def _places_above(place: int, size: int) -> list[int]:
    parent = parent_place(place, size)
    return [] if parent is None else [*_places_above(parent, size), parent]


def _reference(seed: int, index: int, size: int) -> dict[str, str]:
    return {"typeId": "category", "id": category_id(seed, index, size)}


def _name(place: int, size: int) -> dict[str, str]:
    if place == ARCHIVE_ROOT and level_sizes(size)[0] > 1:
        return {"en": "Archive", "de": "Archiv", "fr": "Archives"}
    number = place // len(CATEGORY_NAMES)
    suffix = f" {number + 1}" if number else ""
    english, german, french = CATEGORY_NAMES[place % len(CATEGORY_NAMES)]
    return {"en": english + suffix, "de": german + suffix, "fr": french + suffix}


def _slug(text: str) -> str:
    return "-".join("".join(letter if letter.isascii() and letter.isalnum() else " " for letter in text.lower()).split())


@lru_cache(maxsize=64)
def _stride(size: int) -> int:
    stride = max(1, size * 5 // 13)
    while gcd(stride, size) != 1:
        stride += 1
    return stride
