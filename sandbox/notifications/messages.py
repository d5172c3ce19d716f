"""One builder a message type, from the resource as it is after the change. Pure.

The fields are those of the API's `...MessagePayload` types: https://docs.commercetools.com/api/projects/messages.
"""

from typing import Any

from sandbox.notifications.platform import Notification, Resource, Stamp, message

PLACED = ("OrderCreated", "OrderImported", "OrderCreatedFromRecurringOrder")


def customer_created(customer: Resource, stamp: Stamp) -> Notification:
    """`CustomerCreated`."""
    return message("CustomerCreated", "customer", customer, stamp, customer=customer)


def order_placed(order: Resource, stamp: Stamp, type_: str = "OrderCreated") -> Notification:
    """`OrderCreated`, `OrderImported` or `OrderCreatedFromRecurringOrder`."""
    if type_ not in PLACED:
        raise ValueError(f"no message of this type places an order: {type_}")
    return message(type_, "order", order, stamp, order=order)


def order_state_changed(order: Resource, old_state: str, stamp: Stamp) -> Notification:
    """`OrderStateChanged`."""
    fields = {"orderId": order["id"], "orderState": order["orderState"], "oldOrderState": old_state}
    return message("OrderStateChanged", "order", order, stamp, **fields)


def order_shipment_state_changed(order: Resource, old_state: str | None, stamp: Stamp) -> Notification:
    """`OrderShipmentStateChanged`; an order may have had no such state before."""
    fields = {"shipmentState": order["shipmentState"], "oldShipmentState": old_state}
    return message("OrderShipmentStateChanged", "order", order, stamp, **fields)


def order_customer_set(order: Resource, old_customer_id: str | None, stamp: Stamp) -> Notification:
    """`OrderCustomerSet`; a customer that is absent is no field."""
    fields = {
        "customer": _customer(order.get("customerId")),
        "customerGroup": order.get("customerGroup"),
        "oldCustomer": _customer(old_customer_id),
    }
    return message("OrderCustomerSet", "order", order, stamp, **fields)


def order_customer_email_set(order: Resource, old_email: str | None, stamp: Stamp) -> Notification:
    """`OrderCustomerEmailSet`."""
    fields = {"email": order.get("customerEmail"), "oldEmail": old_email}
    return message("OrderCustomerEmailSet", "order", order, stamp, **fields)


def payment_transaction_added(payment: Resource, transaction: Resource, stamp: Stamp) -> Notification:
    """`PaymentTransactionAdded`."""
    return message("PaymentTransactionAdded", "payment", payment, stamp, transaction=transaction)


def payment_transaction_state_changed(payment: Resource, transaction: Resource, stamp: Stamp) -> Notification:
    """`PaymentTransactionStateChanged`, which names the transaction but does not say of which type it is."""
    fields = {"transactionId": transaction["id"], "state": transaction["state"]}
    return message("PaymentTransactionStateChanged", "payment", payment, stamp, **fields)


def category_created(category: Resource, stamp: Stamp) -> Notification:
    """`CategoryCreated`."""
    return message("CategoryCreated", "category", category, stamp, category=category)


def product_published(product: Resource, projection: Resource, stamp: Stamp) -> Notification:
    """`ProductPublished`, with the projection of the data that are now current."""
    fields = {"productProjection": projection, "removedImageUrls": [], "scope": "All"}
    return message("ProductPublished", "product", product, stamp, **fields)


def product_unpublished(product: Resource, stamp: Stamp) -> Notification:
    """`ProductUnpublished`, which has no field of its own."""
    return message("ProductUnpublished", "product", product, stamp)


def inventory_entry_created(entry: Resource, stamp: Stamp) -> Notification:
    """`InventoryEntryCreated`."""
    return message("InventoryEntryCreated", "inventory-entry", entry, stamp, inventoryEntry=entry)


def inventory_entry_quantity_set(entry: Resource, before: Resource, stamp: Stamp) -> Notification:
    """`InventoryEntryQuantitySet`; `before` is the entry as it was."""
    fields = {
        "oldQuantityOnStock": before["quantityOnStock"],
        "newQuantityOnStock": entry["quantityOnStock"],
        "oldAvailableQuantity": before["availableQuantity"],
        "newAvailableQuantity": entry["availableQuantity"],
        "sku": entry["sku"],
        "supplyChannel": entry.get("supplyChannel"),
    }
    return message("InventoryEntryQuantitySet", "inventory-entry", entry, stamp, **fields)


def inventory_entry_deleted(entry: Resource, stamp: Stamp) -> Notification:
    """`InventoryEntryDeleted`, which says of the entry no more than what it was for."""
    fields = {"sku": entry["sku"], "supplyChannel": entry.get("supplyChannel")}
    return message("InventoryEntryDeleted", "inventory-entry", entry, stamp, **fields)


def _customer(customer_id: str | None) -> dict[str, Any] | None:
    return None if customer_id is None else {"typeId": "customer", "id": customer_id}
