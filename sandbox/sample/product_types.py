"""The two product types and the values of their attributes."""

from typing import Any

from sandbox.sample import catalog_words, identity, money, timeline

Resource = dict[str, Any]
Attributes = list[dict[str, Any]]

PRODUCT_TYPES = 2
BRAND_ATTRIBUTE = "brand"
APPAREL, HARDWARE = 0, 1


def product_type(seed: int, index: int, size: int = PRODUCT_TYPES) -> Resource:
    """Return product type `index`: apparel, whose brand is a text, or hardware, whose brand is an enum."""
    words = identity.entropy(seed, "product-type", index)
    created, modified, version = timeline.lifetime(words)
    return {
        "id": identity.id_from_words(words, index, size),
        "version": version,
        "createdAt": timeline.instant(created),
        "lastModifiedAt": timeline.instant(modified),
        "key": ("apparel", "hardware")[index],
        "name": ("Apparel", "Hardware")[index],
        "description": ("Things to wear", "Things that last")[index],
        "attributes": _APPAREL if index == APPAREL else _HARDWARE,
    }


def product_type_id(seed: int, index: int) -> str:
    """Return the id of product type `index`."""
    return identity.id_at(seed, "product-type", index, PRODUCT_TYPES)


def brand_of(product: int) -> str | None:
    """Return the brand of a product as people read it; one product in twenty has none."""
    return None if product % 20 == 19 else catalog_words.BRANDS[product % len(catalog_words.BRANDS)]


def attributes(product: int, number: int, roll: tuple[int, ...]) -> Attributes:
    """Return the attributes of a variant: text, enum, localized, number, boolean, date, money and sets."""
    brand = brand_of(product)
    found: Attributes = []
    if product % PRODUCT_TYPES == HARDWARE:
        if brand is not None:
            key = f"b{product % len(catalog_words.BRANDS)}"
            found.append({"name": BRAND_ATTRIBUTE, "value": {"key": key, "label": brand}})
        found.append({"name": "power", "value": (0, 7.5, 40, 1_000)[roll[8] % 4]})
        found.append({"name": "listPrice", "value": money.cents("EUR", 1_000 + roll[8] % 90_000)})
        if number % 2:
            found.append({"name": "manual", "value": "https://docs.example.com/manual.pdf?p=1&q=ü"})
        return found
    if brand is not None:
        found.append({"name": BRAND_ATTRIBUTE, "value": brand})
    color, label = catalog_words.COLORS[roll[8] % len(catalog_words.COLORS)]
    found.append({"name": "color", "value": {"key": color, "label": label}})
    size, shown = catalog_words.SIZES[number % len(catalog_words.SIZES)]
    found.append({"name": "size", "value": {"key": size, "label": shown}})
    found.append({"name": "organic", "value": roll[9] % 3 == 0})
    found.append({"name": "weight", "value": roll[9] % 5_000 / 10 if roll[9] % 7 else 0})
    if roll[10] % 4:
        found.append({"name": "material", "value": catalog_words.MATERIALS[roll[10] % len(catalog_words.MATERIALS)]})
    if roll[10] % 5 == 0:
        found.append({"name": "released", "value": f"20{roll[11] % 10 + 15}-02-{roll[11] // 10 % 28 + 1:02d}"})
    if roll[11] % 6 == 0:
        found.append({"name": "tags", "value": ["new", "<sale>", ""][: roll[11] // 6 % 4]})
    if roll[11] % 9 == 0:
        found.append({"name": "note", "value": ""})
    return found


def product_attributes(product: int) -> Attributes:
    """Return the attributes that a product has as a whole."""
    return [{"name": "season", "value": "winter"}] if product % 3 == 0 else []


def _definition(name: str, kind: dict[str, Any], constraint: str = "None", level: str = "Variant") -> dict[str, Any]:
    return {
        "name": name,
        "label": {"en": name.title()},
        "type": kind,
        "level": level,
        "isRequired": False,
        "attributeConstraint": constraint,
        "inputHint": "SingleLine",
        "isSearchable": True,
    }


_TEXT = {"name": "text"}
_COLOR = {"name": "lenum", "values": [{"key": key, "label": label} for key, label in catalog_words.COLORS]}
_SIZE = {"name": "enum", "values": [{"key": key, "label": label} for key, label in catalog_words.SIZES]}
_BRAND = {"name": "enum", "values": [{"key": f"b{i}", "label": label} for i, label in enumerate(catalog_words.BRANDS)]}
_SEASON = _definition("season", _TEXT, level="Product")
_APPAREL = [
    _definition(BRAND_ATTRIBUTE, _TEXT, "SameForAll"),
    _definition("color", _COLOR),
    _definition("size", _SIZE),
    _definition("organic", {"name": "boolean"}),
    _definition("weight", {"name": "number"}),
    _definition("material", {"name": "ltext"}),
    _definition("released", {"name": "date"}),
    _definition("tags", {"name": "set", "elementType": _TEXT}),
    _definition("note", _TEXT),
    _SEASON,
]
_HARDWARE = [
    _definition(BRAND_ATTRIBUTE, _BRAND, "SameForAll"),
    _definition("power", {"name": "number"}),
    _definition("listPrice", {"name": "money"}),
    _definition("manual", _TEXT),
    _SEASON,
]
