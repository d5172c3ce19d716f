"""A chain: one import after the other of all kinds, `POST /sync/all` (http-api.md, flows.md "One import").

The chain is a run without ranges and without a lock; its links are ordinary runs whose ids follow from its own. Nobody works
on the chain itself: whatever delivery finds a link at its end takes the next step. A step looks at what is recorded and
does what comes next, so it may be taken twice, at once by several, or be cut off anywhere.
"""

from __future__ import annotations

import msgspec

from shared import logs
from shared.budget import Budget, budget_of
from shared.bulk import control
from shared.bulk import run as states
from shared.bulk.app import ImportApp
from shared.bulk.control import Locked, NotPossible
from shared.bulk.finish import finish_check, keep_chain, stop_run
from shared.bulk.records import LINKS, Kind, Run, RunStatus, child_id
from shared.errors import Interrupted, StaleWrite, SyncError, TransientError
from shared.outcomes import TABLE, BulkAction, situation_of

STEP_S = 60.0
"""How long a step may take; no more than starting a run does."""

_WELL_ENDED = frozenset({RunStatus.COMPLETED, RunStatus.COMPLETED_WITH_ERRORS})

_log = logs.get(__name__)


def go_on(app: ImportApp, run_id: str, *, begins_closing: bool = True) -> None:
    """The end of every delivery: the run's finish check, and if it is a link that has ended, the next step of its chain.

    `begins_closing` as for the check. Raises `TransientError` when that step could not be taken now, so that the message
    comes again.
    """
    finish_check(app, run_id, begins_closing=begins_closing)
    run = app.store.run(run_id)
    if run is None or run.parent is None:
        return
    _begun(app, run.parent)
    if run.status not in states.ACTIVE:
        advance(app, run.parent)


def advance(app: ImportApp, chain_id: str) -> None:
    """Take the next steps of a chain until one of its links is under way, or it has ended.

    Safe to call at any time by anybody. What keeps a link from beginning halts the chain, but for what passes by itself:
    that raises `TransientError`.
    """
    budget = budget_of(STEP_S)
    try:
        take_steps(app, chain_id, budget)
    except (NotPossible, StaleWrite, Interrupted) as error:
        raise TransientError(f"chain {chain_id} goes on in the next delivery") from error
    except Locked as locked:
        halt(app, chain_id, locked)
    except SyncError as error:
        if TABLE[situation_of(error)].step is BulkAction.REDELIVER:
            raise
        halt(app, chain_id, error)


def links_of(app: ImportApp, chain: Run) -> dict[Kind, Run | None]:
    """The links of a chain in their order; None for those that have not begun."""
    return {kind: app.store.run(child_id(chain.run_id, kind)) for kind in LINKS}


def finish_check_of_chain(app: ImportApp, chain_id: str) -> None:
    """Bring a chain and its links into their final states if they are to; begins nothing, so anybody may call it at any time."""
    if chain := app.store.run(chain_id):
        for kind in LINKS:
            finish_check(app, child_id(chain_id, kind), begins_closing=False)
        _next(app, chain)


def take_steps(app: ImportApp, chain_id: str, budget: Budget) -> None:
    """What `advance` does, with whatever keeps a link from beginning raised."""
    while _step(app, chain_id, budget):
        continue


def _step(app: ImportApp, chain_id: str, budget: Budget) -> bool:
    """One step by what is recorded; whether another may follow at once."""
    chain = app.store.run(chain_id)
    kind = _next(app, chain) if chain else None
    if chain is None or kind is None:
        return False
    link = app.store.run(child_id(chain_id, kind))
    if link is None:
        keep_chain(app, chain_id)
        _start_link(app, chain, kind, budget)
    elif link.parent_fence != chain.fence:
        keep_chain(app, chain_id)
        _take_up_link(app, chain, link, budget)
    elif link.status in states.ACTIVE:
        if link.status is RunStatus.ACCEPTED:
            announce(app, chain_id, link)  # whoever recorded it may have died before
        return False
    return True


def _next(app: ImportApp, chain: Run) -> Kind | None:
    """The kind whose link is under way or to begin; None when the chain does not go on, after it was brought to its end."""
    if chain.status not in states.GOING_ON:
        stop_links(app, chain)
        return None
    links = links_of(app, chain)
    kind = _current(links)
    link = links[kind] if kind else None
    if kind is None:
        _end(app, chain.run_id, _end_of(links))
    elif link is None:
        return kind
    elif link.status is RunStatus.ABANDONED:
        control.abandon(app, chain.run_id)
    elif link.status in states.ACTIVE or link.parent_fence != chain.fence:
        return kind
    else:
        _end(app, chain.run_id, link.status, _reason_of(link))
    return None


def _current(links: dict[Kind, Run | None]) -> Kind | None:
    """The first kind whose link has not ended well, or is still to begin; None when all have."""
    return next((kind for kind, link in links.items() if link is None or link.status not in _WELL_ENDED), None)


def _end_of(links: dict[Kind, Run | None]) -> RunStatus:
    errors = any(link.status is RunStatus.COMPLETED_WITH_ERRORS for link in links.values() if link)
    return RunStatus.COMPLETED_WITH_ERRORS if errors else RunStatus.COMPLETED


def _reason_of(link: Run) -> str | None:
    return f"{link.kind.value}: {link.halt_reason}" if link.halt_reason else None


def _start_link(app: ImportApp, chain: Run, kind: Kind, budget: Budget) -> None:
    link_id = child_id(chain.run_id, kind)
    try:
        link = control.begin(app, kind, link_id, chain.options, budget, parent=chain)
    except Locked as locked:
        if locked.run_id == link_id:
            raise TransientError(f"run {link_id} is being started by another delivery, or was by one that died") from None
        raise
    announce(app, chain.run_id, link)


def _take_up_link(app: ImportApp, chain: Run, link: Run, budget: Budget) -> None:
    """The chain was resumed: its link goes on under it, whether it has stopped or somebody works on it still."""
    try:
        if states.can_resume(link, app.now()):
            control.take_up(app, link, budget, parent_fence=chain.fence)
        else:
            app.store.save(msgspec.structs.replace(link, parent_fence=chain.fence))
    except (NotPossible, StaleWrite):
        return  # it was changed meanwhile: the next step looks again
    _stop_beside(app, chain.run_id, link.run_id)


def announce(app: ImportApp, chain_id: str, link: Run) -> None:
    """Have a link planned, unless its chain was asked to stop before anybody could see the link."""
    if not _stop_beside(app, chain_id, link.run_id):
        control.publish_first_plans(app, link)


def _stop_beside(app: ImportApp, chain_id: str, link_id: str) -> bool:
    """Stop a link whose chain does not go on; whether that was so.

    A link is recorded before this look, a chain's stop before it looks for links: one of the two sees the other.
    """
    chain = app.store.run(chain_id)
    if chain and chain.status in states.GOING_ON:
        return False
    stop_run(app, link_id)
    return True


def stop_links(app: ImportApp, chain: Run) -> None:
    """Nothing of a chain that does not go on goes on; it has stopped when nothing of it is worked any more."""
    for link in links_of(app, chain).values():
        if link and link.status in states.ACTIVE:
            stop_run(app, link.run_id)
    links = links_of(app, chain)
    if chain.status is not RunStatus.STOPPING or any(link.status in states.ACTIVE for link in links.values() if link):
        return
    kind = _current(links)
    link = links[kind] if kind else None
    if kind is None:
        _end(app, chain.run_id, _end_of(links))
    elif link and link.status is RunStatus.HALTED and link.parent_fence == chain.fence:
        _end(app, chain.run_id, RunStatus.HALTED, _reason_of(link))
    else:
        _end(app, chain.run_id, RunStatus.STOPPED)


def halt(app: ImportApp, chain_id: str, error: SyncError) -> None:
    """Halt a chain for a person; a link that was to go on, and of which nobody was told, goes on with it."""
    _log.error("run halted", run_id=chain_id, kind=Kind.ALL.value, error=error)
    _end(app, chain_id, RunStatus.HALTED, f"{error}; then go on with: ct-klaviyo resume {chain_id}")
    if chain := app.store.run(chain_id):
        stop_links(app, chain)


def _end(app: ImportApp, chain_id: str, status: RunStatus, halt_reason: str | None = None) -> None:
    """Bring a chain into a final state, unless it has one."""
    while (chain := app.store.run(chain_id)) and chain.status in states.ACTIVE:
        now = app.now()
        ended = msgspec.structs.replace(chain, status=status, halt_reason=halt_reason, finished_at=now, updated_at=now)
        try:
            app.store.save(ended)
        except StaleWrite:
            continue
        _log.info("run finished", run_id=chain_id, kind=chain.kind.value, status=status.value)


def _begun(app: ImportApp, chain_id: str) -> None:
    """A chain runs as soon as anybody has worked on its first link."""
    chain = app.store.run(chain_id)
    if chain and chain.status is RunStatus.ACCEPTED:
        try:
            app.store.save(states.begun(chain, app.now()))
        except StaleWrite:
            return
