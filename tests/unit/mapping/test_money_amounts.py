"""Amounts are exact, whatever the currency (mapping.md "Events", reference.md 3.0)."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from shared.commercetools.catalog import Money
from shared.mapping.money import amount_of


@pytest.mark.parametrize(
    ("money", "expected"),
    [
        pytest.param(Money(centAmount=1300, currencyCode="EUR"), "13.00", id="euro has two digits"),
        pytest.param(Money(centAmount=1300, currencyCode="JPY", fractionDigits=0), "1300", id="yen has none"),
        pytest.param(Money(centAmount=1300, currencyCode="KWD", fractionDigits=3), "1.300", id="dinar has three"),
        pytest.param(Money(centAmount=1, currencyCode="EUR"), "0.01", id="one cent"),
        pytest.param(Money(centAmount=0, currencyCode="EUR"), "0", id="nothing"),
        pytest.param(Money(centAmount=-250, currencyCode="EUR"), "-2.5", id="negative"),
        pytest.param(
            Money(centAmount=0, currencyCode="EUR", fractionDigits=5, preciseAmount=123),
            "0.00123",
            id="high precision below a cent",
        ),
        pytest.param(
            Money(centAmount=1234, currencyCode="EUR", fractionDigits=4, preciseAmount=123456),
            "12.3456",
            id="the digits of high precision belong to the precise amount",
        ),
        pytest.param(
            Money(centAmount=2**53, currencyCode="JPY", fractionDigits=12, preciseAmount=2**53),
            "9007.199254740992",
            id="the largest precise amount",
        ),
        pytest.param(Money(centAmount=2**53 - 1, currencyCode="EUR"), "90071992547409.91", id="the largest amount"),
    ],
)
def test_an_amount_is_exact(money: Money, expected: str) -> None:
    """Equal as decimal numbers, with nothing rounded."""
    assert amount_of(money) == Decimal(expected)


def test_digits_that_no_currency_has_are_taken_for_the_nearest() -> None:
    """commercetools allows 0 to 20."""
    assert amount_of(Money(centAmount=5, currencyCode="EUR", fractionDigits=-3)) == Decimal(5)
    assert amount_of(Money(centAmount=5, currencyCode="EUR", fractionDigits=10**30)) == Decimal("5E-20")


def test_an_amount_is_encoded_as_a_number() -> None:
    """The JSON has the digits of the amount and no quotation marks."""
    encoder = msgspec.json.Encoder(decimal_format="number")
    assert encoder.encode(amount_of(Money(centAmount=1999, currencyCode="EUR"))) == b"19.99"
