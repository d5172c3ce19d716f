"""What is known of the events of orders that are not done, so that the next attempt does not send them again. Pure."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice

import msgspec

from shared.klaviyo.events import Event
from shared.klaviyo.profiles import ProfileAttributes
from shared.klaviyo.row_outcomes import RowOutcome, StoredOutcome, by_outcome, stored_fields

DIGEST_BYTES = 12
"""Enough to tell the events of any account apart."""

REMEMBERED_MOST = 20_000
"""So many events are remembered, those first that were settled first; what is settled beyond them is sent again."""

POINTER_BYTES_MOST = 50_000
"""How much of a record the pointers of failures may take; beyond that a failure is remembered by its reason alone."""


class SettledEvents(StoredOutcome, frozen=True, omit_defaults=True, kw_only=True):
    """An outcome and the digests of the events that have it, in base64."""

    digests: str


class KnownEventsRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """`KnownEvents` as plain values, to be stored: below 500,000 bytes of JSON, whatever is known."""

    events: list[SettledEvents] = []


@dataclass(slots=True)
class KnownEvents:
    """What became of events whose orders are not settled yet, by `digest_of` the event; right at every moment."""

    outcomes: dict[bytes, RowOutcome] = field(default_factory=dict)

    def forget(self, digests: Iterable[bytes]) -> None:
        """The order of these events is settled."""
        for digest in digests:
            self.outcomes.pop(digest, None)

    def to_record(self) -> KnownEventsRecord:
        """All of it as plain values, as far as `REMEMBERED_MOST` goes; of very many failures some lose their pointers."""
        groups = by_outcome(islice(self.outcomes.items(), REMEMBERED_MOST), POINTER_BYTES_MOST)
        return KnownEventsRecord([_settled(outcome, digests) for outcome, digests in groups.items()])

    @classmethod
    def from_record(cls, record: KnownEventsRecord) -> KnownEvents:
        """What `to_record` made a record of."""
        return cls({digest: settled.outcome for settled in record.events for digest in _digests(settled.digests)})


def digest_of(event: Event) -> bytes:
    """Tells events apart as Klaviyo does. A digest, which is small and holds no address."""
    told = "\0".join((person_of(event.profile), event.metric, event.unique_id))
    return blake2b(told.encode(), digest_size=DIGEST_BYTES).digest()


def person_of(profile: ProfileAttributes) -> str:
    """Whose event it is, by the identifier that Klaviyo heeds first."""
    if profile.external_id:
        return f"external_id:{profile.external_id}"
    return f"email:{profile.email.casefold()}" if profile.email else f"phone_number:{profile.phone_number}"


def _settled(outcome: RowOutcome, digests: Iterable[bytes]) -> SettledEvents:
    return SettledEvents(digests=base64.b64encode(b"".join(digests)).decode(), **stored_fields(outcome))


def _digests(encoded: str) -> list[bytes]:
    joined = base64.b64decode(encoded)
    return [joined[start : start + DIGEST_BYTES] for start in range(0, len(joined), DIGEST_BYTES)]
