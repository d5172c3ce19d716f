"""Customers to Klaviyo profiles (mapping.md "Profiles", reference.md 3.1): one pure function for bulk and realtime."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import msgspec

from shared.commercetools.resources import Address, Customer
from shared.klaviyo.profiles import ProfileAttributes, ProfileLocation
from shared.mapping.address import profile_address, street, street_addition
from shared.mapping.email import normalised_email
from shared.mapping.limits import fitted, without_largest
from shared.mapping.locale import bcp47
from shared.mapping.phone import e164
from shared.mapping.properties import chosen_properties
from shared.mapping.result import Adjustment, Skip, SkipReason
from shared.mapping.text import cut_to_bytes, sendable
from shared.settings.document import ALL_PROFILE_PROPERTIES, CustomerRules

MAX_EXTERNAL_ID_LENGTH = 255
MAX_EMAIL_LENGTH = 320
"""64 for the local part, 255 for the domain, and the at sign (RFC 3696, erratum 1690): anything longer is no address."""
MAX_NAME_BYTES = 1_000
"""Klaviyo documents no length for names and locations; with this, everything but `properties` always fits."""
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
    if not _usable(customer.id, MAX_EXTERNAL_ID_LENGTH) or not _usable(email, MAX_EMAIL_LENGTH):
        return Skip(SkipReason.IDENTIFIER_UNUSABLE)
    adjustments: set[Adjustment] = set()
    address = profile_address(customer)
    properties = fitted(_properties(customer, rules), kept=ALL_PROFILE_PROPERTIES)
    if properties.trimmed:
        adjustments.add(Adjustment.PROPERTY_TRIMMED)
    attributes = ProfileAttributes(
        external_id=customer.id,
        email=email,
        phone_number=_phone_number(address, adjustments),
        first_name=_name(customer.firstName, adjustments),
        last_name=_name(customer.lastName, adjustments),
        organization=_name(customer.companyName, adjustments),
        title=_name(customer.title, adjustments),
        locale=_locale(customer.locale, adjustments),
        location=_location(address, adjustments),
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


def _usable(identifier: str, max_length: int) -> bool:
    """Whether Klaviyo can store `identifier` as it is: a changed one could be somebody else's."""
    return 0 < len(identifier) <= max_length and sendable(identifier) == identifier


def _phone_number(address: Address | None, adjustments: set[Adjustment]) -> str | None:
    """The first usable one of the address's mobile and phone."""
    if address is None:
        return None
    candidates = [raw for raw in (address.mobile, address.phone) if raw and raw.strip()]
    for raw in candidates:
        if phone_number := e164(raw, address.country):
            return phone_number
    if candidates:
        adjustments.add(Adjustment.PHONE_UNUSABLE)
    return None


def _locale(raw: str | None, adjustments: set[Adjustment]) -> str | None:
    if not raw or not raw.strip():
        return None
    locale = bcp47(raw)
    if locale is None:
        adjustments.add(Adjustment.LOCALE_INVALID)
    return locale


def _location(address: Address | None, adjustments: set[Adjustment]) -> ProfileLocation | None:
    """Where the customer lives; None, so that Klaviyo's value is not cleared, when nothing is known."""
    if address is None:
        return None
    location = ProfileLocation(
        address1=_name(street(address), adjustments),
        address2=_name(street_addition(address), adjustments),
        city=_name(address.city, adjustments),
        country=_name(address.country, adjustments),
        region=_name(address.region, adjustments),
        zip=_name(address.postalCode, adjustments),
    )
    return location if location != ProfileLocation() else None


def _name(raw: str | None, adjustments: set[Adjustment]) -> str | None:
    """A name or a line of an address: trimmed, cut when over-long, None when blank."""
    if raw is None:
        return None
    text = sendable(raw).strip()
    cut = cut_to_bytes(text, MAX_NAME_BYTES)
    if cut != text:
        adjustments.add(Adjustment.PROPERTY_TRIMMED)
    return cut.rstrip() or None


def _properties(customer: Customer, rules: CustomerRules) -> dict[str, Any]:
    """The extra properties, then the custom fields: a custom field of the same name, the merchant's explicit choice, wins."""
    extra = _extra_properties(customer, rules.profileProperties)
    if customer.custom is None:
        return extra
    return extra | chosen_properties(customer.custom.fields, rules.customFields.properties)


def _extra_properties(customer: Customer, names: Collection[str]) -> dict[str, Any]:
    """Those of the extra profile properties that are wanted and have a value."""
    group = customer.customerGroup
    values: dict[str, Any] = {
        "customerNumber": customer.customerNumber,
        "customerGroup": group and ((group.obj and (group.obj.name or group.obj.key)) or group.id),
        "dateOfBirth": customer.dateOfBirth,
        "vatId": customer.vatId,
        "stores": [store.key for store in customer.stores] or None,
        "isEmailVerified": customer.isEmailVerified,
        "commercetools_created_at": customer.createdAt or None,
    }
    return {name: value for name, value in values.items() if value is not None and name in names}
