"""Which of several languages is sent (mapping.md "Locale"; case 70)."""

from __future__ import annotations

import pytest

from shared.mapping.localized import localized


@pytest.mark.parametrize(
    ("preferred", "locales", "chosen"),
    [
        pytest.param("de-AT", ["en", "de", "de-AT"], "de-AT", id="exactly that one"),
        pytest.param("en-US", ["de", "en"], "en", id="else its language"),
        pytest.param("de-DE", ["en", "de-AT", "de"], "de", id="the language before another country's"),
        pytest.param("de-AT", ["en", "de-CH", "de-DE"], "de-CH", id="else the first of that language"),
        pytest.param("en", ["de", "en-US", "en-GB"], "en-US", id="a mere language too"),
        pytest.param("fr", ["de", "en"], "de", id="else the first"),
        pytest.param("", ["de", "en"], "de", id="without preference the first"),
        pytest.param("zh-Hant-TW", ["en", "zh-Hans"], "zh-Hans", id="a script is no language"),
        pytest.param("de", ["den", "en"], "den", id="a language that only begins alike is another one"),
        pytest.param("de", ["en", "den", "de-AT"], "de-AT", id="and is passed over"),
        pytest.param("DE-at", ["en", "de-AT"], "de-AT", id="capitals of the preference do not count"),
        pytest.param("DE-at", ["de", "de-AT"], "de-AT", id="also where the language alone is there"),
        pytest.param("de-AT", ["en", "DE-at"], "DE-at", id="nor those of the text"),
        pytest.param("de_AT", ["en", "de-AT"], "de-AT", id="an underscore is a hyphen"),
        pytest.param("de-AT", ["en", "de_AT"], "de_AT", id="on either side"),
        pytest.param("de_AT", ["en", "DE"], "DE", id="also for the language"),
        pytest.param("de-AT", ["de_at", "de-AT"], "de-AT", id="the same spelling before another one"),
    ],
)
def test_a_text_is_chosen_by_locale(preferred: str, locales: list[str], chosen: str) -> None:
    """Exactly, then the language, then any locale of that language, then the first."""
    assert localized({locale: f"text in {locale}" for locale in locales}, preferred) == f"text in {chosen}"


def test_without_texts_there_is_none() -> None:
    """Neither an empty object nor blank texts are a text."""
    assert localized({}, "de") is None
    assert localized({"de": "", "en": " \n", "fr": "\0"}, "de") is None


@pytest.mark.parametrize("blank", ["", "  ", "\0"])
def test_a_blank_text_is_passed_over(blank: str) -> None:
    """A blank one in the preferred locale does not hide the others."""
    assert localized({"de-AT": blank, "de": blank, "en": "Trousers", "de-CH": "Hosen"}, "de-AT") == "Hosen"


def test_a_text_comes_trimmed_and_safe_to_send() -> None:
    """Without space around it, NUL or half characters."""
    assert localized({"en": " Trou\0sers \ud800 "}, "en") == "Trousers \ufffd"
