"""Of a dead message only ids and types are shown, read as its function reads it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.bulk.messages import PlanMessage, WorkMessage, encoded
from shared.cli.message_pointers import Pointers, pointers_of
from shared.google.names import Stream

ORDER: dict[str, Any] = {
    "notificationType": "Message",
    "type": "OrderCreated",
    "id": "m-1",
    "createdAt": "2026-05-01T11:00:00.000Z",
    "resource": {"typeId": "order", "id": "o-1"},
    "order": {"customerEmail": "jane@example.com"},
}
ABOUT_ORDER = Pointers("OrderCreated", "order", "o-1", "2026-05-01T11:00:00.000Z")


@pytest.mark.parametrize(
    "body",
    [ORDER, {"specversion": "1.0", "id": "e-1", "type": "x", "source": "/", "data": ORDER}],
    ids=["platform", "cloudevent"],
)
def test_a_notification_points_to_its_resource(body: dict[str, Any]) -> None:
    """As commercetools sends it, or as a CloudEvent."""
    assert pointers_of(Stream.EVENTS, json.dumps(body).encode()) == ABOUT_ORDER


def test_an_imports_messages_point_to_their_run() -> None:
    """And to the range, or the batch."""
    plan, work = PlanMessage("r-1", 3, 7), WorkMessage("r-1", 3, "0007-000001")
    assert pointers_of(Stream.PLAN, encoded(plan)) == Pointers("PlanMessage", "run", "r-1", range_index=7)
    assert pointers_of(Stream.WORK, encoded(work)) == Pointers("WorkMessage", "run", "r-1", batch_id="0007-000001")


@pytest.mark.parametrize("stream", Stream)
@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b'{"email": "jane@example.com"}', b"jane@example.com"])
def test_what_nobody_can_read_points_to_nothing(stream: Stream, body: bytes) -> None:
    """None of it is shown."""
    assert pointers_of(stream, body) == Pointers()


def test_what_is_no_name_is_not_shown() -> None:
    """Anybody may publish who is allowed to: no free text reaches a terminal."""
    hostile = {**ORDER, "type": "Jane Doe\x1b[2J", "resource": {"typeId": "jane doe", "id": "o-1"}}
    assert pointers_of(Stream.EVENTS, json.dumps(hostile).encode()) == Pointers(None, None, "o-1", "2026-05-01T11:00:00.000Z")
    batch = encoded(WorkMessage("jane doe", 1, "jane doe"))
    assert pointers_of(Stream.WORK, batch) == Pointers("WorkMessage", "run", None)
