"""Profiles: upserts with or without a look-up by e-mail, and what becomes of a deleted customer (mapping.md "Profiles")."""

from __future__ import annotations

from shared.budget import Budget
from shared.errors import PermanentError
from shared.klaviyo.client import KlaviyoClient
from shared.klaviyo.profile_conflicts import Written, patched, upserted
from shared.klaviyo.profile_requests import FoundProfile, find_by_email, find_by_external_id
from shared.klaviyo.profile_rows import profile_row
from shared.klaviyo.profiles import ProfileAttributes
from shared.klaviyo.verdicts import is_missing
from shared.mapping.result import SkipReason
from shared.realtime.preferred import Known, preferred_requests
from shared.realtime.writes import RemoveProfile


def upsert_profile(attributes: ProfileAttributes, klaviyo: KlaviyoClient, budget: Budget, *, deduplicate: bool) -> Written:
    """Write a customer; `deduplicate`: into the profile with the same e-mail address, if there is one.

    Raises what sending raises; a look-up that failed is never taken for one that found nothing.
    """
    row = profile_row(attributes.external_id or "", attributes)
    found = _profile_of(attributes.email, klaviyo, budget) if deduplicate and attributes.email else None
    if found is not None:
        try:
            return patched(found.id, row, klaviyo, budget)
        except PermanentError as error:
            if not is_missing(error):
                raise  # else it was deleted or merged since
    return upserted(row, klaviyo, budget)


def remove_profile(write: RemoveProfile, klaviyo: KlaviyoClient, budget: Budget) -> SkipReason | None:
    """Suppress or erase a deleted customer's profile; why not, when Klaviyo does not know it. Raises what sending raises."""
    found = klaviyo.send(find_by_external_id(write.customer_id), budget).data
    requests = preferred_requests(write, Known(profile=found[0] if found else None))
    for request in requests:
        klaviyo.send(request, budget)
    return None if requests else SkipReason.UNKNOWN_PROFILE


def _profile_of(email: str, klaviyo: KlaviyoClient, budget: Budget) -> FoundProfile | None:
    """Klaviyo's answer is compared once more, in any case of letters: its own comparison is not documented."""
    for profile in klaviyo.send(find_by_email(email), budget).data:
        if (profile.attributes.email or "").strip().casefold() == email.strip().casefold():
            return profile
    return None
