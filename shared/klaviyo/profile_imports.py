"""Customers into Klaviyo in bulk: pack, start jobs, set refused rows aside, poll, fetch the rows' errors, solve conflicts.

Everything may run twice: rows are upserts, so a crash anywhere is mended by doing it all again (decisions.md 6, 8). An
import that merely ran out of time goes on where it ended, by what is known of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from contextlib import nullcontext

from shared import logs
from shared.budget import Budget
from shared.klaviyo.client import KlaviyoClient
from shared.klaviyo.jobs import JobLost, JobPoller
from shared.klaviyo.limits import PROFILE_IMPORT_LIMITS, PackLimits
from shared.klaviyo.packing import Body, Oversized, pack
from shared.klaviyo.profile_conflicts import solve
from shared.klaviyo.profile_rows import (
    KeptRows,
    KnownOutcomes,
    ProfileImportResult,
    ProfileRow,
    is_about_identifiers,
    matched_errors,
)
from shared.klaviyo.refused_rows import NamedRows, RefusedPhones, bring_through, only_the_phone
from shared.klaviyo.requests import (
    PROFILE_IMPORT,
    Job,
    RefusedRow,
    get_import_errors,
    next_cursor,
    start_profile_import,
)
from shared.klaviyo.row_outcomes import ROW_TOO_LARGE, UNNAMED_ERROR, Failed, Sent
from shared.klaviyo.verdicts import Refusal, Refused
from shared.mapping.result import Adjustment
from shared.slots import Slots

SINGLES_MOST = 200
"""How many conflicts with a phone are solved one by one, where the phone has a chance. More of them would take longer than a
worker has (decisions.md 5), so they go through a second bulk job without their phones, and only the rest one by one."""

CORNERING_JOBS = 8
"""How many jobs more than 2 log2(n) are started to find the unnamed failures among n rows of a job: two a halving."""

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

    def import_profiles(
        self, rows: Iterable[ProfileRow], budget: Budget, known: KnownOutcomes | None = None
    ) -> ProfileImportResult:
        """Write all rows (distinct customers) and say of each what became of it.

        All jobs are started first, then awaited. Meanwhile the rows are kept compressed, in case that Klaviyo complains of
        some, so the caller had better not hold them. Raises `AuthError`, `TransientError` (`RateLimited`, `HostDown`,
        `JobLost`) and `Interrupted`. The same call may then be made again; with the same `known`, which is kept right at
        every moment, it goes on where it ended: what is in a job or has its outcome is not sent again. `known` may speak of
        customers that are no longer among the rows.
        """
        return _Import(rows, known or KnownOutcomes(), self._client, self._poller, budget, self._slots, self._limits).run()


class _Import:
    """One import, or what is left of it."""

    def __init__(
        self,
        rows: Iterable[ProfileRow],
        known: KnownOutcomes,
        client: KlaviyoClient,
        poller: JobPoller,
        budget: Budget,
        slots: Slots | None,
        limits: PackLimits,
    ) -> None:
        self._rows = KeptRows(row.without_phone() if row.customer_id in known.phones_dropped else row for row in rows)
        self._known = known
        self._client = client
        self._poller = poller
        self._budget = budget
        self._slots = slots
        self._limits = limits

    def run(self) -> ProfileImportResult:
        self._bulk(self._known.unsent(self._rows.customer_ids))
        if without_phone := self._drop_phones_of_many_conflicts():
            self._bulk(without_phone)
        self._solve_conflicts()
        return self._result()

    def _bulk(self, customer_ids: Sequence[str]) -> None:
        """Bring some rows, and those in jobs already, through bulk jobs to their end; conflicts are left over."""
        self._send(customer_ids)
        for suspects in self._settled():
            self._corner(suspects)

    def _send(self, customer_ids: Sequence[str]) -> None:
        """Start jobs until every row is in one, or failed."""
        for body in pack((self._rows[customer_id].encoded for customer_id in customer_ids), PROFILE_IMPORT, self._limits):
            if isinstance(body, Oversized):
                self._fail((customer_ids[body.index],), ROW_TOO_LARGE)
            else:
                self._start(body, customer_ids)

    def _settled(self) -> list[list[str]]:
        """Wait for all jobs and read them; the groups of rows among which there are failures that nobody named."""
        pending = [job_id for job_id, customer_ids in self._known.jobs.items() if customer_ids]
        if not pending:
            return []
        self._rows.compress()
        try:
            with self._slots.given_up(self._budget) if self._slots else nullcontext():
                jobs = self._poller.wait(pending, self._budget)
        except JobLost as lost:
            self._known.jobs.pop(lost.job_id, None)
            raise
        return [suspects for job_id in pending if (suspects := self._settle(jobs[job_id], job_id))]

    def _settle(self, job: Job, job_id: str) -> list[str]:
        """Read what a complete job says of its rows; the rows that may have failed unnamed are left to be sent again."""
        sent = self._known.jobs[job_id]
        refusals, unnamed = self._refusals_of(job, sent) if job.attributes.failed_count != 0 else ({}, 0)
        self._known.jobs[job_id] = []
        for customer_id, refusal in refusals.items():
            if is_about_identifiers(refusal):
                self._known.conflicts.add(customer_id)
            else:
                self._fail((customer_id,), refusal.code, refusal.pointer)
        silent = [customer_id for customer_id in sent if customer_id not in refusals]
        if not unnamed:
            self._known.outcomes.update(dict.fromkeys(silent, Sent()))
        elif unnamed >= len(silent):
            self._fail(silent, UNNAMED_ERROR)
        else:
            return [customer_id for customer_id in silent if customer_id in self._rows]
        return []

    def _corner(self, suspects: list[str]) -> None:
        """Send rows again in ever smaller jobs until those that fail unnamed are alone, or enough jobs were started.

        A job that is complete without failures frees its rows. What is left in a job with an unnamed failure when no job may
        be started any more has failed: nobody can tell which of these rows Klaviyo has.
        """
        jobs_left = 2 * math.ceil(math.log2(max(1, len(suspects)))) + CORNERING_JOBS
        cornered = [suspects]
        while cornered:
            cornered.sort(key=len)
            largest = cornered.pop()
            if len(largest) == 1 or jobs_left < 2:
                self._fail(largest, UNNAMED_ERROR)
                continue
            middle = (len(largest) + 1) // 2
            self._send(largest[:middle])
            self._send(largest[middle:])
            jobs_left -= 2
            cornered += self._settled()

    def _drop_phones_of_many_conflicts(self) -> list[str]:
        """Take the phones of the conflicting rows when too many have one; the rows, to go through bulk jobs once more."""
        with_phone = [
            customer_id for customer_id in self._conflicts() if self._rows[customer_id].attributes.phone_number is not None
        ]
        if len(with_phone) <= SINGLES_MOST:
            return []
        for customer_id in with_phone:
            self._drop_phone(customer_id)
        self._known.conflicts.difference_update(with_phone)
        return with_phone

    def _solve_conflicts(self) -> None:
        """Write what is left one by one over the single endpoints."""
        for customer_id in self._conflicts():
            self._known.outcomes[customer_id] = solve(self._rows[customer_id], self._client, self._budget)
            self._known.conflicts.discard(customer_id)

    def _conflicts(self) -> list[str]:
        return [customer_id for customer_id in self._rows.customer_ids if customer_id in self._known.conflicts]

    def _result(self) -> ProfileImportResult:
        outcomes: dict[str, Sent | Failed] = {}
        for customer_id in self._rows.customer_ids:
            outcome = self._known.outcomes[customer_id]
            if isinstance(outcome, Sent) and customer_id in self._known.phones_dropped:
                outcome = Sent((Adjustment.PHONE_REFUSED, *outcome.adjustments))
            outcomes[customer_id] = outcome
        return ProfileImportResult(outcomes, tuple(self._known.jobs))

    def _start(self, body: Body, customer_ids: Sequence[str]) -> None:
        """Start jobs until every row of the body is in one, or failed; the body's indices are those of `customer_ids`."""
        phones = RefusedPhones()

        def ids(part: Body) -> list[str]:
            return [customer_ids[index] for index in part.indices]

        def start(part: Body) -> None:
            self._known.jobs[self._client.send(start_profile_import(part), self._budget).id] = ids(part)

        def give_up(part: Body, refused: Refused) -> None:
            self._fail(ids(part), refused.reason, refused.pointer)

        bring_through(body, start, lambda part, named: self._without_refused(part, ids(part), named, phones), give_up)

    def _without_refused(self, body: Body, ids: Sequence[str], named: NamedRows, phones: RefusedPhones) -> Body:
        """The body without what was refused, and without the phones that would be."""
        refused = (
            self._rows[ids[position]].attributes.phone_number for position, refusals in named.items() if only_the_phone(refusals)
        )
        phones.note(phone for phone in refused if phone is not None)
        replaced, gone = {}, set()
        for position, customer_id in enumerate(ids):
            refusals = named.get(position)
            phone = self._rows[customer_id].attributes.phone_number
            if phone is not None and (only_the_phone(refusals) if refusals else phones.would_refuse(phone)):
                self._drop_phone(customer_id)
                replaced[position] = self._rows[customer_id].encoded
            elif refusals:
                gone.add(position)
                self._fail((customer_id,), refusals[0].code, refusals[0].pointer)
        _log.info("klaviyo refused rows of a body", rows=len(body.rows), adjustments=len(replaced), failed=len(gone))
        return body.changed(without=gone, replaced=replaced)

    def _drop_phone(self, customer_id: str) -> None:
        self._rows.replace(self._rows[customer_id].without_phone())
        self._known.phones_dropped.add(customer_id)

    def _refusals_of(self, job: Job, sent: Sequence[str]) -> tuple[dict[str, Refusal], int]:
        """Why rows of a job were refused, and how many failures name no row, also after a while."""
        for attempt in range(ERROR_PAGES_AGAIN):
            if attempt:
                self._budget.sleep(ERROR_PAGES_WAIT_S)
            errors = self._fetched_errors(job.id)
            refusals, unmatched = matched_errors(errors, self._rows, sent)
            unnamed = _unnamed(job.attributes.failed_count, len(errors), len(refusals), unmatched)
            if not unnamed:
                break
        return refusals, unnamed

    def _fetched_errors(self, job_id: str) -> list[RefusedRow]:
        errors: list[RefusedRow] = []
        cursor: str | None = None
        while True:
            page = self._client.send(get_import_errors(job_id, cursor), self._budget)
            errors.extend(page.rows)
            cursor = next_cursor(page.links)
            if cursor is None:
                return errors

    def _fail(self, customer_ids: Sequence[str], reason: str, pointer: str | None = None) -> None:
        self._known.outcomes.update(dict.fromkeys(customer_ids, Failed(reason, pointer)))


def _unnamed(failed: int | None, errors: int, refused_rows: int, unmatched: int) -> int:
    """How many of the rows that a job says have failed no error names; when it says no number, each strange error is one."""
    if not unmatched and errors >= (failed or 0):
        return 0
    return unmatched if failed is None else max(0, failed - refused_rows)
