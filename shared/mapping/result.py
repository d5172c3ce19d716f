"""What a mapping says of one resource besides the request it makes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SkipReason(StrEnum):
    """Why nothing is sent for an item; counted as `skippedReasons`."""

    NO_EMAIL = "no_email"
    SAME_EMAIL = "same_email_as_newer_customer"
    IDENTIFIER_UNUSABLE = "identifier_unusable"
    GONE = "gone"


class Adjustment(StrEnum):
    """What was left out of an item that is sent all the same; counted, never silent."""

    PHONE_UNUSABLE = "phone_unusable"
    PHONE_SHARED = "phone_shared"
    PHONE_REFUSED = "phone_refused"
    IDENTIFIER_CONFLICT = "identifier_conflict"
    LOCALE_INVALID = "locale_invalid"
    PROPERTY_TRIMMED = "property_trimmed"


@dataclass(frozen=True, slots=True)
class Skip:
    """Nothing is to be sent for this item."""

    reason: SkipReason
