"""The types and fields of the vendor's GraphQL schema that the simulator answers; all others are errors.

A test holds this table against the vendor's schema.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GraphField:
    """A field: of an object type (`of`) or a scalar (None), read from the REST resource's field `source`.

    `expands_to`: `source` is a reference, and the field is the resource it points to in that collection.
    """

    source: str
    of: str | None = None
    expands_to: str | None = None


def _scalars(names: str) -> dict[str, GraphField]:
    return {name: GraphField(name) for name in names.split()}


_VERSIONED = {
    **_scalars("id version createdAt lastModifiedAt"),
    "createdBy": GraphField("createdBy", "Initiator"),
    "lastModifiedBy": GraphField("lastModifiedBy", "Initiator"),
}

OBJECTS: dict[str, dict[str, GraphField]] = {
    "Customer": {
        **_VERSIONED,
        **_scalars(
            "customerNumber email defaultShippingAddressId defaultBillingAddressId shippingAddressIds "
            "billingAddressIds isEmailVerified externalId key authenticationMode firstName lastName middleName title "
            "locale salutation dateOfBirth companyName vatId"
        ),
        "addresses": GraphField("addresses", "Address"),
        "customerGroupRef": GraphField("customerGroup", "Reference"),
        "customerGroup": GraphField("customerGroup", "CustomerGroup", "customer-groups"),
        "customerGroupAssignments": GraphField("customerGroupAssignments", "CustomerGroupAssignment"),
        "storesRef": GraphField("stores", "KeyReference"),
    },
    "CustomerGroupAssignment": {
        "customerGroupRef": GraphField("customerGroup", "Reference"),
        "customerGroup": GraphField("customerGroup", "CustomerGroup", "customer-groups"),
    },
    "CustomerGroup": {**_VERSIONED, **_scalars("name key")},
    "Store": {
        **_VERSIONED,
        **_scalars("key languages"),
        "distributionChannelsRef": GraphField("distributionChannels", "Reference"),
        "supplyChannelsRef": GraphField("supplyChannels", "Reference"),
    },
    "Channel": {**_VERSIONED, **_scalars("key roles")},
    "Address": _scalars(
        "id key country title salutation firstName lastName streetName streetNumber additionalStreetInfo postalCode "
        "city region state company department building apartment pOBox phone mobile email fax additionalAddressInfo "
        "externalId"
    ),
    "Initiator": _scalars("clientId"),
    "Reference": _scalars("typeId id"),
    "KeyReference": _scalars("typeId key"),
}

PAGE_FIELDS = frozenset({"offset", "count", "total", "exists", "results"})
PAGE_ARGUMENTS = {"where": "String", "sort": "[String!]", "limit": "Int", "offset": "Int"}
SINGLE_ARGUMENTS = {"id": "String", "key": "String"}
