"""Acts of the shop: the project has changed, its reads show it, and the notifications are those that commercetools sends."""

from __future__ import annotations

from typing import Any

import pytest
from shop_world import shop as opened

from sandbox.notifications.drafts import customer_draft, entry_draft, product_draft, variants_of
from sandbox.notifications.project import ProjectError
from sandbox.notifications.shop import Act, Shop


def said(*acts: Act) -> list[str]:
    """What the notifications of acts are, in order."""
    return [notification.get("type", notification["notificationType"]) for act in acts for notification in act.notifications]


def product(shop: Shop, index: int, *categories: str, published: bool = True) -> Any:
    """A product of three variants."""
    return shop.create_product(**product_draft(7, index, published=published, categories=categories, variants=3)).resource


def category(shop: Shop, name: str, parent: Any = None) -> Any:
    """A category."""
    return shop.create_category({"en": name}, f"slug-{name}", parent).resource


def test_customers_come_change_and_go(shop: Shop) -> None:
    """Created: a message and a change; changed and deleted: a change; erased: it says so."""
    made = shop.create_customer(**customer_draft(7, 1, 10))
    assert said(made) == ["CustomerCreated", "ResourceCreated"]
    assert made.notifications[0]["customer"] == made.resource == shop.project.get("customers", made.resource["id"])
    changed = shop.change_customer(made.resource["id"], email="new@example.com")
    assert said(changed) == ["ResourceUpdated"]
    assert (changed.notifications[0]["version"], changed.notifications[0]["oldVersion"]) == (2, 1)
    assert changed.notifications[0]["modifiedAt"] == changed.resource["lastModifiedAt"]
    gone = shop.delete_customer(made.resource["id"], data_erasure=True)
    assert said(gone) == ["ResourceDeleted"]
    assert gone.notifications[0]["dataErasure"] is True
    assert shop.project.get("customers", made.resource["id"]) is None
    with pytest.raises(ProjectError):
        shop.delete_customer(made.resource["id"])


def test_message_numbers_of_a_resource_ascend_by_one(shop: Shop) -> None:
    """Each resource has its own count, and every message its own id."""
    order = shop.place_order([shop.bought(product(shop, 1), 0, 2)], email="guest@example.com")
    changed = shop.change_order_state(order.resource, "Confirmed")
    numbers = [notification["sequenceNumber"] for act in (order, changed) for notification in act.notifications]
    assert numbers == [1, 2]
    assert order.notifications[0]["id"] != changed.notifications[0]["id"]


@pytest.mark.parametrize(
    ("type_", "origin"),
    [("OrderCreated", "Customer"), ("OrderImported", "Merchant"), ("OrderCreatedFromRecurringOrder", "RecurringOrder")],
)
def test_orders_are_placed_in_three_ways(shop: Shop, type_: str, origin: str) -> None:
    """One message each, with the whole order; order changes are not subscribed to."""
    buyer = shop.create_customer(**customer_draft(7, 2, 10)).resource
    placed = shop.place_order([shop.bought(product(shop, 2), 1, 3)], type_, customer=buyer)
    assert said(placed) == [type_]
    order = placed.notifications[0]["order"]
    assert (order["origin"], order["customerId"], order["customerEmail"]) == (origin, buyer["id"], buyer["email"])
    assert order["totalPrice"]["centAmount"] == sum(line["totalPrice"]["centAmount"] for line in order["lineItems"])


def test_an_orders_states_and_identity_change(shop: Shop) -> None:
    """With the old value beside the new one; what is absent is no field."""
    guest = shop.place_order([shop.bought(product(shop, 3), 0, 1)]).resource
    assert "customerEmail" not in guest
    named = shop.set_order_email(guest, "late@example.com")
    assert (named.notifications[0]["email"], "oldEmail" in named.notifications[0]) == ("late@example.com", False)
    buyer = shop.create_customer(email="late@example.com").resource
    owned = shop.set_order_customer(named.resource, buyer["id"])
    assert owned.notifications[0]["customer"] == {"typeId": "customer", "id": buyer["id"]}
    assert "oldCustomer" not in owned.notifications[0]
    shipped = shop.change_shipment_state(owned.resource, "Shipped").notifications[0]
    assert (shipped["shipmentState"], "oldShipmentState" in shipped) == ("Shipped", False)
    done = shop.change_order_state(owned.resource, "Complete").notifications[0]
    assert (done["orderState"], done["oldOrderState"], done["orderId"]) == ("Complete", "Open", guest["id"])


def test_refunds_are_transactions_of_a_payment(shop: Shop) -> None:
    """Added, then of another state; the order is found by its payment until the payment is removed."""
    order = shop.place_order([shop.bought(product(shop, 4), 0, 1)], email="a@example.com").resource
    paid, payment = shop.add_payment(order)
    assert payment.notifications == ()
    refund = shop.add_refund(payment.resource, 100, "Pending")
    assert said(refund) == ["PaymentTransactionAdded"]
    transaction = refund.notifications[0]["transaction"]
    assert (transaction["type"], transaction["state"], transaction["amount"]["centAmount"]) == ("Refund", "Pending", 100)
    moved = shop.change_transaction_state(refund.resource, transaction["id"], "Success")
    assert moved.notifications[0]["transactionId"] == transaction["id"]
    assert [held["state"] for held in moved.resource["transactions"]] == ["Success", "Success"]
    page = shop.project.page("orders", where=f'paymentInfo(payments(id="{payment.resource["id"]}"))', withTotal="false")
    assert [held["id"] for held in page] == [paid["id"]]
    assert "paymentInfo" not in shop.remove_payment(paid, payment.resource["id"])


def test_products_are_published_changed_hidden_and_deleted(shop: Shop) -> None:
    """The projection is there while the product is published; it is hidden before it is deleted, as the API demands."""
    draft = product_draft(7, 5, published=False, categories=(), variants=3)
    hidden = shop.create_product(**draft)
    assert said(hidden) == ["ResourceCreated"]
    identifier = hidden.resource["id"]
    assert shop.project.get("product-projections", identifier) is None
    shown = shop.publish_product(hidden.resource)
    assert said(shown) == ["ProductPublished", "ResourceUpdated"]
    assert shown.notifications[0]["productProjection"] == shop.project.get("product-projections", identifier)
    fewer = shop.publish_product(shown.resource, variants=variants_of(shown.resource)[1:2])
    projection = shop.project.get("product-projections", identifier)
    assert projection is not None
    assert len(projection["variants"]) == 1
    assert fewer.notifications[0]["productProjection"] == projection
    assert said(*shop.delete_product(fewer.resource)) == ["ProductUnpublished", "ResourceUpdated", "ResourceDeleted"]
    assert shop.project.get("products", identifier) is None


def test_what_a_product_shows_of_its_stock_follows_the_entries(shop: Shop) -> None:
    """Of each channel and of none; the product keeps its version, as availability is none of its data."""
    held = product(shop, 6)
    sku = variants_of(held)[1]["sku"]
    channel = shop.project.all("channels")[0]["id"]

    def shown() -> Any:
        projection = shop.project.get("product-projections", held["id"])
        assert projection is not None
        assert projection["version"] == held["version"]
        return projection["variants"][0].get("availability")

    assert shown() is None
    entry = shop.create_entry(sku, 7)
    assert said(entry) == ["InventoryEntryCreated", "ResourceCreated"]
    assert shown() == {"isOnStock": True, "availableQuantity": 7}
    there = shop.create_entry(sku, 3, channel).resource
    assert shown()["channels"] == {channel: {"isOnStock": True, "availableQuantity": 3}}
    changed = shop.change_stock(entry.resource, 0)
    sent = changed.notifications[0]
    assert said(changed) == ["InventoryEntryQuantitySet", "ResourceUpdated"]
    assert (sent["oldQuantityOnStock"], sent["newQuantityOnStock"], sent["sku"]) == (7, 0, sku)
    assert shown()["isOnStock"] is False
    assert said(shop.reserve_stock(there, 1)) == ["ResourceUpdated"]
    assert shown()["channels"][channel]["availableQuantity"] == 2
    gone = shop.delete_entry(there)
    assert said(gone) == ["InventoryEntryDeleted", "ResourceDeleted"]
    assert gone.notifications[0]["supplyChannel"]["id"] == channel
    assert gone.notifications[1]["resourceUserProvidedIdentifiers"]["sku"] == sku
    assert "channels" not in shown()
    shop.delete_entry(changed.resource)
    assert shown() is None


def test_a_new_product_shows_the_stock_that_was_there_before() -> None:
    """Also a product of the sample, whose stock is changed the first time."""
    with opened(products=5) as shop:
        draft = product_draft(7, 8, published=True, categories=(), variants=3)
        sku = draft["masterData"]["current"]["masterVariant"]["sku"]
        shop.project.create("inventory", entry_draft(sku, 5))
        assert variants_of(shop.create_product(**draft).resource)[0]["availability"]["availableQuantity"] == 5
        sample = next(held for held in shop.project.all("products") if held["masterData"]["published"])
        sku = variants_of(sample)[0]["sku"]
        held = [entry for entry in shop.project.all("inventory") if entry["sku"] == sku and "supplyChannel" not in entry]
        shop.change_stock(held[0], 4_321)
        projection = shop.project.get("product-projections", sample["id"])
        assert projection is not None
        assert projection["masterVariant"]["availability"]["isOnStock"] is True
        before = variants_of(sample)[0]["availability"]
        assert projection["masterVariant"]["availability"].get("channels") == before.get("channels")


def test_categories_form_a_tree_that_is_renamed_and_moved(shop: Shop) -> None:
    """Only the category itself says that it has changed; its descendants show it when they are read."""
    root, other = category(shop, "Women"), category(shop, "Men")
    child = category(shop, "Pants", root)
    leaf = category(shop, "Jeans", child)
    renamed = shop.rename_category(root["id"], {"en": "Ladies"})
    assert said(renamed) == ["ResourceUpdated"]
    expanded = shop.project.get("categories", leaf["id"], expand="ancestors[*]")
    assert expanded is not None
    assert [held["obj"]["name"]["en"] for held in expanded["ancestors"]] == ["Ladies", "Pants"]
    below = shop.project.page("categories", where=f'ancestors(id="{root["id"]}")', sort="id")
    assert {held["id"] for held in below} == {child["id"], leaf["id"]}
    moved = shop.move_category(child, other, [leaf])
    assert said(*moved) == ["ResourceUpdated"]
    assert [held["id"] for held in moved[1].resource["ancestors"]] == [other["id"], child["id"]]
    assert moved[0].resource["parent"]["id"] == other["id"]
    alone = shop.move_category(moved[0].resource, None, [moved[1].resource])
    assert ("parent" in alone[0].resource, alone[0].resource["ancestors"]) == (False, [])
    with pytest.raises(ValueError, match="itself"):
        shop.move_category(alone[0].resource, alone[1].resource, [alone[1].resource])


def test_a_deleted_category_takes_its_descendants_and_its_places_in_products_along(shop: Shop) -> None:
    """Products first, then the deepest; a product that was in none of them says nothing."""
    root = category(shop, "Old")
    child = category(shop, "Older", root)
    inside, outside = product(shop, 9, child["id"]), product(shop, 10)
    acts = shop.delete_category(root["id"], [child], [inside, outside])
    assert said(*acts) == ["ResourceUpdated", "ResourceDeleted", "ResourceDeleted"]
    assert [act.resource["id"] for act in acts] == [inside["id"], child["id"], root["id"]]
    projection = shop.project.get("product-projections", inside["id"])
    assert projection is not None
    assert projection["categories"] == []
    assert shop.project.get("categories", root["id"]) is None


def test_lists_of_ids_and_keys_are_read_as_realtime_reads_them() -> None:
    """Products by ids with their categories' ancestors, SKUs in a list, channels and groups by key, codes by id."""
    with opened(products=12, categories=12, orders=10) as shop:
        project = shop.project
        ids = ",".join(f'"{held["id"]}"' for held in project.all("products")[:3])
        page = project.page("product-projections", where=f"id in ({ids})", expand="categories[*].ancestors[*]", withTotal="false")
        linked = [place["obj"] for held in page for place in held["categories"]]
        assert any(held["ancestors"] for held in linked)
        assert all("obj" in above for held in linked for above in held["ancestors"])
        skus = {entry["sku"] for entry in project.all("inventory")[:3]}
        stock = project.page("inventory", where="sku in ({})".format(",".join(f'"{sku}"' for sku in skus)), limit="500")
        assert {entry["sku"] for entry in stock} == skus
        assert project.get("channels", "key=warehouse-eu") is not None
        assert project.get("customer-groups", "key=retail") is not None
        code = project.all("discount-codes")[0]
        assert project.get("discount-codes", code["id"]) == code
        order = next(held for held in project.all("orders") if held["discountCodes"])
        shown = project.get("orders", order["id"], expand="discountCodes[*].discountCode")
        assert shown is not None
        assert all("code" in held["discountCode"]["obj"] for held in shown["discountCodes"])
