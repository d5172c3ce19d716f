"""Outages: whatever is down or hangs, every delivery is answered in time, and nothing is lost once it works again."""

from __future__ import annotations

import json
import random
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import pytest

from sandbox.notifications import messages
from sandbox.notifications.delivery import Courier, Parcel, Patience, Report
from sandbox.notifications.envelopes import Post, pubsub_push
from sandbox.notifications.platform import change
from tests.e2e.realtime_resources import category, line, order, product, projection, variant
from tests.e2e.realtime_world import HTTP, World, stamp, upsert

BRIEF = {"REALTIME_DEADLINE_S": "1.5"}
DOWN: Sequence[Mapping[str, Any]] = (
    {"kind": "status", "status": 503},
    {"kind": "status", "status": 503, "body": "html"},
    {"kind": "reset"},
    {"kind": "hang", "seconds": 30},
)
EACH = 30


def _posted(world: World, notification: Mapping[str, Any]) -> tuple[int, float]:
    answer = world.deliver(notification)
    return answer.status, answer.moving_s


@pytest.mark.parametrize("rule", DOWN, ids=["503", "503 with a page", "reset", "hang"])
def test_a_delivery_during_an_outage_comes_back_and_is_not_lost(world: World, rule: dict[str, Any]) -> None:
    """Klaviyo is down in each way: no 2xx before the effect, no dead letter; delivered again, the customer is there."""
    brief = world.having(**BRIEF)
    held = brief.put("customers", email="ada@example.com")
    message = messages.customer_created(held, stamp())
    brief.klaviyo_fails(rule)
    status, took_s = _posted(brief, message)
    assert (status, brief.dead_letters(), brief.profiles()) == (503, [], [])
    assert took_s < 5
    world.klaviyo_fails()
    world.watch()
    assert world.deliver(message).status == 204
    properties = {"isEmailVerified": False, "commercetools_created_at": held["createdAt"]}
    assert world.sent() == [upsert({"external_id": held["id"], "email": "ada@example.com", "properties": properties})]


def _parcels(world: World, each: int) -> list[Parcel]:
    """So many customers and orders, in turn."""
    parcels = []
    for number in range(each):
        held = world.put("customers", email=f"person.{number}@example.com")
        placed = world.put("orders", **order(line("Shirt", world.new_id(), 1300), customerEmail=f"guest.{number}@example.com"))
        parcels += [_parcel(messages.customer_created(held, stamp())), _parcel(messages.order_placed(placed, stamp()))]
    return parcels


def _parcel(notification: Mapping[str, Any]) -> Parcel:
    name = str(notification["resource"]["id"])
    return Parcel(name, lambda attempt: pubsub_push(notification, Post(message_id=name, attempt=attempt)))


def outage(world: World, seconds: float, each: int, patience: Patience, per_second: float | None = None) -> Report:
    """Klaviyo is down for so long, by 503s, then resets, then hanging, and so many customers and orders are delivered meanwhile.

    Each comes back until it is acknowledged.
    """
    parcels = _parcels(world, each)
    third = seconds / 3
    world.klaviyo_fails(
        {"kind": "status", "status": 503, "until_s": third},
        {"kind": "reset", "from_s": third, "until_s": 2 * third},
        {"kind": "hang", "seconds": 30, "from_s": 2 * third, "until_s": seconds},
    )
    courier = Courier([world.function.url], time.monotonic, random.Random(7), 12, patience, per_second)
    return courier.deliver(parcels)


def check_outage(world: World, report: Report, each: int) -> None:
    """All were acknowledged in the end, some only after the outage, and all is in Klaviyo once."""
    assert report.lost == [], str(report)
    assert len(report.deliveries) == 2 * each
    assert report.statuses.keys() == {204, 503}, str(report)
    profiles = [profile for profile in world.profiles() if "external_id" in profile]
    assert len(profiles) == each
    events = [(event["metric"], event["unique_id"]) for event in world.events()]
    assert len(events) == len(set(events)) == 2 * each
    assert world.dead_letters() == []


def test_nothing_is_lost_in_an_outage_and_nothing_counts_twice(world: World) -> None:
    """Klaviyo is down while sixty messages arrive and come back, later and later: all are acknowledged after it, none before.

    Five minutes are compressed into three seconds: the deadline of a delivery and the queue's pauses are shorter as well.
    """
    brief = world.having(**BRIEF)
    report = outage(brief, 3.0, EACH, Patience(answer_s=10, first_s=0.1, most_s=0.8))
    check_outage(brief, report, EACH)
    assert max(seconds for delivery in report.deliveries for seconds in delivery.answers_s) < 8


@contextmanager
def _locked(world: World) -> Iterator[None]:
    """The state file of the process, locked by another one."""
    with closing(sqlite3.connect(world.function.state, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def _hung(world: World) -> list[tuple[str, Mapping[str, Any], set[int]]]:
    """What hangs, a notification that needs it, and how it is to be answered."""
    sku = f"hung-{world.new_id()}"
    person = world.put("customers", email="ada@example.com")
    placed = world.put("orders", **order(line("Shirt", world.new_id(), 1300)))
    shown = world.put("categories", **category("Hats"))
    held = world.put("products", **product("Hat", variant(1, sku)))
    nowhere = {"id": world.new_id(), "version": 1}
    refund = {"id": world.new_id(), "state": "Success"}
    return [
        ("klaviyo /api/profile-import", messages.customer_created(person, stamp()), {503}),
        ("klaviyo /api/events", messages.order_placed(placed, stamp()), {503}),
        ("klaviyo /api/catalog-categories", messages.category_created(shown, stamp()), {503}),
        ("klaviyo /api/catalog-items", messages.product_published(held, projection(held), stamp()), {503}),
        ("commercetools /sandbox/payments", messages.payment_transaction_state_changed(nowhere, refund, stamp()), {503}),
        ("commercetools /sandbox/inventory", change("ResourceCreated", "inventory-entry", nowhere, stamp()), {503}),
        ("commercetools /sandbox/orders", messages.order_customer_set({**placed, "customerId": sku}, None, stamp()), {503}),
    ]


def test_every_delivery_is_answered_within_ten_seconds_whatever_hangs(world: World) -> None:
    """Either API, the token host, the store of dead letters: no answer is later than the platform waits, at the default deadline.

    All at once, and the health check answers meanwhile.
    """
    hung = _hung(world)
    world.klaviyo_fails(
        *({"kind": "hang", "seconds": 30, "path": what.removeprefix("klaviyo ")} for what, _, _ in hung if what[0] == "k")
    )
    world.commercetools_fails(
        {"kind": "hang", "seconds": 30, "path": "/oauth"},
        *({"kind": "hang", "seconds": 30, "path": what.removeprefix("commercetools ")} for what, _, _ in hung if what[0] == "c"),
    )
    with ExitStack() as stack:
        without_token = stack.enter_context(world.fresh())
        locked = stack.enter_context(world.fresh())
        stack.enter_context(_locked(locked))
        pool = stack.enter_context(ThreadPoolExecutor(16))
        answers = [(what, allowed, pool.submit(_posted, world, notification)) for what, notification, allowed in hung]
        no_token = change("ResourceUpdated", "customer", {"id": world.new_id(), "version": 1}, stamp())
        answers.append(("the token host", {503}, pool.submit(_posted, without_token, no_token)))
        answers.append(("the store of dead letters", {503}, pool.submit(_posted, locked, {"email": 1})))
        time.sleep(1.0)
        assert HTTP.get(f"{world.function.url}/health", timeout=30.0).status_code == 200
        found = {what: (future.result()[0] in allowed, future.result()) for what, allowed, future in answers}
    assert all(good for good, _ in found.values()), json.dumps(found)
    assert world.dead_letters() == []
