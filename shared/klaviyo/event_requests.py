"""The request that records one event. Pure (klaviyo.md 1.5)."""

from __future__ import annotations

from typing import Any

import msgspec

from shared.klaviyo import limits
from shared.klaviyo.events import Event
from shared.klaviyo.requests import Request, nothing

_encode = msgspec.json.Encoder(decimal_format="number").encode


def create_event(event: Event) -> Request[None]:
    """Record an event; one that Klaviyo has already, by profile, metric and `unique_id`, is ignored without a word."""
    attributes: dict[str, Any] = {
        "metric": {"data": {"type": "metric", "attributes": {"name": event.metric}}},
        "profile": {"data": {"type": "profile", "attributes": event.profile}},
        "unique_id": event.unique_id,
        "time": event.time,
        "value": event.value,
        "value_currency": event.value_currency,
        "properties": event.properties,
    }
    body = _encode({"data": {"type": "event", "attributes": attributes}})
    return Request(limits.CREATE_EVENT, limits.CREATE_EVENT.path, nothing, body)
