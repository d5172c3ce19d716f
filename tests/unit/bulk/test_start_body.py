"""What a start may ask for, by kind: deletions are confirmed, a chain takes few fields (http-api.md "Body")."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.bulk.http.start_body import FIELDS, FIELDS_OF_ALL, start_options
from shared.bulk.records import LINKS, Kind, RunOptions
from shared.errors import BadRequest, Problem

AN_ID = "00000000-0000-4000-8000-000000000000"
EXAMPLES: dict[str, Any] = {
    "ids": [AN_ID],
    "startId": AN_ID,
    "createdAfter": "2026-01-01T00:00:00Z",
    "createdBefore": "2026-02-01T00:00:00Z",
    "modifiedAfter": "2026-01-15T00:00:00Z",
    "dryRun": True,
    "deleteAll": True,
    "confirmDeletion": "products",
    "confirmDeletetion": "products",
    "onlyOwn": True,
}


def options(body: dict[str, Any], kind: Kind = Kind.PRODUCTS) -> RunOptions:
    """What is asked for."""
    return start_options(json.dumps(body).encode(), kind)


def problems(body: dict[str, Any], kind: Kind = Kind.PRODUCTS) -> list[Problem]:
    """What is wrong with a body."""
    with pytest.raises(BadRequest) as refused:
        options(body, kind)
    return list(refused.value.problems)


def test_every_field_has_an_example_here() -> None:
    """So that a new one is not left out."""
    assert set(EXAMPLES) == set(FIELDS)


@pytest.mark.parametrize("kind", [Kind.CATEGORIES, Kind.PRODUCTS])
@pytest.mark.parametrize("spelling", ["confirmDeletion", "confirmDeletetion"])
def test_a_deletion_is_confirmed_by_the_kind(kind: Kind, spelling: str) -> None:
    """In either spelling, or both."""
    assert options({"deleteAll": True, spelling: kind.value}, kind) == RunOptions(delete_all=True)
    both = {"deleteAll": True, "confirmDeletion": kind.value, "confirmDeletetion": kind.value, "onlyOwn": True}
    assert options(both, kind) == RunOptions(delete_all=True, only_own=True)


@pytest.mark.parametrize(
    "confirmation",
    [{}, {"confirmDeletion": "categories"}, {"confirmDeletion": "yes"}, {"confirmDeletion": ""}, {"confirmDeletion": "Products"},
     {"confirmDeletetion": "categories"}, {"confirmDeletion": "products", "confirmDeletetion": "categories"}],
)  # fmt: skip
def test_without_the_right_confirmation_the_risk_is_explained(confirmation: dict[str, str]) -> None:
    """That everything goes, whoever made it, for good; and what to send if that is meant."""
    (problem,) = problems({"deleteAll": True, **confirmation})
    assert problem.field == "confirmDeletion"
    for words in ("every one of the products, with their variants", "other systems or people", "cannot be undone"):
        assert words in problem.message
    assert '"confirmDeletion": "products"' in problem.message


def test_the_risk_of_deleting_ones_own_is_a_smaller_one() -> None:
    """What others made is spared."""
    (problem,) = problems({"deleteAll": True, "onlyOwn": True}, Kind.CATEGORIES)
    assert "categories that have a commercetools id" in problem.message
    assert "other systems" not in problem.message


@pytest.mark.parametrize("field", [name for name in FIELDS if "elet" not in name and name != "onlyOwn"])
def test_nothing_else_goes_with_a_deletion(field: str) -> None:
    """A partial or tried deletion might be thought to be meant."""
    body = {"deleteAll": True, "confirmDeletion": "products", field: EXAMPLES[field]}
    assert [problem.field for problem in problems(body)] == [field]


@pytest.mark.parametrize("kind", [Kind.CUSTOMERS, Kind.ORDERS])
def test_profiles_and_events_are_never_deleted(kind: Kind) -> None:
    """Whatever is confirmed."""
    assert [problem.field for problem in problems({"deleteAll": True, "confirmDeletion": kind.value}, kind)] == ["deleteAll"]


@pytest.mark.parametrize("field", ["confirmDeletion", "confirmDeletetion", "onlyOwn"])
@pytest.mark.parametrize("delete_all", [{}, {"deleteAll": False}])
def test_what_belongs_to_a_deletion_stands_with_it_alone(field: str, delete_all: dict[str, bool]) -> None:
    """Else an import would begin where a deletion was meant."""
    assert [problem.field for problem in problems({**delete_all, field: EXAMPLES[field]})] == [field]


@pytest.mark.parametrize(
    ("body", "field"),
    [({"deleteAll": "true"}, "deleteAll"), ({"deleteAll": 1}, "deleteAll"), ({"onlyOwn": "yes"}, "onlyOwn"),
     ({"confirmDeletion": True}, "confirmDeletion"), ({"confirmDeletetion": ["products"]}, "confirmDeletetion")],
)  # fmt: skip
def test_a_field_of_another_type_is_named(body: dict[str, Any], field: str) -> None:
    """Nothing is taken for true or confirmed that is not."""
    assert field in [problem.field for problem in problems(body)]


def test_not_to_delete_is_an_import() -> None:
    """`deleteAll: false` says no more than its absence."""
    assert options({"deleteAll": False, "dryRun": True}) == RunOptions(dry_run=True)


def test_all_kinds_at_once_take_dates_and_dry_run() -> None:
    """What every kind understands alike."""
    body = {name: EXAMPLES[name] for name in FIELDS_OF_ALL}
    expected = RunOptions(created_after=body["createdAfter"], modified_after=body["modifiedAfter"], dry_run=True)
    assert options(body, Kind.ALL) == expected


@pytest.mark.parametrize("field", [name for name in FIELDS if name not in FIELDS_OF_ALL])
def test_what_concerns_one_kind_is_refused_for_all(field: str) -> None:
    """An id is one of one kind, and a deletion is never done to all."""
    (problem,) = problems({field: EXAMPLES[field]}, Kind.ALL)
    assert problem.field == field
    assert "one by one" in problem.message


@pytest.mark.parametrize("kind", LINKS)
def test_an_empty_body_asks_for_everything(kind: Kind) -> None:
    """Of any kind, and of all."""
    assert start_options(b"", kind) == start_options(b" {}", Kind.ALL) == RunOptions()
