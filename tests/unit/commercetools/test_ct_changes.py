"""What changed, in the order of change; which ids exist (flows.md "Closing sweep")."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from fake_commercetools import Clock, FakeProject, error_body

from shared.commercetools.changes import changed_ids, changed_skus, existing
from shared.commercetools.kinds import CUSTOMERS, PRODUCTS
from shared.commercetools.predicates import Filter, ModifiedCursor
from shared.commercetools.verdict import QUERY_TOO_COMPLEX, Forbidden
from shared.errors import AuthError, HostDown, PermanentError

SINCE = "2026-03-01T12:00:00.000Z"
AT = "2026-03-01T12:00:01.000Z"


def _project(*script: httpx.Response) -> FakeProject:
    project = FakeProject(Clock())
    project.script = list(script)
    return project


def _page(rows: list[dict[str, Any]]) -> httpx.Response:
    return httpx.Response(200, json={"data": {"page": {"results": rows}}})


def _rows(count: int) -> list[dict[str, Any]]:
    return [{"id": f"{number:03d}", "lastModifiedAt": AT} for number in range(count)]


def _variables(project: FakeProject) -> list[dict[str, Any]]:
    return [json.loads(request.content)["variables"] for request in project.requests]


def test_changes_are_asked_for_in_the_order_of_change_behind_the_last_one() -> None:
    """By time and then by id, for many may have been changed in one moment; ids only."""
    project = _project(_page(_rows(2)))
    where = Filter(modified_after=SINCE, behind=ModifiedCursor(AT, "a"))
    found = changed_ids(project.client(), CUSTOMERS, where, 2, budget=project.clock.budget())
    assert (found.found, found.last, found.ended) == (["000", "001"], ModifiedCursor(AT, "001"), False)
    (variables,) = _variables(project)
    assert variables["sort"] == ["lastModifiedAt asc", "id asc"]
    assert variables["where"] == (
        f'lastModifiedAt >= "{SINCE}" and (lastModifiedAt > "{AT}" or (lastModifiedAt = "{AT}" and id > "a"))'
    )


def test_a_short_page_ends_the_changes() -> None:
    """And none at all leaves the place where it was."""
    project = _project(_page(_rows(1)), _page([]))
    client, budget = project.client(), project.clock.budget()
    assert changed_ids(client, CUSTOMERS, Filter(modified_after=SINCE), 2, budget=budget).ended
    nothing = changed_ids(client, CUSTOMERS, Filter(modified_after=SINCE), 2, budget=budget)
    assert (nothing.found, nothing.last, nothing.ended) == ([], None, True)


def test_changes_that_are_too_many_for_one_query_are_asked_for_in_halves() -> None:
    """A full half is not the end."""
    project = _project(error_body(400, QUERY_TOO_COMPLEX), _page(_rows(250)))
    found = changed_ids(project.client(), CUSTOMERS, Filter(modified_after=SINCE), budget=project.clock.budget())
    assert [asked["limit"] for asked in _variables(project)] == [500, 250]
    assert (len(found.found), found.ended) == (250, False)


def test_another_refusal_is_raised() -> None:
    """As is one of a query that can hardly be smaller."""
    for script, size in (([error_body(400, "InvalidInput")], 500), ([error_body(400, QUERY_TOO_COMPLEX)], 20)):
        project = _project(*script)
        with pytest.raises(PermanentError):
            changed_ids(project.client(), CUSTOMERS, Filter(modified_after=SINCE), size, budget=project.clock.budget())


def test_skus_of_changed_entries_are_read_a_page_at_a_time() -> None:
    """Those without a SKU are passed over, but count for the page."""
    rows = [{**row, "sku": f"s{row['id']}"} for row in _rows(499)] + [{"id": "999", "lastModifiedAt": AT}]
    project = _project(httpx.Response(200, json={"results": rows}))
    found = changed_skus(project.client(), "inventory", Filter(modified_after=SINCE), budget=project.clock.budget())
    assert (len(found.found), found.last, found.ended) == (499, ModifiedCursor(AT, "999"), False)
    params = project.requests[0].url.params
    assert params.get_list("sort") == ["lastModifiedAt asc", "id asc"]
    assert (params["limit"], params["withTotal"], params["var.modifiedAfter"]) == ("500", "false", SINCE)


def test_entries_that_may_not_be_read_are_no_reason_to_halt() -> None:
    """The caller goes on without; the resources themselves are another matter."""
    budget = _project().clock.budget()
    with pytest.raises(Forbidden):
        changed_skus(_project(error_body(403, "insufficient_scope")).client(), "inventory", Filter(), budget=budget)
    with pytest.raises(AuthError):
        changed_ids(_project(error_body(403, "insufficient_scope")).client(), PRODUCTS, Filter(), budget=budget)


def test_only_what_exists_and_passes_is_found() -> None:
    """Five hundred ids a query; the condition is repeated in each."""
    ids = [f"{number:03d}" for number in range(3)]
    project = _project(_page([{"id": "001"}]))
    where = Filter(fixed="masterData(published = true)")
    assert existing(project.client(), PRODUCTS, ids, where, budget=project.clock.budget()) == {"001"}
    (variables,) = _variables(project)
    assert variables == {"where": 'masterData(published = true) and id in ("000", "001", "002")', "limit": 500}


def test_ids_that_are_too_many_for_one_query_are_looked_up_in_halves() -> None:
    """And none is passed over."""
    ids = [f"{number:03d}" for number in range(500)]
    halves = [_page([{"id": item} for item in part]) for part in (ids[:250], ids[250:])]
    project = _project(error_body(400, QUERY_TOO_COMPLEX), *halves)
    assert existing(project.client(), PRODUCTS, ids, Filter(), budget=project.clock.budget()) == set(ids)


def test_an_answer_that_is_not_the_api_s_is_transient() -> None:
    """It is no reason to take something for deleted."""
    for answer in (httpx.Response(200, text="<html>"), httpx.Response(200, json={"data": {"page": {}}})):
        project = _project(answer)
        with pytest.raises(HostDown):
            existing(project.client(), PRODUCTS, ["a"], Filter(), budget=project.clock.budget())
