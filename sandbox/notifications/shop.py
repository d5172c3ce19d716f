"""A merchant and the shoppers: each act changes the simulated project and returns what commercetools would send for it.

Messages come before the change notification of the same act. What is subscribed to is what the realtime function asks for:
all message types built in `messages`, and changes of `CHANGES`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from sandbox.notifications import drafts, messages
from sandbox.notifications.drafts import Bought, variants_of
from sandbox.notifications.platform import ChangeType, Notification, Stamp, change
from sandbox.notifications.project import ProjectControl, Resource
from sandbox.sample.products import projection

CHANGES = frozenset({"customer", "category", "product", "inventory-entry"})
"""Types of resource whose changes are subscribed to."""


@dataclass(frozen=True, slots=True)
class Act:
    """The resource as it is now (as it was, if it was deleted), and the notifications in the order in which they arise."""

    resource: Resource
    notifications: tuple[Notification, ...]


@dataclass(slots=True)
class Shop:
    """Acts on one project; ids of parts and messages come from `random`. Not for several threads at once."""

    project: ProjectControl
    random: Random
    changes: frozenset[str] = CHANGES
    _sequence: Counter[str] = field(default_factory=Counter)

    def create_customer(self, **fields: Any) -> Act:
        """`CustomerCreated`."""
        made = self.project.create("customers", fields)
        return self._act("customer", made, messages.customer_created(made, self._stamp(made)), "ResourceCreated")

    def change_customer(self, customer_id: str, **fields: Any) -> Act:
        """A change of the customer; None removes a field."""
        return self._changed("customer", "customers", customer_id, fields)

    def delete_customer(self, customer_id: str, *, data_erasure: bool = False) -> Act:
        """The customer is gone, with `data_erasure` for reasons of privacy."""
        return self._deleted("customer", "customers", customer_id, data_erasure=data_erasure)

    def place_order(self, lines: Sequence[Bought], type_: str = "OrderCreated", **how: Any) -> Act:
        """An order by `drafts.order_draft`; `type_` is the message that says so."""
        draft = drafts.order_draft(self._ids(), lines, **how)
        draft["origin"] = {"OrderImported": "Merchant", "OrderCreatedFromRecurringOrder": "RecurringOrder"}.get(type_, "Customer")
        made = self.project.create("orders", draft)
        return self._act("order", made, messages.order_placed(made, self._stamp(made), type_), "ResourceCreated")

    def change_order_state(self, order: Resource, state: str) -> Act:
        """`OrderStateChanged`."""
        now = self.project.change("orders", order["id"], {"orderState": state})
        sent = messages.order_state_changed(now, order["orderState"], self._stamp(now))
        return self._act("order", now, sent, "ResourceUpdated")

    def change_shipment_state(self, order: Resource, state: str) -> Act:
        """`OrderShipmentStateChanged`."""
        now = self.project.change("orders", order["id"], {"shipmentState": state})
        sent = messages.order_shipment_state_changed(now, order.get("shipmentState"), self._stamp(now))
        return self._act("order", now, sent, "ResourceUpdated")

    def set_order_customer(self, order: Resource, customer_id: str | None) -> Act:
        """`OrderCustomerSet`."""
        now = self.project.change("orders", order["id"], {"customerId": customer_id})
        sent = messages.order_customer_set(now, order.get("customerId"), self._stamp(now))
        return self._act("order", now, sent, "ResourceUpdated")

    def set_order_email(self, order: Resource, email: str | None) -> Act:
        """`OrderCustomerEmailSet`."""
        now = self.project.change("orders", order["id"], {"customerEmail": email})
        sent = messages.order_customer_email_set(now, order.get("customerEmail"), self._stamp(now))
        return self._act("order", now, sent, "ResourceUpdated")

    def add_payment(self, order: Resource, *, charge_state: str = "Success") -> tuple[Resource, Act]:
        """The order as it is now, and a payment of its total with a charge; nothing that is subscribed to says so."""
        charge = drafts.transaction_draft(self._ids(), "Charge", charge_state, order["totalPrice"])
        payment = self.project.create("payments", drafts.payment_draft(order["totalPrice"], [charge]))
        held = order.get("paymentInfo", {"payments": []})["payments"]
        paid = {"paymentInfo": {"payments": [*held, {"typeId": "payment", "id": payment["id"]}]}}
        return self.project.change("orders", order["id"], paid), Act(payment, ())

    def remove_payment(self, order: Resource, payment_id: str) -> Resource:
        """The order without a payment; nothing that is subscribed to says so."""
        left = [held for held in order["paymentInfo"]["payments"] if held["id"] != payment_id]
        return self.project.change("orders", order["id"], {"paymentInfo": {"payments": left} if left else None})

    def add_refund(self, payment: Resource, cents: int, state: str = "Success") -> Act:
        """`PaymentTransactionAdded`: so many minor units of the payment are refunded."""
        amount = {**payment["amountPlanned"], "centAmount": cents}
        refund = drafts.transaction_draft(self._ids(), "Refund", state, amount)
        now = self.project.change("payments", payment["id"], {"transactions": [*payment["transactions"], refund]})
        return self._act("payment", now, messages.payment_transaction_added(now, refund, self._stamp(now)), "ResourceUpdated")

    def change_transaction_state(self, payment: Resource, transaction_id: str, state: str) -> Act:
        """`PaymentTransactionStateChanged`."""
        moved = [held | {"state": state} if held["id"] == transaction_id else held for held in payment["transactions"]]
        now = self.project.change("payments", payment["id"], {"transactions": moved})
        transaction = next(held for held in moved if held["id"] == transaction_id)
        sent = messages.payment_transaction_state_changed(now, transaction, self._stamp(now))
        return self._act("payment", now, sent, "ResourceUpdated")

    def create_category(self, name: dict[str, str], slug: str, parent: Resource | None = None) -> Act:
        """`CategoryCreated`, a root without `parent`."""
        made = self.project.create("categories", drafts.category_draft(name, slug, _path(parent)))
        return self._act("category", made, messages.category_created(made, self._stamp(made)), "ResourceCreated")

    def rename_category(self, category_id: str, name: dict[str, str]) -> Act:
        """A change of the category; what is below it is not said to have changed, though its breadcrumb has."""
        return self._changed("category", "categories", category_id, {"name": name})

    def move_category(self, category: Resource, parent: Resource | None, below: Sequence[Resource]) -> list[Act]:
        """The category goes under `parent`; `below` are all its descendants, whose ancestors follow.

        Only of the category itself there is a notification: it is not documented that its descendants get one.
        Raises ValueError where `parent` is itself below it.
        """
        if parent is not None and parent["id"] in {category["id"], *(held["id"] for held in below)}:
            raise ValueError("a category cannot go under itself")
        path = _references(_path(parent))
        moved = self._changed("category", "categories", category["id"], {"ancestors": path, "parent": path[-1] if path else None})
        acts = [moved]
        for held in below:
            own = [reference["id"] for reference in held["ancestors"]]
            kept = _references(own[own.index(category["id"]) :])
            acts.append(Act(self.project.change("categories", held["id"], {"ancestors": [*path, *kept]}), ()))
        return acts

    def delete_category(self, category_id: str, below: Sequence[Resource], products: Sequence[Resource]) -> list[Act]:
        """The category, all `below` it, and their places in `products` are gone; each says so, the products as a change."""
        gone = {category_id, *(held["id"] for held in below)}
        acts = []
        for product in products:
            master = product["masterData"]
            kept = {
                name: {**master[name], "categories": [held for held in master[name]["categories"] if held["id"] not in gone]}
                for name in ("current", "staged")
            }
            if any(kept[name]["categories"] != master[name]["categories"] for name in kept):
                acts.append(self._changed("product", "products", product["id"], {"masterData": {**master, **kept}}))
        deepest_first = sorted(below, key=lambda held: len(held["ancestors"]), reverse=True)
        for_each = [*(held["id"] for held in deepest_first), category_id]
        return [*acts, *(self._deleted("category", "categories", identifier) for identifier in for_each)]

    def create_product(self, **fields: Any) -> Act:
        """A product by `drafts.product_draft`; it says that it was published if it is."""
        made = self.project.create("products", fields)
        if not made["masterData"]["published"]:
            return Act(made, self._change("ResourceCreated", "product", made))
        return self._act("product", made, self._published(made), "ResourceCreated")

    def publish_product(self, product: Resource, **current: Any) -> Act:
        """`ProductPublished`; `current` are fields of its data that are new with this."""
        shown = {**product["masterData"]["current"], **current}
        master = {"published": True, "hasStagedChanges": False, "current": shown, "staged": shown}
        now = self.project.change("products", product["id"], {"masterData": master})
        return self._act("product", now, self._published(now), "ResourceUpdated")

    def unpublish_product(self, product: Resource) -> Act:
        """`ProductUnpublished`."""
        master = {**product["masterData"], "published": False}
        now = self.project.change("products", product["id"], {"masterData": master})
        return self._act("product", now, messages.product_unpublished(now, self._stamp(now)), "ResourceUpdated")

    def delete_product(self, product: Resource) -> list[Act]:
        """The product is gone; the API demands that it was unpublished before."""
        acts = [self.unpublish_product(product)] if product["masterData"]["published"] else []
        return [*acts, self._deleted("product", "products", product["id"])]

    def create_entry(self, sku: str, quantity: int, channel_id: str | None = None) -> Act:
        """`InventoryEntryCreated`."""
        made = self.project.create("inventory", drafts.entry_draft(sku, quantity, channel_id))
        return self._act("inventory-entry", made, messages.inventory_entry_created(made, self._stamp(made)), "ResourceCreated")

    def change_stock(self, entry: Resource, quantity: int) -> Act:
        """`InventoryEntryQuantitySet`; what is reserved stays reserved."""
        reserved = entry["quantityOnStock"] - entry["availableQuantity"]
        fields = {"quantityOnStock": quantity, "availableQuantity": quantity - reserved}
        now = self.project.change("inventory", entry["id"], fields)
        sent = messages.inventory_entry_quantity_set(now, entry, self._stamp(now))
        return self._act("inventory-entry", now, sent, "ResourceUpdated")

    def reserve_stock(self, entry: Resource, quantity: int) -> Act:
        """An order reserves pieces, of which there is a change but no message (commercetools.md 2, "Inventory")."""
        available = entry["availableQuantity"] - quantity
        return self._changed("inventory-entry", "inventory", entry["id"], {"availableQuantity": available})

    def delete_entry(self, entry: Resource) -> Act:
        """`InventoryEntryDeleted`."""
        gone = self.project.delete("inventory", entry["id"])
        return self._act("inventory-entry", gone, messages.inventory_entry_deleted(gone, self._stamp(gone)), "ResourceDeleted")

    def bought(self, product: Resource, number: int, quantity: int) -> Bought:
        """A line of variant `number` of a product, counted through."""
        every = variants_of(product)
        return Bought(product, every[number % len(every)], quantity)

    def _published(self, product: Resource) -> Notification:
        return messages.product_published(product, projection(product, staged=False), self._stamp(product))

    def _changed(self, type_id: str, collection: str, identifier: str, fields: Resource) -> Act:
        now = self.project.change(collection, identifier, fields)
        return Act(now, self._change("ResourceUpdated", type_id, now))

    def _deleted(self, type_id: str, collection: str, identifier: str, *, data_erasure: bool = False) -> Act:
        gone = self.project.delete(collection, identifier)
        return Act(gone, self._change("ResourceDeleted", type_id, gone, data_erasure=data_erasure))

    def _act(self, type_id: str, resource: Resource, sent: Notification, changed: ChangeType) -> Act:
        return Act(resource, (sent, *self._change(changed, type_id, resource)))

    def _change(
        self, type_: ChangeType, type_id: str, resource: Resource, *, data_erasure: bool = False
    ) -> tuple[Notification, ...]:
        if type_id not in self.changes:
            return ()
        stamp = Stamp(at=resource["lastModifiedAt"], project_key=self.project.project_key)
        return (change(type_, type_id, resource, stamp, data_erasure=data_erasure),)

    def _stamp(self, resource: Resource) -> Stamp:
        identifier = resource["id"]
        self._sequence[identifier] += 1
        return Stamp(
            id=next(self._ids()),
            at=resource["lastModifiedAt"],
            sequence=self._sequence[identifier],
            project_key=self.project.project_key,
        )

    def _ids(self) -> Iterator[str]:
        return drafts.new_ids(self.random)


def _path(parent: Resource | None) -> list[str]:
    return [] if parent is None else [*(held["id"] for held in parent["ancestors"]), parent["id"]]


def _references(ids: Sequence[str]) -> list[dict[str, str]]:
    return [{"typeId": "category", "id": identifier} for identifier in ids]
