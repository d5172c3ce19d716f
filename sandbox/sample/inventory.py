"""Inventory entries: twelve patterns of stock, one after the other over all variants.

Among them: no entry at all, none without a channel, several channels, zero, a negative quantity, reserved pieces.
"""

from itertools import accumulate
from typing import Any

from sandbox.sample import project, variants

Resource = dict[str, Any]

_EU, _US, _BERLIN = 0, 1, 2
_PATTERNS: tuple[tuple[int | None, ...], ...] = (
    # the supply channels of a variant's entries, None is no channel
    (None,),
    (None, _EU),
    (_EU,),
    (None, _EU, _US),
    (),
    (None,),
    (None,),
    (_EU, _US),
    (None,),
    (None,),
    (None,),
    (None, _BERLIN),
)
_NEGATIVE, _SOLD_OUT, _RESERVED, _AWAITED, _EMPTY_CHANNEL = 5, 6, 8, 9, 11
PERIOD = len(_PATTERNS)
_STARTS = (0, *accumulate(len(pattern) for pattern in _PATTERNS))


def total(variants_: int) -> int:
    """Return how many entries that many variants have together."""
    return _first(variants_)


def indexes_of_sku(sku: str, products: int, fixed: int | None) -> range:
    """Return the indexes of a SKU's entries."""
    place = variants.variant_of_sku(sku, products, fixed)
    if place is None:
        return range(0)
    ordinal = variants.ordinal(*place, fixed)
    return range(_first(ordinal), _first(ordinal + 1))


def completed(head: Resource, seed: int, index: int, fixed: int | None) -> Resource:
    """Return the whole entry of a head; the head is left alone."""
    block, rest = divmod(index, _STARTS[-1])
    pattern = next(p for p in range(PERIOD) if rest < _STARTS[p + 1])
    ordinal = block * PERIOD + pattern
    product, number = variants.located(ordinal, fixed)
    part = rest - _STARTS[pattern]
    on_stock, available = _quantities(seed, ordinal, part)
    entry = {**head, "sku": variants.sku_of(product, number, fixed), "quantityOnStock": on_stock, "availableQuantity": available}
    channel = _PATTERNS[pattern][part]
    if channel is not None:
        entry["supplyChannel"] = project.channel_references(seed)[channel]
    if index % 3 == 0:
        entry["key"] = f"stock-{index}"
    if pattern == _AWAITED:
        entry |= {"restockableInDays": 14, "expectedDelivery": "2026-12-24T08:00:00.000Z"}
    return entry


def index_of_key(key: str, size: int) -> int | None:
    """Return the only index whose entry can have this key, or None."""
    digits = key.removeprefix("stock-")
    if digits == key or not digits.isdecimal() or int(digits) >= size:
        return None
    return int(digits) if int(digits) % 3 == 0 else None


def availability(seed: int, ordinal: int) -> Resource | None:
    """Return what a product shows of the stock of the variant with this ordinal; None where there is no entry."""
    pattern = _PATTERNS[ordinal % PERIOD]
    if not pattern:
        return None
    shown: Resource = {}
    channels: Resource = {}
    for part, channel in enumerate(pattern):
        available = _quantities(seed, ordinal, part)[1]
        stock = {"isOnStock": available > 0, "availableQuantity": available}
        if ordinal % PERIOD == _AWAITED:
            stock["restockableInDays"] = 14
        if channel is None:
            shown |= stock
        else:
            channels[project.channel_references(seed)[channel]["id"]] = stock
    if channels:
        shown["channels"] = channels
    return shown


def _first(ordinal: int) -> int:
    block, rest = divmod(ordinal, PERIOD)
    return block * _STARTS[-1] + _STARTS[rest]


def _quantities(seed: int, ordinal: int, part: int) -> tuple[int, int]:
    """Quantity on stock and available, which reservations make smaller."""
    some = (ordinal * 37 + part * 101 + seed * 13) % 250 + 1
    pattern = ordinal % PERIOD
    if pattern == _NEGATIVE:
        return -3, -3
    if pattern == _SOLD_OUT or (pattern == _EMPTY_CHANNEL and part == 1):
        return 0, 0
    return some, some - min(some, 2) if pattern == _RESERVED else some
