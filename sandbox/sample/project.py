"""What the other kinds refer to: customer groups, stores, channels and the types of custom fields."""

from functools import lru_cache
from typing import Any

from sandbox.sample import identity, timeline

Resource = dict[str, Any]

_GROUPS: tuple[tuple[str, str | None], ...] = (
    ("Retail", "retail"),
    ("Wholesale", "wholesale"),
    ("VIP ⭐ — Gold & Silver", "vip"),
    ("Mitarbeiter", "staff"),
    ("Group without a key", None),
    ("Nobody is in it", "empty-group"),
)
CUSTOMER_GROUPS = len(_GROUPS)
GROUPS_IN_USE = CUSTOMER_GROUPS - 1

STORE_KEYS = ("berlin-mitte", "london-soho", "paris-marais", "online")
_STORES: tuple[tuple[dict[str, str] | None, tuple[str, ...], tuple[str, ...]], ...] = (
    ({"de": "Berlin Mitte", "en": "Berlin Mitte"}, ("de", "en"), ("DE",)),
    ({"en-GB": "London Soho"}, ("en-GB",), ("GB",)),
    ({"fr": "Paris Marais"}, ("fr",), ("FR",)),
    (None, (), ()),
)
STORES = len(STORE_KEYS)

_CHANNELS: tuple[tuple[str, tuple[str, ...], dict[str, str] | None], ...] = (
    ("warehouse-eu", ("InventorySupply",), {"en": "European warehouse", "de": "Lager Europa"}),
    ("warehouse-us", ("InventorySupply",), {"en-US": "American warehouse"}),
    ("shop-berlin", ("InventorySupply", "ProductDistribution"), {"de": "Laden Berlin"}),
    ("marketplace", ("ProductDistribution", "OrderExport"), None),
    ("till", ("Primary",), {"en": "Till"}),
)
CHANNELS = len(_CHANNELS)


def customer_group(seed: int, index: int, size: int = CUSTOMER_GROUPS) -> Resource:
    """Return customer group `index`; one has no key, one has no customers."""
    name, key = _GROUPS[index]
    group = _base(seed, "customer-group", index, size)
    group["name"] = name
    if key is not None:
        group["key"] = key
    return group


def store(seed: int, index: int, size: int = STORES) -> Resource:
    """Return store `index`; the last has no name, language or country."""
    name, languages, countries = _STORES[index]
    result = _base(seed, "store", index, size)
    result["key"] = STORE_KEYS[index]
    if name is not None:
        result["name"] = dict(name)
    result |= {
        "languages": list(languages),
        "countries": [{"code": code} for code in countries],
        "distributionChannels": [{"typeId": "channel", "id": channel_id(seed, 2)}] if index == 0 else [],
        "supplyChannels": [{"typeId": "channel", "id": channel_id(seed, 0)}] if index != 1 else [],
        "productSelections": [],
    }
    return result


def channel(seed: int, index: int, size: int = CHANNELS) -> Resource:
    """Return channel `index`; one has no name."""
    key, roles, name = _CHANNELS[index]
    result = _base(seed, "channel", index, size)
    result |= {"key": key, "roles": list(roles)}
    if name is not None:
        result["name"] = dict(name)
    return result


def customer_group_id(seed: int, index: int) -> str:
    """Return the id of customer group `index`."""
    return identity.id_at(seed, "customer-group", index, CUSTOMER_GROUPS)


def channel_id(seed: int, index: int) -> str:
    """Return the id of channel `index`."""
    return identity.id_at(seed, "channel", index, CHANNELS)


@lru_cache(maxsize=8)
def group_references(seed: int) -> tuple[dict[str, str], ...]:
    """Return references to the customer groups that are in use."""
    return tuple({"typeId": "customer-group", "id": customer_group_id(seed, i)} for i in range(GROUPS_IN_USE))


@lru_cache(maxsize=8)
def channel_references(seed: int) -> tuple[dict[str, str], ...]:
    """Return references to all channels, in the order of `CHANNEL_KEYS`."""
    return tuple({"typeId": "channel", "id": channel_id(seed, i)} for i in range(CHANNELS))


@lru_cache(maxsize=256)
def outside_reference(seed: int, type_id: str, index: int = 0) -> dict[str, str]:
    """Return a reference to something that the sample only mentions: a tax category, a state, a cart discount..."""
    return {"typeId": type_id, "id": identity.loose_ids(seed, type_id, index, 1)[0]}


def customer_type_id(seed: int) -> str:
    """Return the id of the type that defines the customers' custom fields."""
    return identity.id_at(seed, "type", 0, 1)


def _base(seed: int, kind: str, index: int, size: int) -> Resource:
    words = identity.entropy(seed, kind, index)
    created, modified, version = timeline.lifetime(words)
    return {
        "id": identity.id_from_words(words, index, size),
        "version": version,
        "createdAt": timeline.instant(created),
        "lastModifiedAt": timeline.instant(modified),
        "createdBy": {"clientId": "sample-data"},
        "lastModifiedBy": {"clientId": "sample-data"},
    }
