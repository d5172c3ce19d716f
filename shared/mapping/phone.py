"""Telephone numbers in E.164, the only form that Klaviyo takes."""

from __future__ import annotations

E164_MAX_LENGTH = 16
"""The plus sign and at most 15 digits (ITU-T E.164); a few national plans know longer numbers."""


def e164(raw: str, region: str | None) -> str | None:
    """`raw` in E.164, or None when it is no valid number.

    `region`: two-letter country whose national form `raw` may have; without one, only an international number is
    understood. An extension is left out, as E.164 has none.
    """
    # The library takes 40 ms to import, which only a notification with a phone need wait for (decisions.md 14).
    from phonenumbers import NumberParseException, PhoneNumberFormat, format_number, is_valid_number, parse

    try:
        number = parse(raw, region)
    except NumberParseException:
        return None
    if not is_valid_number(number):  # implies that the number is possible
        return None
    formatted = format_number(number, PhoneNumberFormat.E164)
    return formatted if len(formatted) <= E164_MAX_LENGTH else None
