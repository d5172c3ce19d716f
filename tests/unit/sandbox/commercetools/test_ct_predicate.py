"""The predicate language, read and applied to resources."""

from typing import Any

import pytest

from sandbox.commercetools.errors import ApiError
from sandbox.commercetools.fields import CUSTOM_OBJECT, CUSTOMER, Node
from sandbox.commercetools.matching import Bounds, bounds, matcher, named_ids
from sandbox.commercetools.predicate import parse

ID = "7bc2a1f0-0000-4000-8000-000000000001"
ANNA: dict[str, Any] = {
    "id": ID,
    "version": 3,
    "email": 'anna"quote@example.com',
    "createdAt": "2026-01-02T03:04:05.678Z",
    "lastModifiedAt": "2026-02-02T00:00:00.000Z",
    "dateOfBirth": "1990-05-17",
    "isEmailVerified": False,
    "addresses": [{"country": "DE", "city": "Köln"}, {"country": "FR", "city": "Lyon"}],
    "billingAddressIds": ["a", "b"],
    "shippingAddressIds": [],
    "customerGroup": {"typeId": "customer-group", "id": ID},
    "stores": [{"typeId": "store", "key": "berlin"}],
    "custom": {"type": {"typeId": "type", "id": ID}, "fields": {"points": 0, "consent": False, "tags": ["x", "y"]}},
}


def holds(text: str, resource: dict[str, Any] = ANNA, shape: Node = CUSTOMER, **variables: list[str]) -> bool:
    """Whether a predicate holds for a resource."""
    return matcher(parse([text], shape, variables))(resource)


@pytest.mark.parametrize(
    "text",
    [
        f'id = "{ID}"',
        f'id = "{ID.upper()}"',
        "version = 3",
        "version <> 4",
        "version != 4",
        "version < 4",
        "version > 2",
        "version <= 3",
        "version >= 3",
        "version in (1, 2, 3)",
        "version not in (1, 2)",
        "version = 3.0",
        "isEmailVerified = false",
        'email = "anna\\"quote@example.com"',
        'createdAt = "2026-01-02T03:04:05.678Z"',
        'createdAt = "2026-01-02T05:04:05.678+02:00"',
        'createdAt > "2026-01-02T03:04:05Z"',
        'dateOfBirth < "1990-05-18"',
        'addresses(country = "FR")',
        'addresses(country = "DE" and city = "Köln")',
        'not(addresses(country = "DE" and city = "Lyon"))',
        f'customerGroup(id = "{ID}")',
        'stores(key in ("berlin", "paris"))',
        "custom(fields(points = 0))",
        "custom(fields(consent = false))",
        'custom(fields(tags contains all ("x", "y")))',
        "custom(fields(`points` >= 0))",
        'billingAddressIds contains any ("b", "z")',
        'billingAddressIds contains all ("a", "b")',
        "shippingAddressIds is empty",
        "billingAddressIds is not empty",
        "customerGroup is defined",
        "companyName is not defined",
        'companyName != "Example"',
        "version = 1 or version = 3 and isEmailVerified = false",
        "(version = 1 or version = 3) and isEmailVerified = false",
        "NOT (version = 1) AND version IN (3)",
        "  version=3  ",
    ],
)
def test_predicates_that_hold(text: str) -> None:
    """Each of these holds for the customer above."""
    assert holds(text)


@pytest.mark.parametrize(
    "text",
    [
        "version = 4",
        "version not in (3)",
        "version <> 3",
        "isEmailVerified = true",
        'addresses(country = "DE" and city = "Lyon")',
        'companyName = "Example"',
        'companyName > "A"',
        "custom(fields(consent = 0))",
        "custom(fields(points = false))",
        'custom(fields(missing = "x"))',
        'billingAddressIds contains all ("a", "z")',
        'shippingAddressIds contains any ("a")',
        "customerGroup is not defined",
        "not (version = 3)",
        "version = 1 or version = 3 and isEmailVerified = true",
    ],
)
def test_predicates_that_do_not_hold(text: str) -> None:
    """None of these holds for the customer above."""
    assert not holds(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "id",
        "id =",
        "id in ()",
        'id = "not-a-uuid"',
        "id = 5",
        'version = "3"',
        "version = true",
        "version like 3",
        "version = 3 and",
        "(version = 3",
        "version = 3)",
        "version = 3 version = 4",
        "isEmailVerified > true",
        "isEmailVerified = 0",
        'createdAt > "yesterday"',
        'createdAt > "2026-01-01"',
        'dateOfBirth = "1990"',
        'surname = "x"',
        'addresses = "x"',
        'addresses(planet = "x")',
        'email(x = "y")',
        "email is empty",
        'email contains any ("x")',
        'customerGroup = "x"',
        "billingAddressIds contains some (1)",
        "email = 'single quotes'",
        'email = "unterminated',
        "email = unquoted",
        "not version = 3",
        "version not 3",
        "version = :missing",
        "version = :several",
        "a" * 3 + "(" * 50,
        "(" * 60 + "version = 3" + ")" * 60,
        "version = 3 & version = 4",
    ],
)
def test_what_is_not_a_predicate_is_refused(text: str) -> None:
    """Syntax errors, unknown fields and values of the wrong type are a 400 about `where`."""
    with pytest.raises(ApiError) as refusal:
        holds(text, several=["1", "2"])
    assert refusal.value.status == 400
    assert refusal.value.message.startswith("Malformed parameter: where: ")


def test_a_syntax_error_names_its_place() -> None:
    """The message has the column and points at it."""
    with pytest.raises(ApiError, match=r"Invalid input '\)', expected .*\(line 1, column 8\):\nid in \(\)\n {7}\^"):
        holds("id in ()")


def test_input_variables_have_the_fields_type() -> None:
    """A variable for a number is a number, for a boolean a boolean, several make a list."""
    assert holds("version = :v", v=["3"])
    assert holds("isEmailVerified = :v", v=["false"])
    assert holds("version in :v", v=["1", "3"])
    assert holds("version in (:v, 9)", v=["1", "3"])
    assert holds("email = :mail", mail=['anna"quote@example.com'])
    with pytest.raises(ApiError):
        holds("version = :v", v=["three"])


def test_several_predicates_must_all_hold() -> None:
    """Each `where` counts."""
    assert matcher(parse(["version = 3", "version > 2"], CUSTOMER, {}))(ANNA)
    assert not matcher(parse(["version = 3", "version > 3"], CUSTOMER, {}))(ANNA)
    assert parse([], CUSTOMER, {}) is None


def test_values_of_custom_objects_are_not_checked_but_compared_by_type() -> None:
    """`value(...)` may name anything, also nested and in arrays of objects."""
    held = {"value": {"owner": "run-1", "lease": {"fence": 7}, "parts": [{"n": 1}, {"n": 2}]}}
    assert holds('value(owner = "run-1" and lease(fence > 6))', held, CUSTOM_OBJECT)
    assert holds("value(parts(n = 2))", held, CUSTOM_OBJECT)
    assert not holds('value(lease(fence = "7"))', held, CUSTOM_OBJECT)
    assert not holds("value(absent(fence = 7))", held, CUSTOM_OBJECT)


LOW, HIGH = "10000000-0000-0000-0000-000000000000", "20000000-0000-0000-0000-000000000000"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (f'id > "{LOW}" and id <= "{HIGH}"', Bounds(LOW, HIGH)),
        (f'id > "{LOW}" and version = 1', Bounds(LOW, None)),
        (f'id = "{LOW}" or id = "{HIGH}"', Bounds(LOW, HIGH)),
        (f'id in ("{HIGH}", "{LOW}")', Bounds(LOW, HIGH)),
        (f'id > "{LOW}" or version = 1', Bounds()),
        (f'not (id > "{LOW}")', Bounds()),
        (f'id != "{LOW}"', Bounds()),
        (f'(id > "{LOW}" or id > "{HIGH}") and id < "{HIGH}"', Bounds(LOW, HIGH)),
        (f'customerGroup(id > "{LOW}")', Bounds()),
    ],
)
def test_bounds_never_exclude_a_match(text: str, wanted: Bounds) -> None:
    """Only what certainly cannot match is left out of a walk."""
    assert bounds(parse([text], CUSTOMER, {}), "id") == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (f'id in ("{LOW}", "{HIGH}")', {LOW, HIGH}),
        (f'id = "{LOW}" and version = 1', {LOW}),
        (f'id in ("{LOW}", "{HIGH}") and id = "{HIGH}"', {HIGH}),
        (f'id = "{LOW}" or id = "{HIGH}"', {LOW, HIGH}),
        (f'id = "{LOW}" or version = 1', None),
        (f'not (id = "{LOW}")', None),
        ("version = 1", None),
    ],
)
def test_listed_ids_are_looked_up_directly(text: str, wanted: set[str] | None) -> None:
    """Where a predicate lists the only possible ids, they are known."""
    assert named_ids(parse([text], CUSTOMER, {})) == wanted
