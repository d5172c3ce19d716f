"""Carries rows of the catalog through bulk jobs: pack, start, poll, and say which rows were refused (decisions.md 8)."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial

from shared import logs
from shared.budget import Budget
from shared.errors import PermanentError
from shared.klaviyo.catalog_jobs import IN_PROGRESS, JOB_TYPES, JobType
from shared.klaviyo.client import KlaviyoClient
from shared.klaviyo.job_places import JobPlaces, wait_for_others
from shared.klaviyo.jobs import JobLost, JobPoller
from shared.klaviyo.limits import CATALOG_JOB_LIMITS, CATALOG_JOBS_MOST, PackLimits
from shared.klaviyo.packing import Body, Oversized, pack
from shared.klaviyo.refused_rows import NamedRows, bring_through, named_rows
from shared.klaviyo.requests import Job, next_cursor
from shared.klaviyo.row_outcomes import ROW_TOO_LARGE, UNNAMED_ERROR
from shared.klaviyo.verdicts import Refusal, Refused, is_missing
from shared.slots import Slots
from shared.together import results, together

STARTS_AT_ONCE = 8
"""How many jobs are started at the same time; so many bodies are held."""

LOOKS_AT_ONCE = 8

HALVINGS_MOST = 64
"""How often rows of a job are sent again in two halves, to find those that failed without being named; in one call."""

ERROR_LOOKS = 3
ERROR_LOOKS_WAIT_S = 1.0
"""The errors of a job may appear a little after its end."""

FULL_JOBS = CATALOG_JOBS_MOST * 9 // 10
"""With so many jobs in progress a refusal that names no row is taken for that of a full account; lists may lag."""

FULL_FIRST_WAIT_S = 1.0
FULL_LONGEST_WAIT_S = 10.0

_log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Load:
    """Rows for jobs of one type, by external id; `encode` makes the row, each time that it is sent."""

    job_type: JobType
    keys: Sequence[str]
    encode: Callable[[str], bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Carried:
    """The rows that were refused, by external id, and the jobs. Klaviyo has done what was asked with all other rows."""

    refused: Mapping[str, Refusal]
    job_ids: Sequence[str]


class Carrier:
    """One per process: the places for jobs in progress, and a poller for each type of job, shared by its threads."""

    def __init__(
        self,
        client: KlaviyoClient,
        places: JobPlaces,
        slots: Slots | None = None,
        *,
        limits: PackLimits = CATALOG_JOB_LIMITS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.client = client
        self.places = places
        self.slots = slots
        self.limits = limits
        self.pollers = {job_type: JobPoller(client, job_type.look, monotonic=monotonic) for job_type in JOB_TYPES.values()}

    def carry(self, loads: Sequence[Load], budget: Budget) -> Carried:
        """Bring all rows through jobs to their end; no key is in two loads.

        Jobs are started a few at a time and awaited together, as many as there are places. Raises what sending, polling and
        the budget raise; the same call may then be made again.
        """
        carrying = _Carrying(self, loads, budget)
        carrying.run()
        return Carried(carrying.refused, carrying.job_ids)


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows for one job."""

    load: Load
    body: Body

    def keys_of(self, body: Body) -> list[str]:
        """The external ids of what is left of the body."""
        return [self.load.keys[index] for index in body.indices]


@dataclass(frozen=True, slots=True)
class _Started:
    """A job, and its rows in their order."""

    load: Load
    keys: Sequence[str]


class _Carrying:
    """One call: what is still to be sent, and what is known."""

    def __init__(self, carrier: Carrier, loads: Sequence[Load], budget: Budget) -> None:
        self.refused: dict[str, Refusal] = {}
        self.job_ids: list[str] = []
        self._carrier = carrier
        self._client = carrier.client
        self._budget = budget
        self._loads = deque(loads)
        self._packing: Iterator[_Part] = iter(())
        self._ready: deque[_Part] = deque()
        self._halvings = HALVINGS_MOST
        self._turn = carrier.places.turn()

    def run(self) -> None:
        """Go wave by wave until nothing is left."""
        while self._filled(1):
            started: dict[str, _Started] = {}
            slots = self._carrier.slots
            with slots.given_up(self._budget) if slots else nullcontext():
                jobs = self._wave(started)
            self._settle(started, jobs)

    def _filled(self, count: int) -> bool:
        """Pack until `count` bodies are ready, or all there are; whether there is one."""
        while len(self._ready) < count:
            part = next(self._packing, None)
            if part is not None:
                self._ready.append(part)
            elif self._loads:
                self._packing = self._packed(self._loads.popleft())
            else:
                break
        return bool(self._ready)

    def _packed(self, load: Load) -> Iterator[_Part]:
        for body in pack(map(load.encode, load.keys), load.job_type.envelope, self._carrier.limits):
            if isinstance(body, Oversized):
                self.refused[load.keys[body.index]] = Refusal(ROW_TOO_LARGE)
            else:
                yield _Part(load, body)

    def _wave(self, started: dict[str, _Started]) -> dict[str, Job]:
        """Start jobs while there are places for them, the first of which is waited for, and wait for their end.

        The parts of a body that has to be divided share its place: that happens too seldom to matter.
        """
        places, held = self._carrier.places, 0
        try:
            with places.first_in_line(self._turn, self._budget):
                while self._filled(STARTS_AT_ONCE):
                    taken = places.take(self._turn, min(STARTS_AT_ONCE, len(self._ready)))
                    if not taken:
                        break
                    held += taken
                    starts = [partial(self._start, self._ready.popleft(), started) for _ in range(taken)]
                    results(together(starts, self._budget, threads=STARTS_AT_ONCE))
            self.job_ids.extend(started)
            return self._ended(started)
        finally:
            places.give_back(held)

    def _start(self, part: _Part, started: dict[str, _Started]) -> None:
        """Start jobs until every row of the part is in one, or refused. Called in several threads at a time."""

        def start(body: Body) -> None:
            job = self._accepted(part.load.job_type, body)
            started[job.id] = _Started(part.load, part.keys_of(body))

        def without_named(body: Body, named: NamedRows) -> Body:
            keys = part.keys_of(body)
            self.refused.update((keys[position], refusals[0]) for position, refusals in named.items())
            return body.changed(without=named)

        def give_up(body: Body, refused: Refused) -> None:
            why = refused.refusals[0] if refused.refusals else Refusal(refused.reason)
            self.refused.update(dict.fromkeys(part.keys_of(body), why))

        bring_through(part.body, start, without_named, give_up)

    def _accepted(self, job_type: JobType, body: Body) -> Job:
        """Start a job. A 429 is waited out by the client; any other refusal that may be that of a full account is so here."""
        wait_s = FULL_FIRST_WAIT_S
        while True:
            try:
                return self._client.send(job_type.start(body), self._budget)
            except Refused as refused:
                if refused.status == 413 or named_rows(refused, len(body.rows)) or not self._is_full():
                    raise
            _log.warning("klaviyo has as many catalog jobs as it takes", endpoint=job_type.endpoints.start.name, wait_s=wait_s)
            wait_for_others(wait_s, self._budget)
            wait_s = min(FULL_LONGEST_WAIT_S, 2 * wait_s)

    def _is_full(self) -> bool:
        """Whether about as many jobs are in progress as an account may have, whoever started them."""
        count = 0
        for job_type in JOB_TYPES.values():
            for status in IN_PROGRESS:
                cursor: str | None = None
                while True:
                    page = self._client.send(job_type.in_progress(status, cursor), self._budget)
                    count += len(page.data)
                    cursor = next_cursor(page.links)
                    if count >= FULL_JOBS:
                        return True
                    if cursor is None:
                        break
        return False

    def _ended(self, started: Mapping[str, _Started]) -> dict[str, Job]:
        by_type: dict[JobType, list[str]] = {}
        for job_id, one in started.items():
            by_type.setdefault(one.load.job_type, []).append(job_id)
        waits = [partial(self._carrier.pollers[job_type].wait, ids, self._budget) for job_type, ids in by_type.items()]
        return {job_id: job for jobs in results(together(waits, self._budget)) for job_id, job in jobs.items()}

    def _settle(self, started: Mapping[str, _Started], jobs: Mapping[str, Job]) -> None:
        """Read what complete jobs say of their rows."""
        suspects = [job_id for job_id, job in jobs.items() if job.attributes.failed_count != 0]
        looks = [partial(self._errors, started[job_id].load.job_type, jobs[job_id]) for job_id in suspects]
        for job_id, errors in zip(suspects, results(together(looks, self._budget, threads=LOOKS_AT_ONCE)), strict=True):
            self._read(started[job_id], jobs[job_id].attributes.failed_count, errors)

    def _errors(self, job_type: JobType, job: Job) -> list[Refusal]:
        """Look until there are as many as the job says. Raises `JobLost` when it is not found any more."""
        errors = self._seen(job_type, job.id)
        for _ in range(ERROR_LOOKS - 1):
            if errors is not None and len(errors) >= (job.attributes.failed_count or 0):
                break
            self._budget.sleep(ERROR_LOOKS_WAIT_S)
            errors = self._seen(job_type, job.id)
        if errors is None:
            raise JobLost(job.id, "is not found when its errors are read")
        return errors

    def _seen(self, job_type: JobType, job_id: str) -> list[Refusal] | None:
        """The errors of a job; None when it is not found, which may be a lag of Klaviyo's index."""
        try:
            return self._client.send(job_type.errors(job_id), self._budget)
        except PermanentError as error:
            if is_missing(error):
                return None
            raise

    def _read(self, job: _Started, failed: int | None, errors: Sequence[Refusal]) -> None:
        """Note the rows that errors name. Rows among which others have failed are sent again, half by half.

        All that a row can say when it was carried out the first time is that it was, which the caller takes for success.
        """
        named: dict[str, Refusal] = {}
        strange: list[Refusal] = []
        for error in errors:
            if error.row is not None and error.row < len(job.keys):
                named.setdefault(job.keys[error.row], error)
            else:
                strange.append(error)
        self.refused.update(named)
        unnamed = len(strange) if failed is None else max(0, failed - len(named))
        silent = [key for key in job.keys if key not in named]
        if not unnamed or not silent:
            return
        if unnamed >= len(silent) or not self._halvings:
            why = strange[0] if len({error.code for error in strange}) == 1 else Refusal(UNNAMED_ERROR)
            self.refused.update(dict.fromkeys(silent, why))
            return
        self._halvings -= 1
        middle = (len(silent) + 1) // 2
        for half in (silent[:middle], silent[middle:]):
            self._loads.append(Load(job.load.job_type, half, job.load.encode))
