"""Scanning: ids for the plan over GraphQL, whole resources for the work over REST."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from fake_commercetools import Clock, FakeProject, error_body

from shared.budget import Budget, budget_of
from shared.commercetools.kinds import CUSTOMERS, KINDS
from shared.commercetools.predicates import Filter
from shared.commercetools.resources import Customer
from shared.commercetools.scan import Undecodable, by_ids, count, id_page, pages
from shared.commercetools.verdict import Forbidden
from shared.errors import AuthError, HostDown, Interrupted, PermanentError

FIRST, LAST = f"{0:032x}", f"{10**6:032x}"


def _id(number: int) -> str:
    return f"{number:032x}"


def _project(size: int) -> FakeProject:
    project = FakeProject(Clock())
    project.customers = [{"id": _id(number), "version": 1, "email": f"c{number}@example.com"} for number in range(size)]
    return project


def _queries(project: FakeProject) -> list[dict[str, Any]]:
    return [json.loads(request.content) for request in project.requests]


def test_a_page_of_ids_asks_for_ids_only_in_id_order() -> None:
    """The plan needs nothing else; the predicate travels as a GraphQL variable."""
    project = _project(3)
    ids = id_page(project.client(), CUSTOMERS, Filter(id_before="f"), None, 2, budget=project.clock.budget())
    assert ids == [_id(0), _id(1)]
    (query,) = _queries(project)
    assert query["variables"] == {"where": 'id < "f"', "limit": 2}
    assert query["query"] == (
        "query($where: String, $limit: Int) "
        '{ page: customers(where: $where, sort: ["id asc"], limit: $limit) { results { id } } }'
    )


def test_pages_of_ids_go_on_behind_the_last_id_until_a_short_one() -> None:
    """Every id once; fewer than asked for means the end."""
    project = _project(1201)
    client, seen = project.client(), list[str]()
    while True:
        page = id_page(client, CUSTOMERS, Filter(), seen[-1] if seen else None, budget=project.clock.budget())
        seen += page
        if len(page) < 500:
            break
    assert seen == [row["id"] for row in project.customers]
    assert len(project.requests) == 3


def test_a_query_that_is_too_complex_is_asked_in_halves_and_still_fills_the_page() -> None:
    """A page stays full, so that a short one still means the end."""
    project = _project(700)
    project.graphql_max = 130
    ids = id_page(project.client(), CUSTOMERS, Filter(), None, 500, budget=project.clock.budget())
    assert ids == [_id(number) for number in range(500)]
    assert [query["variables"]["limit"] for query in _queries(project)] == [500, 250, 125, 125, 125, 125]


def test_a_query_that_is_too_complex_at_any_size_is_an_error() -> None:
    """Halving ends."""
    project = _project(10)
    project.graphql_max = 0
    with pytest.raises(PermanentError, match="QueryComplexityLimitExceeded"):
        id_page(project.client(), CUSTOMERS, Filter(), None, budget=project.clock.budget())
    assert len(project.requests) < 10


def test_an_unreadable_page_of_ids_is_transient() -> None:
    """A proxy's page is no end of the ids."""
    project = _project(0)
    project.script = [httpx.Response(200, text="<html>please wait</html>")]
    with pytest.raises(HostDown):
        id_page(project.client(), CUSTOMERS, Filter(), None, budget=project.clock.budget())


def test_the_total_is_exact_or_unknown() -> None:
    """With a predicate commercetools counts to 10,000; without one it counts all."""
    project = _project(0)
    client, budget = project.client(), project.clock.budget()
    answers = {}
    for total in (0, 9_999, 10_000, 250_000):
        project.total = total
        answers[total] = (
            count(client, CUSTOMERS, Filter(), budget=budget),
            count(client, CUSTOMERS, Filter(id_from="a"), budget=budget),
        )
    assert answers == {0: (0, 0), 9_999: (9_999, 9_999), 10_000: (10_000, None), 250_000: (250_000, None)}


def test_a_range_is_read_page_by_page_with_the_filters_of_the_run() -> None:
    """Bounds, filters, order, page size, no totals, expansion; then on behind the last id, until a short page."""
    project = _project(1100)
    wanted = Filter(created_after="2026-01-01T00:00:00Z")
    read = list(pages(project.client(), CUSTOMERS, wanted, _id(50), _id(1080), budget=budget_of(30)))
    assert [len(page) for page in read] == [500, 500, 31]
    assert [row.id for page in read for row in page] == [_id(number) for number in range(50, 1081)]
    first, second, _ = (request.url.params.multi_items() for request in project.requests)
    assert first == [
        ("where", "id >= :from and id <= :to and createdAt >= :createdAfter"),
        ("var.from", _id(50)),
        ("var.to", _id(1080)),
        ("var.createdAfter", "2026-01-01T00:00:00.000Z"),
        ("sort", "id asc"),
        ("limit", "500"),
        ("withTotal", "false"),
        ("expand", "customerGroup"),
    ]
    assert second[:3] == [
        ("where", "id > :after and id <= :to and createdAt >= :createdAfter"),
        ("var.after", _id(549)),
        ("var.to", _id(1080)),
    ]


def test_a_range_that_ends_with_a_full_page_needs_no_further_request() -> None:
    """The upper bound was the last row."""
    project = _project(1000)
    assert len(list(pages(project.client(), CUSTOMERS, Filter(), _id(0), _id(999), budget=budget_of(30)))) == 2
    assert len(project.requests) == 2


def test_an_empty_range_has_no_page() -> None:
    """Everything in it was deleted meanwhile."""
    project = _project(0)
    assert list(pages(project.client(), CUSTOMERS, Filter(), FIRST, LAST, budget=budget_of(30))) == []


def test_the_next_page_is_fetched_while_this_one_is_handled_and_no_more() -> None:
    """One page ahead: bounded memory, and reading overlaps with the work."""
    project = _project(5000)
    reading = pages(project.client(), CUSTOMERS, Filter(), FIRST, LAST, budget=budget_of(30))
    next(reading)
    deadline = time.monotonic() + 10
    while len(project.requests) < 2 and time.monotonic() < deadline:
        time.sleep(0.005)
    assert len(project.requests) == 2
    time.sleep(0.05)
    assert len(project.requests) == 2
    reading.close()


@pytest.mark.parametrize(
    "read",
    [
        lambda client, budget: pages(client, CUSTOMERS, Filter(), FIRST, LAST, budget=budget),
        lambda client, budget: by_ids(client, CUSTOMERS, [FIRST], budget=budget),
    ],
    ids=["pages", "by_ids"],
)
def test_a_stop_ends_the_wait_for_a_page_that_does_not_come(read: Callable[[Any, Budget], Iterator[Any]]) -> None:
    """The answer hangs; the reader does not."""
    project, stopped, release = _project(1), threading.Event(), threading.Event()

    def hang(_request: httpx.Request) -> None:
        stopped.set()
        release.wait(20)

    def stop() -> None:
        if stopped.is_set():
            raise Interrupted(Interrupted.Cause.STOP)

    project.before = hang
    budget = Budget(budget_of(30).deadline, check_stop=stop)
    with pytest.raises(Interrupted):
        list(read(project.client(), budget))
    release.set()


def test_an_error_of_a_later_page_comes_after_the_pages_before_it() -> None:
    """What was read is handed over first."""
    project = _project(600)
    reading = pages(project.client(), CUSTOMERS, Filter(), FIRST, LAST, budget=budget_of(30))
    project.after = lambda _request, _response: project.script.append(error_body(403, "insufficient_scope"))
    assert len(next(reading)) == 500
    with pytest.raises(AuthError):
        next(reading)


def test_a_row_that_cannot_be_decoded_costs_that_row_only() -> None:
    """It comes as its id and the place of the fault; no value of it is kept."""
    project = _project(4)
    project.customers[1] = {"id": _id(1), "email": 4711}
    project.customers[2] = {"id": _id(2), "addresses": [{"country": {"secret": "jane@example.com"}}]}
    (page,) = pages(project.client(), CUSTOMERS, Filter(), FIRST, LAST, budget=budget_of(30))
    assert [row.id for row in page] == [_id(number) for number in range(4)]
    assert page[1:3] == [Undecodable(_id(1), "email"), Undecodable(_id(2), "addresses[0].country")]
    assert isinstance(page[0], Customer)
    assert isinstance(page[3], Customer)


def test_a_full_page_with_a_bad_last_row_is_followed_by_the_next() -> None:
    """The cursor does not depend on a row being readable."""
    project = _project(7)
    project.customers[2]["email"] = 1
    read = list(pages(project.client(), CUSTOMERS, Filter(), FIRST, LAST, budget=budget_of(30), page_size=3))
    assert [row.id for page in read for row in page] == [_id(number) for number in range(7)]


def test_an_answer_without_results_or_ids_is_transient() -> None:
    """It is not the API's, so it is no reason to fail an item or to end a range."""
    for body in ("<html>", '{"count": 0}', '{"results": {}}', '{"results": [{"email": "x"}]}', '{"results": [1]}'):
        project = _project(0)
        project.script = [httpx.Response(200, text=body)]
        with pytest.raises(HostDown) as raised:
            list(pages(project.client(), CUSTOMERS, Filter(), FIRST, LAST, budget=budget_of(30)))
        assert raised.value.__cause__ is None


def test_an_expansion_that_is_not_allowed_is_left_out_and_named_once() -> None:
    """403 with `expand`: the pages come without it, and only the first is asked for twice."""
    project, named = _project(1100), list[Forbidden]()
    project.refuse_expand = True
    read = list(pages(project.client(), CUSTOMERS, Filter(), FIRST, LAST, budget=budget_of(30), on_forbidden=named.append))
    assert sum(map(len, read)) == 1100
    assert len(named) == 1
    assert ["expand" in request.url.params for request in project.requests] == [True, False, False, False]


def test_a_403_for_the_resource_itself_halts() -> None:
    """Without the expansion it is refused as well: the scope is missing, and nothing was merely optional."""
    project, named = _project(1), list[Forbidden]()
    project.script = [error_body(403, "insufficient_scope")] * 2
    with pytest.raises(AuthError):
        list(pages(project.client(), CUSTOMERS, Filter(), FIRST, LAST, budget=budget_of(30), on_forbidden=named.append))
    assert named == []


def test_ids_are_read_a_hundred_at_a_time() -> None:
    """The address stays short; what is gone is simply not there, and rows come in id order."""
    project = _project(300)
    asked = [_id(number) for number in reversed(range(0, 500, 2))]
    read = list(by_ids(project.client(), CUSTOMERS, asked, budget=project.clock.budget()))
    assert [row.id for page in read for row in page] == [_id(number) for number in range(0, 300, 2)]
    assert len(project.requests) == 3
    assert all(len(str(request.url)) < 8000 for request in project.requests)


def test_the_next_hundred_are_fetched_while_the_caller_works() -> None:
    """One request ahead, no more."""
    project = _project(300)
    reading = by_ids(project.client(), CUSTOMERS, [_id(number) for number in range(300)], budget=budget_of(30))
    next(reading)
    deadline = time.monotonic() + 10
    while len(project.requests) < 2 and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(0.05)
    assert len(project.requests) == 2
    assert len([row for page in reading for row in page]) == 200


def test_customers_are_in_the_table_of_kinds() -> None:
    """Another kind is another line there."""
    assert KINDS["customers"] is CUSTOMERS
    assert CUSTOMERS.resource_type is Customer
