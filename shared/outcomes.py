"""What happens to a failure: one table, as data (decisions.md 4).

`situation_of_status` reads an HTTP status, `situation_of` an error; `TABLE` says what each side of the product then does.
What there is nothing to do for, and a row that Klaviyo refuses among others, is no error and stands in no line: a message is
skipped, an item is counted as skipped or failed, and the work goes on. Pure: no client, clock or logger.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from shared.errors import AuthError, Gone, Host, PermanentError


class Situation(StrEnum):
    """What happened, as far as the table distinguishes it."""

    PERMANENT = "permanent"
    GONE = "gone"
    TRANSIENT = "transient"
    AUTHENTICATION = "authentication"


class Dispensable(StrEnum):
    """What a 403 may forbid that the work goes on without: whoever asked catches it, so it has no line in the table."""

    LOOKUP_FORBIDDEN = "lookup_forbidden"
    DEAD_LETTERS_FORBIDDEN = "dead_letters_forbidden"


class RealtimeAction(StrEnum):
    """What the realtime function does with the message."""

    SKIP = "skip"  # acknowledge and count the reason
    DEAD_LETTER = "dead_letter"  # record a pointer, acknowledge
    REDELIVER = "redeliver"  # retry inside the time budget, then answer non-2xx


class BulkAction(StrEnum):
    """What an import does."""

    FAIL_BATCH = "fail_batch"  # its items without an outcome are recorded as failed, the run goes on
    REDELIVER = "redeliver"  # retry inside the time budget, then leave the message for redelivery
    HALT = "halt"  # the run halts and can be resumed


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table: what becomes of a notification, of a batch, and of a run's own step.

    `step` is for what a run cannot do without: the query that plans a range, the beginning of the next import of a chain.
    """

    realtime: RealtimeAction
    batch: BulkAction
    step: BulkAction


TABLE: Mapping[Situation, Line] = {
    Situation.PERMANENT: Line(RealtimeAction.DEAD_LETTER, batch=BulkAction.FAIL_BATCH, step=BulkAction.HALT),
    # Imports ask for no item by a path of its own, and count what a query does not find: a 404 there is about something else.
    Situation.GONE: Line(RealtimeAction.SKIP, batch=BulkAction.FAIL_BATCH, step=BulkAction.HALT),
    Situation.TRANSIENT: Line(RealtimeAction.REDELIVER, batch=BulkAction.REDELIVER, step=BulkAction.REDELIVER),
    Situation.AUTHENTICATION: Line(RealtimeAction.REDELIVER, batch=BulkAction.HALT, step=BulkAction.HALT),
}


class PathKind(StrEnum):
    """What a request's path names; decides what a 404 and a 403 mean."""

    SINGLE = "single"  # one resource by id
    COLLECTION = "collection"  # a list, a query, or a POST that creates
    OPTIONAL_LOOKUP = "optional_lookup"  # a read that the work can do without
    DEAD_LETTERS = "dead_letters"


_TRANSIENT_STATUSES = frozenset({408, 425, 429})


def situation_of_status(host: Host, status: int, kind: PathKind) -> Situation | Dispensable:
    """The situation that a non-2xx `status` (100 to 599) stands for.

    A redirect is an answer of something in between, never a verdict on the content: neither host redirects, and none is
    followed (decisions.md 17).
    """
    if status == 403 and kind is PathKind.OPTIONAL_LOOKUP:
        return Dispensable.LOOKUP_FORBIDDEN
    if status == 403 and kind is PathKind.DEAD_LETTERS:
        return Dispensable.DEAD_LETTERS_FORBIDDEN
    if status in {401, 403}:
        return Situation.AUTHENTICATION
    if status in _TRANSIENT_STATUSES or status >= 500 or status < 400:
        return Situation.TRANSIENT
    if status == 404 and kind is not PathKind.SINGLE:
        return Situation.TRANSIENT  # a path that exists answering 404 is an incident (klaviyo.md 1.3)
    if status == 404 and host is Host.COMMERCETOOLS:
        return Situation.GONE
    return Situation.PERMANENT


def situation_of(error: Exception) -> Situation:
    """The situation that an error of this product stands for; anything unknown is transient, so that nothing is lost."""
    match error:
        case AuthError():
            return Situation.AUTHENTICATION
        case Gone():
            return Situation.GONE
        case PermanentError():
            return Situation.PERMANENT
        case _:
            return Situation.TRANSIENT
