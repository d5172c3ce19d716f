"""Pages of resources that may be large hold about so much JSON, not so many rows; and rows keep their JSON where it is needed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from fake_commercetools import Clock, FakeProject

from shared.budget import budget_of
from shared.commercetools.kinds import CUSTOMERS, ORDERS, ORDERS_WITH_JSON, ResourceKind
from shared.commercetools.orders import OrderWithJson
from shared.commercetools.predicates import Filter
from shared.commercetools.resources import Customer
from shared.commercetools.scan import Undecodable, by_ids, pages

SIZED = replace(CUSTOMERS, expand=(), page_bytes=20_000)
ROW_BYTES = 1_000


class CustomerWithJson(Customer, frozen=True, kw_only=True):
    """A customer with its whole JSON."""

    json: msgspec.Raw = msgspec.Raw()


WITH_JSON = ResourceKind(
    name="customers", path="customers", graphql_field="customers", resource_type=CustomerWithJson, keeps_json=True
)


def _id(number: int) -> str:
    return f"{number:032x}"


def _project(count: int, **fields: Any) -> FakeProject:
    project = FakeProject(Clock())
    project.customers = [
        {"id": _id(number), "version": 1, "email": f"c{number}@example.com", **fields} for number in range(count)
    ]
    return project


def _limits(project: FakeProject) -> list[int]:
    return [int(request.url.params["limit"]) for request in project.requests]


def _read(project: FakeProject, kind: ResourceKind[Any] = SIZED) -> list[str]:
    found = pages(project.client(), kind, Filter(), _id(0), _id(10**6), budget=budget_of(30))
    return [row.id for page in found for row in page]


def test_a_page_has_as_many_rows_as_fit_by_the_page_before() -> None:
    """A few at first, since nobody knows how large they are."""
    project = _project(100, padding="x" * ROW_BYTES)
    assert _read(project) == [_id(number) for number in range(100)]
    assert _limits(project)[0] == 5
    assert all(15 <= limit <= 20 for limit in _limits(project)[1:])


def test_rows_larger_than_a_page_come_one_by_one() -> None:
    """However large, each is read."""
    project = _project(12, padding="x" * 30_000)
    assert _read(project) == [_id(number) for number in range(12)]
    assert _limits(project)[1:] == [1] * (len(_limits(project)) - 1)


def test_pages_of_small_rows_grow_by_and_by_to_what_a_page_may_have() -> None:
    """The first rows may be smaller than the others."""
    project = _project(1_100)
    assert len(_read(project, replace(SIZED, page_bytes=10_000_000))) == 1_100
    assert _limits(project) == [5, 50, 500, 500, 500]


def test_listed_ids_are_asked_for_in_such_pages_too() -> None:
    """At most a hundred at a time."""
    project = _project(300, padding="x" * ROW_BYTES)
    wanted = [_id(number) for number in range(0, 300, 2)]
    found = by_ids(project.client(), SIZED, wanted, budget=budget_of(30))
    assert [row.id for page in found for row in page] == wanted
    assert max(_limits(project)) <= 20


def test_a_kind_without_a_size_has_full_pages() -> None:
    """As many rows as commercetools gives."""
    project = _project(600)
    _read(project, replace(CUSTOMERS, expand=()))
    assert _limits(project) == [500, 500]


def test_rows_keep_their_json_where_the_kind_says_so() -> None:
    """With the fields that the type does not know; one that cannot be read fails alone."""
    project = _project(3, unknown={"deep": [1, "ü"]})
    project.customers[1]["addresses"] = 7
    first, broken, _ = (
        row for page in pages(project.client(), WITH_JSON, Filter(), _id(0), _id(9), budget=budget_of(30)) for row in page
    )
    assert isinstance(first, CustomerWithJson)
    assert msgspec.json.decode(first.json) == project.customers[0]
    assert first.email == "c0@example.com"
    assert broken == Undecodable(_id(1), "addresses")


@pytest.mark.parametrize("kind", [ORDERS, ORDERS_WITH_JSON])
def test_orders_are_read_in_sized_pages_without_expansions(kind: ResourceKind[Any]) -> None:
    """What they refer to is looked up for many at once."""
    assert (kind.path, kind.expand, bool(kind.page_bytes)) == ("orders", (), True)
    assert kind.keeps_json == issubclass(kind.resource_type, OrderWithJson)
