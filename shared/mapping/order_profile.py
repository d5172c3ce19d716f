"""Who an order's events belong to (mapping.md "Events", envelope)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from shared.commercetools.orders import Order
from shared.klaviyo.profiles import ProfileAttributes
from shared.mapping.email import normalised_email
from shared.mapping.moments import first_moment
from shared.mapping.person import (
    MAX_EMAIL_LENGTH,
    MAX_EXTERNAL_ID_LENGTH,
    location_of,
    person_text,
    phone_number,
    usable_identifier,
)
from shared.mapping.result import Adjustment, Skip, SkipReason
from shared.mapping.sources import OrderSource


def buyer_of(source: OrderSource, adjustments: set[Adjustment]) -> ProfileAttributes | Skip:
    """The identifiers of whoever ordered: the customer's id, and the customer's own e-mail, else the order's.

    An event writes the e-mail that it carries into the profile, and the one in an order is as old as the order. An identifier
    that Klaviyo cannot store is left out, and counted, when the other one is usable.
    """
    order = source.order
    email = (normalised_email(source.customer.email) if source.customer else None) or normalised_email(order.customerEmail)
    if not order.customerId and email is None:
        return Skip(SkipReason.NO_IDENTITY)
    known = order.customerId is not None and usable_identifier(order.customerId, MAX_EXTERNAL_ID_LENGTH)
    reachable = email is not None and usable_identifier(email, MAX_EMAIL_LENGTH)
    if not known and not reachable:
        return Skip(SkipReason.IDENTIFIER_UNUSABLE)
    if (order.customerId and not known) or (email and not reachable):
        adjustments.add(Adjustment.IDENTIFIER_UNUSABLE)
    return ProfileAttributes(external_id=order.customerId if known else None, email=email if reachable else None)


def placing_profile(buyer: ProfileAttributes, order: Order, adjustments: set[Adjustment]) -> ProfileAttributes:
    """The buyer as Placed Order tells of them: with the billing address as location, guests also with names and phone.

    A customer's names and phone are those of the customer, whatever a single order's address says.
    """
    address = order.billingAddress
    located = msgspec.structs.replace(buyer, location=location_of(address, adjustments))
    if address is None or order.customerId:
        return located
    return msgspec.structs.replace(
        located,
        phone_number=phone_number(address, adjustments),
        first_name=person_text(address.firstName, adjustments),
        last_name=person_text(address.lastName, adjustments),
    )


class GuestsTold:
    """Which orders of a batch tell of their guests, who have several: none that is older than one that has told (ADR 0011).

    Holds addresses of guests, in memory alone.
    """

    def __init__(self) -> None:
        self._as_of: dict[str, tuple[datetime, str]] = {}

    def tellers(self, orders: Iterable[Order]) -> frozenset[str]:
        """The ids of those that tell: of each guest the newest with an address, unless a newer one was among earlier `orders`."""
        newest: dict[str, tuple[datetime, str]] = {}
        for order in orders:
            guest = None if order.customerId else normalised_email(order.customerEmail)
            moment = first_moment(order.createdAt, order.lastModifiedAt)
            if guest is None or moment is None or order.billingAddress is None:
                continue
            known = newest.get(guest) or self._as_of.get(guest)
            if known is None or (moment, order.id) > known:
                newest[guest] = (moment, order.id)
        self._as_of |= newest
        return frozenset(order_id for _, order_id in newest.values())
