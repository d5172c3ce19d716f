"""Is the profile of every customer what the customer is? Said from the two simulators alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from sandbox.checker_sources import resources, stored


@dataclass(frozen=True, slots=True)
class ProfileCheck:
    """How many customers and profiles there are, and all that is wrong, in words."""

    customers: int
    profiles: int
    problems: tuple[str, ...]


def check_profiles(commercetools_url: str, klaviyo_url: str, *, erased: Collection[str] = ()) -> ProfileCheck:
    """Compare identifiers and names of all customers with the profiles; of `erased` customers there may be none."""
    customers = list(resources(commercetools_url, "customers"))
    profiles = list(stored(klaviyo_url, "profiles"))
    return ProfileCheck(len(customers), len(profiles), tuple(_problems(customers, profiles, frozenset(erased))))


def _problems(customers: list[dict[str, Any]], profiles: list[dict[str, Any]], erased: frozenset[str]) -> Iterator[str]:
    counts = Counter(profile["external_id"] for profile in profiles if profile["external_id"])
    by_id = {profile["external_id"]: profile["attributes"] for profile in profiles if profile["external_id"]}
    for identifier, count in counts.items():
        if count > 1:
            yield f"customer {identifier} has {count} profiles"
        if identifier in erased:
            yield f"customer {identifier} was erased and has a profile"
    for customer in customers:
        attributes = by_id.get(customer["id"])
        if attributes is None:
            yield f"customer {customer['id']} has no profile"
            continue
        wanted = {"email": customer["email"].strip().lower()}
        wanted |= {theirs: customer[ours] for ours, theirs in _NAMES if customer.get(ours)}
        for name, value in wanted.items():
            if attributes.get(name) != value:
                yield f"customer {customer['id']} has {name} {attributes.get(name)!r}, not {value!r}"


_NAMES = (("firstName", "first_name"), ("lastName", "last_name"), ("companyName", "organization"), ("title", "title"))
