"""Refusals of bulk events that no simulator gives: unnamed, in other words, or of everything (decisions.md 8)."""

from __future__ import annotations

from collections import Counter
from typing import Any

import httpx
import pytest
from event_doubles import OK, Bulk, Refusing, event, order
from hypothesis import given, settings
from hypothesis import strategies as st
from klaviyo_doubles import VirtualTime, client_of, error_body

from shared.errors import HostDown
from shared.klaviyo.event_imports import SEARCHED_ROWS_LEAST, SINGLES_AT_ONCE, EventImporter, OrderEvents
from shared.klaviyo.events import Event
from shared.klaviyo.profiles import ProfileAttributes
from shared.klaviyo.refused_rows import PHONE_ROUNDS
from shared.klaviyo.row_outcomes import Failed, RowOutcome, Sent
from shared.mapping.result import Adjustment

ENTRIES = "/data/attributes/events-bulk-create/data"
UNNAMED = httpx.Response(400, content=error_body({"code": "invalid", "source": {"pointer": "/data"}}))


def named(code: str, *pointers: str) -> httpx.Response:
    """A refusal that points below the entries."""
    entries = ({"code": code, "source": {"pointer": f"{ENTRIES}/{pointer}"}} for pointer in pointers)
    return httpx.Response(400, content=error_body(*entries))


def orders_of(count: int, **changed: Any) -> list[OrderEvents]:
    """Orders with one event each."""
    return [order(number, 0, **changed) for number in range(count)]


def refuses(*bad: str) -> Bulk:
    """Refuses bodies that have one of these events, and does not say which."""
    return lambda rows: UNNAMED if any(row["unique_id"] in bad for row in rows) else OK


def test_an_event_that_no_answer_names_is_searched_for_by_halving_and_named_by_the_single_endpoint() -> None:
    """Of a thousand, at most a few dozen go alone; only the bad one fails, with the reason of its own request."""
    refusing = Refusing(
        refuses("order-700"),
        lambda row: (
            httpx.Response(400, content=error_body({"code": "odd", "source": {"pointer": "/data/attributes/time"}}))
            if row["unique_id"] == "order-700"
            else OK
        ),
    )
    outcomes = refusing.bring(orders_of(1_000))
    assert {name: one for name, one in outcomes.items() if isinstance(one, Failed)} == {
        "order-700": Failed("odd", "/data/attributes/time")
    }
    assert set(refusing.accepted.values()) == {1}
    assert (len(refusing.accepted), len(refusing.bodies)) == (999, 11)
    assert len(refusing.alone) < SEARCHED_ROWS_LEAST


def test_stored_events_that_a_refusal_neither_names_nor_calls_so_are_sent_all_the_same() -> None:
    """The worst reading of the contract: everything refused without a word. The single endpoint ignores what it has."""
    refusing = Refusing(lambda _: UNNAMED)
    outcomes = refusing.bring(orders_of(200))
    assert set(outcomes.values()) == {Sent()}
    assert refusing.alone.count("order-0") == 1
    assert (len(refusing.alone), len(refusing.bodies)) == (200, 15)


@pytest.mark.parametrize(
    "refusal",
    [
        httpx.Response(409),
        httpx.Response(409, content=error_body({"code": "conflict"})),
        httpx.Response(400, content=error_body({"code": "duplicate_event", "source": {"pointer": "/data"}})),
        httpx.Response(422, content=error_body({"code": "duplicate"})),
    ],
)
def test_a_body_called_a_duplicate_goes_alone_without_a_search(refusal: httpx.Response) -> None:
    """By its code, or as a conflict."""
    refusing = Refusing(lambda _: refusal)
    assert set(refusing.bring(orders_of(150)).values()) == {Sent()}
    assert (refusing.bodies, len(refusing.alone)) == ([150], 150)


def test_rows_called_duplicates_by_their_code_go_alone() -> None:
    """Wherever in the row the pointer points."""

    def bulk(rows: list[dict[str, Any]]) -> httpx.Response:
        at = next((n for n, row in enumerate(rows) if row["unique_id"] == "order-3"), None)
        return OK if at is None else named("duplicate", f"{at}/attributes")

    refusing = Refusing(bulk)
    assert set(refusing.bring(orders_of(10)).values()) == {Sent()}
    assert (refusing.bodies, refusing.alone) == ([10, 9], ["order-3"])


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (httpx.Response(409), Sent()),
        (httpx.Response(400, content=error_body({"code": "duplicate"})), Sent()),
        (
            httpx.Response(409, content=error_body({"code": "duplicate_profile", "source": {"pointer": "/data/attributes"}})),
            Failed("duplicate_profile", "/data/attributes"),
        ),
        (
            httpx.Response(400, content=error_body({"code": "invalid", "source": {"pointer": "/data/attributes/unique_id"}})),
            Failed("invalid", "/data/attributes/unique_id"),
        ),
    ],
)
def test_an_event_that_the_single_endpoint_calls_a_duplicate_is_there(answer: httpx.Response, outcome: RowOutcome) -> None:
    """But not one whose profile clashes with another, and not one whose id Klaviyo does not like."""
    refusing = Refusing(lambda _: named("invalid", "0/attributes/events/data/0/attributes/unique_id"), lambda _: answer)
    assert refusing.bring(orders_of(1)) == {"order-0": outcome}


def test_a_profile_that_clashes_is_no_stored_event() -> None:
    """Named in bulk, it fails; it is not taken for a duplicate."""
    refusing = Refusing(lambda rows: named("duplicate_profile", "0/attributes/profile") if len(rows) == 2 else OK)
    outcomes = refusing.bring(orders_of(2))
    assert outcomes == {"order-0": Failed("duplicate_profile", f"{ENTRIES}/0/attributes/profile"), "order-1": Sent()}
    assert refusing.alone == []


def test_a_body_called_too_large_is_halved_until_it_fits_and_a_single_event_fails() -> None:
    """Klaviyo may read its limit otherwise than we do."""
    assert set(Refusing(lambda rows: httpx.Response(413) if len(rows) > 3 else OK).bring(orders_of(20)).values()) == {Sent()}
    assert Refusing(lambda _: httpx.Response(413)).bring(orders_of(1)) == {"order-0": Failed("http_413")}


def test_a_refusal_that_is_about_no_content_fails_the_body_at_once() -> None:
    """405 and its kind."""
    refusing = Refusing(lambda _: httpx.Response(405))
    assert set(refusing.bring(orders_of(100)).values()) == {Failed("http_405")}
    assert (refusing.bodies, refusing.alone) == ([100], [])


def test_an_account_that_cannot_text_a_country_is_found_out_after_a_few_requests() -> None:
    """One phone named an answer: the rest of that country goes without; other countries keep theirs."""

    def bulk(rows: list[dict[str, Any]]) -> httpx.Response:
        at = next((n for n, row in enumerate(rows) if row.get("phone", "").startswith("+49")), None)
        return OK if at is None else named("invalid", f"{at}/attributes/profile/data/attributes/phone_number")

    refusing = Refusing(bulk)
    orders = [order(number, 0, phone="+4930123456" if number % 2 else "+12025550123") for number in range(40)]
    outcomes = refusing.bring(orders)
    assert [outcomes[f"order-{number}"] for number in (0, 1)] == [Sent(), Sent((Adjustment.PHONE_REFUSED,))]
    assert sum(bool(isinstance(one, Sent) and one.adjustments) for one in outcomes.values()) == 20
    assert len(refusing.bodies) == PHONE_ROUNDS + 1


def test_a_phone_is_kept_where_nothing_else_tells_who_the_person_is() -> None:
    """Then the event fails."""
    only_phone = event("a", profile=ProfileAttributes(phone_number="+4930123456"))
    refusing = Refusing(lambda _: named("invalid", "0/attributes/profile/data/attributes/phone_number"))
    [outcome] = refusing.bring([OrderEvents("order-1", (only_phone,))]).values()
    assert outcome == Failed("invalid", f"{ENTRIES}/0/attributes/profile/data/attributes/phone_number")
    assert refusing.bodies == [1]


def test_a_row_with_a_fault_beside_its_phone_fails_by_that_fault() -> None:
    """Without the phone it would be refused again."""
    at = "0/attributes/profile/data/attributes"
    refusing = Refusing(lambda _: named("invalid", f"{at}/phone_number", f"{at}/email"))
    assert refusing.bring(orders_of(1, phone="+4930123456")) == {"order-0": Failed("invalid", f"{ENTRIES}/{at}/email")}


def test_of_each_person_one_event_goes_before_the_others() -> None:
    """It may create the profile, which two at once would do twice."""
    refusing = Refusing(lambda _: httpx.Response(409))
    people = [("a", 4), ("b", 1), ("c", 3)]
    orders = [OrderEvents(f"of-{p}", tuple(event(f"{p}{n}", p) for n in range(count))) for p, count in people]
    assert set(refusing.bring(orders).values()) == {Sent()}
    assert set(refusing.alone[:3]) == {"a0", "b0", "c0"}
    assert len(refusing.alone) == 8


def test_events_alone_that_end_in_an_outage_leave_the_orders_before_them_settled() -> None:
    """Those of every few events before it, and those that are settled when it is met."""
    down_from = f"order-{SINGLES_AT_ONCE + 3}"
    refusing = Refusing(lambda _: httpx.Response(409), lambda row: httpx.Response(503) if row["unique_id"] == down_from else OK)
    time = VirtualTime()
    settled: list[tuple[str, RowOutcome]] = []
    with pytest.raises(HostDown):
        settled.extend(EventImporter(client_of(refusing, time)).import_events(orders_of(200), time.budget()))
    assert [order_id for order_id, _ in settled] == [f"order-{number}" for number in range(SINGLES_AT_ONCE + 3)]


FATES = ["good", "bad", "phone", "stored", "bad alone"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.sampled_from(FATES), max_size=4), max_size=30), st.integers(1, 5))
def test_every_order_ends_in_its_place_and_every_good_event_is_taken_once(fates: list[list[str]], named_at_once: int) -> None:
    """However many refusals of whatever kind come one after another; only orders with a bad event fail."""
    orders = [
        OrderEvents(f"order-{n}", tuple(_event(f"{n}.{m}.{fate}", fate) for m, fate in enumerate(of_order)))
        for n, of_order in enumerate(fates)
    ]

    def bulk(rows: list[dict[str, Any]]) -> httpx.Response:
        fields = {"bad": "time", "stored": "unique_id", "bad alone": "unique_id"}
        pointers = []
        for at, row in enumerate(rows):
            fate = row["unique_id"].split(".")[2]
            if fate in fields:
                pointers.append(f"{at}/attributes/events/data/0/attributes/{fields[fate]}")
            if "phone" in row:
                pointers.append(f"{at}/attributes/profile/data/attributes/phone_number")
        return named("invalid", *pointers[:named_at_once]) if pointers else OK

    def single(row: dict[str, Any]) -> httpx.Response:
        if "bad" in row["unique_id"]:
            return UNNAMED
        pointer = {"pointer": "/data/attributes/profile/data/attributes/phone_number"}
        return httpx.Response(400, content=error_body({"source": pointer})) if "phone" in row else OK

    refusing = Refusing(bulk, single)
    outcomes = refusing.bring(orders)
    for one, of_order in zip(orders, fates, strict=True):
        adjusted = (Adjustment.PHONE_REFUSED,) if "phone" in of_order else ()
        fails = "bad" in of_order or "bad alone" in of_order
        assert isinstance(outcomes[one.order_id], Failed) if fails else outcomes[one.order_id] == Sent(adjusted)
    every = {one.unique_id for of_order in orders for one in of_order.events}
    assert refusing.accepted == Counter(unique_id for unique_id in every if not unique_id.endswith(("bad", "bad alone")))


def _event(unique_id: str, fate: str) -> Event:
    return event(unique_id, unique_id, phone="+4930123456" if fate == "phone" else None)
