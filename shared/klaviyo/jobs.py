"""Waits for bulk jobs: one poller per process, so that many waiting threads cost no more requests than one (decisions.md 8)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from shared.budget import Budget
from shared.errors import Host, PermanentError, TransientError
from shared.klaviyo.client import KlaviyoClient
from shared.klaviyo.requests import Job, JobLook, get_import_job, list_import_jobs, next_cursor

FIRST_INTERVAL_S = 0.5
LONGEST_INTERVAL_S = 5.0
GROWTH = 1.5
MISSES_MOST = 3
"""A job that so many single look-ups in a row did not find is lost; fewer may be a lag of Klaviyo's index."""

LOOK_AGAIN_S = 0.05
"""How soon a thread looks again while another one is polling."""


class JobLost(TransientError):
    """The job `job_id` was cancelled or is unknown to Klaviyo: its rows have to be sent again."""

    def __init__(self, job_id: str, what: str) -> None:
        self.job_id = job_id
        super().__init__(f"klaviyo's import job {job_id} {what}", host=Host.KLAVIYO)


PROFILE_IMPORT_JOBS = JobLook(get_import_job, list_import_jobs)


@dataclass(slots=True)
class _Watched:
    """One job that somebody waits for."""

    waiting: int
    due_at: float
    interval_s: float = FIRST_INTERVAL_S
    misses: int = 0
    job: Job | None = None

    @property
    def settled(self) -> bool:
        return self.misses >= MISSES_MOST or (self.job is not None and self.job.ended)


class JobPoller:
    """Polls jobs of one type for all threads of a process; whichever waiting thread comes first polls for all."""

    def __init__(
        self,
        client: KlaviyoClient,
        look: JobLook = PROFILE_IMPORT_JOBS,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._look = look
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._polling = False
        self._watched: dict[str, _Watched] = {}

    def wait(self, job_ids: Iterable[str], budget: Budget) -> dict[str, Job]:
        """The jobs, all complete. Raises `JobLost` when one was cancelled or vanished, and what sending and budget raise."""
        wanted = tuple(dict.fromkeys(job_ids))
        self._watch(wanted)
        try:
            while True:
                with self._lock:
                    watched = {job_id: self._watched[job_id] for job_id in wanted}
                    if all(one.settled for one in watched.values()):
                        return {job_id: _complete(job_id, one) for job_id, one in watched.items()}
                    due = self._due()
                    mine = bool(due) and not self._polling
                    self._polling = self._polling or mine
                    wait_s = LOOK_AGAIN_S if self._polling else self._next_due() - self._monotonic()
                if mine:
                    try:
                        self._poll(due, budget)
                    finally:
                        with self._lock:
                            self._polling = False
                else:
                    budget.sleep(max(wait_s, 0.001))
        finally:
            self._unwatch(wanted)

    def _poll(self, due: Collection[str], budget: Budget) -> None:
        """Look at the list when several jobs are waited for, then singly at those due that it does not show."""
        missing = set(due)
        with self._lock:
            pending = {job_id for job_id, one in self._watched.items() if not one.settled}
        if len(pending) > 1:
            missing -= self._listed(pending, missing, budget)
        for job_id in missing:
            try:
                self._saw(job_id, self._client.send(self._look.one(job_id), budget))
            except PermanentError as error:
                if error.status != 404:
                    raise
                self._saw(job_id, None)

    def _listed(self, pending: Collection[str], wanted: Collection[str], budget: Budget) -> set[str]:
        """The jobs of `pending` that the list shows, page by page while that may save a look at more than one of `wanted`.

        The list is asked without a filter: by status, what has ended would have to be looked at singly.
        """
        shown: set[str] = set()
        cursor: str | None = None
        for _ in range(self._look.pages_most):
            page = self._client.send(self._look.page(cursor), budget)
            for job in page.data:
                if job.id in pending:
                    self._saw(job.id, job)
                    shown.add(job.id)
            cursor = next_cursor(page.links)
            if cursor is None or len(set(wanted) - shown) < 2:
                break
        return shown

    def _saw(self, job_id: str, job: Job | None) -> None:
        with self._lock:
            one = self._watched.get(job_id)
            if one is None:
                return
            one.job, one.misses = job, 0 if job else one.misses + 1
            one.interval_s = min(LONGEST_INTERVAL_S, one.interval_s * GROWTH)
            one.due_at = self._monotonic() + one.interval_s

    def _due(self) -> tuple[str, ...]:
        now = self._monotonic()
        return tuple(job_id for job_id, one in self._watched.items() if not one.settled and one.due_at <= now)

    def _next_due(self) -> float:
        return min(one.due_at for one in self._watched.values() if not one.settled)

    def _watch(self, job_ids: Iterable[str]) -> None:
        due_at = self._monotonic() + FIRST_INTERVAL_S
        with self._lock:
            for job_id in job_ids:
                one = self._watched.setdefault(job_id, _Watched(0, due_at))
                one.waiting += 1

    def _unwatch(self, job_ids: Iterable[str]) -> None:
        with self._lock:
            for job_id in job_ids:
                one = self._watched[job_id]
                one.waiting -= 1
                if not one.waiting:
                    del self._watched[job_id]


def _complete(job_id: str, one: _Watched) -> Job:
    if one.job is None:
        raise JobLost(job_id, "is not found")
    if one.job.attributes.status == "cancelled":
        raise JobLost(job_id, "was cancelled")
    return one.job
