"""One notification: decoded, routed, read, mapped, sent, and what became of it (flows.md "One notification")."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from shared import logs
from shared.budget import Budget, budget_of
from shared.dead_letters import DeadLetter, Kept, keep, log_fields, poison_id_of
from shared.errors import AuthError, Interrupted, PermanentError, SyncError, TransientError
from shared.mapping.choices import Choices
from shared.mapping.result import Adjustment, Skip, SkipReason
from shared.outcomes import TABLE, RealtimeAction, situation_of
from shared.push import MalformedPush
from shared.realtime.app import RealtimeApp
from shared.realtime.catalog_writes import Created, Deleted
from shared.realtime.envelope import notification_body
from shared.realtime.notification import MalformedNotification, Notification, is_test, notification_of
from shared.realtime.registry import route_of
from shared.realtime.replay import SOURCE, letter_of
from shared.realtime.route import Result, Route
from shared.realtime.sending import send
from shared.realtime.verdict import Outcome, Verdict
from shared.realtime.writes import Mapped, RemoveCategory

ROUNDS = 3
"""How often the current state is mapped and sent at most, when it keeps moving (decisions.md 7)."""

MOVED = "moved"

_log = logs.get(__name__)


def handle(app: RealtimeApp, headers: Mapping[str, str], body: bytes, budget: Budget) -> Verdict:
    """What becomes of a delivery, within the budget; `headers` have lower-case names. Never raises for what it may hold."""
    content = body
    try:
        enveloped = notification_body(headers, body, bare=app.settings.serve.skip_base64_decode)
        if enveloped.payload is None:
            return Verdict(Outcome.SKIPPED, enveloped.reason)
        content = enveloped.payload  # the same in each delivery, as the envelope need not be
        notification = notification_of(content)
    except (MalformedPush, MalformedNotification) as error:
        letter = DeadLetter(letter_id=poison_id_of(content), at=app.now(), source=SOURCE, reason=error.reason)
        return _dead_lettered(app, letter, budget)
    message_id = enveloped.message_id
    del body, content, enveloped  # of a large delivery, nothing is held twice while it is worked
    return handle_notification(app, notification, budget, message_id=message_id)


def handle_notification(
    app: RealtimeApp, notification: Notification, budget: Budget | None = None, *, message_id: str = ""
) -> Verdict:
    """What becomes of a notification: done or skipped, set aside as a dead letter, or to be delivered again.

    Without a `budget` it gets the whole time of one delivery. `message_id` as in `Enveloped`, for the log.
    """
    started = time.monotonic()
    work = _Work(app, notification, budget or budget_of(app.settings.budgets.realtime_deadline_s))
    verdict = _settled(work)
    _log.info(
        "notification handled",
        request_id=message_id or None,
        message_type=notification.type,
        resource_type=notification.resource_type,
        resource_id=notification.resource_id,
        outcome=verdict.outcome.value,
        reason=verdict.reason or None,
        adjusted=[kind.value for kind in Adjustment if kind in work.adjustments] or None,
        duration_ms=round((time.monotonic() - started) * 1000),
    )
    return verdict


@dataclass(slots=True)
class _Work:
    """One notification under way, and what has been said of it so far."""

    app: RealtimeApp
    notification: Notification
    budget: Budget
    adjustments: set[Adjustment] = field(default_factory=set)
    made: bool = False
    """Whether a profile came into being in Klaviyo."""


def _settled(work: _Work) -> Verdict:
    """The verdict by the table of outcomes (decisions.md 4)."""
    try:
        return _worked(work)
    except Interrupted as interrupted:
        return Verdict(Outcome.REDELIVER, interrupted.cause.value)
    except MalformedNotification as error:
        return _set_aside(work, error.reason)
    except SyncError as error:
        return _by_table(work, error)


def _by_table(work: _Work, error: SyncError) -> Verdict:
    match TABLE[situation_of(error)].realtime:
        case RealtimeAction.SKIP:
            return Verdict(Outcome.SKIPPED, SkipReason.GONE.value)
        case RealtimeAction.DEAD_LETTER if isinstance(error, PermanentError):
            return _set_aside(work, error.reason, error.pointer)
        case _ if isinstance(error, TransientError):
            _log.warning("notification is to be delivered again", message_type=work.notification.type, error=error)
        case _:
            _log.error("notification cannot be handled before a person acts", message_type=work.notification.type, error=error)
    return Verdict(Outcome.REDELIVER, type(error).__name__)


def _worked(work: _Work) -> Verdict:
    notification, document = work.notification, work.app.settings.mapping.document
    if is_test(notification):
        return _skipped(SkipReason.TEST_NOTIFICATION)
    route = route_of(notification, document)
    if route is None:
        return _skipped(SkipReason.UNKNOWN_TYPE)
    if route.disabled(notification, document):
        return _skipped(SkipReason.DISABLED)
    if reason := route.irrelevant(notification, document):
        return _skipped(reason)
    source = _read(work, route)
    result = _mapped(work, route, source)
    if source is None and (made := _left_unread(work)) is not None:
        result = route.vanished(notification, _choices(work, route), made)
    if isinstance(result, Skip):
        return _skipped(result.reason)
    if not route.converges:
        return _sent(work, result)
    with _looked_at_again(work):
        return _converged(work, route, source, result)


def _converged(work: _Work, route: Route[Any], source: Any, result: Mapped) -> Verdict:
    """Send, and read again, until what is read comes to what was sent (decisions.md 7).

    Also after a refusal: what was written before it may be older than what another instance has written meanwhile.
    """
    for _ in range(ROUNDS):
        ended: Verdict | PermanentError
        try:
            ended = _sent(work, result)
        except PermanentError as error:
            ended = error
        before, source = source, _read(work, route)
        if source is None and before is not None:
            again = route.vanished(work.notification, _choices(work, route), work.made)
        else:
            again = _mapped(work, route, source)
        if isinstance(again, Skip) or again.writes == result.writes:
            if isinstance(ended, PermanentError):
                raise ended
            return ended
        result = again
    return Verdict(Outcome.REDELIVER, MOVED)


@contextmanager
def _looked_at_again(work: _Work) -> Iterator[None]:
    """Remember a resource that may have been written without the look afterwards, for its next delivery."""
    key = (work.notification.resource_type, work.notification.resource_id)
    try:
        yield
    except (TransientError, AuthError, Interrupted):
        work.app.unread.put({key: work.made})
        raise


def _left_unread(work: _Work) -> bool | None:
    """Whether an earlier delivery has made something of the resource and could not look again; None when none has tried."""
    key = (work.notification.resource_type, work.notification.resource_id)
    return work.app.unread.held([key]).get(key)


def _read(work: _Work, route: Route[Any]) -> Any:
    reading = work.app.sources.read(route.source, work.notification, work.budget)
    if reading is None:
        return None
    work.adjustments.update(reading.adjustments)
    return reading.source


def _mapped(work: _Work, route: Route[Any], source: Any) -> Result:
    choices = _choices(work, route)
    if source is None:
        return route.is_gone(work.notification, choices)
    return route.map(work.notification, source, choices, work.app.now())


def _choices(work: _Work, route: Route[Any]) -> Choices:
    return work.app.sources.choices(route.source, work.budget)


def _sent(work: _Work, mapped: Mapped) -> Verdict:
    """Send the writes in their order."""
    work.adjustments.update(mapped.adjustments)
    deduplicate = work.app.settings.mapping.document.customer.deduplication.enabled
    skipped: SkipReason | None = None
    for write in mapped.writes:
        created: Created = []
        deleted: Deleted = []
        try:
            sent = send(
                write,
                work.app.klaviyo,
                work.budget,
                deduplicate=deduplicate,
                memory=work.app.events,
                created_categories=created,
                deleted_skus=deleted,
            )
        finally:
            _take_back(work, created)
            _put_owners(work, deleted)
        work.adjustments.update(sent.adjustments)
        work.made = work.made or sent.created
        skipped = sent.skip
    return Verdict(Outcome.DONE) if skipped is None else _skipped(skipped)


def _take_back(work: _Work, created: Created) -> None:
    """Delete those of the categories just created that commercetools has not any more: they were deleted while we wrote.

    Also when the write has failed, since the next delivery need not speak of them. The notification's own category is looked
    at by the second reading.
    """
    others = [category_id for category_id in created if category_id != work.notification.resource_id]
    if others:
        for category_id in work.app.sources.missing_categories(others, work.budget):
            send(RemoveCategory(category_id), work.app.klaviyo, work.budget)


def _put_owners(work: _Work, deleted: Deleted) -> None:
    """Put the products that have the SKUs just deleted by now: one of them may have taken a SKU over before it was deleted.

    Also when the write has failed, since the next delivery does not delete these SKUs again.
    """
    if not deleted:
        return
    for product_id in work.app.sources.owners_of(deleted, work.budget):
        if product_id == work.notification.resource_id:
            continue
        published = Notification(
            type="ProductPublished", resource_type="product", resource_id=product_id, at=work.notification.at, has_payload=False
        )
        if handle_notification(work.app, published, work.budget).outcome is Outcome.REDELIVER:
            raise TransientError("a product that has taken over a SKU is not written yet")


def _skipped(reason: SkipReason) -> Verdict:
    return Verdict(Outcome.SKIPPED, reason.value)


def _set_aside(work: _Work, reason: str, pointer: str | None = None) -> Verdict:
    letter = letter_of(work.notification, reason, pointer, work.app.now())
    return _dead_lettered(work.app, letter, work.budget)


def _dead_lettered(app: RealtimeApp, letter: DeadLetter, budget: Budget) -> Verdict:
    kept = keep(app.dead_letters, letter, budget)
    if kept is Kept.NOT_YET:
        return Verdict(Outcome.REDELIVER, letter.reason)
    if kept is Kept.STORED:
        _log.warning("dead letter stored", **log_fields(letter))
    return Verdict(Outcome.DEAD_LETTERED, letter.reason)
