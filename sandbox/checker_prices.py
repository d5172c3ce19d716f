"""What a variant costs in a project without any configuration, by the checkers' own rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

Price = Mapping[str, Any]

_NARROWED = ("country", "channel", "customerGroup")


def price_of(prices: Iterable[Price], now: str) -> Decimal:
    """What is asked of everybody at `now` (ISO 8601, UTC), in the currency of the first price that is; 0 for nothing."""
    moment = datetime.fromisoformat(now)
    general = [price for price in prices if not any(name in price for name in _NARROWED) and _is_valid(price, moment)]
    if not general:
        return Decimal(0)
    currency = general[0]["value"]["currencyCode"]
    best = sorted((price for price in general if price["value"]["currencyCode"] == currency), key=_order)[0]
    return amount(best["discounted"]["value"] if "discounted" in best else best["value"])


def amount(money: Mapping[str, Any]) -> Decimal:
    """Money in major units, exact."""
    return Decimal(money.get("preciseAmount", money["centAmount"])).scaleb(-money["fractionDigits"])


def _is_valid(price: Price, moment: datetime) -> bool:
    begins, ends = price.get("validFrom"), price.get("validUntil")
    return (begins is None or datetime.fromisoformat(begins) <= moment) and (
        ends is None or moment < datetime.fromisoformat(ends)
    )


def _order(price: Price) -> tuple[bool, float, float]:
    """Dated before undated, then the one that ends soonest, then the one that began latest."""
    begins, ends = price.get("validFrom"), price.get("validUntil")
    end = datetime.fromisoformat(ends).timestamp() if ends else float("inf")
    begin = datetime.fromisoformat(begins).timestamp() if begins else float("-inf")
    return begins is None and ends is None, end, -begin
