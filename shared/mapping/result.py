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
    TEST_NOTIFICATION = "test_notification"
    UNKNOWN_TYPE = "unknown_type"
    DISABLED = "disabled"
    NOT_CONFIGURED = "not_configured"
    NOT_PUBLISHED = "not_published"
    NO_IDENTITY = "no_identity"
    NO_TIME = "no_time"
    ORDER_STATE = "order_state"
    ORDER_PLACED_BEFORE = "order_placed_before"
    NO_SUCCESSFUL_REFUND = "no_successful_refund"
    UNKNOWN_VARIANT = "variant_not_in_klaviyo"
    UNKNOWN_PROFILE = "profile_not_in_klaviyo"


class Adjustment(StrEnum):
    """What was left out of an item that is sent all the same; counted, never silent."""

    PHONE_UNUSABLE = "phone_unusable"
    PHONE_SHARED = "phone_shared"
    PHONE_REFUSED = "phone_refused"
    IDENTIFIER_CONFLICT = "identifier_conflict"
    IDENTIFIER_UNUSABLE = "identifier_unusable"
    LOCALE_INVALID = "locale_invalid"
    PROPERTY_TRIMMED = "property_trimmed"
    PRICE_MISSING = "price_missing"
    STOCK_UNKNOWN = "stock_unknown"
    VARIANT_WITHOUT_SKU = "variant_without_sku"
    SKU_UNUSABLE = "sku_unusable"
    SKU_DUPLICATE = "sku_duplicate"
    IMAGE_UNUSABLE = "image_unusable"
    CATEGORY_UNKNOWN = "category_unknown"
    LOOKUP_FORBIDDEN = "lookup_forbidden"
    LOOKUP_FAILED = "lookup_failed"


@dataclass(frozen=True, slots=True)
class Skip:
    """Nothing is to be sent for this item."""

    reason: SkipReason
