"""Working one batch: lease it, bring its items over, write its result once (flows.md "One import", the `work` message)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import msgspec

from shared import logs
from shared.budget import Budget
from shared.bulk.app import ImportApp
from shared.bulk.chain import go_on
from shared.bulk.finish import stop_run
from shared.bulk.kinds.categories import import_categories
from shared.bulk.kinds.customers import import_customers
from shared.bulk.kinds.deletions import delete_catalog
from shared.bulk.kinds.orders import import_orders
from shared.bulk.kinds.products import import_products
from shared.bulk.messages import WorkMessage
from shared.bulk.ports import NotTaken
from shared.bulk.publish import publish_work
from shared.bulk.records import Batch, BatchResult, BatchStatus, Kind, Run
from shared.bulk.results import total
from shared.bulk.tally import Progress, Step
from shared.bulk.watch import RunWatch, batch_lease_from
from shared.errors import HostDown, Interrupted, PermanentError, RateLimited, StaleWrite, TransientError
from shared.outcomes import TABLE, BulkAction, situation_of

MOST_ATTEMPTS = 8
"""Attempts after which a batch is recorded as failed (flows.md "The finish check")."""

ATTEMPTS_USED_UP = "attempts_used_up"

KIND_WORK: Mapping[Kind, Callable[[ImportApp, Run, Batch, Progress, Budget], Iterator[Step]]] = {
    Kind.CUSTOMERS: import_customers,
    Kind.ORDERS: import_orders,
    Kind.PRODUCTS: import_products,
    Kind.CATEGORIES: import_categories,
}
"""How the items of each kind are brought over; a step at a time, in the batch's order."""

_log = logs.get(__name__)


def work_batch(
    app: ImportApp, message: WorkMessage, owner: str, budget_s: float, monotonic: Callable[[], float] = time.monotonic
) -> None:
    """Work the batch that the message names within `budget_s` seconds of `monotonic`; `owner` is a name for this delivery alone.

    Returns when the message is done with. Raises `TransientError` when it is to be delivered again. Wrong credentials
    halt the run.
    """
    run = app.store.run(message.run_id)  # read first: what fails before the batch is taken costs it nothing
    with _taken(app, message, owner) as batch:
        if batch is not None and run is not None:
            _work(app, run, batch, owner, Budget(monotonic() + budget_s, monotonic))
    go_on(app, message.run_id)


def give_up_batch(app: ImportApp, message: WorkMessage, owner: str) -> None:
    """The queue has given a batch's message up: record it as failed if its attempts are used up, else queue it anew.

    Deliveries end in vain also while a host is down, which says nothing about the batch.
    """
    run = app.store.run(message.run_id)
    with _taken(app, message, owner) as batch:
        if batch is not None and run is not None:
            if batch.attempts > MOST_ATTEMPTS:
                _settle_failed(app, batch, owner, batch.result, ATTEMPTS_USED_UP)
            else:
                _put_back(app, batch, owner, Progress(batch.cursor, batch.result, lambda: batch.carried), count_attempt=False)
                publish_work(app, run, [batch.batch_id])
    go_on(app, message.run_id)


@contextmanager
def _taken(app: ImportApp, message: WorkMessage, owner: str) -> Iterator[Batch | None]:
    """The batch under a lease of `owner`; None when there is nothing to do. Raises `TransientError` when others have it."""
    now = app.now()
    taken = app.store.take(message.run_id, message.fence, message.batch_id, owner, now, batch_lease_from(now))
    if taken is NotTaken.HELD:
        raise TransientError(f"batch {message.batch_id} is being worked by another delivery")
    try:
        yield taken if isinstance(taken, Batch) else None
    except StaleWrite:
        raise TransientError(f"batch {message.batch_id} was taken over") from None


def _work(app: ImportApp, run: Run, batch: Batch, owner: str, budget: Budget) -> None:
    if batch.attempts > MOST_ATTEMPTS:
        _settle_failed(app, batch, owner, batch.result, ATTEMPTS_USED_UP)
        return
    progress = Progress(batch.cursor, batch.result, lambda: batch.carried)
    watch = RunWatch(app, run.run_id, run.fence, batch, owner, monotonic=budget.monotonic)
    try:
        work = delete_catalog if run.options.delete_all else KIND_WORK[run.kind]
        for step in work(app, run, batch, progress, replace(budget, check_stop=watch)):
            progress.add(step)
        app.store.settle(batch, owner, BatchStatus.DONE, progress.result, app.now())
    except Interrupted as interrupted:
        _interrupted(app, batch, owner, progress, interrupted)
        return
    except StaleWrite:
        raise
    except Exception as error:
        _ended_by(app, run, batch, owner, progress, error)
        return
    _log_done(app, run, batch, progress.result)


def _interrupted(app: ImportApp, batch: Batch, owner: str, progress: Progress, interrupted: Interrupted) -> None:
    """Keep what is known. A deadline counts as an attempt only if nothing new is known, for such a batch must end some day."""
    late = interrupted.cause is Interrupted.Cause.DEADLINE
    got_on = progress.cursor != batch.cursor or _knows_more(batch, progress)
    _put_back(app, batch, owner, progress, count_attempt=late and not got_on)
    if late or interrupted.cause in (Interrupted.Cause.CROWDED, Interrupted.Cause.LEASE_ENDING):
        raise TransientError(f"batch {batch.batch_id} goes on in the next delivery ({interrupted.cause})") from None


def _ended_by(app: ImportApp, run: Run, batch: Batch, owner: str, progress: Progress, error: Exception) -> None:
    """What the table of outcomes says of an error that ended an attempt (decisions.md 4)."""
    reason = error.reason if isinstance(error, PermanentError) else type(error).__name__
    match TABLE[situation_of(error)].batch:
        case BulkAction.HALT:
            _put_back(app, batch, owner, progress, count_attempt=False)
            _log.error("run halted", run_id=run.run_id, kind=run.kind.value, error=error)
            stop_run(app, run.run_id, halt_reason=str(error))
            return
        case BulkAction.REDELIVER if isinstance(error, HostDown | RateLimited):
            _put_back(app, batch, owner, progress, count_attempt=False)
            raise error
        case BulkAction.REDELIVER if batch.attempts < MOST_ATTEMPTS:
            _put_back(app, batch, owner, progress, count_attempt=True)
            if isinstance(error, TransientError):
                raise error
            _log.exception("batch attempt failed", run_id=run.run_id, batch_id=batch.batch_id, attempts=batch.attempts)
            raise TransientError(f"batch {batch.batch_id}: {reason}") from None
        case BulkAction.FAIL_BATCH | BulkAction.REDELIVER:  # for good, or there were attempts enough
            _log.error("batch failed", run_id=run.run_id, batch_id=batch.batch_id, attempts=batch.attempts, error=error)
            _settle_failed(app, batch, owner, progress.result, reason)


def _put_back(app: ImportApp, batch: Batch, owner: str, progress: Progress, *, count_attempt: bool) -> None:
    app.store.put_back(
        batch,
        owner,
        cursor=progress.cursor,
        result=progress.result,
        count_attempt=count_attempt,
        carried=progress.carried(),
    )


def _knows_more(batch: Batch, progress: Progress) -> bool:
    """Whether what is carried is other than what the attempt began with; compared as it is stored."""
    carried = progress.carried() or {}
    return any(carried.values()) and msgspec.json.encode(carried) != msgspec.json.encode(batch.carried or {})


def _settle_failed(app: ImportApp, batch: Batch, owner: str, so_far: BatchResult, reason: str) -> None:
    """Record the batch as failed: what has no outcome yet failed for `reason`; a retry works the whole batch again."""
    rest = max(0, batch.size - so_far.seen)
    failed = {**so_far.failed, reason: so_far.failed.get(reason, 0) + rest} if rest else so_far.failed
    result = msgspec.structs.replace(so_far, seen=so_far.seen + rest, failed=failed)
    app.store.settle(batch, owner, BatchStatus.FAILED, result, app.now())


def _log_done(app: ImportApp, run: Run, batch: Batch, result: BatchResult) -> None:
    _log.info(
        "batch done",
        run_id=run.run_id,
        kind=run.kind.value,
        batch_id=batch.batch_id,
        seen=result.seen,
        sent=result.sent,
        skipped=total(result.skipped),
        failed=total(result.failed),
        cursor=app.store.summary(run.run_id, app.now(), 1.0).cursor,
    )
