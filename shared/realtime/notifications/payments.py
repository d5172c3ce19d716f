"""Payments: a successful refund (mapping.md "Refunds")."""

from __future__ import annotations

from datetime import datetime

from shared.mapping.choices import Choices
from shared.mapping.refunds import REFUND, refunded_orders
from shared.mapping.result import Skip, SkipReason
from shared.mapping.sources import PaidOrderSource
from shared.realtime.messages import transaction_id, transaction_message
from shared.realtime.notification import Notification
from shared.realtime.route import Result, Route
from shared.realtime.writes import Mapped, SendEvents
from shared.settings.document import SyncDocument


def _irrelevant(notification: Notification, document: SyncDocument) -> SkipReason | None:
    if not notification.has_payload:
        return None
    message = transaction_message(notification)
    if message.transaction is not None and message.transaction.type != REFUND:
        return SkipReason.NO_SUCCESSFUL_REFUND
    state = message.transaction.state if message.transaction is not None else message.state
    return None if state is None or state in document.payment.states.validTransactionStates else SkipReason.NOT_CONFIGURED


def order_refunded(notification: Notification, source: PaidOrderSource, choices: Choices, _now: datetime) -> Result:
    """The refund that the notification speaks of, once it is successful; all of the payment's where it does not say which."""
    events = refunded_orders(source, choices, notification.resource_id, transaction_id(notification))
    return events if isinstance(events, Skip) else Mapped((SendEvents(events.events),), events.adjustments)


ROUTES = (
    Route(
        name="OrderRefunded",
        resource_type="payment",
        types=lambda document: (*document.payment.messages.transactionAdded, *document.payment.messages.transactionChanged),
        irrelevant=_irrelevant,
        source=PaidOrderSource,
        map=order_refunded,
        summary="Refunded Order for the refund that succeeded",
    ),
)
