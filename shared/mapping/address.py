"""A customer's postal address: which one is sent, and how it reads in Klaviyo."""

from __future__ import annotations

from collections.abc import Iterator

from shared.commercetools.resources import Address, Customer


def profile_address(customer: Customer) -> Address | None:
    """The address that stands for the customer (reference.md 3.1): default billing, else the first billing one, else the first.

    An id that names no address of the customer falls through to the next rule, so that a stale id costs no location.
    """
    addresses = customer.addresses
    if not addresses:
        return None
    for address_id in _billing_ids(customer):
        for address in addresses:
            if address.id == address_id:
                return address
    return addresses[0]


def _billing_ids(customer: Customer) -> Iterator[str]:
    if customer.defaultBillingAddressId:
        yield customer.defaultBillingAddressId
    yield from customer.billingAddressIds


def street(address: Address) -> str | None:
    """The line `address1`: "apartment, building, streetNumber, streetName", the blank ones left out; None when all are."""
    return _joined(address.apartment, address.building, address.streetNumber, address.streetName)


def street_addition(address: Address) -> str | None:
    """The line `address2`: "additionalStreetInfo, additionalAddressInfo"; None when both are blank."""
    return _joined(address.additionalStreetInfo, address.additionalAddressInfo)


def _joined(*parts: str | None) -> str | None:
    return ", ".join(stripped for part in parts if part and (stripped := part.strip())) or None
