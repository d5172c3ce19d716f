"""What the messages that are read hold of their own, as commercetools names it (commercetools.md 2); all else is ignored."""

from __future__ import annotations

import msgspec

from shared.commercetools.catalog import Reference
from shared.commercetools.orders import Order, Transaction
from shared.realtime.notification import MalformedNotification, Notification

ORDER_IMPORTED = "OrderImported"
ORDER_CUSTOMER_SET = "OrderCustomerSet"
EMBEDS_ORDER = frozenset({"OrderCreated", ORDER_IMPORTED, "OrderCreatedFromRecurringOrder"})
"""Messages that hold the order as it was at that moment."""

SETS_IDENTITY = frozenset({ORDER_CUSTOMER_SET, "OrderCustomerEmailSet"})
"""Messages about an order that gets its customer or its e-mail later."""

NAMES_TRANSACTION = frozenset({"PaymentTransactionAdded", "PaymentTransactionStateChanged"})
"""Messages about one transaction of a payment; all others mean the payment as a whole."""


def embeds_order(notification: Notification) -> bool:
    """Whether the notification holds the order, so that it need not be read."""
    return notification.has_payload and notification.type in EMBEDS_ORDER


class OrderMessage(msgspec.Struct, frozen=True):
    """A message of `EMBEDS_ORDER`."""

    order: Order


class OrderStateMessage(msgspec.Struct, frozen=True):
    """`OrderStateChanged` has the one state, `OrderShipmentStateChanged` the other."""

    orderState: str | None = None
    shipmentState: str | None = None


class OrderCustomerMessage(msgspec.Struct, frozen=True):
    """`OrderCustomerSet`; absent: there is, or was, none."""

    customer: Reference | None = None
    oldCustomer: Reference | None = None


class OrderCustomerEmailMessage(msgspec.Struct, frozen=True):
    """`OrderCustomerEmailSet`; absent: there is, or was, none."""

    email: str | None = None
    oldEmail: str | None = None


class TransactionMessage(msgspec.Struct, frozen=True):
    """`PaymentTransactionAdded` has the transaction, `PaymentTransactionStateChanged` its id and new state, others neither."""

    transaction: Transaction | None = None
    transactionId: str | None = None
    state: str | None = None


class InventoryDeletedMessage(msgspec.Struct, frozen=True):
    """`InventoryEntryDeleted`."""

    sku: str | None = None


def transaction_message(notification: Notification) -> TransactionMessage:
    """The fields of a message about a payment. Raises `MalformedNotification` when one that names a transaction does not."""
    message = notification.fields(TransactionMessage)
    if message.transaction is None and message.transactionId is None and notification.type in NAMES_TRANSACTION:
        raise MalformedNotification("unreadable_fields")
    return message


def transaction_id(notification: Notification) -> str | None:
    """The transaction that a notification about a payment speaks of; None when it means the payment as a whole."""
    if not notification.has_payload:
        return None
    message = transaction_message(notification)
    return message.transaction.id if message.transaction else message.transactionId
