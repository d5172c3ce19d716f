"""Looking, while working, whether the run still goes on, and staying its owner meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from shared.bulk import run as states
from shared.bulk.app import ImportApp
from shared.bulk.finish import keep_lease
from shared.bulk.records import Batch, RunStatus
from shared.errors import Interrupted, TransientError

LOOK_EVERY_S = 1.0
BATCH_LEASE_S = 90.0
"""Longer than the longest single call to Klaviyo, so that a live worker never loses its batch to a second one."""


def batch_lease_from(now: datetime) -> datetime:
    """When a batch lease taken or renewed at `now` runs out."""
    return now + timedelta(seconds=BATCH_LEASE_S)


class RunWatch:
    """A budget's `check_stop` for work on a run, and on one batch of it if `batch` is given.

    Looks at the store at most every `LOOK_EVERY_S` seconds. Raises `Interrupted` when the run is to stop or has been
    taken over, `StaleWrite` when the batch belongs to somebody else by now. Several threads may share one.
    """

    def __init__(
        self,
        app: ImportApp,
        run_id: str,
        fence: int,
        batch: Batch | None = None,
        owner: str = "",
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app, self._run_id, self._fence = app, run_id, fence
        self._batch, self._owner = batch, owner
        self._monotonic = monotonic
        self._looked = monotonic()
        self._held = monotonic()
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
        keep_lease(self._app, run)
        if self._batch is not None and self._monotonic() - self._held > BATCH_LEASE_S / 3:
            self._held = self._monotonic()
            self._app.store.hold(self._run_id, self._batch.batch_id, self._owner, batch_lease_from(self._app.now()))
