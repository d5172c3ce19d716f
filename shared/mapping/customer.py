"""Customers to Klaviyo profiles (mapping.md "Profiles", reference.md 3.1): one pure function for bulk and realtime."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import msgspec

from shared.commercetools.resources import Customer
from shared.klaviyo.profiles import ProfileAttributes
from shared.mapping.address import profile_address
from shared.mapping.email import normalised_email
from shared.mapping.limits import fitted, without_largest
from shared.mapping.locale import bcp47
from shared.mapping.person import (
    MAX_EMAIL_LENGTH,
    MAX_EXTERNAL_ID_LENGTH,
    group_name,
    location_of,
    person_text,
    phone_number,
    usable_identifier,
)
from shared.mapping.properties import chosen_properties
from shared.mapping.result import Adjustment, Skip, SkipReason
from shared.settings.document import ALL_PROFILE_PROPERTIES, CustomerRules

MAX_ATTRIBUTES_BYTES = 99_000
"""Klaviyo takes 100 KB a profile (klaviyo.md 1.5); the rest is for the envelope around the attributes."""


@dataclass(frozen=True, slots=True)
class MappedProfile:
    """What is sent for a customer, and what had to be left out of it (each kind once, in the order of `Adjustment`)."""

    attributes: ProfileAttributes
    adjustments: tuple[Adjustment, ...] = ()


def profile_of(customer: Customer, rules: CustomerRules) -> MappedProfile | Skip:
    """The profile of `customer`, or why there is none; never raises.

    It always has `external_id` and `email`; what is absent or blank in commercetools is left out, so that Klaviyo keeps
    its own value.
    """
    email = normalised_email(customer.email)
    if email is None:
        return Skip(SkipReason.NO_EMAIL)
    if not usable_identifier(customer.id, MAX_EXTERNAL_ID_LENGTH) or not usable_identifier(email, MAX_EMAIL_LENGTH):
        return Skip(SkipReason.IDENTIFIER_UNUSABLE)
    adjustments: set[Adjustment] = set()
    address = profile_address(customer)
    properties = fitted(_properties(customer, rules), kept=ALL_PROFILE_PROPERTIES)
    if properties.trimmed:
        adjustments.add(Adjustment.PROPERTY_TRIMMED)
    attributes = ProfileAttributes(
        external_id=customer.id,
        email=email,
        phone_number=phone_number(address, adjustments),
        first_name=person_text(customer.firstName, adjustments),
        last_name=person_text(customer.lastName, adjustments),
        organization=person_text(customer.companyName, adjustments),
        title=person_text(customer.title, adjustments),
        locale=_locale(customer.locale, adjustments),
        location=location_of(address, adjustments),
        properties=properties.properties,
    )
    excess_bytes = len(msgspec.json.encode(attributes)) - MAX_ATTRIBUTES_BYTES
    if excess_bytes > 0:
        adjustments.add(Adjustment.PROPERTY_TRIMMED)
        remaining = without_largest(attributes.properties, excess_bytes=excess_bytes, kept=ALL_PROFILE_PROPERTIES)
        attributes = msgspec.structs.replace(attributes, properties=remaining)
    if not adjustments:
        return MappedProfile(attributes)
    return MappedProfile(attributes, tuple(adjustment for adjustment in Adjustment if adjustment in adjustments))


def _locale(raw: str | None, adjustments: set[Adjustment]) -> str | None:
    if not raw or not raw.strip():
        return None
    locale = bcp47(raw)
    if locale is None:
        adjustments.add(Adjustment.LOCALE_INVALID)
    return locale


def _properties(customer: Customer, rules: CustomerRules) -> dict[str, Any]:
    """The extra properties, then the custom fields: a custom field of the same name, the merchant's explicit choice, wins."""
    extra = _extra_properties(customer, rules.profileProperties)
    if customer.custom is None:
        return extra
    return extra | chosen_properties(customer.custom.fields, rules.customFields.properties)


def _extra_properties(customer: Customer, names: Collection[str]) -> dict[str, Any]:
    """Those of the extra profile properties that are wanted and have a value."""
    values: dict[str, Any] = {
        "customerNumber": customer.customerNumber,
        "customerGroup": group_name(customer.customerGroup),
        "dateOfBirth": customer.dateOfBirth,
        "vatId": customer.vatId,
        "stores": [store.key for store in customer.stores] or None,
        "isEmailVerified": customer.isEmailVerified,
        "commercetools_created_at": customer.createdAt or None,
    }
    return {name: value for name, value in values.items() if value is not None and name in names}
