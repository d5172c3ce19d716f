"""Klaviyo's limits on properties (klaviyo.md 1.5), and how what exceeds them is trimmed.

Trimming is deterministic and does not depend on the order in which commercetools names the fields. It never raises: a
value that JSON cannot carry is left out.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from shared.mapping.text import cut_to_bytes, sendable

MAX_PROPERTIES = 400
MAX_LEVELS = 10
"""Nested objects and arrays, the properties object itself counted as the first."""
MAX_ARRAY_ITEMS = 4_000
MAX_STRING_BYTES = 100_000

_UNSENDABLE = object()
_ENCODER = msgspec.json.Encoder(decimal_format="number")
"""Amounts of money are numbers in the body, so they are counted as such."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """Properties that fit, and whether anything was cut or left out for it."""

    properties: dict[str, Any]
    trimmed: bool


@dataclass(slots=True)
class _Trimming:
    """Copies values within the limits and remembers whether one had to change."""

    trimmed: bool = field(default=False)

    def value(self, value: Any, level: int) -> Any:
        """`value` within the limits, for a place on `level`; `_UNSENDABLE` when it has to go."""
        if isinstance(value, str):
            return value if _is_plain(value) else self.text(value)
        if isinstance(value, dict | list):
            if level >= MAX_LEVELS:
                self.trimmed = True
                return _UNSENDABLE
            return self.object(value, level + 1) if isinstance(value, dict) else self.array(value, level + 1)
        if isinstance(value, float) and not math.isfinite(value):
            self.trimmed = True
            return _UNSENDABLE
        return value

    def text(self, value: str) -> str:
        sent = cut_to_bytes(sendable(value), MAX_STRING_BYTES)
        if sent != value:
            self.trimmed = True
        return sent

    def object(self, source: Mapping[str, Any], level: int) -> dict[str, Any]:
        sent = {}
        for name, inner in source.items():
            value = self.value(inner, level)
            if value is not _UNSENDABLE:
                sent[name if _is_plain(name) else self.text(name)] = value
        return sent

    def array(self, source: list[Any], level: int) -> list[Any]:
        if len(source) > MAX_ARRAY_ITEMS:
            self.trimmed = True
            source = source[:MAX_ARRAY_ITEMS]
        sent = (self.value(item, level) for item in source)
        return [item for item in sent if item is not _UNSENDABLE]


def _is_plain(text: str) -> bool:
    """Whether `text` surely fits as it is; so is nearly every one, which spares the hottest loop of an import some calls."""
    return len(text) <= MAX_STRING_BYTES and text.isascii() and "\0" not in text


def fitted(properties: Mapping[str, Any], *, kept: Collection[str] = ()) -> Fitted:
    """`properties` within the limits on their number, nesting, arrays and strings.

    `properties`: JSON values by name. Beyond 400 properties, those named in `kept` stay, and the others in the order of
    their names. Too deep objects, and numbers that are not finite, are left out; arrays and strings are cut.
    """
    trimming = _Trimming()
    sent = trimming.object(properties, 1)
    if len(sent) > MAX_PROPERTIES:
        trimming.trimmed = True
        stay = set(sorted(sent, key=lambda name: (name not in kept, name))[:MAX_PROPERTIES])
        sent = {name: value for name, value in sent.items() if name in stay}
    return Fitted(sent, trimming.trimmed)


def without_largest(properties: Mapping[str, Any], *, excess_bytes: int, kept: Collection[str] = ()) -> dict[str, Any]:
    """`properties` without as many of the largest ones as it takes to save `excess_bytes` of the encoded body.

    Equal sizes go in the order of their names; those named in `kept` go only when all others are gone.
    """
    sizes = {name: len(_ENCODER.encode({name: value})) for name, value in properties.items()}
    gone: set[str] = set()
    for name in sorted(sizes, key=lambda name: (name in kept, -sizes[name], name)):
        if excess_bytes <= 0:
            break
        gone.add(name)
        excess_bytes -= sizes[name] - 1  # its braces cost 2, the comma that goes with it saves 1
    return {name: value for name, value in properties.items() if name not in gone}
