"""What happens to an order after it was placed: its states, deliveries with parcels, and returns."""

from dataclasses import dataclass
from typing import Any

from sandbox.sample import identity, timeline
from sandbox.sample.order_plan import Plan

Resource = dict[str, Any]

ORDER_STATES = ("Open", "Confirmed", "Complete", "Cancelled")
SHIPMENT_STATES = ("Shipped", "Delivered", "Ready", "Pending", "Delayed", "Partial", "Backorder", "Canceled")
PAYMENT_STATES = ("BalanceDue", "Failed", "Pending", "CreditOwed", "Paid")
_RETURN_SHIPMENT_STATES = ("Advised", "Returned", "BackInStock", "Unusable")
_RETURN_PAYMENT_STATES = ("NonRefundable", "Initial", "Refunded", "NotRefunded")
_USUAL = {
    "Open": ("Pending", "Pending"),
    "Confirmed": ("Ready", "Paid"),
    "Complete": ("Delivered", "Paid"),
    "Cancelled": ("Canceled", "CreditOwed"),
}
_ON_THE_WAY = frozenset({"Shipped", "Delivered", "Partial"})
_CARRIERS = ("DHL", "UPS", "La Poste", "Example & Sons Kurier")


@dataclass(frozen=True, slots=True)
class States:
    """The states of an order; None where the API leaves one out."""

    order: str
    shipment: str | None
    payment: str | None


def states(plan: Plan) -> States:
    """Return an order's states: mostly those that go together, in one order of eight any."""
    choice = plan.roll[9]
    order = "Complete" if plan.imported else ORDER_STATES[(0, 0, 1, 1, 1, 2, 2, 2, 2, 3)[choice % 10]]
    if plan.version == 1 and not plan.imported:
        order = "Open"
    shipment, payment = _USUAL[order]
    if choice // 10 % 8 == 0:
        shipment = SHIPMENT_STATES[choice // 80 % 8]
        payment = PAYMENT_STATES[choice // 640 % 5]
    if order == "Confirmed" and choice // 10 % 8 == 1:
        shipment = "Shipped"
    absent = choice // 10 % 8 == 2
    return States(order, None if absent else shipment, None if absent and choice % 3 else payment)


def deliveries(seed: int, plan: Plan, shipment: str | None, items: list[tuple[str, int]]) -> list[Resource]:
    """Return the deliveries of line items given as (id, quantity); empty unless something is on its way."""
    if shipment not in _ON_THE_WAY or not items:
        return []
    ids = identity.loose_ids(seed, "delivery", plan.index, 6)
    count = 2 if len(items) > 1 and plan.roll[10] % 3 == 0 and shipment != "Partial" else 1
    found = []
    for number in range(count):
        part = items[number::count] if shipment != "Partial" else items[:1]
        at = plan.created + (plan.modified - plan.created) * (number + 1) // (count + 1)
        found.append(
            {
                "id": ids[number],
                "createdAt": timeline.instant(at),
                "items": [{"id": identifier, "quantity": quantity} for identifier, quantity in part],
                "parcels": _parcels(plan, ids[2 + 2 * number : 4 + 2 * number], at),
            }
        )
    return found


def _parcels(plan: Plan, ids: list[str], at: int) -> list[Resource]:
    choice = plan.roll[11]
    found = []
    for number in range((1, 1, 1, 2, 0)[choice % 5]):
        parcel: Resource = {"id": ids[number], "createdAt": timeline.instant(at)}
        if choice // 5 % 4:
            tracking: Resource = {"trackingId": f"TR{plan.index:09d}{number}", "isReturn": False}
            if choice // 20 % 5:
                tracking["carrier"] = _CARRIERS[choice // 100 % len(_CARRIERS)]
            parcel["trackingData"] = tracking
        if choice // 5 % 3 == 0:
            parcel["measurements"] = {"weightInGram": 1_250, "heightInMillimeter": 100}
        found.append(parcel)
    return found


def returns(seed: int, plan: Plan, order_state: str, items: list[tuple[str, int]]) -> list[Resource]:
    """Return the returns of line items given as (id, quantity): of completed orders one in six has some."""
    if order_state != "Complete" or plan.roll[12] % 6 or not items:
        return []
    ids = identity.loose_ids(seed, "return", plan.index, 2)
    at = timeline.instant(plan.modified)
    choice = plan.roll[12] // 6
    found = []
    for position, (line, quantity) in enumerate(items[: 1 + choice % 2]):
        item = {
            "id": ids[position],
            "type": "LineItemReturnItem",
            "lineItemId": line,
            "quantity": max(1, quantity // 2),
            "shipmentState": _RETURN_SHIPMENT_STATES[choice // 2 % 4],
            "paymentState": _RETURN_PAYMENT_STATES[choice // 8 % 4],
            "createdAt": at,
            "lastModifiedAt": at,
        }
        if choice % 5 == 0:
            item["comment"] = "Passt nicht 😕"
        found.append(item)
    return [{"items": found, "returnTrackingId": f"RT{plan.index}", "returnDate": at}]
