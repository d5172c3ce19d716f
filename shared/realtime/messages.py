"""The own fields of the messages that are read, as commercetools names them (commercetools.md 2); all else is ignored."""

from __future__ import annotations

import msgspec

from shared.commercetools.catalog import Reference
from shared.commercetools.orders import Order, Transaction


class OrderMessage(msgspec.Struct, frozen=True):
    """`OrderCreated`, `OrderImported`, `OrderCreatedFromRecurringOrder`."""

    order: Order


class OrderStateMessage(msgspec.Struct, frozen=True):
    """`OrderStateChanged`."""

    orderState: str = ""


class ShipmentStateMessage(msgspec.Struct, frozen=True):
    """`OrderShipmentStateChanged`."""

    shipmentState: str = ""


class OrderCustomerMessage(msgspec.Struct, frozen=True):
    """`OrderCustomerSet`; absent: there is, or was, none."""

    customer: Reference | None = None
    oldCustomer: Reference | None = None


class OrderCustomerEmailMessage(msgspec.Struct, frozen=True):
    """`OrderCustomerEmailSet`; absent: there is, or was, none."""

    email: str | None = None
    oldEmail: str | None = None


class TransactionAddedMessage(msgspec.Struct, frozen=True):
    """`PaymentTransactionAdded`."""

    transaction: Transaction


class TransactionStateMessage(msgspec.Struct, frozen=True):
    """`PaymentTransactionStateChanged`."""

    transactionId: str
    state: str = ""


class InventoryDeletedMessage(msgspec.Struct, frozen=True):
    """`InventoryEntryDeleted`."""

    sku: str | None = None
