"""One customer whose identifiers clash with other profiles, over the single endpoints (mapping.md "Profiles")."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from shared.budget import Budget
from shared.errors import PermanentError
from shared.klaviyo.client import KlaviyoClient
from shared.klaviyo.profile_requests import patch_profile, upsert_profile
from shared.klaviyo.profile_rows import Failed, ProfileRow, Sent
from shared.klaviyo.profiles import ProfileAttributes
from shared.klaviyo.verdicts import Conflict, names_only_the_phone
from shared.mapping.result import Adjustment


@dataclass(frozen=True, slots=True)
class Written:
    """Klaviyo has the customer, less what `adjustments` name; `created`: by a profile that was not there before."""

    adjustments: tuple[Adjustment, ...] = ()
    created: bool = False


def solve(row: ProfileRow, client: KlaviyoClient, budget: Budget) -> Sent | Failed:
    """As `upserted`, but a `PermanentError` becomes `Failed`."""
    try:
        return Sent(upserted(row, client, budget).adjustments)
    except PermanentError as error:
        return Failed(error.reason, error.pointer)


def upserted(row: ProfileRow, client: KlaviyoClient, budget: Budget) -> Written:
    """Upsert the customer as it is, else without the phone, else by patching the profile that the conflict names.

    A phone that was not the cause of a conflict is sent with the patch, if that is taken. Raises what sending raises.
    """
    return _written(row, lambda tried: client.send(upsert_profile(tried.encoded), budget), client, budget)


def patched(profile_id: str, row: ProfileRow, client: KlaviyoClient, budget: Budget) -> Written:
    """Write the customer with all identifiers to the profile with Klaviyo's id `profile_id`; a clash ends as an upsert's."""

    def patch(tried: ProfileRow) -> bool:
        client.send(patch_profile(profile_id, tried.attributes), budget)
        return False

    return _written(row, patch, client, budget)


def may_be_the_phone(error: PermanentError) -> bool:
    """Whether the same customer without the phone may pass: any conflict, or a refusal that points at nothing else."""
    return isinstance(error, Conflict) or names_only_the_phone(error)


def _written(row: ProfileRow, write: Callable[[ProfileRow], bool], client: KlaviyoClient, budget: Budget) -> Written:
    """`write` sends one form of the row and says whether the profile is new."""
    attributes = row.attributes
    phone = attributes.phone_number
    try:
        return Written(created=write(row))
    except PermanentError as error:
        refusal = error
    if phone is not None and may_be_the_phone(refusal):
        if not isinstance(refusal, Conflict):
            phone = None
        try:
            return Written((Adjustment.PHONE_REFUSED,), created=write(row.without_phone()))
        except PermanentError as error:
            refusal = error
    if isinstance(refusal, Conflict) and refusal.duplicate_profile_id is not None:
        return _patched_without_identifiers(refusal.duplicate_profile_id, attributes, phone, client, budget)
    raise refusal


def _patched_without_identifiers(
    profile_id: str, attributes: ProfileAttributes, phone: str | None, client: KlaviyoClient, budget: Budget
) -> Written:
    """That profile has one of the customer's identifiers already and another profile has the other: the patch names neither."""
    rest = msgspec.structs.replace(attributes, external_id=None, email=None, phone_number=phone)
    try:
        client.send(patch_profile(profile_id, rest), budget)
    except PermanentError as error:
        if phone is None or not may_be_the_phone(error):
            raise
        phone = None
        client.send(patch_profile(profile_id, msgspec.structs.replace(rest, phone_number=None)), budget)
    dropped = phone is None and attributes.phone_number is not None
    return Written((*((Adjustment.PHONE_REFUSED,) if dropped else ()), Adjustment.IDENTIFIER_CONFLICT))
