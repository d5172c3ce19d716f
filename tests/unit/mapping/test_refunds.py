"""Refunded Order: one event for each successful refund, under an id that does not depend on the course of things."""

from __future__ import annotations

from decimal import Decimal
from itertools import permutations

import msgspec
import pytest
from order_samples import CHOICES, MODIFIED_AT, choices, order, payment, source_of, transaction

from shared.commercetools.catalog import Money
from shared.commercetools.orders import Payment
from shared.commercetools.resources import Customer
from shared.klaviyo.events import Event
from shared.klaviyo.profiles import ProfileAttributes
from shared.mapping.choices import Choices
from shared.mapping.order_events import MappedEvents, fulfilled_order
from shared.mapping.order_summary import OrderSummary, order_summary
from shared.mapping.refunds import refund_events, refunded_orders
from shared.mapping.result import Skip, SkipReason
from shared.mapping.sources import OrderSource, PaidOrderSource

CHARGE = transaction("charge", "Charge", cents=1300)
NO_REFUND = Skip(SkipReason.NO_SUCCESSFUL_REFUND)


def refunds(
    *payments: Payment, of: str = "p1", transaction_id: str | None = None, source: OrderSource | None = None
) -> MappedEvents | Skip:
    """What the refunds of payment `of` come to, in an order that names `payments`."""
    about = next((one for one in payments if one.id == of), payment(of))
    paid = PaidOrderSource(payment=about, order=source or source_of(), payments=list(payments))
    return refunded_orders(paid, CHOICES, of, transaction_id)


def in_bulk(*payments: Payment, chosen: Choices = CHOICES) -> list[Event]:
    """The refunds among the events of the order that names `payments`."""
    summary = order_summary(source_of(), chosen)
    assert isinstance(summary, OrderSummary)
    return refund_events(summary, payments, chosen)


def ids(mapped: MappedEvents | Skip) -> list[str]:
    """The unique ids, in the order sent."""
    assert isinstance(mapped, MappedEvents)
    return [event.unique_id for event in mapped.events]


def test_a_refund_takes_its_amount_off_the_order() -> None:
    """Case 52: value, currency and time are the transaction's, properties and profile the order's, the id the order's."""
    back = transaction("r1", cents=499, timestamp="2026-03-08T10:00:00.000Z")
    mapped = refunds(payment("p1", CHARGE, back), transaction_id="r1")
    assert isinstance(mapped, MappedEvents)
    [event] = mapped.events
    assert (event.metric, event.unique_id, event.time) == ("Refunded Order", "order-1", "2026-03-08T10:00:00.000Z")
    assert (event.value, event.value_currency) == (Decimal("4.99"), "EUR")
    fulfilled = fulfilled_order(source_of(), CHOICES, "")
    assert isinstance(fulfilled, MappedEvents)
    assert (event.profile, event.properties) == (fulfilled.events[0].profile, fulfilled.events[0].properties)


def test_a_refund_is_the_customers_under_the_customers_own_email() -> None:
    """Like every event of the order (ADR 0010)."""
    source = msgspec.structs.replace(source_of(), customer=Customer(id="customer-1", email="new@example.com"))
    mapped = refunds(payment("p1", CHARGE, transaction("r1")), source=source)
    assert isinstance(mapped, MappedEvents)
    assert mapped.events[0].profile == ProfileAttributes(external_id="customer-1", email="new@example.com")


def test_a_refund_has_its_own_currency() -> None:
    """Minor units are the currency's."""
    back = transaction("r1", amount=Money(centAmount=500, currencyCode="JPY", fractionDigits=0))
    mapped = refunds(payment("p1", CHARGE, back))
    assert isinstance(mapped, MappedEvents)
    assert (mapped.events[0].value, mapped.events[0].value_currency) == (Decimal(500), "JPY")


@pytest.mark.parametrize(
    ("timestamp", "changed", "time"),
    [
        (None, "2026-03-09T00:00:00.000Z", "2026-03-09T00:00:00.000Z"),
        ("0001-01-01T00:00:00.000Z", "2026-03-09T00:00:00.000Z", "2026-03-09T00:00:00.000Z"),
        (None, "", MODIFIED_AT),
    ],
    ids=["no timestamp", "a timestamp that Klaviyo refuses", "nothing"],
)
def test_a_refund_without_a_usable_timestamp_has_the_time_of_the_last_change(timestamp: str, changed: str, time: str) -> None:
    """The payment's, as a payment does not touch its order; the order's where even that is absent."""
    mapped = refunds(payment("p1", CHARGE, transaction("r1", timestamp=timestamp), lastModifiedAt=changed))
    assert isinstance(mapped, MappedEvents)
    assert mapped.events[0].time == time


@pytest.mark.parametrize("state", ["Initial", "Pending", "Failure"])
def test_a_refund_that_is_not_successful_makes_no_event(state: str) -> None:
    """Case 53: no event of value 0 that would stand in the way of the real one."""
    waiting = payment("p1", CHARGE, transaction("r1", state=state))
    assert refunds(waiting) == NO_REFUND
    assert refunds(waiting, transaction_id="r1") == NO_REFUND


def test_other_transactions_are_no_refunds() -> None:
    """Case 55: a charge, an authorization, a chargeback."""
    others = [CHARGE, transaction("a", "Authorization"), transaction("b", "Chargeback"), transaction("c", "CancelAuthorization")]
    assert refunds(payment("p1", *others)) == NO_REFUND
    assert refunds(payment("p1", *others), transaction_id="charge") == NO_REFUND


def test_partial_refunds_have_ids_of_their_own_but_for_the_first() -> None:
    """Case 54: Klaviyo takes one event per id, and corrects the revenue by the order's."""
    paid = payment("p1", CHARGE, transaction("r1"), transaction("r2", cents=800))
    mapped = refunds(paid)
    assert ids(mapped) == ["order-1", "order-1:r2"]
    assert isinstance(mapped, MappedEvents)
    assert [event.value for event in mapped.events] == [Decimal("5.00"), Decimal("8.00")]


def test_only_the_named_transaction_is_sent() -> None:
    """A notification speaks of one; the others have had their own."""
    paid = payment("p1", CHARGE, transaction("r1"), transaction("r2"))
    assert ids(refunds(paid, transaction_id="r1")) == ["order-1"]
    assert ids(refunds(paid, transaction_id="r2")) == ["order-1:r2"]
    assert refunds(paid, transaction_id="elsewhere") == NO_REFUND


def test_without_a_named_transaction_all_of_the_payment_are_sent() -> None:
    """A notification without payload does not say which; other payments are still not meant."""
    first, second = payment("p1", CHARGE, transaction("r1")), payment("p2", CHARGE, transaction("r2"), transaction("r3"))
    assert ids(refunds(first, second, of="p2")) == ["order-1:r2", "order-1:r3"]


def test_ids_do_not_depend_on_the_order_of_success() -> None:
    """Three refunds succeed one after the other, in any order: each keeps the id that it has in the end."""
    final = {"r1": "order-1", "r2": "order-1:r2", "r3": "order-1:r3"}
    for course in permutations(final):
        for done in range(1, 4):
            successful = course[:done]
            states = {name: "Success" if name in successful else "Pending" for name in final}
            paid = payment("p1", CHARGE, *(transaction(name, state=state) for name, state in states.items()))
            latest = course[done - 1]
            assert ids(refunds(paid, transaction_id=latest)) == [final[latest]]
            assert ids(refunds(paid)) == [final[name] for name in final if name in successful]


def test_a_failed_first_refund_leaves_the_orders_id_unused() -> None:
    """It could be tried again and succeed: nobody else may take the id meanwhile."""
    paid = payment("p1", CHARGE, transaction("r1", state="Failure"), transaction("r2"))
    assert ids(refunds(paid)) == ["order-1:r2"]


@pytest.mark.parametrize("first_to_succeed", ["p1", "p2"])
def test_of_two_charged_payments_the_first_has_the_orders_id(first_to_succeed: str) -> None:
    """Whichever refund succeeds first, and whatever state the other one is in."""
    states = {"p1": "Pending", "p2": "Pending", first_to_succeed: "Success"}
    early = [payment(name, CHARGE, transaction(f"r-{name}", state=state)) for name, state in states.items()]
    late = [payment(name, CHARGE, transaction(f"r-{name}")) for name in states]
    final = {"p1": ["order-1"], "p2": ["order-1:r-p2"]}
    assert ids(refunds(*early, of=first_to_succeed)) == final[first_to_succeed]
    assert {name: ids(refunds(*late, of=name)) for name in states} == final


def test_a_payment_without_a_successful_charge_does_not_have_the_orders_id() -> None:
    """A refund before any charge, or after a failed one, is of another payment than the one that paid."""
    uncharged = payment("p1", transaction("r1"), transaction("c1", "Charge", "Failure"))
    charged = payment("p2", CHARGE, transaction("r2"))
    assert ids(refunds(uncharged, charged, of="p1")) == ["order-1:r1"]
    assert ids(refunds(uncharged, charged, of="p2")) == ["order-1"]


def test_without_any_charged_payment_no_refund_has_the_orders_id() -> None:
    """There is no revenue that it could be taken off."""
    assert ids(refunds(payment("p1", transaction("r1"), transaction("r2")))) == ["order-1:r1", "order-1:r2"]


def test_a_charged_payment_without_refunds_keeps_the_orders_id_for_itself() -> None:
    """A refund of it may still come."""
    assert ids(refunds(payment("p1", CHARGE), payment("p2", CHARGE, transaction("r2")), of="p2")) == ["order-1:r2"]


def test_a_payment_that_is_not_the_orders_makes_no_event() -> None:
    """Removed from the order, it has no place among its refunds, and so no id that is sure."""
    assert refunds(payment("p1", CHARGE, transaction("r1")), of="removed") == NO_REFUND


def test_a_payment_whose_order_nobody_looked_for_makes_no_event() -> None:
    """It has no successful refund."""
    paid = PaidOrderSource(payment=payment("p1", CHARGE))
    assert refunded_orders(paid, CHOICES, "p1", None) == NO_REFUND


def test_a_payment_that_the_order_names_twice_is_refunded_once() -> None:
    """Two references, one payment."""
    paid = payment("p1", CHARGE, transaction("r1"))
    again = msgspec.convert(msgspec.to_builtins(paid), Payment)
    assert ids(refunds(paid, again)) == ["order-1"]
    assert [event.unique_id for event in in_bulk(paid, again)] == ["order-1"]


def test_bulk_sends_what_the_notifications_sent() -> None:
    """Case 85: all successful refunds of all payments, the same events."""
    payments = [
        payment("p1", CHARGE, transaction("r1", state="Pending"), transaction("r2")),
        payment("p2", CHARGE, transaction("r3", cents=800)),
    ]
    events = in_bulk(*payments)
    by_payment = [refunds(*payments, of=name) for name in ("p1", "p2")]
    assert events == [event for one in by_payment if isinstance(one, MappedEvents) for event in one.events]
    assert [event.unique_id for event in events] == ["order-1:r2", "order-1:r3"]


def test_bulk_sends_nothing_where_nothing_was_refunded() -> None:
    """No payments, or none with a successful refund."""
    assert in_bulk() == []
    assert in_bulk(payment("p1", CHARGE)) == []


def test_a_refund_of_nobody_is_skipped() -> None:
    """As every event without customer and e-mail."""
    nobody = OrderSource(order=order(customerId=None, customerEmail=None))
    assert refunds(payment("p1", CHARGE, transaction("r1")), source=nobody) == Skip(SkipReason.NO_IDENTITY)


def test_the_metric_name_is_the_merchants() -> None:
    """`order.metrics.refundedOrder`."""
    chosen = choices({"order": {"metrics": {"refundedOrder": "Money Back"}}})
    (event,) = in_bulk(payment("p1", CHARGE, transaction("r1")), chosen=chosen)
    assert event.metric == "Money Back"
