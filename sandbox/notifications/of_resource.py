"""The notification of each kind about a resource that is there already, for demonstrations and by hand. Pure."""

from collections.abc import Callable, Mapping
from functools import partial

from sandbox.notifications import messages
from sandbox.notifications.platform import Notification, Resource, Stamp, change
from sandbox.sample.products import projection

About = Callable[[Resource, Stamp], Notification]


def _state(order: Resource, stamp: Stamp) -> Notification:
    return messages.order_state_changed(order, "Open", stamp)


def _shipment_state(order: Resource, stamp: Stamp) -> Notification:
    return messages.order_shipment_state_changed({"shipmentState": "Shipped", **order}, None, stamp)


def _customer(order: Resource, stamp: Stamp) -> Notification:
    return messages.order_customer_set(order, None, stamp)


def _email(order: Resource, stamp: Stamp) -> Notification:
    return messages.order_customer_email_set(order, None, stamp)


def _transaction_added(payment: Resource, stamp: Stamp) -> Notification:
    return messages.payment_transaction_added(payment, payment["transactions"][-1], stamp)


def _transaction_changed(payment: Resource, stamp: Stamp) -> Notification:
    return messages.payment_transaction_state_changed(payment, payment["transactions"][-1], stamp)


def _published(product: Resource, stamp: Stamp) -> Notification:
    return messages.product_published(product, projection(dict(product), staged=False), stamp)


def _quantity(entry: Resource, stamp: Stamp) -> Notification:
    before = {"quantityOnStock": 0, "availableQuantity": 0}
    return messages.inventory_entry_quantity_set(entry, before, stamp)


_MESSAGES: Mapping[str, tuple[str, About]] = {
    "CustomerCreated": ("customers", messages.customer_created),
    **{name: ("orders", partial(messages.order_placed, type_=name)) for name in messages.PLACED},
    "OrderStateChanged": ("orders", _state),
    "OrderShipmentStateChanged": ("orders", _shipment_state),
    "OrderCustomerSet": ("orders", _customer),
    "OrderCustomerEmailSet": ("orders", _email),
    "PaymentTransactionAdded": ("payments", _transaction_added),
    "PaymentTransactionStateChanged": ("payments", _transaction_changed),
    "CategoryCreated": ("categories", messages.category_created),
    "ProductPublished": ("products", _published),
    "ProductUnpublished": ("products", messages.product_unpublished),
    "InventoryEntryCreated": ("inventory", messages.inventory_entry_created),
    "InventoryEntryQuantitySet": ("inventory", _quantity),
    "InventoryEntryDeleted": ("inventory", messages.inventory_entry_deleted),
}
_CHANGED = {"customer": "customers", "category": "categories", "product": "products", "inventory-entry": "inventory"}

KINDS: Mapping[str, tuple[str, About]] = {
    **_MESSAGES,
    **{f"{type_id}.ResourceCreated": (name, partial(change, "ResourceCreated", type_id)) for type_id, name in _CHANGED.items()},
    **{f"{type_id}.ResourceUpdated": (name, partial(change, "ResourceUpdated", type_id)) for type_id, name in _CHANGED.items()},
    **{f"{type_id}.ResourceDeleted": (name, partial(change, "ResourceDeleted", type_id)) for type_id, name in _CHANGED.items()},
}
"""By the type of the message, or of the resource and its change: the collection, and what is said of one of its resources."""
