"""Customers: the profile follows the customer (mapping.md "Profiles", configuration.md `customer.deleted`)."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from shared.mapping.choices import Choices
from shared.mapping.customer import profile_of
from shared.mapping.result import Skip, SkipReason
from shared.mapping.sources import CustomerSource
from shared.realtime.notification import Change, Notification
from shared.realtime.route import NoSource, Result, Route
from shared.realtime.writes import Mapped, RemoveProfile, UpsertProfile
from shared.settings.document import CustomerRules


def customer_written(_notification: Notification, source: CustomerSource, choices: Choices, _now: datetime) -> Result:
    """The customer as it is now."""
    mapped = profile_of(source.customer, choices.document.customer)
    if isinstance(mapped, Skip):
        return mapped
    return Mapped((UpsertProfile(mapped.attributes),), mapped.adjustments)


def customer_deleted(notification: Notification, _source: NoSource, choices: Choices, _now: datetime) -> Result:
    """What the merchant wants for deleted customers; a deletion that asks for the data's erasure always erases."""
    return _removed(notification.resource_id, choices.document.customer, erase=notification.data_erasure)


def _vanished(notification: Notification, choices: Choices, made: bool) -> Result:
    """A profile that our own late write has made for a deleted customer is taken back: its data may just have been erased."""
    return _removed(notification.resource_id, choices.document.customer, erase=made)


def _removed(customer_id: str, rules: CustomerRules, *, erase: bool) -> Result:
    how = _how(rules, erase=erase)
    return Mapped((RemoveProfile(customer_id, how),)) if how else Skip(SkipReason.NOT_CONFIGURED)


def _how(rules: CustomerRules, *, erase: bool) -> Literal["suppress", "erase"] | None:
    match rules.deleted:
        case "never":
            return None
        case "ignore":
            return "erase" if erase else None
        case how:
            return "erase" if erase else how


ROUTES = (
    Route(
        name="CustomerCreated",
        resource_type="customer",
        types=lambda _document: ("CustomerCreated",),
        source=CustomerSource,
        map=customer_written,
        vanished=_vanished,
        converges=True,
        summary="upserts the profile",
    ),
    Route(
        name="CustomerResourceUpdated",
        resource_type="customer",
        types=lambda _document: (Change.UPDATED,),
        source=CustomerSource,
        map=customer_written,
        vanished=_vanished,
        converges=True,
        summary="upserts the profile",
    ),
    Route(
        name="CustomerResourceDeleted",
        resource_type="customer",
        types=lambda _document: (Change.DELETED,),
        source=NoSource,
        map=customer_deleted,
        summary="by `customer.deleted`: nothing, suppresses or erases the profile; with `dataErasure` erases it",
    ),
)
