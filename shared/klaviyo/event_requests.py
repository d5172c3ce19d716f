"""The requests that record events, one alone and many in bulk. Pure (klaviyo.md 1.5)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from shared.klaviyo import limits
from shared.klaviyo.events import Event
from shared.klaviyo.packing import Body, Envelope
from shared.klaviyo.requests import Request, nothing

EVENT_IMPORT = Envelope(
    b'{"data":{"type":"event-bulk-create-job","attributes":{"events-bulk-create":{"data":[',
    b"]}}}}",
)

_encode = msgspec.json.Encoder(decimal_format="number").encode
_decode = msgspec.json.Decoder(float_hook=Decimal).decode


def create_event(event: Event, *, backfill: bool = False) -> Request[None]:
    """Record an event; one that Klaviyo has already, by profile, metric and `unique_id`, is ignored without a word.

    `backfill`: it happened in the past and starts no flow.
    """
    past = {"backfill": True} if backfill else {}
    attributes = _attributes(event, profile={"data": _profile(event)}, **past)
    body = _encode({"data": {"type": "event", "attributes": attributes}})
    return Request(limits.CREATE_EVENT, limits.CREATE_EVENT.path, nothing, body)


def start_event_import(body: Body) -> Request[None]:
    """Record all events of a body, or none of them: the answer names no job, and nothing can be asked afterwards."""
    return Request(limits.IMPORT_EVENTS, limits.IMPORT_EVENTS.path, nothing, body.encode())


def encode_bulk_event(event: Event) -> bytes:
    """A row of a bulk body: a past event, which starts no flow, with its own profile."""
    attributes = {
        "backfill": True,
        "profile": {"data": _profile(event)},
        "events": {"data": [{"type": "event", "attributes": _attributes(event)}]},
    }
    return _encode({"type": "event-bulk-create", "attributes": attributes})


def decode_bulk_event(row: bytes) -> Event:
    """The event that `encode_bulk_event` made a row of; encoded again it is the same row."""
    entry = _decode(row)["attributes"]
    attributes = entry["events"]["data"][0]["attributes"]
    profile, metric = entry["profile"]["data"]["attributes"], attributes["metric"]["data"]["attributes"]["name"]
    return msgspec.convert({**attributes, "metric": metric, "profile": profile}, Event)


def _attributes(event: Event, **more: Any) -> dict[str, Any]:
    """What both forms say of the event itself, and `more`."""
    return {
        "metric": {"data": {"type": "metric", "attributes": {"name": event.metric}}},
        **more,
        "unique_id": event.unique_id,
        "time": event.time,
        "value": event.value,
        "value_currency": event.value_currency,
        "properties": event.properties,
    }


def _profile(event: Event) -> dict[str, Any]:
    return {"type": "profile", "attributes": event.profile}
