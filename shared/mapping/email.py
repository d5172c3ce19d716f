"""E-mail addresses as Klaviyo compares them."""

from __future__ import annotations


def normalised_email(raw: str | None) -> str | None:
    """`raw` trimmed and lower-cased, because to Klaviyo upper and lower case are one person; None when nothing is left.

    Quotes, plus signs and anything else inside stay as they are: whether an address is valid is Klaviyo's decision.
    """
    return (raw or "").strip().lower() or None
