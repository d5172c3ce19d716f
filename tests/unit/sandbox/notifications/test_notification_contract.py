"""Notifications against the vendor's own contract: the head of each, its own fields, and the embedded resources."""

from __future__ import annotations

import json
from typing import Any

import pytest
from vendor_contracts import needs_vendor_contract, vendor_contract

from sandbox.commercetools.contract import field_names, strict_validator
from sandbox.notifications import messages
from sandbox.notifications.drafts import customer_draft, product_draft, variants_of
from sandbox.notifications.envelopes import cloud_event
from sandbox.notifications.platform import Notification, Stamp, subscription_test, without_payload
from sandbox.notifications.shop import Shop

CONTRACT = vendor_contract("commercetools-openapi.json")
pytestmark = needs_vendor_contract(CONTRACT.name)

PLACED = {"OrderCreated", "OrderImported", "OrderCreatedFromRecurringOrder"}
"""Of the order messages the vendor's document has no schema; the order in these has one."""
ORDER_DELTAS = {
    "OrderStateChanged": {"orderId", "orderState", "oldOrderState"},
    "OrderShipmentStateChanged": {"shipmentState", "oldShipmentState"},
    "OrderCustomerSet": {"customer", "customerGroup", "oldCustomer", "oldCustomerGroup"},
    "OrderCustomerEmailSet": {"email", "oldEmail"},
}
"""The fields that the API reference gives the other order messages."""
HANDLED = {
    "CustomerCreated",
    *PLACED,
    *ORDER_DELTAS,
    "PaymentTransactionAdded",
    "PaymentTransactionStateChanged",
    "CategoryCreated",
    "ProductPublished",
    "ProductUnpublished",
    "InventoryEntryCreated",
    "InventoryEntryQuantitySet",
    "InventoryEntryDeleted",
}


@pytest.fixture(scope="module")
def document() -> Any:
    """The vendor's OpenAPI document."""
    return json.loads(CONTRACT.read_bytes())


@pytest.fixture(scope="module")
def corpus(shop: Shop) -> list[Notification]:
    """One of everything that a shop can cause, and the test of a subscription."""
    acts = [shop.create_customer(**customer_draft(7, number, 20)) for number in range(20)]
    buyer = next(act.resource for act in acts if "customerGroup" in act.resource)
    acts += [shop.change_customer(buyer["id"], firstName="Kim")]
    acts += [shop.delete_customer(acts[0].resource["id"], data_erasure=True)]
    root = shop.create_category({"en": "Root"}, "root")
    leaf = shop.create_category({"en": "Leaf"}, "leaf", root.resource)
    acts += [root, leaf, shop.rename_category(root.resource["id"], {"en": "Trunk"})]
    acts += shop.move_category(leaf.resource, None, [])
    fields = [product_draft(7, number, published=number != 3, categories=[leaf.resource["id"]]) for number in range(40, 52)]
    made = [shop.create_product(**draft) for draft in fields]
    shown = made[0].resource
    acts += [*made, shop.publish_product(shown, name={"en": "Renamed"}), *shop.delete_product(made[1].resource)]
    channel = shop.project.all("channels")[0]["id"]
    entries = [shop.create_entry(variants_of(shown)[0]["sku"], 4, of) for of in (None, channel)]
    acts += [*entries, *(shop.change_stock(entry.resource, 9) for entry in entries)]
    acts += [shop.delete_entry(entry.resource) for entry in entries]
    lines = [shop.bought(act.resource, 1, 2) for act in made]
    orders = [shop.place_order(lines, type_, customer=buyer) for type_ in messages.PLACED]
    order = orders[0].resource
    paid, payment = shop.add_payment(order)
    refund = shop.add_refund(payment.resource, 100, "Pending")
    moved = shop.change_transaction_state(refund.resource, refund.resource["transactions"][1]["id"], "Success")
    guest = shop.place_order(lines[:1])
    acts += [*orders, refund, moved, guest, shop.set_order_email(guest.resource, "a@example.com")]
    acts += [shop.set_order_customer(guest.resource, buyer["id"]), shop.set_order_customer(order, None)]
    acts += [shop.change_order_state(paid, "Complete"), shop.change_shipment_state(paid, "Shipped")]
    acts += shop.delete_category(leaf.resource["id"], [], [act.resource for act in made[2:]])
    return [*(sent for act in acts for sent in act.notifications), subscription_test(paid["id"], Stamp(), key="realtime")]


def split(document: Any, notification: Notification) -> tuple[Notification, Notification]:
    """The head that every message has, and the message's own fields with its type."""
    head = field_names(document, "MessageDeliveryPayload")
    return (
        {name: value for name, value in notification.items() if name in head},
        {name: value for name, value in notification.items() if name not in head},
    )


def test_the_corpus_has_every_type(corpus: list[Notification]) -> None:
    """Nothing that realtime handles is left out of what is checked here."""
    assert {sent["type"] for sent in corpus if "type" in sent} == HANDLED
    changes = {(sent["notificationType"], sent["resource"]["typeId"]) for sent in corpus if "type" not in sent}
    kinds = ("customer", "category", "product", "inventory-entry")
    created, updated, deleted = ([(f"Resource{what}", kind) for kind in kinds] for what in ("Created", "Updated", "Deleted"))
    assert changes == {*created, *updated, *deleted, ("ResourceCreated", "subscription")}


def test_messages_keep_the_contract(document: Any, corpus: list[Notification]) -> None:
    """The head is a `MessageDeliveryPayload`, and the own fields are those of the message's payload."""
    head_validator = strict_validator(document, "MessageDeliveryPayload")
    schemas = document["components"]["schemas"]
    validators = {
        name: strict_validator(document, f"{name}MessagePayload") for name in HANDLED if f"{name}MessagePayload" in schemas
    }
    order_validator = strict_validator(document, "Order")
    checked = set()
    for sent in (sent for sent in corpus if sent["notificationType"] == "Message"):
        head, own = split(document, sent)
        head_validator.validate(head)
        name = own["type"]
        if name in validators:
            validators[name].validate(own)
        elif name in PLACED:
            assert own.keys() == {"type", "order"}
            order_validator.validate(own["order"])
        else:
            assert own.keys() - {"type"} <= ORDER_DELTAS[name]
        checked.add(name)
    assert checked == HANDLED


def test_changes_keep_the_contract(document: Any, corpus: list[Notification]) -> None:
    """Each of its `...DeliveryPayload`; the references of the vendor's document know no subscription, so that is taken as one."""
    changes = [sent for sent in corpus if sent["notificationType"] != "Message"]
    names = {sent["notificationType"] for sent in changes}
    validators = {name: strict_validator(document, f"{name}DeliveryPayload") for name in names}
    for sent in changes:
        known = {**sent, "resource": {**sent["resource"], "typeId": "store"}}
        validators[sent["notificationType"]].validate(known if sent["resource"]["typeId"] == "subscription" else sent)
    assert sum(1 for sent in changes if "dataErasure" in sent) == 1


def test_messages_without_their_payload_keep_the_contract(document: Any, corpus: list[Notification]) -> None:
    """The head and `payloadNotIncluded`, nothing else; the type is only in there."""
    validator = strict_validator(document, "MessageDeliveryPayload")
    for sent in (sent for sent in corpus if sent["notificationType"] == "Message"):
        left = without_payload(sent)
        validator.validate(left)
        assert "type" not in left
        assert left["payloadNotIncluded"]["payloadType"] == sent["type"]


def test_cloud_events_keep_the_contract(document: Any, corpus: list[Notification]) -> None:
    """The attributes of CloudEvents 1.0, with the Platform payload as data."""
    own = field_names(document, "CloudEventsPayload")
    required = {"id", "data", "source", "subject", "time", "specversion", "type"}
    for sent in corpus:
        event = cloud_event(sent)
        assert required <= event.keys() <= own
        assert event["data"] == sent
        assert all(isinstance(value, str) for name, value in event.items() if name != "data")
    assert cloud_event(without_payload(corpus[0]))["type"] == cloud_event(corpus[0])["type"]
