"""A storm's customers: they come, change, and go; some of them for reasons of privacy."""

from __future__ import annotations

from typing import Any

from sandbox.notifications.drafts import customer_draft
from sandbox.notifications.shop import Act
from sandbox.storm.state import NEW_EMAIL, SEED, Acts, Storm

_MOST = 100_000


def new_customer(storm: Storm) -> list[Act]:
    """Somebody registers."""
    act = storm.shop.create_customer(**customer_draft(SEED, storm.number(), _MOST))
    storm.customers.put(act.resource)
    return [act]


def _other_customer(storm: Storm) -> list[Act]:
    held = storm.customers.any(storm.random)
    if held is None:
        return []
    number = storm.number()
    fields: dict[str, Any] = {"firstName": f"First {number}"}
    if storm.weather.new_emails and held["email"] not in storm.claimed and storm.random.random() < 0.3:
        fields["email"] = f"{NEW_EMAIL}{number}@example.com"
    elif storm.random.random() < 0.5:
        fields = {"lastName": f"Last {number}", "companyName": f"Company {number}"}
    act = storm.shop.change_customer(held["id"], **fields)
    storm.customers.put(act.resource)
    return [act]


def _no_customer(storm: Storm) -> list[Act]:
    held = storm.customers.any(storm.random, lambda customer: customer["email"] not in storm.claimed)
    if held is None:
        return []
    erase = held["id"] not in storm.buyers and storm.random.random() < 0.5
    storm.customers.drop(held["id"])
    if erase:
        storm.erased.add(held["id"])
    return [storm.shop.delete_customer(held["id"], data_erasure=erase)]


ACTS: Acts = (
    (new_customer, 8),
    (_other_customer, 8),
    (_no_customer, 2),
)
"""Each with its weight."""
