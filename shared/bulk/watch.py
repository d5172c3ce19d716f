"""Looking, while working, whether the run still goes on, and staying its owner meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from shared import logs
from shared.bulk import run as states
from shared.bulk.app import ImportApp
from shared.bulk.finish import keep_lease
from shared.bulk.records import Batch, Run, RunStatus
from shared.errors import Interrupted, SyncError, TransientError

LOOK_EVERY_S = 1.0
BATCH_LEASE_S = 180.0
"""Longer than anything that a worker does without looking, so that a live one never loses its batch to a second one."""
_HOLD_AFTER_S = BATCH_LEASE_S / 3
_HOLD_AGAIN_S = 5.0
_HOLD_WITHIN_S = BATCH_LEASE_S * 2 / 3
"""How old a lease may grow that cannot be extended: what is under way then still ends before the lease does."""

_log = logs.get(__name__)


def batch_lease_from(now: datetime) -> datetime:
    """When a batch lease taken or renewed at `now` runs out."""
    return now + timedelta(seconds=BATCH_LEASE_S)


def _in_background(call: Callable[[], None]) -> None:
    """In a thread of its own: a look may happen inside a client that the renewal needs, too."""
    threading.Thread(target=call, name="run-lease", daemon=True).start()


class RunWatch:
    """A budget's `check_stop` for work on a run, and on one batch of it if `batch` is given.

    Looks at the store at most every `LOOK_EVERY_S` seconds. Raises `Interrupted` when the run is to stop or has been
    taken over, and when the batch's lease could not be extended in time; `StaleWrite` when the batch belongs to somebody
    else by now. Never a `TransientError`: the client inside which it is asked would take it for its host's. Several threads
    may share one.
    """

    def __init__(
        self,
        app: ImportApp,
        run_id: str,
        fence: int,
        batch: Batch | None = None,
        owner: str = "",
        monotonic: Callable[[], float] = time.monotonic,
        in_background: Callable[[Callable[[], None]], None] = _in_background,
    ) -> None:
        self._in_background, self._renewing = in_background, threading.Lock()
        self._app, self._run_id, self._fence = app, run_id, fence
        self._batch, self._owner = batch, owner
        self._monotonic = monotonic
        self._looked = monotonic()
        self._leased = monotonic()
        self._hold_at, self._silent = self._leased + _HOLD_AFTER_S, False
        self._lock = threading.Lock()

    def __call__(self) -> None:
        """Look, if the last look is old enough."""
        with self._lock:
            if self._monotonic() - self._looked < LOOK_EVERY_S:
                return
            self._looked = self._monotonic()
        self.look()

    def look(self) -> None:
        """Look now."""
        self._look_at_run()
        if self._batch is not None:
            self._keep(self._batch)

    def _look_at_run(self) -> None:
        try:
            run = self._app.store.run(self._run_id)
        except TransientError:
            return  # the store is away for a moment: the conditional writes guard what matters
        if run is None or run.fence != self._fence:
            raise Interrupted(Interrupted.Cause.SUPERSEDED)
        if run.status is RunStatus.STOPPING:
            raise Interrupted(Interrupted.Cause.STOP)
        if not states.accepts(run, self._fence):
            raise Interrupted(Interrupted.Cause.SUPERSEDED)
        if states.needs_renewal(run, self._app.now()) and self._renewing.acquire(blocking=False):
            self._in_background(lambda: self._renew(run))

    def _keep(self, batch: Batch) -> None:
        """Extend the batch's lease when it is time to; end the work before a lease ends that cannot be extended."""
        if self._monotonic() > self._hold_at:
            self._hold(batch)
        if self._silent and self._monotonic() - self._leased > _HOLD_WITHIN_S:
            raise Interrupted(Interrupted.Cause.LEASE_ENDING)

    def _hold(self, batch: Batch) -> None:
        """Extend the batch's lease; a silent store is asked again in some seconds."""
        asked = self._monotonic()
        self._hold_at = asked + _HOLD_AGAIN_S
        try:
            self._app.store.hold(self._run_id, batch.batch_id, self._owner, batch_lease_from(self._app.now()))
        except TransientError as error:
            self._silent = True
            _log.warning("batch lease not extended, it is tried again", run_id=self._run_id, batch_id=batch.batch_id, error=error)
            return
        self._leased, self._hold_at, self._silent = asked, asked + _HOLD_AFTER_S, False

    def _renew(self, run: Run) -> None:
        try:
            keep_lease(self._app, run)
        except SyncError as error:
            _log.warning("lease not renewed", run_id=run.run_id, error=error)
        finally:
            self._renewing.release()
