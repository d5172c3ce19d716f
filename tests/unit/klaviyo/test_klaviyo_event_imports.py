"""Orders' events go to Klaviyo in bulk, each once; every order ends as sent or failed (decisions.md 8, mapping.md "Events")."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from event_doubles import EventWorld, as_stored, event, order
from klaviyo_doubles import VirtualTime, client_of

from sandbox.faults import FaultRule
from shared.budget import budget_of
from shared.errors import AuthError, HostDown, Interrupted, TransientError
from shared.klaviyo.client import open_klaviyo
from shared.klaviyo.event_imports import DUPLICATE_ROUNDS, EventImporter, OrderEvents
from shared.klaviyo.limiter import Limiter
from shared.klaviyo.limits import PackLimits
from shared.klaviyo.profiles import ProfileAttributes
from shared.klaviyo.row_outcomes import ROW_TOO_LARGE, Failed, RowOutcome, Sent
from shared.mapping.order_properties import MAX_PROPERTIES_BYTES
from shared.mapping.result import Adjustment

ENTRIES = "/data/attributes/events-bulk-create/data"
FIVE_A_BODY = PackLimits(5, 100_000, 100_000)


def all_sent(orders: list[OrderEvents]) -> list[tuple[str, RowOutcome]]:
    """Every order was sent as it is, in its place."""
    return [(one.order_id, Sent()) for one in orders]


def test_a_thousand_events_are_one_request_and_none_starts_a_flow() -> None:
    """500 orders of three events each are two."""
    world = EventWorld()
    orders = [order(number) for number in range(500)]
    assert world.bring(orders) == all_sent(orders)
    assert world.stored() == as_stored(orders)
    assert world.requests() == {"import_events": 2}


@pytest.mark.parametrize("reading", ["ignore", "refuse"])
def test_orders_that_are_sent_again_are_stored_once(reading: str) -> None:
    """Whether or not Klaviyo refuses a bulk request for what it has already."""
    world = EventWorld(stored_unique_ids=reading)
    orders = [order(number) for number in range(100)]
    assert world.bring(orders) == all_sent(orders)
    assert world.bring(orders) == all_sent(orders)
    assert world.stored() == as_stored(orders)
    assert world.account.profiles.count == 100


def test_events_that_are_there_already_go_alone_and_the_others_in_bulk() -> None:
    """Where a stored event refuses the request: it is named, ignored by the single endpoint, and the rest is sent again."""
    world = EventWorld(stored_unique_ids="refuse")
    orders = [order(number) for number in range(100)]
    world.bring(orders[40:50])
    assert world.bring(orders) == all_sent(orders)
    assert world.stored() == as_stored(orders)
    assert world.requests() == {"import_events": 3, "create_event": 30}


def test_a_body_that_is_there_already_goes_alone_after_a_few_refusals() -> None:
    """An answer names a hundred here, so a body of 900 would be refused nine times."""
    world = EventWorld(stored_unique_ids="refuse", quota_times=10)
    orders = [order(number) for number in range(300)]
    world.bring(orders)
    assert world.bring(orders) == all_sent(orders)
    assert world.stored() == as_stored(orders)
    assert world.requests() == {"import_events": 1 + DUPLICATE_ROUNDS, "create_event": 900}


def test_an_event_refused_by_name_fails_its_order_and_no_other_event() -> None:
    """The order's other events are sent, and so is all the rest of the body, in one request more."""
    world = EventWorld()
    orders = [order(0), order(1, value_currency="Euro"), order(2)]
    failed = Failed("invalid", f"{ENTRIES}/3/attributes/events/data/0/attributes/value_currency")
    assert world.bring(orders) == [("order-0", Sent()), ("order-1", failed), ("order-2", Sent())]
    assert world.stored() == [one for one in as_stored(orders) if one[1:3] != ("Placed Order", "order-1")]
    assert world.requests() == {"import_events": 2}


def test_an_answer_that_names_only_some_refused_events_is_asked_again() -> None:
    """A hundred at a time; 250 bad ones cost three refusals."""
    world = EventWorld()
    orders = [order(number, 1, value_currency="Euro" if number % 2 else "EUR") for number in range(500)]
    outcomes = dict(world.bring(orders))
    assert sum(isinstance(outcome, Failed) for outcome in outcomes.values()) == 250
    assert len(world.stored()) == 750
    assert world.requests() == {"import_events": 4}


def test_an_order_fails_by_the_first_of_its_events_that_was_refused() -> None:
    """Whatever order Klaviyo names them in."""
    bad_time = event("a", time="1980-01-01T00:00:00Z")
    [(_, outcome)] = EventWorld().bring([OrderEvents("order-1", (event("z"), bad_time, event("b", value_currency="Euro")))])
    assert outcome == Failed("invalid", f"{ENTRIES}/1/attributes/events/data/0/attributes/time")


def test_a_refused_phone_costs_the_phone_and_not_the_event() -> None:
    """Of a region that the account cannot text."""
    world = EventWorld(unsupported_phone_prefixes=("+49",))
    orders = [order(0, phone="+4930123456"), order(1, phone="+12025550123")]
    assert world.bring(orders) == [("order-0", Sent((Adjustment.PHONE_REFUSED,))), ("order-1", Sent())]
    assert (world.profile(0).phone, world.profile(1).phone) == (None, "+12025550123")
    assert world.stored() == as_stored(orders)
    assert world.requests() == {"import_events": 2}


def test_a_phone_that_only_the_single_endpoint_refuses_is_left_out_there() -> None:
    """An implausible number is dropped in bulk, refused alone."""
    world = EventWorld(stored_unique_ids="refuse")
    orders = [order(0, phone="+123")]
    world.bring(orders)
    assert world.bring(orders) == [("order-0", Sent((Adjustment.PHONE_REFUSED,)))]
    assert world.stored() == as_stored(orders)


def test_a_phone_left_out_is_counted_also_when_the_event_turns_out_to_be_there() -> None:
    """Refused first for the phone, then as stored."""
    world = EventWorld(stored_unique_ids="refuse", unsupported_phone_prefixes=("+49",))
    orders = [order(0, phone="+4930123456"), order(1)]
    first, second = world.bring(orders), world.bring(orders)
    assert first == second == [("order-0", Sent((Adjustment.PHONE_REFUSED,))), ("order-1", Sent())]
    assert world.stored() == as_stored(orders)


def test_an_event_given_twice_is_sent_once_and_settled_like_the_first() -> None:
    """Within an order, within a body, and in a later body; a failure, too."""
    world = EventWorld(limits=FIVE_A_BODY)
    bad = event("bad", value_currency="Euro")
    orders = [
        OrderEvents("order-1", (event("a"), event("a"), bad)),
        OrderEvents("order-2", (event("a"),)),
        *(order(number) for number in range(10, 15)),
        OrderEvents("order-3", (event("b"), bad)),
        OrderEvents("order-4", (event("a"), event("b"))),
    ]
    outcomes = dict(world.bring(orders))
    assert outcomes["order-2"] == outcomes["order-4"] == Sent()
    assert (
        outcomes["order-1"]
        == outcomes["order-3"]
        == Failed("invalid", f"{ENTRIES}/1/attributes/events/data/0/attributes/value_currency")
    )
    assert len(world.stored()) == 2 + 5 * 3
    assert world.requests() == {"import_events": 5}


def test_the_same_unique_id_of_another_person_or_metric_is_another_event() -> None:
    """As Klaviyo compares them; e-mails without regard to case."""
    world = EventWorld()
    events = (
        event("a"),
        event("a", metric="Cancelled Order"),
        event("a", "customer-2"),
        event("a", profile=ProfileAttributes(email="guest@example.com")),
        event("a", profile=ProfileAttributes(email="Guest@Example.com")),
    )
    assert world.bring([OrderEvents("order-1", events)]) == [("order-1", Sent())]
    assert world.account.events.has(world.profile(1).seq, "Cancelled Order", "a")
    assert sum(1 for _ in world.account.events.after(0)) == 4
    assert world.requests() == {"import_events": 1}


def test_an_event_too_large_for_any_body_fails_and_is_not_sent() -> None:
    """What the mapping lets through fits, alone in its body, with room for envelope and profile."""
    world = EventWorld()
    text = {f"p{number}": "x" * 90_000 for number in range(48)}
    largest = {**text, "rest": "x" * (MAX_PROPERTIES_BYTES - 48 * 90_010)}
    orders = [order(0), order(1, properties=largest), order(2, properties={**largest, "more": "x" * 150_000}), order(3)]
    assert world.bring(orders) == [
        ("order-0", Sent()),
        ("order-1", Sent()),
        ("order-2", Failed(ROW_TOO_LARGE)),
        ("order-3", Sent()),
    ]
    assert len(world.stored()) == 4 * 3 - 1


def test_an_order_without_events_is_sent_in_its_place() -> None:
    """Alone, too, and without a request."""
    world = EventWorld()
    none = OrderEvents("empty", ())
    assert world.bring([none, order(1), none, order(2), none]) == all_sent([none, order(1), none, order(2), none])
    assert (EventWorld().bring([none, none]), EventWorld().bring([])) == (all_sent([none, none]), [])


def test_orders_are_settled_while_others_are_still_being_read() -> None:
    """At most a body of events is read ahead; an order whose events stand in two bodies waits for both."""
    world = EventWorld(limits=FIVE_A_BODY)
    read: list[str] = []

    def orders() -> Iterator[OrderEvents]:
        for number in range(20):
            read.append(f"order-{number}")
            yield order(number)

    settled = world.events.import_events(orders(), world.time.budget())
    assert next(settled) == ("order-0", Sent())
    assert read == ["order-0", "order-1"]
    assert len(world.stored()) == 5
    assert next(settled) == ("order-1", Sent())
    assert read == ["order-0", "order-1", "order-2", "order-3"]
    assert [order_id for order_id, _ in settled] == [f"order-{number}" for number in range(2, 20)]


def test_an_order_is_not_settled_before_all_of_its_events_are() -> None:
    """Its first event has failed already when its second is read."""
    world = EventWorld()
    too_large = event("a", properties={"text": "x" * 5_000_000})
    settled = world.events.import_events([OrderEvents("order-1", (too_large, event("b")))], world.time.budget())
    assert next(settled) == ("order-1", Failed(ROW_TOO_LARGE))
    assert [unique_id for _, _, unique_id, _ in world.stored()] == ["b"]


def test_memory_does_not_grow_with_what_is_sent() -> None:
    """80 MB of events pass, and at each request there is a body in memory, its encoded form, and little else."""
    held: list[int] = []

    def measure(_: httpx.Request) -> httpx.Response:
        gc.collect()
        held.append(tracemalloc.get_traced_memory()[0])
        return httpx.Response(202)

    time = VirtualTime()
    importer = EventImporter(client_of(measure, time))
    text = "x" * 8_000
    orders = (order(number, 0, properties={"text": f"{text}{number}"}) for number in range(10_000))
    tracemalloc.start()
    try:
        assert sum(1 for _ in importer.import_events(orders, time.budget())) == 10_000
    finally:
        tracemalloc.stop()
    assert len(held) == 19
    assert max(held) < 16_000_000


@pytest.mark.parametrize(
    ("fault", "error"),
    [(FaultRule(kind="status", status=503, path="/api/event"), HostDown), (FaultRule(kind="status", status=401), AuthError)],
)
def test_an_error_that_is_not_about_the_events_ends_the_import_behind_what_is_settled(fault: FaultRule, error: Any) -> None:
    """What was yielded stays settled; all orders can be sent again."""
    world = EventWorld(limits=FIVE_A_BODY)
    orders = [order(number) for number in range(10)]
    settled = world.events.import_events(orders, world.time.budget())
    assert next(settled) == ("order-0", Sent())
    world.account.faults.set([fault])
    with pytest.raises(error):
        list(settled)
    world.account.faults.set([])
    assert world.bring(orders) == all_sent(orders)
    assert world.stored() == as_stored(orders)


def test_an_import_out_of_time_among_single_events_keeps_what_is_settled() -> None:
    """Orders are yielded every few events also there, so that the next attempt begins behind them."""
    world = EventWorld(stored_unique_ids="refuse")
    orders = [order(number) for number in range(300)]
    world.bring(orders)
    settled: list[tuple[str, RowOutcome]] = []
    with pytest.raises((Interrupted, TransientError)):
        settled.extend(world.events.import_events(orders, world.time.budget(30.0)))
    assert settled == all_sent(orders)[: len(settled)]
    assert 20 <= len(settled) < 300


def test_a_lost_answer_is_no_second_event() -> None:
    """The request was carried out, and is sent again: refused as stored by one reading, ignored by the other."""
    world = EventWorld(stored_unique_ids="refuse")
    world.account.faults.set([FaultRule(kind="lost", path="/api/event-bulk-create-jobs", first=1)])
    orders = [order(number) for number in range(5)]
    assert world.bring(orders) == all_sent(orders)
    assert world.stored() == as_stored(orders)


@pytest.fixture
def klaviyo_url() -> Iterator[str]:
    """A simulated Klaviyo in a process of its own, which refuses what it has."""
    chosen = json.dumps({"stored_unique_ids": "refuse", "quota_times": 1_000})
    command = [sys.executable, "-m", "sandbox.klaviyo", "--port", "0", "--settings", chosen]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().removeprefix("listening on ").strip()
        process.terminate()


def test_over_http_the_same_orders_twice_are_stored_once(klaviyo_url: str) -> None:
    """With real time, threads and sockets."""
    client = open_klaviyo(base_url=klaviyo_url, api_key="pk_sandbox", limiter=Limiter(), user_agent="tests/1")
    orders = [order(number) for number in range(150)]
    for _ in range(2):
        assert list(EventImporter(client).import_events(orders, budget_of(60.0))) == all_sent(orders)
    client.close()
    summary = httpx.get(f"{klaviyo_url}/_sandbox/summary", trust_env=False, timeout=60).json()
    assert summary["events"] == 450
