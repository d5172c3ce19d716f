"""A handful of things that happen in the demo's shop, told to realtime as commercetools would tell them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from sandbox.notifications.delivery import ACKNOWLEDGED
from sandbox.notifications.drafts import variants_of
from sandbox.notifications.envelopes import Post, pubsub_push
from sandbox.notifications.project import ProjectControl, Resource
from sandbox.notifications.shop import Act, Shop
from sandbox.notifications.wire import Connection

_ANSWER_S = 30.0


@dataclass(frozen=True, slots=True)
class Happening:
    """What happened, in words, the statuses of the notifications that told of it, and the order that it was about."""

    what: str
    statuses: tuple[int, ...]
    order_id: str | None = None

    @property
    def acknowledged(self) -> bool:
        """Whether no notification would be delivered again."""
        return bool(self.statuses) and set(self.statuses) <= ACKNOWLEDGED


def happen(commercetools_url: str, realtime_url: str) -> list[Happening]:
    """Change the project and tell of each change, one after the other; what came of it."""
    project = ProjectControl(commercetools_url)
    connection = Connection(realtime_url, _ANSWER_S)
    try:
        return [
            Happening(what, tuple(_told(connection, act)), order_id)
            for what, act, order_id in _acts(Shop(project, Random(7)), project)
        ]
    finally:
        connection.close()
        project.close()


def _acts(shop: Shop, project: ProjectControl) -> Iterator[tuple[str, Act, str | None]]:
    customers = [customer for customer in project.all("customers") if customer["email"].isascii() and customer.get("firstName")]
    products = [product for product in project.all("products") if product["masterData"]["published"]]
    shown, hidden = products[0], products[1]
    yield "a customer registers", shop.create_customer(email="new.shopper@example.com", firstName="Ada"), None
    yield "a customer changes the name", shop.change_customer(customers[0]["id"], lastName="Beispiel"), None
    lines = [shop.bought(shown, 0, 2), shop.bought(products[2], 0, 1)]
    placed = shop.place_order(lines, customer=customers[1])
    order = placed.resource
    yield "the customer places an order of two lines", placed, order["id"]
    paid, payment = shop.add_payment(order)
    refund = shop.add_refund(payment.resource, order["totalPrice"]["centAmount"] // 4)
    yield "a quarter of it is refunded", refund, order["id"]
    yield "the order is complete", shop.change_order_state(paid, "Complete"), order["id"]
    yield "a product is unpublished", shop.unpublish_product(hidden), None
    yield "the stock of another one changes", shop.change_stock(_entry(project, shown), 5), None
    yield "a category is created", shop.create_category({"en": "New arrivals"}, "new-arrivals"), None


def _entry(project: ProjectControl, product: Resource) -> Resource:
    """The first entry without a channel of any of the product's variants."""
    skus = {variant.get("sku") for variant in variants_of(product)}
    return next(entry for entry in project.all("inventory") if entry["sku"] in skus and "supplyChannel" not in entry)


def _told(connection: Connection, act: Act) -> Iterator[int]:
    for number, notification in enumerate(act.notifications):
        request = pubsub_push(notification, Post(message_id=f"{act.resource['id']}-{act.resource['version']}-{number}"))
        yield connection.send("POST", connection.path, request.headers, request.body).status
