"""What Klaviyo can know a person by, and what is sent of an address: the same for customers and for buyers."""

from __future__ import annotations

from shared.commercetools.resources import Address, CustomerGroupReference
from shared.klaviyo.profiles import ProfileLocation
from shared.mapping.address import street, street_addition
from shared.mapping.phone import e164
from shared.mapping.result import Adjustment
from shared.mapping.text import cut_to_bytes, sendable

MAX_EXTERNAL_ID_LENGTH = 255
MAX_EMAIL_LENGTH = 320
"""64 for the local part, 255 for the domain, and the at sign (RFC 3696, erratum 1690): anything longer is no address."""
MAX_NAME_BYTES = 1_000
"""Klaviyo documents no length for names and locations; with this, everything but `properties` always fits."""


def usable_identifier(identifier: str, max_length: int) -> bool:
    """Whether Klaviyo can store `identifier` as it is: a changed one could be somebody else's."""
    return 0 < len(identifier) <= max_length and sendable(identifier) == identifier


def phone_number(address: Address | None, adjustments: set[Adjustment]) -> str | None:
    """The first usable one of the address's mobile and phone, in E.164."""
    if address is None:
        return None
    candidates = [raw for raw in (address.mobile, address.phone) if raw and raw.strip()]
    for raw in candidates:
        if number := e164(raw, address.country):
            return number
    if candidates:
        adjustments.add(Adjustment.PHONE_UNUSABLE)
    return None


def location_of(address: Address | None, adjustments: set[Adjustment]) -> ProfileLocation | None:
    """Where the person lives; None, so that Klaviyo's value is not cleared, when nothing is known."""
    if address is None:
        return None
    location = ProfileLocation(
        address1=person_text(street(address), adjustments),
        address2=person_text(street_addition(address), adjustments),
        city=person_text(address.city, adjustments),
        country=person_text(address.country, adjustments),
        region=person_text(address.region, adjustments),
        zip=person_text(address.postalCode, adjustments),
    )
    return location if location != ProfileLocation() else None


def person_text(raw: str | None, adjustments: set[Adjustment]) -> str | None:
    """A name or a line of an address: trimmed, cut when over-long, None when blank."""
    if raw is None:
        return None
    text = sendable(raw).strip()
    cut = cut_to_bytes(text, MAX_NAME_BYTES)
    if cut != text:
        adjustments.add(Adjustment.PROPERTY_TRIMMED)
    return cut.rstrip() or None


def group_name(group: CustomerGroupReference | None) -> str | None:
    """The name of a customer group, else its key, else its id: the best of what was read."""
    if group is None:
        return None
    return (group.obj and (group.obj.name or group.obj.key)) or group.id
