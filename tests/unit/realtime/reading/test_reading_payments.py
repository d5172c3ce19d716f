"""A payment with the order that it belongs to (mapping.md "Refunds", case 56)."""

from __future__ import annotations

import time
from typing import Any

import pytest
from reading_world import NOWHERE, Clock, World, budget, configured, notification, pauses_of, read

from shared.budget import Budget
from shared.mapping.sources import PaidOrderSource
from shared.realtime.notification import Notification
from shared.realtime.order_reading import ORDER_WAITS_S, NoOrderForPayment

MONEY = {"type": "centPrecision", "currencyCode": "EUR", "centAmount": 500, "fractionDigits": 2}


def payment(world: World, *states: tuple[str, str]) -> str:
    """The id of a new payment with transactions of these types and states."""
    transactions = [
        {"id": f"t-{number}", "type": kind, "state": state, "amount": MONEY} for number, (kind, state) in enumerate(states)
    ]
    return str(world.create("payments", transactions=transactions)["id"])


def order(world: World, *payment_ids: str, **fields: Any) -> str:
    """The id of a new order that names these payments."""
    payments = [{"typeId": "payment", "id": payment_id} for payment_id in payment_ids]
    made = world.create("orders", totalPrice=MONEY, lineItems=[], paymentInfo={"payments": payments}, **fields)
    return str(made["id"])


def added(payment_id: str) -> Notification:
    return notification("PaymentTransactionAdded", "payment", payment_id)


REFUNDED = ("Refund", "Success")
CHARGED = ("Charge", "Success")


def test_a_refunded_payment_comes_with_its_order_and_all_payments_of_that(world: World) -> None:
    """In the order in which the order names them; one that is gone is not there."""
    payments = [payment(world, CHARGED), payment(world, CHARGED, REFUNDED), payment(world, CHARGED), payment(world, CHARGED)]
    for listed in (payments[::-1], payments):
        order_id = order(world, *listed, NOWHERE, orderNumber="N-1")
        world.asked()
        source = read(world.sources(), PaidOrderSource, added(payments[1])).source
        assert world.asked() == {"payments/{id}": 1, "orders": 1, "payments": 1}
        assert source.order is not None
        assert (source.order.order.id, source.order.order.orderNumber) == (order_id, "N-1")
        assert [row.id for row in source.payments] == listed
        assert source.payment == source.payments[listed.index(payments[1])]
        world.delete("orders", order_id)


def test_the_order_of_a_refund_comes_with_its_customer(world: World) -> None:
    """As of now, like that of any other event."""
    customer = world.row("customers")
    refunded = payment(world, REFUNDED)
    order(world, refunded, customerId=customer["id"], customerEmail="as.then@example.com")
    world.asked()
    source = read(world.sources(), PaidOrderSource, added(refunded)).source
    assert world.asked() == {"payments/{id}": 1, "orders": 1, "customers": 1}
    assert source.order is not None
    assert source.order.customer is not None
    assert source.order.customer.email == customer["email"]


def test_the_raw_order_is_kept_where_raw_fields_are_sent(world: World) -> None:
    """As for any other event."""
    world.document = configured(order={"properties": {"raw": True}})
    refunded = payment(world, REFUNDED)
    order_id = order(world, refunded)
    source = read(world.sources(), PaidOrderSource, added(refunded)).source
    assert source.order is not None
    assert source.order.raw == world.row("orders", lambda row: row["id"] == order_id)


@pytest.mark.parametrize("states", [[], [CHARGED], [CHARGED, ("Refund", "Initial"), ("Refund", "Failure")]])
def test_nobody_looks_for_the_order_of_a_payment_without_a_successful_refund(world: World, states: Any) -> None:
    """There is nothing to send."""
    payment_id = payment(world, *states)
    order(world, payment_id)
    world.asked()
    source = read(world.sources(), PaidOrderSource, added(payment_id)).source
    assert (source.order, source.payments) == (None, [])
    assert world.asked() == {"payments/{id}": 1}


def test_of_several_orders_with_the_payment_the_oldest_counts(world: World) -> None:
    """By the time of its creation, whatever its id."""
    refunded = payment(world, REFUNDED)
    oldest = order(world, refunded, id="f0000000-0000-4000-8000-000000000000")
    time.sleep(0.005)  # times have milliseconds
    order(world, refunded, id="00000000-0000-4000-8000-000000000000")
    created = {row["id"]: row["createdAt"] for row in world.rows("orders")}
    assert created[oldest] < created["00000000-0000-4000-8000-000000000000"]
    source = read(world.sources(), PaidOrderSource, added(refunded)).source
    assert source.order is not None
    assert source.order.order.id == oldest


def test_an_order_that_is_about_to_be_made_is_waited_for(world: World) -> None:
    """A payment may exist before its order does."""
    refunded = payment(world, REFUNDED)
    clock, made = Clock(), list[str]()

    def sleeper(seconds: float) -> None:
        clock.now += seconds
        if clock.now >= 1001.0 and not made:
            made.append(order(world, refunded))

    waiting = Budget(deadline=clock.now + 8.5, monotonic=clock, sleeper=sleeper)
    world.asked()
    found = world.sources().read(PaidOrderSource, added(refunded), waiting)
    assert world.asked()["orders"] == 3
    assert found is not None
    assert found.source.order is not None
    assert found.source.order.order.id == made[0]


def test_a_payment_without_an_order_is_a_permanent_failure_after_a_few_looks(world: World) -> None:
    """So that it is set aside and does not come back for ever; a person may replay it."""
    refunded = payment(world, REFUNDED)
    world.asked()
    with pytest.raises(NoOrderForPayment) as caught:
        world.sources().read(PaidOrderSource, added(refunded), budget())
    assert caught.value.reason == "no_order_for_payment"
    assert world.asked()["orders"] == 1 + len(ORDER_WAITS_S)


def test_the_order_is_not_waited_for_when_there_is_no_time_left(world: World) -> None:
    """The looks end with the budget, still with an answer."""
    refunded = payment(world, REFUNDED)
    short = pauses_of(2.0)
    world.asked()
    with pytest.raises(NoOrderForPayment):
        world.sources().read(PaidOrderSource, added(refunded), short)
    assert world.asked()["orders"] == 1


def test_a_payment_that_is_gone_is_none(world: World) -> None:
    """And its order is not looked for."""
    assert world.sources().read(PaidOrderSource, added(NOWHERE), budget()) is None
