"""The `custom_metadata` of items and variants: what has no field of its own, as texts of JSON objects (reference.md 3.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from shared.commercetools.catalog import Price, ProductProjection
from shared.mapping.choices import Choices
from shared.mapping.limits import without_largest
from shared.mapping.price import best_price, current_prices, general_or_country, sale_amount
from shared.mapping.text import sendable

MAX_METADATA_BYTES = 99_000
"""Klaviyo takes 100 KB, flat (klaviyo.md 1.5)."""

TITLES, SLUGS, PRICES, CURRENCIES = "title_json", "slug_json", "price_json", "currency_json"

_ENCODER = msgspec.json.Encoder(decimal_format="number")


class Metadata(NamedTuple):
    """Metadata that fits, and whether something was left out for it."""

    entries: dict[str, str]
    trimmed: bool


def text_metadata(product: ProductProjection) -> dict[str, str]:
    """The names and slugs in all locales: `{"title_<locale>": ...}`, `{"slug_<locale>": ...}`."""
    return {TITLES: _by_locale("title", product.name), SLUGS: _by_locale("slug", product.slug)}


def price_metadata(prices: Sequence[Price], choices: Choices, now: datetime) -> dict[str, str]:
    """The price in each currency, and in each country that a price names, with the country's currency; {} without prices.

    Under a currency stands the price that would be chosen if it were the preferred one. Under a country stands the best of the
    prices that name it, in the preferred currency if it has one, else in that of the first.
    """
    if not prices:
        return {}
    current = current_prices(prices, choices, now)
    amounts: dict[str, Decimal] = {}
    currencies: dict[str, str] = {}
    for currency, best in _best_by_currency(general_or_country(current, choices)).items():
        amounts[f"price_{currency}"] = _plain(sale_amount(best))
    for country in dict.fromkeys(price.country for price in current if price.country):
        by_currency = _best_by_currency(price for price in current if price.country == country)
        best = by_currency.get(choices.currency) or next(iter(by_currency.values()))
        amounts[f"price_{country}"] = _plain(sale_amount(best))
        currencies[f"currency_{country}"] = best.value.currencyCode
    return {PRICES: _text(amounts), CURRENCIES: _text(currencies)}


def fitting(entries: Mapping[str, str]) -> Metadata:
    """`entries` within Klaviyo's limit: the largest are left out, prices last. A text of JSON cannot be cut."""
    excess_bytes = len(msgspec.json.encode(entries)) - MAX_METADATA_BYTES
    if excess_bytes <= 0:
        return Metadata(dict(entries), trimmed=False)
    return Metadata(without_largest(entries, excess_bytes=excess_bytes, kept=(PRICES, CURRENCIES)), trimmed=True)


def _best_by_currency(prices: Iterable[Price]) -> dict[str, Price]:
    """The best of the eligible prices in each currency, in the order in which the currencies first appear."""
    by_currency: dict[str, list[Price]] = {}
    for price in prices:
        by_currency.setdefault(price.value.currencyCode, []).append(price)
    best = {currency: best_price(group) for currency, group in by_currency.items()}
    return {currency: price for currency, price in best.items() if price}


def _by_locale(name: str, values: Mapping[str, str]) -> str:
    return _text({f"{name}_{sendable(locale)}": sendable(text) for locale, text in values.items()})


def _plain(amount: Decimal) -> Decimal:
    """The same number without trailing zeros, as JSON of other makers has it: 13.00 is 13."""
    text = f"{amount:f}"
    return Decimal(text.rstrip("0").rstrip(".") if "." in text else text)


def _text(value: Mapping[str, Any]) -> str:
    return _ENCODER.encode(value).decode()
