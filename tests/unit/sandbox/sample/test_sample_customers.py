"""Generated customers: deterministic, complete with edge cases, and costly only where it is said."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import phonenumbers
import pytest

from sandbox.sample import words
from sandbox.sample.customers import customer, default_malformed_emails, index_of_key
from sandbox.sample.heads import head
from sandbox.sample.kinds import rows, sample_kinds

SIZE = 3_000
_MAIL = re.compile(r"[^@\s,]+@(?:[a-z-]+\.)*example\.(?:com|org|net)", re.IGNORECASE)


@pytest.fixture(scope="module")
def sample() -> list[dict[str, Any]]:
    """Three thousand customers of one seed."""
    return [customer(7, index, SIZE) for index in range(SIZE)]


def phone_numbers(rows_: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Every telephone of the rows with the country of its address."""
    for row in rows_:
        for address in row["addresses"]:
            for name in ("phone", "mobile"):
                if name in address:
                    yield address[name], address["country"]


def usable(text: str, country: str) -> str | None:
    """The number in E.164 as libphonenumber reads it with the address's country, or None."""
    try:
        parsed = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(parsed):
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def test_the_same_seed_gives_the_same_customer_and_another_seed_another() -> None:
    """A row depends on seed, index and size, on nothing else."""
    assert customer(7, 5, 300) == customer(7, 5, 300)
    assert customer(7, 5, 300)["id"] != customer(8, 5, 300)["id"]


def test_a_head_is_the_start_of_its_customer() -> None:
    """The cheap head carries the same id, version and times as the whole."""
    for index in range(0, 300, 7):
        whole = customer(7, index, 300)
        assert head("customer", 7, index, 300) == {name: whole[name] for name in head("customer", 7, index, 300)}


def test_all_mail_is_reserved_for_examples(sample: list[dict[str, Any]]) -> None:
    """No address could ever reach anybody, and all are different."""
    assert all(_MAIL.fullmatch(row["email"]) for row in sample)
    assert len({row["email"] for row in sample}) == SIZE


@pytest.mark.parametrize(
    "feature",
    [
        lambda c: "firstName" not in c and "lastName" not in c,
        lambda c: "firstName" in c and "lastName" in c,
        lambda c: "companyName" in c and "vatId" in c,
        lambda c: "dateOfBirth" in c,
        lambda c: c.get("dateOfBirth") == "2004-02-29",
        lambda c: c["authenticationMode"] == "ExternalAuth" and "password" not in c,
        lambda c: c["isEmailVerified"],
        lambda c: not c["isEmailVerified"],
        lambda c: "locale" not in c,
        lambda c: c.get("locale") == "zh-Hans-CN",
        lambda c: "key" in c,
        lambda c: "externalId" in c,
        lambda c: "defaultBillingAddressId" in c,
        lambda c: "defaultBillingAddressId" not in c and len(c["billingAddressIds"]) == 2,
        lambda c: c["addresses"] and not c["billingAddressIds"] and not c["shippingAddressIds"],
        lambda c: "customerGroup" in c,
        lambda c: len(c["customerGroupAssignments"]) == 2,
        lambda c: len(c["stores"]) == 2,
        lambda c: "custom" not in c,
        lambda c: c.get("custom", {}).get("fields", {}).get("newsletterConsent") is False,
        lambda c: c.get("custom", {}).get("fields", {}).get("loyaltyPoints") == 0,
        lambda c: c.get("custom", {}).get("fields", {}).get("note") == "",
        lambda c: c.get("custom", {}).get("fields", {}).get("favouriteBrands") == [],
        lambda c: c.get("custom", {}).get("fields") == {},
        lambda c: "+" in c["email"],
        lambda c: c["email"] != c["email"].lower(),
        lambda c: "'" in c["email"],
        lambda c: any("\u0590" <= letter <= "\u06ff" for letter in c.get("firstName", "")),
        lambda c: "🌻" in c.get("firstName", ""),
        lambda c: len(c.get("lastName", "")) > 200,
        lambda c: any("phone" in a and "mobile" in a for a in c["addresses"]),
        lambda c: any(a.get("phone", "+")[0] != "+" for a in c["addresses"]),
    ],
)
def test_every_edge_case_occurs(sample: list[dict[str, Any]], feature: Any) -> None:
    """Each edge case that the sample promises occurs at least once in three thousand rows."""
    assert any(feature(row) for row in sample)


def test_customers_have_none_to_four_addresses(sample: list[dict[str, Any]]) -> None:
    """All numbers of addresses from 0 to 4 occur, and the ids that a customer names are those of its addresses."""
    assert {len(row["addresses"]) for row in sample} == {0, 1, 2, 3, 4}
    for row in sample:
        ids = [address["id"] for address in row["addresses"]]
        named = [*row["billingAddressIds"], *row["shippingAddressIds"]]
        named += [row[name] for name in ("defaultBillingAddressId", "defaultShippingAddressId") if name in row]
        assert len(ids) == len(set(ids))
        assert set(named) <= set(ids)


def test_three_in_a_thousand_cost_something(sample: list[dict[str, Any]]) -> None:
    """Per thousand: one unusable telephone, one shared by two customers, one pair of mails that differ only in case."""
    numbers = [usable(text, country) for text, country in phone_numbers(sample)]
    assert numbers.count(None) == 3
    assert sum(count - 1 for number, count in Counter(numbers).items() if number) == 3
    mails = Counter(row["email"].lower() for row in sample)
    assert sorted(mails.values())[-4:] == [1, 2, 2, 2]


def test_telephones_stay_unique_in_a_large_sample() -> None:
    """A million customers have fewer telephones, not repeated ones: the reserved ranges are finite."""
    indexes = range(0, 1_000_000, 501)
    sparse = [customer(7, index, 1_000_000) for index in indexes if index % 1_000 not in (17, 40, 41, 73, 74)]
    numbers = [usable(text, country) for text, country in phone_numbers(sparse)]
    assert None not in numbers
    assert 0.05 * len(sparse) < len(numbers) == len(set(numbers))


@pytest.mark.parametrize(("size", "wanted"), [(300, 1), (300, 0), (301, 7), (10_000, 3)])
def test_malformed_mail_appears_exactly_as_often_as_asked(size: int, wanted: int) -> None:
    """`malformed_emails` rows have a mail that no receiver takes."""
    mails = [row["email"] for row in rows(sample_kinds(wanted)["customers"], 7, size)]
    assert sum(not _MAIL.fullmatch(mail) for mail in mails) == wanted


def test_only_the_demo_has_a_malformed_mail_without_being_asked() -> None:
    """One of the demo's 300, none in any other sample."""
    assert [default_malformed_emails(size) for size in (300, 299, 100_000)] == [1, 0, 0]


def test_the_demo_shows_every_cost() -> None:
    """The 300 of the demo have one of each: unusable telephone, shared telephone, pair of mails, malformed mail."""
    demo = [customer(7, index, 300, default_malformed_emails(300)) for index in range(300)]
    numbers = [usable(text, country) for text, country in phone_numbers(demo)]
    assert numbers.count(None) == 1
    assert sorted(Counter(number for number in numbers if number).values())[-2:] == [1, 2]
    assert sorted(Counter(row["email"].lower() for row in demo).values())[-2:] == [1, 2]
    assert sum(not _MAIL.fullmatch(row["email"]) for row in demo) == 1


def test_groups_and_stores_that_customers_name_exist(sample: list[dict[str, Any]]) -> None:
    """References resolve, and one customer group stays empty."""
    kinds = sample_kinds()
    groups = {row["id"] for row in rows(kinds["customer-groups"], 7, kinds["customer-groups"].default_size)}
    stores = {row["key"] for row in rows(kinds["stores"], 7, kinds["stores"].default_size)}
    named = {row["customerGroup"]["id"] for row in sample if "customerGroup" in row}
    named |= {a["customerGroup"]["id"] for row in sample for a in row["customerGroupAssignments"]}
    assert named < groups
    assert len(groups - named) == 1
    assert {store["key"] for row in sample for store in row["stores"]} == stores


def test_a_key_tells_its_only_possible_row() -> None:
    """A customer's key names its index; anything else names none."""
    assert index_of_key("customer-12", 300) == 12
    assert [index_of_key(key, 300) for key in ("customer-300", "customer-x", "12", "")] == [None] * 4


def test_unusual_names_are_really_unusual() -> None:
    """Right-to-left, emoji, control characters and very long names are in the pool."""
    assert any(len(first) > 200 for first, *_ in words.UNUSUAL_PEOPLE)
    assert any("\u202e" in first for first, *_ in words.UNUSUAL_PEOPLE)
