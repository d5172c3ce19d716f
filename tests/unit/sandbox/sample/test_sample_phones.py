"""Telephone numbers of the sample: reserved for fiction, yet valid for libphonenumber, and no number twice."""

import phonenumbers

from sandbox.sample import phones


def test_every_range_is_valid_in_each_notation() -> None:
    """E.164, international and national notation of a number parse to the same valid number of its country."""
    for ordinal in [*range(1_000), *range(1_000, phones.CAPACITY, 331)]:
        number = phones.reserved_number(ordinal)
        parsed = phonenumbers.parse(number.e164, None)
        assert phonenumbers.is_valid_number(parsed), number
        assert phonenumbers.parse(number.international, None) == parsed
        assert phonenumbers.parse(number.national, number.country) == parsed
        assert phonenumbers.region_code_for_number(parsed) == number.country


def test_no_number_is_given_twice() -> None:
    """All reserved numbers and all shared ones are different."""
    numbers = [phones.reserved_number(ordinal).e164 for ordinal in range(phones.CAPACITY)]
    numbers += [phones.shared_number(ordinal).e164 for ordinal in range(phones.SHARED_CAPACITY)]
    assert len(numbers) == len(set(numbers))


def test_the_first_numbers_come_from_five_countries() -> None:
    """A small sample is not of one country only."""
    assert {phones.reserved_number(ordinal).country for ordinal in range(5)} == {"DE", "US", "GB", "FR", "AU"}
