"""Orders into Klaviyo: read with what they refer to, map their history, write their events in bulk (mapping.md "Events")."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from shared.budget import Budget
from shared.bulk.app import ImportApp
from shared.bulk.masking import masked_event
from shared.bulk.records import Batch, Run
from shared.bulk.results import EXAMPLES
from shared.bulk.source import items_of
from shared.bulk.tally import Progress, Step, Tally
from shared.commercetools.kinds import ORDERS, ORDERS_WITH_JSON, ResourceKind
from shared.commercetools.orders import Order
from shared.commercetools.reads import UNREADABLE
from shared.commercetools.scan import Page, Undecodable
from shared.klaviyo.event_imports import OrderEvents
from shared.klaviyo.known_events import KnownEvents, KnownEventsRecord
from shared.klaviyo.row_outcomes import Failed, RowOutcome, Sent
from shared.mapping.choices import Choices
from shared.mapping.order_history import order_history
from shared.mapping.order_profile import GuestsTold
from shared.mapping.result import Adjustment, Skip, SkipReason
from shared.mapping.sources import OrderSource
from shared.reading.lookups import Lookups
from shared.reading.order_batches import complete_orders
from shared.settings.document import OrderRules

_NOTHING: frozenset[Adjustment] = frozenset()


@dataclass(frozen=True, slots=True)
class _Met:
    """An order of the batch: what is known of it, None while its events are on their way, less what `left_out` names."""

    order_id: str
    known: Skip | Failed | None = None
    left_out: frozenset[Adjustment] = _NOTHING


class _Uncounted:
    """The orders of a batch that are not counted yet, in its order, so that the cursor passes none that is not settled."""

    def __init__(self) -> None:
        self._met = deque[_Met]()

    def met(self, order: _Met) -> None:
        """The next order has been read, or is known to be gone."""
        self._met.append(order)

    def settled(self, order_id: str, outcome: RowOutcome, examples: Iterable[dict[str, Any]] = ()) -> Step:
        """The step up to an order whose events are settled, and over those behind it that have none."""
        tally = Tally()
        self._count_known(tally)
        met = self._met.popleft()
        if met.order_id != order_id:
            raise RuntimeError("orders must be settled in the order in which they were read")
        if isinstance(outcome, Failed):
            tally.failed(order_id, outcome.reason, outcome.pointer)
        else:
            tally.sent()
            for adjustment in met.left_out.union(outcome.adjustments):
                tally.adjusted(adjustment)
        for example in examples:
            tally.example(example)
        return Step(self._count_known(tally) or order_id, tally.result())

    def rest(self, last_id: str) -> Step:
        """The step up to the end of the batch, once everything that was on its way is settled."""
        tally = Tally()
        self._count_known(tally)
        if self._met:
            raise RuntimeError("an order has no outcome")
        return Step(last_id, tally.result())

    def _count_known(self, tally: Tally) -> str | None:
        """Count the orders in front that have no events; the id of the last one."""
        last_id = None
        while self._met and (known := self._met[0].known) is not None:
            last_id = self._met.popleft().order_id
            if isinstance(known, Skip):
                tally.skipped(known.reason)
            else:
                tally.failed(last_id, known.reason, known.pointer)
        return last_id


def import_orders(app: ImportApp, run: Run, batch: Batch, progress: Progress, budget: Budget) -> Iterator[Step]:
    """Bring the orders of a batch over; yields whenever one of them is settled, so that what is done stays done.

    Raises what reading and writing raise; `progress.carry` then tells which events of the orders behind it are settled.
    """
    uncounted = _Uncounted()
    known = KnownEvents.from_record(msgspec.convert(batch.carried or {}, KnownEventsRecord))

    def carried() -> dict[str, Any]:
        plain: dict[str, Any] = msgspec.to_builtins(known.to_record())
        return plain

    progress.carry = carried
    with app.slots.taken(budget):
        choices = app.chooser.choices(OrderSource, budget)
        rules = choices.document.order
        kind: ResourceKind[Any] = ORDERS_WITH_JSON if rules.properties.sends_raw else ORDERS
        pages = items_of(app, run, batch, kind, budget)
        orders = _with_events(_listed(batch), pages, app.lookups, choices, uncounted, budget)
        if run.options.dry_run:
            yield from _shown(orders, uncounted, rules)
        else:
            for order_id, outcome in app.events.import_events(orders, budget, known):
                yield uncounted.settled(order_id, outcome)
                progress.carry = carried
        yield uncounted.rest(max(batch.ids) if batch.ids else batch.last)


def _listed(batch: Batch) -> deque[str]:
    """The ids that a batch of listed ones still asks for, ascending; none of a range."""
    return deque(sorted({item for item in batch.ids or () if batch.cursor is None or item > batch.cursor}))


def _with_events(
    listed: deque[str], pages: Iterable[Page[Order]], lookups: Lookups, choices: Choices, uncounted: _Uncounted, budget: Budget
) -> Iterator[OrderEvents]:
    """The orders that have events; `uncounted` gets to know of all, of listed ones also of those that do not exist."""
    guests = GuestsTold()
    for page in pages:
        readable = [item for item in page if isinstance(item, Order)]
        tellers = guests.tellers(readable)
        complete = complete_orders(readable, lookups, budget)
        for item in page:
            while listed and listed[0] < item.id:
                uncounted.met(_Met(listed.popleft(), Skip(SkipReason.GONE)))
            if listed:
                listed.popleft()
            found = item if isinstance(item, Undecodable) else next(complete)
            if isinstance(found, Undecodable):
                uncounted.met(_Met(item.id, Failed(UNREADABLE, found.field_path)))
                continue
            history = order_history(found.source, found.payments, choices, tells_of_buyer=item.id in tellers)
            if isinstance(history, Skip):
                uncounted.met(_Met(item.id, history))
                continue
            uncounted.met(_Met(item.id, left_out=found.left_out.union(history.adjustments)))
            yield OrderEvents(item.id, history.events)
    for item_id in listed:
        uncounted.met(_Met(item_id, Skip(SkipReason.GONE)))


def _shown(orders: Iterable[OrderEvents], uncounted: _Uncounted, rules: OrderRules) -> Iterator[Step]:
    """The steps of a dry run; of the first orders, masked, one event of each metric."""
    shown = 0
    for order in orders:
        examples = []
        if shown < EXAMPLES:
            by_metric = {event.metric: event for event in reversed(order.events)}
            examples = [masked_event(one, of_line=one.metric == rules.metrics.orderedProduct) for one in by_metric.values()]
            examples.reverse()
            shown += len(examples)
        yield uncounted.settled(order.order_id, Sent(), examples)
