"""Klaviyo's profile as we write it (klaviyo.md 1.5; contract: `ProfileUpsertQueryResourceObject`).

A field that is None is left out of the request, which leaves Klaviyo's value as it is.
"""

from __future__ import annotations

from typing import Any

import msgspec


class ProfileLocation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A profile's postal location; `country` is the two-letter code."""

    address1: str | None = None
    address2: str | None = None
    city: str | None = None
    country: str | None = None
    region: str | None = None
    zip: str | None = None


class ProfileAttributes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Attributes of a profile; `external_id` is the commercetools customer id, `phone_number` E.164, `locale` BCP 47."""

    external_id: str | None = None
    email: str | None = None
    phone_number: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    organization: str | None = None
    title: str | None = None
    locale: str | None = None
    location: ProfileLocation | None = None
    properties: dict[str, Any] = {}
