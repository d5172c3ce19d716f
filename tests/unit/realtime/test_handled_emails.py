"""An event never brings an old e-mail back into a customer's profile."""

from __future__ import annotations

from typing import Any

from handled_world import HandledWorld

from sandbox.notifications.shop import Act
from shared.realtime.verdict import Outcome

OLD, NEW = "old@example.com", "new@example.com"


def profile(handled: HandledWorld, customer: Act) -> dict[str, Any]:
    """The customer's profile."""
    found: dict[str, Any] = handled.klaviyo.profile(customer.resource["id"]).attributes()
    return found


def moved(handled: HandledWorld, customer: Act) -> Act:
    """The customer has another e-mail now."""
    return handled.shop.change_customer(customer.resource["id"], email=NEW)


def test_the_next_event_of_an_old_order_leaves_the_new_email_alone(handled: HandledWorld) -> None:
    """Klaviyo writes what an event carries into the profile; the order still has the old e-mail."""
    customer = handled.shop.create_customer(email=OLD)
    order = handled.order(handled.product().resource, customer=customer.resource)
    handled.done(customer, order)
    handled.done(moved(handled, customer))
    handled.done(handled.shop.change_order_state(order.resource, "Complete"))
    assert handled.metrics() == ["Placed Order", "Ordered Product", "Fulfilled Order"]
    assert profile(handled, customer)["email"] == NEW


def test_an_order_that_is_told_of_late_leaves_the_new_email_alone(handled: HandledWorld) -> None:
    """The order inside the notification is the one of then, its buyer is the one of now."""
    customer = handled.shop.create_customer(email=OLD)
    order = handled.order(handled.product().resource, customer=customer.resource)
    handled.done(customer, moved(handled, customer), order)
    assert profile(handled, customer)["email"] == NEW


def test_a_refund_of_an_old_order_leaves_the_new_email_alone(handled: HandledWorld) -> None:
    """It has the profile of any other event."""
    customer = handled.shop.create_customer(email=OLD)
    order = handled.order(handled.product().resource, customer=customer.resource)
    handled.done(customer, order)
    _, paid = handled.shop.add_payment(order.resource)
    handled.done(moved(handled, customer))
    handled.done(handled.shop.add_refund(paid.resource, 100))
    assert handled.metrics()[2:] == ["Refunded Order"]
    assert profile(handled, customer)["email"] == NEW


def test_another_email_typed_at_checkout_is_no_change_of_the_customers(handled: HandledWorld) -> None:
    """It stands in the order alone."""
    customer = handled.shop.create_customer(email=OLD)
    order = handled.order(handled.product().resource, customer=customer.resource, email="typed@example.com")
    handled.done(customer, order)
    assert profile(handled, customer)["email"] == OLD
    assert handled.klaviyo.account.profiles.by_email("typed@example.com") is None


def test_the_customer_is_read_for_each_event_anew(handled: HandledWorld) -> None:
    """Products come from memory the second time, the customer never does; for a guest nobody is read."""
    customer = handled.shop.create_customer(email=OLD)
    product = handled.product().resource
    orders = [handled.order(product, customer=customer.resource) for _ in range(2)]
    guest = handled.order(product, email="guest@example.com")
    counted = []
    for order in (*orders, guest):
        handled.reads()
        handled.done(order)
        counted.append(handled.reads())
    assert counted == [{"customers": 1, "products": 1}, {"customers": 1}, {}]


def test_where_customers_may_not_be_read_the_orders_email_stands_in(handled: HandledWorld) -> None:
    """The event is not lost."""
    customer = handled.shop.create_customer(email=OLD)
    order = handled.order(handled.product().resource, customer=customer.resource, email="typed@example.com")
    handled.fails({"kind": "status", "status": 403, "endpoint": "customers"})
    handled.done(order)
    assert handled.metrics() == ["Placed Order", "Ordered Product"]
    assert profile(handled, customer)["email"] == "typed@example.com"


def test_where_the_customer_cannot_be_read_now_the_event_waits(handled: HandledWorld) -> None:
    """The order's e-mail would overwrite the customer's own."""
    customer = handled.shop.create_customer(email=OLD)
    order = handled.order(handled.product().resource, customer=customer.resource, email="typed@example.com")
    handled.fails({"kind": "status", "status": 503, "endpoint": "customers"})
    assert handled.deliver(order)[0].outcome is Outcome.REDELIVER
    assert handled.metrics() == []


def test_the_order_of_a_customer_who_is_gone_has_its_own_email(handled: HandledWorld) -> None:
    """There is no other."""
    customer = handled.shop.create_customer(email=OLD)
    order = handled.order(handled.product().resource, customer=customer.resource)
    handled.shop.delete_customer(customer.resource["id"])
    handled.done(order)
    assert profile(handled, customer)["email"] == OLD
