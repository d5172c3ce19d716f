"""Amounts of money, exact (mapping.md "Events": exact from minor units, high precision handled)."""

from __future__ import annotations

from decimal import Decimal

from shared.commercetools.catalog import Money

MAX_FRACTION_DIGITS = 20
"""The most that commercetools allows, for high precision."""


def amount_of(money: Money) -> Decimal:
    """`money` in major units, never rounded: 1300 with 2 fraction digits is 13.00, with none (JPY) 1300, with 3 (KWD) 1.300.

    High precision is read from `preciseAmount`, to which `fractionDigits` then belongs; its `centAmount` is already rounded.
    """
    units = money.centAmount if money.preciseAmount is None else money.preciseAmount
    digits = min(max(money.fractionDigits, 0), MAX_FRACTION_DIGITS)
    return Decimal(f"{units}E-{digits}")
