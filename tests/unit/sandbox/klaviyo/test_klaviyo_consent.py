"""Consent, suppression and deletion."""

from typing import Any

import pytest
from klaviyo_bench import Bench, errors, profile

SUBSCRIBE = "/api/profile-subscription-bulk-create-jobs"
UNSUBSCRIBE = "/api/profile-subscription-bulk-delete-jobs"
SUPPRESS = "/api/profile-suppression-bulk-create-jobs"
UNSUPPRESS = "/api/profile-suppression-bulk-delete-jobs"
DELETE = "/api/data-privacy-deletion-jobs"
ROWS = "/data/attributes/profiles/data"


def job(path: str, *rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    kind = path.removeprefix("/api/").removesuffix("s")
    return {"data": {"type": kind, "attributes": {"profiles": {"data": list(rows)}, **more}}}


def consent(email: str, state: str, **more: Any) -> dict[str, Any]:
    return profile(email=email, subscriptions={"email": {"marketing": {"consent": state, **more}}})


def marketing(bench: Bench, email: str) -> dict[str, Any]:
    params = {"filter": f'equals(email,"{email}")', "additional-fields[profile]": "subscriptions"}
    found = bench.get("/api/profiles", **params)["data"]
    shown: dict[str, Any] = found[0]["attributes"]["subscriptions"]["email"]["marketing"]
    return shown


def deletion(**named: Any) -> dict[str, Any]:
    row = {"type": "profile", "attributes": {k: v for k, v in named.items() if k != "id"}}
    if "id" in named:
        row["id"] = named["id"]
    return {"data": {"type": "data-privacy-deletion-job", "attributes": {"profile": {"data": row}}}}


def test_consent_is_given_and_withdrawn(bench: Bench) -> None:
    """202 without a body; the profile is created when unknown."""
    assert bench.post(SUBSCRIBE, job(SUBSCRIBE, consent("a@example.com", "SUBSCRIBED"))).status_code == 202
    assert marketing(bench, "a@example.com")["consent"] == "SUBSCRIBED"
    bench.post(SUBSCRIBE, job(SUBSCRIBE, consent("a@example.com", "SUBSCRIBED")))
    bench.post(UNSUBSCRIBE, job(UNSUBSCRIBE, consent("a@example.com", "UNSUBSCRIBED")))
    assert marketing(bench, "a@example.com")["consent"] == "UNSUBSCRIBED"
    kinds = [kind for kind, _ in bench.effects()]
    assert kinds == ["profile_created", "consent_subscribed", "consent_unchanged", "consent_unsubscribed"]


def test_import_and_events_never_grant_consent(bench: Bench) -> None:
    """A new profile is never subscribed."""
    bench.post("/api/profile-import", {"data": profile(email="a@example.com")})
    assert marketing(bench, "a@example.com")["consent"] == "NEVER_SUBSCRIBED"


@pytest.mark.parametrize(
    ("historical", "at", "status"),
    [
        (True, "2020-01-01T00:00:00Z", 202),
        (True, None, 400),
        (True, "2029-01-01T00:00:00Z", 400),
        (False, "2020-01-01T00:00:00Z", 400),
        (False, None, 202),
    ],
)
def test_consented_at_goes_with_a_historical_import(bench: Bench, historical: bool, at: str | None, status: int) -> None:
    """Required then, and past; forbidden otherwise."""
    more = {} if at is None else {"consented_at": at}
    body = job(SUBSCRIBE, consent("a@example.com", "SUBSCRIBED", **more), historical_import=historical)
    response = bench.post(SUBSCRIBE, body)
    assert response.status_code == status
    if status == 400:
        where = f"{ROWS}/0/attributes/subscriptions/email/marketing/consented_at"
        assert errors(response) == [("invalid", where)]


def test_only_identifiers_and_consent_are_allowed(bench: Bench) -> None:
    """Names are refused."""
    row = consent("a@example.com", "SUBSCRIBED")
    row["attributes"]["first_name"] = "A"
    response = bench.post(SUBSCRIBE, job(SUBSCRIBE, row))
    assert errors(response) == [("invalid", f"{ROWS}/0/attributes/first_name")]


@pytest.mark.parametrize(("path", "state", "most"), [(SUBSCRIBE, "SUBSCRIBED", 1000), (UNSUBSCRIBE, "UNSUBSCRIBED", 100)])
def test_consent_requests_have_a_row_limit(bench: Bench, path: str, state: str, most: int) -> None:
    """1,000 to subscribe, 100 to unsubscribe."""
    rows = [consent(f"p{i}@example.com", state) for i in range(most + 1)]
    assert bench.post(path, job(path, *rows)).status_code == 400
    assert bench.post(path, job(path, *rows[:-1])).status_code == 202


def test_suppression_is_a_job(bench: Bench) -> None:
    """Queued, then complete; lifted by the opposite job."""
    response = bench.post(SUPPRESS, job(SUPPRESS, profile(email="a@example.com")))
    job_id = response.json()["data"]["id"]
    assert bench.get(f"{SUPPRESS}/{job_id}")["data"]["attributes"]["status"] == "queued"
    bench.now += 3
    assert bench.get(f"{SUPPRESS}/{job_id}")["data"]["attributes"]["status"] == "complete"
    assert marketing(bench, "a@example.com")["suppression"][0]["reason"] == "USER_SUPPRESSED"
    assert [row["id"] for row in bench.get(SUPPRESS, filter="equals(status,'complete')")["data"]] == [job_id]
    lifted = bench.post(UNSUPPRESS, job(UNSUPPRESS, profile(email="a@example.com"))).json()["data"]["id"]
    bench.now += 3
    assert bench.get(f"{UNSUPPRESS}/{lifted}")["data"]["attributes"]["completed_count"] == 1
    assert marketing(bench, "a@example.com")["suppression"] == []
    assert len(bench.get(UNSUPPRESS)["data"]) == 1


def test_at_most_100_emails_are_suppressed_at_once(bench: Bench) -> None:
    """The 101st refuses the request."""
    rows = [profile(email=f"p{i}@example.com") for i in range(101)]
    assert bench.post(SUPPRESS, job(SUPPRESS, *rows)).status_code == 400


@pytest.mark.parametrize(
    "named", [{}, {"email": "a@example.com", "phone_number": "+4915112345678"}, {"id": "x", "email": "a@example.com"}]
)
def test_a_deletion_names_exactly_one_identifier(bench: Bench, named: dict[str, str]) -> None:
    """None or two are refused."""
    assert bench.post(DELETE, deletion(**named)).status_code == 400


def test_a_deletion_does_not_take_an_external_id(bench: Bench) -> None:
    """The contract has no such field."""
    response = bench.post(DELETE, deletion(external_id="c1"))
    assert errors(response) == [("invalid", "/data/attributes/profile/data/attributes/external_id")]


def test_a_deleted_person_is_gone_after_a_while_with_all_events(bench: Bench) -> None:
    """202 without a body; repeats are harmless; a later event makes a new profile."""
    bench.post("/api/profile-import", {"data": profile(external_id="c1", email="a@example.com")})
    assert bench.post(DELETE, deletion(email="A@example.com")).status_code == 202
    assert len(bench.get("/api/profiles")["data"]) == 1
    bench.now += 3
    assert bench.get("/api/profiles")["data"] == []
    assert bench.post(DELETE, deletion(email="a@example.com")).status_code == 202
    bench.now += 3
    assert [kind for kind, _ in bench.effects()] == ["profile_created", "profile_deleted", "deletion_without_profile"]
    assert bench.post("/api/profile-import", {"data": profile(external_id="c1")}).status_code == 201
