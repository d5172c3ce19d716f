"""Which subscriptions are wanted, under which keys, and what `disabledEvents` takes away."""

from __future__ import annotations

import re

import pytest
from subscription_samples import TOPIC, held_as, one_wanted, wanted_of

from post_deploy.plan import Update, described, step_towards
from post_deploy.wanted import RESOURCES, key_of, nothing_wanted
from shared.realtime.registry import ROUTES
from shared.settings import SyncDocument

GOLDEN = {
    "connect-connect_dev-customer": (("CustomerCreated",), True),
    "connect-connect_dev-order": (
        (
            "OrderCreated",
            "OrderImported",
            "OrderCreatedFromRecurringOrder",
            "OrderCustomerSet",
            "OrderCustomerEmailSet",
            "OrderShipmentStateChanged",
            "OrderStateChanged",
        ),
        False,
    ),
    "connect-connect_dev-payment": (("PaymentTransactionAdded", "PaymentTransactionStateChanged"), False),
    "connect-connect_dev-category": (("CategoryCreated",), True),
    "connect-connect_dev-product": (("ProductPublished", "ProductUnpublished"), True),
    "connect-connect_dev-inventory-entry": (("InventoryEntryDeleted",), True),
}

TAKES_AWAY = [
    ("CustomerCreated", "customer", "differs: messages -CustomerCreated"),
    ("CustomerResourceUpdated", "customer", "as wanted"),  # CustomerResourceDeleted still needs the changes
    ("CustomerResourceDeleted", "customer", "as wanted"),
    ("OrderStateChanged", "order", "differs: messages -OrderStateChanged"),
    ("OrderShipmentStateChanged", "order", "differs: messages -OrderShipmentStateChanged"),
    ("OrderIdentitySet", "order", "differs: messages -OrderCustomerEmailSet -OrderCustomerSet"),
    (
        "OrderCreated",  # the older product's name for all that places an order
        "order",
        "differs: messages -OrderCreated -OrderCreatedFromRecurringOrder -OrderCustomerEmailSet -OrderCustomerSet -OrderImported",
    ),
    ("OrderRefunded", "payment", "not wanted"),
    ("CategoryCreated", "category", "differs: messages -CategoryCreated"),
    ("CategoryResourceUpdated", "category", "as wanted"),
    ("CategoryResourceDeleted", "category", "as wanted"),
    ("ProductPublished", "product", "differs: messages -ProductPublished"),
    ("ProductUnpublished", "product", "differs: messages -ProductUnpublished"),
    ("ProductResourceDeleted", "product", "differs: changes -product"),
    ("InventoryResourceUpdated", "inventory-entry", "not wanted"),
]

BY_MESSAGE_TYPE = [
    ("OrderImported", "order", "differs: messages -OrderImported"),
    ("PaymentTransactionAdded", "payment", "differs: messages -PaymentTransactionAdded"),
    ("InventoryEntryDeleted", "inventory-entry", "differs: messages -InventoryEntryDeleted"),
    ("ResourceDeleted", "product", "differs: changes -product"),
    ("ResourceDeleted", "category", "as wanted"),
]


def test_the_default_document_wants_these() -> None:
    """Six subscriptions, none to all messages of a type of resource, and changes only where a notification needs them."""
    found = {key: (one.messages, one.changes) for key, one in wanted_of().items() if one}
    assert found == GOLDEN
    assert {one.destination for one in wanted_of().values() if one} == {TOPIC}


@pytest.mark.parametrize(("disabled", "resource_type", "then"), [*TAKES_AWAY, *BY_MESSAGE_TYPE])
def test_what_is_disabled_is_not_subscribed_to(disabled: str, resource_type: str, then: str) -> None:
    """Against the subscription of the default document; those of other resources stay as they are."""
    before = one_wanted(resource_type)
    assert before
    assert described(step_towards(one_wanted(resource_type, disabled), held_as(before))) == then
    if disabled != "ResourceDeleted":
        key = before.key
        assert {**wanted_of(disabled), key: None} == {**wanted_of(), key: None}


def test_every_name_that_disables_is_in_the_table() -> None:
    """A new kind of notification has its line."""
    assert {name for name, _, _ in TAKES_AWAY} == {name for route in ROUTES for name in route.names}


def test_changes_end_when_all_that_need_them_are_disabled() -> None:
    """Messages stay; and a resource without anything left has no subscription at all."""
    disabled = ["CustomerResourceUpdated", "CustomerResourceDeleted"]
    before = one_wanted("customer")
    assert before
    step = step_towards(one_wanted("customer", *disabled), held_as(before))
    assert described(step) == "differs: changes -customer"
    assert one_wanted("customer", *disabled, "CustomerCreated") is None


def test_all_disabled_wants_none_but_knows_all_keys() -> None:
    """So that those of ours which are there are removed."""
    everything = wanted_of(*(name for route in ROUTES for name in route.names), "ResourceDeleted")
    assert everything == nothing_wanted("") == dict.fromkeys(GOLDEN)


def test_keys_are_those_of_the_older_product() -> None:
    """`CONNECT_ENV` stands in them, else `connect_dev`."""
    assert key_of("connect_prod", "order") == "connect-connect_prod-order"
    assert set(RESOURCES) == {"customer", "order", "payment", "category", "product", "inventory-entry"}


def test_the_longest_key_is_allowed() -> None:
    """The API takes 2 to 256 letters, digits, - and _; CONNECT_ENV has up to 200 of them."""
    for resource_type in RESOURCES:
        assert re.fullmatch("[A-Za-z0-9_-]{2,256}", key_of("x" * 200, resource_type))


def test_the_merchants_own_message_types_are_subscribed_to() -> None:
    """What the document adds is asked for."""
    document = SyncDocument()
    assert "OrderImported" in document.order.messages.created
    assert isinstance(step_towards(one_wanted("order"), held_as(one_wanted("order", "OrderImported"))), Update)  # type: ignore[arg-type]
