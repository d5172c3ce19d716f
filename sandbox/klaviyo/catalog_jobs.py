"""Catalog bulk jobs: create, update and delete, for each of the three kinds, row by row."""

from typing import Any, Final, Literal

from sandbox.klaviyo.answers import Answer, Problem, RefusedError
from sandbox.klaviyo.backlog import Step
from sandbox.klaviyo.catalog import PLURALS, CatalogError, Kind
from sandbox.klaviyo.catalog_api import remove, row_problems
from sandbox.klaviyo.jobs import Job, RowFailure, get_job, job_resource, job_url, list_jobs
from sandbox.klaviyo.limits import MAX_CATALOG_JOBS
from sandbox.klaviyo.state import Call

Action = Literal["create", "update", "delete"]
_ACTIONS: Final[tuple[Action, ...]] = ("create", "update", "delete")


def job_kind(kind: Kind, action: Action) -> str:
    """The resource type of a job, such as `catalog-item-bulk-create-job`."""
    return f"catalog-{kind}-bulk-{action}-job"


_ALL_KINDS: Final = tuple(job_kind(kind, action) for kind in PLURALS for action in _ACTIONS)


def start(call: Call, kind: Kind, action: Action) -> Answer:
    """Accept a job, or refuse the whole request naming the faulty rows."""
    rows: list[dict[str, Any]] = call.body["data"]["attributes"][PLURALS[kind]]["data"]
    at = f"/data/attributes/{PLURALS[kind]}/data"
    problems = [problem for i, row in enumerate(rows) for problem in row_problems(row, f"{at}/{i}")]
    if problems:
        raise RefusedError(400, problems)
    own = job_kind(kind, action)
    account = call.account
    counted = _ALL_KINDS if account.settings.catalog_jobs_cap == "account" else (own,)
    if account.jobs.in_progress(counted, call.now) >= MAX_CATALOG_JOBS:
        detail = "The maximum number of catalog jobs in progress is 500."
        raise RefusedError(account.settings.catalog_jobs_full_status, [Problem(detail, "/data")])
    job = account.jobs.add(call, own, len(rows))
    account.backlog.add(job.due_at, _application(call, job, kind, action, rows))
    identities = [row.get("id") or row["attributes"]["external_id"] for row in rows]
    return Answer(202, {"data": _render(call, job), "links": {"self": job_url(call, job)}}, identities)


def list_of(call: Call, kind: Kind, action: Action) -> Answer:
    """The list of jobs of one kind and action."""
    return list_jobs(call, job_kind(kind, action), _render)


def one(call: Call, kind: Kind, action: Action) -> Answer:
    """One job; its objects are included when asked for."""
    return get_job(call, job_kind(kind, action), _render)


def _render(call: Call, job: Job) -> dict[str, Any]:
    complete = job.status(call.now) == "complete"
    errors = [
        {
            "id": f"{job.id}-{i}",
            "code": failure.code,
            "title": failure.title,
            "detail": failure.detail,
            "source": {"pointer": failure.pointer},
        }
        for i, failure in enumerate(job.failures)
    ]
    return job_resource(call, job, {**job.attributes(call.now), "errors": errors if complete else []})


def _application(call: Call, job: Job, kind: Kind, action: Action, rows: list[dict[str, Any]]) -> Step:
    account = call.account

    def apply(row: dict[str, Any]) -> None:
        if action == "create":
            entry, effect = account.catalog.create(kind, row, job.due_at), f"{kind}_created"
        else:
            entry = account.catalog.find(kind, row["id"])
            if action == "delete":
                remove(call, kind, entry, job.seq, job.due_at)
                return
            changed = account.catalog.update(kind, entry, row, job.due_at)
            effect = f"{kind}_{'updated' if changed else 'unchanged'}"
        account.ledger.effect(job.seq, job.due_at, effect, entry.external_id)

    def step() -> bool:
        # A hundred rows at most: one slice.
        for i, row in enumerate(rows):
            try:
                apply(row)
            except CatalogError as error:
                code = "duplicate_error" if error.code == "conflict" else error.code
                pointer = f"/data/attributes/{PLURALS[kind]}/data/{i}{error.below}"
                job.failures.append(RowFailure(code, "Invalid input.", error.detail, pointer))
                account.ledger.effect(
                    job.seq, job.due_at, f"{kind}_{action}_failed", row.get("id") or row["attributes"]["external_id"]
                )
            else:
                job.completed += 1
        job.done = True
        return True

    return step
