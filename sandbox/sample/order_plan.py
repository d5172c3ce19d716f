"""What an order and its payments have in common: who bought what, where, for how much, and how far it has come.

Orders and payments are generated apart; both begin with the same plan, so that currencies, totals and customers agree.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sandbox.sample import customers, identity, money, products, timeline, variants, words
from sandbox.sample.customers import Buyer
from sandbox.sample.scale import DEMO, Scale

Resource = dict[str, Any]

BLOCK = 1_000
NOBODY_ROW = 17
"""An order with neither customer nor e-mail."""
MANY_LINES_ROW, MANY_LINES = 40, 40
HEAVY_INDEX = 271
"""The only order of 2 MB."""
IMPORTED_EVERY, IMPORTED_REST = 25, 9
NO_LINES_ROW = 99
"""An order with nothing but a custom line item."""

BESTSELLERS = 100
"""Three quarters of all lines are of so many products."""

_COUNTRIES = (
    # country, currency, tax rate, whether prices include the tax, tax's name
    *[("DE", "EUR", 0.19, True, "MwSt.")] * 7,
    *[("US", "USD", 0.0825, False, "Sales tax")] * 4,
    *[("GB", "GBP", 0.2, True, "VAT")] * 3,
    *[("FR", "EUR", 0.2, True, "TVA")] * 3,
    ("JP", "JPY", 0.1, True, "消費税"),
    ("AE", "KWD", 0.05, False, "VAT"),
    ("AU", "USD", 0.1, True, "GST"),
)
_LINE_COUNTS = (1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 4, 5, 6, 8)
_QUANTITIES = (1, 1, 1, 1, 1, 1, 2, 2, 3, 1, 1, 4, 1, 2, 1, 200)


@dataclass(frozen=True, slots=True)
class Line:
    """One line item: variant `number` of the product in row `place`, its price and what the line costs.

    `gone`: the product was deleted since, or there are no products; its row then only says what it looked like.
    """

    place: int
    number: int
    gone: bool
    quantity: int
    price: Resource
    mode: str
    total: int
    gift: bool
    reduction: int
    roll: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The common part of order `index`; amounts are minor units of `currency`, times milliseconds since 1970.

    `custom` are (name, slug, amount) of custom line items, `reduction` is what is taken off the total price.
    """

    index: int
    roll: tuple[int, ...]
    created: int
    modified: int
    version: int
    country: str
    currency: str
    tax_rate: float
    tax_included: bool
    tax_name: str
    buyer: Buyer | None
    email: str | None
    anonymous: bool
    person: tuple[str, str, str, str]
    lines: tuple[Line, ...]
    custom: tuple[tuple[str, str, int], ...]
    shipping: int | None
    reduction: int
    total: int = field(default=0)

    @property
    def gross(self) -> int:
        """What is to be paid: the total, with the tax where prices do not include it."""
        return self.total if self.tax_included or self.untaxed else self.total + round(self.total * self.tax_rate)

    @property
    def untaxed(self) -> bool:
        """Whether taxes are switched off for this order."""
        return self.roll[2] % 25 == 3

    @property
    def imported(self) -> bool:
        """Whether the order came from another system, where it was completed years ago."""
        return self.index % IMPORTED_EVERY == IMPORTED_REST

    @property
    def recurring(self) -> bool:
        """Whether a recurring order placed it."""
        return self.index % 50 == 22

    @property
    def heavy(self) -> bool:
        """Whether this is the order of 2 MB."""
        return len(self.lines) == MANY_LINES and self.index == HEAVY_INDEX


@lru_cache(maxsize=8_192)
def plan(seed: int, index: int, scale: Scale) -> Plan:
    """Return the plan of order `index`; kept for a while, since its payments follow from it, too."""
    created, modified, version = timeline.lifetime(identity.entropy(seed, "order", index))
    roll = identity.entropy(seed, "order", index, "plan")
    country, currency, rate, included, tax_name = _COUNTRIES[roll[1] % len(_COUNTRIES)]
    buyer, email, anonymous, person = _identity(seed, index, roll, scale)
    lines = _lines(seed, index, roll, country, currency, scale)
    goods = sum(line.total for line in lines)
    custom = _custom_lines(index, roll, currency, goods)
    shipping = None if roll[6] % 20 == 1 else money.converted((0, 495, 495, 990)[roll[6] // 20 % 4], currency)
    before = goods + sum(amount for *_, amount in custom) + (shipping or 0)
    reduction = before // 10 if roll[7] % 30 == 4 and before > 0 else 0
    return Plan(
        index=index,
        roll=roll,
        created=created,
        modified=modified,
        version=version,
        country=country,
        currency=currency,
        tax_rate=rate,
        tax_included=included,
        tax_name=tax_name,
        buyer=buyer,
        email=email,
        anonymous=anonymous,
        person=person,
        lines=lines,
        custom=custom,
        shipping=shipping,
        reduction=reduction,
        total=before - reduction,
    )


def _line_count(index: int, roll: tuple[int, ...], scale: Scale) -> int:
    if scale.lines is not None:
        return scale.lines
    if index % BLOCK == NO_LINES_ROW:
        return 0
    if index % BLOCK == MANY_LINES_ROW or index == HEAVY_INDEX:
        return MANY_LINES
    return _LINE_COUNTS[roll[3] % len(_LINE_COUNTS)]


def _identity(
    seed: int, index: int, roll: tuple[int, ...], scale: Scale
) -> tuple[Buyer | None, str | None, bool, tuple[str, str, str, str]]:
    """Customer, e-mail, whether an anonymous session bought, and the person's name."""
    person = words.PEOPLE[roll[0] // 20 % len(words.PEOPLE)]
    if index % BLOCK == NOBODY_ROW:
        return None, None, False, person
    choice = roll[0] % 20
    if scale.customers and choice < 13:
        found = customers.buyer(seed, roll[4] % scale.customers, scale.customers, scale.malformed_emails)
        if choice == 0:
            return found, None, False, found.person
        email = f"old.{roll[4] % scale.customers}@example.com" if choice == 1 and roll[5] % 3 == 0 else found.email
        return found, email, False, found.person
    if choice == 19 and roll[5] % 3 == 0:
        return None, None, True, person
    email = f"{person[2]}.{person[3]}.g{index}@{words.MAIL_DOMAINS[roll[5] % len(words.MAIL_DOMAINS)]}"
    return None, f" {email.upper()} " if choice == 18 and roll[5] % 4 == 0 else email, choice % 2 == 0, person


def _lines(seed: int, index: int, roll: tuple[int, ...], country: str, currency: str, scale: Scale) -> tuple[Line, ...]:
    found: list[Line] = []
    count = _line_count(index, roll, scale)
    for start in range(0, count, 4):
        more = identity.entropy(seed, "order", index, f"lines{start}")
        for position in range(start, min(count, start + 4)):
            quarter = more[(position - start) * 4 :]
            found.append(_line(seed, quarter, position, country, currency, scale))
    return tuple(found)


def _line(seed: int, more: tuple[int, ...], position: int, country: str, currency: str, scale: Scale) -> Line:
    known = scale.products or DEMO.products
    product = (more[0] >> 2) % (min(known, BESTSELLERS) if more[0] % 4 else known)
    number = 1 + more[1] % variants.count(product, scale.variants)
    variant = products.cached_variant(seed, product, number, scale.variants)
    misc = more[3]
    quantity = _QUANTITIES[more[2] % len(_QUANTITIES)]
    price, mode = _price(variant, country, currency, misc)
    value = price["discounted"]["value"] if "discounted" in price else price["value"]
    gift = position > 0 and misc % 40 == 7
    full = money.times(value, quantity)
    reduced = misc % 8 == 1 and not gift and "preciseAmount" not in value
    reduction = value["centAmount"] // 10 if reduced else 0
    total = 0 if gift else full - reduction * quantity
    gone = misc % 97 == 5 or not scale.products
    return Line(product, number, gone, quantity, price, mode, total, gift, reduction, misc)


def _price(variant: Resource, country: str, currency: str, misc: int) -> tuple[Resource, str]:
    """The first price of that currency that is for everybody and valid, else one from outside."""
    for price in variant["prices"]:
        fits = price["value"]["currencyCode"] == currency and price.get("country", country) == country
        if fits and not _NARROWING & price.keys():
            return price, "Platform"
    amount = money.converted(500 + misc % 200 * 45, currency)
    return {"id": f"{misc:08x}-0000-4000-8000-000000000000", "value": money.cents(currency, amount)}, "ExternalPrice"


_NARROWING = frozenset({"customerGroup", "channel", "validFrom", "validUntil"})


def _custom_lines(index: int, roll: tuple[int, ...], currency: str, goods: int) -> tuple[tuple[str, str, int], ...]:
    found: list[tuple[str, str, int]] = []
    if roll[8] % 12 == 2 or index % BLOCK == NO_LINES_ROW:
        found.append(("Gift wrapping 🎁", "gift-wrapping", money.converted(350, currency)))
    voucher = money.converted(500, currency)
    if roll[8] % 60 == 3 and goods > voucher:
        found.append(("Voucher", "voucher", -voucher))
    return tuple(found)
