"""Telephone numbers reach Klaviyo in E.164 or not at all."""

from __future__ import annotations

import pytest

from shared.mapping.phone import e164


@pytest.mark.parametrize(
    ("raw", "region", "expected"),
    [
        ("+39 323 4567892", "IT", "+393234567892"),
        ("+39 323 4567892", "DE", "+393234567892"),
        ("030 23125-014", "DE", "+493023125014"),
        ("0043 664 5550123", "DE", "+436645550123"),
        ("+1 (202) 555-0143", None, "+12025550143"),
        ("+1 202-555-0143 ext. 9", "US", "+12025550143"),
    ],
)
def test_a_valid_number_becomes_e164(raw: str, region: str | None, expected: str) -> None:
    """International numbers need no region; national ones are read by the address country; extensions are left out."""
    assert e164(raw, region) == expected


@pytest.mark.parametrize(
    ("raw", "region"),
    [
        ("030 23125-014", None),
        ("030 23125-014", "XX"),
        ("12345", "DE"),
        ("+1 202 555", "US"),
        ("+999 123456789", "DE"),
        ("ask reception", "DE"),
        ("\0", "DE"),
        ("", "DE"),
        ("1" * 300, "DE"),
    ],
)
def test_an_unusable_number_is_none(raw: str, region: str | None) -> None:
    """A national number without a known region, a number that does not exist, or no number at all."""
    assert e164(raw, region) is None


def test_a_number_longer_than_e164_allows_is_none() -> None:
    """Some national plans are valid with more than the 15 digits that E.164 has."""
    assert e164("+49 211 111111111111", "DE") is None
