"""Events, over the single endpoint: the first creates the profile, the others follow together."""

from __future__ import annotations

from functools import partial

import msgspec

from shared.budget import Budget
from shared.errors import PermanentError
from shared.klaviyo.client import KlaviyoClient
from shared.klaviyo.event_requests import create_event
from shared.klaviyo.events import Event
from shared.klaviyo.verdicts import names_only_the_phone
from shared.mapping.result import Adjustment
from shared.realtime.together import results, together
from shared.realtime.writes import SendEvents


def send_events(write: SendEvents, klaviyo: KlaviyoClient, budget: Budget) -> tuple[Adjustment, ...]:
    """Send all; what had to be left out of one. All are attempted, then the worst error is raised (`together.results`)."""
    calls = [partial(_sent, event, klaviyo, budget) for event in write.events]
    left_out = results(together(calls, alone=1))
    return tuple(dict.fromkeys(adjustment for adjustment in left_out if adjustment is not None))


def _sent(event: Event, klaviyo: KlaviyoClient, budget: Budget) -> Adjustment | None:
    """An event whose profile has a phone that Klaviyo refuses goes without it, if the person has another identifier."""
    profile = event.profile
    try:
        klaviyo.send(create_event(event), budget)
    except PermanentError as error:
        if not (names_only_the_phone(error) and profile.phone_number and (profile.external_id or profile.email)):
            raise
    else:
        return None
    without_phone = msgspec.structs.replace(profile, phone_number=None)
    klaviyo.send(create_event(msgspec.structs.replace(event, profile=without_phone)), budget)
    return Adjustment.PHONE_REFUSED
