"""Customers into Klaviyo in bulk: pack, start jobs, set refused rows aside, poll, fetch the rows' errors, solve conflicts.

Everything may run twice: rows are upserts, so a crash anywhere is mended by doing it all again (decisions.md 6, 8).
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from contextlib import nullcontext

from shared import logs
from shared.budget import Budget
from shared.errors import Host, TransientError
from shared.klaviyo.client import KlaviyoClient
from shared.klaviyo.jobs import JobPoller
from shared.klaviyo.limits import PROFILE_IMPORT_LIMITS, PackLimits
from shared.klaviyo.packing import Body, Oversized, pack
from shared.klaviyo.profile_conflicts import solve
from shared.klaviyo.profile_rows import (
    Failed,
    KeptRows,
    ProfileImportResult,
    ProfileRow,
    RowError,
    Sent,
    is_about_identifiers,
    matched_errors,
)
from shared.klaviyo.requests import (
    PROFILE_IMPORT,
    Job,
    RefusedRow,
    get_import_errors,
    next_cursor,
    start_profile_import,
)
from shared.klaviyo.verdicts import PHONE_FIELD, Refusal, Refused
from shared.mapping.result import Adjustment
from shared.slots import Slots

ROW_TOO_LARGE = "row_too_large"

PHONE_ROUNDS = 5
"""After so many refusals that named phones, a body goes on without any phone that begins like a refused one: an answer names
only some of its bad rows, and an account that cannot text a whole country refuses all phones of it (klaviyo.md 2.3)."""

_CALLING_CODE = slice(0, 3)

UNNAMED_ROWS_MOST = 8
"""How many bad rows that no answer names are searched for in one body; beyond that the request itself is at fault."""

SINGLES_MOST = 200
"""How many conflicts with a phone are solved one by one, where the phone has a chance. More of them would take longer than a
worker has (decisions.md 5), so they go through a second bulk job without their phones, and only the rest one by one."""

ERROR_PAGES_AGAIN = 3
ERROR_PAGES_WAIT_S = 1.0

_log = logs.get(__name__)


class ProfileImporter:
    """Writes customers in bulk; one per process, shared by its threads, so that they share the polling of jobs."""

    def __init__(
        self,
        client: KlaviyoClient,
        poller: JobPoller | None = None,
        *,
        slots: Slots | None = None,
        limits: PackLimits = PROFILE_IMPORT_LIMITS,
    ) -> None:
        """`slots`: those of which the caller has taken one; it is given up while Klaviyo works."""
        self._client = client
        self._slots = slots
        self._poller = poller or JobPoller(client)
        self._limits = limits

    def import_profiles(self, rows: Iterable[ProfileRow], budget: Budget) -> ProfileImportResult:
        """Write all rows (distinct customers) and say of each what became of it.

        All jobs are started first, then awaited. Meanwhile the rows are kept compressed, in case that Klaviyo complains of
        some, so the caller had better not hold them. Raises `AuthError`, `TransientError` (`RateLimited`, `HostDown`,
        `JobLost`) and `Interrupted`; then nothing is known of the rows, and the same call may be made again.
        """
        work = _Import(rows, self._client, self._poller, budget, self._slots)
        work.bulk(range(len(work.rows)), self._limits)
        if (without_phone := work.drop_phones_of_many_conflicts()) is not None:
            work.bulk(without_phone, self._limits)
        work.solve_conflicts()
        return work.result()


class _Import:
    """What is known so far of one import; indices count its rows."""

    def __init__(
        self, rows: Iterable[ProfileRow], client: KlaviyoClient, poller: JobPoller, budget: Budget, slots: Slots | None
    ) -> None:
        self.rows = KeptRows(rows)
        self._slots = slots
        self._client = client
        self._poller = poller
        self._budget = budget
        self._phone_dropped: set[int] = set()
        self._outcomes: dict[int, Sent | Failed] = {}
        self._conflicts: list[int] = []
        self._job_ids: list[str] = []

    def bulk(self, indices: Sequence[int], limits: PackLimits) -> None:
        """Bring some rows through bulk jobs to their end; conflicts are left over."""
        started: dict[str, Sequence[int]] = {}
        for body in pack((self.rows[index].encoded for index in indices), PROFILE_IMPORT, limits):
            if isinstance(body, Oversized):
                self._fail((indices[body.index],), ROW_TOO_LARGE, None)
            else:
                started.update(self._started(body.placed(indices)))
            del body  # it holds megabytes, and the wait below may be long
        self._job_ids += started
        self.rows.compress()
        with self._slots.given_up(self._budget) if self._slots else nullcontext():
            jobs = self._poller.wait(started, self._budget)
        for job_id, sent in started.items():
            self._settle(jobs[job_id], sent)

    def drop_phones_of_many_conflicts(self) -> Sequence[int] | None:
        """Take the phones of the conflicting rows when too many have one; the rows, to go through bulk jobs once more."""
        with_phone = [index for index in self._conflicts if self.rows[index].attributes.phone_number is not None]
        if len(with_phone) <= SINGLES_MOST:
            return None
        for index in with_phone:
            self._drop_phone(index)
        again = set(with_phone)
        self._conflicts = [index for index in self._conflicts if index not in again]
        return with_phone

    def solve_conflicts(self) -> None:
        """Write what is left one by one over the single endpoints."""
        for index in self._conflicts:
            self._outcomes[index] = solve(self.rows[index], self._client, self._budget)

    def result(self) -> ProfileImportResult:
        """A row that nobody complained of is sent."""
        outcomes: dict[str, Sent | Failed] = {}
        for index, customer_id in enumerate(self.rows.customer_ids):
            outcome = self._outcomes.get(index, Sent())
            if isinstance(outcome, Sent) and index in self._phone_dropped:
                outcome = Sent((Adjustment.PHONE_REFUSED, *outcome.adjustments))
            outcomes[customer_id] = outcome
        return ProfileImportResult(outcomes, tuple(self._job_ids))

    def _started(self, body: Body) -> dict[str, Sequence[int]]:
        """Start jobs until every row of the body is in one, or failed; the rows of each job by its id, in the order sent."""
        started: dict[str, Sequence[int]] = {}
        queue = deque([body])
        halvings = UNNAMED_ROWS_MOST * math.ceil(math.log2(len(body.rows)) + 1)
        phone_rounds, codes = 0, set[str]()
        while queue:
            body = queue.popleft()
            try:
                started[self._client.send(start_profile_import(body), self._budget).id] = body.indices
                continue
            except Refused as error:
                refused = error
            by_row = _by_row(refused, len(body.rows))
            if by_row:
                refused_codes = self._refused_codes(body, by_row)
                phone_rounds += bool(refused_codes)
                codes |= refused_codes
                queue.append(self._without_refused(body, by_row, codes if phone_rounds >= PHONE_ROUNDS else set()))
            elif len(body.rows) > 1 and (refused.status == 413 or (refused.status in {400, 422} and halvings)):
                halvings -= refused.status != 413
                queue.extend(body.halves())
            else:
                self._fail(body.indices, refused.reason, refused.pointer)
            if queue and not queue[-1].rows:
                queue.pop()
        return started

    def _settle(self, job: Job, sent: Sequence[int]) -> None:
        """Read what a complete job says of its rows."""
        if job.attributes.failed_count == 0:
            return
        for error in self._errors_of(job, sent).values():
            if is_about_identifiers(error.refusal):
                self._conflicts.append(error.index)
            else:
                self._fail((error.index,), error.refusal.code, error.refusal.pointer)

    def _refused_codes(self, body: Body, by_row: dict[int, list[Refusal]]) -> set[str]:
        """How the phones begin that an answer named."""
        phones = (
            self.rows[body.indices[position]].attributes.phone_number
            for position, refusals in by_row.items()
            if _only_the_phone(refusals)
        )
        return {phone[_CALLING_CODE] for phone in phones if phone is not None}

    def _without_refused(self, body: Body, by_row: dict[int, list[Refusal]], codes: set[str]) -> Body:
        """The body without what was refused, and without the phones that begin with one of `codes`."""
        replaced, gone = {}, set()
        for position, index in enumerate(body.indices):
            refusals = by_row.get(position)
            phone = self.rows[index].attributes.phone_number
            if phone is not None and (_only_the_phone(refusals) if refusals else phone[_CALLING_CODE] in codes):
                self._drop_phone(index)
                replaced[position] = self.rows[index].encoded
            elif refusals:
                gone.add(position)
                self._fail((index,), refusals[0].code, refusals[0].pointer)
        _log.info("klaviyo refused rows of a body", rows=len(body.rows), adjustments=len(replaced), failed=len(gone))
        return body.changed(without=gone, replaced=replaced)

    def _drop_phone(self, index: int) -> None:
        self.rows.replace(index, self.rows[index].without_phone())
        self._phone_dropped.add(index)

    def _errors_of(self, job: Job, sent: Sequence[int]) -> dict[int, RowError]:
        """The errors of a job's rows. Raises `TransientError` when fewer rows are named than the job says have failed."""
        for attempt in range(ERROR_PAGES_AGAIN):
            if attempt:
                self._budget.sleep(ERROR_PAGES_WAIT_S)
            errors = self._fetched_errors(job.id)
            found, unmatched = matched_errors(errors, self.rows, sent)
            if not unmatched and len(errors) >= (job.attributes.failed_count or 0):
                return found
        raise TransientError(f"klaviyo's import job {job.id} does not name all rows that failed", host=Host.KLAVIYO)

    def _fetched_errors(self, job_id: str) -> list[RefusedRow]:
        errors: list[RefusedRow] = []
        cursor: str | None = None
        while True:
            page = self._client.send(get_import_errors(job_id, cursor), self._budget)
            errors.extend(page.rows)
            cursor = next_cursor(page.links)
            if cursor is None:
                return errors

    def _fail(self, indices: Sequence[int], reason: str, pointer: str | None) -> None:
        for index in indices:
            self._outcomes[index] = Failed(reason, pointer)


def counts(result: ProfileImportResult) -> tuple[int, Counter[str], Counter[str]]:
    """How many rows were sent, how many failed by reason, and how many adjustments there were by name."""
    failed, adjusted, sent = Counter[str](), Counter[str](), 0
    for outcome in result.outcomes.values():
        if isinstance(outcome, Failed):
            failed[outcome.reason] += 1
        else:
            sent += 1
            adjusted.update(adjustment.value for adjustment in outcome.adjustments)
    return sent, failed, adjusted


def _by_row(refused: Refused, rows: int) -> dict[int, list[Refusal]]:
    """The refusals that name a row of the body, by its position."""
    by_row: dict[int, list[Refusal]] = {}
    for refusal in refused.refusals:
        if refusal.row is not None and refusal.row < rows:
            by_row.setdefault(refusal.row, []).append(refusal)
    return by_row


def _only_the_phone(refusals: Sequence[Refusal]) -> bool:
    return all(refusal.field == PHONE_FIELD for refusal in refusals)
