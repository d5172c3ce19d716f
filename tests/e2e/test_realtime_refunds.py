"""Refunds (cases 52 to 56): each successful one is an event of its own, under an id that never changes (mapping.md "Refunds")."""

from __future__ import annotations

import itertools
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sandbox.notifications import messages
from sandbox.notifications.platform import without_payload
from shared.local.listening import free_port
from tests.e2e.realtime_requests import (
    adjusted,
    check_events,
    event,
    item_of,
    order_properties,
    payment,
    said,
    scopes,
    stored,
    transaction,
)
from tests.e2e.realtime_resources import line, money, order
from tests.e2e.realtime_world import ROOT, Sent, World, stamp

GUEST = {"email": "guest@example.com"}
LATER = "2026-09-22T10:00:00.000Z"
READ = {"GET payments/{id} 200": 1, "GET orders 200": 1, "GET products 200": 1}


def _paid(world: World, *payments: dict[str, Any], **different: Any) -> dict[str, Any]:
    """An order of 13 EUR with these payments, in this order."""
    named = [{"typeId": "payment", "id": held["id"]} for held in payments]
    return world.put("orders", **order(line("Shirt", world.new_id(), 1300), paymentInfo={"payments": named}, **different))


def _pay(world: World, *transactions: dict[str, Any]) -> dict[str, Any]:
    return world.put("payments", **payment(*transactions))


def _refunded(held: dict[str, Any], refund: dict[str, Any], *, linked: bool) -> Sent:
    """Refunded Order for a refund; one that is `linked` takes its amount off the order's revenue in Klaviyo."""
    properties = order_properties(held, *(item_of(row) for row in held["lineItems"]))
    unique_id = held["id"] if linked else f"{held['id']}:{refund['id']}"
    return event("Refunded Order", GUEST, unique_id, refund["timestamp"], refund["amount"]["centAmount"] / 100, properties)


def _added(world: World, held: dict[str, Any], refund: dict[str, Any], status: int = 204) -> None:
    assert world.deliver(messages.payment_transaction_added(held, refund, stamp())).status == status


def _changed(world: World, held: dict[str, Any], refund: dict[str, Any], status: int = 204) -> None:
    assert world.deliver(messages.payment_transaction_state_changed(held, refund, stamp())).status == status


def _succeeds(world: World, held: dict[str, Any], refund: dict[str, Any]) -> dict[str, Any]:
    """A refund succeeds later: the payment changes, and the notification is delivered. The payment now."""
    now = {**refund, "state": "Success"}
    transactions = [now if one["id"] == refund["id"] else one for one in held["transactions"]]
    held = world.change("payments", held["id"], transactions=transactions)
    _changed(world, held, now)
    return held


def test_a_successful_refund_is_an_event(world: World) -> None:
    """Case 52: 13.00: its own value at its own time; the payment and its order are read; no other payment is there.

    Difference from "unique_id incl. transaction id": the first refund of the charged payment has the order's id, by which alone
    Klaviyo takes it off the order's revenue (mapping.md "Refunds").
    """
    refund = transaction("Refund", 1300, timestamp=LATER)
    paid = _pay(world, transaction("Charge", 1300), refund)
    held = _paid(world, paid)
    _added(world, paid, refund)
    check_events(world, _refunded(held, refund, linked=True))
    assert world.reads() == READ
    assert world.outcomes() == [("PaymentTransactionAdded", "done", None)]


def test_a_refund_of_a_payment_without_a_successful_charge_has_an_id_of_its_own(world: World) -> None:
    """Case 52: the id with the transaction's, as the case says."""
    refund = transaction("Refund", 1300)
    paid = _pay(world, transaction("Charge", 1300, "Failure"), refund)
    held = _paid(world, paid)
    _added(world, paid, refund)
    check_events(world, _refunded(held, refund, linked=False))


def test_a_refund_without_a_time_has_that_of_the_payments_last_change(world: World) -> None:
    """Case 52: the timestamp of a transaction is optional in commercetools."""
    refund = {name: value for name, value in transaction("Refund", 1300).items() if name != "timestamp"}
    paid = _pay(world, transaction("Charge", 1300), refund)
    held = _paid(world, paid)
    _added(world, paid, refund)
    check_events(world, _refunded(held, {**refund, "timestamp": paid["lastModifiedAt"]}, linked=True))


def test_the_profile_and_the_currency_are_those_of_order_and_refund(world: World) -> None:
    """Case 52: the customer of the order by id and e-mail; the currency in which was refunded."""
    ada = world.put("customers", email="ada@example.com")
    refund = transaction("Refund", 0, amount=money(1450, "CHF"))
    paid = _pay(world, transaction("Charge", 1300), refund)
    _paid(world, paid, customerId=ada["id"], customerEmail="ada@example.com")
    _added(world, paid, refund)
    (sent,) = world.sent()
    attributes = said(sent)
    assert attributes["profile"]["data"]["attributes"] == {"external_id": ada["id"], "email": "ada@example.com"}
    assert (attributes["value"], attributes["value_currency"]) == (14.5, "CHF")


def test_a_refund_that_is_not_yet_successful_is_no_event(world: World) -> None:
    """Case 53: Initial, Pending, then Success: one event, on success; the older product's first one had the value 0."""
    refund = transaction("Refund", 1300, "Initial")
    charge = transaction("Charge", 1300)
    paid = _pay(world, charge, refund)
    held = _paid(world, paid)
    _added(world, paid, refund)
    assert world.reads() == {"GET payments/{id} 200": 1}
    pending = {**refund, "state": "Pending"}
    paid = world.change("payments", paid["id"], transactions=[charge, pending])
    _changed(world, paid, pending)
    assert world.sent() == []
    assert world.outcomes() == [("PaymentTransactionStateChanged", "skipped", "no_successful_refund")]
    _succeeds(world, paid, pending)
    check_events(world, _refunded(held, refund, linked=True))


def test_a_late_notification_of_a_refund_that_is_successful_meanwhile_sends_it_at_once(world: World) -> None:
    """Case 53: state before deltas: the payment is read, and what it says now counts; the event is the same twice."""
    refund = transaction("Refund", 1300)
    paid = _pay(world, transaction("Charge", 1300), refund)
    held = _paid(world, paid)
    _added(world, paid, {**refund, "state": "Initial"})
    _changed(world, paid, refund)
    expected = _refunded(held, refund, linked=True)
    assert world.sent() == [expected] * 2
    assert world.events() == [stored(expected)]


def test_a_state_that_is_not_configured_is_not_looked_at(world: World) -> None:
    """Case 53: `payment.states.validTransactionStates` says which notifications are looked at, no more."""
    refund = transaction("Refund", 1300, "Failure")
    paid = _pay(world, transaction("Charge", 1300), refund)
    _changed(world, paid, refund)
    assert (world.sent(), world.reads()) == ([], {})
    assert world.outcomes() == [("PaymentTransactionStateChanged", "skipped", "not_configured")]


def test_two_partial_refunds_are_two_events(world: World) -> None:
    """Case 54: 5 and 8: each with its own value; the older product sends the first only."""
    five, eight = transaction("Refund", 500), transaction("Refund", 800, timestamp=LATER)
    charge = transaction("Charge", 1300)
    paid = _pay(world, charge, five)
    held = _paid(world, paid)
    _added(world, paid, five)
    paid = world.change("payments", paid["id"], meanwhile=True, transactions=[charge, five, eight])
    _added(world, paid, eight)
    expected = [_refunded(held, five, linked=True), _refunded(held, eight, linked=False)]
    assert world.sent() == expected
    assert world.events() == [stored(sent) for sent in expected]


@pytest.mark.parametrize("second_first", [False, True], ids=["in order", "out of order"])
def test_refunds_that_succeed_in_any_order_have_the_same_ids(world: World, second_first: bool) -> None:
    """Case 54: the first refund in the list has the order's id, whichever of the two succeeds first; each is sent once."""
    one, two = transaction("Refund", 500, "Pending"), transaction("Refund", 800, "Pending")
    paid = _pay(world, transaction("Charge", 1300), one, two)
    held = _paid(world, paid)
    for refund in (two, one) if second_first else (one, two):
        paid = _succeeds(world, paid, refund)
        assert world.sent() == [_refunded(held, refund, linked=refund is one)]
    assert len(world.events()) == 2


@pytest.mark.parametrize("second_first", [False, True], ids=["first payment first", "second payment first"])
def test_refunds_on_two_payments_have_the_same_ids_in_both_orders_of_success(world: World, second_first: bool) -> None:
    """Case 54: our own: the refund of the first charged payment has the order's id, the other one never."""
    refunds = [transaction("Refund", 500, "Pending"), transaction("Refund", 800, "Pending", timestamp=LATER)]
    payments = [_pay(world, transaction("Charge", 650), refund) for refund in refunds]
    held = _paid(world, *payments)
    for at in (1, 0) if second_first else (0, 1):
        _succeeds(world, payments[at], refunds[at])
    expected = [_refunded(held, refund, linked=at == 0) for at, refund in enumerate(refunds)]
    assert sorted(world.events(), key=repr) == sorted(map(stored, expected), key=repr)


def test_a_refund_on_a_second_payment_does_not_take_the_orders_id_if_the_first_was_never_charged(world: World) -> None:
    """Case 54: the first payment *with a successful charge* counts: here the second one of the order."""
    one, two = transaction("Refund", 500), transaction("Refund", 800)
    failed = _pay(world, transaction("Charge", 1300, "Failure"), one)
    charged = _pay(world, transaction("Charge", 1300), two)
    held = _paid(world, failed, charged)
    _added(world, failed, one)
    _added(world, charged, two)
    assert world.sent() == [_refunded(held, one, linked=False), _refunded(held, two, linked=True)]


@pytest.mark.parametrize("kind", ["added", "changed"])
def test_without_the_payload_every_successful_refund_of_the_payment_is_sent(world: World, kind: str) -> None:
    """Case 54: our own: it is not known which one is meant; those that Klaviyo has already are ignored there."""
    five, eight, failed = transaction("Refund", 500), transaction("Refund", 800), transaction("Refund", 100, "Failure")
    paid = _pay(world, transaction("Charge", 1300), five, failed, eight)
    held = _paid(world, paid)
    _added(world, paid, five)
    build = messages.payment_transaction_added if kind == "added" else messages.payment_transaction_state_changed
    assert world.deliver(without_payload(build(paid, eight, stamp()))).status == 204
    expected = [_refunded(held, five, linked=True), _refunded(held, eight, linked=False)]
    assert world.sent() == [expected[0], *expected]
    assert world.events() == [stored(sent) for sent in expected]


@pytest.mark.parametrize("with_order", [True, False], ids=["with order", "without order"])
def test_a_charge_is_no_event_and_no_dead_letter(world: World, with_order: bool) -> None:
    """Case 55: the state of a charge changes: the payment is read, 204; no order is looked for, so none can be missing."""
    charge = transaction("Charge", 1300)
    paid = _pay(world, charge)
    if with_order:
        _paid(world, paid)
    _changed(world, paid, charge)
    assert (world.sent(), world.reads(), world.dead_letters()) == ([], {"GET payments/{id} 200": 1}, [])
    assert world.outcomes() == [("PaymentTransactionStateChanged", "skipped", "no_successful_refund")]


def test_a_charge_of_a_payment_that_was_refunded_before_is_no_dead_letter_either(world: World) -> None:
    """Case 55: the notification speaks of the charge alone, so the order of the refund is not looked for."""
    charge = transaction("Charge", 1300)
    paid = _pay(world, charge, transaction("Refund", 500))
    _changed(world, paid, charge)
    assert (world.sent(), world.reads(), world.dead_letters()) == ([], {"GET payments/{id} 200": 1}, [])
    assert world.outcomes() == [("PaymentTransactionStateChanged", "skipped", "no_successful_refund")]


def test_an_added_charge_is_not_even_read(world: World) -> None:
    """Case 55: the message says that it is a charge."""
    charge = transaction("Charge", 1300)
    _added(world, _pay(world, charge), charge)
    assert (world.sent(), world.reads(), world.dead_letters()) == ([], {}, [])


def _replay(world: World, letter_id: str) -> subprocess.CompletedProcess[str]:
    """`ct-klaviyo dead-letters replay` beside the function."""
    environment = world.functions.servers.environment(world.function.state, free_port(), REALTIME_DEADLINE_S="6")
    command = [sys.executable, "-m", "shared.cli", "dead-letters", "replay", letter_id]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("once_named", [False, True], ids=["never had an order", "removed from its order"])
def test_a_refund_without_an_order_is_looked_for_and_then_set_aside(world: World, once_named: bool) -> None:
    """Case 56: a few looks inside the deadline, then a dead letter; replayed when there is an order, the event is sent."""
    brief = world.having(REALTIME_DEADLINE_S="6")
    refund = transaction("Refund", 1300)
    paid = _pay(brief, transaction("Charge", 1300), refund)
    held = _paid(brief, *([paid] if once_named else []))
    if once_named:
        brief.change("orders", held["id"], paymentInfo={"payments": []})
    _added(brief, paid, refund, status=202)
    assert brief.sent() == []
    looks = brief.reads()["GET orders 200"]
    assert brief.reads() == {"GET payments/{id} 200": 1, "GET orders 200": looks}
    assert 2 <= looks <= 4
    (letter,) = brief.dead_letters()
    assert letter.reason == "no_order_for_payment"
    assert (letter.message_type, letter.resource_type, letter.resource_id) == ("PaymentTransactionAdded", "payment", paid["id"])
    assert _replay(brief, letter.letter_id).returncode == 1
    assert [kept.letter_id for kept in brief.dead_letters()] == [letter.letter_id]
    brief.change("orders", held["id"], paymentInfo={"payments": [{"typeId": "payment", "id": paid["id"]}]})
    replayed = _replay(brief, letter.letter_id)
    assert (replayed.returncode, replayed.stdout.splitlines()[-1]) == (0, "1 of 1 dead letter settled")
    check_events(brief, _refunded(held, refund, linked=True))
    assert brief.dead_letters() == []


def test_an_order_that_is_made_at_this_moment_is_waited_for(world: World) -> None:
    """Case 56: the payment is there a little before the order that names it: no dead letter, one delivery."""
    refund = transaction("Refund", 1300)
    paid = _pay(world, transaction("Charge", 1300), refund)
    held = _paid(world)
    with ThreadPoolExecutor(1) as pool:
        delivered = pool.submit(_added, world, paid, refund)
        world.wait_for(lambda: world.reads().get("GET orders 200") == 1)
        named = {"payments": [{"typeId": "payment", "id": paid["id"]}]}
        held = world.change("orders", held["id"], meanwhile=True, paymentInfo=named)
        delivered.result()
    check_events(world, _refunded(held, refund, linked=True))
    assert world.dead_letters() == []


def test_a_payment_that_is_gone_is_skipped(world: World) -> None:
    """Case 56: commercetools answers 404: nothing of it can be sent any more."""
    refund = transaction("Refund", 1300)
    _added(world, {"id": world.new_id(), "version": 2}, refund)
    assert world.sent() == []
    assert world.outcomes() == [("PaymentTransactionAdded", "skipped", "gone")]


def test_a_refund_of_an_order_of_nobody_is_skipped(world: World) -> None:
    """Case 56: an order without e-mail and customer has no events at all."""
    refund = transaction("Refund", 1300)
    paid = _pay(world, transaction("Charge", 1300), refund)
    named = {"payments": [{"typeId": "payment", "id": paid["id"]}]}
    fields = order(line("Shirt", world.new_id(), 1300), paymentInfo=named)
    del fields["customerEmail"]
    world.put("orders", **fields)
    _added(world, paid, refund)
    assert world.sent() == []
    assert world.outcomes() == [("PaymentTransactionAdded", "skipped", "no_identity")]


@pytest.mark.parametrize(("path", "status"), list(itertools.product(("payments", "orders"), (500, 403))))
def test_a_refund_that_cannot_be_read_now_comes_again(world: World, path: str, status: int) -> None:
    """Case 56: payments and orders are no optional look-ups: 503 until they can be read, and no dead letter."""
    brief = world.having(REALTIME_DEADLINE_S="1.5")
    refund = transaction("Refund", 1300)
    paid = _pay(brief, transaction("Charge", 1300), refund)
    held = _paid(brief, paid)
    brief.commercetools_fails({"kind": "status", "status": status, "path": f"/sandbox/{path}"})
    _added(brief, paid, refund, status=503)
    assert (brief.sent(), brief.dead_letters()) == ([], [])
    world.commercetools_fails()
    _added(world, paid, refund)
    check_events(world, _refunded(held, refund, linked=True))


def test_an_api_client_without_scopes_for_the_catalog_sends_refunds_all_the_same(world: World) -> None:
    """decisions.md 4: products are an optional look-up."""
    narrow = world.having(CT_SCOPES=scopes("view_orders", "view_payments"))
    refund = transaction("Refund", 1300)
    paid = _pay(narrow, transaction("Charge", 1300), refund)
    held = _paid(narrow, paid)
    _added(narrow, paid, refund)
    check_events(narrow, _refunded(held, refund, linked=True))
    assert adjusted(narrow) == ["lookup_forbidden"]
