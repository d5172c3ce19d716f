"""`POST /sync/all`: one kind after the other, in the order in which they refer to each other, stoppable as one (http-api.md)."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import pytest

from tests.e2e.bulk_world import KINDS, PATIENCE_S, WRITES, Imports, is_write
from tests.e2e.fault_fixtures import hold


def _links(status: dict[str, Any]) -> dict[str, str]:
    return {link["kind"]: link["status"] for link in status["children"]}


def _first_at(imports: Imports, kind: str) -> float:
    return float(min(request["at"] for request in imports.calls(WRITES[kind])))


def test_everything_is_imported_in_the_order_in_which_it_refers_to_each_other(imports: Imports) -> None:
    """Categories, products, customers, orders: each begins when the one before has ended; all is right, and adds up."""
    status = imports.completed("all")
    assert _links(status) == dict.fromkeys(KINDS, "completed")
    for kind in KINDS:
        imports.assert_right(kind)
    imports.assert_within_limits()
    starts = [_first_at(imports, kind) for kind in KINDS]
    assert starts == sorted(starts)
    runs = [imports.run(link["runId"]) for link in status["children"]]
    assert [run["kind"] for run in runs] == list(KINDS)
    for before, after in pairwise(runs):
        assert before["finishedAt"] <= after["startedAt"]
    for field in ("seen", "sent", "skipped", "failed"):
        assert status[field] == sum(run[field] for run in runs)
    imports.assert_given_back(*KINDS)


def test_a_dry_run_of_everything_sends_nothing(imports: Imports) -> None:
    """Klaviyo hears nothing at all; what it would have heard of each kind is among the examples."""
    status = imports.completed("all", dryRun=True)
    assert _links(status) == dict.fromkeys(KINDS, "completed")
    assert imports.requests() == []
    assert {"catalog-category", "catalog-item", "a profile", "an event"} <= set(map(_shown, status["examples"]))


def test_what_was_modified_of_all_kinds_is_imported_alone(imports: Imports) -> None:
    """`modifiedAfter` goes for each."""
    imports.completed("categories")
    order, customer = imports.wanted("orders")[3], imports.wanted("customers")[3]
    since = imports.change("orders", order["id"], orderNumber="RENAMED-1")["lastModifiedAt"]
    imports.change("customers", customer["id"], firstName="Renamed")
    status = imports.completed("all", modifiedAfter=since)
    assert status["seen"] == status["sent"] > 0
    assert imports.in_klaviyo("orders") == {order["id"]}
    assert customer["id"] in imports.in_klaviyo("customers")
    assert imports.in_klaviyo("products") == set()
    assert len(imports.in_klaviyo("customers")) <= 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_chain_is_stopped_as_one_and_resumed_as_one(imports: Imports, kind: str) -> None:
    """Case 94: whichever kind it is at: nothing is sent after the stop, no other kind begins, and resume does the rest."""
    hold(imports.klaviyo, endpoint=WRITES[kind])
    run_id = imports.start("all")
    imports.until_held(imports.klaviyo)
    assert _links(imports.product.status("all"))[kind] == "running"
    status, stopped_at = imports.stopped("all")
    assert status["resumable"]
    imports.assert_silent_after(stopped_at)
    later = KINDS[KINDS.index(kind) + 1 :]
    assert [_links(imports.product.status("all"))[one] for one in later] == ["pending"] * len(later)
    assert imports.post("/sync/all/stop").status_code == 400
    imports.assert_given_back(*KINDS)
    imports.klaviyo_fails()
    status = imports.resumed("all", run_id)
    assert (status["status"], _links(status)) == ("completed", dict.fromkeys(KINDS, "completed"))
    for one in KINDS:
        imports.assert_right(one)


def test_a_stop_of_the_kind_that_runs_stops_the_chain(imports: Imports) -> None:
    """A link is no run of its own."""
    hold(imports.klaviyo, endpoint=WRITES["products"])
    imports.start("all")
    imports.until_held(imports.klaviyo)
    assert _links(imports.product.status("all"))["products"] == "running"
    imports.stopped("products")
    status = imports.product.wait(lambda status: status["status"] == "stopped", PATIENCE_S, "all")
    assert (_links(status)["customers"], _links(status)["orders"]) == ("pending", "pending")


def test_items_that_fail_do_not_stop_the_chain(imports: Imports) -> None:
    """It ends with errors, and each kind has been imported."""
    buyers = {order.get("customerId") for order in imports.of("orders")}
    broken = next(one for one in imports.wanted("customers") if one["id"] not in buyers)
    imports.change("customers", broken["id"], lastName=["not", "a", "text"])
    nameless = imports.put("categories", name=7, slug={"en": "broken"}, ancestors=[], orderHint="0.1")
    status = imports.imported("all")
    assert status["status"] == "completed_with_errors"
    links = _links(status)
    assert (links["categories"], links["customers"]) == ("completed_with_errors", "completed_with_errors")
    assert links["orders"] == "completed"
    assert {problem["id"] for problem in status["problems"]} == {broken["id"], nameless["id"]}
    assert imports.in_klaviyo("orders") == {order["id"] for order in imports.wanted("orders")}


def test_a_halt_stops_the_chain_and_resume_finishes_it(imports: Imports) -> None:
    """A refused key at the second kind: the others are not begun."""
    imports.klaviyo_fails({"kind": "status", "status": 401, "endpoint": WRITES["products"]})
    status = imports.imported("all")
    assert (status["status"], status["resumable"]) == ("halted", True)
    assert status["haltReason"]
    assert _links(status) == {"categories": "completed", "products": "halted", "customers": "pending", "orders": "pending"}
    halted_at = time.time()
    imports.assert_silent_after(halted_at)
    imports.klaviyo_fails()
    status = imports.resumed("all", status["runId"])
    assert _links(status) == dict.fromkeys(KINDS, "completed")
    for kind in KINDS:
        imports.assert_right(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_chain_does_not_begin_while_any_of_its_kinds_is_locked(imports: Imports, kind: str) -> None:
    """Case 77: 423 at once, and nothing is done, although the others are free."""
    hold(imports.klaviyo, path="/api/")
    run_id = imports.start(kind)
    answer = imports.post("/sync/all")
    assert (answer.status_code, answer.json()["error"]) == (423, "locked")
    assert answer.json()["runId"] == run_id
    imports.stopped(kind)
    imports.assert_given_back(*KINDS)


def test_while_a_chain_runs_the_kind_that_it_is_at_cannot_be_started(imports: Imports) -> None:
    """Case 77: 423 with the link's id, and another chain is refused with the chain's."""
    hold(imports.klaviyo, path="/api/")
    chain = imports.start("all")
    one = imports.post("/sync/categories")
    assert (one.status_code, one.json()["runId"]) == (423, f"{chain}-categories")
    other = imports.post("/sync/all")
    assert (other.status_code, other.json()["runId"]) == (423, chain)
    imports.stopped("all")


def test_a_chain_on_a_second_time_changes_nothing(imports: Imports) -> None:
    """All kinds again: no event is stored, no object of the catalog changes."""
    imports.completed("all")
    effects = imports.effects()[-1]["n"]
    imports.completed("all")
    again = imports.effects_by_kind(effects)
    assert not set(again) & {
        "event_stored",
        "item_updated",
        "item_created",
        "variant_updated",
        "variant_created",
        "category_updated",
    }
    for kind in KINDS:
        imports.assert_right(kind)
    assert any(is_write(request) for request in imports.requests())


def _shown(example: dict[str, Any]) -> str:
    """What an example of a dry run is of."""
    if "data" in example:
        return str(example["data"]["type"])
    return "an event" if "metric" in example else "a profile"
