"""Orders' events into Klaviyo in bulk: pack, send, set refused rows aside, fall back to single events (decisions.md 8).

The bulk endpoint takes a body or refuses it, and nothing can be asked afterwards. Whether it refuses events that are there
already is not documented, so what it refuses as a duplicate goes over the single endpoint, which ignores such events.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from shared import logs
from shared.budget import Budget
from shared.errors import PermanentError, SyncError
from shared.klaviyo.client import KlaviyoClient
from shared.klaviyo.event_requests import EVENT_IMPORT, decode_bulk_event, encode_bulk_event, start_event_import
from shared.klaviyo.events import Event
from shared.klaviyo.known_events import KnownEvents, digest_of, person_of
from shared.klaviyo.limits import EVENT_IMPORT_LIMITS, PackLimits
from shared.klaviyo.packing import Body, Oversized, pack
from shared.klaviyo.refused_rows import (
    CONTENT_STATUSES,
    NamedRows,
    RefusedPhones,
    bring_through,
    named_rows,
    only_the_phone,
)
from shared.klaviyo.row_outcomes import ROW_TOO_LARGE, Failed, RowOutcome, Sent
from shared.klaviyo.single_events import record_event, without_phone
from shared.klaviyo.verdicts import PHONE_FIELD, Refusal, Refused, is_taken
from shared.mapping.result import Adjustment
from shared.together import results, together

DUPLICATE_ROUNDS = 3
"""After so many refusals that named duplicates, the rest of a body goes over the single endpoint: an answer names only some."""

SEARCHED_ROWS_LEAST = 33
"""Fewer rows than this are not searched for one that no answer names: the single endpoint has them sooner, and names it."""

SINGLES_AT_ONCE = 64
"""So many single events are begun together, then what they came to is recorded."""

_UNIQUE_ID_FIELD = "unique_id"
_DUPLICATE = "duplicate"
_DUPLICATE_PROFILE = "duplicate_profile"
_SENT = Sent()

_log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class OrderEvents:
    """The events of one order, in the order in which they happened."""

    order_id: str
    events: tuple[Event, ...]


class EventImporter:
    """Writes past events in bulk, `backfill` set on all; one per process, shared by its threads."""

    def __init__(self, client: KlaviyoClient, *, limits: PackLimits = EVENT_IMPORT_LIMITS) -> None:
        self._client = client
        self._limits = limits

    def import_events(
        self, orders: Iterable[OrderEvents], budget: Budget, known: KnownEvents | None = None
    ) -> Iterator[tuple[str, RowOutcome]]:
        """Write all events, streaming: bodies go out as soon as they are full, while `orders` is still being read.

        Yields each order's id and what became of it, in the order of `orders`, as soon as all of its events are settled; it
        has failed when one of them has, by the first that did. An event that two orders share, or that one has twice, is sent
        once.

        Raises `AuthError`, `TransientError` (`RateLimited`, `HostDown`) and `Interrupted`, after it has yielded all orders in
        front that are settled. `known` then has what became of events of the orders behind them; an import of these that is
        given it sends no such event again.
        """
        yield from _Import(self._client, budget, self._limits, KnownEvents() if known is None else known).run(orders)


@dataclass(slots=True)
class _BodyFate:
    """How one body fares: the phones refused so far, and the rows that are to go over the single endpoint, by their numbers."""

    phones: RefusedPhones = field(default_factory=RefusedPhones)
    duplicate_rounds: int = 0
    alone: list[tuple[int, bytes]] = field(default_factory=list)

    def set_aside(self, body: Body) -> None:
        """All rows of this body, or part of one, go over the single endpoint."""
        self.alone.extend(zip(body.indices, body.rows, strict=True))


class _Import:
    """One import. Of an event only its key and its outcome are kept once it is settled, its row no longer."""

    def __init__(self, client: KlaviyoClient, budget: Budget, limits: PackLimits, known: KnownEvents) -> None:
        self._client = client
        self._budget = budget
        self._limits = limits
        self._known = known
        self._orders = deque[tuple[str, tuple[bytes, ...]]]()
        self._outcomes: dict[bytes, RowOutcome | None] = {}
        self._keys: dict[int, bytes] = {}
        self._phones_dropped = set[int]()

    def run(self, orders: Iterable[OrderEvents]) -> Iterator[tuple[str, RowOutcome]]:
        try:
            yield from self._run(orders)
        except SyncError:
            yield from self._settled()
            raise

    def _run(self, orders: Iterable[OrderEvents]) -> Iterator[tuple[str, RowOutcome]]:
        for packed in pack(self._rows(orders), EVENT_IMPORT, self._limits):
            if isinstance(packed, Oversized):
                self._settle(packed.index, Failed(ROW_TOO_LARGE))
            else:
                for rows in _parts(self._sent_in_bulk(packed), SINGLES_AT_ONCE):
                    yield from self._settled()
                    self._send_alone(rows)
            yield from self._settled()
            del packed  # its rows are not needed while the next body is packed
        yield from self._settled()

    def _rows(self, orders: Iterable[OrderEvents]) -> Iterator[bytes]:
        """The events that were not met before, as rows; the orders of all of them are noted on the way."""
        row = 0
        for order in orders:
            keys = tuple(map(digest_of, order.events))
            self._orders.append((order.order_id, keys))
            for key, event in zip(keys, order.events, strict=True):
                if key not in self._outcomes:
                    known = self._outcomes[key] = self._known.outcomes.get(key)
                    if known is None:
                        self._keys[row] = key
                        row += 1
                        yield encode_bulk_event(event)

    def _settled(self) -> Iterator[tuple[str, RowOutcome]]:
        """The orders in front all of whose events are settled."""
        while self._orders:
            order_id, keys = self._orders[0]
            outcomes = [outcome for key in keys if (outcome := self._outcomes.get(key)) is not None]
            if len(outcomes) < len(keys):
                return
            self._orders.popleft()
            self._known.forget(keys)
            yield order_id, _of_order(outcomes)

    def _settle(self, row: int, outcome: RowOutcome) -> None:
        if isinstance(outcome, Sent) and row in self._phones_dropped:
            outcome = Sent((Adjustment.PHONE_REFUSED, *outcome.adjustments))
        key = self._keys.pop(row)
        self._outcomes[key] = self._known.outcomes[key] = outcome
        self._phones_dropped.discard(row)

    def _sent_in_bulk(self, body: Body) -> list[tuple[int, bytes]]:
        """Send a body; the rows of it that are to go over the single endpoint, in their order."""
        fate = _BodyFate()

        def send(part: Body) -> None:
            try:
                self._client.send(start_event_import(part), self._budget)
            except Refused as refused:
                if named_rows(refused, len(part.rows)) or not _is_stored(refused):
                    raise
                fate.set_aside(part)
            else:
                for row in part.indices:
                    self._settle(row, _SENT)

        def give_up(part: Body, refused: Refused) -> None:
            if refused.status in CONTENT_STATUSES:
                fate.set_aside(part)
                return
            for row in part.indices:
                self._settle(row, Failed(refused.reason, refused.pointer))

        def without_named(part: Body, named: NamedRows) -> Body:
            return self._without_refused(part, named, fate)

        bring_through(body, send, without_named, give_up, searched_rows_least=SEARCHED_ROWS_LEAST)
        if fate.alone:
            _log.info("events go to klaviyo one by one", rows=len(fate.alone))
        return sorted(fate.alone)

    def _without_refused(self, body: Body, named: NamedRows, fate: _BodyFate) -> Body:
        """What of the body is to be sent again: no row refused, and no phone that was or would be."""
        refused_phones = (
            decode_bulk_event(body.rows[position]).profile.phone_number
            for position, refusals in named.items()
            if only_the_phone(refusals)
        )
        fate.phones.note(phone for phone in refused_phones if phone is not None)
        replaced: dict[int, bytes] = {}
        stored, failed = set[int](), set[int]()
        for position, (index, row) in enumerate(zip(body.indices, body.rows, strict=True)):
            refusals = named.get(position, ())
            if refusals and not only_the_phone(refusals):
                if lasting := _lasting(refusals):
                    failed.add(position)
                    self._settle(index, Failed(lasting.code, lasting.pointer))
                else:
                    stored.add(position)
                    fate.alone.append((index, row))
            elif refusals or fate.phones.many:
                reduced = _less_the_phone(row, None if refusals else fate.phones)
                if reduced is not None:
                    replaced[position] = reduced
                    self._phones_dropped.add(index)
                elif refusals:
                    failed.add(position)
                    self._settle(index, Failed(refusals[0].code, refusals[0].pointer))
        _log.info("klaviyo refused rows of a body", rows=len(body.rows), adjustments=len(replaced), failed=len(failed))
        rest = body.changed(without=failed | stored, replaced=replaced)
        fate.duplicate_rounds += bool(stored)
        if fate.duplicate_rounds < DUPLICATE_ROUNDS:
            return rest
        fate.set_aside(rest)
        return rest.changed(without=range(len(rest.rows)))

    def _send_alone(self, rows: Sequence[tuple[int, bytes]]) -> None:
        """Send events over the single endpoint, of each person one before all others, as it may create the profile.

        What is known is settled before an error is raised.
        """
        first: dict[str, tuple[int, Event]] = {}
        others: list[tuple[int, Event]] = []
        for index, row in rows:
            event = decode_bulk_event(row)
            if first.setdefault(person_of(event.profile), (index, event))[0] != index:
                others.append((index, event))
        for group in (list(first.values()), others):
            outcomes = together([partial(self._alone, event) for _, event in group], self._budget)
            for (index, _), outcome in zip(group, outcomes, strict=True):
                if not isinstance(outcome, SyncError):
                    self._settle(index, outcome)
            results(outcomes)

    def _alone(self, event: Event) -> RowOutcome:
        try:
            adjustment = record_event(event, self._client, self._budget, backfill=True)
        except PermanentError as error:
            return _SENT if _is_stored(error) else Failed(error.reason, error.pointer)
        return _SENT if adjustment is None else Sent((adjustment,))


def _of_order(outcomes: Iterable[RowOutcome]) -> RowOutcome:
    """What became of an order by its events: the first failure, else sent, with each adjustment once."""
    adjustments: dict[Adjustment, None] = {}
    for outcome in outcomes:
        if isinstance(outcome, Failed):
            return outcome
        adjustments.update(dict.fromkeys(outcome.adjustments))
    return Sent(tuple(adjustments)) if adjustments else _SENT


def _less_the_phone(row: bytes, would: RefusedPhones | None) -> bytes | None:
    """The row without its phone, if that `would` be refused (None: it was); None if it stays, or nobody is known without."""
    event = decode_bulk_event(row)
    phone = event.profile.phone_number
    if phone is None or (would is not None and not would.would_refuse(phone)):
        return None
    reduced = without_phone(event)
    return encode_bulk_event(reduced) if reduced else None


def _lasting(refusals: Iterable[Refusal]) -> Refusal | None:
    """The first entry against an event that the single endpoint would refuse as well."""
    return next((refusal for refusal in refusals if refusal.field != PHONE_FIELD and not _names_stored(refusal)), None)


def _names_stored(refusal: Refusal) -> bool:
    """Whether an entry says that the event is there already, and not that a profile is."""
    return refusal.field == _UNIQUE_ID_FIELD or (_DUPLICATE in refusal.code and refusal.code != _DUPLICATE_PROFILE)


def _is_stored(error: PermanentError) -> bool:
    """Whether a request was refused because an event is there already: by its code, or as a conflict of no profile.

    The single endpoint's complaint of a `unique_id` under any other code is about the id itself.
    """
    refusals = error.refusals if isinstance(error, Refused) else ()
    if any(_DUPLICATE_PROFILE in refusal.code for refusal in refusals):
        return False
    return is_taken(error) or any(_DUPLICATE in refusal.code for refusal in refusals)


def _parts(rows: Sequence[tuple[int, bytes]], most: int) -> Iterator[Sequence[tuple[int, bytes]]]:
    """The rows, up to `most` at a time."""
    for start in range(0, len(rows), most):
        yield rows[start : start + most]
