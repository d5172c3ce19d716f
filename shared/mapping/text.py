"""Text that is safe to send: what no JSON body may carry is removed, and what is too long is cut."""

from __future__ import annotations


def sendable(text: str) -> str:
    """`text` without NUL, and with every lone surrogate replaced by U+FFFD: neither has a place in a UTF-8 JSON body.

    Two surrogates that form a character are joined to it. Other control characters are valid in JSON and stay.
    """
    if "\0" in text:
        text = text.replace("\0", "")
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def cut_to_bytes(text: str, max_bytes: int) -> str:
    """`text`, cut to at most `max_bytes` of UTF-8 without splitting a character."""
    if len(text) * 4 <= max_bytes:
        return text
    encoded = text.encode()
    return text if len(encoded) <= max_bytes else encoded[:max_bytes].decode(errors="ignore")
