"""What is read of a notification before anything is done with it (commercetools.md 1)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.realtime.notification import MalformedNotification, notification_of
from shared.realtime.registry import route_of
from shared.settings.document import SyncDocument

ENTRY = {"notificationType": "ResourceUpdated", "resource": {"typeId": "inventory-entry", "id": "e-1"}}
EVENT = {
    "notificationType": "Event",
    "id": "event-1",
    "type": "ImportContainerCreated",
    "resourceType": "import-api",
    "data": {"importContainer": {"key": "c"}},
    "createdAt": "2026-01-02T03:04:05.678Z",
}


def encoded(*parts: dict[str, Any]) -> bytes:
    return json.dumps({name: value for part in parts for name, value in part.items()}).encode()


def test_an_event_is_about_no_resource_and_nobody_handles_it() -> None:
    """It is no poison: a subscription may have some, and they are skipped as unknown."""
    notification = notification_of(encoded(EVENT))
    assert (notification.type, notification.resource_type, notification.resource_id) == ("Event", "", "")
    assert notification.at == EVENT["createdAt"]
    assert route_of(notification, SyncDocument()) is None


@pytest.mark.parametrize("kind", ["Message", "ResourceUpdated", ""])
def test_any_other_notification_without_a_resource_is_malformed(kind: str) -> None:
    """There is nothing to look at."""
    with pytest.raises(MalformedNotification, match="not_a_notification"):
        notification_of(encoded(EVENT, {"notificationType": kind}))


@pytest.mark.parametrize("sku", ["SKU-1", 'ä "b" / ☃', "s" * 256])
def test_a_sku_is_taken_as_it_is(sku: str) -> None:
    """Up to commercetools' own length."""
    assert notification_of(encoded(ENTRY, {"resourceUserProvidedIdentifiers": {"sku": sku}})).sku == sku


@pytest.mark.parametrize("sku", ["s" * 257, "s" * 70_000, "a\x00b", "a\nb", "\x7f", "\x85", "", None])
def test_what_can_be_no_sku_is_not_taken(sku: str | None) -> None:
    """It would go into queries and dead letters, and could make both fail for ever."""
    assert notification_of(encoded(ENTRY, {"resourceUserProvidedIdentifiers": {"sku": sku}})).sku is None
