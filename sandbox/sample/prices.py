"""Embedded prices of variants and standalone prices of SKUs.

Windows of validity lie far from any day on which the sample is used: expired ones ended in 2025, current ones end in
2036, future ones begin in 2035.
"""

from typing import Any

from sandbox.sample import identity, variants
from sandbox.sample.money import cents, converted, precise
from sandbox.sample.project import channel_references, group_references, outside_reference

Resource = dict[str, Any]

NO_PRICES_ROW = 23
EXPIRED = {"validFrom": "2024-11-01T00:00:00.000Z", "validUntil": "2025-01-31T22:59:59.999Z"}
CURRENT = {"validFrom": "2025-06-01T00:00:00.000Z", "validUntil": "2036-06-01T00:00:00.000Z"}
FUTURE = {"validFrom": "2035-01-01T00:00:00.000Z", "validUntil": "2035-12-31T00:00:00.000Z"}

STANDALONE_PER_SKU = 5
_SHOP_BERLIN, _MARKETPLACE = 2, 3


def base_amount(roll: tuple[int, ...]) -> int:
    """Return the euro cents from which all prices of a variant are made."""
    return 199 + roll[0] % 400 * 50


def embedded(seed: int, product: int, number: int, roll: tuple[int, ...]) -> list[Resource]:
    """Return the embedded prices of a variant; `roll` is its entropy."""
    row = product % variants.BLOCK
    if row == NO_PRICES_ROW or row == variants.STANDALONE_ROWS[0]:
        return []
    amount, choice = base_amount(roll), roll[1]
    found = [_general(amount, choice, seed), {"value": cents("USD", converted(amount, "USD")), "country": "US"}]
    feature = choice // 8 % 12
    if feature in (0, 1):
        found.append({"value": cents("GBP", converted(amount, "GBP")), "country": "GB"})
    if feature in (1, 2):
        found.append({"value": cents("JPY", converted(amount, "JPY"))})
        found.append({"value": cents("KWD", converted(amount, "KWD"))})
    if feature == 3:
        found.append({"value": cents("EUR", amount * 9 // 10), "customerGroup": group_references(seed)[choice // 96 % 5]})
    if feature == 4:
        channels = channel_references(seed)
        found.append({"value": cents("EUR", amount * 11 // 10), "channel": channels[_SHOP_BERLIN]})
        found.append({"value": cents("EUR", amount * 12 // 10), "channel": channels[_MARKETPLACE], "country": "DE"})
    if feature == 5:
        found.insert(0, {"value": cents("EUR", amount * 7 // 10), **EXPIRED})
    if feature in (5, 6):
        found.append({"value": cents("EUR", amount * 8 // 10), **CURRENT})
    if feature == 7:
        found.insert(0, {"value": cents("EUR", amount * 6 // 10), **FUTURE})
    if feature == 8:
        found[1]["discounted"] = _discounted("USD", found[1]["value"]["centAmount"] * 3 // 4, seed)
    if feature == 9:
        found.append({"value": cents("EUR", amount), "country": "DE", "validFrom": CURRENT["validFrom"]})
        found.append({"value": cents("EUR", amount + 100), "country": "FR", "validUntil": CURRENT["validUntil"]})
    if feature == 10:
        del found[0]  # there is no price in euros
    ids = identity.loose_ids(seed, "price", product * 1_000 + number, len(found))
    return [{"id": identifier, **price} for identifier, price in zip(ids, found, strict=True)]


def _general(amount: int, choice: int, seed: int) -> Resource:
    kind = choice % 8
    if choice % 101 == 0:
        return {"value": cents("EUR", 0)}
    if kind == 0:
        return {"value": cents("EUR", amount), "discounted": _discounted("EUR", amount * 8 // 10, seed)}
    if kind == 1:
        return {"value": precise("EUR", amount * 1_000 + 455, 5)}
    if kind == 2:
        tiers = [(10, amount * 9 // 10), (50, amount * 8 // 10)]
        return {
            "value": cents("EUR", amount),
            "tiers": [{"minimumQuantity": least, "value": cents("EUR", price)} for least, price in tiers],
        }
    return {"value": cents("EUR", amount)}


def _discounted(currency: str, amount: int, seed: int) -> Resource:
    return {"value": cents(currency, amount), "discount": outside_reference(seed, "product-discount")}


def standalone_total(products: int, fixed: int | None) -> int:
    """Return how many standalone prices the products have together."""
    blocks, rest = divmod(products, variants.BLOCK)
    rows = variants.STANDALONE_PRICED_ROWS
    whole = sum(variants.count(row, fixed) for row in rows)
    return STANDALONE_PER_SKU * (blocks * whole + sum(variants.count(row, fixed) for row in rows if row < rest))


def standalone_place(index: int, fixed: int | None) -> tuple[int, int, int]:
    """Return the product, the variant's number and the ordinal within the SKU of standalone price `index`."""
    sku_number, ordinal = divmod(index, STANDALONE_PER_SKU)
    rows = variants.STANDALONE_PRICED_ROWS
    block, rest = divmod(sku_number, sum(variants.count(row, fixed) for row in rows))
    for row in rows:
        if rest < variants.count(row, fixed):
            return block * variants.BLOCK + row, rest + 1, ordinal
        rest -= variants.count(row, fixed)
    raise AssertionError("the rest is smaller than the sum of the counts")


def standalone_indexes(sku: str, products: int, fixed: int | None) -> range:
    """Return the indexes of a SKU's standalone prices."""
    place = variants.variant_of_sku(sku, products, fixed)
    if place is None or place[0] % variants.BLOCK not in variants.STANDALONE_PRICED_ROWS:
        return range(0)
    block, row = divmod(place[0], variants.BLOCK)
    first = standalone_total(block * variants.BLOCK + row, fixed) + (place[1] - 1) * STANDALONE_PER_SKU
    return range(first, first + STANDALONE_PER_SKU)


def standalone_completed(head: Resource, seed: int, index: int, fixed: int | None) -> Resource:
    """Return the whole standalone price: per SKU a general one, Germany's, dollars, an expired and an inactive one."""
    product, number, ordinal = standalone_place(index, fixed)
    sku = variants.sku_of(product, number, fixed)
    amount = base_amount(identity.entropy(seed, "product", product, f"v{number}")) + 37
    price = {**head, "sku": sku, "active": True}
    if number == 1:
        price["key"] = f"standalone-{index}"
    if ordinal == 0:
        price |= {"value": cents("EUR", amount), "staged": {"value": cents("EUR", amount + 50)}}
    elif ordinal == 1:
        price |= {"value": cents("EUR", amount + 200), "country": "DE", "discounted": _discounted("EUR", amount, seed)}
    elif ordinal == 2:
        price |= {"value": cents("USD", converted(amount, "USD")), **CURRENT}
    elif ordinal == 3:
        price |= {"value": cents("EUR", amount // 2), **EXPIRED}
    else:
        price |= {"value": cents("EUR", 1), "active": False}
    return price


def index_of_key(key: str, fixed: int | None, size: int) -> int | None:
    """Return the only index whose standalone price can have this key, or None."""
    digits = key.removeprefix("standalone-")
    if digits == key or not digits.isdecimal() or int(digits) >= size:
        return None
    return int(digits) if standalone_place(int(digits), fixed)[1] == 1 else None
