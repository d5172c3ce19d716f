"""Payments: a successful refund (mapping.md "Refunds")."""

from __future__ import annotations

from shared.mapping.choices import Choices
from shared.mapping.refunds import REFUND, refunded_orders
from shared.mapping.result import Skip, SkipReason
from shared.mapping.sources import PaidOrderSource
from shared.realtime.messages import TransactionAddedMessage, TransactionStateMessage
from shared.realtime.notification import Notification
from shared.realtime.route import Moment, Result, Route
from shared.realtime.writes import Mapped, SendEvents
from shared.settings.document import SyncDocument


def _irrelevant(notification: Notification, document: SyncDocument) -> SkipReason | None:
    if not notification.has_payload:
        return None
    if notification.type in document.payment.messages.transactionAdded:
        added = notification.fields(TransactionAddedMessage).transaction
        if added.type != REFUND:
            return SkipReason.NO_SUCCESSFUL_REFUND
        state = added.state
    else:
        state = notification.fields(TransactionStateMessage).state
    return None if state in document.payment.states.validTransactionStates else SkipReason.NOT_CONFIGURED


def order_refunded(notification: Notification, source: PaidOrderSource, choices: Choices, _moment: Moment) -> Result:
    """The refund that the notification speaks of, once it is successful; all of the payment's where it does not say which."""
    transaction_id = _transaction_id(notification, choices.document)
    events = refunded_orders(source, choices, notification.resource_id, transaction_id)
    return events if isinstance(events, Skip) else Mapped((SendEvents(events.events),), events.adjustments)


def _transaction_id(notification: Notification, document: SyncDocument) -> str | None:
    if not notification.has_payload:
        return None
    if notification.type in document.payment.messages.transactionAdded:
        return notification.fields(TransactionAddedMessage).transaction.id
    return notification.fields(TransactionStateMessage).transactionId


ROUTES = (
    Route(
        name="OrderRefunded",
        resource_type="payment",
        messages=lambda document: (*document.payment.messages.transactionAdded, *document.payment.messages.transactionChanged),
        irrelevant=_irrelevant,
        source=PaidOrderSource,
        map=order_refunded,
        summary="Refunded Order for the refund that succeeded",
    ),
)
