"""Orders in bulk: which events, when, under which ids, and how often (mapping.md "Events"; cases 83 to 86)."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from sandbox.notifications import messages
from tests.e2e.bulk_world import Imports
from tests.e2e.fault_fixtures import klaviyo_settings
from tests.e2e.realtime_resources import line, money, order
from tests.e2e.realtime_world import Functions, World, functions_on, stamp

SINGLE, BULK = "POST /api/events", "POST /api/event-bulk-create-jobs"


def _line(name: str, cents: int) -> dict[str, Any]:
    return line(name, str(uuid.uuid4()), cents)


def _second(moment: str, plus_s: int = 0) -> int:
    return int((datetime.fromisoformat(moment) + timedelta(seconds=plus_s)).timestamp())


def _told(imports: Imports) -> set[tuple[str, str, int, float, str]]:
    """Each event of Klaviyo: metric, unique id, time, value and currency; none may start a flow."""
    events = imports.events()
    assert all(event["backfill"] for event in events)
    told = [(e["metric"], e["unique_id"], int(e["time"]), e["value"], e["value_currency"]) for e in events]
    assert len(told) == len(set(told))
    return set(told)


def _placed(held: dict[str, Any]) -> set[tuple[str, str, int, float, str]]:
    """Placed Order at the creation, an Ordered Product for each line one second later."""
    created = held["createdAt"]
    whole = ("Placed Order", held["id"], _second(created), held["totalPrice"]["centAmount"] / 100, "EUR")
    lines = (
        ("Ordered Product", row["id"], _second(created, 1), row["totalPrice"]["centAmount"] / 100, "EUR")
        for row in held["lineItems"]
    )
    return {whole, *lines}


def test_a_complete_order_is_placed_ordered_and_fulfilled(imports: Imports) -> None:
    """Case 83: two lines; the ids of realtime; Fulfilled when the first delivery was made, the true time."""
    delivery = {"id": str(uuid.uuid4()), "createdAt": "2026-05-06T08:00:00.000Z", "items": [], "parcels": []}
    held = imports.put(
        "orders",
        **order(_line("Shirt", 1300), _line("Hat", 700), orderState="Complete", completedAt="2026-05-07T08:00:00.000Z"),
        shippingInfo={"shippingMethodName": "Parcel", "price": money(0), "deliveries": [delivery]},
    )
    status = imports.completed("orders", ids=[held["id"]])
    assert (status["seen"], status["sent"]) == (1, 1)
    fulfilled = ("Fulfilled Order", held["id"], _second(delivery["createdAt"]), 20.0, "EUR")
    assert _told(imports) == {*_placed(held), fulfilled}


@pytest.mark.parametrize("completed_at", ["2026-05-07T08:00:00.000Z", None])
def test_without_a_delivery_an_order_was_fulfilled_when_it_was_completed(imports: Imports, completed_at: str | None) -> None:
    """Case 83: `completedAt`, else the last change."""
    known = {"completedAt": completed_at} if completed_at else {}
    held = imports.put("orders", **order(_line("Shirt", 1300), orderState="Complete", **known))
    imports.completed("orders", ids=[held["id"]])
    at = _second(completed_at or held["lastModifiedAt"])
    assert _told(imports) == {*_placed(held), ("Fulfilled Order", held["id"], at, 13.0, "EUR")}


def test_a_cancelled_order_is_placed_and_cancelled(imports: Imports) -> None:
    """Case 84: one line; Cancelled at the last change."""
    held = imports.put("orders", **order(_line("Shirt", 1300), orderState="Cancelled"))
    imports.completed("orders", ids=[held["id"]])
    assert _told(imports) == {
        *_placed(held),
        ("Cancelled Order", held["id"], _second(held["lastModifiedAt"]), 13.0, "EUR"),
    }


def _transaction(type_: str, state: str, cents: int, **known: Any) -> dict[str, Any]:
    return {"id": str(uuid.uuid4()), "type": type_, "state": state, "amount": money(cents), **known}


def _paid(imports: Imports, *lines: dict[str, Any], transactions: list[dict[str, Any]]) -> dict[str, Any]:
    payment = imports.put("payments", amountPlanned=money(1300), transactions=transactions, interfaceInteractions=[])
    references = {"payments": [{"typeId": "payment", "id": payment["id"]}]}
    return imports.put("orders", **order(*lines, paymentInfo=references))


def test_every_successful_refund_of_an_order_is_an_event(imports: Imports) -> None:
    """Case 85: two of three, each with its own value, id and moment: the first refund has the order's id."""
    first = _transaction("Refund", "Success", 500, timestamp="2026-05-08T10:00:00.000Z")
    second = _transaction("Refund", "Success", 800, timestamp="2026-05-09T10:00:00.000Z")
    charge, pending = _transaction("Charge", "Success", 1300), _transaction("Refund", "Pending", 100)
    held = _paid(imports, _line("Shirt", 1300), transactions=[charge, first, pending, second])
    imports.completed("orders", ids=[held["id"]])
    assert _told(imports) == {
        *_placed(held),
        ("Refunded Order", held["id"], _second(first["timestamp"]), 5.0, "EUR"),
        ("Refunded Order", f"{held['id']}:{second['id']}", _second(second["timestamp"]), 8.0, "EUR"),
    }
    assert imports.reads("payments") == 1
    assert imports.reads("payments/{id}") == 0


def test_payments_and_products_are_read_for_many_orders_at_once(imports: Imports) -> None:
    """Case 85: sixty orders with their payments cost a few requests, not one each."""
    imports.completed("orders")
    assert 1 <= imports.reads("payments") <= 4
    assert imports.reads("payments/{id}") == imports.reads("products/{id}") == 0
    assert imports.reads("products") <= 4
    assert imports.reads("categories") <= 4


def test_ten_orders_of_one_line_are_twenty_events(imports: Imports) -> None:
    """Case 86: read in two pages or one, each order is placed and its line ordered, once."""
    held = [imports.put("orders", **order(_line("Shirt", 1300))) for _ in range(10)]
    status = imports.completed("orders", ids=[one["id"] for one in held])
    assert (status["seen"], status["sent"]) == (10, 10)
    assert _told(imports) == set().union(*(_placed(one) for one in held))
    assert len(imports.events()) == 20


def test_orders_over_several_pages_are_all_read_once(imports: Imports) -> None:
    """Case 86, Case 81: six hundred and two orders are more than a page; none is left out, none comes twice."""
    held = [imports.put("orders", **order(_line("Shirt", 1300))) for _ in range(602)]
    status = imports.completed("orders", ids=[one["id"] for one in held])
    assert (status["seen"], status["sent"]) == (602, 602)
    assert imports.found_events() == imports.expected_events(held)
    bodies = [len(request["identities"]) for request in imports.calls(BULK)]
    assert sum(bodies) == 1204
    assert max(bodies) <= 1000


@pytest.mark.parametrize("reading", ["ignore", "refuse"])
def test_an_import_again_stores_nothing_twice_whatever_klaviyo_makes_of_stored_ids(imports: Imports, reading: str) -> None:
    """Both readings of the contract: stored ids are passed over, or refuse the body, and then single events do it."""
    with klaviyo_settings(imports.klaviyo, stored_unique_ids=reading):
        first = imports.completed("orders")
        imports.assert_right("orders")
        newer = [imports.put("orders", **order(_line("Shirt", 1300))) for _ in range(3)]
        effects = imports.effects()[-1]["n"]
        second = imports.completed("orders")
    assert second["skipped"] == first["skipped"]
    assert second["failed"] == 0
    imports.assert_right("orders")
    imports.assert_within_limits()
    stored = Counter(effect["identity"] for effect in imports.effects(effects) if effect["kind"] == "event_stored")
    assert stored == Counter(f"{metric}:{unique_id}" for metric, unique_id in imports.expected_events(newer))
    if reading == "ignore":
        assert imports.calls(SINGLE) == []


def test_an_event_that_klaviyo_refuses_costs_that_event_and_names_its_order(imports: Imports) -> None:
    """The order has failed; all others are there, and the body went again without the row."""
    good = [imports.put("orders", **order(_line("Shirt", 1300))) for _ in range(4)]
    bad = imports.put("orders", **order(_line("Shirt", 1300), customerEmail="somebody@example,com"))
    status = imports.imported("orders", ids=[one["id"] for one in (*good, bad)])
    assert (status["status"], status["sent"], status["failed"]) == ("completed_with_errors", 4, 1)
    assert [problem["id"] for problem in status["problems"]] == [bad["id"]]
    assert "example,com" not in str(status)
    assert imports.found_events() == imports.expected_events(good)


def test_an_order_of_nobody_is_skipped_with_the_reason(imports: Imports) -> None:
    """Neither e-mail nor customer."""
    nobodys = imports.put("orders", **order(_line("Shirt", 1300), customerEmail=None))
    status = imports.completed("orders", ids=[nobodys["id"]])
    assert (status["sent"], status["skipped"]) == (0, 1)
    assert len(status["skippedReasons"]) == 1
    assert imports.events() == []


def test_a_refund_that_has_succeeded_since_is_brought_by_the_next_import_alone(imports: Imports) -> None:
    """Case 85: the events of the first import are known to Klaviyo; the refund is the one that is stored."""
    refund = _transaction("Refund", "Initial", 500, timestamp="2026-05-08T10:00:00.000Z")
    charge = _transaction("Charge", "Success", 1300)
    held = _paid(imports, _line("Shirt", 1300), transactions=[charge, refund])
    imports.completed("orders", ids=[held["id"]])
    assert _told(imports) == _placed(held)
    effects = imports.effects()[-1]["n"]
    payment = held["paymentInfo"]["payments"][0]["id"]
    imports.change("payments", payment, transactions=[charge, {**refund, "state": "Success"}])
    imports.completed("orders", ids=[held["id"]])
    assert _told(imports) == {*_placed(held), ("Refunded Order", held["id"], _second(refund["timestamp"]), 5.0, "EUR")}
    assert imports.effects_by_kind(effects)["event_stored"] == 1


@pytest.fixture(scope="module")
def realtime(served_imports: Imports, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Functions]:
    """The realtime function between the same simulators."""
    with functions_on(served_imports.product.servers, tmp_path_factory.mktemp("realtime")) as functions:
        yield functions


def test_realtime_and_import_fall_on_the_same_events(imports: Imports, realtime: Functions) -> None:
    """Case 83, Case 85: what was imported and is then heard of is stored once; so is what was heard of and is then imported."""
    refund = _transaction("Refund", "Success", 500, timestamp="2026-05-08T10:00:00.000Z")
    charge = _transaction("Charge", "Success", 1300)
    held = _paid(imports, _line("Shirt", 600), _line("Hat", 700), transactions=[charge, refund])
    held = imports.change("orders", held["id"], orderState="Complete", completedAt=held["lastModifiedAt"])
    (payment,) = (one for one in imports.of("payments") if one["id"] == held["paymentInfo"]["payments"][0]["id"])
    heard_first = imports.put("orders", **order(_line("Coat", 9000)))
    world = World(realtime, realtime.having())

    assert world.deliver(messages.order_placed(heard_first, stamp(), "OrderCreated")).status == 204
    imports.completed("orders", ids=[held["id"], heard_first["id"]])
    expected = imports.expected_events([held, heard_first])
    assert imports.found_events() == expected
    effects = imports.effects()[-1]["n"]
    for notification in (
        messages.order_placed({**held, "orderState": "Open"}, stamp(), "OrderCreated"),
        messages.order_state_changed(held, "Open", stamp()),
        messages.payment_transaction_added(payment, refund, stamp()),
    ):
        assert world.deliver(notification).status == 204
    assert imports.found_events() == expected
    assert imports.effects_by_kind(effects)["event_ignored"] == len(imports.expected_events([held]))
