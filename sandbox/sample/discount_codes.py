"""Discount codes: a fixed number, some of them inactive, expired, or without a name."""

from functools import lru_cache
from typing import Any

from sandbox.sample import identity, timeline
from sandbox.sample.prices import EXPIRED, FUTURE
from sandbox.sample.project import outside_reference

Resource = dict[str, Any]

_CODES: tuple[tuple[str, dict[str, str] | None, dict[str, Any]], ...] = (
    ("WELCOME10", {"en": "Welcome", "de": "Willkommen"}, {"isActive": True}),
    ("SUMMER-24", {"en": "Summer 2024"}, {"isActive": True, **EXPIRED}),
    ("freeship", {"de": "Versandkostenfrei"}, {"isActive": True, "maxApplications": 1_000}),
    ("GÄSTE %", None, {"isActive": True, "maxApplicationsPerCustomer": 1}),
    ("OFF", {"en": "Switched off"}, {"isActive": False}),
    ("NEXT-DECADE", {"en": "Too early"}, {"isActive": True, **FUTURE}),
    ("VIP", {"en": "VIP <only>"}, {"isActive": True, "cartPredicate": 'customer.customerGroup.key = "vip"'}),
    ("X" * 120, {"en": "Long"}, {"isActive": True}),
)
DISCOUNT_CODES = len(_CODES)


def discount_code(seed: int, index: int, size: int = DISCOUNT_CODES) -> Resource:
    """Return discount code `index`."""
    words = identity.entropy(seed, "discount-code", index)
    created, modified, version = timeline.lifetime(words)
    code, name, more = _CODES[index]
    result: Resource = {
        "id": identity.id_from_words(words, index, size),
        "version": version,
        "createdAt": timeline.instant(created),
        "lastModifiedAt": timeline.instant(modified),
        "code": code,
        "cartDiscounts": [outside_reference(seed, "cart-discount", index % 3)],
        "stores": [],
        "references": [],
        "groups": ["campaign"] if index % 2 else [],
        **more,
    }
    if index % 3:
        result["key"] = f"code-{index}"
    if name is not None:
        result["name"] = name
    return result


@lru_cache(maxsize=8)
def code_references(seed: int) -> tuple[dict[str, str], ...]:
    """Return references to all discount codes, and at the end one to a code that was deleted."""
    ids = [identity.id_at(seed, "discount-code", i, DISCOUNT_CODES) for i in range(DISCOUNT_CODES)]
    gone = identity.loose_ids(seed, "discount-code", 0, 1)
    return tuple({"typeId": "discount-code", "id": identifier} for identifier in [*ids, *gone])
