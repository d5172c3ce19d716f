"""A storm: a busy shop whose notifications come in any order and more than once, while the resources go on changing.

`python -m sandbox.storm --commercetools URL --function URL --messages 1000` delivers one to a realtime function by hand; the
project should be empty, so that everything in it has been told of. What it does is chosen by its seed alone; what meets what
depends on how fast the function is.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from random import Random
from typing import Any

from sandbox.notifications.delivery import Courier, Parcel, Patience, Report
from sandbox.notifications.disorder import repeated, shuffled_within
from sandbox.notifications.drafts import customer_draft, product_draft, variants_of
from sandbox.notifications.envelopes import ENVELOPES, Post, Request, cloud_event
from sandbox.notifications.platform import Notification, without_payload
from sandbox.notifications.project import ProjectControl, Resource
from sandbox.notifications.shop import Act, Shop

WINDOW, SHARE = 100, 0.3
SEED = 20
_CUSTOMERS, _PRODUCTS, _CATEGORIES, _ENTRIES = 100_000, 300, 60, 600
"""The most that there ever are of them."""
_RECENT = 12
_NEW_EMAIL = "changed."
_NEVER_LARGE = ("OrderCustomerSet", "OrderCustomerEmailSet")
"""Messages that always have their payload here: without it nobody can tell whether the order had an identity before."""
_CARRIERS = ("pubsub",) * 6 + ("eventarc-binary",) * 2 + ("eventarc-structured", "sns")


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """What a storm also does, or leaves undone, so that the final state depends on who comes first.

    `new_emails`: customers change their e-mail while there are orders under the old one; nobody orders as a guest under a new
    one, which would be another person to Klaviyo for as long as the change has not arrived. `contrary`: an order that had nobody
    gets an e-mail, and then a customer with another one. `confirmed`: orders pass through the state Confirmed. `untidy`:
    products in a category that was moved or deleted, or below it, are not published again, and nothing else says that their
    ancestors are others now.
    """

    new_emails: bool = False
    contrary: bool = False
    confirmed: bool = False
    untidy: bool = False


@dataclass(slots=True)
class _Kept:
    """Resources of one kind as they are now, the last touched at the end."""

    rows: dict[str, Resource] = field(default_factory=dict)

    def put(self, resource: Resource) -> Resource:
        self.rows.pop(resource["id"], None)
        self.rows[resource["id"]] = resource
        return resource

    def drop(self, identifier: str) -> None:
        self.rows.pop(identifier, None)

    def any(
        self, random: Random, fits: Callable[[Resource], bool] = lambda _resource: True, *, tries: int = 8
    ) -> Resource | None:
        """One that fits, half of the time one that was touched just now; None when a few tries find none."""
        ids = list(self.rows)
        for _ in range(tries if ids else 0):
            few = ids[-_RECENT:] if random.random() < 0.5 else ids
            held = self.rows[random.choice(few)]
            if fits(held):
                return held
        return None


class Storm:
    """What happens in the shop, one act after the other, for as long as notifications are asked for.

    `erased` are the customers that were deleted for reasons of privacy; nobody ordered in their names. `buyers` are those in
    whose names somebody did.
    """

    def __init__(self, shop: Shop, random: Random, weather: Weather | None = None) -> None:
        self._shop = shop
        self._random = random
        self._weather = weather or Weather()
        self._made = 0
        self._customers, self._orders, self._payments = _Kept(), _Kept(), _Kept()
        self._categories, self._products, self._entries = _Kept(), _Kept(), _Kept()
        self._skus: dict[str, None] = {}
        self._claimed: dict[str, str] = {}
        self.erased: set[str] = set()
        self.buyers: set[str] = set()

    def notifications(self, count: int) -> Iterator[Notification]:
        """So many notifications, and what the last act tells beyond; each act happens when its first one is asked for."""
        told = 0
        acts = [act for act, weight in self._acts() for _ in range(weight)]
        for first in (self._new_category, self._new_product, self._new_product, self._new_customer):
            for notification in _told(first()):
                yield notification
                told += 1
        while told < count:
            for notification in _told(self._random.choice(acts)()):
                yield notification
                told += 1

    def _acts(self) -> list[tuple[Callable[[], Sequence[Act]], int]]:
        return [
            (self._new_customer, 8),
            (self._other_customer, 8),
            (self._no_customer, 2),
            (self._new_order, 16),
            (self._other_state, 6),
            (self._other_shipment, 4),
            (self._named, 4),
            (self._owned, 3),
            (self._claimed_order, 3),
            (self._new_payment, 8),
            (self._new_refund, 8),
            (self._other_refund, 8),
            (self._new_category, 2),
            (self._renamed, 2),
            (self._moved, 1),
            (self._no_category, 1),
            (self._new_product, 2),
            (self._other_product, 3),
            (self._hidden, 2),
            (self._no_product, 1),
            (self._new_entry, 5),
            (self._other_stock, 8),
            (self._reserved, 3),
            (self._no_entry, 2),
        ]

    def _number(self) -> int:
        self._made += 1
        return self._made

    # Customers

    def _new_customer(self) -> list[Act]:
        act = self._shop.create_customer(**customer_draft(SEED, self._number(), _CUSTOMERS))
        self._customers.put(act.resource)
        return [act]

    def _other_customer(self) -> list[Act]:
        held = self._customers.any(self._random)
        if held is None:
            return []
        number = self._number()
        fields: dict[str, Any] = {"firstName": f"First {number}"}
        if self._weather.new_emails and held["email"] not in self._claimed and self._random.random() < 0.3:
            fields["email"] = f"{_NEW_EMAIL}{number}@example.com"
        elif self._random.random() < 0.5:
            fields = {"lastName": f"Last {number}", "companyName": f"Company {number}"}
        act = self._shop.change_customer(held["id"], **fields)
        self._customers.put(act.resource)
        return [act]

    def _no_customer(self) -> list[Act]:
        held = self._customers.any(self._random, lambda customer: customer["email"] not in self._claimed)
        if held is None:
            return []
        erase = held["id"] not in self.buyers and self._random.random() < 0.5
        self._customers.drop(held["id"])
        if erase:
            self.erased.add(held["id"])
        return [self._shop.delete_customer(held["id"], data_erasure=erase)]

    # Orders and payments

    def _new_order(self) -> list[Act]:
        products = [held for _ in range(self._random.randint(1, 3)) if (held := self._products.any(self._random))]
        if not products:
            return []
        lines = [self._shop.bought(held, self._random.randrange(100), self._random.randint(1, 4)) for held in products]
        type_ = self._random.choice(("OrderCreated",) * 8 + ("OrderImported", "OrderCreatedFromRecurringOrder"))
        how: dict[str, Any] = {"currency": self._random.choice(("EUR", "EUR", "USD", "JPY", "KWD"))}
        kind = self._random.random()
        buyer = self._customers.any(self._random)
        if buyer is not None and kind < 0.6:
            how["customer"] = buyer
            self.buyers.add(buyer["id"])
        elif buyer is not None and kind < 0.7 and not _has_new_email(buyer):  # a customer who has not logged in
            how |= {"email": buyer["email"], "name": None}
            self._claimed[buyer["email"]] = buyer["id"]
            self.buyers.add(buyer["id"])
        elif kind < 0.9:
            how["email"] = f"guest.{self._number()}@example.com"
        if type_ == "OrderImported":
            how["state"] = self._random.choice(("Open", "Complete", "Cancelled"))
        act = self._shop.place_order(lines, type_, **how)
        self._orders.put(act.resource)
        return [act]

    def _other_state(self) -> list[Act]:
        held = self._orders.any(self._random, lambda order: order["orderState"] in ("Open", "Confirmed"))
        if held is None:
            return []
        states = ("Complete", "Cancelled")
        if self._weather.confirmed and held["orderState"] == "Open":
            states = (*states, "Confirmed", "Confirmed")  # type: ignore[assignment]
        act = self._shop.change_order_state(held, self._random.choice(states))
        self._orders.put(act.resource)
        return [act]

    def _other_shipment(self) -> list[Act]:
        held = self._orders.any(self._random, lambda order: order.get("shipmentState") != "Delivered")
        if held is None:
            return []
        after = {None: ("Pending", "Shipped"), "Pending": ("Shipped",), "Shipped": ("Delivered",)}[held.get("shipmentState")]
        act = self._shop.change_shipment_state(held, self._random.choice(after))
        self._orders.put(act.resource)
        return [act]

    def _named(self) -> list[Act]:
        """An order of nobody gets an e-mail."""
        held = self._orders.any(self._random, lambda order: not _is_somebodys(order))
        if held is None:
            return []
        act = self._shop.set_order_email(held, f"late.{self._number()}@example.com")
        self._orders.put(act.resource)
        return [act]

    def _owned(self) -> list[Act]:
        """An order of nobody gets a customer; `contrary`: also a guest's, of another e-mail."""
        contrary = self._weather.contrary
        held = self._orders.any(self._random, lambda order: not _is_somebodys(order) or (contrary and "customerId" not in order))
        buyer = self._customers.any(self._random)
        if held is None or buyer is None:
            return []
        self.buyers.add(buyer["id"])
        act = self._shop.set_order_customer(held, buyer["id"])
        self._orders.put(act.resource)
        return [act]

    def _claimed_order(self) -> list[Act]:
        """A guest's order turns out to be that of the customer with this e-mail."""

        def is_claimed(order: Resource) -> bool:
            return "customerId" not in order and order.get("customerEmail") in self._claimed

        held = self._orders.any(self._random, is_claimed, tries=40)
        if held is None:
            return []
        act = self._shop.set_order_customer(held, self._claimed[held["customerEmail"]])
        self._orders.put(act.resource)
        return [act]

    def _new_payment(self) -> list[Act]:
        held = self._orders.any(
            self._random, lambda order: _is_somebodys(order) and len(order.get("paymentInfo", {}).get("payments", ())) < 2
        )
        if held is None:
            return []
        order, act = self._shop.add_payment(held, charge_state=self._random.choice(("Success", "Success", "Success", "Pending")))
        self._orders.put(order)
        self._payments.put(act.resource)
        return [act]

    def _new_refund(self) -> list[Act]:
        held = self._payments.any(self._random, lambda payment: len(payment["transactions"]) < 5)
        if held is None:
            return []
        act = self._shop.add_refund(held, self._random.randint(1, 500), self._random.choice(("Initial", "Pending", "Success")))
        self._payments.put(act.resource)
        return [act]

    def _other_refund(self) -> list[Act]:
        open_ = ("Initial", "Pending")

        def waits(payment: Resource) -> bool:
            return any(held["type"] == "Refund" and held["state"] in open_ for held in payment["transactions"])

        held = self._payments.any(self._random, waits)
        if held is None:
            return []
        refund = self._random.choice([t for t in held["transactions"] if t["type"] == "Refund" and t["state"] in open_])
        act = self._shop.change_transaction_state(held, refund["id"], self._random.choice(("Success", "Success", "Failure")))
        self._payments.put(act.resource)
        return [act]

    # The catalog

    def _new_category(self) -> list[Act]:
        if len(self._categories.rows) >= _CATEGORIES:
            return []
        parent = self._categories.any(self._random, lambda held: len(held["ancestors"]) < 3)
        number = self._number()
        act = self._shop.create_category({"en": f"Category {number}"}, f"category-{number}", parent)
        self._categories.put(act.resource)
        return [act]

    def _renamed(self) -> list[Act]:
        held = self._categories.any(self._random)
        if held is None:
            return []
        act = self._shop.rename_category(held["id"], {"en": f"Renamed {self._number()}"})
        self._categories.put(act.resource)
        return [act]

    def _moved(self) -> list[Act]:
        held = self._categories.any(self._random)
        if held is None:
            return []
        below = self._below(held)
        inside = {held["id"], *(row["id"] for row in below)}
        parent = self._categories.any(self._random, lambda row: row["id"] not in inside and len(row["ancestors"]) < 3)
        acts = self._shop.move_category(held, parent, below)
        for act in acts:
            self._categories.put(act.resource)
        return [*acts, *self._tidied(self._products_in(inside))]

    def _no_category(self) -> list[Act]:
        held = self._categories.any(self._random, lambda row: bool(row["ancestors"]))
        if held is None or len(self._categories.rows) < 5:
            return []
        below = self._below(held)
        products = self._products_in({held["id"], *(row["id"] for row in below)})
        acts = self._shop.delete_category(held["id"], below, products)
        for act in acts:
            if "masterData" in act.resource:
                self._products.put(act.resource)
            else:
                self._categories.drop(act.resource["id"])
        return [*acts, *self._tidied([self._products.rows[row["id"]] for row in products])]

    def _products_in(self, categories: set[str]) -> list[Resource]:
        rows = self._products.rows.values()
        return [row for row in rows if any(c["id"] in categories for c in row["masterData"]["current"]["categories"])]

    def _tidied(self, products: Sequence[Resource]) -> list[Act]:
        if self._weather.untidy:
            return []
        acts = [self._shop.publish_product(product) for product in products if product["masterData"]["published"]]
        for act in acts:
            self._products.put(act.resource)
        return acts

    def _below(self, category: Resource) -> list[Resource]:
        identifier = category["id"]
        return [row for row in self._categories.rows.values() if any(above["id"] == identifier for above in row["ancestors"])]

    def _some_categories(self) -> list[str]:
        chosen = [held["id"] for _ in range(self._random.randint(0, 3)) if (held := self._categories.any(self._random))]
        return list(dict.fromkeys(chosen))

    def _new_product(self) -> list[Act]:
        if len(self._products.rows) >= _PRODUCTS:
            return []
        published = self._random.random() < 0.9
        variants = self._random.choice((1, 1, 2, 3)) if self._products.rows else 12
        draft = product_draft(SEED, self._number(), published=published, categories=self._some_categories(), variants=variants)
        act = self._shop.create_product(**draft)
        self._products.put(act.resource)
        self._skus.update(dict.fromkeys(variant["sku"] for variant in variants_of(act.resource) if "sku" in variant))
        return [act]

    def _other_product(self) -> list[Act]:
        """Published with another name, in other categories, or with fewer variants, or with all of the staged ones again."""
        held = self._products.any(self._random)
        if held is None:
            return []
        current: dict[str, Any] = {"name": {"en": f"Product {self._number()}"}}
        if self._random.random() < 0.5:
            current["categories"] = [{"typeId": "category", "id": id_} for id_ in self._some_categories()]
        if self._random.random() < 0.3:
            current["variants"] = variants_of(held)[1 : self._random.randint(1, len(variants_of(held)))]
        act = self._shop.publish_product(held, **current)
        self._products.put(act.resource)
        return [act]

    def _hidden(self) -> list[Act]:
        held = self._products.any(self._random, lambda product: bool(product["masterData"]["published"]))
        if held is None:
            return []
        act = self._shop.unpublish_product(held)
        self._products.put(act.resource)
        return [act]

    def _no_product(self) -> list[Act]:
        held = self._products.any(self._random)
        if held is None or len(self._products.rows) < 5:
            return []
        self._products.drop(held["id"])
        return self._shop.delete_product(held)

    # Stock

    def _new_entry(self) -> list[Act]:
        if not self._skus or len(self._entries.rows) >= _ENTRIES:
            return []
        sku = self._random.choice(list(self._skus)[-200:])
        channel = self._random.choice((None, None, "warehouse-eu"))
        if any(row["sku"] == sku and bool(row.get("supplyChannel")) == bool(channel) for row in self._entries.rows.values()):
            return []
        act = self._shop.create_entry(sku, self._random.choice((0, 1, 5, 250)), self._channel_id(channel))
        self._entries.put(act.resource)
        return [act]

    def _other_stock(self) -> list[Act]:
        held = self._entries.any(self._random)
        if held is None:
            return []
        act = self._shop.change_stock(held, self._random.choice((0, 1, 7, self._random.randint(1, 900))) + 3)
        self._entries.put(act.resource)
        return [act]

    def _reserved(self) -> list[Act]:
        held = self._entries.any(self._random, lambda entry: entry["availableQuantity"] > 0 and entry["quantityOnStock"] > 2)
        if held is None or held["quantityOnStock"] - held["availableQuantity"] >= 3:
            return []
        act = self._shop.reserve_stock(held, 1)
        self._entries.put(act.resource)
        return [act]

    def _no_entry(self) -> list[Act]:
        held = self._entries.any(self._random)
        if held is None:
            return []
        self._entries.drop(held["id"])
        return [self._shop.delete_entry(held)]

    def _channel_id(self, key: str | None) -> str | None:
        if key is None:
            return None
        channel = self._shop.project.get("channels", f"key={key}")
        return None if channel is None else str(channel["id"])


def parcels(notifications: Iterator[Notification], random: Random) -> Iterator[Parcel]:
    """Each as one message of the queue: some without their payload, one in ten as a CloudEvent, by all carriers."""
    for number, told in enumerate(notifications):
        sent: Notification = told
        if sent["notificationType"] == "Message" and sent["type"] not in _NEVER_LARGE and random.random() < 0.05:
            sent = without_payload(sent)
        if random.random() < 0.1:
            sent = cloud_event(sent)
        yield _parcel(number, told, sent, random.choice(_CARRIERS))


def _parcel(number: int, told: Notification, sent: Notification, carrier: str) -> Parcel:
    def request(attempt: int) -> Request:
        return ENVELOPES[carrier](sent, Post(message_id=str(number), attempt=attempt))

    kind = told.get("type", told["notificationType"])
    return Parcel(f"{number} {kind} {told['resource']['typeId']} {told['resource']['id']}", request)


def break_loose(
    storm: Storm, functions: Sequence[str], messages: int, random: Random, *, workers: int = 8, patience: Patience | None = None
) -> Report:
    """Deliver so many messages to instances of a realtime function, until each has been acknowledged or given up."""
    stream = parcels(storm.notifications(messages), random)
    courier = Courier(functions, time.monotonic, random, workers=workers, patience=patience or Patience())
    return courier.deliver(shuffled_within(repeated(stream, SHARE, random), WINDOW, random))


def _told(acts: Sequence[Act]) -> Iterator[Notification]:
    for act in acts:
        yield from act.notifications


def _has_new_email(customer: Resource) -> bool:
    return str(customer["email"]).startswith(_NEW_EMAIL)


def _is_somebodys(order: Resource) -> bool:
    return "customerId" in order or "customerEmail" in order


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 when every message was acknowledged."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.storm", description=__doc__)
    parser.add_argument("--commercetools", required=True, metavar="URL", help="the simulated project")
    parser.add_argument("--function", required=True, nargs="+", metavar="URL", help="the realtime function, or its instances")
    parser.add_argument("--messages", type=int, default=1_000)
    parser.add_argument("--workers", type=int, default=8, help="deliveries at once")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    random = Random(options.seed)
    with closing(ProjectControl(options.commercetools)) as project:
        storm = Storm(Shop(project, Random(options.seed)), random)
        report = break_loose(storm, options.function, options.messages, random, workers=options.workers)
    sys.stdout.write(f"{report}\n")
    return 1 if report.lost else 0


if __name__ == "__main__":
    sys.exit(main())
