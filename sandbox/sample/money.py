"""Amounts of money as the API shapes them: cent precision and high precision."""

from typing import Any

Money = dict[str, Any]

FRACTION_DIGITS = {"EUR": 2, "USD": 2, "GBP": 2, "JPY": 0, "KWD": 3}
_PER_MILLE = {"EUR": 1_000, "USD": 1_080, "GBP": 860, "JPY": 1_600, "KWD": 3_300}


def cents(currency: str, amount: int) -> Money:
    """Return an amount in the currency's minor units."""
    return {
        "type": "centPrecision",
        "currencyCode": currency,
        "centAmount": amount,
        "fractionDigits": FRACTION_DIGITS[currency],
    }


def precise(currency: str, amount: int, fraction_digits: int) -> Money:
    """Return a high precision amount; `amount` counts units of ten to the power of minus `fraction_digits`."""
    return {
        "type": "highPrecision",
        "currencyCode": currency,
        "centAmount": ratio(amount, 10 ** (fraction_digits - FRACTION_DIGITS[currency])),
        "preciseAmount": amount,
        "fractionDigits": fraction_digits,
    }


def converted(euro_cents: int, currency: str) -> int:
    """Return the minor units of a currency that are worth so many euro cents, at rates that never change."""
    return euro_cents * _PER_MILLE[currency] // 1_000


def times(price: Money, quantity: int) -> int:
    """Return what so many pieces cost, in minor units; rounded once, half to even, as the API rounds."""
    if "preciseAmount" not in price:
        return int(price["centAmount"]) * quantity
    return ratio(price["preciseAmount"] * quantity, 10 ** (price["fractionDigits"] - FRACTION_DIGITS[price["currencyCode"]]))


def ratio(amount: int, divisor: int) -> int:
    """Divide two whole numbers, rounding half to even; the divisor is positive."""
    whole, rest = divmod(amount, divisor)
    return whole + (1 if 2 * rest > divisor or (2 * rest == divisor and whole % 2) else 0)
