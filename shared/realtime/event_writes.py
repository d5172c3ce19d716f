"""Events, over the single endpoint: the first creates the profile, the others follow together."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import blake2b
from typing import TypeAlias

import msgspec

from shared.budget import Budget
from shared.cache import ExpiringCache
from shared.errors import PermanentError, SyncError
from shared.klaviyo.client import KlaviyoClient
from shared.klaviyo.events import Event
from shared.klaviyo.single_events import record_event
from shared.mapping.result import Adjustment
from shared.realtime.writes import SendEvents
from shared.together import results, together

REMEMBERED_MOST = 20_000
REMEMBERED_S = 3_600.0
"""Longer than the pauses between two deliveries of a message, which grow to ten minutes."""

Settled: TypeAlias = Adjustment | PermanentError | None
"""What became of an event that need not be sent again: recorded, perhaps with an adjustment, or refused for good."""


class EventMemory:
    """The settled events of messages that will be delivered again; one for the process, shared by its threads.

    Without it a message whose events exceed the quota of one delivery would never be done: each delivery would spend its
    quota on the same first events. It forgets what is too much or too old; such events are sent again, which Klaviyo ignores.
    """

    def __init__(
        self,
        most: int = REMEMBERED_MOST,
        ttl_s: float = REMEMBERED_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settled = ExpiringCache[bytes, Settled](most, ttl_s, monotonic)

    def settled(self, keys: Sequence[bytes]) -> dict[bytes, Settled]:
        """Those of these events that are settled."""
        return self._settled.held(keys)

    def keep(self, settled: Mapping[bytes, Settled]) -> None:
        """Remember these for the next delivery, of an error no more than what it says."""
        self._settled.put({key: _bare(outcome) for key, outcome in settled.items()})

    def forget(self, keys: Sequence[bytes]) -> None:
        """Their message is done."""
        self._settled.drop(keys)


def send_events(write: SendEvents, klaviyo: KlaviyoClient, budget: Budget, memory: EventMemory) -> tuple[Adjustment, ...]:
    """Send all that are not settled; what had to be left out of one.

    All are attempted, then the worst error is raised (`together.results`). Unless it is a lasting one, the message comes
    again, and `memory` knows what need not be sent then.
    """
    keys = [_key(event) for event in write.events]
    known = memory.settled(keys)
    pending = [event for key, event in zip(keys, write.events, strict=True) if key not in known]
    sent = iter(together([partial(record_event, event, klaviyo, budget) for event in pending], budget, alone=1))
    outcomes = [known[key] if key in known else next(sent) for key in keys]
    try:
        left_out = results(outcomes)
    except PermanentError:
        memory.forget(keys)
        raise
    except SyncError:
        memory.keep(
            {
                key: outcome
                for key, outcome in zip(keys, outcomes, strict=True)
                if outcome is None or isinstance(outcome, Adjustment | PermanentError)
            }
        )
        raise
    memory.forget(keys)
    return tuple(dict.fromkeys(adjustment for adjustment in left_out if adjustment is not None))


def _key(event: Event) -> bytes:
    """An event and all that names its person, as a digest, so that no address is kept.

    Finer than `known_events.digest_of`, which goes by the identifier that Klaviyo heeds first: a bulk request with two events
    that are one to Klaviyo is refused, so there that must be known. Here the order may have got another e-mail or phone by
    the next delivery, and whose event it is then only Klaviyo knows: it is sent again, and ignored if it is the same.
    """
    profile = event.profile
    told = (event.metric, event.unique_id, profile.external_id, profile.email, profile.phone_number)
    return blake2b(msgspec.json.encode(told), digest_size=16).digest()


def _bare(outcome: Settled) -> Settled:
    """An error without its traceback, which holds the events on their way."""
    if not isinstance(outcome, PermanentError):
        return outcome
    return PermanentError(outcome.reason, host=outcome.host, status=outcome.status, pointer=outcome.pointer)
