"""Locales reach Klaviyo as BCP 47 tags."""

from __future__ import annotations

import pytest

from shared.mapping.locale import bcp47


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("de", "de"),
        ("de-AT", "de-AT"),
        ("de_AT", "de-AT"),
        ("de-at", "de-AT"),
        ("DE", "de"),
        (" en-US ", "en-US"),
        ("es-419", "es-419"),
        ("zh_hant_tw", "zh-Hant-TW"),
        ("sl-IT-NEDIS", "sl-IT-nedis"),
        ("de-CH-1996", "de-CH-1996"),
    ],
)
def test_a_locale_is_written_in_its_usual_form(raw: str, expected: str) -> None:
    """Hyphens; language in lower case, script in title case, region in upper case."""
    assert bcp47(raw) == expected


@pytest.mark.parametrize(
    "raw", ["", "german", "d", "de-", "de--AT", "de-A", "de AT", "de-AT-u-co-phonebk", "dé", "de" + "-abcde" * 9]
)
def test_what_is_no_plain_language_tag_is_none(raw: str) -> None:
    """Malformed tags, extensions and over-long ones."""
    assert bcp47(raw) is None
