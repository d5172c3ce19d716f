"""Requests as a dry run shows them: their shape and identifiers of ours, but nothing that tells who somebody is. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from shared.klaviyo.profiles import ProfileAttributes

_SHOWN = frozenset({("external_id",), ("locale",), ("location", "country")})
"""Where values are identifiers of commercetools or coarse. No property is: a custom field may have any name and content."""

_SHOWN_NOT_AT_ALL = frozenset({"phone_number", "dateOfBirth", "vatId"})
MASK = "***"


def masked_profile(attributes: ProfileAttributes) -> dict[str, Any]:
    """A profile with every value masked but for commercetools' id, locale, country and flags."""
    plain: dict[str, Any] = msgspec.to_builtins(attributes)
    return {name: _masked((name,), value) for name, value in plain.items()}


def _masked(path: tuple[str, ...], value: Any) -> Any:
    if path in _SHOWN or value is None or isinstance(value, bool):
        return value
    if isinstance(value, dict):
        return {key: _masked((*path, key), item) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(path, item) for item in value]
    if not isinstance(value, str):
        return MASK
    if path == ("email",) and "@" in value:
        return f"{value[:1]}{MASK}@{MASK}"
    return f"{value[:1]}{MASK}" if path[-1] not in _SHOWN_NOT_AT_ALL else MASK
