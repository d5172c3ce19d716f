"""Locales as BCP 47 language tags."""

from __future__ import annotations

import re

_TAG = re.compile(
    r"(?P<language>[a-z]{2,3})(?:-(?P<script>[a-z]{4}))?(?:-(?P<region>[a-z]{2}|[0-9]{3}))?"
    r"(?P<variants>(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*)",
    re.IGNORECASE | re.ASCII,
)

MAX_LENGTH = 35
"""Room for language, script, region and two variants (RFC 5646, 4.4.1)."""


def bcp47(raw: str) -> str | None:
    """`raw` as a BCP 47 tag in its usual capitals (`de_AT`, `de-at` -> `de-AT`), or None when it is not one.

    Language, script, region and variants; no extensions and no private use, for which Klaviyo's format
    "language-region" has no room. Whether a well-formed region exists is not checked.
    """
    text = raw.strip().replace("_", "-")
    tag = _TAG.fullmatch(text) if len(text) <= MAX_LENGTH else None
    if tag is None:
        return None
    parts = [tag["language"].lower()]
    if tag["script"]:
        parts.append(tag["script"].title())
    if tag["region"]:
        parts.append(tag["region"].upper())
    return "-".join(parts) + tag["variants"].lower()
