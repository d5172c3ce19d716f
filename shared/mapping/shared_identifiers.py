"""Customers of one batch that claim the same e-mail or phone (mapping.md "Profiles").

Klaviyo allows an e-mail and a phone once each: of two rows with the same e-mail one would overwrite the other, and an
upsert that matches by phone could overwrite another person's profile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class IdentifierRow(NamedTuple):
    """The identifiers of one mapped customer; `email` and `phone` as mapped, times ISO 8601 in UTC."""

    id: str
    email: str
    phone: str | None
    created_at: str
    last_modified_at: str


@dataclass(frozen=True, slots=True)
class Settled:
    """Indexes of the rows that lose: `same_email` are not sent at all, `lost_phone` are sent without their phone."""

    same_email: frozenset[int]
    lost_phone: frozenset[int]


def settle_identifiers(rows: Sequence[IdentifierRow]) -> Settled:
    """Who of `rows` keeps an e-mail or a phone that several claim; the order of the rows does not matter.

    An e-mail goes to the customer last modified (ties: the higher id). Among the customers that are left, a phone goes to
    the one created first (ties: the lower id), so that a row that is not sent wins no phone.
    """
    email_owners: dict[str, int] = {}
    same_email: set[int] = set()
    for index, row in enumerate(rows):
        owner = email_owners.setdefault(row.email, index)
        if owner != index:
            newer, older = (index, owner) if _modified(row) > _modified(rows[owner]) else (owner, index)
            email_owners[row.email] = newer
            same_email.add(older)
    phone_owners: dict[str, int] = {}
    lost_phone: set[int] = set()
    for index, row in enumerate(rows):
        if row.phone is None or index in same_email:
            continue
        owner = phone_owners.setdefault(row.phone, index)
        if owner != index:
            older, newer = (index, owner) if _created(row) < _created(rows[owner]) else (owner, index)
            phone_owners[row.phone] = older
            lost_phone.add(newer)
    return Settled(frozenset(same_email), frozenset(lost_phone))


def _modified(row: IdentifierRow) -> tuple[str, str]:
    return _moment(row.last_modified_at), row.id


def _created(row: IdentifierRow) -> tuple[str, str]:
    return _moment(row.created_at), row.id


def _moment(time: str) -> str:
    """`time` so that text order is time order, with or without a fraction of the second."""
    return time.removesuffix("Z")
