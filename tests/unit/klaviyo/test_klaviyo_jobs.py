"""Waiting for bulk jobs costs few requests, whoever waits (decisions.md 8)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import httpx
import pytest
from klaviyo_doubles import VirtualTime, client_of

from shared.errors import AuthError, TransientError
from shared.klaviyo.catalog import CatalogKind
from shared.klaviyo.catalog_jobs import JOB_TYPES, LIST_PAGES_MOST, Action
from shared.klaviyo.jobs import JobLost, JobPoller

COUNTS = {"total_count": 1, "failed_count": 0}


class Jobs:
    """Answers for jobs that are complete at given times; counts the requests."""

    def __init__(
        self, time: VirtualTime, complete_at: dict[str, float], *, listed: Callable[[str], bool] = lambda _: True
    ) -> None:
        self.time, self.complete_at, self.listed = time, complete_at, listed
        self.requests = Counter[str]()
        self.end = "complete"

    def __call__(self, request: httpx.Request) -> httpx.Response:
        name = request.url.path.removeprefix("/api/profile-bulk-import-jobs").strip("/")
        self.requests["one" if name else "list"] += 1
        self.time.sleep(0.2)
        if not name:
            return httpx.Response(200, json={"data": [self._job(job_id) for job_id in self.complete_at if self.listed(job_id)]})
        if name not in self.complete_at:
            return httpx.Response(404)
        return httpx.Response(200, json={"data": self._job(name)})

    def _job(self, job_id: str) -> dict[str, object]:
        left = self.complete_at[job_id] - self.time.monotonic()
        status = self.end if left <= 0 else "processing" if left < 1 else "queued"
        return {"type": "profile-bulk-import-job", "id": job_id, "attributes": {"status": status, **COUNTS}}


def test_one_job_is_looked_up_by_itself_at_growing_intervals() -> None:
    """Half a second at first, five at most; `queued` and `processing` are not done."""
    time = VirtualTime()
    jobs = Jobs(time, {"a": time.monotonic() + 40})
    start = time.monotonic()
    found = JobPoller(client_of(jobs, time), monotonic=time.monotonic).wait(["a"], time.budget())
    assert found["a"].attributes.status == "complete"
    assert 40 <= time.monotonic() - start <= 45
    assert jobs.requests["list"] == 0
    assert 10 <= jobs.requests["one"] <= 14


def test_a_short_job_is_noticed_within_a_second() -> None:
    """The first looks come soon."""
    time = VirtualTime()
    start = time.monotonic()
    jobs = Jobs(time, {"a": start + 0.9})
    JobPoller(client_of(jobs, time), monotonic=time.monotonic).wait(["a"], time.budget())
    assert time.monotonic() - start < 2


def test_many_jobs_of_many_threads_cost_no_more_than_one_list_at_a_time() -> None:
    """Eight threads with five jobs each, complete within 20 s: a dozen or so list requests for all forty."""
    time = VirtualTime()
    complete_at = {f"{thread}-{number}": time.monotonic() + 1 + thread + number * 2 for thread in range(8) for number in range(5)}
    jobs = Jobs(time, complete_at)
    poller = JobPoller(client_of(jobs, time), monotonic=time.monotonic)

    def waiter(thread: int) -> Callable[[], None]:
        def wait() -> None:
            wanted = [f"{thread}-{number}" for number in range(5)]
            assert set(poller.wait(wanted, time.budget())) == set(wanted)
            assert time.monotonic() >= max(complete_at[job_id] for job_id in wanted)

        return wait

    time.run(*(waiter(thread) for thread in range(8)))
    assert jobs.requests["list"] <= 14
    assert jobs.requests["one"] <= 2


def test_jobs_that_the_newest_hundred_do_not_show_are_looked_up_one_by_one() -> None:
    """Others may start jobs as well."""
    time = VirtualTime()
    jobs = Jobs(time, dict.fromkeys(("a", "b", "c"), time.monotonic() + 3), listed=lambda job_id: job_id != "b")
    found = JobPoller(client_of(jobs, time), monotonic=time.monotonic).wait(["a", "b", "c"], time.budget())
    assert set(found) == {"a", "b", "c"}


def test_a_cancelled_job_is_transient() -> None:
    """Its rows are sent again by redelivery."""
    time = VirtualTime()
    jobs = Jobs(time, {"a": time.monotonic()})
    jobs.end = "cancelled"
    with pytest.raises(JobLost) as caught:
        JobPoller(client_of(jobs, time), monotonic=time.monotonic).wait(["a"], time.budget())
    assert isinstance(caught.value, TransientError)


def test_a_job_that_is_not_found_again_and_again_is_transient() -> None:
    """A single miss may be a lag of the index."""
    time = VirtualTime()
    jobs = Jobs(time, {})
    with pytest.raises(JobLost):
        JobPoller(client_of(jobs, time), monotonic=time.monotonic).wait(["a"], time.budget())
    assert jobs.requests["one"] == 3


def test_a_job_that_appears_late_is_waited_for() -> None:
    """Found on the second look."""
    time = VirtualTime()
    jobs = Jobs(time, {})
    start = time.monotonic()

    def answer(request: httpx.Request) -> httpx.Response:
        if time.monotonic() - start > 1:
            jobs.complete_at["a"] = start
        return jobs(request)

    assert "a" in JobPoller(client_of(answer, time), monotonic=time.monotonic).wait(["a"], time.budget())


def test_an_error_reaches_every_waiting_thread() -> None:
    """Whoever polls fails, and then the next one polls: nobody waits for an answer that does not come."""
    time = VirtualTime()
    poller = JobPoller(client_of(lambda _: httpx.Response(401), time), monotonic=time.monotonic)
    refused = []

    def wait() -> None:
        try:
            poller.wait(["a", "b"], time.budget())
        except AuthError:
            refused.append(1)

    time.run(wait, wait, wait)
    assert len(refused) == 3
    assert poller._watched == {}


def test_nothing_to_wait_for_asks_nothing() -> None:
    """Every row of a batch may have failed before a job."""
    time = VirtualTime()
    jobs = Jobs(time, {})
    assert JobPoller(client_of(jobs, time), monotonic=time.monotonic).wait([], time.budget()) == {}
    assert not jobs.requests


CREATES = JOB_TYPES[CatalogKind.VARIANT, Action.CREATE]


class Pages:
    """Lists of catalog jobs in a given order, 100 a page; counts the requests."""

    def __init__(self, job_ids: list[str]) -> None:
        self.job_ids = job_ids
        self.asked = Counter[str]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        name = request.url.path.removeprefix(CREATES.endpoints.list.path).strip("/")
        self.asked["one" if name else "list"] += 1
        if name:
            return httpx.Response(200, json={"data": _complete(name)})
        start = int(request.url.params.get("page[cursor]", "0"))
        more = start + 100 < len(self.job_ids)
        following = f"https://elsewhere.example.com/x?page%5Bcursor%5D={start + 100}" if more else None
        data = [_complete(job_id) for job_id in self.job_ids[start : start + 100]]
        return httpx.Response(200, json={"data": data, "links": {"next": following}})


def _complete(job_id: str) -> dict[str, object]:
    return {"type": CREATES.name, "id": job_id, "attributes": {"status": "complete", "failed_count": 0}}


def waited(pages: Pages, job_ids: list[str]) -> Counter[str]:
    """What waiting for these jobs asks."""
    time = VirtualTime()
    poller = JobPoller(client_of(pages, time), CREATES.look, monotonic=time.monotonic)
    assert set(poller.wait(job_ids, time.budget())) == set(job_ids)
    return pages.asked


def test_the_list_is_read_on_while_jobs_are_unseen() -> None:
    """As many as an account may have in progress: five pages instead of five hundred look-ups."""
    ours = [f"job-{number}" for number in range(500)]
    assert waited(Pages(ours), ours) == {"list": 5}


def test_the_list_is_read_no_further_than_it_pays() -> None:
    """What is on the first page needs no second, and a single job is looked at by itself."""
    strangers = [f"other-{number}" for number in range(300)]
    assert waited(Pages(["a", "b", *strangers]), ["a", "b"]) == {"list": 1}
    assert waited(Pages(["a", *strangers, "b"]), ["a", "b"]) == {"list": 1, "one": 1}


def test_a_list_that_does_not_begin_with_the_newest_is_given_up() -> None:
    """Its order is not documented: after some pages each job is looked at by itself."""
    strangers = [f"other-{number}" for number in range(5_000)]
    assert waited(Pages([*strangers, "a", "b"]), ["a", "b"]) == {"list": LIST_PAGES_MOST, "one": 2}
