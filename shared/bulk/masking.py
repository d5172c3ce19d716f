"""Requests as a dry run shows them: their shape and identifiers of ours, but nothing that tells who somebody is. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from shared.klaviyo.profiles import ProfileAttributes

_SHOWN = frozenset({"external_id", "country", "locale", "customerGroup", "stores", "isEmailVerified"})
MASK = "***"


def masked_profile(attributes: ProfileAttributes) -> dict[str, Any]:
    """A profile with every value masked but for identifiers of commercetools, flags and coarse groups."""
    plain: dict[str, Any] = msgspec.to_builtins(attributes)
    return {name: _masked(name, value) for name, value in plain.items()}


def _masked(name: str, value: Any) -> Any:
    if name in _SHOWN or value is None or isinstance(value, bool):
        return value
    if isinstance(value, dict):
        return {key: _masked(key, item) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(name, item) for item in value]
    if not isinstance(value, str):
        return MASK
    if name == "email" and "@" in value:
        return f"{value[:1]}{MASK}@{MASK}"
    return f"{value[:1]}{MASK}" if name not in {"phone_number", "dateOfBirth", "vatId"} else MASK
