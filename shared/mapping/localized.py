"""One text out of a text by locale (mapping.md "Locale")."""

from __future__ import annotations

from collections.abc import Mapping

from shared.mapping.text import sendable


def localized(values: Mapping[str, str], preferred: str) -> str | None:
    """The text for the locale `preferred` (empty: none is preferred), trimmed and safe to send; None when there is none.

    That locale exactly, then its language, then the first locale of that language, then the first locale, in the order
    delivered. Capitals do not count, and `_` is `-`. A blank text is as good as none: the next rule decides.
    """
    if (exact := _clean(values.get(preferred, ""))) is not None:
        return exact
    texts: dict[str, str] = {}
    for locale, value in values.items():
        if (text := _clean(value)) is not None:
            texts.setdefault(_tag(locale), text)
    if not texts:
        return None
    wanted = _tag(preferred)
    language = wanted.partition("-")[0]
    for tag in (wanted, language):
        if tag in texts:
            return texts[tag]
    of_language = (text for tag, text in texts.items() if language and tag.startswith(f"{language}-"))
    return next(of_language, next(iter(texts.values())))


def _tag(locale: str) -> str:
    return locale.strip().replace("_", "-").lower()


def _clean(text: str) -> str | None:
    return sendable(text).strip() or None
