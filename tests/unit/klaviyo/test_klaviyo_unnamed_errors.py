"""Jobs that say how many rows failed, but not which: those are cornered by ever smaller jobs, the others are sent."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from klaviyo_doubles import VirtualTime, client_of, customer, failures, sent_count

from shared.errors import Interrupted
from shared.klaviyo.jobs import JobPoller
from shared.klaviyo.limits import PackLimits
from shared.klaviyo.profile_imports import CORNERING_JOBS, ProfileImporter
from shared.klaviyo.profile_rows import KnownOutcomes, ProfileImportResult
from shared.klaviyo.row_outcomes import UNNAMED_ERROR, Failed, Sent

JOBS = "/api/profile-bulk-import-jobs"


class Taciturn:
    """A Klaviyo whose jobs fail some customers (by number) and name only some of those; `stray` errors name nobody."""

    def __init__(self, bad: Collection[int], *, named: Collection[int] = (), stray: int = 0, counted: bool = True) -> None:
        self.bad = {f"customer-{number}" for number in bad}
        self.named = {f"customer-{number}" for number in named}
        self.stray, self.counted = stray, counted
        self.jobs: list[list[str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix(JOBS).strip("/")
        if request.method == "POST":
            rows = msgspec.json.decode(request.read())["data"]["attributes"]["profiles"]["data"]
            self.jobs.append([row["attributes"]["external_id"] for row in rows])
            return httpx.Response(202, json={"data": {"id": str(len(self.jobs) - 1)}})
        if path.endswith("/import-errors"):
            return httpx.Response(200, json={"data": self._errors(self.jobs[int(path.partition("/")[0])])})
        newest = range(max(0, len(self.jobs) - 100), len(self.jobs))
        jobs = [self._job(number) for number in ([int(path)] if path else newest)]
        return httpx.Response(200, json={"data": jobs[0] if path else jobs})

    def _job(self, number: int) -> dict[str, Any]:
        failed = sum(customer_id in self.bad for customer_id in self.jobs[number])
        attributes = {"status": "complete", "failed_count": failed if self.counted else None}
        return {"id": str(number), "attributes": attributes}

    def _errors(self, customer_ids: list[str]) -> list[dict[str, Any]]:
        if not self.bad & set(customer_ids):
            return []
        named = [{"code": "odd", "original_payload": {"external_id": one}} for one in customer_ids if one in self.named]
        stray = [{"code": "odd", "original_payload": {"external_id": "nobody"}}] * self.stray
        return [{"attributes": error} for error in (*named, *stray)]


def imported(klaviyo: Taciturn, size: int) -> ProfileImportResult:
    time = VirtualTime()
    client = client_of(klaviyo, time)
    importer = ProfileImporter(
        client, JobPoller(client, monotonic=time.monotonic), limits=PackLimits(100_000, 10_000_000, 100_000)
    )
    return importer.import_profiles([customer(number) for number in range(size)], time.budget())


def most_jobs(size: int) -> float:
    return 2 * math.log2(size) + 2 + CORNERING_JOBS


@pytest.mark.parametrize(
    "klaviyo",
    [Taciturn({388}), Taciturn({388}, stray=1), Taciturn({388}, stray=1, counted=False)],
    ids=["too few errors", "an error of no row", "an error of no row and no count"],
)
def test_one_failure_that_nobody_named_is_found_by_halves(klaviyo: Taciturn) -> None:
    """One row of a thousand fails; 999 are sent, and the batch is not."""
    result = imported(klaviyo, 1_000)
    assert failures(result) == {"customer-388": Failed(UNNAMED_ERROR)}
    assert sent_count(result) == 999
    assert len(klaviyo.jobs) - 1 <= most_jobs(1_000)


def test_failures_that_were_named_keep_their_reasons() -> None:
    """And are not sent again."""
    klaviyo = Taciturn({3, 10, 60}, named={3, 10})
    result = imported(klaviyo, 64)
    assert failures(result) == {
        "customer-3": Failed("odd"),
        "customer-10": Failed("odd"),
        "customer-60": Failed(UNNAMED_ERROR),
    }
    assert not {"customer-3", "customer-10"} & {one for job in klaviyo.jobs[1:] for one in job}


def test_a_job_of_which_every_row_failed_needs_no_search() -> None:
    """As many failures as rows without a name."""
    klaviyo = Taciturn(range(50))
    assert set(failures(imported(klaviyo, 50)).values()) == {Failed(UNNAMED_ERROR)}
    assert len(klaviyo.jobs) == 1


def test_a_single_row_is_not_sent_again_to_find_itself() -> None:
    """It is the one that failed."""
    klaviyo = Taciturn({0})
    assert failures(imported(klaviyo, 1)) == {"customer-0": Failed(UNNAMED_ERROR)}
    assert len(klaviyo.jobs) == 1


def test_more_named_errors_than_failures_are_no_riddle() -> None:
    """All that failed have a name, whatever else is told."""
    klaviyo = Taciturn({1}, named={1}, stray=2)
    assert failures(imported(klaviyo, 10)) == {"customer-1": Failed("odd")}
    assert len(klaviyo.jobs) == 1


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 300), st.data())
def test_the_search_is_bounded_and_calls_no_failed_row_sent(size: int, data: st.DataObject) -> None:
    """However many fail, named or not: rows called sent are, and few jobs are started."""
    numbers = st.sets(st.integers(0, size - 1), max_size=12)
    bad = data.draw(numbers)
    klaviyo = Taciturn(bad, named=bad & data.draw(numbers))
    result = imported(klaviyo, size)
    sent = {one for one, outcome in result.outcomes.items() if isinstance(outcome, Sent)}
    assert len(result.outcomes) == size
    assert not sent & klaviyo.bad
    assert len(klaviyo.jobs) - 1 <= most_jobs(size)
    if len(klaviyo.bad - klaviyo.named) <= 1:
        assert set(failures(result)) == klaviyo.bad


def test_a_search_that_is_interrupted_goes_on_with_the_rows_that_are_left() -> None:
    """What a job without failures has freed is not sent again."""
    klaviyo, time, known = Taciturn({5}), VirtualTime(), KnownOutcomes()
    client = client_of(klaviyo, time)
    importer = ProfileImporter(client, JobPoller(client, monotonic=time.monotonic))
    rows = [customer(number) for number in range(64)]
    with pytest.raises(Interrupted):
        importer.import_profiles(rows, time.budget(8), known)
    free = set(known.outcomes)
    assert len(free) >= 32
    started = len(klaviyo.jobs)
    result = importer.import_profiles(rows, time.budget(), known)
    assert failures(result) == {"customer-5": Failed(UNNAMED_ERROR)}
    assert not free & {one for job in klaviyo.jobs[started:] for one in job}
