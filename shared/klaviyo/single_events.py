"""One event over the single endpoint, which ignores what it has already (klaviyo.md 2.3)."""

from __future__ import annotations

import msgspec

from shared.budget import Budget
from shared.errors import PermanentError
from shared.klaviyo.client import KlaviyoClient
from shared.klaviyo.event_requests import create_event
from shared.klaviyo.events import Event
from shared.klaviyo.verdicts import names_only_the_phone
from shared.mapping.result import Adjustment


def record_event(event: Event, client: KlaviyoClient, budget: Budget, *, backfill: bool = False) -> Adjustment | None:
    """Record it; one whose profile has a phone that Klaviyo refuses goes without it, if the person has another identifier.

    Says what had to be left out. `backfill` as in `create_event`. Raises what sending raises.
    """
    try:
        client.send(create_event(event, backfill=backfill), budget)
    except PermanentError as error:
        reduced = without_phone(event) if names_only_the_phone(error) else None
        if reduced is None:
            raise
    else:
        return None
    client.send(create_event(reduced, backfill=backfill), budget)
    return Adjustment.PHONE_REFUSED


def without_phone(event: Event) -> Event | None:
    """The event of the same person without the phone; None when there is none, or nothing else to know the person by."""
    profile = event.profile
    if not profile.phone_number or not (profile.external_id or profile.email):
        return None
    return msgspec.structs.replace(event, profile=msgspec.structs.replace(profile, phone_number=None))
