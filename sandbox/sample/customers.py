"""Customers, row by row: `customer(seed, index, size)` needs neither its neighbours nor a table.

In every thousand rows three things cost something at the other end, at fixed places, so that a sample of 300 has them
too: one telephone that nobody can call (row 17), two customers whose e-mails differ only in case (rows 40 and 41), and
two who share a telephone (rows 73 and 74). Everything else that looks odd is valid. A malformed e-mail, which
commercetools stores and Klaviyo refuses, appears only as often as it is asked for.
"""

from dataclasses import dataclass
from typing import Any

from sandbox.sample import heads, identity, phones, project, words

Customer = dict[str, Any]

DEMO_SIZE = 300
BLOCK = 1_000
GARBAGE_PHONE_ROW = 17
CASE_PAIR_ROWS = (40, 41)
SHARED_PHONE_ROWS = (73, 74)
_CREATED_BY = {"clientId": "storefront"}
_MODIFIED_BY = {"clientId": "storefront"}

_SHARE_WITH_PHONE = 550_000  # of a million; fewer where the reserved ranges run out
_SHARE_WITH_MOBILE = 100_000
_PHONE_NUMBERS = phones.CAPACITY * 8 // 10
_MOBILE_NUMBERS = phones.CAPACITY - _PHONE_NUMBERS


def default_malformed_emails(size: int) -> int:
    """Return how many malformed e-mails a sample has when none are asked for: one in the demo's 300, else none."""
    return 1 if size == DEMO_SIZE else 0


def customer(seed: int, index: int, size: int, malformed_emails: int = 0) -> Customer:
    """Return customer `index` (0-based) of a sample of `size`, shaped as the commercetools API shapes it.

    `malformed_emails` rows, evenly spread over the sample, have an e-mail that Klaviyo refuses.
    """
    return completed(heads.head("customer", seed, index, size), seed, index, size, malformed_emails)


@dataclass(frozen=True, slots=True)
class Buyer:
    """Of a customer what orders repeat."""

    id: str
    email: str
    group: dict[str, str] | None
    person: tuple[str, str, str, str]


def buyer(seed: int, index: int, size: int, malformed_emails: int = 0) -> Buyer:
    """Return what orders repeat of customer `index`, at a third of the whole's cost."""
    roll = identity.entropy(seed, "customer", index, "body")
    group = _group(seed, roll[10] // 3) if roll[10] % 3 == 0 else None
    person = _person(roll)
    email = _mail_of(person, roll, index, _is_malformed(index, size, malformed_emails))
    return Buyer(identity.id_at(seed, "customer", index, size), email, group, person)


def completed(head: Customer, seed: int, index: int, size: int, malformed_emails: int = 0) -> Customer:
    """Return the whole customer of a head; the head is left alone."""
    roll = identity.entropy(seed, "customer", index, "body")
    result = dict(head)
    result["createdBy"] = _CREATED_BY
    result["lastModifiedBy"] = _MODIFIED_BY
    person = _person(roll)
    result["email"] = _mail_of(person, roll, index, _is_malformed(index, size, malformed_emails))
    _name(result, person, roll)
    _account(result, roll, index)
    _addresses(result, seed, roll, index, size, person)
    _memberships(result, seed, roll)
    custom = _custom(seed, roll)
    if custom is not None:
        result["custom"] = custom
    return result


def index_of_key(key: str, size: int) -> int | None:
    """Return the only index whose customer can have this key, or None."""
    digits = key.removeprefix("customer-")
    if digits == key or not digits.isdecimal() or int(digits) >= size:
        return None
    return int(digits)


def _person(roll: tuple[int, ...]) -> tuple[str, str, str, str]:
    if roll[0] % 40 == 0:
        return words.UNUSUAL_PEOPLE[roll[1] % len(words.UNUSUAL_PEOPLE)]
    person, mail_person = words.PEOPLE[roll[1] % len(words.PEOPLE)], words.PEOPLE[roll[2] % len(words.PEOPLE)]
    return person[0], mail_person[1], person[2], mail_person[3]


def _mail_of(person: tuple[str, str, str, str], roll: tuple[int, ...], index: int, malformed: bool) -> str:
    row = index % BLOCK
    if row in CASE_PAIR_ROWS and not malformed:
        first = index if row == CASE_PAIR_ROWS[0] else index - 1
        mail = f"Pat.Doe.{first}@example.com"
        return mail if row == CASE_PAIR_ROWS[0] else mail.lower()
    return _email(person, roll, index, malformed)


def _is_malformed(index: int, size: int, wanted: int) -> bool:
    shifted = index + size // 2
    return (shifted + 1) * wanted // size > shifted * wanted // size


def _email(person: tuple[str, str, str, str], roll: tuple[int, ...], index: int, malformed: bool) -> str:
    first, last, choice = person[2], person[3], roll[3] % 100
    if malformed:
        return f"{first}.{last}.{index}@example,com"
    domain = words.MAIL_DOMAINS[roll[3] // 100 % len(words.MAIL_DOMAINS)]
    if choice < 4:
        return f"{first}.{last}.{index}+shop-{choice}@{domain}"
    if choice < 8:
        return f"{first.title()}.{last.upper()}.{index}@{domain.title()}"
    if choice < 10:
        return f"{first}.o'{last}.{index}@{domain}"
    if choice == 10:
        return f"{first}.{last}.{'long-' * 5}{index}@sub.department.{domain}"
    return f"{first}.{last}.{index}@{domain}"


def _name(result: Customer, person: tuple[str, str, str, str], roll: tuple[int, ...]) -> None:
    choice = roll[4] % 20
    if choice not in (0, 1):
        result["firstName"] = person[0]
    if choice not in (0, 2):
        result["lastName"] = person[1]
    if choice == 3:
        result["middleName"] = "M."
    if choice in (4, 5):
        result["title"] = words.TITLES[roll[4] // 20 % len(words.TITLES)]
    if choice in (5, 6, 7):
        result["salutation"] = words.SALUTATIONS[roll[4] // 100 % len(words.SALUTATIONS)]


def _account(result: Customer, roll: tuple[int, ...], index: int) -> None:
    choice = roll[5]
    if choice % 3 == 0:
        result["key"] = f"customer-{index}"
    if choice % 4:
        result["customerNumber"] = f"C{index:08d}"
    if choice % 7 == 0:
        result["externalId"] = f"crm/{index}"
    if choice % 5 == 0:
        year, month, day = 1940 + choice // 5 % 68, 1 + choice // 340 % 12, 1 + choice // 4080 % 28
        result["dateOfBirth"] = "2004-02-29" if choice % 500 == 0 else f"{year}-{month:02d}-{day:02d}"
    if choice % 6 == 0:
        result["companyName"] = words.COMPANIES[choice // 6 % len(words.COMPANIES)]
        if choice % 12 == 0:
            result["vatId"] = f"XX{index % 1_000_000_000:09d}"
    if choice % 10 < 7:
        result["locale"] = words.LOCALES[choice // 10 % len(words.LOCALES)]
    result["isEmailVerified"] = choice % 8 < 5
    if roll[6] % 16 == 0:
        result["authenticationMode"] = "ExternalAuth"
    else:
        result["authenticationMode"] = "Password"
        result["password"] = "****"  # noqa: S105 - what the API shows in place of the stored hash


def _numbers(index: int, size: int) -> tuple[phones.Number | None, phones.Number | None]:
    """Telephone and mobile of a row: spread evenly over the sample, no number twice."""
    with_phone = min(_SHARE_WITH_PHONE, _PHONE_NUMBERS * 1_000_000 // size)
    with_mobile = min(_SHARE_WITH_MOBILE, _MOBILE_NUMBERS * 1_000_000 // size)
    before, after = index * with_phone // 1_000_000, (index + 1) * with_phone // 1_000_000
    phone = phones.reserved_number(before) if after > before else None
    before, after = index * with_mobile // 1_000_000, (index + 1) * with_mobile // 1_000_000
    mobile = phones.reserved_number(_PHONE_NUMBERS + before) if after > before else None
    return phone, mobile


def _notation(number: phones.Number, choice: int) -> str:
    if choice % 4 == 0:
        return number.national
    return number.e164 if choice % 4 < 3 else number.international


def _addresses(
    result: Customer, seed: int, roll: tuple[int, ...], index: int, size: int, person: tuple[str, str, str, str]
) -> None:
    row = index % BLOCK
    phone, mobile = _numbers(index, size)
    if row in SHARED_PHONE_ROWS:
        phone, mobile = phones.shared_number(index // BLOCK), None
    needs_one = phone is not None or mobile is not None or row == GARBAGE_PHONE_ROW
    count = max(1 if needs_one else 0, (0, 0, 0, 1, 1, 1, 1, 2, 3, 4)[roll[7] % 10])
    more = identity.entropy(seed, "customer", index, "addresses") if count else ()
    addresses = [_address(more, number, person, phone or mobile) for number in range(count)]
    if row == GARBAGE_PHONE_ROW:
        addresses[0]["phone"] = words.GARBAGE_PHONES[index // BLOCK % len(words.GARBAGE_PHONES)]
    elif count:
        if phone is not None:
            addresses[0]["phone"] = _notation(phone, roll[8] // 4)
        if mobile is not None:
            addresses[0]["mobile"] = mobile.e164 if mobile.country != addresses[0]["country"] else mobile.national
    result["addresses"] = addresses
    ids = [address["id"] for address in addresses]
    choice = roll[9] % 5
    if ids and choice < 3:
        result["defaultBillingAddressId"] = ids[0]
        result["billingAddressIds"] = ids[:1]
    elif ids and choice == 3:
        result["billingAddressIds"] = ids[:2]
    else:
        result["billingAddressIds"] = []
    if ids and choice in (1, 2):
        result["defaultShippingAddressId"] = ids[-1]
        result["shippingAddressIds"] = ids[1:] or ids
    else:
        result["shippingAddressIds"] = []


def _address(
    more: tuple[int, ...], number: int, person: tuple[str, str, str, str], phone: phones.Number | None
) -> dict[str, Any]:
    choice = more[number]
    country = phone.country if phone is not None and number == 0 else words.COUNTRIES[choice % len(words.COUNTRIES)]
    city, postal_code, region = words.PLACES[country][choice // 10 % 3]
    address: dict[str, Any] = {"id": f"{more[number + 4] & 0xFFFFFFFF:08x}"[:8], "country": country}
    if number == 0 or choice % 3:
        address["firstName"], address["lastName"] = person[0], person[1]
    if choice % 11:
        address["streetName"] = words.STREETS[choice // 30 % len(words.STREETS)]
        address["streetNumber"] = f"{choice // 180 % 200 + 1}" + ("a" if choice % 7 == 0 else "")
    if choice % 17:
        address["postalCode"] = postal_code
        address["city"] = city
    if region:
        address["state" if country in ("US", "AU") else "region"] = region
    if choice % 9 == 0:
        address["company"] = words.COMPANIES[choice // 9 % len(words.COMPANIES)]
    if choice % 13 == 0:
        address["additionalStreetInfo"] = "2. Hinterhof, 3. OG"
    if choice % 23 == 0:
        address["key"] = f"address-{number}"
    if choice % 29 == 0:
        address["pOBox"] = "PO Box 17"
    return address


def _memberships(result: Customer, seed: int, roll: tuple[int, ...]) -> None:
    choice = roll[10]
    if choice % 3 == 0:
        result["customerGroup"] = _group(seed, choice // 3)
    assigned = (0, 0, 0, 0, 0, 0, 0, 1, 1, 2)[choice // 30 % 10]
    result["customerGroupAssignments"] = [{"customerGroup": _group(seed, choice // 300 + step)} for step in range(assigned)]
    stores = (0, 0, 0, 1, 1, 2)[roll[11] % 6]
    keys = project.STORE_KEYS
    result["stores"] = [{"typeId": "store", "key": keys[(roll[11] // 6 + step) % len(keys)]} for step in range(stores)]


def _group(seed: int, choice: int) -> dict[str, str]:
    groups = project.group_references(seed)
    return groups[choice % len(groups)]


def _custom(seed: int, roll: tuple[int, ...]) -> dict[str, Any] | None:
    choice = roll[12]
    if choice % 5 < 2:
        return None
    fields: dict[str, Any] = {}
    if choice % 5 > 2:
        fields["newsletterConsent"] = choice // 5 % 3 == 0
    if choice % 7 < 4:
        fields["loyaltyPoints"] = 0 if choice // 7 % 4 == 0 else choice // 28 % 10_000
    if choice % 11 < 4:
        fields["note"] = words.NOTES[choice // 11 % len(words.NOTES)]
    if choice % 13 < 3:
        fields["favouriteBrands"] = [] if choice % 13 == 0 else ["Muster", "Example"]
    if choice % 17 == 0:
        fields["storeCredit"] = {
            "type": "centPrecision",
            "currencyCode": "EUR",
            "centAmount": choice // 17 % 100_000,
            "fractionDigits": 2,
        }
    if choice % 101 == 0:
        fields["essay"] = "Lorem ipsum dolor sit amet. " * 400
    return {"type": {"typeId": "type", "id": project.customer_type_id(seed)}, "fields": fields}
