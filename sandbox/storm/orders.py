"""A storm's orders and payments: by customers, by guests, and by nobody for as long as nobody is named."""

from __future__ import annotations

from typing import Any

from sandbox.notifications.project import Resource
from sandbox.notifications.shop import Act
from sandbox.storm.state import NEW_EMAIL, Acts, Storm


def _new_order(storm: Storm) -> list[Act]:
    products = [held for _ in range(storm.random.randint(1, 3)) if (held := storm.products.any(storm.random))]
    if not products:
        return []
    lines = [storm.shop.bought(held, storm.random.randrange(100), storm.random.randint(1, 4)) for held in products]
    type_ = storm.random.choice(("OrderCreated",) * 8 + ("OrderImported", "OrderCreatedFromRecurringOrder"))
    how: dict[str, Any] = {"currency": storm.random.choice(("EUR", "EUR", "USD", "JPY", "KWD"))}
    kind = storm.random.random()
    buyer = storm.customers.any(storm.random)
    if buyer is not None and kind < 0.6:
        how["customer"] = buyer
        storm.buyers.add(buyer["id"])
    elif buyer is not None and kind < 0.7 and not _has_new_email(buyer):  # a customer who has not logged in
        how |= {"email": buyer["email"], "name": None}
        storm.claimed[buyer["email"]] = buyer["id"]
        storm.buyers.add(buyer["id"])
    elif kind < 0.9:
        how["email"] = f"guest.{storm.number()}@example.com"
    if type_ == "OrderImported":
        how["state"] = storm.random.choice(("Open", "Complete", "Cancelled"))
    act = storm.shop.place_order(lines, type_, **how)
    storm.orders.put(act.resource)
    return [act]


def _other_state(storm: Storm) -> list[Act]:
    held = storm.orders.any(storm.random, lambda order: order["orderState"] in ("Open", "Confirmed"))
    if held is None:
        return []
    states = ("Complete", "Cancelled")
    if storm.weather.confirmed and held["orderState"] == "Open":
        states = (*states, "Confirmed", "Confirmed")  # type: ignore[assignment]
    act = storm.shop.change_order_state(held, storm.random.choice(states))
    storm.orders.put(act.resource)
    return [act]


def _other_shipment(storm: Storm) -> list[Act]:
    held = storm.orders.any(storm.random, lambda order: order.get("shipmentState") != "Delivered")
    if held is None:
        return []
    after = {None: ("Pending", "Shipped"), "Pending": ("Shipped",), "Shipped": ("Delivered",)}[held.get("shipmentState")]
    act = storm.shop.change_shipment_state(held, storm.random.choice(after))
    storm.orders.put(act.resource)
    return [act]


def _named(storm: Storm) -> list[Act]:
    """An order of nobody gets an e-mail."""
    held = storm.orders.any(storm.random, lambda order: not _is_somebodys(order))
    if held is None:
        return []
    act = storm.shop.set_order_email(held, f"late.{storm.number()}@example.com")
    storm.orders.put(act.resource)
    return [act]


def _owned(storm: Storm) -> list[Act]:
    """An order of nobody gets a customer; `contrary`: also a guest's, of another e-mail."""
    contrary = storm.weather.contrary
    held = storm.orders.any(storm.random, lambda order: not _is_somebodys(order) or (contrary and "customerId" not in order))
    buyer = storm.customers.any(storm.random)
    if held is None or buyer is None:
        return []
    storm.buyers.add(buyer["id"])
    act = storm.shop.set_order_customer(held, buyer["id"])
    storm.orders.put(act.resource)
    return [act]


def _claimed_order(storm: Storm) -> list[Act]:
    """A guest's order turns out to be that of the customer with this e-mail."""

    def is_claimed(order: Resource) -> bool:
        return "customerId" not in order and order.get("customerEmail") in storm.claimed

    held = storm.orders.any(storm.random, is_claimed, tries=40)
    if held is None:
        return []
    act = storm.shop.set_order_customer(held, storm.claimed[held["customerEmail"]])
    storm.orders.put(act.resource)
    return [act]


def _new_payment(storm: Storm) -> list[Act]:
    held = storm.orders.any(
        storm.random, lambda order: _is_somebodys(order) and len(order.get("paymentInfo", {}).get("payments", ())) < 2
    )
    if held is None:
        return []
    order, act = storm.shop.add_payment(held, charge_state=storm.random.choice(("Success", "Success", "Success", "Pending")))
    storm.orders.put(order)
    storm.payments.put(act.resource)
    return [act]


def _new_refund(storm: Storm) -> list[Act]:
    held = storm.payments.any(storm.random, lambda payment: len(payment["transactions"]) < 5)
    if held is None:
        return []
    act = storm.shop.add_refund(held, storm.random.randint(1, 500), storm.random.choice(("Initial", "Pending", "Success")))
    storm.payments.put(act.resource)
    return [act]


def _other_refund(storm: Storm) -> list[Act]:
    open_ = ("Initial", "Pending")

    def waits(payment: Resource) -> bool:
        return any(held["type"] == "Refund" and held["state"] in open_ for held in payment["transactions"])

    held = storm.payments.any(storm.random, waits)
    if held is None:
        return []
    refund = storm.random.choice([t for t in held["transactions"] if t["type"] == "Refund" and t["state"] in open_])
    act = storm.shop.change_transaction_state(held, refund["id"], storm.random.choice(("Success", "Success", "Failure")))
    storm.payments.put(act.resource)
    return [act]


def _has_new_email(customer: Resource) -> bool:
    return str(customer["email"]).startswith(NEW_EMAIL)


def _is_somebodys(order: Resource) -> bool:
    return "customerId" in order or "customerEmail" in order


ACTS: Acts = (
    (_new_order, 16),
    (_other_state, 6),
    (_other_shipment, 4),
    (_named, 4),
    (_owned, 3),
    (_claimed_order, 3),
    (_new_payment, 8),
    (_new_refund, 8),
    (_other_refund, 8),
)
"""Each with its weight."""
