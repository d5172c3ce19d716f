"""Text that no JSON body may carry is repaired before it is sent."""

from __future__ import annotations

import pytest

from shared.mapping.text import cut_to_bytes, sendable


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("plain", "plain"),
        ("Änne 😀", "Änne 😀"),
        ("a\0b\0", "ab"),
        ("a\ud800b", "a\ufffdb"),
        ("\udc00", "\ufffd"),
        ("\ud83d\ude00!", "😀!"),
        ("tab\tline\n", "tab\tline\n"),
    ],
)
def test_text_becomes_sendable(raw: str, expected: str) -> None:
    """NUL goes, a lone surrogate is replaced, a pair is joined, everything else stays."""
    assert sendable(raw) == expected


@pytest.mark.parametrize(
    ("text", "max_bytes", "expected"),
    [("abc", 3, "abc"), ("abcd", 3, "abc"), ("aä", 2, "a"), ("aä", 3, "aä"), ("😀😀", 7, "😀"), ("abc", 0, "")],
)
def test_text_is_cut_by_bytes_between_characters(text: str, max_bytes: int, expected: str) -> None:
    """The limit is in bytes of UTF-8, and no character is split."""
    assert cut_to_bytes(text, max_bytes) == expected
