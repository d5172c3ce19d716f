"""What happens to a failure: one table, as data (decisions.md 4).

`situation_of_status` reads an HTTP status, `situation_of` an error; `TABLE` says what each side of the product then does.
Pure: no client, clock or logger.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from shared.errors import AuthError, Gone, Host, PermanentError, TransientError


class Situation(StrEnum):
    """What happened, as far as the table distinguishes it."""

    NOTHING_TO_DO = "nothing_to_do"
    PERMANENT = "permanent"
    GONE = "gone"
    LOOKUP_FORBIDDEN = "lookup_forbidden"
    DEAD_LETTERS_FORBIDDEN = "dead_letters_forbidden"
    TRANSIENT = "transient"
    AUTHENTICATION = "authentication"


class RealtimeAction(StrEnum):
    """What the realtime function does with the message."""

    SKIP = "skip"  # acknowledge and count the reason
    DEAD_LETTER = "dead_letter"  # record a pointer, acknowledge
    GO_ON = "go_on"  # continue without the look-up, count it, name it once
    LOG_POINTER = "log_pointer"  # the pointer goes to an ERROR log line, acknowledge
    REDELIVER = "redeliver"  # retry inside the time budget, then answer non-2xx


class BulkAction(StrEnum):
    """What a bulk worker does with the item or the batch."""

    SKIP = "skip"  # count the reason
    FAIL_ITEM = "fail_item"  # record the item as failed, go on
    GO_ON = "go_on"
    LOG_POINTER = "log_pointer"
    REDELIVER = "redeliver"  # retry inside the time budget, then leave the batch for redelivery
    HALT = "halt"  # the run halts and can be resumed


@dataclass(frozen=True, slots=True)
class Outcome:
    """One line of the table."""

    realtime: RealtimeAction
    bulk: BulkAction


TABLE: Mapping[Situation, Outcome] = {
    Situation.NOTHING_TO_DO: Outcome(RealtimeAction.SKIP, BulkAction.SKIP),
    Situation.PERMANENT: Outcome(RealtimeAction.DEAD_LETTER, BulkAction.FAIL_ITEM),
    Situation.GONE: Outcome(RealtimeAction.SKIP, BulkAction.SKIP),
    Situation.LOOKUP_FORBIDDEN: Outcome(RealtimeAction.GO_ON, BulkAction.GO_ON),
    Situation.DEAD_LETTERS_FORBIDDEN: Outcome(RealtimeAction.LOG_POINTER, BulkAction.LOG_POINTER),
    Situation.TRANSIENT: Outcome(RealtimeAction.REDELIVER, BulkAction.REDELIVER),
    Situation.AUTHENTICATION: Outcome(RealtimeAction.REDELIVER, BulkAction.HALT),
}


class PathKind(StrEnum):
    """What a request's path names; decides what a 404 and a 403 mean."""

    SINGLE = "single"  # one resource by id
    COLLECTION = "collection"  # a list, a query, or a POST that creates
    OPTIONAL_LOOKUP = "optional_lookup"  # a read that the work can do without
    DEAD_LETTERS = "dead_letters"


_TRANSIENT_STATUSES = frozenset({408, 425, 429})


def situation_of_status(host: Host, status: int, kind: PathKind) -> Situation:
    """The situation that a non-2xx `status` (100 to 599) stands for.

    A redirect is an answer of something in between, never a verdict on the content: neither host redirects, and none is
    followed (decisions.md 17).
    """
    if status == 403 and kind is PathKind.OPTIONAL_LOOKUP:
        return Situation.LOOKUP_FORBIDDEN
    if status == 403 and kind is PathKind.DEAD_LETTERS:
        return Situation.DEAD_LETTERS_FORBIDDEN
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
        case TransientError():
            return Situation.TRANSIENT
        case _:
            return Situation.TRANSIENT
