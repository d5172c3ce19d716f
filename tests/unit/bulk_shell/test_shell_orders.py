"""The import of orders: every event of each, once, and every order accounted for (mapping.md "Events")."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from copy import deepcopy
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from shell_world import CONTROL, World, open_world, runs_out_of_time, soon

from sandbox.checker_events import check_events, events_of
from sandbox.checker_sources import resources, stored
from sandbox.launch import Sandbox, sandbox
from shared.bulk.kinds.orders import import_orders
from shared.bulk.messages import WorkMessage
from shared.bulk.records import BatchResult, BatchStatus, Kind, Run, RunOptions, RunStatus
from shared.bulk.results import total
from shared.bulk.tally import Progress, Step
from shared.bulk.work import work_batch
from shared.commercetools.kinds import ORDERS
from shared.commercetools.orders import Order
from shared.commercetools.scan import by_ids
from shared.errors import TransientError
from shared.mapping.order_history import order_history
from shared.mapping.sources import OrderSource
from shared.reading.order_batches import CompleteOrder, complete_orders
from shared.realtime.notification import Notification
from shared.realtime.reading import Sources

SIZES = {"orders": 400, "customers": 40, "products": 80, "categories": 30}
"""So few customers that no two of them are one person to Klaviyo."""

NOBODY = "00000000-0000-4000-8000-000000000000"
HEAVY_BYTES = 2_000_000


@pytest.fixture(scope="module")
def order_simulators() -> Iterator[Sandbox]:
    """Both simulators, with orders of all sorts."""
    arguments = [text for name, size in SIZES.items() for text in (f"--{name}", str(size))]
    with sandbox(commercetools=[*arguments, "--malformed-emails", "0"]) as servers:
        yield servers


@pytest.fixture
def worlds(order_simulators: Sandbox, tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Makes installations that import orders, with such settings; the simulators are as they were at their start."""
    for url in (order_simulators.commercetools.url, order_simulators.klaviyo.url):
        CONTROL.delete(f"{url}/_sandbox/faults").raise_for_status()
        CONTROL.post(f"{url}/_sandbox/reset").raise_for_status()
    CONTROL.delete(f"{order_simulators.commercetools.url}/_sandbox/requests").raise_for_status()
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(
            open_world(order_simulators, tmp_path / "state.sqlite3", kind=Kind.ORDERS, **settings)
        )


@pytest.fixture
def world(worlds: Callable[..., World]) -> World:
    """An installation that imports orders."""
    return worlds()


def imported(world: World, options: RunOptions | None = None) -> BatchResult:
    """What became of an import, worked to its end."""
    run = world.start(options or RunOptions())
    while run.run_id and world.status(run.run_id) in {RunStatus.ACCEPTED, RunStatus.RUNNING}:
        world.plan()
        world.work()
    return world.summary(run.run_id).result


def batch_of(world: World, *ids: str, **options: Any) -> tuple[Run, WorkMessage]:
    """A planned run over these orders, in one batch."""
    run, (message,) = world.planned(RunOptions(ids=sorted(ids), **options))
    return run, message


def work(world: World, message: WorkMessage, budget_s: float = 90.0) -> None:
    """Deliver a batch."""
    work_batch(world.app, message, "a", budget_s)


def steps(world: World, run: Run) -> list[Step]:
    """What the work of the run's only batch yields."""
    (batch,) = world.batches(run.run_id)
    return list(import_orders(world.app, run, batch, Progress(None, batch.result), soon()))


def orders(world: World, wanted: Callable[[dict[str, Any]], Any] = lambda _order: True) -> list[dict[str, Any]]:
    """The orders of the project that are wanted, by id."""
    return [order for order in resources(world.servers.commercetools.url, "orders") if wanted(order)]


def an_order(world: World, wanted: Callable[[dict[str, Any]], Any] = lambda _order: True) -> dict[str, Any]:
    """The first order that is wanted and that somebody has placed."""
    return orders(world, lambda order: ("customerId" in order or order.get("customerEmail")) and wanted(order))[0]


def sent_events(world: World) -> list[dict[str, Any]]:
    """All events that Klaviyo has."""
    return list(stored(world.servers.klaviyo.url, "events"))


def asked(world: World) -> dict[str, int]:
    """How often each path of commercetools was asked since the last time."""
    answer = CONTROL.get(f"{world.servers.commercetools.url}/_sandbox/requests").json()
    CONTROL.delete(f"{world.servers.commercetools.url}/_sandbox/requests").raise_for_status()
    counts: dict[str, int] = {}
    for entry in answer["requests"]:
        counts[entry["endpoint"]] = counts.get(entry["endpoint"], 0) + entry["count"]
    return counts


def events_about(world: World, order: dict[str, Any]) -> list[dict[str, Any]]:
    """The events that Klaviyo has of an order."""
    return [event for event in sent_events(world) if event["properties"].get("OrderId") == order["id"]]


def changed_order(order_id: str) -> Notification:
    """What tells realtime to read the order."""
    return Notification(
        type="OrderStateChanged", resource_type="order", resource_id=order_id, at="", has_payload=False, body=b"{}"
    )


def of_a_customer(order: dict[str, Any]) -> bool:
    """Whether a customer has placed the order."""
    return "customerId" in order


def a_refunded_order(world: World) -> dict[str, Any]:
    """The first order of which something was paid back."""
    payments = {payment["id"]: payment for payment in resources(world.servers.commercetools.url, "payments")}
    return an_order(world, lambda one: any(metric == "Refunded Order" for metric, _ in events_of(one, payments)))


def delete(world: World, collection: str, identifier: str) -> None:
    """Remove a resource from the simulated project."""
    CONTROL.delete(f"{world.servers.commercetools.url}/_sandbox/{collection}/{identifier}").raise_for_status()


def test_an_import_brings_every_event_of_every_order_over(world: World) -> None:
    """Counted anew from the orders and payments of the project, with amounts, currencies and whose they are."""
    result = imported(world)
    check = check_events(world.servers.commercetools.url, world.servers.klaviyo.url)
    assert check.problems == ()
    nobodys = len(orders(world, lambda order: "customerId" not in order and not order.get("customerEmail")))
    assert (result.seen, result.sent, result.skipped) == (SIZES["orders"], SIZES["orders"] - nobodys, {"no_identity": nobodys})
    assert (result.failed, result.adjusted) == ({}, {})
    assert set(check.counts) == {"Placed Order", "Ordered Product", "Fulfilled Order", "Cancelled Order", "Refunded Order"}


def test_history_starts_no_flow_and_a_second_import_changes_nothing(world: World) -> None:
    """`backfill` on every event; the same ids fall on the same events."""
    first = imported(world)
    events = sent_events(world)
    assert {event["backfill"] for event in events} == {True}
    assert imported(world) == first
    assert sent_events(world) == events


def test_what_orders_refer_to_is_read_for_many_at_once(world: World) -> None:
    """By a few queries a page; products, codes and groups that are known are not asked for again."""
    run, message = batch_of(world, *world.ids(SIZES["orders"]))
    asked(world)
    work(world, message)
    counts = asked(world)
    assert counts["orders"] <= 12
    assert counts["customers"] <= counts["orders"]
    assert counts["payments"] <= 2 * counts["orders"]
    assert max(counts[path] for path in ("products", "categories", "discount-codes", "customer-groups")) <= counts["orders"]
    assert not [path for path in counts if path.endswith("{id}")]

    run, message = batch_of(world, *world.ids(SIZES["orders"]))
    asked(world)
    work(world, message)
    assert not asked(world).keys() & {"products", "categories", "discount-codes", "customer-groups"}
    assert world.status(run.run_id) is RunStatus.COMPLETED


def test_the_events_of_a_customer_carry_the_email_of_today(world: World) -> None:
    """ADR 0010; a customer that is gone meanwhile leaves the order's."""
    with_email = [order for order in orders(world, of_a_customer) if order.get("customerEmail")]
    changed, gone = with_email[0], next(one for one in with_email if one["customerId"] != with_email[0]["customerId"])
    world.change("customers", changed["customerId"], email="Today@example.com")
    delete(world, "customers", gone["customerId"])
    _, message = batch_of(world, changed["id"], gone["id"])
    work(world, message)
    assert {event["email"] for event in events_about(world, changed)} == {"today@example.com"}
    assert {event["email"] for event in events_about(world, gone)} == {gone["customerEmail"].strip().lower()}


def profiles_by_email(world: World) -> dict[str, dict[str, Any]]:
    """What Klaviyo knows of people, by e-mail."""
    return {one["email"]: one["attributes"] for one in stored(world.servers.klaviyo.url, "profiles") if one.get("email")}


def test_an_import_of_orders_leaves_a_customers_address_alone(world: World) -> None:
    """ADR 0011: whatever the address of each of the customer's orders, and also where Klaviyo knows no address."""
    first, second = (one["id"] for one in orders(world, of_a_customer)[:2])
    [customer_id] = {one["customerId"] for one in orders(world, lambda one: one["id"] == first)}
    for order_id, city in ((first, "Old Town"), (second, "Older Town")):
        address = {"firstName": "Somebody", "city": city, "country": "DE", "phone": "+4930123456"}
        world.change("orders", order_id, customerId=customer_id, billingAddress=address)
    world.change("customers", customer_id, email="today@example.com")
    _, message = batch_of(world, first, second)
    work(world, message)
    profile = profiles_by_email(world)["today@example.com"]
    known = {name: value for name, value in profile.items() if value is not None}
    assert known == {"external_id": customer_id, "email": "today@example.com"}


def test_a_guest_is_known_as_the_newest_order_of_a_batch_says(world: World) -> None:
    """ADR 0011: ids say nothing about time; and no line of an older address is left in the newer one."""
    guests = orders(world, lambda one: not of_a_customer(one) and one.get("customerEmail"))
    newest = max(guests[:-1], key=lambda one: one["createdAt"])
    later_by_id = guests[-1]
    assert newest["createdAt"] > later_by_id["createdAt"]
    for order, city in ((newest, "New"), (later_by_id, "Old")):
        address = {"firstName": f"{city}name", "city": city, "country": "DE", "additionalStreetInfo": "c/o a friend"}
        if order is newest:
            del address["additionalStreetInfo"]
        world.change("orders", order["id"], customerEmail="guest@example.com", billingAddress=address)
    run, message = batch_of(world, newest["id"], later_by_id["id"])
    work(world, message)
    assert world.summary(run.run_id).result.sent == 2
    guest = profiles_by_email(world)["guest@example.com"]
    assert (guest["first_name"], guest["location"]) == ("Newname", {"city": "New", "country": "DE"})


def test_a_payment_that_is_gone_has_no_refunds(world: World) -> None:
    """Deleted between the order and its payments; the rest of the order is sent."""
    order = a_refunded_order(world)
    for reference in order["paymentInfo"]["payments"]:
        delete(world, "payments", reference["id"])
    run, message = batch_of(world, order["id"])
    work(world, message)
    assert (world.summary(run.run_id).result.sent, world.summary(run.run_id).result.adjusted) == (1, {})
    assert "Refunded Order" not in {event["metric"] for event in events_about(world, order)}


@pytest.mark.parametrize("path", ["payments", "customers", "products", "discount-codes", "customer-groups"])
def test_what_may_not_be_read_is_done_without_and_counted_for_the_orders_that_need_it(world: World, path: str) -> None:
    """A missing scope costs a property, a refund, or an e-mail of today, never an order."""
    needs: dict[str, Callable[[dict[str, Any]], Any]] = {
        "payments": lambda order: order.get("paymentInfo", {}).get("payments"),
        "customers": of_a_customer,
        "products": lambda order: order["lineItems"],
        "discount-codes": lambda order: order.get("discountCodes"),
        "customer-groups": lambda order: order.get("customerGroup"),
    }
    world.commercetools_fails(kind="status", status=403, endpoint=path)
    result = imported(world)
    somebodys = orders(world, lambda order: "customerId" in order or order.get("customerEmail"))
    needing = [order for order in somebodys if needs[path](order)]
    assert (result.sent, result.failed) == (len(somebodys), {})
    assert result.adjusted == {"lookup_forbidden": len(needing)}
    assert 0 < len(needing) < len(somebodys)
    metrics = {event["metric"] for event in sent_events(world)}
    assert ("Refunded Order" in metrics) == (path != "payments")


@pytest.mark.parametrize("path", ["orders", "payments", "customers", "products", "discount-codes", "customer-groups"])
def test_what_cannot_be_read_now_is_waited_for(world: World, path: str) -> None:
    """The batch comes again, and nothing is left out in the end."""
    run, message = batch_of(world, *world.ids(60))
    world.commercetools_fails(kind="status", status=503, endpoint=path)
    with pytest.raises(TransientError):
        work(world, message)
    (batch,) = world.batches(run.run_id)
    assert (batch.status, batch.result.adjusted) == (BatchStatus.QUEUED, {})
    world.commercetools_fails()
    work(world, message)
    result = world.summary(run.run_id).result
    assert (result.seen, result.failed, result.adjusted) == (60, {}, {})


def test_an_order_that_cannot_be_read_fails_alone_with_the_place_in_it(world: World) -> None:
    """In the order, in its customer or in a payment of it: the field's path, never its value."""
    taken: set[str] = set()

    def another(wanted: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        found = an_order(world, lambda one: one.get("customerId") not in taken and wanted(one))
        taken.add(found.get("customerId", ""))
        return found

    broken = another(of_a_customer)
    of_broken_customer = another(of_a_customer)
    of_broken_payment = another(lambda one: of_a_customer(one) and one.get("paymentInfo", {}).get("payments"))
    fine = another(of_a_customer)
    world.change("orders", broken["id"], orderState={"secret": 1})
    world.change("customers", of_broken_customer["customerId"], addresses=[{"id": "a", "country": 7}])
    payment_id = of_broken_payment["paymentInfo"]["payments"][-1]["id"]
    world.change("payments", payment_id, transactions=[{"id": "t", "type": "Refund", "state": "Success", "amount": None}])
    ids = [order["id"] for order in (broken, of_broken_customer, of_broken_payment, fine)]
    run, message = batch_of(world, *ids)
    work(world, message)
    result = world.summary(run.run_id).result
    assert (result.sent, result.failed) == (1, {"unreadable": 3})
    assert {item.id: item.pointer for item in result.failed_items} == {
        ids[0]: "orderState",
        ids[1]: "customer.addresses[0].country",
        ids[2]: "payment.transactions[0].amount",
    }
    assert world.status(run.run_id) is RunStatus.COMPLETED_WITH_ERRORS


def test_what_an_order_can_do_without_costs_itself_alone_when_it_cannot_be_read(world: World) -> None:
    """A discount code of another form: counted, and the order goes without it."""
    order = an_order(world, lambda one: one.get("discountCodes"))
    for info in order["discountCodes"]:
        world.change("discount-codes", info["discountCode"]["id"], code=7)
    run, message = batch_of(world, order["id"])
    work(world, message)
    result = world.summary(run.run_id).result
    assert (result.sent, result.failed, result.adjusted) == (1, {}, {"lookup_failed": 1})
    placed = next(event for event in events_about(world, order) if event["metric"] == "Placed Order")
    assert placed["properties"]["DiscountCodes"] == []


def test_an_order_with_a_refused_event_has_failed_and_the_others_are_sent(world: World) -> None:
    """It is named, with Klaviyo's code."""
    ids = world.ids(20)
    guest = an_order(world, lambda one: not of_a_customer(one) and one["id"] in ids)
    world.change("orders", guest["id"], customerEmail="not an address")
    run, message = batch_of(world, *ids)
    work(world, message)
    result = world.summary(run.run_id).result
    assert ([item.id for item in result.failed_items], total(result.failed), result.seen) == ([guest["id"]], 1, 20)
    assert events_about(world, guest) == []
    assert result.sent + total(result.skipped) == 19


def test_ids_that_do_not_exist_are_gone_each_in_its_place(world: World) -> None:
    """So that the cursor passes nothing that is not counted, wherever a delivery ends."""
    existing = world.ids(4)
    missing = [NOBODY, *(f"{order_id[:-4]}ffff" for order_id in existing[1:3]), "ffffffff-ffff-4fff-8fff-ffffffffffff"]
    ids = sorted({*existing, *missing})
    run, _ = batch_of(world, *ids)
    passed, seen = "", 0
    for step in steps(world, run):
        assert step.result.seen == sum(1 for order_id in ids if passed < order_id <= step.cursor)
        passed, seen = step.cursor, seen + step.result.seen
    assert (seen, passed) == (len(ids), ids[-1])


def test_a_batch_that_runs_out_of_time_keeps_what_was_done_and_goes_on_behind_it(world: World) -> None:
    """The orders of the bodies that Klaviyo has are done; their events are not sent again."""
    run, message = batch_of(world, *world.ids(SIZES["orders"]))
    runs_out_of_time(world, message, skip=1, method="POST", path="/api/event-bulk-create-jobs")
    (batch,) = world.batches(run.run_id)
    ids = world.ids(SIZES["orders"])
    assert (batch.status, batch.attempts) == (BatchStatus.QUEUED, 0)
    assert 100 < batch.result.seen < SIZES["orders"]
    assert batch.cursor == ids[batch.result.seen - 1]

    world.klaviyo_fails()
    work(world, message)
    result = world.summary(run.run_id).result
    check = check_events(world.servers.commercetools.url, world.servers.klaviyo.url)
    assert (result.seen, result.failed, check.problems) == (SIZES["orders"], {}, ())
    assert world.status(run.run_id) is RunStatus.COMPLETED


def test_a_batch_that_meets_an_outage_in_every_delivery_ends(world: World) -> None:
    """What is known of the orders behind the cursor comes with the batch, and names nobody; it is gone with the batch's end."""
    run, message = batch_of(world, *world.ids(60))
    rules = [
        {"kind": "status", "status": 409, "path": "/api/event-bulk-create-jobs"},
        {"kind": "status", "status": 503, "path": "/api/events", "share": 0.1, "seed": 3},
    ]
    CONTROL.post(f"{world.servers.klaviyo.url}/_sandbox/faults", json=rules).raise_for_status()
    deliveries = [world.batches(run.run_id)[0]]
    while deliveries[-1].status is not BatchStatus.DONE:
        assert len(deliveries) < 60
        with suppress(TransientError):
            work(world, message)
        deliveries += world.batches(run.run_id)
    result = world.summary(run.run_id).result
    assert (result.seen, result.failed) == (60, {})
    assert len(deliveries) > 3
    got_on = [after for before, after in pairwise(deliveries) if before.cursor != after.cursor and after.carried]
    assert got_on, "what is known of the orders behind the cursor is kept also where the cursor has moved"
    assert deliveries[-1].carried is None
    assert not any(mark in json.dumps(batch.carried) for batch in deliveries for mark in ("@", "-"))


def test_an_order_of_500_lines_has_an_event_for_each(world: World) -> None:
    """As one of 2 MB, which is in the sample, it is sent whole."""
    ordinary = an_order(world, lambda one: of_a_customer(one) and one["lineItems"])
    line = ordinary["lineItems"][0]
    lines = [{**deepcopy(line), "id": f"line-{number}"} for number in range(500)]
    world.change("orders", ordinary["id"], lineItems=lines)
    (heavy,) = orders(world, lambda one: len(json.dumps(one)) > HEAVY_BYTES)
    run, message = batch_of(world, ordinary["id"], heavy["id"])
    work(world, message)
    assert world.summary(run.run_id).result.sent == 2
    of_lines = {event["unique_id"] for event in events_about(world, ordinary) if event["metric"] == "Ordered Product"}
    assert of_lines == {one["id"] for one in lines}
    [placed] = [event for event in events_about(world, heavy) if event["metric"] == "Placed Order"]
    assert len(placed["properties"]["Items"]) == len(heavy["lineItems"])


def test_raw_fields_are_sent_where_they_are_asked_for(worlds: Callable[..., World]) -> None:
    """As realtime sends them: of the order, and of the line item on its own event."""
    world = worlds(SYNC_CONFIG=json.dumps({"order": {"properties": {"raw": True, "exclude": ["lineItems"]}}}))
    order = an_order(world, lambda one: of_a_customer(one) and one["lineItems"])
    _, message = batch_of(world, order["id"])
    work(world, message)
    by_metric = {event["metric"]: event["properties"] for event in events_about(world, order)}
    assert by_metric["Placed Order"]["totalPrice"] == order["totalPrice"]
    assert "lineItems" not in by_metric["Placed Order"]
    assert by_metric["Ordered Product"]["productId"] == order["lineItems"][-1]["productId"]
    assert by_metric["Ordered Product"]["variant"]["id"] == order["lineItems"][-1]["variant"]["id"]


def test_a_dry_run_maps_everything_and_shows_nobody(worlds: Callable[..., World]) -> None:
    """Nothing is sent; 20 examples, in which no person, address, custom field, raw field or discount code is."""
    world = worlds(SYNC_CONFIG=json.dumps({"order": {"properties": {"raw": True}}}))
    ids = world.ids(60)
    run, message = batch_of(world, *ids, dry_run=True)
    work(world, message)
    result = world.summary(run.run_id).result
    assert (result.seen, len(result.examples), result.failed) == (60, 20, {})
    assert world.klaviyo()["requests"] == 0
    shown = json.dumps(result.examples, ensure_ascii=False)
    for order in orders(world, lambda one: one["id"] in ids):
        for address in (order.get("billingAddress", {}), order.get("shippingAddress", {})):
            for name in ("firstName", "lastName", "streetName", "postalCode", "phone"):
                assert f'"{address.get(name, NOBODY)}"' not in shown
        assert (order.get("customerEmail") or NOBODY) not in shown
        assert (order.get("orderNumber") or NOBODY) not in shown
    assert "@" not in shown
    customers = {order["customerId"] for order in orders(world, of_a_customer)}
    assert {example["profile"].get("external_id") for example in result.examples} - {None} <= customers
    assert {example["metric"] for example in result.examples} >= {"Placed Order", "Ordered Product"}


def test_an_order_of_nobody_is_skipped(world: World) -> None:
    """Neither e-mail nor customer; an order of a failed item is told apart from it."""
    nobodys = orders(world, lambda one: not of_a_customer(one) and not one.get("customerEmail"))[0]
    run, message = batch_of(world, nobodys["id"])
    work(world, message)
    result = world.summary(run.run_id).result
    assert (result.skipped, result.failed_items) == ({"no_identity": 1}, [])


def test_an_import_reads_of_an_order_what_realtime_reads(world: World) -> None:
    """Looked up for many or for one, the events are the same; of a product an import keeps the brand alone."""
    app, ids = world.app, world.ids(80)
    (found,) = by_ids(app.commercetools, replace(ORDERS, page_bytes=None), ids, budget=soon())
    choices = app.chooser.choices(OrderSource, soon())
    complete = list(complete_orders([order for order in found if isinstance(order, Order)], app.lookups, soon()))
    live = Sources(app.commercetools, app.settings.mapping)
    assert len(complete) == len(ids)
    for order_id, one in zip(ids, complete, strict=True):
        assert isinstance(one, CompleteOrder)
        reading = live.read(OrderSource, changed_order(order_id), soon())
        assert reading is not None
        assert order_history(one.source, one.payments, choices) == order_history(reading.source, one.payments, choices)
        assert (one.left_out, reading.adjustments) == (frozenset(), ())
    kept = [attribute.name for product in complete[0].source.products.values() for attribute in product.attributes]
    assert set(kept) == {app.settings.mapping.document.product.brandAttribute}
