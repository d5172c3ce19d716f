"""The requests that record events say the same in both forms, and lose nothing on the way (klaviyo.md 1.5)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
from event_doubles import event
from hypothesis import given
from hypothesis import strategies as st

from shared.klaviyo.event_requests import EVENT_IMPORT, create_event, decode_bulk_event, encode_bulk_event, start_event_import
from shared.klaviyo.events import Event
from shared.klaviyo.limits import EVENT_IMPORT_LIMITS
from shared.klaviyo.packing import Body, pack
from shared.klaviyo.profiles import ProfileAttributes, ProfileLocation
from shared.klaviyo.requests import Answer

amounts = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=2)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | amounts | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
names = st.none() | st.text(min_size=1, max_size=5)
events = st.builds(
    Event,
    metric=st.text(min_size=1, max_size=9),
    profile=st.builds(
        ProfileAttributes,
        external_id=names,
        email=names,
        phone_number=names,
        location=st.none() | st.builds(ProfileLocation, city=names, country=names),
    ),
    unique_id=st.text(max_size=9),
    time=st.just("2026-03-01T10:00:00Z"),
    value=amounts,
    value_currency=st.just("EUR"),
    properties=st.dictionaries(st.text(max_size=4), values, max_size=4),
)


def test_a_row_is_one_past_event_with_its_own_profile() -> None:
    """`backfill` stands at the entry, so that no flow starts."""
    row = msgspec.json.decode(encode_bulk_event(event("order-1")))
    assert row == {
        "type": "event-bulk-create",
        "attributes": {
            "backfill": True,
            "profile": {
                "data": {
                    "type": "profile",
                    "attributes": {"external_id": "customer-1", "email": "customer-1@example.com"},
                }
            },
            "events": {
                "data": [
                    {
                        "type": "event",
                        "attributes": {
                            "metric": {"data": {"type": "metric", "attributes": {"name": "Placed Order"}}},
                            "unique_id": "order-1",
                            "time": "2026-03-01T10:00:00Z",
                            "value": 13.5,
                            "value_currency": "EUR",
                            "properties": {"OrderId": "order-1"},
                        },
                    }
                ]
            },
        },
    }


@given(events)
def test_a_row_gives_its_event_back(given_event: Event) -> None:
    """Amounts exactly, so that an event sent alone is the one that was refused in bulk."""
    row = encode_bulk_event(given_event)
    assert encode_bulk_event(decode_bulk_event(row)) == row
    assert decode_bulk_event(row).value == given_event.value


@given(events)
def test_an_event_alone_says_what_its_row_says(given_event: Event) -> None:
    """The same attributes, the profile among them, and `backfill` beside."""
    row = msgspec.json.decode(encode_bulk_event(given_event))["attributes"]
    alone = msgspec.json.decode(create_event(given_event, backfill=True).body)["data"]["attributes"]
    assert alone == {**row["events"]["data"][0]["attributes"], "profile": row["profile"], "backfill": True}


def test_a_live_event_starts_flows() -> None:
    """Nothing says `backfill` unless it is asked for."""
    assert b"backfill" not in create_event(event("order-1")).body


def test_a_body_holds_its_rows_in_their_order_and_its_answer_says_nothing() -> None:
    """202 without a body."""
    rows = [encode_bulk_event(event(f"order-{number}")) for number in range(3)]
    [body] = list(pack(rows, EVENT_IMPORT, EVENT_IMPORT_LIMITS))
    assert isinstance(body, Body)
    request = start_event_import(body)
    sent: dict[str, Any] = msgspec.json.decode(request.body)["data"]
    assert sent["type"] == "event-bulk-create-job"
    assert sent["attributes"]["events-bulk-create"]["data"] == [msgspec.json.decode(row) for row in rows]
    assert (request.endpoint.method, request.path) == ("POST", "/api/event-bulk-create-jobs")
    request.decode(Answer(202, b""))


def test_amounts_are_numbers_in_the_body() -> None:
    """Not text, and not rounded."""
    assert b'"value":1234567.89,' in encode_bulk_event(event("order-1", value=Decimal("1234567.89")))
