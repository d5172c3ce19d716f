"""What the golden cases of customers do not show: profiles at Klaviyo's limits, and several adjustments at once."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from shared.commercetools.resources import (
    Address,
    Customer,
    CustomerGroupReference,
    CustomFields,
    ExpandedGroup,
    StoreKeyReference,
)
from shared.klaviyo.profiles import ProfileAttributes
from shared.mapping.customer import MAX_ATTRIBUTES_BYTES, MappedProfile, profile_of
from shared.mapping.person import MAX_NAME_BYTES
from shared.mapping.result import Adjustment, Skip, SkipReason
from shared.settings.document import CustomerRules

CREATED_AT = "2026-03-01T09:30:00.000Z"


def customer(**changes: Any) -> Customer:
    """A customer with nothing but an id and an e-mail, and `changes`."""
    return msgspec.structs.replace(Customer(id="c1", email="anna@example.com"), **changes)


def custom(fields: dict[str, Any]) -> CustomFields:
    """Custom fields with these values."""
    return CustomFields(fields=fields)


def mapped(source: Customer) -> MappedProfile:
    """The profile of a customer that is not skipped, under the default rules."""
    result = profile_of(source, CustomerRules())
    assert isinstance(result, MappedProfile)
    return result


def test_the_smallest_customer_has_only_identifiers() -> None:
    """Absent attributes are absent from the body, `properties` too."""
    assert msgspec.json.encode(mapped(customer()).attributes) == b'{"external_id":"c1","email":"anna@example.com"}'


@pytest.mark.parametrize(
    "source",
    [
        customer(id=""),
        customer(id="x" * 256),
        customer(email="x" * 309 + "@example.com"),
        customer(email="an\0na@example.com"),
        customer(email="an\ud800na@example.com"),
    ],
    ids=["no id", "long id", "long e-mail", "NUL", "half a character"],
)
def test_a_customer_whose_identifier_klaviyo_cannot_store_is_skipped(source: Customer) -> None:
    """An identifier is never changed to fit: it could become somebody else's."""
    assert profile_of(source, CustomerRules()) == Skip(SkipReason.IDENTIFIER_UNUSABLE)


def test_identifiers_at_their_limits_are_sent() -> None:
    """255 characters of id, 320 of e-mail."""
    email = "x" * 308 + "@example.com"
    attributes = mapped(customer(id="x" * 255, email=email)).attributes
    assert (attributes.external_id, attributes.email) == ("x" * 255, email)


def test_an_over_long_name_is_cut_and_counted() -> None:
    """It keeps its beginning."""
    result = mapped(customer(firstName="ä" * MAX_NAME_BYTES, lastName="Example"))
    assert result.attributes.first_name == "ä" * (MAX_NAME_BYTES // 2)
    assert result.attributes.last_name == "Example"
    assert result.adjustments == (Adjustment.PROPERTY_TRIMMED,)


def test_a_name_with_nul_is_sent_without_it() -> None:
    """What no JSON body should carry is removed."""
    assert mapped(customer(firstName="An\0na", lastName="\0")).attributes == ProfileAttributes(
        external_id="c1", email="anna@example.com", first_name="Anna"
    )


def test_a_profile_over_100_kb_loses_its_largest_custom_fields() -> None:
    """Identifiers, names and the extra properties stay, and what is left fits."""
    fields = {f"note{i}": "x" * 30_000 for i in range(5)} | {"size": "M"}
    result = mapped(customer(firstName="Anna", createdAt=CREATED_AT, custom=custom(fields)))
    assert sorted(result.attributes.properties) == ["commercetools_created_at", "note2", "note3", "note4", "size"]
    assert result.attributes.first_name == "Anna"
    assert len(msgspec.json.encode(result.attributes)) <= MAX_ATTRIBUTES_BYTES
    assert result.adjustments == (Adjustment.PROPERTY_TRIMMED,)


def test_the_extra_properties_outlive_custom_fields_when_bytes_are_short() -> None:
    """Even where one of them is the largest."""
    result = mapped(customer(customerNumber="7" * 60_000, custom=custom({"note": "x" * 50_000})))
    assert list(result.attributes.properties) == ["customerNumber"]


def test_a_profile_just_within_the_limit_loses_nothing() -> None:
    """The limit is on the encoded attributes."""
    empty = mapped(customer(custom=custom({"note": ""}))).attributes
    room = MAX_ATTRIBUTES_BYTES - len(msgspec.json.encode(empty))
    assert mapped(customer(custom=custom({"note": "x" * room}))).adjustments == ()
    assert mapped(customer(custom=custom({"note": "x" * (room + 1)}))).attributes.properties == {}


def test_trimming_does_not_depend_on_the_order_of_the_fields() -> None:
    """The same customer gives the same profile, however commercetools orders its fields."""
    fields = [(f"f{i:03d}", "x" * (200 + i % 7 * 50)) for i in range(450)]
    profiles = []
    for seed in (1, 2):
        random.Random(seed).shuffle(fields)
        profiles.append(mapped(customer(createdAt=CREATED_AT, custom=custom(dict(fields)))))
    assert profiles[0] == profiles[1]
    assert Adjustment.PROPERTY_TRIMMED in profiles[0].adjustments
    assert profiles[0].attributes.properties["commercetools_created_at"] == CREATED_AT


def test_the_extra_properties_are_among_the_400() -> None:
    """A customer with 400 custom fields keeps its extra properties and loses as many custom fields."""
    fields = {f"f{i:03d}": i for i in range(400)}
    properties = mapped(customer(createdAt=CREATED_AT, customerNumber="7", custom=custom(fields))).attributes.properties
    assert len(properties) == 400
    assert {"f397", "customerNumber", "commercetools_created_at"} <= set(properties)
    assert not {"f398", "f399"} & set(properties)


def test_every_kind_of_adjustment_is_named_once_and_in_order() -> None:
    """However often it happened."""
    result = mapped(
        customer(
            locale="german",
            firstName="x" * 2_000,
            lastName="x" * 2_000,
            addresses=[Address(country="DE", mobile="12345", phone="67890")],
        )
    )
    assert result.adjustments == (Adjustment.PHONE_UNUSABLE, Adjustment.LOCALE_INVALID, Adjustment.PROPERTY_TRIMMED)


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        (ExpandedGroup(name="Gold", key="gold"), "Gold"),
        (ExpandedGroup(key="gold"), "gold"),
        (ExpandedGroup(), "g1"),
        (None, "g1"),
    ],
)
def test_a_customer_group_is_named_as_well_as_it_is_known(group: ExpandedGroup | None, expected: str) -> None:
    """Its name, else its key, else its id."""
    source = customer(customerGroup=CustomerGroupReference(id="g1", obj=group))
    assert mapped(source).attributes.properties == {"customerGroup": expected}


def test_extra_properties_left_out_by_the_rules_give_way_to_nothing() -> None:
    """`profileProperties: []` sends custom fields only, and leaves `properties` out when there are none."""
    source = customer(createdAt=CREATED_AT, isEmailVerified=False, stores=[StoreKeyReference(key="eu")])
    result = profile_of(source, CustomerRules(profileProperties=[]))
    assert result == MappedProfile(ProfileAttributes(external_id="c1", email="anna@example.com"))


def test_an_address_that_says_nothing_leaves_location_out() -> None:
    """An empty object would say that the customer lives nowhere."""
    assert mapped(customer(addresses=[Address(id="a1", city=" ")])).attributes.location is None
