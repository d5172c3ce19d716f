"""A dead letter holds what its replay needs, and nothing of what the message held."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from shared.commercetools.catalog import Money
from shared.commercetools.orders import Order
from shared.commercetools.resources import Customer
from shared.mapping.choices import Choices
from shared.mapping.result import Skip, SkipReason
from shared.mapping.sources import OrderSource
from shared.realtime.notification import Notification
from shared.realtime.notifications.orders import order_identity_set
from shared.realtime.replay import letter_of, notification_of_letter
from shared.realtime.writes import Mapped, SendEvents

AT = datetime(2026, 5, 1, 12, tzinfo=UTC)
GUEST = Order(
    id="o-1", createdAt="2026-05-01T10:00:00.000Z", orderState="Open", customerEmail="ann@example.com",
    totalPrice=Money(centAmount=1300, currencyCode="EUR"),
)  # fmt: skip
NAMED = msgspec.structs.replace(GUEST, customerEmail=None, customerId="c-1")


def identity(kind: str, fields: dict[str, Any]) -> Notification:
    """An identity message about order o-1."""
    body = msgspec.json.encode(fields)
    return Notification(type=kind, resource_type="order", resource_id="o-1", at="2026-05-01T11:00:00.000Z", body=body)


def replayed(notification: Notification) -> Notification:
    """What comes back from the letter about it."""
    again = notification_of_letter(letter_of(notification, "invalid", "/data", AT))
    assert again is not None
    return again


FIRST_CUSTOMER = identity("OrderCustomerSet", {"customer": {"typeId": "customer", "id": "c-1"}})
FIRST_EMAIL = identity("OrderCustomerEmailSet", {"email": "ann@example.com"})
SECOND_EMAIL = identity("OrderCustomerEmailSet", {"email": "ann@example.com", "oldEmail": "bob@example.com"})


@pytest.mark.parametrize(
    ("notification", "order", "places"),
    [(FIRST_CUSTOMER, NAMED, True), (FIRST_EMAIL, GUEST, True), (SECOND_EMAIL, GUEST, False)],
)
def test_a_replayed_identity_message_places_an_order_exactly_when_the_message_did(
    notification: Notification, order: Order, places: bool
) -> None:
    """The letter remembers whether the order had an identity before, so a first one is placed and no second one is."""
    source = OrderSource(order=order, customer=Customer(id="c-1", email="ann@example.com") if order.customerId else None)
    for delivered in (notification, replayed(notification)):
        result = order_identity_set(delivered, source, Choices(), AT)
        if places:
            assert isinstance(result, Mapped)
            assert [type(write) for write in result.writes] == [SendEvents]
        else:
            assert result == Skip(SkipReason.ORDER_PLACED_BEFORE)


def test_a_letter_holds_nothing_of_the_message() -> None:
    """No e-mail address, whatever the message's fields are."""
    assert b"example.com" not in msgspec.json.encode(letter_of(SECOND_EMAIL, "invalid", None, AT))


def test_an_identity_message_whose_fields_are_unreadable_still_makes_a_letter() -> None:
    """What it set is then unknown."""
    broken = identity("OrderCustomerSet", {"customer": 7})
    assert letter_of(broken, "unreadable_fields", None, AT).first_identity is None


def test_only_identity_messages_say_whose_an_order_became() -> None:
    """All other letters leave it open."""
    changed = identity("OrderStateChanged", {"orderState": "Complete"})
    assert letter_of(changed, "invalid", None, AT).first_identity is None
