"""Orders' events into Klaviyo in bulk: pack, send, set refused rows aside, fall back to single events (decisions.md 8)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from shared.budget import Budget
from shared.klaviyo.client import KlaviyoClient
from shared.klaviyo.events import Event
from shared.klaviyo.row_outcomes import RowOutcome


@dataclass(frozen=True, slots=True)
class OrderEvents:
    """The events of one order, in the order in which they happened."""

    order_id: str
    events: tuple[Event, ...]


class EventImporter:
    """Writes past events in bulk, `backfill` set on all; one per process, shared by its threads."""

    def __init__(self, client: KlaviyoClient) -> None:
        self._client = client

    def import_events(self, orders: Iterable[OrderEvents], budget: Budget) -> Iterator[tuple[str, RowOutcome]]:
        """Write all events, streaming: bodies go out as soon as they are full, while `orders` is still being read.

        Yields each order's id and what became of it, in the order of `orders`, as soon as all of its events are settled; it
        has failed when one of them has. Raises `AuthError`, `TransientError` (`RateLimited`, `HostDown`) and `Interrupted`;
        everything behind the last order yielded may then be sent again.
        """
        raise NotImplementedError
