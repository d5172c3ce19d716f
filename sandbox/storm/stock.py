"""A storm's stock: entries of what the products can be bought as, here and in a warehouse."""

from __future__ import annotations

from sandbox.notifications.shop import Act
from sandbox.storm.state import Acts, Storm

_MOST = 600


def _new_entry(storm: Storm) -> list[Act]:
    if not storm.skus or len(storm.entries.rows) >= _MOST:
        return []
    sku = storm.random.choice(list(storm.skus)[-200:])
    channel = storm.random.choice((None, None, "warehouse-eu"))
    if any(row["sku"] == sku and bool(row.get("supplyChannel")) == bool(channel) for row in storm.entries.rows.values()):
        return []
    act = storm.shop.create_entry(sku, storm.random.choice((0, 1, 5, 250)), _channel_id(storm, channel))
    storm.entries.put(act.resource)
    return [act]


def _other_stock(storm: Storm) -> list[Act]:
    held = storm.entries.any(storm.random)
    if held is None:
        return []
    act = storm.shop.change_stock(held, storm.random.choice((0, 1, 7, storm.random.randint(1, 900))) + 3)
    storm.entries.put(act.resource)
    return [act]


def _reserved(storm: Storm) -> list[Act]:
    held = storm.entries.any(storm.random, lambda entry: entry["availableQuantity"] > 0 and entry["quantityOnStock"] > 2)
    if held is None or held["quantityOnStock"] - held["availableQuantity"] >= 3:
        return []
    act = storm.shop.reserve_stock(held, 1)
    storm.entries.put(act.resource)
    return [act]


def _no_entry(storm: Storm) -> list[Act]:
    held = storm.entries.any(storm.random)
    if held is None:
        return []
    storm.entries.drop(held["id"])
    return [storm.shop.delete_entry(held)]


def _channel_id(storm: Storm, key: str | None) -> str | None:
    if key is None:
        return None
    channel = storm.shop.project.get("channels", f"key={key}")
    return None if channel is None else str(channel["id"])


ACTS: Acts = (
    (_new_entry, 5),
    (_other_stock, 8),
    (_reserved, 3),
    (_no_entry, 2),
)
"""Each with its weight."""
