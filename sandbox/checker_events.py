"""Has every event happened, once? Counted anew from the orders and payments of the simulated project.

The rules are those without any configuration, for orders that were placed, changed and paid in the project and never deleted,
and that end in the state that an event stands for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sandbox.checker_sources import resources, stored

PLACED, ORDERED, FULFILLED = "Placed Order", "Ordered Product", "Fulfilled Order"
CANCELLED, REFUNDED = "Cancelled Order", "Refunded Order"

Key = tuple[str, str]
"""Metric and unique id."""


@dataclass(frozen=True, slots=True)
class Expected:
    """An event's value and currency, and whose it is: the customer's, or that of an e-mail.

    `second`: its time in whole seconds since 1970 when it is told after the fact, by the order alone.
    """

    value: Decimal
    currency: str
    customer_id: str | None
    email: str | None
    order_id: str = ""
    second: int = 0


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

    def expected(money: Mapping[str, Any], second: int) -> Expected:
        value = Decimal(money["centAmount"]).scaleb(-money["fractionDigits"])
        return Expected(value, money["currencyCode"], customer_id, email, order["id"], second)

    identifier, created = order["id"], second_of(order.get("createdAt"))
    total = expected(order["totalPrice"], created)
    found = {(PLACED, identifier): total}
    found |= {(ORDERED, line["id"]): expected(line["totalPrice"], created + 1) for line in order["lineItems"]}
    if order["orderState"] == "Complete" or order.get("shipmentState") in ("Shipped", "Delivered"):
        found[FULFILLED, identifier] = replace(total, second=_fulfilled_at(order))
    if order["orderState"] == "Cancelled":
        found[CANCELLED, identifier] = replace(total, second=second_of(order.get("lastModifiedAt")))
    first_paid = True
    for reference in order.get("paymentInfo", {}).get("payments", ()):
        payment = payments[reference["id"]]
        transactions = payment["transactions"]
        refunds = [one for one in transactions if one["type"] == "Refund"]
        charged = any(one["type"] == "Charge" and one["state"] == "Success" for one in transactions)
        for place, refund in enumerate(refunds):
            if refund["state"] == "Success":
                under_order = charged and first_paid and place == 0
                name = identifier if under_order else f"{identifier}:{refund['id']}"
                moment = refund.get("timestamp") or payment.get("lastModifiedAt")
                found[REFUNDED, name] = expected(refund["amount"], second_of(moment))
        first_paid = first_paid and not charged
    return found


def second_of(moment: str | None) -> int:
    """The whole second of an ISO 8601 time since 1970; 0 for none."""
    return int(datetime.fromisoformat(moment).timestamp()) if moment else 0


def _fulfilled_at(order: Mapping[str, Any]) -> int:
    """The first delivery of all, else when the order was complete, else when it was last changed."""
    infos = [order.get("shippingInfo"), *(part.get("shippingInfo") for part in order.get("shipping", ()))]
    delivered = [second_of(delivery.get("createdAt")) for info in infos if info for delivery in info.get("deliveries", ())]
    return min(delivered) if delivered else second_of(order.get("completedAt") or order.get("lastModifiedAt"))


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
