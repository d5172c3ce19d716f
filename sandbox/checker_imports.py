"""Is everything in Klaviyo that an import was to bring over, right and once? Said from the two simulators alone.

For the kinds of a whole import: customers, orders, products, categories. What the sample has on purpose and Klaviyo refuses
(a malformed e-mail) may be missing; it is counted, so that whoever imported can be asked whether they named it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sandbox.checker import check_customers
from sandbox.checker_catalog import category_problems
from sandbox.checker_events import Expected, Key, events_of
from sandbox.checker_ledger import Account, written
from sandbox.checker_products import Held, Shelves, Sources, sellable
from sandbox.checker_sources import resources, stored
from sandbox.klaviyo.rules import valid_email

KINDS = ("customers", "orders", "products", "categories")

_ORDER_FIELDS = (
    "id,customerId,customerEmail,orderState,shipmentState,totalPrice,lineItems,paymentInfo,"
    "createdAt,lastModifiedAt,completedAt,shippingInfo,shipping"
)
_SAID_MOST = 20


@dataclass(frozen=True, slots=True)
class ImportCheck:
    """The verdict on one kind. `items` are in commercetools; `refused` of them are not in Klaviyo, and may not be.

    `merged` customers share the profile of a newer one; `without` have nothing that could be sent: orders of nobody,
    products that are not published. `stored` counts what Klaviyo has. `problems` has the first of each sort, and a count.
    """

    kind: str
    items: int
    stored: Counter[str]
    refused: frozenset[str] = frozenset()
    merged: int = 0
    without: int = 0
    problems: tuple[str, ...] = ()
    owners: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def sent(self) -> int:
        """How many items should have been sent."""
        return self.items - len(self.refused) - self.merged - self.without

    def differs_from(self, status: Mapping[str, Any]) -> list[str]:
        """What the status of a run says of its items that is not so, or does not add up."""
        wanted = {"seen": self.items, "sent": self.sent, "skipped": self.merged + self.without, "failed": len(self.refused)}
        found = [
            f"the status says {name} {status[name]:,}, the simulators' records {number:,}"
            for name, number in wanted.items()
            if status[name] != number
        ]
        if status["seen"] != status["sent"] + status["skipped"] + status["failed"]:
            found.append("seen is not sent + skipped + failed")
        return found

    def rewritten(self, account: Account) -> frozenset[str]:
        """The ids of the items that were written more than once, by the ledger."""
        things, endpoints = _WRITTEN[self.kind]
        counts = written(account, things, endpoints)
        return frozenset(self.owners.get(identity, identity) for identity, count in counts.items() if count > 1)

    def redone(self, account: Account, most: int = 0) -> list[str]:
        """What is wrong with the work that was done twice: so many items may have been, those of batches that were cut off."""
        found = len(self.rewritten(account))
        return [f"{found} {self.kind} were written more than once, {most} might be"] if found > most else []


_WRITTEN: Mapping[str, tuple[tuple[str, ...], str]] = {
    "customers": (("profile",), "profile-bulk-import-jobs"),
    "orders": (("event",), ""),
    "products": (("item", "variant"), ""),
    "categories": (("category",), ""),
}
"""What an item becomes in the ledger, and by which requests, where others write the same."""


def check_import(
    kind: str, commercetools_url: str, klaviyo_url: str, now: str | None = None, live: Collection[str] = ()
) -> ImportCheck:
    """The verdict on an import of everything of a kind.

    `now`: the moment whose prices count, ISO 8601, default: this one. Events of the `live` orders were told as they happened:
    they have other times, and are no backfill.
    """
    if kind == "customers":
        return _customers(commercetools_url, klaviyo_url)
    if kind == "orders":
        return _orders(commercetools_url, klaviyo_url, live)
    if kind == "products":
        return _products(commercetools_url, klaviyo_url, now or datetime.now(UTC).isoformat())
    if kind == "categories":
        return _categories(commercetools_url, klaviyo_url)
    raise ValueError(f"there are no {kind}")


def event_problems(
    wanted: Mapping[Key, Expected],
    events: Iterable[Mapping[str, Any]],
    emails: Mapping[str, str],
    live: Collection[str] = (),
) -> Iterator[str]:
    """All that is wrong with events of the past, and of `live` orders; `emails` are the customers' by their ids.

    An order whose e-mail Klaviyo refuses may be without any event, but not with some.
    """
    counts: Counter[Key] = Counter()
    for event in events:
        key = (event["metric"], event["unique_id"])
        counts[key] += 1
        if counts[key] > 1:
            yield f"{key[0]} {key[1]} is there more than once"
        elif key not in wanted:
            yield f"{key[0]} {key[1]} should not be there"
        else:
            yield from _wrong(event, wanted[key], emails)
            if wanted[key].order_id not in live:
                yield from _not_of_the_past(event, wanted[key])
    untouched = {expected.order_id for expected in wanted.values()} - {wanted[key].order_id for key in counts if key in wanted}
    for key in wanted.keys() - counts.keys():
        expected = wanted[key]
        if not (expected.order_id in untouched and is_refusable(expected, emails)):
            yield f"{key[0]} {key[1]} is missing"


def is_refusable(expected: Expected, emails: Mapping[str, str]) -> bool:
    """Whether Klaviyo would not take the e-mail of an event's person."""
    email = (expected.email or emails.get(expected.customer_id or "", "")).strip().lower()
    return bool(email) and not valid_email(email)


def _wrong(event: Mapping[str, Any], expected: Expected, emails: Mapping[str, str]) -> Iterator[str]:
    name = f"{event['metric']} {event['unique_id']}"
    found = (Decimal(str(event["value"])), event["value_currency"])
    if found != (expected.value, expected.currency):
        yield f"{name} is worth {found}, not {(expected.value, expected.currency)}"
    # Customers whose e-mails differ only in case are one person to Klaviyo, so either identifier tells whose it is.
    known = {expected.email, emails.get(expected.customer_id or "")} - {None}
    is_theirs = expected.customer_id is not None and event["external_id"] == expected.customer_id
    if not is_theirs and event["email"] not in {str(email).strip().lower() for email in known}:
        yield f"{name} is of {event['external_id']}, not of customer {expected.customer_id}"


def _not_of_the_past(event: Mapping[str, Any], expected: Expected) -> Iterator[str]:
    name = f"{event['metric']} {event['unique_id']}"
    if event["time"] != expected.second:
        yield f"{name} is at {event['time']}, not {expected.second}"
    if not event["backfill"]:
        yield f"{name} is not marked as backfill"


def _customers(commercetools_url: str, klaviyo_url: str) -> ImportCheck:
    with_orders = any(True for _ in stored(klaviyo_url, "events", full=False))
    check = check_customers(commercetools_url, klaviyo_url, with_orders=with_orders)
    found = list(check.problems)
    refused = set()
    if check.missing:
        emails = {row["id"]: row["email"].strip().lower() for row in resources(commercetools_url, "customers", "id,email")}
        refused = {customer_id for customer_id in check.missing if not valid_email(emails[customer_id])}
        found += [f"customer {customer_id} has no profile" for customer_id in sorted(check.missing - refused)]
    stored_ = Counter({"profiles": check.profiles, "profiles of guests": check.guests})
    return ImportCheck("customers", check.customers, stored_, frozenset(refused), check.merged, problems=_said(found))


def _orders(commercetools_url: str, klaviyo_url: str, live: Collection[str]) -> ImportCheck:
    emails = {row["id"]: row["email"] for row in resources(commercetools_url, "customers", "id,email")}
    payment_fields = "id,transactions,lastModifiedAt"
    payments = {payment["id"]: payment for payment in resources(commercetools_url, "payments", payment_fields)}
    wanted: dict[Key, Expected] = {}
    orders = nobody = 0
    for order in resources(commercetools_url, "orders", _ORDER_FIELDS):
        orders += 1
        own = events_of(order, payments)
        nobody += not own
        wanted.update(own)
    counts: Counter[str] = Counter()
    seen: set[str] = set()

    def events() -> Iterator[dict[str, Any]]:
        for event in stored(klaviyo_url, "events", full=False):
            counts[event["metric"]] += 1
            expected = wanted.get((event["metric"], event["unique_id"]))
            if expected is not None:
                seen.add(expected.order_id)
            yield event

    found = _said(event_problems(wanted, events(), emails, live))
    refused = {one.order_id for one in wanted.values() if one.order_id not in seen and is_refusable(one, emails)}
    owners = {f"{metric}:{unique_id}": one.order_id for (metric, unique_id), one in wanted.items()}
    return ImportCheck("orders", orders, counts, frozenset(refused), without=nobody, problems=found, owners=owners)


def _products(commercetools_url: str, klaviyo_url: str, now: str) -> ImportCheck:
    held: dict[str, dict[str, Held]] = {"item": {}, "variant": {}}
    for row in stored(klaviyo_url, "catalog"):
        if row["kind"] in held:
            held[row["kind"]][row["external_id"]] = Held.of(row)
    shelves = Shelves(held["item"], held["variant"], Sources.of(commercetools_url), now)
    owners: dict[str, str] = {}

    def published() -> Iterator[dict[str, Any]]:
        for product in resources(commercetools_url, "product-projections"):
            owners.update((variant["sku"], product["id"]) for variant in sellable(product))
            owners[product["id"]] = product["id"]
            yield product

    found = _said(shelves.problems(published()))
    total = sum(1 for _ in resources(commercetools_url, "products", "id"))
    counts = Counter({"items": len(held["item"]), "variants": len(held["variant"])})
    hidden = total - len(set(owners.values()))
    return ImportCheck("products", total, counts, without=hidden, problems=found, owners=owners)


def _categories(commercetools_url: str, klaviyo_url: str) -> ImportCheck:
    categories = {row["id"]: row for row in resources(commercetools_url, "categories")}
    held = {row["external_id"]: row for row in stored(klaviyo_url, "catalog") if row["kind"] == "category"}
    problems = _said(category_problems(categories, held))
    return ImportCheck("categories", len(categories), Counter({"categories": len(held)}), problems=problems)


def _said(problems: Iterable[str]) -> tuple[str, ...]:
    """The first problems, and how many more there are."""
    every = list(problems)
    more = [f"and {len(every) - _SAID_MOST} more"] if len(every) > _SAID_MOST else []
    return (*every[:_SAID_MOST], *more)
