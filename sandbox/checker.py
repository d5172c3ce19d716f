"""Did every customer arrive, once? Answered from what the two simulators saw, never from the product's own state."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sandbox.launch import HTTP


@dataclass(frozen=True, slots=True)
class CustomerCheck:
    """The verdict on an import of all customers.

    `missing` have no profile; `twice` have several; `foreign` are profiles of no customer. Customers whose e-mails differ
    only in case are one person to Klaviyo, so one profile serves all of them: `merged` counts those without their own.
    """

    customers: int
    profiles: int
    missing: frozenset[str]
    twice: frozenset[str]
    foreign: int
    merged: int
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


def check_customers(commercetools_url: str, klaviyo_url: str) -> CustomerCheck:
    """Compare all customers of the simulated project with all profiles of the simulated account."""
    people: dict[str, list[str]] = defaultdict(list)
    for customer in _lines(f"{commercetools_url}/_sandbox/customers"):
        people[customer["email"].strip().lower()].append(customer["id"])
    known = {customer_id for ids in people.values() for customer_id in ids}
    profiles: Counter[str] = Counter()
    changes: Counter[int] = Counter()
    foreign = 0
    for profile in _lines(f"{klaviyo_url}/_sandbox/profiles/dump"):
        changes[profile["changes"]] += 1
        if profile["external_id"] in known:
            profiles[profile["external_id"]] += 1
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
        changes=changes,
    )


def _lines(url: str) -> Iterator[dict[str, Any]]:
    with HTTP.stream("GET", url, timeout=300.0) as response:
        response.raise_for_status()
        for line in response.iter_lines():
            if line:
                yield json.loads(line)
