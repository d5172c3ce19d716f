"""Orders: the embedded or the current one, with what it refers to as far as that can be had (decisions.md 4)."""

from __future__ import annotations

import time
from typing import Any

import pytest
from reading_world import NOWHERE, World, budget, configured, notification, pauses_of, read

from shared.budget import budget_of
from shared.commercetools.resources import ExpandedGroup
from shared.errors import AuthError, HostDown, PermanentError, SyncError
from shared.mapping.result import Adjustment
from shared.mapping.sources import OrderSource
from shared.reading.lookups import TTL_S
from shared.realtime.messages import EMBEDS_ORDER
from shared.realtime.notification import MalformedNotification, Notification

LINES = 20
MONEY = {"type": "centPrecision", "currencyCode": "EUR", "centAmount": 1300, "fractionDigits": 2}


def order_of(world: World, lines: int = LINES, **fields: Any) -> dict[str, Any]:
    """A new order with lines of different products."""
    products = world.rows("products")[:lines]
    items = [{"id": f"line-{number}", "productId": row["id"], "quantity": 1} for number, row in enumerate(products)]
    return world.create("orders", **{"lineItems": items, "totalPrice": MONEY, "orderState": "Open", **fields})


def test_an_order_of_twenty_products_costs_one_query_of_products_and_one_of_categories(world: World) -> None:
    """The next one with the same products costs nothing."""
    order, sources = order_of(world), world.sources()
    created = notification("OrderCreated", "order", order["id"], order=order)
    world.asked()
    found = read(sources, OrderSource, created).source
    assert world.asked() == {"products": 1, "categories": 1}
    assert len(found.products) == LINES
    assert read(sources, OrderSource, created).source == found
    assert world.asked() == {}


def test_products_have_their_current_categories_with_ancestors_and_the_attributes_of_product_and_master_variant(
    world: World,
) -> None:
    """In the order in which the product names its categories; those of the product go before those of the variant."""
    row = world.row("products", lambda row: len(row["masterData"]["current"]["categories"]) > 1)
    data = row["masterData"]["current"]
    variant = {**data["masterVariant"], "attributes": [{"name": "size", "value": {"key": "m", "label": "M"}}]}
    current = {**data, "masterVariant": variant, "attributes": [{"name": "brand", "value": "Acme"}]}
    world.change("products", row["id"], masterData={**row["masterData"], "current": current})
    order = order_of(world, lineItems=[{"id": "line", "productId": row["id"]}])
    product = read(world.sources(), OrderSource, notification("OrderStateChanged", "order", order["id"])).source.products[
        row["id"]
    ]
    assert [category.id for category in product.categories] == [reference["id"] for reference in data["categories"]]
    names = {category["id"]: category["name"] for category in world.rows("categories")}
    seen = [(ancestor.id, ancestor.obj) for category in product.categories for ancestor in category.ancestors]
    assert seen
    assert all(obj is not None and obj.name == names[identifier] for identifier, obj in seen)
    assert [attribute.name for attribute in product.attributes] == ["brand", "size"]


def test_more_than_a_hundred_products_are_asked_for_in_hundreds(world: World) -> None:
    """Because of the length of a query; ids that nothing has cost no error, and are not asked for again."""
    items = [{"id": f"line-{number}", "productId": f"{number:08x}-0000-4000-8000-000000000000"} for number in range(250)]
    order, sources = order_of(world, lineItems=items), world.sources()
    about = notification("OrderCreated", "order", order["id"], order=order)
    world.asked()
    found = read(sources, OrderSource, about)
    assert (found.source.products, found.adjustments) == ({}, ())
    assert world.asked() == {"products": 3}
    read(sources, OrderSource, about)
    assert world.asked() == {}


def test_what_was_looked_up_is_read_anew_after_a_while(world: World) -> None:
    """A product that has changed keeps its old categories for no longer than that."""
    order, sources = order_of(world, lines=1), world.sources()
    about = notification("OrderCreated", "order", order["id"], order=order)
    (before,) = read(sources, OrderSource, about).source.products.values()
    row = world.row("products", lambda row: row["id"] == order["lineItems"][0]["productId"])
    bare = {**row["masterData"]["current"], "categories": []}
    world.change("products", row["id"], masterData={**row["masterData"], "current": bare})
    assert read(sources, OrderSource, about).source.products[row["id"]] == before
    world.clock.now += TTL_S
    assert read(sources, OrderSource, about).source.products[row["id"]].categories == []


@pytest.mark.parametrize("kind", ["OrderCreated", "OrderImported", "OrderCreatedFromRecurringOrder"])
def test_an_order_in_a_notification_is_not_read(world: World, kind: str) -> None:
    """As it was then, also when it has changed or gone since."""
    order = order_of(world, lines=0)
    world.delete("orders", order["id"])
    world.asked()
    found = read(world.sources(), OrderSource, notification(kind, "order", order["id"], order=order)).source
    assert (found.order.id, found.order.orderState, found.raw) == (order["id"], "Open", {})
    assert world.asked() == {}


def test_an_order_that_a_notification_does_not_hold_is_read(world: World) -> None:
    """Left out for its size, or a message that never holds it: the current one."""
    order = order_of(world, lines=0)
    world.change("orders", order["id"], orderState="Complete")
    changed = notification("OrderStateChanged", "order", order["id"], orderState="Confirmed")
    for about in (notification("OrderCreated", "order", order["id"]), changed):
        assert read(world.sources(), OrderSource, about).source.order.orderState == "Complete"


def test_an_order_that_is_gone_is_none(world: World) -> None:
    """404 of the resource."""
    assert world.sources().read(OrderSource, notification("OrderStateChanged", "order", NOWHERE), budget()) is None


def test_an_order_that_is_not_what_the_api_documents_is_malformed(world: World) -> None:
    """Of the notification: poison."""
    about = notification("OrderCreated", "order", NOWHERE, order={"id": 7})
    with pytest.raises(MalformedNotification):
        world.sources().read(OrderSource, about, budget())


def test_the_raw_order_is_kept_where_raw_fields_are_sent(world: World) -> None:
    """The whole JSON, as it came."""
    world.document = configured(order={"properties": {"raw": True}})
    order = order_of(world, lines=1, custom={"type": {"typeId": "type", "id": NOWHERE}, "fields": {"gift": False}})
    embedded = notification("OrderCreated", "order", order["id"], order=order)
    for about in (embedded, notification("OrderCreated", "order", order["id"])):
        assert read(world.sources(), OrderSource, about).source.raw == order


def about(kind: str, order: dict[str, Any]) -> Notification:
    """A message about an order, with the order inside where there is one."""
    return notification(kind, "order", order["id"], **({"order": order} if kind in EMBEDS_ORDER else {"x": 1}))


@pytest.mark.parametrize(
    ("kind", "requests"),
    [
        ("OrderCreated", {"customers": 1}),
        ("OrderStateChanged", {"orders/{id}": 1, "customers": 1}),
        ("OrderCustomerSet", {"orders/{id}": 1, "customers/{id}": 1}),
        ("OrderCustomerEmailSet", {"orders/{id}": 1, "customers/{id}": 1}),
    ],
)
def test_an_order_comes_with_its_customer_as_of_now(world: World, kind: str, requests: dict[str, int]) -> None:
    """Read anew each time, by one request; None when the customer is gone. For a guest nobody is asked for."""
    customer = world.row("customers", lambda row: "customerGroup" not in row)
    order, guest = order_of(world, lines=0, customerId=customer["id"]), order_of(world, lines=0)
    sources = world.sources()
    for email in ("one@example.com", "another@example.com"):
        world.change("customers", customer["id"], email=email)
        world.asked()
        found = read(sources, OrderSource, about(kind, order)).source.customer
        assert found is not None
        assert (found.id, found.email) == (customer["id"], email)
        assert world.asked() == requests
    assert read(sources, OrderSource, about(kind, guest)).source.customer is None
    assert world.asked() == {key: count for key, count in requests.items() if key == "orders/{id}"}
    world.delete("customers", customer["id"])
    found_gone = read(sources, OrderSource, about(kind, order))
    assert (found_gone.source.customer, found_gone.adjustments) == (None, ())
    assert world.asked() == requests


@pytest.mark.parametrize("kind", ["OrderCreated", "OrderStateChanged"])
def test_customers_who_may_not_be_read_do_not_keep_the_event_back(world: World, kind: str) -> None:
    """It is counted; the order has an e-mail of its own."""
    order = order_of(world, lines=0, customerId=world.row("customers")["id"])
    world.fails({"kind": "status", "status": 403, "endpoint": "customers"})
    found = world.sources().read(OrderSource, about(kind, order), pauses_of(1.5))
    assert found is not None
    assert (found.source.customer, found.adjustments) == (None, (Adjustment.LOOKUP_FORBIDDEN,))


@pytest.mark.parametrize(("status", "error"), [(400, PermanentError), (503, HostDown)])
@pytest.mark.parametrize("kind", ["OrderCreated", "OrderStateChanged"])
def test_an_event_waits_for_a_customer_who_cannot_be_read_now(
    world: World, kind: str, status: int, error: type[SyncError]
) -> None:
    """The order's e-mail may be an older one, and Klaviyo would write it into the profile."""
    order = order_of(world, lines=0, customerId=world.row("customers")["id"])
    world.fails({"kind": "status", "status": status, "endpoint": "customers"})
    with pytest.raises(error):
        world.sources().read(OrderSource, about(kind, order), pauses_of(1.0))


@pytest.mark.parametrize("kind", ["OrderCustomerSet", "OrderCustomerEmailSet"])
def test_an_order_that_gets_an_identity_waits_for_its_customer(world: World, kind: str) -> None:
    """Whether it is placed at all depends on who that is."""
    order = order_of(world, lines=0, customerId=world.row("customers")["id"])
    world.fails({"kind": "status", "status": 503, "endpoint": "customers/{id}"})
    with pytest.raises(HostDown):
        world.sources().read(OrderSource, about(kind, order), pauses_of(1.0))


def test_the_customer_is_asked_for_before_what_may_hang(world: World) -> None:
    """Who it is matters more than what the products are called."""
    customer = world.row("customers")
    order = order_of(world, customerId=customer["id"])
    world.fails({"kind": "hang", "seconds": 20, "endpoint": "products"})
    found = world.sources().read(OrderSource, about("OrderCreated", order), budget_of(8.0))
    assert found is not None
    assert (found.source.customer is None, found.source.products) == (False, {})
    assert found.adjustments == (Adjustment.LOOKUP_FAILED,)


def test_discount_codes_and_the_customer_group_are_named(world: World) -> None:
    """From the expanded reference where there is one, else by one query each, and the next time from memory."""
    codes, group = world.rows("discount-codes")[:2], world.row("customer-groups", lambda row: "key" in row)
    references = [{"discountCode": {"typeId": "discount-code", "id": row["id"]}} for row in codes]
    references[0]["discountCode"]["obj"] = {**codes[0], "code": "FROM-THE-REFERENCE"}
    order = order_of(world, lines=0, discountCodes=references, customerGroup={"typeId": "customer-group", "id": group["id"]})
    sources, about = world.sources(), notification("OrderCreated", "order", order["id"], order=order)
    world.asked()
    found = read(sources, OrderSource, about).source
    assert found.discount_codes == {codes[0]["id"]: "FROM-THE-REFERENCE", codes[1]["id"]: codes[1]["code"]}
    assert found.order.customerGroup is not None
    assert found.order.customerGroup.obj == ExpandedGroup(name=group["name"], key=group["key"])
    assert world.asked() == {"discount-codes": 1, "customer-groups": 1}
    assert read(sources, OrderSource, about).source == found
    assert world.asked() == {}


def test_what_may_not_be_read_is_done_without_and_not_asked_for_again_for_a_while(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Counted for each order, named once in the log; later it is tried again."""
    order, sources = order_of(world), world.sources()
    about = notification("OrderCreated", "order", order["id"], order=order)
    world.fails({"kind": "status", "status": 403, "endpoint": "products"})
    world.asked()
    for _ in range(3):
        found = read(sources, OrderSource, about)
        assert (found.source.products, found.adjustments) == ({}, (Adjustment.LOOKUP_FORBIDDEN,))
    assert world.asked() == {"products": 1}
    world.clock.now += TTL_S
    read(sources, OrderSource, about)
    assert world.asked() == {"products": 1}
    world.fails()
    world.clock.now += TTL_S
    found = read(sources, OrderSource, about)
    assert (len(found.source.products), found.adjustments) == (LINES, ())
    assert capsys.readouterr().err.count("going on without it") == 1


@pytest.mark.parametrize(
    "fault", [{"kind": "status", "status": 400}, {"kind": "status", "status": 503}, {"kind": "hang", "seconds": 20}]
)
def test_a_look_up_that_fails_does_not_lose_the_order(world: World, fault: dict[str, Any]) -> None:
    """Cases 46, 47: in a bounded part of the time; the order then goes without categories."""
    order = order_of(world)
    about = notification("OrderCreated", "order", order["id"], order=order)
    world.fails({**fault, "endpoint": "products"})
    began = time.monotonic()
    found = world.sources().read(OrderSource, about, budget_of(8.0))
    assert time.monotonic() - began < 7.5  # of 8, where the share is 3.2
    assert found is not None
    assert (found.source.products, found.adjustments) == ({}, (Adjustment.LOOKUP_FAILED,))


def test_a_look_up_that_fails_for_a_moment_is_tried_again(world: World) -> None:
    """And then nothing is missing."""
    order = order_of(world)
    world.fails(
        {"kind": "status", "status": 503, "endpoint": "products", "first": 1},
        {"kind": "reset", "endpoint": "categories", "first": 1},
    )
    found = read(world.sources(), OrderSource, notification("OrderCreated", "order", order["id"], order=order))
    assert (len(found.source.products), found.adjustments) == (LINES, ())
    assert all(isinstance(product.categories, list) for product in found.source.products.values())


def test_categories_that_fail_leave_the_attributes(world: World) -> None:
    """Each look-up by itself."""
    order = order_of(world)
    world.fails({"kind": "status", "status": 400, "endpoint": "categories"})
    found = read(world.sources(), OrderSource, notification("OrderCreated", "order", order["id"], order=order))
    assert found.adjustments == (Adjustment.LOOKUP_FAILED,)
    assert not any(product.categories for product in found.source.products.values())
    assert any(product.attributes for product in found.source.products.values())


def test_an_order_that_cannot_be_read_is_an_error(world: World) -> None:
    """Of the host, or of the credentials; a hanging read leaves time for another one."""
    order, sources = order_of(world, lines=0), world.sources()
    about = notification("OrderStateChanged", "order", order["id"])
    world.fails({"kind": "status", "status": 503, "endpoint": "orders/{id}"})
    with pytest.raises(HostDown):
        sources.read(OrderSource, about, pauses_of(1.0))
    world.fails({"kind": "status", "status": 403, "endpoint": "orders/{id}"})
    with pytest.raises(AuthError):
        sources.read(OrderSource, about, budget())
    world.fails({"kind": "hang", "seconds": 20, "endpoint": "orders/{id}", "first": 1})
    assert read(sources, OrderSource, about).source.order.id == order["id"]


def test_wrong_credentials_are_never_a_missing_look_up(world: World) -> None:
    """401 to a look-up is for a person."""
    order = order_of(world)
    world.fails({"kind": "status", "status": 401, "endpoint": "products"})
    with pytest.raises(AuthError):
        world.sources().read(OrderSource, notification("OrderCreated", "order", order["id"], order=order), budget())
