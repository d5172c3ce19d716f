"""What people ask of imports, of one kind or of all (http-api.md): start, stop, resume, retry."""

from __future__ import annotations

from shared.budget import Budget
from shared.bulk import chain, chain_control, control
from shared.bulk import run as states
from shared.bulk.app import ImportApp
from shared.bulk.control import NotPossible
from shared.bulk.finish import RATE_WINDOW_S
from shared.bulk.records import Kind, Run, RunOptions


def start(app: ImportApp, kind: Kind, options: RunOptions, budget: Budget) -> Run:
    """Start an import of a kind, or of all. Raises `Locked`, or what the clients and the store raise; then nothing goes on."""
    if kind is Kind.ALL:
        return chain_control.start_chain(app, options, budget)
    return control.start(app, kind, options, budget)


def stop(app: ImportApp, kind: Kind) -> Run:
    """Stop the run of a kind that is under way, and with it its chain. Raises `NothingRuns`."""
    if kind is Kind.ALL:
        return chain_control.stop_chain(app)
    stopped = control.stop(app, kind)
    chain.go_on(app, stopped.run_id)
    return stopped


def resume(app: ImportApp, run_id: str, budget: Budget) -> Run:
    """Continue a run that does not go on; for a link that is its chain, which is returned.

    Raises `NoSuchRun`, `NotPossible` (it is running, finished, or another run took its place), `Locked`.
    """
    run, whole = _known(app, run_id)
    if whole.kind is not Kind.ALL:
        return control.resume(app, run_id, budget)
    if not states.can_resume(run, app.now()):
        raise NotPossible(f"run {run_id} is {states.shown_status(run, app.now())}, so there is nothing to resume")
    return chain_control.resume_chain(app, whole, budget)


def retry(app: ImportApp, run_id: str, budget: Budget) -> Run:
    """Start a new run over only the failed items of one that has come to its end; of a chain each link has its own.

    Raises `NoSuchRun`, `NotPossible` (it has not ended or can still be resumed, or nothing failed), `Locked`.
    """
    run, _ = _known(app, run_id)
    if run.kind is not Kind.ALL:
        return control.retry(app, run_id, budget)
    failed = [link.run_id for link in chain.links_of(app, run).values() if link and _has_failures(app, link)]
    if not failed:
        raise NotPossible(f"nothing failed in run {run_id}")
    shown = ", ".join(f"ct-klaviyo retry {link_id}" for link_id in failed)
    raise NotPossible(f"run {run_id} is a chain, whose links are retried one by one: {shown}")


def _known(app: ImportApp, run_id: str) -> tuple[Run, Run]:
    """The run and the chain that it belongs to (or itself) as they stand once whatever has ended is settled.

    Whoever ended a link may have died before the chain's step. Raises `NoSuchRun`.
    """
    run = control.known(app, run_id)
    if run.kind is not Kind.ALL and run.parent is None:
        return run, run
    whole_id = run.parent or run_id
    chain.finish_check_of_chain(app, whole_id)
    return control.known(app, run_id), control.known(app, whole_id)


def _has_failures(app: ImportApp, run: Run) -> bool:
    summary = app.store.summary(run.run_id, app.now(), RATE_WINDOW_S)
    return bool(summary.result.failed or summary.failed_batches)
