"""The checkers say what is wrong: without them an end-to-end test could not fail."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sandbox import checker_catalog, checker_events, checker_profiles
from sandbox.sample.money import cents

CHARGE = {"id": "c", "type": "Charge", "state": "Success", "amount": cents("EUR", 900)}


def refund(name: str, state: str = "Success") -> dict[str, Any]:
    """A refund of 1.50."""
    return {"id": name, "type": "Refund", "state": state, "amount": cents("EUR", 150)}


def order(**more: Any) -> dict[str, Any]:
    """A guest's order of one line."""
    line = {"id": "line", "totalPrice": cents("JPY", 900)}
    base = {
        "id": "o",
        "customerEmail": "A@example.com",
        "orderState": "Open",
        "totalPrice": cents("JPY", 900),
        "lineItems": [line],
    }
    return {**base, **more}


def paid_by(*names: str) -> dict[str, Any]:
    """The payments of an order."""
    return {"payments": [{"typeId": "payment", "id": name} for name in names]}


def stored(metric: str, unique_id: str, **more: Any) -> dict[str, Any]:
    """An event as Klaviyo has it."""
    base = {"value": 900.0, "value_currency": "JPY", "external_id": None, "email": "a@example.com"}
    return {"metric": metric, "unique_id": unique_id, **base, **more}


def test_an_orders_events_follow_from_its_state() -> None:
    """Placed with its lines; fulfilled by either state; cancelled; nothing where nobody has ordered."""
    placed = {("Placed Order", "o"), ("Ordered Product", "line")}
    assert checker_events.events_of(order(), {}).keys() == placed
    assert checker_events.events_of(order(orderState="Complete"), {}).keys() == placed | {("Fulfilled Order", "o")}
    assert checker_events.events_of(order(shipmentState="Shipped"), {}).keys() == placed | {("Fulfilled Order", "o")}
    assert checker_events.events_of(order(orderState="Cancelled"), {}).keys() == placed | {("Cancelled Order", "o")}
    assert checker_events.events_of(order(customerEmail=None), {}) == {}
    assert checker_events.events_of(order(), {})["Placed Order", "o"].value == Decimal(900)


def test_only_one_refund_goes_under_the_orders_id() -> None:
    """The first refund of the first payment that was charged, if that one is successful; only successful ones count."""
    payments = {
        "unpaid": {"transactions": [refund("u")]},
        "paid": {"transactions": [CHARGE, refund("first"), refund("second"), refund("failed", "Failure")]},
        "later": {"transactions": [CHARGE, refund("third")]},
    }
    every = checker_events.events_of(order(paymentInfo=paid_by("unpaid", "paid", "later")), payments)
    refunds = {unique_id for metric, unique_id in every if metric == "Refunded Order"}
    assert refunds == {"o", "o:u", "o:second", "o:third"}
    payments["paid"]["transactions"][1] = refund("first", "Pending")
    every = checker_events.events_of(order(paymentInfo=paid_by("paid")), payments)
    assert {unique_id for metric, unique_id in every if metric == "Refunded Order"} == {"o:second"}


def test_events_that_are_missing_wrong_or_there_twice_are_named() -> None:
    """And whose they are."""
    wanted = checker_events.events_of(order(), {})

    def said(*events: dict[str, Any]) -> list[str]:
        return sorted(checker_events._problems(wanted, list(events)))

    good = [stored("Placed Order", "o"), stored("Ordered Product", "line")]
    assert said(*good) == []
    assert said(good[0]) == ["Ordered Product line is missing"]
    assert said(*good, good[0]) == ["Placed Order o is there 2 times"]
    assert said(*good, stored("Cancelled Order", "o")) == ["Cancelled Order o should not be there"]
    assert "worth" in said(stored("Placed Order", "o", value=9.0), good[1])[0]
    assert "not of A@example.com" in said(stored("Placed Order", "o", email="b@example.com"), good[1])[0]


def test_profiles_that_are_missing_wrong_or_too_many_are_named() -> None:
    """An erased customer may have none."""
    customer = {"id": "c", "email": " A@Example.com ", "firstName": "Kim"}
    attributes = {"email": "a@example.com", "first_name": "Kim"}

    def said(*profiles: dict[str, Any], erased: frozenset[str] = frozenset()) -> list[str]:
        return list(checker_profiles._problems([customer], list(profiles), erased))

    good = {"external_id": "c", "attributes": attributes}
    assert said(good) == []
    assert said() == ["customer c has no profile"]
    assert said(good, good) == ["customer c has 2 profiles"]
    assert said({"external_id": "c", "attributes": attributes | {"email": "b@example.com"}})[0].startswith("customer c has email")
    assert said(good, {"external_id": "x", "attributes": {}}, erased=frozenset({"x"})) == [
        "customer x was erased and has a profile"
    ]


def test_a_catalog_that_differs_is_named() -> None:
    """Presence, names, links, owners and stock."""
    categories = {
        "a": {"id": "a", "name": {"en": "A"}, "ancestors": []},
        "b": {"id": "b", "name": {"en": "B"}, "ancestors": [{"id": "a"}]},
    }
    named = {"a": {"attributes": {"name": "A"}}, "b": {"attributes": {"name": "A > B"}}}
    assert list(checker_catalog.category_problems(categories, named)) == []
    assert list(checker_catalog.category_problems(categories, {**named, "c": {}})) == ["category c should not be there"]
    assert "is named 'B'" in next(checker_catalog.category_problems(categories, {**named, "b": {"attributes": {"name": "B"}}}))
    current = {"name": {"en": "P"}, "categories": [{"id": "b"}], "masterVariant": {"sku": "s"}, "variants": [{}]}
    shown = {"p": {"id": "p", "masterData": {"current": current}}}

    def linked(*ids: str, title: str = "P") -> list[str]:
        item = {"categories": list(ids), "attributes": {"title": title}}
        return list(checker_catalog._items(shown, categories, {"p": item}))

    assert linked("b") == linked("a", "b") == []
    assert linked("a")
    assert linked("b", "c")
    assert linked("b", title="Q")

    def stocked(quantity: int, policy: int, item: str = "p") -> list[str]:
        variant = {"item": item, "attributes": {"inventory_quantity": quantity, "inventory_policy": policy}}
        return list(checker_catalog._variants(shown, {"s": {"availableQuantity": -2}}, {"s": variant}))

    assert stocked(0, 1) == []
    assert stocked(1, 1)
    assert stocked(0, 2)
    assert stocked(0, 1, item="q")
    assert list(checker_catalog._variants(shown, {}, {})) == ["variant s is missing"]
