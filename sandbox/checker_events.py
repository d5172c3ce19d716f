"""Has every event happened, once? Counted anew from the orders and payments of the simulated project.

The rules are those without any configuration, for orders that were placed, changed and paid in the project and never deleted,
and that end in the state that an event stands for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sandbox.checker_sources import resources, stored

PLACED, ORDERED, FULFILLED = "Placed Order", "Ordered Product", "Fulfilled Order"
CANCELLED, REFUNDED = "Cancelled Order", "Refunded Order"

Key = tuple[str, str]
"""Metric and unique id."""


@dataclass(frozen=True, slots=True)
class Expected:
    """An event's value and currency, and whose it is: the customer's, or that of an e-mail."""

    value: Decimal
    currency: str
    customer_id: str | None
    email: str | None


@dataclass(frozen=True, slots=True)
class EventCheck:
    """How many events there are of each metric, and all that is wrong, in words."""

    counts: Counter[str]
    problems: tuple[str, ...]


def check_events(commercetools_url: str, klaviyo_url: str) -> EventCheck:
    """Compare the events of the simulated account with those that the project's orders and payments stand for."""
    payments = {payment["id"]: payment for payment in resources(commercetools_url, "payments")}
    wanted: dict[Key, Expected] = {}
    for order in resources(commercetools_url, "orders"):
        wanted.update(events_of(order, payments))
    events = list(stored(klaviyo_url, "events"))
    return EventCheck(Counter(event["metric"] for event in events), tuple(_problems(wanted, events)))


def events_of(order: Mapping[str, Any], payments: Mapping[str, Mapping[str, Any]]) -> dict[Key, Expected]:
    """The events of one order; none where nobody has placed it."""
    customer_id, email = order.get("customerId"), order.get("customerEmail")
    if customer_id is None and email is None:
        return {}

    def expected(money: Mapping[str, Any]) -> Expected:
        value = Decimal(money["centAmount"]).scaleb(-money["fractionDigits"])
        return Expected(value, money["currencyCode"], customer_id, email)

    identifier, total = order["id"], expected(order["totalPrice"])
    found = {(PLACED, identifier): total}
    found |= {(ORDERED, line["id"]): expected(line["totalPrice"]) for line in order["lineItems"]}
    if order["orderState"] == "Complete" or order.get("shipmentState") in ("Shipped", "Delivered"):
        found[FULFILLED, identifier] = total
    if order["orderState"] == "Cancelled":
        found[CANCELLED, identifier] = total
    first_paid = True
    for reference in order.get("paymentInfo", {}).get("payments", ()):
        transactions = payments[reference["id"]]["transactions"]
        refunds = [one for one in transactions if one["type"] == "Refund"]
        charged = any(one["type"] == "Charge" and one["state"] == "Success" for one in transactions)
        for place, refund in enumerate(refunds):
            if refund["state"] == "Success":
                under_order = charged and first_paid and place == 0
                name = identifier if under_order else f"{identifier}:{refund['id']}"
                found[REFUNDED, name] = expected(refund["amount"])
        first_paid = first_paid and not charged
    return found


def _problems(wanted: Mapping[Key, Expected], events: list[dict[str, Any]]) -> Iterator[str]:
    counts = Counter((event["metric"], event["unique_id"]) for event in events)
    for (metric, unique_id), count in counts.items():
        if count > 1:
            yield f"{metric} {unique_id} is there {count} times"
    for metric, unique_id in wanted.keys() - counts.keys():
        yield f"{metric} {unique_id} is missing"
    for metric, unique_id in counts.keys() - wanted.keys():
        yield f"{metric} {unique_id} should not be there"
    for event in events:
        expected = wanted.get((event["metric"], event["unique_id"]))
        if expected is not None:
            yield from _wrong(event, expected)


def _wrong(event: Mapping[str, Any], expected: Expected) -> Iterator[str]:
    name = f"{event['metric']} {event['unique_id']}"
    found = (Decimal(str(event["value"])), event["value_currency"])
    if found != (expected.value, expected.currency):
        yield f"{name} is worth {found}, not {(expected.value, expected.currency)}"
    if expected.customer_id is not None and event["external_id"] != expected.customer_id:
        yield f"{name} is of customer {event['external_id']}, not {expected.customer_id}"
    if expected.customer_id is None and event["email"] != (expected.email or "").strip().lower():
        yield f"{name} is of {event['email']}, not of {expected.email}"
