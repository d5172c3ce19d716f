"""Whatever commercetools holds of a customer, the profile is within Klaviyo's limits or the customer is skipped."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.commercetools.resources import (
    Address,
    Customer,
    CustomerGroupReference,
    CustomFields,
    ExpandedGroup,
    StoreKeyReference,
)
from shared.mapping.customer import MAX_ATTRIBUTES_BYTES, MappedProfile, profile_of
from shared.mapping.limits import MAX_ARRAY_ITEMS, MAX_LEVELS, MAX_PROPERTIES, MAX_STRING_BYTES
from shared.mapping.result import Adjustment, Skip
from shared.mapping.shared_identifiers import IdentifierRow, settle_identifiers
from shared.settings.document import ALL_PROFILE_PROPERTIES, CustomerRules, CustomFieldRules, PropertyRules

ANY_CHARACTER = st.characters(codec=None)  # lone surrogates and NUL too
TEXT = st.text(ANY_CHARACTER, max_size=20) | st.builds(
    lambda text, times: text * times, st.text(ANY_CHARACTER, max_size=3), st.integers(0, 50_000)
)
NAMES = st.sampled_from(["size", "points", "vip", "customerNumber", "stores", "a", "b"]) | st.text(ANY_CHARACTER, max_size=5)
COUNTRIES = st.sampled_from(["DE", "AT", "US", "GB", "IT", "JP", "XX"])
PHONES = st.from_regex(r"\A(\+|00|0)?[1-9][0-9 ()/-]{3,18}\Z") | st.sampled_from(["+493023125014", "(202) 555-0143"]) | TEXT
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12)


def deep(value: Any, levels: int) -> Any:
    """`value` inside `levels` arrays."""
    for _ in range(levels):
        value = [value]
    return value


VALUES = (
    JSON
    | st.builds(deep, JSON, st.integers(0, 14))
    | st.builds(lambda item, count: [item] * count, SCALARS.filter(lambda item: not isinstance(item, str)), st.integers(0, 4_100))
)
FIELDS = st.dictionaries(NAMES, VALUES, max_size=6) | st.integers(390, 410).map(lambda count: {f"f{i}": i for i in range(count)})
ADDRESSES = st.builds(
    Address,
    id=st.none() | st.sampled_from(["a1", "a2", "a3"]),
    country=st.none() | COUNTRIES,
    streetName=st.none() | TEXT,
    streetNumber=st.none() | TEXT,
    additionalStreetInfo=st.none() | TEXT,
    apartment=st.none() | TEXT,
    postalCode=st.none() | TEXT,
    city=st.none() | TEXT,
    region=st.none() | TEXT,
    phone=st.none() | PHONES,
    mobile=st.none() | PHONES,
)
EMAILS = st.from_regex(r"\A *[A-Za-zÄÖİΣ.+']{1,12}@example\.com *\Z") | TEXT
CUSTOMERS = st.builds(
    Customer,
    id=st.uuids().map(str) | st.text(ANY_CHARACTER, max_size=260),
    createdAt=st.sampled_from(["", "2026-03-01T09:30:00.000Z"]),
    email=st.none() | EMAILS,
    customerNumber=st.none() | TEXT,
    firstName=st.none() | TEXT,
    lastName=st.none() | TEXT,
    title=st.none() | TEXT,
    companyName=st.none() | TEXT,
    vatId=st.none() | TEXT,
    locale=st.none() | st.sampled_from(["de-AT", "en_us", "zh-Hant-TW", "german"]) | TEXT,
    isEmailVerified=st.none() | st.booleans(),
    addresses=st.lists(ADDRESSES, max_size=3),
    defaultBillingAddressId=st.none() | st.sampled_from(["a1", "a2", "gone"]),
    billingAddressIds=st.lists(st.sampled_from(["a1", "a2", "gone"]), max_size=3),
    customerGroup=st.none()
    | st.builds(CustomerGroupReference, id=TEXT, obj=st.none() | st.builds(ExpandedGroup, name=st.none() | TEXT)),
    stores=st.lists(st.builds(StoreKeyReference, key=TEXT), max_size=3),
    custom=st.none() | st.builds(CustomFields, fields=FIELDS),
)
PROPERTY_RULES = st.builds(
    PropertyRules,
    include=st.just([]) | st.lists(NAMES, max_size=4),
    exclude=st.lists(NAMES, max_size=3),
    map=st.dictionaries(NAMES, NAMES, max_size=3),
)
RULES = st.builds(
    CustomerRules,
    customFields=st.builds(CustomFieldRules, properties=PROPERTY_RULES),
    profileProperties=st.lists(st.sampled_from(ALL_PROFILE_PROPERTIES), unique=True),
)

reproducible = settings(
    derandomize=True, deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def assert_within_limits(value: Any, level: int) -> None:
    """A JSON value on `level` of the properties is one that Klaviyo takes."""
    if isinstance(value, str):
        assert "\0" not in value
        assert len(value.encode()) <= MAX_STRING_BYTES
    elif isinstance(value, dict | list):
        assert level < MAX_LEVELS
        if isinstance(value, list):
            assert len(value) <= MAX_ARRAY_ITEMS
        for inner in value.values() if isinstance(value, dict) else value:
            assert_within_limits(inner, level + 1)


@reproducible
@given(CUSTOMERS, RULES)
def test_a_customer_is_skipped_or_its_profile_is_within_the_limits(customer: Customer, rules: CustomerRules) -> None:
    """Size, number, nesting and text of what is sent; identifiers are always there."""
    mapped = profile_of(customer, rules)
    if isinstance(mapped, Skip):
        return
    attributes = mapped.attributes
    body = msgspec.json.encode(attributes)
    assert len(body) <= MAX_ATTRIBUTES_BYTES
    assert b"\\u0000" not in body.replace(b"\\\\", b"")
    assert attributes.external_id == customer.id
    assert 0 < len(attributes.external_id) <= 255
    assert attributes.email
    assert len(attributes.properties) <= MAX_PROPERTIES
    for value in attributes.properties.values():
        assert value is not None
        assert_within_limits(value, 1)


@reproducible
@given(CUSTOMERS, RULES)
def test_the_body_says_what_the_attributes_say(customer: Customer, rules: CustomerRules) -> None:
    """Nothing is lost or changed by encoding: no number that is not finite, no half character."""
    mapped = profile_of(customer, rules)
    if isinstance(mapped, MappedProfile):
        sent = msgspec.json.decode(msgspec.json.encode(mapped.attributes))
        assert sent == msgspec.to_builtins(mapped.attributes)


@reproducible
@given(st.builds(lambda customer, address: msgspec.structs.replace(customer, addresses=[address]), CUSTOMERS, ADDRESSES))
def test_a_phone_is_e164_or_absent(customer: Customer) -> None:
    """And a phone that was there but is not sent is counted."""
    mapped = profile_of(customer, CustomerRules())
    if isinstance(mapped, Skip):
        return
    phone_number = mapped.attributes.phone_number
    assert phone_number is None or re.fullmatch(r"\+[1-9][0-9]{4,14}", phone_number)
    there = any(raw and raw.strip() for raw in (customer.addresses[0].mobile, customer.addresses[0].phone))
    assert (Adjustment.PHONE_UNUSABLE in mapped.adjustments) == (there and phone_number is None)


@reproducible
@given(CUSTOMERS)
def test_an_email_is_trimmed_and_never_upper_case(customer: Customer) -> None:
    """As Klaviyo compares it."""
    mapped = profile_of(customer, CustomerRules())
    if isinstance(mapped, MappedProfile):
        email = mapped.attributes.email
        assert email is not None
        assert email == email.lower() == email.strip()


@reproducible
@given(CUSTOMERS, RULES)
def test_the_mapping_is_pure(customer: Customer, rules: CustomerRules) -> None:
    """The same customer gives the same profile, and neither the customer nor the rules are changed."""
    before = repr(customer), repr(rules)
    assert repr(profile_of(customer, rules)) == repr(profile_of(customer, rules))
    assert (repr(customer), repr(rules)) == before


TIMES = st.sampled_from([f"2026-01-0{day}T00:00:00.000Z" for day in range(1, 4)])
ROWS = st.lists(
    st.builds(
        IdentifierRow,
        id=st.uuids().map(str),
        email=st.sampled_from(["a@example.com", "b@example.com", "c@example.com", "d@example.com"]),
        phone=st.none() | st.sampled_from(["+12025550143", "+12025550144"]),
        created_at=TIMES,
        last_modified_at=TIMES,
    ),
    unique_by=lambda row: row.id,
    max_size=12,
)


@reproducible
@given(ROWS, st.randoms(use_true_random=False))
def test_settled_identifiers_are_unique_lost_to_somebody_and_independent_of_order(rows: list[IdentifierRow], random: Any) -> None:
    """Every e-mail and every phone of those that are sent has exactly one owner."""
    settled = settle_identifiers(rows)
    sent = [index for index in range(len(rows)) if index not in settled.same_email]
    emails = [rows[index].email for index in sent]
    assert len(emails) == len(set(emails))
    assert set(emails) == {row.email for row in rows}
    phones = [rows[index].phone for index in sent if rows[index].phone and index not in settled.lost_phone]
    assert len(phones) == len(set(phones))
    assert set(phones) == {rows[index].phone for index in sent} - {None}
    assert settled.lost_phone <= set(sent)
    shuffled = random.sample(rows, len(rows))
    again = settle_identifiers(shuffled)
    assert {shuffled[index].id for index in again.same_email} == {rows[index].id for index in settled.same_email}
    assert {shuffled[index].id for index in again.lost_phone} == {rows[index].id for index in settled.lost_phone}
