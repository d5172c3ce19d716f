"""One customer whose identifiers clash with other profiles, over the single endpoints (mapping.md "Profiles")."""

from __future__ import annotations

import msgspec

from shared.budget import Budget
from shared.errors import PermanentError
from shared.klaviyo.client import KlaviyoClient
from shared.klaviyo.profile_rows import Failed, ProfileRow, Sent
from shared.klaviyo.profiles import ProfileAttributes
from shared.klaviyo.requests import Request, patch_profile, upsert_profile
from shared.klaviyo.verdicts import PHONE_FIELD, Conflict, Refused
from shared.mapping.result import Adjustment


def solve(row: ProfileRow, client: KlaviyoClient, budget: Budget) -> Sent | Failed:
    """Upsert the customer as it is, else without the phone, else by patching the profile that the conflict names.

    A phone that was not the cause of a conflict is sent with the patch, if that is taken. Raises what sending raises, but
    for a `PermanentError`, which becomes `Failed`.
    """
    phone = row.attributes.phone_number
    error = _refusal_of(upsert_profile(row.encoded), client, budget)
    if error is not None and phone is not None and may_be_the_phone(error):
        if not isinstance(error, Conflict):
            phone = None
        error = _refusal_of(upsert_profile(row.without_phone().encoded), client, budget)
        if error is None:
            return Sent((Adjustment.PHONE_REFUSED,))
    if error is None:
        return Sent()
    if isinstance(error, Conflict) and error.duplicate_profile_id is not None:
        return _patched(error.duplicate_profile_id, row.attributes, phone, client, budget)
    return Failed(error.reason, error.pointer)


def may_be_the_phone(error: PermanentError) -> bool:
    """Whether the same customer without the phone may pass: any conflict, or a refusal that points at nothing else."""
    if isinstance(error, Conflict):
        return True
    return isinstance(error, Refused) and bool(error.refusals) and all(refusal.field == PHONE_FIELD for refusal in error.refusals)


def _patched(
    profile_id: str, attributes: ProfileAttributes, phone: str | None, client: KlaviyoClient, budget: Budget
) -> Sent | Failed:
    """That profile has one of the customer's identifiers already and another profile has the other: the patch names neither."""
    rest = msgspec.structs.replace(attributes, external_id=None, email=None, phone_number=phone)
    error = _refusal_of(patch_profile(profile_id, rest), client, budget)
    if error is not None and phone is not None and may_be_the_phone(error):
        phone = None
        error = _refusal_of(patch_profile(profile_id, msgspec.structs.replace(rest, phone_number=None)), client, budget)
    if error is not None:
        return Failed(error.reason, error.pointer)
    dropped = phone is None and attributes.phone_number is not None
    return Sent((*((Adjustment.PHONE_REFUSED,) if dropped else ()), Adjustment.IDENTIFIER_CONFLICT))


def _refusal_of(request: Request[None], client: KlaviyoClient, budget: Budget) -> PermanentError | None:
    try:
        client.send(request, budget)
    except PermanentError as error:
        return error
    return None
