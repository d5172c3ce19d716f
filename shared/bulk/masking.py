"""Requests as a dry run shows them: their shape and identifiers of ours, but nothing that tells who somebody is. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from shared.klaviyo.profiles import ProfileAttributes

_SHOWN = frozenset({("external_id",), ("locale",), ("location", "country"), ("properties", "isEmailVerified")})
"""Where values are identifiers of commercetools or coarse. No property is: a custom field may have any name and content."""

MASK = "***"


def masked_profile(attributes: ProfileAttributes) -> dict[str, Any]:
    """A profile with every value masked but for commercetools' id, locale, country and flags."""
    plain: dict[str, Any] = msgspec.to_builtins(attributes)
    return {name: _masked((name,), value) for name, value in plain.items()}


def _masked(path: tuple[str, ...], value: Any) -> Any:
    if path in _SHOWN or value is None:
        return value
    if isinstance(value, dict):
        return {key: _masked((*path, key), item) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(path, item) for item in value]
    return MASK
