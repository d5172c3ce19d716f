"""Starting, stopping and resuming a chain, as people ask for it (http-api.md); how it goes on by itself is in `chain`."""

from __future__ import annotations

from shared import logs
from shared.budget import Budget
from shared.bulk import control
from shared.bulk import run as states
from shared.bulk.app import ImportApp
from shared.bulk.chain import announce, finish_check_of_chain, halt, stop_links, take_steps
from shared.bulk.control import Locked, NothingRuns, NotPossible
from shared.bulk.finish import stop_run
from shared.bulk.records import LINKS, Kind, Run, RunOptions, RunStatus, child_id
from shared.commercetools.lock import Held
from shared.errors import StaleWrite, SyncError

_log = logs.get(__name__)


def start_chain(app: ImportApp, options: RunOptions, budget: Budget) -> Run:
    """Start a chain over all kinds, and its first link with it.

    An interrupted chain is abandoned, unless it was asked to stop. Raises `Locked` when another chain, or an import of any
    of the kinds, is under way anywhere, and what the clients and the store raise; then nothing goes on.
    """
    previous = _settled(app, app.store.current(Kind.ALL))
    control.refuse_beside(app, previous)
    for kind in LINKS:
        _refuse_if_busy(app, kind, budget)
    chain = _new_chain(app, options)

    def record() -> None:
        """Only now, under the first link's lock: of two starts at once one comes here, and the other was told."""
        control.refuse_beside(app, app.store.current(Kind.ALL))
        app.store.create(chain, [])

    first = child_id(chain.run_id, LINKS[0])
    try:
        link = control.begin(app, LINKS[0], first, options, budget, parent=chain, first=record)
        control.abandon_other(app, previous, chain.run_id)
        _log.info("run accepted", run_id=chain.run_id, kind=chain.kind.value)
        announce(app, chain.run_id, link)
    except BaseException:
        stop_chain_run(app, chain.run_id)
        raise
    return app.store.run(chain.run_id) or chain


def stop_chain(app: ImportApp) -> Run:
    """Stop the chain that is under way: the link that runs is stopped, and none begins; raises `NothingRuns`."""
    current = app.store.current(Kind.ALL)
    stopped = stop_chain_run(app, current.run_id) if current else None
    if stopped is None:
        raise NothingRuns(Kind.ALL)
    return stopped


def stop_chain_run(app: ImportApp, chain_id: str) -> Run | None:
    """Ask a chain to stop; returns it, None if it was not active."""
    stopping = stop_run(app, chain_id)
    if stopping is None:
        return None
    stop_links(app, stopping)
    return app.store.run(chain_id) or stopping


def resume_chain(app: ImportApp, chain: Run, budget: Budget) -> Run:
    """Continue a chain that does not go on: its link that has not ended, or else the next one.

    Another one that was interrupted is abandoned, as by a start, unless it was asked to stop. Raises `NotPossible`, `Locked`
    (another chain, or the kind that comes next), and what the clients and the store raise; then the chain is halted and can
    be resumed again.
    """
    if not states.can_resume(chain, app.now()):
        raise NotPossible(f"run {chain.run_id} is {states.shown_status(chain, app.now())}, so there is nothing to resume")
    previous = app.store.current(Kind.ALL)
    if previous and previous.run_id != chain.run_id:
        previous = _settled(app, previous)
    control.refuse_beside(app, previous, but=chain.run_id)
    try:
        chain = app.store.save(states.resumed(chain, app.now(), app.store.next_fence(Kind.ALL)))
    except StaleWrite as error:
        raise NotPossible(
            f"run {chain.run_id} was resumed or changed by somebody else just now; look at it with: ct-klaviyo run {chain.run_id}"
        ) from error
    _log.info("run resumed", run_id=chain.run_id, kind=chain.kind.value, fence=chain.fence)
    control.abandon_other(app, previous, chain.run_id)
    try:
        take_steps(app, chain.run_id, budget)
    except SyncError as error:
        halt(app, chain.run_id, error)
        raise
    return app.store.run(chain.run_id) or chain


def _settled(app: ImportApp, previous: Run | None) -> Run | None:
    """The current chain, which another one is to replace, once whatever has ended is settled: only what has not is abandoned."""
    if previous is None or previous.status not in states.ACTIVE:
        return previous
    finish_check_of_chain(app, previous.run_id)
    return app.store.run(previous.run_id)


def _refuse_if_busy(app: ImportApp, kind: Kind, budget: Budget) -> None:
    """Raise `Locked` when an import of this kind is under way, or somebody holds its lock who may be at work."""
    control.refuse_beside(app, control.once_settled(app, app.store.current(kind)))
    held = app.lock.read(kind, budget)
    if not isinstance(held, Held) or held.expired:
        return
    holder = app.store.run(held.run_id) if held.run_id else None
    if holder is None or states.blocks_start(holder, app.now()):
        raise Locked(kind, held.run_id, held.since)


def _new_chain(app: ImportApp, options: RunOptions) -> Run:
    now = app.now()
    return Run(
        run_id=app.new_id(),
        kind=Kind.ALL,
        status=RunStatus.ACCEPTED,
        fence=app.store.next_fence(Kind.ALL),
        lease_until=states.lease_from(now),
        started_at=now,
        updated_at=now,
        resumed_at=now,
        options=options,
    )
