"""Consent and privacy: subscribe, unsubscribe, suppress, unsuppress, delete a person."""

from typing import Any, Final

from sandbox.klaviyo.answers import Answer, Problem, RefusedError, iso, refuse
from sandbox.klaviyo.backlog import Step
from sandbox.klaviyo.jobs import Job, get_job, job_resource, job_url, list_jobs
from sandbox.klaviyo.profiles import Profile
from sandbox.klaviyo.rules import IdentifierRules, is_past
from sandbox.klaviyo.state import Call

SUPPRESS: Final = "profile-suppression-bulk-create-job"
UNSUPPRESS: Final = "profile-suppression-bulk-delete-job"
_ROWS: Final = "/data/attributes/profiles/data"


def bulk_subscribe_profiles(call: Call) -> Answer:
    """Record consent; a historical import needs a past `consented_at`, anything else forbids it."""
    attributes = call.body["data"]["attributes"]
    rows = attributes["profiles"]["data"]
    problems = _identifier_problems(call, rows)
    historical = bool(attributes.get("historical_import"))
    for i, row in enumerate(rows):
        for path, consent in _consents(row["attributes"]["subscriptions"]):
            where = f"{_ROWS}/{i}/attributes/subscriptions/{path}/consented_at"
            at = consent.get("consented_at")
            if historical and at is None:
                problems.append(Problem("'consented_at' is required for a historical import.", where))
            elif historical and at is not None and not is_past(at, call.now):
                problems.append(Problem("'consented_at' must be in the past.", where))
            elif not historical and at is not None:
                problems.append(Problem("'consented_at' is only allowed for a historical import.", where))
    _refuse_list(call)
    if problems:
        raise RefusedError(400, problems)
    for row in rows:
        _record_consent(call, row, "SUBSCRIBED")
    return Answer(202, None, [_named(row) for row in rows])


def bulk_unsubscribe_profiles(call: Call) -> Answer:
    """Withdraw consent."""
    rows = call.body["data"]["attributes"]["profiles"]["data"]
    problems = _identifier_problems(call, rows)
    _refuse_list(call)
    if problems:
        raise RefusedError(400, problems)
    for row in rows:
        _record_consent(call, row, "UNSUBSCRIBED")
    return Answer(202, None, [_named(row) for row in rows])


def bulk_suppress_profiles(call: Call) -> Answer:
    """Suppress by email."""
    return _suppression_job(call, SUPPRESS)


def bulk_unsuppress_profiles(call: Call) -> Answer:
    """Lift suppressions by email."""
    return _suppression_job(call, UNSUPPRESS)


def get_suppress_jobs(call: Call) -> Answer:
    """The list of suppression jobs."""
    return list_jobs(call, SUPPRESS, _render)


def get_suppress_job(call: Call) -> Answer:
    """One suppression job."""
    return get_job(call, SUPPRESS, _render)


def get_unsuppress_jobs(call: Call) -> Answer:
    """The list of jobs that lift suppressions."""
    return list_jobs(call, UNSUPPRESS, _render)


def get_unsuppress_job(call: Call) -> Answer:
    """One job that lifts suppressions."""
    return get_job(call, UNSUPPRESS, _render)


def request_profile_deletion(call: Call) -> Answer:
    """Delete the person named by exactly one of id, email and phone number, after a job's time; repeats are harmless."""
    row = call.body["data"]["attributes"]["profile"]["data"]
    named = {"id": row.get("id"), **row["attributes"]}
    given = [(name, value) for name, value in named.items() if value]
    where = "/data/attributes/profile/data"
    if len(given) != 1:
        raise refuse(400, "Exactly one of id, email and phone_number must be given.", f"{where}/attributes")
    problems: list[Problem] = []
    IdentifierRules(bulk=False).check(row, where, problems)
    if problems:
        raise RefusedError(400, problems)
    name, value = given[0]
    account = call.account

    def step() -> bool:
        lookups = {
            "id": account.profiles.by_id,
            "email": account.profiles.by_email,
            "phone_number": account.profiles.by_phone,
        }
        profile = lookups[name](value)
        if profile is None:
            call.effect("deletion_without_profile", value)
            return True
        account.profiles.delete(profile)
        account.consents.pop(profile.seq, None)
        account.suppressed.pop(profile.seq, None)
        account.events.forget(profile.seq)
        call.effect("profile_deleted", profile.identity)
        return True

    account.backlog.add(call.now + account.settings.job_base_s, step)
    return Answer(202, None, [value])


def _identifier_problems(call: Call, rows: list[dict[str, Any]]) -> list[Problem]:
    settings = call.account.settings
    rules = IdentifierRules(bulk=False, unsupported=settings.unsupported_phone_prefixes, echo=settings.echo_values)
    return rules.check_rows(rows, _ROWS)


def _consents(subscriptions: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{channel}/{use}", consent)
        for channel, uses in subscriptions.items()
        for use, consent in (uses or {}).items()
        if isinstance(consent, dict)
    ]


def _refuse_list(call: Call) -> None:
    if call.body["data"].get("relationships", {}).get("list", {}).get("data"):
        raise refuse(404, "No list with this id exists.", "/data/relationships/list/data/id")


def _named(row: dict[str, Any]) -> str:
    attributes = row["attributes"]
    return str(attributes.get("email") or attributes.get("phone_number") or row.get("id"))


def _record_consent(call: Call, row: dict[str, Any], consent: str) -> None:
    account, attributes = call.account, row["attributes"]
    identifiers = {name: attributes[name] for name in ("email", "phone_number") if attributes.get(name)}
    found = account.profiles.matches(identifiers, row.get("id"))
    if found:
        profile: Profile = found[0]
    else:
        outcome = account.profiles.upsert(identifiers, None, call.now, rules=account.match_rules, clear_nulls=False)
        if outcome.profile is None:
            call.effect("consent_without_profile", _named(row))
            return
        profile = outcome.profile
        call.effect("profile_created", profile.identity)
    held = account.consents.setdefault(profile.seq, {})
    before = repr(held)
    for path, given in _consents(attributes["subscriptions"]):
        channel = path.split("/", 1)[0]
        if held.get(channel, {}).get("consent") != consent:
            held[channel] = {"consent": consent, "at": given.get("consented_at") or iso(call.now)}
    if consent == "SUBSCRIBED" and "email" in held:
        account.suppressed.pop(profile.seq, None)
    call.effect("consent_unchanged" if repr(held) == before else f"consent_{consent.lower()}", profile.identity)


def _suppression_job(call: Call, kind: str) -> Answer:
    rows = (call.body["data"]["attributes"].get("profiles") or {}).get("data") or []
    if not rows:
        raise refuse(400, "The simulator has no lists or segments: emails must be given.", "/data/attributes/profiles")
    problems = _identifier_problems(call, rows)
    if problems:
        raise RefusedError(400, problems)
    emails = [row["attributes"]["email"] for row in rows]
    job = call.account.jobs.add(call, kind, len(emails))
    call.account.backlog.add(job.due_at, _suppression(call, job, emails))
    return Answer(202, {"data": _render(call, job), "links": {"self": job_url(call, job)}}, emails)


def _suppression(call: Call, job: Job, emails: list[str]) -> Step:
    account = call.account

    def step() -> bool:
        for email in emails:
            profile = account.profiles.by_email(email)
            if profile is None and job.kind == SUPPRESS:
                created = account.profiles.upsert(
                    {"email": email}, None, job.due_at, rules=account.match_rules, clear_nulls=False
                )
                profile = created.profile
            held = profile is not None and profile.seq in account.suppressed
            if profile is None or held == (job.kind == SUPPRESS):
                continue
            if job.kind == SUPPRESS:
                account.suppressed[profile.seq] = job.due_at
            else:
                del account.suppressed[profile.seq]
            job.completed += 1
            effect = "profile_suppressed" if job.kind == SUPPRESS else "profile_unsuppressed"
            account.ledger.effect(job.seq, job.due_at, effect, profile.identity)
        job.done = True
        return True

    return step


def _render(call: Call, job: Job) -> dict[str, Any]:
    attributes = job.attributes(call.now)
    kept = {name: attributes[name] for name in ("status", "created_at", "total_count", "completed_count", "completed_at")}
    complete = attributes["status"] == "complete"
    return job_resource(call, job, {**kept, "skipped_count": job.total - job.completed if complete else 0})
