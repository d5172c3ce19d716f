"""Klaviyo's event as we write it (klaviyo.md 1.5, 5.1; contract: `EventCreateQueryV2ResourceObject`)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from shared.klaviyo.profiles import ProfileAttributes


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to a person.

    `unique_id` is unique for profile and metric: Klaviyo keeps the first and ignores the others. `value` is in whole units of
    `value_currency`, exact; `time` is ISO 8601 with an offset.
    """

    metric: str
    profile: ProfileAttributes
    unique_id: str
    time: str
    value: Decimal
    value_currency: str
    properties: dict[str, Any]
