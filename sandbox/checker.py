"""Did every customer arrive, once? Answered from what the two simulators saw, never from the product's own state."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from sandbox.checker_sources import resources, stored


@dataclass(frozen=True, slots=True)
class CustomerCheck:
    """The verdict on an import of all customers.

    `missing` have no profile; `twice` have several; `guests` are profiles of guests who ordered, `foreign` those of nobody
    known. Customers whose e-mails differ
    only in case are one person to Klaviyo, so one profile serves all of them: `merged` counts those without their own.
    """

    customers: int
    profiles: int
    missing: frozenset[str]
    twice: frozenset[str]
    foreign: int
    merged: int
    guests: int = 0
    changes: Counter[int] = field(default_factory=Counter)

    @property
    def problems(self) -> list[str]:
        """What must never be, in words; empty when all is well."""
        found = []
        if self.twice:
            found.append(f"{len(self.twice)} customers have more than one profile")
        if self.foreign:
            found.append(f"{self.foreign} profiles belong to no customer")
        return found


def check_customers(commercetools_url: str, klaviyo_url: str, *, with_orders: bool = False) -> CustomerCheck:
    """Compare all customers of the simulated project with all profiles of the simulated account.

    `with_orders`: the orders are in Klaviyo too, and so are the guests who placed them.
    """
    people: dict[str, list[str]] = defaultdict(list)
    for customer in resources(commercetools_url, "customers", "id,email"):
        people[customer["email"].strip().lower()].append(customer["id"])
    known = {customer_id for ids in people.values() for customer_id in ids}
    profiles: Counter[str] = Counter()
    changes: Counter[int] = Counter()
    ordered = _emails_of_orders(commercetools_url) if with_orders else frozenset[str]()
    foreign = guests = 0
    for profile in stored(klaviyo_url, "profiles", full=False):
        changes[profile["changes"]] += 1
        if profile["external_id"] in known:
            profiles[profile["external_id"]] += 1
        elif profile["external_id"] is None and profile["email"] in ordered:
            guests += 1
        else:
            foreign += 1
    missing, merged = set[str](), 0
    for ids in people.values():
        without = [customer_id for customer_id in ids if customer_id not in profiles]
        if len(without) < len(ids):
            merged += len(without)
        else:
            missing.update(without)
    return CustomerCheck(
        customers=len(known),
        profiles=profiles.total() + foreign,
        missing=frozenset(missing),
        twice=frozenset(customer_id for customer_id, count in profiles.items() if count > 1),
        foreign=foreign,
        merged=merged,
        guests=guests,
        changes=changes,
    )


def _emails_of_orders(commercetools_url: str) -> frozenset[str]:
    orders = resources(commercetools_url, "orders", "customerEmail")
    return frozenset(order["customerEmail"].strip().lower() for order in orders if order.get("customerEmail"))
