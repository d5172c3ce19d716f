"""Working one batch: lease it, bring its items over, write its result once (flows.md "One import", the `work` message)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import msgspec

from shared import logs
from shared.budget import Budget, budget_of
from shared.bulk.app import ImportApp
from shared.bulk.customers import import_customers
from shared.bulk.finish import finish_check, stop_run
from shared.bulk.messages import WorkMessage
from shared.bulk.ports import NotTaken
from shared.bulk.records import Batch, BatchResult, BatchStatus, Kind, Run
from shared.bulk.results import added
from shared.bulk.tally import Step
from shared.bulk.watch import RunWatch, batch_lease_from
from shared.errors import AuthError, HostDown, Interrupted, PermanentError, RateLimited, StaleWrite, TransientError

MOST_ATTEMPTS = 8
"""Attempts after which a batch is recorded as failed (flows.md "The finish check")."""

KIND_WORK: Mapping[Kind, Callable[[ImportApp, Run, Batch, Budget], Iterator[Step]]] = {Kind.CUSTOMERS: import_customers}
"""How the items of each kind are brought over; a step at a time, in the batch's order."""

_log = logs.get(__name__)


def work_batch(app: ImportApp, message: WorkMessage, owner: str, budget_s: float) -> None:
    """Work the batch that the message names; `owner` is a name for this delivery alone.

    Returns when the message is done with. Raises `TransientError` when it is to be delivered again. Wrong credentials
    halt the run.
    """
    now = app.now()
    taken = app.store.take(message.run_id, message.fence, message.batch_id, owner, now, batch_lease_from(now))
    if taken is NotTaken.HELD:
        raise TransientError(f"batch {message.batch_id} is being worked by another delivery")
    run = app.store.run(message.run_id)
    if isinstance(taken, Batch) and run is not None:
        try:
            _work(app, run, taken, owner, budget_s)
        except StaleWrite:
            raise TransientError(f"batch {message.batch_id} was taken over") from None
    finish_check(app, message.run_id)


def fail_batch(app: ImportApp, message: WorkMessage, owner: str) -> None:
    """Record a batch as failed whose message the queue gave up on, because its worker died each time."""
    now = app.now()
    taken = app.store.take(message.run_id, message.fence, message.batch_id, owner, now, batch_lease_from(now))
    if taken is NotTaken.HELD:
        raise TransientError(f"batch {message.batch_id} is being worked by another delivery")
    if isinstance(taken, Batch):
        _settle_failed(app, taken, owner, taken.result, "worker_died")
    finish_check(app, message.run_id)


class _Progress:
    """What is known of a batch so far: kept when the work ends early."""

    def __init__(self, batch: Batch) -> None:
        self.cursor, self.result = batch.cursor, batch.result

    def add(self, step: Step) -> None:
        self.cursor, self.result = step.cursor, added([self.result, step.result])


def _work(app: ImportApp, run: Run, batch: Batch, owner: str, budget_s: float) -> None:
    if batch.attempts > MOST_ATTEMPTS:
        _settle_failed(app, batch, owner, batch.result, "worker_died")
        return
    progress = _Progress(batch)

    def put_back(*, count_attempt: bool) -> None:
        app.store.put_back(batch, owner, cursor=progress.cursor, result=progress.result, count_attempt=count_attempt)

    watch = RunWatch(app, run.run_id, run.fence, batch, owner)
    try:
        for step in KIND_WORK[run.kind](app, run, batch, budget_of(budget_s, check_stop=watch)):
            progress.add(step)
        app.store.settle(batch, owner, BatchStatus.DONE, progress.result, app.now())
    except Interrupted as interrupted:
        late = interrupted.cause is Interrupted.Cause.DEADLINE
        put_back(count_attempt=late and progress.cursor == batch.cursor)  # a batch that never gets on must end some day
        if late:
            raise TransientError(f"batch {batch.batch_id} goes on in the next delivery") from None
        return
    except StaleWrite:
        raise
    except AuthError as error:
        put_back(count_attempt=False)
        _log.error("run halted", run_id=run.run_id, kind=run.kind.value, host=error.host.value, http_status=error.status)
        stop_run(app, run.run_id, halt_reason=str(error))
        return
    except (HostDown, RateLimited):
        put_back(count_attempt=False)
        raise
    except PermanentError as error:
        _log.error("batch refused", run_id=run.run_id, batch_id=batch.batch_id, error=error)
        _settle_failed(app, batch, owner, progress.result, error.reason)
        return
    except Exception as error:
        _failed_attempt(app, batch, owner, progress, error)
        return
    _log_done(app, run, batch, progress.result)


def _failed_attempt(app: ImportApp, batch: Batch, owner: str, progress: _Progress, error: Exception) -> None:
    """An attempt ended on a fault that may be the batch's own: try again by redelivery, or give up."""
    reason = type(error).__name__
    if batch.attempts >= MOST_ATTEMPTS:
        _log.error("batch failed", run_id=batch.run_id, batch_id=batch.batch_id, attempts=batch.attempts, error_type=reason)
        _settle_failed(app, batch, owner, progress.result, reason)
        return
    app.store.put_back(batch, owner, cursor=progress.cursor, result=progress.result, count_attempt=True)
    if isinstance(error, TransientError):
        raise error
    _log.exception(
        "batch attempt failed", run_id=batch.run_id, batch_id=batch.batch_id, attempts=batch.attempts, error_type=reason
    )
    raise TransientError(f"batch {batch.batch_id}: {reason}") from None


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
        skipped=sum(result.skipped.values()),
        failed=sum(result.failed.values()),
        cursor=app.store.summary(run.run_id, app.now(), 1.0).cursor,
    )
