"""The finish check and the run's lease: what every delivery does before it ends (flows.md "The finish check", "Leases")."""

from __future__ import annotations

from shared import logs
from shared.budget import budget_of
from shared.bulk import plan
from shared.bulk import run as states
from shared.bulk.app import ImportApp
from shared.bulk.publish import publish_plans
from shared.bulk.records import Kind, Run
from shared.bulk.results import total
from shared.errors import StaleWrite, SyncError, TransientError

RATE_WINDOW_S = 60.0
_LOCK_S = 15.0
_TRIES = 5

_log = logs.get(__name__)


def finish_check(app: ImportApp, run_id: str, *, begins_closing: bool = True) -> None:
    """Bring the run into its final state if nothing is left to do or to wait for, and release the import lock.

    If what it covers is settled, but its closing ranges have not begun, have these planned: the delivery that settles the
    last batch is not acknowledged before, so whatever it dies of, its redelivery comes here again. That several deliveries
    may publish the same does no harm; `begins_closing` is False for those that cannot be the first to see it.

    Safe to call at any time by anybody: the write of the final state is conditional, and only its winner releases the lock.
    Raises `TransientError`, also when others write the run's record each time: a delivery that gave way in silence might be
    the last one that could end the run.
    """
    for _ in range(_TRIES):
        run = app.store.run(run_id)
        if run is None or run.kind is Kind.ALL or run.status not in states.ACTIVE:  # a chain ends with its links
            return
        summary = app.store.summary(run_id, app.now(), RATE_WINDOW_S)
        final = states.settled(run, summary, app.now())
        if final is None:
            if begins_closing and states.may_close(run, summary):
                _begin_closing(app, run)
            return
        try:
            final = app.store.save(final)
        except StaleWrite:
            continue
        _log.info(
            "run finished",
            run_id=run_id,
            kind=run.kind.value,
            status=final.status.value,
            seen=summary.result.seen,
            sent=summary.result.sent,
            skipped=total(summary.result.skipped),
            failed=total(summary.result.failed),
        )
        release_lock(app, final.kind, final.run_id, final.fence)
        return
    raise TransientError(f"run {run_id} was changed by others {_TRIES} times while it was to end")


def _begin_closing(app: ImportApp, run: Run) -> None:
    waiting = [part.index for part in app.store.ranges(run.run_id) if part.closing and not plan.has_begun(part)]
    if waiting:
        _log.info("closing sweep", run_id=run.run_id, kind=run.kind.value, ranges=len(waiting))
        publish_plans(app, run, waiting)


def release_lock(app: ImportApp, kind: Kind, run_id: str, fence: int) -> None:
    """Give the import lock back; if that fails it runs out by itself, so the failure is only logged.

    A lock that a take-over of the same run holds by now is left alone.
    """
    try:
        app.lock.release(kind, states.lock_owner(run_id, fence), budget_of(_LOCK_S))
    except StaleWrite:
        return
    except SyncError as error:
        _log.warning("import lock not released, it runs out by itself", run_id=run_id, error=error)


def stop_run(app: ImportApp, run_id: str, halt_reason: str | None = None) -> Run | None:
    """Ask the run to stop, or to halt for a person when `halt_reason` is given; returns it, None if it was not active."""
    while True:
        run = app.store.run(run_id)
        if run is None or run.status not in states.ACTIVE:
            return None
        try:
            saved = app.store.save(states.stopping(run, app.now(), halt_reason))
        except StaleWrite:
            continue
        _log.info("run stopping", run_id=run_id, kind=run.kind.value, outcome="halt" if halt_reason else "stop")
        finish_check(app, run_id)
        return app.store.run(run_id) or saved


def keep_lease(app: ImportApp, run: Run) -> None:
    """Renew the run's lease once a third of it has passed; whoever wins that write renews those of lock and chain, too."""
    if not states.needs_renewal(run, app.now()):
        return
    try:
        renewed = app.store.save(states.renewed(run, app.now()))
    except StaleWrite:
        return
    if run.parent:
        keep_chain(app, run.parent)
    try:
        owner = states.lock_owner(renewed.run_id, renewed.fence)
        app.lock.renew(renewed.kind, owner, states.LEASE_S, budget_of(_LOCK_S))
    except StaleWrite:
        now_stored = app.store.run(run.run_id)
        if now_stored is None or not states.accepts(now_stored, run.fence):
            return  # the run has ended or was taken over meanwhile, and so the lock is not ours to renew
        _log.error("import lock lost to somebody else", run_id=run.run_id, kind=run.kind.value)
        stop_run(app, run.run_id, halt_reason="lock_lost")
    except SyncError as error:
        _log.warning("import lock not renewed", run_id=run.run_id, error=error)


def keep_chain(app: ImportApp, parent_id: str) -> None:
    """Renew the lease of a chain that has not ended: it is interrupted only when nothing of it works."""
    run = app.store.run(parent_id)
    if run and run.status in states.ACTIVE:
        try:
            app.store.save(states.renewed(run, app.now()))
        except StaleWrite:
            return  # whoever was quicker has shown a sign of life, or ended it
