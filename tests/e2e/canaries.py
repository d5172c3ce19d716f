"""Personal data and secrets that exist nowhere else, and a search for them in whatever the product has let out."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_plus

MALFORMED_EMAIL = "kanarek.malformed@example"
PERSONAL: Mapping[str, str] = {
    "email": "kanarek.wilhelmina@example.com",
    "malformed e-mail": MALFORMED_EMAIL,
    "first name": "Wilhelmínaqx",
    "last name": "Kanarekovaqx",
    "title": "Dr. Titelqx",
    "company": "Firmaqx GmbH",
    "vat id": "DE987654329",
    "date of birth": "1931-07-23",
    "phone": "+49 151 70707173",
    "phone as E.164": "+4915170707173",
    "street": "Kanarienstrasseqx",
    "additional street": "Hinterhausqx",
    "city": "Vogelstadtqx",
    "postal code": "98765qx",
    "region": "Regionqx",
    "customer number": "KNR-70707175",
    "custom text": "Lieblingsfarbeqx",
    "localized custom text": "Geheimnisqx",
    "custom number": "7070717907",
    "custom field named country": "Sitzlandqx",
    "custom field named stores": "Ladenqx",
    "custom field named locale": "Mundartqx",
    "custom field named customerGroup": "Gruppeqx",
}
SECRETS: Mapping[str, str] = {
    "KLAVIYO_AUTH_KEY": "pk_kanarek0a1b2c3d4e5f",
    "client secret": "kanarek-client-secret-7171",
    "BULK_IMPORT_API_KEY": "kanarek-import-key-7272",
}


def customer(identifier: str, **different: Any) -> dict[str, Any]:
    """A customer all of whose personal fields are canaries."""
    p = PERSONAL
    address = {
        "id": "a1",
        "country": "DE",
        "firstName": p["first name"],
        "lastName": p["last name"],
        "company": p["company"],
        "streetName": p["street"],
        "additionalStreetInfo": p["additional street"],
        "postalCode": p["postal code"],
        "city": p["city"],
        "region": p["region"],
        "mobile": p["phone"],
        "email": p["email"],
    }
    fields = {
        "colour": p["custom text"],
        "secret": {"de": p["localized custom text"]},
        "number": int(p["custom number"]),
        "country": p["custom field named country"],
        "stores": [p["custom field named stores"]],
        "locale": p["custom field named locale"],
        "customerGroup": p["custom field named customerGroup"],
    }
    return {
        "id": identifier,
        "email": p["email"],
        "firstName": p["first name"],
        "lastName": p["last name"],
        "title": p["title"],
        "companyName": p["company"],
        "vatId": p["vat id"],
        "dateOfBirth": p["date of birth"],
        "customerNumber": p["customer number"],
        "addresses": [address],
        "defaultShippingAddressId": "a1",
        "shippingAddressIds": ["a1"],
        "custom": {"type": {"typeId": "type", "id": "00000000-0000-4000-8000-00000000c0de"}, "fields": fields},
        **different,
    }


def spellings(value: str) -> Iterator[bytes]:
    """How a value may look in text: as it is, escaped for JSON, a URL or Python, a phone as digits; ASCII in lower case."""
    digits = re.sub(r"\D", "", value)
    written = {value, json.dumps(value)[1:-1], quote(value), quote(value, safe=""), quote_plus(value), ascii(value)[1:-1]}
    if value.startswith("+"):
        written.add(digits)
    for text in written:
        yield from {text.encode().lower(), text.lower().encode().lower(), text.upper().encode().lower()}


def encodings(value: str) -> Iterator[bytes]:
    """The value inside a base64 text, at each of the three places that it may have in a group."""
    for offset in range(3):
        whole = base64.b64encode(bytes(offset) + value.encode())
        first, end = -(-offset * 4 // 3), (offset + len(value.encode())) * 8 // 6
        yield whole[first:end]


@dataclass(frozen=True, slots=True)
class Scan:
    """A search for canaries, prepared once."""

    needles: tuple[tuple[str, bytes, bool], ...]

    def found_in(self, surface: bytes) -> set[str]:
        """The names of the canaries that are in it."""
        lowered = surface.lower()
        return {name for name, needle, folded in self.needles if needle in (lowered if folded else surface)}


def scan_for(canaries: Iterable[tuple[str, str]]) -> Scan:
    """A search for these (name, value) pairs."""
    needles = []
    for name, value in canaries:
        needles += [(name, needle, True) for needle in spellings(value)]
        needles += [(name, needle, False) for needle in encodings(value)]
    return Scan(tuple(needles))
