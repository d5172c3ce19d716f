"""Planning: one slice of one range becomes batches in the queue (flows.md "One import", the `plan` message)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shared import logs
from shared.budget import Budget, budget_of
from shared.bulk import feeds, plan
from shared.bulk import run as states
from shared.bulk.app import ImportApp
from shared.bulk.chain import go_on
from shared.bulk.finish import RATE_WINDOW_S, stop_run
from shared.bulk.messages import PlanMessage
from shared.bulk.publish import publish_plans, publish_work
from shared.bulk.records import Batch, BatchStatus, Feed, IdRange, Run, RunStatus, batch_id
from shared.bulk.source import LAST_PAGE_S, ids_after
from shared.bulk.watch import RunWatch
from shared.errors import Interrupted, StaleWrite, SyncError
from shared.outcomes import TABLE, BulkAction, situation_of

_RETRY_PAGE = 20  # a record may be 700 KB
_SETTLED = (BatchStatus.DONE, BatchStatus.FAILED)

_log = logs.get(__name__)


def plan_slice(app: ImportApp, message: PlanMessage, slice_s: float) -> None:
    """Plan batches of one range until its end, or until `slice_s` seconds are over; then leave the rest to a new message.

    A closing range is left alone until everything before it is settled. Raises `TransientError` when the message is to be
    delivered again. Wrong credentials and a refused query halt the run.
    """
    run = app.store.run(message.run_id)
    is_closing = False
    if run is not None and states.accepts(run, message.fence):
        is_closing = app.store.ranges(run.run_id)[message.range_index].closing
        watch = RunWatch(app, run.run_id, run.fence)
        try:
            _plan_range(app, _running(app, run), message.range_index, budget_of(slice_s, check_stop=watch))
        except Interrupted as interrupted:
            if interrupted.cause is Interrupted.Cause.DEADLINE:
                publish_plans(app, run, [message.range_index])
                return
        except StaleWrite:
            _log.info("range planned elsewhere", run_id=run.run_id, range_id=message.range_index)
        except SyncError as error:
            if TABLE[situation_of(error)].step is BulkAction.REDELIVER:
                raise
            _log.error("run halted", run_id=run.run_id, kind=run.kind.value, error=error)  # no query, no import
            stop_run(app, run.run_id, halt_reason=str(error))
    go_on(app, message.run_id, begins_closing=not is_closing)


def _running(app: ImportApp, run: Run) -> Run:
    """The run, marked as running; whoever comes second finds it done."""
    while run.status is RunStatus.ACCEPTED:
        try:
            return app.store.save(states.begun(run, app.now()))
        except StaleWrite:
            run = app.store.run(run.run_id) or run
    return run


def _plan_range(app: ImportApp, run: Run, index: int, budget: Budget) -> None:
    current = app.store.ranges(run.run_id)[index]
    if current.closing and not app.store.summary(run.run_id, app.now(), RATE_WINDOW_S).open_settled:
        return  # who settles the last batch before it publishes its message again
    _publish_recorded(app, run, current)
    while not current.done:
        after, batches = _next(app, run, current, budget)
        app.store.record(run.run_id, run.fence, current, after, batches)
        _publish_recorded(app, run, after)
        current = after
        if not current.done and budget.remaining_s < LAST_PAGE_S:
            # A page that is cut off would bring this message back, each time after a longer pause, instead of a new one at once.
            raise Interrupted(Interrupted.Cause.DEADLINE)


def _publish_recorded(app: ImportApp, run: Run, part: IdRange) -> None:
    publish_work(app, run, [batch_id(part.index, number) for number in plan.unpublished(part)])


def _next(app: ImportApp, run: Run, current: IdRange, budget: Budget) -> tuple[IdRange, list[Batch]]:
    """The range one step further, and the batches of that step."""
    size = plan.BATCH_SIZES[run.kind]
    budget.check()
    if run.options.retry_of is not None:
        return _retried(app, run, run.options.retry_of, current, budget)
    if run.options.ids is not None:
        return plan.listed(current, run.run_id, run.options.ids, size)
    if current.feed is not None:
        return plan.fed(current, run.run_id, feeds.page_of(app, run, current, size, budget), size)
    ids, ended = ids_after(app, run, current, size, budget)
    return plan.scanned(current, run.run_id, ids, ended=ended)


def _retried(app: ImportApp, run: Run, old_run_id: str, current: IdRange, budget: Budget) -> tuple[IdRange, list[Batch]]:
    ranges = app.store.ranges(old_run_id)
    of_variants = frozenset(part.index for part in ranges if part.feed is Feed.KLAVIYO_VARIANTS)
    page = app.store.batches(old_run_id, _SETTLED, after=current.cursor or "", limit=_RETRY_PAGE)
    wants_variants = current.feed is Feed.KLAVIYO_VARIANTS
    elsewhere = plan.NO_FAILURES
    if plan.failures_of(page).ids:
        beside = [part for part in ranges if (part.index in of_variants) == wants_variants]
        elsewhere = _failures_elsewhere(app, old_run_id, beside, page[-1].batch_id, budget)
    return plan.retried(
        current,
        run.run_id,
        page,
        plan.BATCH_SIZES[run.kind],
        ended=len(page) < _RETRY_PAGE,
        of_variants=of_variants,
        elsewhere=elsewhere,
    )


def _failures_elsewhere(app: ImportApp, run_id: str, ranges: Sequence[IdRange], behind: str, budget: Budget) -> plan.Failures:
    """What other steps of a retry bring that this one may have found as well.

    Scans meet no id twice, so these are the batches of a scan that failed as a whole, and, `behind` this step, what feeds
    gave. What this step leaves to a later one, that one does not leave to this.
    """
    wanted = {part.index: part.feed is not None for part in ranges}
    fed_from = min((index for index, is_fed in wanted.items() if is_fed), default=None)
    whole = _listed(app, run_id, [BatchStatus.FAILED], "", budget)
    spans = plan.failures_of(old for old in whole if old.ids is None and old.range_index in wanted).spans
    if fed_from is None:
        return plan.Failures(spans=spans)
    later = _listed(app, run_id, _SETTLED, max(behind, batch_id(fed_from, 0)), budget)
    return plan.Failures(plan.failures_of(old for old in later if wanted.get(old.range_index)).ids, spans)


def _listed(app: ImportApp, run_id: str, statuses: Sequence[BatchStatus], after: str, budget: Budget) -> Iterator[Batch]:
    """All batches in these states behind `after`, page by page."""
    while True:
        budget.check()
        page = app.store.batches(run_id, statuses, after=after, limit=_RETRY_PAGE)
        yield from page
        if len(page) < _RETRY_PAGE:
            return
        after = page[-1].batch_id
