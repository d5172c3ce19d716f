"""What a dry run shows: of profiles and events identifiers of commercetools, but nothing that tells who somebody is. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from shared.klaviyo.events import Event
from shared.klaviyo.profiles import ProfileAttributes

_SHOWN = frozenset({("external_id",), ("locale",), ("location", "country"), ("properties", "isEmailVerified")})
"""Where values are identifiers of commercetools or coarse. No property is: a custom field may have any name and content."""

_SHOWN_OF_BUYER = frozenset({"external_id"})
_SHOWN_OF_ORDER = frozenset({"OrderId", "Categories", "Brands"})
_SHOWN_OF_LINE = frozenset(
    {"ProductID", "VariantID", "SKU", "ProductName", "Quantity", "ItemPrice", "RowTotal", "ProductURL", "ImageURL", "Brand"}
)
"""Facts of products. An order's own property of such a name would be a custom field, so they are shown of lines alone."""

_SHOWN_ELEMENTS = 3
"""So many elements of a list are shown, so that the examples of a batch fit its record."""

MASK = "***"

_ENCODER = msgspec.json.Encoder(decimal_format="number")


def masked_profile(attributes: ProfileAttributes) -> dict[str, Any]:
    """A profile's attributes, every value masked but for commercetools' id, locale, country and flags."""
    plain: dict[str, Any] = msgspec.to_builtins(attributes)
    return {name: _masked((name,), value) for name, value in plain.items()}


def masked_event(event: Event, *, of_line: bool = False) -> dict[str, Any]:
    """An event with its metric, id, time, value, customer's id and products; `of_line`: it is of a line item, not of an order.

    All else is masked whole, since nobody knows what is in it: only the names of properties, and of what a profile has, stay.
    """
    plain: dict[str, Any] = msgspec.json.decode(_ENCODER.encode(event))
    shown = _SHOWN_OF_ORDER | _SHOWN_OF_LINE if of_line else _SHOWN_OF_ORDER
    properties = {name: _shortened(value) if name in shown else MASK for name, value in plain["properties"].items()}
    items = plain["properties"].get("Items")
    if not of_line and isinstance(items, list):
        properties["Items"] = _shortened([_masked_item(item) for item in items[:_SHOWN_ELEMENTS]], len(items))
    profile = {name: value if name in _SHOWN_OF_BUYER else MASK for name, value in plain["profile"].items()}
    return {**plain, "profile": profile, "properties": properties}


def as_document(row: bytes) -> dict[str, Any]:
    """The body that creates the item, variant or category of `row`: unmasked, since nothing of it is about a person."""
    return {"data": msgspec.json.decode(row)}


def _masked_item(item: Any) -> Any:
    if not isinstance(item, dict):
        return MASK
    shown = _SHOWN_OF_ORDER | _SHOWN_OF_LINE
    return {name: _shortened(value) if name in shown else MASK for name, value in item.items()}


def _shortened(value: Any, length: int = 0) -> Any:
    """A list without what is behind its first elements; it may be the beginning of one of `length`."""
    if not isinstance(value, list):
        return value
    more = max(length, len(value)) - _SHOWN_ELEMENTS
    return [*value[:_SHOWN_ELEMENTS], f"and {more} more"] if more > 0 else value


def _masked(path: tuple[str, ...], value: Any) -> Any:
    if path in _SHOWN or value is None:
        return value
    if isinstance(value, dict):
        return {key: _masked((*path, key), item) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(path, item) for item in value]
    return MASK
