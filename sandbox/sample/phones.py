"""Telephone numbers for people who do not exist.

Only ranges that the national regulators keep free for fiction or tests: 555-0100 to 555-0199 (North America), Ofcom's
drama numbers, the Bundesnetzagentur's drama numbers, ARCEP's numbers for audiovisual works and ACMA's fictitious
numbers. Of those, the ones that libphonenumber takes for valid (checked by a test over each range): it refuses
Britain's 07700 900xxx and 01632 960xxx and France's 06 39 98, which are therefore not used.
"""

from dataclasses import dataclass

_US_AREAS = [
    "202",
    "206",
    "212",
    "213",
    "214",
    "215",
    "216",
    "224",
    "225",
    "228",
    "229",
    "231",
    "234",
    "239",
    "240",
    "248",
    "251",
    "252",
    "253",
    "254",
    "256",
    "260",
    "262",
    "267",
    "269",
    "270",
    "281",
    "301",
    "302",
    "303",
    "304",
    "305",
    "307",
    "308",
    "309",
    "310",
    "312",
    "313",
    "314",
    "315",
    "316",
    "317",
    "318",
    "319",
    "320",
    "321",
    "323",
    "325",
    "330",
    "334",
    "336",
    "337",
    "339",
    "347",
    "351",
    "352",
]
_GB_PREFIXES = ["20 7946 0", "113 496 0", "114 496 0", "116 496 0", "117 496 0"]
_DE_PREFIXES = ["30 23125", "69 90009", "40 66969", "221 4710", "89 99998"]
_FR_PREFIXES = ["1 99 00", "2 61 91", "3 53 01", "4 65 71", "5 36 49"]
_AU_PREFIXES = ["2 5550", "3 5550", "7 5550", "8 5550", "2 7010", "3 7010", "7 7010", "8 7010"]

_EVEN = 5_000
_MIXED = 5 * _EVEN
_LARGE = 45_000
CAPACITY = _MIXED + 2 * _LARGE
"""How many different numbers `reserved_number` has; larger samples have fewer customers with a telephone."""

SHARED_CAPACITY = 25_000
"""How many different numbers `shared_number` has; none of them is one of `reserved_number`."""


@dataclass(frozen=True, slots=True)
class Number:
    """A telephone number: ISO country, international and national notation with spaces, and E.164."""

    country: str
    international: str
    national: str
    e164: str


def reserved_number(ordinal: int) -> Number:
    """Return number `ordinal` (0 to CAPACITY - 1), never the same twice; the first 25,000 come from five countries."""
    if ordinal < _MIXED:
        n, country = divmod(ordinal, 5)
        return _MAKERS[country](n)
    n, country = divmod(ordinal - _MIXED, 2)
    return (_french if country else _australian)(_EVEN + n)


def shared_number(ordinal: int) -> Number:
    """Return number `ordinal` modulo SHARED_CAPACITY of a range kept for numbers that several people have."""
    return _australian(_EVEN + _LARGE + ordinal % SHARED_CAPACITY)


def _scatter(n: int, size: int) -> int:
    return n * 7919 % size  # 7919 is prime and divides none of the sizes, so this is a permutation


def _german(n: int) -> Number:
    n = _scatter(n, _EVEN)
    subscriber = f"{_DE_PREFIXES[n // 1000]} {n % 1000:03d}"
    return _number("DE", "49", subscriber, "0")


def _american(n: int) -> Number:
    n = _scatter(n, _EVEN)
    area, line = _US_AREAS[n // 100], f"555-01{n % 100:02d}"
    return Number("US", f"+1 {area} {line}", f"({area}) {line}", f"+1{area}55501{n % 100:02d}")


def _british(n: int) -> Number:
    n = _scatter(n, _EVEN)
    return _number("GB", "44", f"{_GB_PREFIXES[n // 1000]}{n % 1000:03d}", "0")


def _french(n: int) -> Number:
    n = _scatter(n, 50_000)
    digits = f"{n % 10_000:04d}"
    return _number("FR", "33", f"{_FR_PREFIXES[n // 10_000]} {digits[:2]} {digits[2:]}", "0")


def _australian(n: int) -> Number:
    n = _scatter(n, 80_000)
    return _number("AU", "61", f"{_AU_PREFIXES[n // 10_000]} {n % 10_000:04d}", "0")


def _number(country: str, code: str, subscriber: str, trunk: str) -> Number:
    return Number(country, f"+{code} {subscriber}", f"{trunk}{subscriber}", f"+{code}" + subscriber.replace(" ", ""))


_MAKERS = (_german, _american, _british, _french, _australian)
