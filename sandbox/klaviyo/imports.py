"""Bulk profile import: the request, its job, its import errors and its profiles."""

from typing import Any, Final

import msgspec

from sandbox.klaviyo.answers import Answer, Problem, RefusedError, refuse
from sandbox.klaviyo.backlog import SLICE_ROWS, Step
from sandbox.klaviyo.jobs import Job, RowFailure, get_job, job_resource, job_url, list_jobs
from sandbox.klaviyo.limits import MAX_PROFILE_BYTES
from sandbox.klaviyo.profile_api import CONFLICT_DETAIL, profile_resource
from sandbox.klaviyo.profiles import Kind, Profile
from sandbox.klaviyo.queries import page_links, position_of
from sandbox.klaviyo.rules import IdentifierRules
from sandbox.klaviyo.state import Account, Call

KIND: Final = "profile-bulk-import-job"
_ROWS: Final = "/data/attributes/profiles/data"

_FAILURES: Final[dict[Kind, tuple[str, str, str]]] = {
    "conflict": ("duplicate_profile", "Conflict.", CONFLICT_DETAIL),
    "missing": ("not_found", "Not found.", "A profile with this id does not exist."),
    "unidentified": ("invalid", "Invalid input.", "One or more valid profile identifiers must be provided."),
}


class _Rows(msgspec.Struct):
    data: list[msgspec.Raw]


class _Attributes(msgspec.Struct):
    profiles: _Rows


class _Resource(msgspec.Struct):
    attributes: _Attributes


class _Body(msgspec.Struct):
    data: _Resource


_decode_rows = msgspec.json.Decoder(_Body).decode


def bulk_import_profiles(call: Call) -> Answer:
    """Accept a job, or refuse the whole request naming the faulty rows."""
    if call.body["data"].get("relationships", {}).get("lists", {}).get("data"):
        raise refuse(400, "No list with this id exists.", "/data/relationships/lists/data")
    rows: list[dict[str, Any]] = call.body["data"]["attributes"]["profiles"]["data"]
    settings = call.account.settings
    rules = IdentifierRules(bulk=True, unsupported=settings.unsupported_phone_prefixes, echo=settings.echo_values)
    problems = rules.check_rows(rows, _ROWS)
    for i, row_json in enumerate(_decode_rows(call.raw).data.attributes.profiles.data):
        if memoryview(row_json).nbytes > MAX_PROFILE_BYTES:
            problems.append(Problem("A profile may have at most 100KB.", f"{_ROWS}/{i}"))
    if problems:
        raise RefusedError(400, problems)
    job = call.account.jobs.add(call, KIND, len(rows))
    call.account.backlog.add(job.due_at, _application(call.account, job, call.raw))
    identities = [row_identity(row) for row in rows]
    return Answer(202, {"data": _render(call, job), "links": {"self": job_url(call, job)}}, identities)


def row_identity(row: dict[str, Any]) -> str:
    """How the ledger names a row: external id, else email, phone or id."""
    attributes = row["attributes"]
    return str(
        attributes.get("external_id")
        or attributes.get("email")
        or attributes.get("phone_number")
        or row.get("id")
        or attributes.get("_kx")
        or attributes.get("anonymous_id")
    )


def get_jobs(call: Call) -> Answer:
    """The list of import jobs."""
    return list_jobs(call, KIND, _render)


def get_one(call: Call) -> Answer:
    """One import job."""
    return get_job(call, KIND, _render)


def get_errors(call: Call) -> Answer:
    """The rows of a job that failed, with their original payloads."""
    job = call.account.jobs.find(KIND, call.path["id"])
    start = position_of(call.query.cursor)
    failures = job.failures if job.status(call.now) == "complete" else []
    page = failures[start : start + call.query.page_size]
    more = start + len(page) if start + len(page) < len(failures) else None
    url = job_url(call, job, "import-errors")
    data = [
        {
            "type": "import-error",
            "id": f"{job.id}-{start + i}",
            "attributes": {
                "code": failure.code,
                "title": failure.title,
                "detail": failure.detail,
                "source": {"pointer": failure.pointer},
                "original_payload": msgspec.json.decode(failure.payload),
            },
        }
        for i, failure in enumerate(page)
    ]
    return Answer(200, {"data": data, "links": page_links(url, call.query, start, more)})


def get_profiles_of_job(call: Call) -> Answer:
    """The profiles a job wrote."""
    page, links = _profile_page(call, "profiles")
    return Answer(200, {"data": [profile_resource(call, profile) for profile in page], "links": links})


def get_profile_ids_of_job(call: Call) -> Answer:
    """The ids of the profiles a job wrote."""
    page, links = _profile_page(call, "relationships", "profiles")
    return Answer(200, {"data": [{"type": "profile", "id": profile.id} for profile in page], "links": links})


def _profile_page(call: Call, *below: str) -> tuple[list[Profile], dict[str, str]]:
    job = call.account.jobs.find(KIND, call.path["id"])
    start = position_of(call.query.cursor)
    page = job.profiles[start : start + call.query.page_size]
    more = start + len(page) if start + len(page) < len(job.profiles) else None
    return page, page_links(job_url(call, job, *below), call.query, start, more)


def _render(call: Call, job: Job) -> dict[str, Any]:
    url = job_url(call, job)
    return job_resource(
        call,
        job,
        {**job.attributes(call.now), "started_at": job.started_at(call.now)},
        {
            "lists": {"data": [], "links": {"self": f"{url}/relationships/lists", "related": f"{url}/lists"}},
            "profiles": {"links": {"self": f"{url}/relationships/profiles", "related": f"{url}/profiles"}},
            "import-errors": {"links": {"related": f"{url}/import-errors"}},
        },
    )


def _application(account: Account, job: Job, raw: bytes) -> Step:
    """The slices of a job's work. The body is kept as bytes until then, a fifth of the size of its objects."""
    pending: list[tuple[int, msgspec.Raw]] = []
    source: list[bytes] = [raw]
    del raw

    def step() -> bool:
        if source:
            rows = _decode_rows(source.pop()).data.attributes.profiles.data
            pending.extend(enumerate(rows))
            if account.settings.job_order == "forward":
                pending.reverse()
        for _ in range(min(SLICE_ROWS, len(pending))):
            _apply_row(account, job, *pending.pop())
        job.done = not pending
        return job.done

    return step


def _apply_row(account: Account, job: Job, position: int, raw: msgspec.Raw) -> None:
    row = msgspec.json.decode(raw)
    identity = row_identity(row)
    outcome = account.profiles.upsert(
        row["attributes"],
        row.get("id"),
        job.due_at,
        rules=account.match_rules,
        clear_nulls=False,
        meta=row.get("meta"),
    )
    if outcome.phone_dropped:
        account.ledger.effect(job.seq, job.due_at, "phone_dropped", identity)
    account.ledger.effect(job.seq, job.due_at, f"profile_{outcome.kind}", identity)
    failure = _FAILURES.get(outcome.kind)
    if failure:
        job.failures.append(RowFailure(*failure, f"{_ROWS}/{position}", bytes(raw)))
    elif outcome.profile is not None:
        job.completed += 1
        job.profiles.append(outcome.profile)
