"""Names, slugs and prices in all languages and currencies, as texts of JSON (reference.md 3.4, mapping.md "Catalog")."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from shared.commercetools.catalog import DiscountedPrice, Money, Price, ProductProjection, Reference, Variant
from shared.mapping.choices import Choices
from shared.mapping.metadata import MAX_METADATA_BYTES, fitting, price_metadata, text_metadata
from shared.settings.document import ProductPrice, ProductRules, SyncDocument

NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)


def price(cents: int, currency: str = "EUR", **more: Any) -> Price:
    """A price in cents."""
    return Price(value=Money(centAmount=cents, currencyCode=currency), **more)


def read(metadata: dict[str, str]) -> dict[str, Any]:
    """The objects in the texts, numbers exact."""
    return {name: msgspec.json.decode(text) for name, text in metadata.items()}


def test_names_and_slugs_are_there_in_every_locale() -> None:
    """As JSON texts with the locale in the key."""
    product = ProductProjection(
        id="p", masterVariant=Variant(), name={"en": "Trousers", "de-AT": "Größe \0"}, slug={"en": "trousers"}
    )
    assert text_metadata(product) == {
        "title_json": '{"title_en":"Trousers","title_de-AT":"Größe "}',
        "slug_json": '{"slug_en":"trousers"}',
    }


def test_a_price_is_there_for_each_currency() -> None:
    """The one that would be chosen if the currency were preferred; numbers as others write them."""
    prices = [
        price(1300),
        price(1250, "USD"),
        price(1000, validFrom="2020-01-01T00:00:00Z"),
        price(5, "USD", customerGroup=Reference(id="g")),
    ]
    assert price_metadata(prices, Choices(currency="USD"), NOW) == {
        "price_json": '{"price_EUR":10,"price_USD":12.5}',
        "currency_json": "{}",
    }


def test_yen_dinars_and_precise_prices_are_exact() -> None:
    """0, 3 and 5 digits after the point."""
    prices = [
        Price(value=Money(centAmount=1300, currencyCode="JPY", fractionDigits=0)),
        Price(value=Money(centAmount=1305, currencyCode="KWD", fractionDigits=3)),
        Price(value=Money(centAmount=0, currencyCode="EUR", fractionDigits=5, preciseAmount=123)),
    ]
    text = price_metadata(prices, Choices(), NOW)["price_json"]
    assert msgspec.json.decode(text, type=dict[str, Decimal]) == {
        "price_JPY": Decimal(1300),
        "price_KWD": Decimal("1.305"),
        "price_EUR": Decimal("0.00123"),
    }


def test_a_country_appears_only_when_a_price_names_it() -> None:
    """With its price and its currency; a price for every country brings no country in."""
    prices = [price(1000), price(900, country="AT"), price(1100, "CHF", country="CH")]
    assert read(price_metadata(prices, Choices(), NOW)) == {
        "price_json": {"price_EUR": 10, "price_AT": 9, "price_CH": 11},
        "currency_json": {"currency_AT": "EUR", "currency_CH": "CHF"},
    }


def test_the_configured_country_shows_under_its_currency_too() -> None:
    """Its price is the one that is chosen."""
    document = SyncDocument(product=ProductRules(price=ProductPrice(country="AT")))
    found = read(price_metadata([price(1000), price(900, country="AT")], Choices(document=document), NOW))
    assert found["price_json"] == {"price_EUR": 9, "price_AT": 9}


@pytest.mark.parametrize(
    ("preferred", "expected"), [("EUR", (9, "EUR")), ("USD", (8, "USD")), ("GBP", (8, "USD")), ("", (8, "USD"))]
)
def test_a_country_with_two_currencies_shows_the_preferred_one(preferred: str, expected: tuple[int, str]) -> None:
    """Else that of its first price."""
    prices = [price(800, "USD", country="AT"), price(900, "EUR", country="AT")]
    found = read(price_metadata(prices, Choices(currency=preferred), NOW))
    assert (found["price_json"]["price_AT"], found["currency_json"]["currency_AT"]) == expected


def test_a_countrys_price_is_chosen_as_any_other() -> None:
    """Valid now, the configured group before everybody, discounted."""
    discounted = DiscountedPrice(value=Money(centAmount=700, currencyCode="EUR"))
    prices = [
        price(900, country="AT"),
        price(850, country="AT", validUntil="2026-01-01T00:00:00Z"),
        price(800, country="AT", customerGroup=Reference(id="g"), discounted=discounted),
        price(100, country="AT", channel=Reference(id="elsewhere")),
    ]
    assert read(price_metadata(prices, Choices(price_group_id="g"), NOW))["price_json"] == {"price_AT": 7}
    assert read(price_metadata(prices, Choices(), NOW))["price_json"] == {"price_AT": 9}


def test_without_prices_there_is_nothing_about_them() -> None:
    """With prices of which none counts, an empty object clears what stood there."""
    assert price_metadata([], Choices(), NOW) == {}
    expired = price(900, validUntil="2026-01-01T00:00:00Z")
    assert price_metadata([expired], Choices(), NOW) == {"price_json": "{}", "currency_json": "{}"}


def test_what_fits_stays_as_it_is() -> None:
    """And nothing is counted."""
    entries = {"title_json": "{}"}
    assert fitting(entries) == (entries, False)


def test_of_what_does_not_fit_the_largest_text_goes_and_prices_stay() -> None:
    """A text of JSON that is cut would be none; the limit counts bytes as sent."""
    entries = {"title_json": "ä" * 20_000, "slug_json": "a" * 10_000, "price_json": "p" * 50_000, "currency_json": "{}"}
    fitted = fitting(entries)
    assert fitted.trimmed
    assert list(fitted.entries) == ["slug_json", "price_json", "currency_json"]
    assert len(msgspec.json.encode(fitted.entries)) <= MAX_METADATA_BYTES
