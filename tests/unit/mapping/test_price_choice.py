"""Which price of a variant is shown (mapping.md "Price of a variant", the matrix of reference.md 3.5; case 71)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from shared.commercetools.catalog import (
    DiscountedPrice,
    Money,
    Price,
    ProductProjection,
    Reference,
    StandalonePrice,
    Variant,
)
from shared.mapping.choices import Choices
from shared.mapping.price import MISSING, ChosenPrice, active_by_sku, price_of, prices_of_variant
from shared.settings.document import ProductPrice, ProductRules, SyncDocument

NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
EURO = Choices(currency="EUR")


def price(
    euros: int, currency: str = "EUR", *, country: str | None = None, channel: str = "", group: str = "", **more: Any
) -> Price:
    """A price of so many whole units; `channel` and `group` by id, `more` as in commercetools."""
    return Price(
        value=Money(centAmount=euros * 100, currencyCode=currency),
        country=country,
        channel=Reference(id=channel) if channel else None,
        customerGroup=Reference(id=group) if group else None,
        **more,
    )


def since(year: int) -> dict[str, str]:
    """Valid from the start of a year."""
    return {"validFrom": f"{year}-01-01T00:00:00.000Z"}


def until(year: int) -> dict[str, str]:
    """Valid to the start of a year."""
    return {"validUntil": f"{year}-01-01T00:00:00.000Z"}


def configured(*, country: str = "", channel: str = "", group: str = "", currency: str = "EUR") -> Choices:
    """Choices with `product.price.*` set; channel and group as they are resolved."""
    document = SyncDocument(product=ProductRules(price=ProductPrice(country=country)))
    return Choices(document=document, currency=currency, price_channel_id=channel, price_group_id=group)


def chosen(*prices: Price, choices: Choices = EURO, now: datetime = NOW) -> Decimal | None:
    """The amount that is chosen; None when none is."""
    result = price_of(prices, choices, now)
    return None if result.missing else result.amount


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        pytest.param([price(9, channel="ch"), price(10)], 10, id="a channel's price listed first, a general one second"),
        pytest.param([price(9, country="DE"), price(10)], 10, id="a country's price listed first, a general one second"),
        pytest.param([price(9, group="g"), price(10)], 10, id="a group's price listed first, a general one second"),
        pytest.param([price(9, group="g", **since(2020)), price(10)], 10, id="dates do not let a group's price in"),
        pytest.param([price(9, channel="ch", **since(2020)), price(10)], 10, id="nor a channel's"),
        pytest.param([price(9, country="DE", **since(2020)), price(10)], 10, id="nor a country's"),
        pytest.param([price(9, **since(2020)), price(8, **since(2022))], 8, id="of two active ranges the one that began later"),
        pytest.param([price(9, **until(2027)), price(8, **since(2020))], 9, id="one that ends before one that has begun only"),
        pytest.param([price(8, **since(2020)), price(9, **until(2027))], 9, id="in whatever order"),
        pytest.param([price(9, **since(2027)), price(10)], 10, id="a future range is ignored"),
        pytest.param([price(9, **until(2026)), price(10)], 10, id="an expired range is ignored"),
        pytest.param([price(9, "USD")], None, id="the preferred currency is absent"),
        pytest.param(
            [price(9, country="DE"), price(8, group="g"), price(7, channel="ch")], None, id="only prices that are for some"
        ),
        pytest.param([], None, id="no prices"),
        pytest.param([price(0)], 0, id="a price of 0 is a price"),
        pytest.param([price(9), price(8)], 9, id="of equals the first"),
    ],
)
def test_prices_are_chosen_by_the_matrix(prices: list[Price], expected: int | None) -> None:
    """With a preferred currency and nothing else configured."""
    assert chosen(*prices) == expected


def test_without_a_preferred_currency_that_of_the_first_price_counts() -> None:
    """Whatever currency that is; it decides for good, so that a better price in another currency does not."""
    assert price_of([price(9, "USD"), price(10, **since(2020))], Choices(), NOW) == ChosenPrice(Decimal(9), "USD")
    assert chosen(price(9, "USD"), price(10), price(8, "USD", **since(2020)), choices=Choices()) == 8


def test_a_price_that_does_not_count_has_no_say_in_the_currency() -> None:
    """The first of those that are eligible: otherwise a channel's dollars would leave a product without its euros."""
    prices = [price(9, "USD", channel="ch"), price(9, "GBP", **until(2026)), price(10, "EUR")]
    assert price_of(prices, Choices(), NOW) == ChosenPrice(Decimal(10), "EUR")


def test_a_discounted_price_counts_as_discounted() -> None:
    """The value of the product discount is what the customer pays."""
    discounted = DiscountedPrice(value=Money(centAmount=750, currencyCode="EUR"))
    assert chosen(price(10, discounted=discounted)) == Decimal("7.50")


def test_a_discount_does_not_decide_which_price_is_chosen() -> None:
    """Only what the chosen price comes to."""
    discounted = DiscountedPrice(value=Money(centAmount=100, currencyCode="EUR"))
    assert chosen(price(10, discounted=discounted), price(9, **until(2027))) == 9


def test_a_high_precision_price_is_exact() -> None:
    """0.00123 stays 0.00123."""
    precise = Money(centAmount=0, currencyCode="EUR", fractionDigits=5, preciseAmount=123)
    assert price_of([Price(value=precise)], EURO, NOW) == ChosenPrice(Decimal("0.00123"), "EUR")


@pytest.mark.parametrize(("currency", "digits", "expected"), [("JPY", 0, "1999"), ("KWD", 3, "1.999"), ("EUR", 2, "19.99")])
def test_a_price_has_the_digits_of_its_currency(currency: str, digits: int, expected: str) -> None:
    """None in yen, three in dinars."""
    only = Price(value=Money(centAmount=1999, currencyCode=currency, fractionDigits=digits))
    assert price_of([only], Choices(), NOW) == ChosenPrice(Decimal(expected), currency)


def test_a_missing_price_is_0_and_says_so() -> None:
    """So that it can be counted."""
    assert price_of([price(9, "USD")], EURO, NOW) == MISSING
    assert ChosenPrice(Decimal(0), None, missing=True) == MISSING


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        pytest.param(configured(), 10, id="nothing configured: the general price"),
        pytest.param(configured(country="DE"), 9, id="the country's before the general one"),
        pytest.param(configured(channel="ch"), 8, id="the channel's before the general one"),
        pytest.param(configured(channel="ch", country="DE"), 8, id="channel over country"),
        pytest.param(configured(group="g"), 7, id="the group's before the general one"),
        pytest.param(configured(group="g", channel="ch", country="DE"), 7, id="group over channel over country"),
        pytest.param(configured(country="FR", channel="other", group="none"), 10, id="what matches nothing changes nothing"),
    ],
)
def test_a_configured_match_outranks_a_general_price(choices: Choices, expected: int) -> None:
    """Whatever the order in the list."""
    prices = [price(10), price(9, country="DE"), price(8, channel="ch"), price(7, group="g"), price(5, country="AT", group="g")]
    assert chosen(*prices, choices=choices) == expected
    assert chosen(*reversed(prices), choices=choices) == expected


def test_a_price_must_match_in_all_that_it_names() -> None:
    """A group's price for another country is not for us; one that matches twice beats one that matches once."""
    both, group = price(7, group="g", country="DE"), price(8, group="g")
    assert chosen(both, group, choices=configured(group="g", country="DE")) == 7
    assert chosen(both, group, choices=configured(group="g")) == 8
    assert chosen(both, group, choices=configured(group="g", country="FR")) == 8


def test_a_match_outranks_dates() -> None:
    """An offer for everybody does not take the place of the group's own price."""
    assert chosen(price(5, **since(2020)), price(7, group="g"), choices=configured(group="g")) == 7


def test_the_preferred_currency_comes_before_every_match() -> None:
    """A group's price in dollars is no price in euros."""
    assert chosen(price(7, "USD", group="g"), price(10), choices=configured(group="g")) == 10


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        pytest.param([price(10), price(9, **since(2020))], 9, id="dated before undated"),
        pytest.param(
            [price(9, **since(2020), **until(2028)), price(8, **since(2019), **until(2027))], 8, id="the one that ends soonest"
        ),
        pytest.param([price(9, **since(2025)), price(8, **since(2019), **until(2099))], 8, id="an open end is the last"),
        pytest.param(
            [price(9, **since(2019), **until(2027)), price(8, **since(2025), **until(2027))], 8, id="then the latest begin"
        ),
        pytest.param([price(9, **until(2027)), price(8, **since(1999), **until(2027))], 8, id="an open begin is the earliest"),
    ],
)
def test_of_dated_prices_the_most_particular_counts(prices: list[Price], expected: int) -> None:
    """In whatever order they are listed."""
    assert chosen(*prices) == expected
    assert chosen(*reversed(prices)) == expected


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2025-12-31T23:59:59.999Z", 10),
        ("2026-01-01T00:00:00.000Z", 9),
        ("2026-12-31T23:59:59.999Z", 9),
        ("2027-01-01T00:00:00.000Z", 10),
    ],
)
def test_a_range_has_its_first_moment_and_not_its_last(moment: str, expected: int) -> None:
    """So that of two ranges that follow each other exactly one is valid."""
    now = datetime.fromisoformat(moment)
    assert chosen(price(10), price(9, **since(2026), **until(2027)), now=now) == expected


def test_a_time_may_have_an_offset_or_none() -> None:
    """None means UTC."""
    begins = price(9, validFrom="2026-06-15T13:00:00+02:00", validUntil="2026-06-15T12:00:01")
    assert chosen(begins) == 9
    assert chosen(begins, now=datetime(2026, 6, 15, 10, 59, 59, tzinfo=UTC)) is None


@pytest.mark.parametrize("date", ["", "soon", "2026-13-01T00:00:00Z", "10000-01-01T00:00:00Z"])
def test_a_price_with_an_unreadable_date_does_not_count(date: str) -> None:
    """Nobody knows whether it is valid; the others are."""
    assert chosen(price(9, validFrom=date), price(8, validUntil=date), price(10)) == 10


def test_a_price_for_recurring_orders_counts_only_where_there_is_no_other() -> None:
    """A subscriber's price is not what the product costs."""
    monthly = price(7, recurrencePolicy=Reference(id="monthly"), **since(2020))
    assert chosen(monthly, price(10)) == 10
    assert chosen(monthly) == 7


def standalone(price_id: str, sku: str, euros: int, *, active: bool = True) -> StandalonePrice:
    """A standalone price of so many euros."""
    return StandalonePrice(id=price_id, sku=sku, value=Money(centAmount=euros * 100, currencyCode="EUR"), active=active)


def product_in_mode(mode: str) -> ProductProjection:
    """A product with one variant at 10 euros, embedded."""
    return ProductProjection(id="p", masterVariant=Variant(sku="sku", prices=[price(10)]), priceMode=mode)


@pytest.mark.parametrize(("mode", "expected"), [("Embedded", 10), ("Standalone", 20)])
def test_the_price_mode_says_which_prices_count(mode: str, expected: int) -> None:
    """Only the standalone ones where commercetools sells at those, else only the embedded ones."""
    product = product_in_mode(mode)
    prices = prices_of_variant(product, product.masterVariant, active_by_sku([standalone("s", "sku", 20)]))
    assert chosen(*prices) == expected


def test_without_standalone_prices_such_a_product_has_no_price() -> None:
    """What is left embedded is sold to nobody."""
    product = product_in_mode("Standalone")
    assert chosen(*prices_of_variant(product, product.masterVariant, active_by_sku([standalone("s", "other", 20)]))) is None
    assert chosen(*prices_of_variant(product, Variant(sku=None), {})) is None


def test_only_active_standalone_prices_of_the_sku_count() -> None:
    """In the order of their ids, so that it does not matter how they were read."""
    prices = [standalone("s3", "sku", 30), standalone("s1", "sku", 10, active=False), standalone("s2", "sku", 20)]
    prices.append(standalone("s0", "other", 5))
    assert active_by_sku(prices) == active_by_sku(reversed(prices)) == {"sku": [prices[2], prices[0]], "other": [prices[3]]}
