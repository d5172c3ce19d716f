"""What realtime is told in the benchmark: notifications about resources of the sample, in the proportions of a shop's day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count, cycle
from random import Random

from sandbox.bench.load import Arrival
from sandbox.notifications import messages
from sandbox.notifications.drafts import new_ids, variants_of
from sandbox.notifications.envelopes import Post, Request, pubsub_push
from sandbox.notifications.platform import Notification, Stamp, change
from sandbox.notifications.project import ProjectControl, Resource
from sandbox.sample.products import projection

CUSTOMER, ORDER, GUEST, STATE, STOCK, PRODUCT, REFUND = (
    "customer updated",
    "order created",
    "guest's order created",
    "order state changed",
    "inventory changed",
    "product published",
    "payment refund",
)
PARTS: Mapping[str, int] = {CUSTOMER: 14, ORDER: 8, GUEST: 4, STATE: 8, STOCK: 12, PRODUCT: 1, REFUND: 3}
"""How often each kind comes among so many. Notifications of one kind come to the same API calls."""

CUSTOMERS, PRODUCTS, VARIANTS, CATEGORIES, ORDERS, LINES = 400, 60, 3, 20, 400, 3
PROJECT = (
    *("--customers", str(CUSTOMERS), "--malformed-emails", "0", "--categories", str(CATEGORIES)),
    *("--products", str(PRODUCTS), "--variants", str(VARIANTS), "--orders", str(ORDERS), "--lines", str(LINES)),
)
"""Arguments of the simulated commercetools."""

_AT = "2026-09-21T14:13:20.000Z"


class Mix:
    """An endless supply of notifications; each kind goes through its resources, again and again."""

    def __init__(self, project: ProjectControl, seed: int = 7) -> None:
        """`project` is read here and never changed."""
        self._random = Random(seed)
        self._ids = new_ids(self._random)
        self._numbers = count(1)
        products = [product for product in project.all("products") if _is_usual(product)]
        skus = {variant.get("sku") for product in products for variant in variants_of(product)}
        every = [order for order in project.all("orders") if "customerEmail" in order and order["origin"] == "Customer"]
        orders = [order for order in every if "customerId" in order]
        guests = [order for order in every if "customerId" not in order]
        supply = {
            CUSTOMER: [change("ResourceUpdated", "customer", row, self._stamp()) for row in project.all("customers")],
            ORDER: [messages.order_placed(order | {"orderState": "Open"}, self._stamp()) for order in orders],
            GUEST: [messages.order_placed(order | {"orderState": "Open"}, self._stamp()) for order in guests],
            STATE: [messages.order_state_changed(row | {"orderState": "Complete"}, "Open", self._stamp()) for row in orders],
            STOCK: [
                change("ResourceUpdated", "inventory-entry", row, self._stamp())
                for row in project.all("inventory")
                if row["sku"] in skus
            ],
            PRODUCT: [self._published(product) for product in products],
            REFUND: list(self._refunds(orders, project.all("payments"))),
        }
        self._sizes = {kind: len(notifications) for kind, notifications in supply.items()}
        self._supply = {kind: cycle(notifications) for kind, notifications in supply.items()}
        self._order: list[str] = []

    def one(self, kind: str) -> Request:
        """The next notification of a kind, as Pub/Sub pushes it."""
        return pubsub_push(next(self._supply[kind]), Post(message_id=str(next(self._numbers))))

    def every(self, kind: str) -> list[Request]:
        """All notifications of a kind, each once."""
        return [self.one(kind) for _ in range(self._sizes[kind])]

    def arrivals(self, rate: float, seconds: float) -> list[Arrival]:
        """`rate` notifications a second in equal steps, kinds in their proportions and in a random order."""
        kinds = (self._kind() for _ in range(round(rate * seconds)))
        return [Arrival(number / rate, kind, self.one(kind)) for number, kind in enumerate(kinds)]

    def _kind(self) -> str:
        if not self._order:
            self._order = [kind for kind, parts in PARTS.items() for _ in range(parts)]
            self._random.shuffle(self._order)
        return self._order.pop()

    def _published(self, product: Resource) -> Notification:
        return messages.product_published(product, projection(product, staged=False), self._stamp())

    def _refunds(self, orders: list[Resource], payments: list[Resource]) -> Iterator[Notification]:
        """A successful refund of every payment that has one and is of one of the orders."""
        paid = {held["id"] for order in orders for held in order.get("paymentInfo", {"payments": ()})["payments"]}
        for payment in payments:
            done = [part for part in payment["transactions"] if (part["type"], part["state"]) == ("Refund", "Success")]
            if done and payment["id"] in paid:
                yield messages.payment_transaction_added(payment, done[-1], self._stamp())

    def _stamp(self) -> Stamp:
        return Stamp(id=next(self._ids), at=_AT)


def _is_usual(product: Resource) -> bool:
    """Whether a product is published with prices of its own: standalone ones would be one more read."""
    return product["masterData"]["published"] and product.get("priceMode") != "Standalone"
