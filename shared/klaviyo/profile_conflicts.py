"""One customer whose identifiers clash with other profiles, over the single endpoints (mapping.md "Profiles")."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from shared.budget import Budget
from shared.errors import PermanentError
from shared.klaviyo.client import KlaviyoClient
from shared.klaviyo.profile_requests import patch_profile, upsert_profile
from shared.klaviyo.profile_rows import ProfileRow
from shared.klaviyo.profiles import ProfileAttributes
from shared.klaviyo.row_outcomes import Failed, Sent
from shared.klaviyo.verdicts import Conflict, names_only_the_phone
from shared.mapping.result import Adjustment


@dataclass(frozen=True, slots=True)
class Written:
    """Klaviyo has the customer, less what `adjustments` name; `created`: by a profile that may not have been there before."""

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

    The patch has the identifiers, unless others have these; and a phone that was not the cause of a conflict, if that is
    taken. Raises what sending raises.
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
        kept = msgspec.structs.replace(attributes, phone_number=phone)
        dropped = (Adjustment.PHONE_REFUSED,) if phone != attributes.phone_number else ()
        return Written((*dropped, *_patched_as_named(refusal.duplicate_profile_id, kept, client, budget)))
    raise refusal


def _patched_as_named(
    profile_id: str, attributes: ProfileAttributes, client: KlaviyoClient, budget: Budget
) -> tuple[Adjustment, ...]:
    """Write the customer to the profile that a conflict named; what had to be left out.

    With the identifiers this is refused where it has one of them already and yet another profile has the other. Then it names
    neither, so that no identifier changes its owner.
    """

    def patch(tried: ProfileAttributes) -> None:
        client.send(patch_profile(profile_id, tried), budget)

    try:
        return _patched_less_the_phone(attributes, patch)
    except Conflict:
        rest = msgspec.structs.replace(attributes, external_id=None, email=None)
    return (*_patched_less_the_phone(rest, patch), Adjustment.IDENTIFIER_CONFLICT)


def _patched_less_the_phone(attributes: ProfileAttributes, patch: Callable[[ProfileAttributes], None]) -> tuple[Adjustment, ...]:
    """Patch with the phone if there is one, else without; a phone of somebody else is a conflict, too."""
    try:
        patch(attributes)
    except PermanentError as error:
        if attributes.phone_number is None or not may_be_the_phone(error):
            raise
    else:
        return ()
    patch(msgspec.structs.replace(attributes, phone_number=None))
    return (Adjustment.PHONE_REFUSED,)
