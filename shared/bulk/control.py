"""Starting, stopping, resuming and retrying imports of one kind (http-api.md)."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from shared import logs
from shared.budget import Budget
from shared.bulk import plan
from shared.bulk import run as states
from shared.bulk.app import ImportApp
from shared.bulk.finish import RATE_WINDOW_S, finish_check, release_lock, stop_run
from shared.bulk.publish import publish_plans, publish_work
from shared.bulk.records import LINKS, BatchStatus, IdRange, Kind, Run, RunOptions, RunStatus, child_id
from shared.bulk.source import changed_since, count_items
from shared.commercetools.lock import Held
from shared.errors import StaleWrite, SyncError

_PUBLISH_AT_ONCE = 500

_log = logs.get(__name__)


class Locked(SyncError):
    """A run of this kind is under way, here or elsewhere; `run_id` and `since` as far as they are known."""

    def __init__(self, kind: Kind, run_id: str | None, since: str | None) -> None:
        self.kind, self.run_id, self.since = kind, run_id, since
        if run_id is None:
            message = (
                f"another product holds the import lock of {kind.value}, without a time limit; "
                f"when nothing runs there, clear it with: ct-klaviyo unlock {kind.value}"
            )
        else:
            message = f"an import of {kind.value} is under way; wait for it, or stop it with: ct-klaviyo stop {kind.value}"
        super().__init__(message)


class NothingRuns(SyncError):
    """There is no run of this kind to stop."""

    def __init__(self, kind: Kind) -> None:
        super().__init__(f"no import of {kind.value} is running; see: ct-klaviyo status")


class NoSuchRun(SyncError):
    """The run is unknown."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"there is no run {run_id}; see: ct-klaviyo runs")


class NotPossible(SyncError):
    """The run is not in a state that allows this."""


def start(app: ImportApp, kind: Kind, options: RunOptions, budget: Budget) -> Run:
    """Start an import of one kind: take the lock, record the run, publish one plan message for each range.

    An interrupted run of the kind is abandoned, unless it was asked to stop; such a run can still be resumed afterwards, as
    can a stopped or halted one. Raises `Locked`, or what the clients and the store raise; then nothing goes on, and at most
    a lease is left that runs out.
    """
    return announced(app, begin(app, kind, app.new_id(), options, budget))


def begin(
    app: ImportApp,
    kind: Kind,
    run_id: str,
    options: RunOptions,
    budget: Budget,
    *,
    parent: Run | None = None,
    first: Callable[[], object] = lambda: None,
) -> Run:
    """Take the lock and record the run, as a link of the chain `parent` if there is one; nobody is told of it yet.

    `first` is called when the lock is ours and all is ready to be recorded. A run of this id that is there already, made by
    another delivery, is returned as it is. Raises as `start`.
    """
    previous = once_settled(app, app.store.current(kind), but=run_id)
    refuse_beside(app, previous, but=run_id)
    if there := app.store.run(run_id):
        return there  # and its lock is its own: nobody takes that from it
    fence = _lock_with_fence(app, kind, run_id, previous, budget)
    try:
        previous = app.store.current(kind)  # somebody may have resumed it before the lock was ours
        refuse_beside(app, previous, but=run_id)
        if there := app.store.run(run_id):
            release_lock(app, kind, run_id, fence)
            return there
        _refuse_overtaken(previous, fence)
        run, ranges = _new_run(app, kind, run_id, fence, options, budget)
        if parent:
            run = msgspec.structs.replace(run, parent=parent.run_id, parent_fence=parent.fence)
        first()
        app.store.create(run, ranges)
    except BaseException:
        release_lock(app, kind, run_id, fence)
        raise
    abandon_other(app, previous, run_id)
    _log.info("run accepted", run_id=run_id, kind=kind.value, ranges=len(ranges), total=run.total)
    return run


def announced(app: ImportApp, run: Run) -> Run:
    """The run, once the planning of its ranges is in the queue; if that fails it is stopped, and the error raised."""
    try:
        publish_first_plans(app, run)
    except BaseException:
        stop_run(app, run.run_id)
        raise
    return run


def publish_first_plans(app: ImportApp, run: Run) -> None:
    """Have the ranges of a run planned with which it begins; twice does no harm."""
    publish_plans(app, run, [part.index for part in app.store.ranges(run.run_id) if plan.may_run(part, open_settled=False)])


def refuse_beside(app: ImportApp, other: Run | None, *, but: str = "") -> None:
    """Raises `Locked` when this run is under way; `but` is the id of the one that may be."""
    if other and other.run_id != but and states.blocks_start(other, app.now()):
        raise Locked(other.kind, other.run_id, other.started_at.isoformat())


def stop(app: ImportApp, kind: Kind) -> Run:
    """Stop the run of a kind that is under way; raises `NothingRuns`."""
    current = app.store.current(kind)
    stopped = stop_run(app, current.run_id) if current else None
    if stopped is None:
        raise NothingRuns(kind)
    return stopped


def resume(app: ImportApp, run_id: str, budget: Budget) -> Run:
    """Continue a stopped, halted or interrupted run of one kind where it was, under a new fence.

    Another one that was interrupted is abandoned, as by a start, unless it was asked to stop. Raises `NoSuchRun`,
    `NotPossible` (it is running, finished, or another run took its place), `Locked`.
    """
    run = known(app, run_id)
    if not states.can_resume(run, app.now()):
        raise NotPossible(f"run {run_id} is {states.shown_status(run, app.now())}, so there is nothing to resume")
    return take_up(app, run, budget)


def take_up(app: ImportApp, run: Run, budget: Budget, *, parent_fence: int | None = None) -> Run:
    """Continue a run that does not go on; `parent_fence` is that of its chain, which wants it. Raises as `resume`."""
    run_id = run.run_id
    previous = once_settled(app, app.store.current(run.kind), but=run_id)
    refuse_beside(app, previous, but=run_id)
    left_by = run if previous is None or previous.run_id == run_id else previous  # as it was when it did not go on
    fence = _lock_with_fence(app, run.kind, run_id, left_by, budget)
    try:
        previous = app.store.current(run.kind)
        refuse_beside(app, previous, but=run_id)
        _refuse_overtaken(previous, fence)
        taken = msgspec.structs.replace(states.resumed(run, app.now(), fence), parent_fence=parent_fence)
        run = app.store.save(taken)
    except StaleWrite as error:
        release_lock(app, run.kind, run_id, fence)
        raise NotPossible(
            f"run {run_id} was resumed or changed by somebody else just now; look at it with: ct-klaviyo run {run_id}"
        ) from error
    except BaseException:
        release_lock(app, run.kind, run_id, fence)
        raise
    abandon_other(app, previous, run_id)
    app.store.requeue(run_id, fence)
    _log.info("run resumed", run_id=run_id, kind=run.kind.value, fence=fence)
    _publish_left(app, run)
    finish_check(app, run_id, begins_closing=False)  # what is left includes the closing ranges, if their time has come
    return app.store.run(run_id) or run


def retry(app: ImportApp, run_id: str, budget: Budget) -> Run:
    """Start a new run over only the failed items of one that has come to its end.

    Raises `NoSuchRun`, `NotPossible` (it has not ended or can still be resumed, or nothing failed), `Locked`.
    """
    run = known(app, run_id)
    shown = states.shown_status(run, app.now())
    if states.can_resume(run, app.now()):
        raise NotPossible(f"run {run_id} is {shown}; resume it first, then retry what has failed: ct-klaviyo resume {run_id}")
    if run.status in states.ACTIVE:
        raise NotPossible(f"run {run_id} is {shown}; retry it when it has ended")
    summary = app.store.summary(run_id, app.now(), RATE_WINDOW_S)
    if not summary.result.failed and not summary.failed_batches:
        raise NotPossible(f"nothing failed in run {run_id}")
    options = msgspec.structs.replace(run.options, ids=None, start_id=None, retry_of=run_id)
    return start(app, run.kind, options, budget)


def known(app: ImportApp, run_id: str) -> Run:
    """The run as it stands once whatever has ended is settled. Raises `NoSuchRun`."""
    run = app.store.run(run_id)
    if run is None:
        raise NoSuchRun(run_id)
    finish_check(app, run_id, begins_closing=False)
    return app.store.run(run_id) or run


def once_settled(app: ImportApp, previous: Run | None, *, but: str = "") -> Run | None:
    """The current run, which another one is to replace, once whatever has ended is settled: what has stopped, say, can be
    resumed later, and only what has not is abandoned. The run `but`, which is to go on itself, is left as it is.
    """
    if previous is None or previous.run_id == but or previous.status not in states.ACTIVE:
        return previous
    finish_check(app, previous.run_id, begins_closing=False)
    return app.store.run(previous.run_id)


def _lock_with_fence(app: ImportApp, kind: Kind, run_id: str, previous: Run | None, budget: Budget) -> int:
    """Take the import lock under a new fence, which is returned.

    One left by `previous`, which does not go on under its fence, is taken from it.
    """
    fence = app.store.next_fence(kind)
    instead_of = states.lock_owner(previous.run_id, previous.fence) if previous else None
    owner = states.lock_owner(run_id, fence)
    taken = app.lock.take(kind, owner, states.LEASE_S, budget, instead_of=instead_of)
    if isinstance(taken, Held):
        raise Locked(kind, taken.run_id, taken.since)
    return fence


def _refuse_overtaken(current: Run | None, fence: int) -> None:
    """Raises `StaleWrite` when a run was started or resumed, and has ended, between our fence and our lock.

    Under the lower fence, ours would be under way without being the current one.
    """
    if current and current.fence > fence:
        raise StaleWrite(f"run {current.run_id} was started or resumed just now")


def _new_run(
    app: ImportApp, kind: Kind, run_id: str, fence: int, options: RunOptions, budget: Budget
) -> tuple[Run, list[IdRange]]:
    if options.ids is not None:
        total: int | None = len(options.ids)
    elif options.retry_of is not None or options.delete_all:
        total = None
    else:
        total = count_items(app, kind, options, budget)
    ranges = plan.ranges_of(kind, options, total, changed_since(app))
    now = app.now()
    run = Run(
        run_id=run_id,
        kind=kind,
        status=RunStatus.ACCEPTED,
        fence=fence,
        lease_until=states.lease_from(now),
        started_at=now,
        updated_at=now,
        resumed_at=now,
        options=options,
        total=total,
    )
    return run, ranges


def abandon_other(app: ImportApp, previous: Run | None, run_id: str) -> None:
    """The run `run_id` is the current one of its kind from now on: `previous`, if it was interrupted, is abandoned.

    One that was asked to stop does nothing more and ends by itself, so it stays what people made it: to be resumed later.
    """
    if previous and previous.run_id != run_id and previous.status in states.GOING_ON:
        abandon(app, previous.run_id)


def abandon(app: ImportApp, run_id: str) -> None:
    """Another run takes the place of one that does not go on; a chain ends with any of its links, and they end with it."""
    while (run := app.store.run(run_id)) and run.status not in states.FINISHED:
        try:
            app.store.save(states.abandoned(run, app.now()))
        except StaleWrite:
            continue
        linked = [run.parent] if run.parent else []
        linked += [child_id(run_id, kind) for kind in LINKS] if run.kind is Kind.ALL else []
        for other in linked:
            abandon(app, other)


def _publish_left(app: ImportApp, run: Run) -> None:
    """Put everything into the queue that is to be planned or worked; what is held back waits until its range is planned."""
    settled = app.store.summary(run.run_id, app.now(), RATE_WINDOW_S).open_settled
    ranges = app.store.ranges(run.run_id)
    publish_plans(app, run, [part.index for part in ranges if plan.may_run(part, open_settled=settled)])
    held_back = {part.index for part in ranges if plan.is_held_back(part)}
    after = ""
    while True:
        queued = app.store.batches(run.run_id, [BatchStatus.QUEUED], after=after, limit=_PUBLISH_AT_ONCE)
        if queued:
            publish_work(app, run, [batch.batch_id for batch in queued if batch.range_index not in held_back])
            after = queued[-1].batch_id
        if len(queued) < _PUBLISH_AT_ONCE:
            return
