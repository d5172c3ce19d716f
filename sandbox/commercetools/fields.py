"""The fields that predicates, sorting and expansion may name, kind by kind; an unknown one is the client's mistake.

A test holds these trees against the vendor's own contract.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias


class Leaf(Enum):
    """A field with a value of one type."""

    ID = "a UUID"
    STRING = "a string"
    NUMBER = "a number"
    BOOLEAN = "a boolean"
    INSTANT = "a date and time"
    DATE = "a date"
    ANY = "any value"


@dataclass(frozen=True, slots=True)
class Node:
    """An object with named fields. `expands_to` is the collection that the reference's `obj` is read from."""

    fields: "dict[str, Field]" = field(default_factory=dict)
    expands_to: str | None = None


@dataclass(frozen=True, slots=True)
class ListOf:
    """An array of `item`."""

    item: "Leaf | Node"


Field: TypeAlias = Leaf | Node | ListOf

MONEY = Node(
    {
        "type": Leaf.STRING,
        "currencyCode": Leaf.STRING,
        "centAmount": Leaf.NUMBER,
        "preciseAmount": Leaf.NUMBER,
        "fractionDigits": Leaf.NUMBER,
    }
)
S, N, B, T = Leaf.STRING, Leaf.NUMBER, Leaf.BOOLEAN, Leaf.INSTANT


def reference(collection: str) -> Node:
    """A reference that `expand` can resolve from `collection`."""
    return Node({"typeId": S, "id": Leaf.ID}, collection)


def plain_reference() -> Node:
    """A reference to a kind that is not served; expanding it changes nothing."""
    return Node({"typeId": S, "id": Leaf.ID})


BASE: dict[str, Field] = {"id": Leaf.ID, "version": N, "createdAt": T, "lastModifiedAt": T}
_BY = Node({"clientId": S, "externalUserId": S, "anonymousId": S, "customer": plain_reference()})
AUDITED: dict[str, Field] = {**BASE, "createdBy": _BY, "lastModifiedBy": _BY}
CUSTOM = Node({"type": plain_reference(), "fields": Leaf.ANY})
LOCALIZED = Leaf.ANY
_ADDRESS_STRINGS = (
    "id key country title salutation firstName lastName streetName streetNumber additionalStreetInfo postalCode city "
    "region state company department building apartment pOBox phone mobile email fax additionalAddressInfo externalId"
)
ADDRESS = Node({**dict.fromkeys(_ADDRESS_STRINGS.split(), S), "custom": CUSTOM})
KEY_REFERENCE = Node({"typeId": S, "key": S})
_CUSTOMER_STRINGS = (
    "key customerNumber externalId email password firstName lastName middleName title companyName vatId "
    "defaultShippingAddressId defaultBillingAddressId locale salutation authenticationMode"
)

CUSTOMER = Node(
    {
        **AUDITED,
        **dict.fromkeys(_CUSTOMER_STRINGS.split(), S),
        "dateOfBirth": Leaf.DATE,
        "addresses": ListOf(ADDRESS),
        "shippingAddressIds": ListOf(S),
        "billingAddressIds": ListOf(S),
        "isEmailVerified": B,
        "customerGroup": reference("customer-groups"),
        "customerGroupAssignments": ListOf(Node({"customerGroup": reference("customer-groups")})),
        "custom": CUSTOM,
        "stores": ListOf(KEY_REFERENCE),
    }
)

CUSTOMER_GROUP = Node({**AUDITED, "key": S, "name": S, "custom": CUSTOM})

STORE = Node(
    {
        **AUDITED,
        "key": S,
        "name": LOCALIZED,
        "languages": ListOf(S),
        "countries": ListOf(Node({"code": S})),
        "distributionChannels": ListOf(reference("channels")),
        "supplyChannels": ListOf(reference("channels")),
        "productSelections": ListOf(Node({"active": B, "productSelection": plain_reference()})),
        "custom": CUSTOM,
        "storefront": Leaf.ANY,
    }
)

CHANNEL = Node(
    {
        **AUDITED,
        "key": S,
        "roles": ListOf(S),
        "name": LOCALIZED,
        "description": LOCALIZED,
        "address": ADDRESS,
        "reviewRatingStatistics": Leaf.ANY,
        "custom": CUSTOM,
        "geoLocation": Leaf.ANY,
    }
)

CUSTOM_OBJECT = Node({**AUDITED, "container": S, "key": S, "value": Leaf.ANY})

SUBSCRIPTION = Node(
    {
        **AUDITED,
        "destination": Leaf.ANY,
        "key": S,
        "messages": ListOf(Node({"resourceTypeId": S, "types": ListOf(S)})),
        "changes": ListOf(Node({"resourceTypeId": S})),
        "events": ListOf(Node({"resourceTypeId": S, "types": ListOf(S)})),
        "format": Leaf.ANY,
        "status": S,
    }
)
