"""The price of a variant (mapping.md "Price of a variant")."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from shared.commercetools.catalog import Price, ProductProjection, Reference, StandalonePrice, Variant
from shared.mapping.choices import Choices
from shared.mapping.money import amount_of

STANDALONE = "Standalone"
"""The price mode in which commercetools sells at standalone prices, and at nothing else."""

_OPEN_BEGIN = datetime.min.replace(tzinfo=UTC)
_OPEN_END = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ChosenPrice:
    """`amount` in major units of `currency`; when no price counts it is `missing`: 0, in no currency."""

    amount: Decimal
    currency: str | None
    missing: bool = False


MISSING = ChosenPrice(Decimal(0), None, missing=True)


def price_of(prices: Sequence[Price], choices: Choices, now: datetime) -> ChosenPrice:
    """The one price that is shown for a variant with these `prices`; never raises. `now` has a time zone.

    Without a preferred currency that of the first price counts, among those that are eligible at all. Where two prices are
    equal in everything that decides, the first in the list wins.
    """
    eligible = general_or_country(current_prices(prices, choices, now), choices)
    if not eligible:
        return MISSING
    currency = choices.currency or eligible[0].value.currencyCode
    best = best_price(price for price in eligible if price.value.currencyCode == currency)
    return MISSING if best is None else ChosenPrice(sale_amount(best), best.value.currencyCode)


def prices_of_variant(product: ProductProjection, variant: Variant, standalone: Mapping[str, Sequence[Price]]) -> Sequence[Price]:
    """The prices at which commercetools sells the variant; `standalone` as `active_by_sku` gives them."""
    if product.priceMode != STANDALONE:
        return variant.prices
    return standalone.get(variant.sku, ()) if variant.sku else ()


def active_by_sku(prices: Iterable[StandalonePrice]) -> dict[str, list[Price]]:
    """The active ones of the standalone prices by SKU, in the order of their ids, however they were read."""
    found: dict[str, list[Price]] = {}
    for price in sorted(prices, key=lambda price: price.id):
        if price.active:
            found.setdefault(price.sku, []).append(price)
    return found


def current_prices(prices: Iterable[Price], choices: Choices, now: datetime) -> list[Price]:
    """Those that are valid `now` and are for everybody, or for the configured channel or customer group; of any country."""
    return [
        price
        for price in prices
        if _is_for(price.channel, choices.price_channel_id)
        and _is_for(price.customerGroup, choices.price_group_id)
        and _is_valid(price, now)
    ]


def general_or_country(prices: Iterable[Price], choices: Choices) -> list[Price]:
    """Those for every country or for the configured one."""
    country = choices.document.product.price.country
    return [price for price in prices if price.country in (None, country)]


def best_price(prices: Iterable[Price]) -> Price | None:
    """The best of prices that are all eligible and in one currency; the first of equals.

    A price for recurring orders only counts where there is no other. Then a match outranks a general price, customer group
    over channel over country; then dated before undated, the one that ends soonest (open end last), the one that began latest.
    """
    return min(prices, key=_rank, default=None)


def sale_amount(price: Price) -> Decimal:
    """What it costs, in major units: the discounted value, when there is one."""
    return amount_of(price.discounted.value if price.discounted else price.value)


def _is_for(scope: Reference | None, configured_id: str) -> bool:
    return scope is None or scope.id == configured_id


def _is_valid(price: Price, now: datetime) -> bool:
    """Whether `now` is in the half-open range [validFrom, validUntil); a price with an unreadable date is not valid."""
    if price.validFrom is None and price.validUntil is None:
        return True
    try:
        return _begin(price) <= now < _end(price)
    except ValueError:
        return False


def _rank(price: Price) -> tuple[bool, bool, bool, bool, bool, datetime, timedelta]:
    return (
        price.recurrencePolicy is not None,
        price.customerGroup is None,
        price.channel is None,
        price.country is None,
        price.validFrom is None and price.validUntil is None,
        _end(price),
        _OPEN_END - _begin(price),
    )


def _begin(price: Price) -> datetime:
    return _OPEN_BEGIN if price.validFrom is None else _moment(price.validFrom)


def _end(price: Price) -> datetime:
    return _OPEN_END if price.validUntil is None else _moment(price.validUntil)


def _moment(text: str) -> datetime:
    """An ISO 8601 time, in UTC unless it says otherwise; ValueError when it is none."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
