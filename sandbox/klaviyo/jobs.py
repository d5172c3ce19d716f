"""Asynchronous jobs: queued, processing, complete, by the clock; counts and row failures; their list and detail."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sandbox.klaviyo.answers import Answer, iso, iso_or_none, refuse
from sandbox.klaviyo.profiles import Profile
from sandbox.klaviyo.queries import page_links, position_of, sparse

if TYPE_CHECKING:
    from sandbox.klaviyo.state import Call

KEPT_S: Final = 7 * 86_400
"""How long a job can be looked up (its `expires_at`)."""


@dataclass(frozen=True, slots=True)
class RowFailure:
    """One row of a job that was not applied. `pointer` leads to it in the request's body."""

    code: str
    title: str
    detail: str
    pointer: str
    payload: bytes = b"{}"


@dataclass(slots=True)
class Job:
    """One job. It is `queued` until `queued_until`, and complete when `due_at` has passed and its rows are applied.

    `profiles` are those an import wrote, in the order of their rows.
    """

    id: str
    kind: str
    seq: int
    created_at: float
    queued_until: float
    due_at: float
    total: int
    completed: int = 0
    done: bool = False
    failures: list[RowFailure] = field(default_factory=list)
    profiles: list[Profile] = field(default_factory=list)

    def status(self, now: float) -> str:
        """The contract's status at `now`."""
        if now < self.queued_until:
            return "queued"
        return "complete" if self.done and now >= self.due_at else "processing"

    def attributes(self, now: float) -> dict[str, Any]:
        """The attributes that all kinds of job share; `completed_count` leaves out failed rows."""
        complete = self.status(now) == "complete"
        return {
            "status": self.status(now),
            "created_at": iso(self.created_at),
            "total_count": self.total,
            "completed_count": self.completed if complete else 0,
            "failed_count": len(self.failures) if complete else 0,
            "completed_at": iso(self.due_at) if complete else None,
            "expires_at": iso(self.created_at + KEPT_S),
        }

    def started_at(self, now: float) -> str | None:
        """When processing began."""
        return iso_or_none(self.queued_until if now >= self.queued_until else None)


class Jobs:
    """All jobs, by kind in the order of creation."""

    def __init__(self) -> None:
        self._by_kind: dict[str, list[Job]] = {}
        self._by_id: dict[str, Job] = {}

    def add(self, call: "Call", kind: str, total: int) -> Job:
        """Record a new job of `total` rows, due by the settings' durations."""
        settings = call.account.settings
        duration = settings.job_base_s + total * settings.job_s_per_row
        job = Job(
            id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{kind}-{len(self._by_id)}")),
            kind=kind,
            seq=call.seq,
            created_at=call.now,
            queued_until=call.now + duration * settings.job_queued_share,
            due_at=call.now + duration,
            total=total,
        )
        self._by_kind.setdefault(kind, []).append(job)
        self._by_id[job.id] = job
        return job

    def find(self, kind: str, job_id: str) -> Job:
        """The job; RefusedError 404 when there is none of that kind."""
        job = self._by_id.get(job_id)
        if job is None or job.kind != kind:
            raise refuse(404, f"A {kind} with id {job_id} does not exist.", "/data")
        return job

    def of_kind(self, kind: str) -> Sequence[Job]:
        """All jobs of a kind, oldest first."""
        return self._by_kind.get(kind, ())

    def in_progress(self, kinds: Sequence[str], now: float) -> int:
        """How many jobs of these kinds are queued or processing."""
        return sum(1 for kind in kinds for job in self._by_kind.get(kind, ()) if job.due_at > now)


Render = Callable[["Call", Job], dict[str, Any]]


def list_jobs(call: "Call", kind: str, render: Render) -> Answer:
    """Answer the list of jobs of a kind: status filter, sort by creation (newest first by default), pages."""
    jobs = list(call.account.jobs.of_kind(kind))
    if call.query.sort not in ("created_at", "created"):
        jobs.reverse()
    for condition in call.query.conditions:
        # The other filters name lists and segments, and there are none.
        jobs = [job for job in jobs if condition.field == "status" and job.status(call.now) in condition.values]
    start = position_of(call.query.cursor)
    page = jobs[start : start + call.query.page_size]
    more = start + len(page) if start + len(page) < len(jobs) else None
    links = page_links(call.url(call.operation.path.rsplit("/", 1)[1]), call.query, start, more)
    return Answer(200, {"data": [render(call, job) for job in page], "links": links})


def get_job(call: "Call", kind: str, render: Render) -> Answer:
    """Answer one job."""
    job = call.account.jobs.find(kind, call.path["job_id"])
    return Answer(200, {"data": render(call, job), "links": {"self": job_url(call, job)}})


def job_url(call: "Call", job: Job, *parts: str) -> str:
    """Address of a job, or of something below it."""
    return call.url(f"{job.kind}s", job.id, *parts)


def job_resource(
    call: "Call", job: Job, attributes: dict[str, Any], relationships: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The job as a resource object, with only the fields asked for."""
    resource: dict[str, Any] = {
        "type": job.kind,
        "id": job.id,
        "attributes": sparse(attributes, call.query, job.kind),
        "links": {"self": job_url(call, job)},
    }
    if relationships:
        resource["relationships"] = relationships
    return resource
