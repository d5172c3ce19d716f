"""An import of events that ended early goes on where it ended: what is known is not lost, nor sent again (decisions.md 5, 8)."""

from __future__ import annotations

import base64
from collections import Counter
from itertools import count
from typing import Any

import httpx
import msgspec
from event_doubles import OK, Refusing, event, order
from klaviyo_doubles import VirtualTime, client_of, error_body

from shared.errors import HostDown, RateLimited, SyncError
from shared.klaviyo.event_imports import EventImporter, OrderEvents
from shared.klaviyo.known_events import (
    DIGEST_BYTES,
    POINTER_BYTES_MOST,
    REMEMBERED_MOST,
    KnownEvents,
    KnownEventsRecord,
    digest_of,
)
from shared.klaviyo.row_outcomes import Failed, RowOutcome, Sent
from shared.mapping.result import Adjustment

STORED = httpx.Response(400, content=error_body({"code": "duplicate", "source": {"pointer": "/data"}}))
DOWN = httpx.Response(503)


def restored(known: KnownEvents) -> KnownEvents:
    """As the next delivery gets it: through JSON."""
    return KnownEvents.from_record(msgspec.json.decode(msgspec.json.encode(known.to_record()), type=KnownEventsRecord))


class Batch:
    """Orders that are imported again and again, as a batch is: those behind what is done, with what is known of them.

    Each delivery is to another process, and tries each request once.
    """

    def __init__(self, klaviyo: Refusing, orders: list[OrderEvents]) -> None:
        self._klaviyo = klaviyo
        self._left = orders
        self.known = KnownEvents()
        self.done: dict[str, RowOutcome] = {}

    def deliver(self) -> SyncError | None:
        """One delivery; the error that ended it early."""
        time, ended = VirtualTime(), None
        importer = EventImporter(client_of(self._klaviyo, time, attempts=1))
        try:
            for order_id, outcome in importer.import_events(self._left, time.budget(480.0), self.known):
                self.done[order_id] = outcome
        except SyncError as error:
            ended = error
        self._left = [one for one in self._left if one.order_id not in self.done]
        self.known = restored(self.known)
        return ended

    def deliver_to_the_end(self, most: int) -> int:
        """Deliver until nothing is left; how many deliveries that took, of which there may be `most`."""
        for delivery in range(1, most + 1):
            if self.deliver() is None:
                return delivery
        raise AssertionError(f"{len(self._left)} orders are left after {most} deliveries")


def test_orders_in_front_of_a_single_event_that_cannot_be_sent_now_are_done() -> None:
    """And of the orders behind it no event is sent again but its own."""
    down = {"order-50"}
    klaviyo = Refusing(lambda _: STORED, lambda row: DOWN if row["unique_id"] in down else OK)
    orders = [order(number, lines=0) for number in range(64)]
    batch = Batch(klaviyo, orders)
    assert isinstance(batch.deliver(), HostDown)
    assert list(batch.done) == [one.order_id for one in orders[:50]]
    assert isinstance(batch.deliver(), HostDown)
    down.clear()
    assert batch.deliver() is None
    assert batch.done == {one.order_id: Sent() for one in orders}
    assert klaviyo.alone == [*klaviyo.alone[:64], "order-50", "order-50"]
    assert klaviyo.accepted == Counter(one.order_id for one in orders)


def test_orders_of_the_part_of_a_body_that_was_taken_are_done_when_the_rest_is_not() -> None:
    """A body that is too large is sent in halves, of which the second finds Klaviyo down; it alone is sent again."""
    answers = iter([httpx.Response(413), OK, DOWN, OK])
    klaviyo = Refusing(lambda _: next(answers))
    orders = [order(number, lines=1) for number in range(5)]
    batch = Batch(klaviyo, orders)
    assert isinstance(batch.deliver(), HostDown)
    assert list(batch.done) == ["order-0", "order-1"], "the third has one event in each half"
    assert batch.deliver() is None
    assert klaviyo.bodies == [10, 5, 5, 5]
    assert set(klaviyo.accepted.values()) == {1}
    assert batch.done == {one.order_id: Sent() for one in orders}


def test_a_batch_of_whose_single_events_some_meet_an_outage_in_every_delivery_ends() -> None:
    """Each tenth request does. Every delivery gets on, also one that does not bring the front order to its end."""
    requests = count(1)
    klaviyo = Refusing(lambda _: STORED, lambda _: OK if next(requests) % 10 else DOWN)
    orders = [order(number, lines=6) for number in range(60)]
    batch = Batch(klaviyo, orders)
    assert batch.deliver_to_the_end(48) > 2
    assert batch.done == {one.order_id: Sent() for one in orders}
    assert klaviyo.accepted == Counter(one.unique_id for order_ in orders for one in order_.events)


def test_an_order_of_500_lines_ends_where_a_delivery_has_room_for_a_hundred_single_events() -> None:
    """The quota is used up for longer than a delivery lasts; no event is sent twice."""
    room = 0

    def alone(_: dict[str, Any]) -> httpx.Response:
        nonlocal room
        room -= 1
        return OK if room >= 0 else httpx.Response(429, headers={"retry-after": "600"})

    klaviyo = Refusing(lambda _: STORED, alone)
    orders = [order(1, lines=500), order(2)]
    batch = Batch(klaviyo, orders)
    for _ in range(5):
        room = 100
        assert isinstance(batch.deliver(), RateLimited)
    room = 100
    assert batch.deliver() is None
    assert batch.done == {"order-1": Sent(), "order-2": Sent()}
    assert klaviyo.accepted == Counter(one.unique_id for order_ in orders for one in order_.events)


def test_what_became_of_an_event_is_part_of_its_orders_outcome_also_in_a_later_delivery() -> None:
    """A failure with its code and pointer, and what had to be left out."""
    down = {"line-1", "line-2"}

    def alone(row: dict[str, Any]) -> httpx.Response:
        if row["unique_id"] in down:
            return DOWN
        if row["unique_id"] == "bad":
            return httpx.Response(400, content=error_body({"code": "odd", "source": {"pointer": "/data/attributes/time"}}))
        pointer = "/data/attributes/profile/data/attributes/phone_number"
        return (
            httpx.Response(400, content=error_body({"code": "invalid", "source": {"pointer": pointer}})) if "phone" in row else OK
        )

    klaviyo = Refusing(lambda _: STORED, alone)
    first = OrderEvents("order-1", (event("phone", phone="+4930123456"), event("line-1", "customer-2")))
    second = OrderEvents("order-2", (event("bad", "customer-3"), event("line-2", "customer-4")))
    batch = Batch(klaviyo, [first, second])
    assert isinstance(batch.deliver(), HostDown)
    assert batch.done == {}
    down.clear()
    assert batch.deliver() is None
    assert batch.done == {"order-1": Sent((Adjustment.PHONE_REFUSED,)), "order-2": Failed("odd", "/data/attributes/time")}
    assert Counter(klaviyo.alone) == {"phone": 2, "bad": 1, "line-1": 2, "line-2": 2}, "once with the phone, once without"


def test_what_is_known_is_passed_on_until_the_order_is_done() -> None:
    """By a delivery that gets nowhere; once all are done, nothing is left of it."""
    klaviyo = Refusing(lambda _: DOWN)
    batch = Batch(klaviyo, [order(1), order(2)])
    placed = digest_of(order(2).events[0])
    batch.known = KnownEvents({placed: Sent()})
    assert isinstance(batch.deliver(), HostDown)
    assert batch.known.outcomes == {placed: Sent()}
    klaviyo.bulk = lambda _: OK
    assert batch.deliver() is None
    assert batch.known == KnownEvents()
    assert klaviyo.accepted == Counter(one.unique_id for one in (*order(1).events, *order(2).events[1:]))


def test_a_record_of_what_is_known_is_small_whatever_is_known() -> None:
    """Digests of the events that were settled first; of failures beyond a limit only the reason."""
    digests = [number.to_bytes(DIGEST_BYTES, "big") for number in range(2 * REMEMBERED_MOST)]
    known = KnownEvents({one: Failed("invalid", f"/data/{number:0100}") for number, one in enumerate(digests)})
    assert len(msgspec.json.encode(known.to_record())) < 500_000
    again = restored(known)
    assert again.to_record() == known.to_record(), "so that a delivery that gets nowhere is seen to"
    assert again.outcomes.keys() == set(digests[:REMEMBERED_MOST])
    pointed = [outcome for outcome in again.outcomes.values() if isinstance(outcome, Failed) and outcome.pointer]
    assert 100 < len(pointed) < POINTER_BYTES_MOST / 100
    assert again.outcomes[digests[0]] == known.outcomes[digests[0]]
    assert {outcome.reason for outcome in again.outcomes.values() if isinstance(outcome, Failed)} == {"invalid"}


def test_what_was_stored_of_events_before_is_understood() -> None:
    """The form of the record: batches that are under way hold it."""
    first, second, third = (base64.b64encode(bytes([number]) * DIGEST_BYTES).decode() for number in range(3))
    stored = {"events": [{"digests": first + second, "reason": "odd", "pointer": "/data"}, {"digests": third}]}
    known = KnownEvents.from_record(msgspec.convert(stored, KnownEventsRecord))
    failed = Failed("odd", "/data")
    assert list(known.outcomes.items()) == [(bytes(12), failed), (b"\x01" * 12, failed), (b"\x02" * 12, Sent())]
    assert msgspec.to_builtins(known.to_record()) == stored
