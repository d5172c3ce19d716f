"""commercetools resources as we read them: the typed subset that the mappings use (decisions.md 2).

Field names are commercetools' own. Unknown fields are ignored, so that the source may grow; a missing field becomes its default.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """What every commercetools resource carries; times are ISO 8601 in UTC."""

    id: str
    version: int = 0
    createdAt: str = ""
    lastModifiedAt: str = ""


class ExpandedGroup(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of an expanded customer group that are sent."""

    name: str | None = None
    key: str | None = None


class CustomerGroupReference(msgspec.Struct, frozen=True, kw_only=True):
    """A reference to a customer group; `obj` is there when the read asked for `expand=customerGroup` and was allowed."""

    id: str
    obj: ExpandedGroup | None = None


class StoreKeyReference(msgspec.Struct, frozen=True, kw_only=True):
    """A reference to a store by its key."""

    key: str


class CustomFields(msgspec.Struct, frozen=True, kw_only=True):
    """A resource's custom fields, values as delivered."""

    fields: dict[str, Any] = {}


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """A postal address of a customer or an order."""

    id: str | None = None
    country: str | None = None
    firstName: str | None = None
    lastName: str | None = None
    streetName: str | None = None
    streetNumber: str | None = None
    additionalStreetInfo: str | None = None
    additionalAddressInfo: str | None = None
    building: str | None = None
    apartment: str | None = None
    postalCode: str | None = None
    city: str | None = None
    region: str | None = None
    state: str | None = None
    phone: str | None = None
    mobile: str | None = None


class Customer(Resource, frozen=True, kw_only=True):
    """A customer; https://docs.commercetools.com/api/projects/customers."""

    email: str | None = None
    customerNumber: str | None = None
    firstName: str | None = None
    lastName: str | None = None
    title: str | None = None
    companyName: str | None = None
    vatId: str | None = None
    dateOfBirth: str | None = None
    locale: str | None = None
    isEmailVerified: bool | None = None
    addresses: list[Address] = []
    defaultBillingAddressId: str | None = None
    billingAddressIds: list[str] = []
    customerGroup: CustomerGroupReference | None = None
    stores: list[StoreKeyReference] = []
    custom: CustomFields | None = None
