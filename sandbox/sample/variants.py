"""Which variants the products have, by arithmetic: how many, their SKUs, and the place of each among all of them.

In every thousand products one (row 11) has 100 variants, the others one to eight, unless the scale gives all the same
number. A variant's ordinal counts all variants of all products in order; what belongs to variants, stock above all,
is numbered by it.
"""

import re
from bisect import bisect_right
from itertools import accumulate

BLOCK = 1_000
MANY_VARIANTS_ROW, MANY_VARIANTS = 11, 100
STANDALONE_ROWS = (31, 47)
"""Products whose prices are standalone ones; the second also has embedded prices, which do not count."""
UNUSED_STANDALONE_ROW = 32
"""A product with embedded prices for which there are standalone prices too, which do not count."""
STANDALONE_PRICED_ROWS = (*STANDALONE_ROWS[:1], UNUSED_STANDALONE_ROW, *STANDALONE_ROWS[1:])

_COUNTS = tuple(MANY_VARIANTS if row == MANY_VARIANTS_ROW else 1 + (row * 5 + row // 8) % 8 for row in range(BLOCK))
_STARTS = (0, *accumulate(_COUNTS))
_SKU = re.compile(r"SKU[- ](\d{6,})[-/](\d+)(?: ü\+)?")


def count(product: int, fixed: int | None) -> int:
    """Return how many variants a product has; `fixed` is the scale's number, None where they vary."""
    return _COUNTS[product % BLOCK] if fixed is None else fixed


def ordinal(product: int, number: int, fixed: int | None) -> int:
    """Return the ordinal of variant `number` (1 is the master) of a product."""
    if fixed is not None:
        return product * fixed + number - 1
    block, row = divmod(product, BLOCK)
    return block * _STARTS[-1] + _STARTS[row] + number - 1


def located(ordinal_: int, fixed: int | None) -> tuple[int, int]:
    """Return the product and the number of the variant with this ordinal."""
    if fixed is not None:
        return ordinal_ // fixed, ordinal_ % fixed + 1
    block, rest = divmod(ordinal_, _STARTS[-1])
    row = bisect_right(_STARTS, rest) - 1
    return block * BLOCK + row, rest - _STARTS[row] + 1


def total(products: int, fixed: int | None) -> int:
    """Return how many variants that many products have together."""
    return ordinal(products, 1, fixed)


def sku_of(product: int, number: int, fixed: int | None) -> str | None:
    """Return the SKU of a variant; one in a hundred and twenty has none, and some have letters that URLs must escape."""
    place = ordinal(product, number, fixed)
    if place % 120 == 4 and product % BLOCK not in STANDALONE_PRICED_ROWS:
        return None
    if product % 40 == 7:
        return f"SKU {product:06d}/{number} ü+"
    return f"SKU-{product:06d}-{number}"


def variant_of_sku(sku: str, products: int, fixed: int | None) -> tuple[int, int] | None:
    """Return the product and the number of the only variant that can have this SKU, or None."""
    match = _SKU.fullmatch(sku)
    if match is None:
        return None
    product, number = int(match[1]), int(match[2])
    if product >= products or not 1 <= number <= count(product, fixed) or sku_of(product, number, fixed) != sku:
        return None
    return product, number
