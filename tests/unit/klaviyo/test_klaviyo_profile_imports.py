"""Customers go to Klaviyo in bulk; each ends as sent or failed, whatever it answers (decisions.md 8, mapping.md "Profiles")."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from klaviyo_doubles import Sandbox, Scripted, VirtualTime, adjusted, client_of, customer, error_body, failures, sent_count

from sandbox.faults import FaultRule
from shared.errors import AuthError, HostDown, Interrupted, TransientError
from shared.klaviyo.jobs import JobPoller
from shared.klaviyo.limits import PackLimits
from shared.klaviyo.profile_conflicts import solve
from shared.klaviyo.profile_imports import SINGLES_MOST, ProfileImporter
from shared.klaviyo.profile_rows import ProfileImportResult, ProfileRow, profile_row
from shared.klaviyo.profiles import ProfileAttributes
from shared.klaviyo.refused_rows import UNNAMED_ROWS_MOST
from shared.klaviyo.row_outcomes import Failed, Sent
from shared.mapping.result import Adjustment

JOBS = "/api/profile-bulk-import-jobs"
ALL_IN_ONE = PackLimits(100_000, 10_000_000, 100_000)


def test_customers_arrive_by_one_job_and_a_second_import_is_sent_and_changes_nothing() -> None:
    """Upserts: what is there already is sent, not failed."""
    sandbox = Sandbox()
    rows = [customer(number, first_name="Ann") for number in range(50)]
    first, second = sandbox.run(rows), sandbox.run(rows)
    assert sent_count(first) == sent_count(second) == 50
    assert (len(first.job_ids), len(second.job_ids)) == (1, 1)
    assert sandbox.account.profiles.count == 50
    assert {sandbox.profile(number).changes for number in range(50)} == {1}


def test_a_malformed_email_among_ten_thousand_costs_one_row_and_one_request() -> None:
    """The refusal names it; the other 9,999 go in the next request."""
    sandbox = Sandbox()
    rows = [customer(number) for number in range(10_000)]
    rows[388] = customer(388, email="not an address")
    result = sandbox.run(rows)
    assert failures(result) == {"customer-388": Failed("invalid", "/data/attributes/profiles/data/388/attributes/email")}
    assert sandbox.account.profiles.count == 9_999
    assert sandbox.requests()["import_profiles"] == 2


def test_an_answer_that_names_only_some_bad_rows_is_asked_again() -> None:
    """Klaviyo names at most a hundred here; 250 bad ones cost three refusals."""
    sandbox = Sandbox()
    rows = [customer(number, email="bad" if number % 2 else f"c{number}@example.com") for number in range(500)]
    result = sandbox.run(rows)
    assert len(failures(result)) == 250
    assert sandbox.account.profiles.count == 250
    assert sandbox.requests()["import_profiles"] == 4


def test_a_refused_phone_costs_the_phone_and_not_the_customer() -> None:
    """Valid, but of a region that the account cannot text."""
    sandbox = Sandbox(unsupported_phone_prefixes=("+49",))
    rows = [customer(0, phone_number="+4930123456"), customer(1, phone_number="+12025550123"), customer(2)]
    result = sandbox.run(rows)
    assert adjusted(result) == {"customer-0": (Adjustment.PHONE_REFUSED,)}
    assert (sandbox.profile(0).phone, sandbox.profile(1).phone) == (None, "+12025550123")
    assert sandbox.requests()["import_profiles"] == 2


def test_an_account_that_cannot_text_a_country_is_found_out_after_a_few_requests() -> None:
    """3,000 refused phones, a hundred named at a time: the rest of that country goes without; other countries keep theirs."""
    sandbox = Sandbox(unsupported_phone_prefixes=("+49",))
    rows = [customer(number, phone_number=f"+4930{number:06d}") for number in range(3_000)]
    rows.append(customer(9_999, phone_number="+12025550123"))
    result = sandbox.run(rows)
    assert len(adjusted(result)) == 3_000
    assert sandbox.account.profiles.count == 3_001
    assert sandbox.profile(9_999).phone == "+12025550123"
    assert sandbox.requests()["import_profiles"] <= 7


def test_a_row_over_the_limit_fails_and_is_not_sent() -> None:
    """100 KB is Klaviyo's limit for one profile."""
    sandbox = Sandbox()
    result = sandbox.run([customer(0), customer(1, properties={"notes": "x" * 100_000})])
    assert failures(result) == {"customer-1": Failed("row_too_large")}
    assert sandbox.account.profiles.count == 1


def test_rows_over_five_megabytes_go_in_several_jobs_that_run_side_by_side() -> None:
    """All jobs are started before the first is awaited."""
    sandbox = Sandbox(job_base_s=20.0)
    rows = [customer(number, properties={"notes": "x" * 90_000}) for number in range(120)]
    start = sandbox.time.monotonic()
    result = sandbox.run(rows)
    assert (len(result.job_ids), sent_count(result)) == (3, 120)
    assert sandbox.time.monotonic() - start < 40


def test_a_phone_of_another_profile_is_left_out_after_the_job_named_the_conflict() -> None:
    """The bulk row fails, the single upsert says 409, the one without the phone passes."""
    sandbox = Sandbox()
    sandbox.run([customer(0, phone_number="+12025550123")])
    result = sandbox.run([customer(1, phone_number="+12025550123", first_name="Ben"), customer(2)])
    assert adjusted(result) == {"customer-1": (Adjustment.PHONE_REFUSED,)}
    assert (sandbox.profile(0).phone, sandbox.profile(1).phone) == ("+12025550123", None)


def test_an_email_of_another_profile_is_left_to_it_and_the_customer_is_not_lost() -> None:
    """The profile that the conflict names gets everything but the id and the e-mail; its own stay as they are."""
    sandbox = Sandbox()
    sandbox.run([customer(0, email="old@example.com"), customer(1, email="new@example.com")])
    result = sandbox.run([customer(0, email="new@example.com", first_name="Ann", phone_number="+12025550123")])
    assert adjusted(result) == {"customer-0": (Adjustment.IDENTIFIER_CONFLICT,)}
    emails = (sandbox.profile(0).email, sandbox.profile(1).email)
    assert emails == ("old@example.com", "new@example.com")
    named = sandbox.profile(1)
    assert (named.attributes()["first_name"], named.phone) == ("Ann", "+12025550123")


def test_where_an_email_under_another_id_is_a_conflict_its_profile_becomes_the_customers() -> None:
    """The other reading of Klaviyo's matching: the profile that the conflict names gets the id, too, so that nothing is torn."""
    sandbox = Sandbox(email_match="conflict")
    sandbox.run([profile_row("old", ProfileAttributes(external_id="older-shop-1", email="customer-0@example.com"))])
    result = sandbox.run([customer(0, first_name="Ann", phone_number="+12025550123")])
    assert (sent_count(result), adjusted(result)) == (1, {})
    profile = sandbox.profile(0)
    assert (profile.email, profile.phone, profile.attributes()["first_name"]) == (
        "customer-0@example.com",
        "+12025550123",
        "Ann",
    )
    assert sandbox.account.profiles.count == 1


def test_many_phone_conflicts_are_solved_by_a_second_job_and_not_one_by_one() -> None:
    """One by one they would take longer than a worker has."""
    sandbox = Sandbox()
    number = SINGLES_MOST + 50
    sandbox.run([customer(n, phone_number=f"+1202555{n:04d}") for n in range(number)])
    result = sandbox.run([customer(1_000 + n, phone_number=f"+1202555{n:04d}") for n in range(number)])
    assert (sent_count(result), len(adjusted(result)), len(result.job_ids)) == (number, number, 2)
    assert "upsert_profile" not in sandbox.requests()


def test_rows_of_the_second_job_keep_their_own_outcomes() -> None:
    """Good rows, phone conflicts, one that has an e-mail conflict too, and one whose phone was refused before its conflict."""
    sandbox = Sandbox(unsupported_phone_prefixes=("+49",))
    number = SINGLES_MOST + 1
    sandbox.run([customer(n, phone_number=f"+1202555{n:04d}") for n in range(number)])
    sandbox.run([customer(5_000), customer(5_001)])
    rows = [
        customer(3_000),
        customer(3_001),
        customer(5_000, email="customer-0@example.com", phone_number="+4930123456"),
        *(customer(1_000 + n, phone_number=f"+1202555{n:04d}") for n in range(number)),
        customer(5_001, email="customer-1@example.com", phone_number="+12025550000"),
    ]
    result = sandbox.run(rows)
    expected = {f"customer-{1_000 + n}": (Adjustment.PHONE_REFUSED,) for n in range(number)}
    both = (Adjustment.PHONE_REFUSED, Adjustment.IDENTIFIER_CONFLICT)
    assert adjusted(result) == {**expected, "customer-5000": both, "customer-5001": both}
    assert sent_count(result) == len(rows)


def test_an_import_error_at_an_identifier_is_taken_to_the_single_endpoint() -> None:
    """There its verdict is exact: here the phone goes, and the customer stays."""
    pointer = "/data/attributes/profiles/data/0/attributes/phone_number"
    error = {"code": "invalid", "source": {"pointer": pointer}, "original_payload": {"external_id": "customer-0"}}
    time, posts = VirtualTime(), Scripted([BAD_PHONE, OK])
    job = job_with_errors([error], 1)
    client = client_of(lambda request: posts(request) if request.url.path == "/api/profile-import" else job(request), time)
    importer = ProfileImporter(client, JobPoller(client, monotonic=time.monotonic))
    result = importer.import_profiles([customer(0, phone_number="+12025550123")], time.budget())
    assert adjusted(result) == {"customer-0": (Adjustment.PHONE_REFUSED,)}


def test_import_errors_beyond_a_page_are_fetched_to_the_last() -> None:
    """150 conflicts, a hundred a page."""
    sandbox = Sandbox()
    sandbox.run([customer(n, phone_number=f"+1202555{n:04d}") for n in range(150)])
    result = sandbox.run([customer(1_000 + n, phone_number=f"+1202555{n:04d}") for n in range(150)])
    assert len(adjusted(result)) == 150
    assert sandbox.requests()["get_import_errors"] == 2


def test_the_same_conflict_again_ends_the_same_way() -> None:
    """An import may be repeated after a crash at any point."""
    sandbox = Sandbox()
    sandbox.run([customer(0, email="old@example.com"), customer(1, email="new@example.com")])
    row = customer(0, email="new@example.com", first_name="Ann")
    assert sandbox.run([row]).outcomes == sandbox.run([row]).outcomes


FAULTS = {
    "lost answers": [FaultRule(kind="lost", method="POST", path=JOBS, first=2)],
    "dropped connections": [FaultRule(kind="reset", share=0.4, seed=1)],
    "unreadable answers": [FaultRule(kind="truncate", first=3), FaultRule(kind="status", status=502, body="html", first=3)],
    "a storm of 429": [FaultRule(kind="status", status=429, retry_after="2", share=0.6, seed=3)],
    "a 5xx minute": [FaultRule(kind="status", status=503, until_s=6)],
    "a hanging minute": [FaultRule(kind="hang", seconds=30, first=2)],
    "an incident": [
        FaultRule(kind="hang", seconds=5, first=1),
        FaultRule(kind="status", status=525, first=1),
        FaultRule(kind="status", status=404, body="html", first=1),
    ],
}


@pytest.mark.parametrize("rules", FAULTS.values(), ids=FAULTS.keys())
def test_faults_end_in_a_complete_import(rules: list[FaultRule]) -> None:
    """Retries within one call, or the same call again as a redelivery does; nothing is lost, nothing is there twice."""
    sandbox = Sandbox()
    sandbox.account.faults.set(rules)
    rows = [customer(number) for number in range(300)]
    for _ in range(8):
        try:
            result = sandbox.run(rows)
            break
        except TransientError:
            sandbox.time.sleep(10)
    assert sent_count(result) == 300
    assert sandbox.account.profiles.count == 300
    assert {sandbox.profile(number).changes for number in range(300)} == {1}


def test_a_quota_that_others_use_up_slows_the_import_down_and_loses_nothing() -> None:
    """Only a tenth of every window is left."""
    sandbox = Sandbox()
    sandbox.account.faults.set([FaultRule(kind="quota", factor=0.1)])
    limited = ProfileImporter(
        sandbox.client, JobPoller(sandbox.client, monotonic=sandbox.time.monotonic), limits=PackLimits(10, 10_000, 1_000)
    )
    result = limited.import_profiles([customer(number) for number in range(200)], sandbox.time.budget())
    assert (sent_count(result), sandbox.account.profiles.count) == (200, 200)


def test_the_limiter_keeps_an_import_of_many_bodies_free_of_429() -> None:
    """200 requests against a limit of 150 a minute, whose windows begin when they like."""
    sandbox = Sandbox()
    small = ProfileImporter(
        sandbox.client, JobPoller(sandbox.client, monotonic=sandbox.time.monotonic), limits=PackLimits(1, 10_000, 1_000)
    )
    small.import_profiles([customer(number) for number in range(200)], sandbox.time.budget())
    assert [entry.endpoint for entry in sandbox.account.ledger.entries if entry.status == 429] == []


def test_a_host_that_never_answers_is_down() -> None:
    """All attempts used up."""
    sandbox = Sandbox()
    sandbox.account.faults.set([FaultRule(kind="hang", seconds=60)])
    with pytest.raises(HostDown):
        sandbox.run([customer(0)])


def test_a_wrong_key_ends_the_import() -> None:
    """For a person to mend."""
    sandbox = Sandbox(key="pk_other")
    with pytest.raises(AuthError):
        sandbox.run([customer(0)])


def test_an_import_out_of_time_is_interrupted_and_may_be_done_again() -> None:
    """The job is there already; the second time it changes nothing."""
    sandbox = Sandbox(job_base_s=30.0)
    rows = [customer(number) for number in range(20)]
    with pytest.raises(Interrupted):
        sandbox.run(rows, seconds=10)
    assert sent_count(sandbox.run(rows)) == 20
    assert {sandbox.profile(number).changes for number in range(20)} == {1}


class Refusing:
    """A Klaviyo whose job requests are refused by a rule of the test's; jobs complete at once without failures."""

    def __init__(self, refuse: Callable[[list[dict[str, Any]]], httpx.Response | None]) -> None:
        self.refuse, self.posts, self.accepted = refuse, 0, list[str]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            jobs = [self._job(str(number)) for number in range(max(0, self.posts - 90), self.posts + 1)]
            return httpx.Response(
                200, json={"data": jobs if request.url.path == JOBS else self._job(request.url.path[len(JOBS) + 1 :])}
            )
        self.posts += 1
        rows = [row["attributes"] for row in msgspec.json.decode(request.read())["data"]["attributes"]["profiles"]["data"]]
        refusal = self.refuse(rows)
        if refusal is not None:
            return refusal
        self.accepted += [row["external_id"] for row in rows]
        return httpx.Response(202, json={"data": self._job(str(self.posts))})

    def _job(self, job_id: str) -> dict[str, Any]:
        return {"id": job_id, "attributes": {"status": "complete", "failed_count": 0}}


def import_into(refusing: Refusing, rows: list[ProfileRow]) -> ProfileImportResult:
    time = VirtualTime()
    client = client_of(refusing, time)
    importer = ProfileImporter(client, JobPoller(client, monotonic=time.monotonic), limits=ALL_IN_ONE)
    return importer.import_profiles(rows, time.budget())


def unnamed(bad: set[str]) -> Callable[[list[dict[str, Any]]], httpx.Response | None]:
    """Refuses a body that has one of these customers, without saying which."""
    answer = httpx.Response(400, content=error_body({"code": "invalid", "source": {"pointer": "/data"}}))
    return lambda rows: answer if any(row["external_id"] in bad for row in rows) else None


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 400), st.data())
def test_one_bad_row_that_no_pointer_names_is_found_by_halving(size: int, data: st.DataObject) -> None:
    """At most 2 log2(n) + 2 requests more, and every other row is accepted exactly once."""
    bad = f"customer-{data.draw(st.integers(0, size - 1))}"
    refusing = Refusing(unnamed({bad}))
    result = import_into(refusing, [customer(number) for number in range(size)])
    assert failures(result) == {bad: Failed("invalid", "/data")}
    assert sorted(refusing.accepted) == sorted(set(result.outcomes) - {bad})
    assert refusing.posts - 1 <= 2 * math.log2(size) + 2


def test_a_body_that_is_refused_whatever_it_holds_ends_after_a_bounded_number_of_requests() -> None:
    """Then the request is at fault and not a row; all rows are named as failed."""
    refusing = Refusing(lambda _: httpx.Response(400, content=b"<html>"))
    result = import_into(refusing, [customer(number) for number in range(1_000)])
    assert set(failures(result).values()) == {Failed("http_400")}
    assert len(failures(result)) == 1_000
    assert refusing.posts <= 1 + 2 * UNNAMED_ROWS_MOST * 11


def test_a_body_called_too_large_is_halved_until_it_fits() -> None:
    """Klaviyo may read its limit otherwise than we do."""
    refusing = Refusing(lambda rows: httpx.Response(413) if len(rows) > 30 else None)
    result = import_into(refusing, [customer(number) for number in range(100)])
    assert (sent_count(result), len(refusing.accepted)) == (100, 100)


def test_a_single_row_called_too_large_fails() -> None:
    """It cannot be halved."""
    result = import_into(Refusing(lambda _: httpx.Response(413)), [customer(0)])
    assert failures(result) == {"customer-0": Failed("http_413")}


def test_a_refusal_that_is_about_no_content_is_not_searched_for_in_the_rows() -> None:
    """405 and its kind: one request, all rows failed with its name."""
    refusing = Refusing(lambda _: httpx.Response(405))
    result = import_into(refusing, [customer(number) for number in range(100)])
    assert (len(failures(result)), refusing.posts) == (100, 1)


def test_a_pointer_to_a_row_that_is_not_there_is_no_name() -> None:
    """Then the rows are halved as if nothing had been named."""
    content = error_body({"code": "invalid", "source": {"pointer": "/data/attributes/profiles/data/77/attributes/email"}})
    refusing = Refusing(lambda rows: httpx.Response(400, content=content) if len(rows) > 1 else None)
    assert sent_count(import_into(refusing, [customer(number) for number in range(8)])) == 8


def test_a_phone_that_is_refused_although_there_is_none_fails_the_row() -> None:
    """Nothing is left to take away, so no loop."""
    content = error_body({"code": "invalid", "source": {"pointer": "/data/attributes/profiles/data/0/attributes/phone_number"}})
    refusing = Refusing(lambda _: httpx.Response(400, content=content))
    result = import_into(refusing, [customer(0, phone_number="+12025550123")])
    assert list(failures(result)) == ["customer-0"]
    assert refusing.posts == 2


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["good", "named", "phone", "unnamed"]), min_size=1, max_size=60), st.integers(1, 5))
def test_every_row_ends_as_sent_or_failed_and_no_good_one_fails(fates: list[str], named_at_once: int) -> None:
    """Seen = sent + failed, however many refusals of whatever kind come one after another."""
    fate_of = {f"customer-{number}": fate for number, fate in enumerate(fates)}

    def refuse(rows: list[dict[str, Any]]) -> httpx.Response | None:
        pointers = []
        for position, row in enumerate(rows):
            fate = fate_of[row["external_id"]]
            if fate == "named" or (fate == "phone" and "phone_number" in row):
                field = "email" if fate == "named" else "phone_number"
                pointers.append(f"/data/attributes/profiles/data/{position}/attributes/{field}")
        if pointers:
            named = ({"code": "invalid", "source": {"pointer": pointer}} for pointer in pointers[:named_at_once])
            return httpx.Response(400, content=error_body(*named))
        if any(fate_of[row["external_id"]] == "unnamed" for row in rows):
            return httpx.Response(400, content=error_body({"code": "invalid"}))
        return None

    refusing = Refusing(refuse)
    rows = [customer(number, phone_number="+12025550123" if fate == "phone" else None) for number, fate in enumerate(fates)]
    result = import_into(refusing, rows)
    assert list(result.outcomes) == [row.customer_id for row in rows]
    sent = {name for name, outcome in result.outcomes.items() if isinstance(outcome, Sent)}
    assert sorted(refusing.accepted) == sorted(sent)
    must_fail = {name for name, fate in fate_of.items() if fate in {"named", "unnamed"}}
    assert must_fail <= set(failures(result))
    if sum(fate == "unnamed" for fate in fates) <= UNNAMED_ROWS_MOST:
        assert set(failures(result)) == must_fail


def job_with_errors(errors: list[dict[str, Any]], failed_count: int) -> Scripted:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(202, json={"data": {"id": "j"}})
        if request.url.path.endswith("/import-errors"):
            return httpx.Response(200, json={"data": [{"attributes": error} for error in errors]})
        attributes = {"status": "complete", "failed_count": failed_count}
        return httpx.Response(200, json={"data": {"id": "j", "attributes": attributes}})

    return Scripted([answer])


@pytest.mark.parametrize(
    "error",
    [
        {"original_payload": {"external_id": "customer-1"}},
        {"original_payload": {"type": "profile", "attributes": {"external_id": "customer-1"}}},
        {"original_payload": {"data": {"attributes": {"email": "Customer-1@Example.com "}}}},
        {"original_payload": None, "source": {"pointer": "/data/attributes/profiles/data/1"}},
        {"source": {"pointer": "/data/attributes/profiles/data/1/attributes/title"}},
    ],
)
def test_an_import_error_is_matched_to_its_row(error: dict[str, Any]) -> None:
    """By the payload's external id, else its e-mail, else the position, whatever the payload's shape."""
    time = VirtualTime()
    client = client_of(job_with_errors([{"code": "too_odd", "title": "", "detail": "", **error}], 1), time)
    importer = ProfileImporter(client, JobPoller(client, monotonic=time.monotonic))
    result = importer.import_profiles([customer(number) for number in range(3)], time.budget())
    assert {name: failed.reason for name, failed in failures(result).items()} == {"customer-1": "too_odd"}


CONFLICT = httpx.Response(409, content=error_body({"code": "duplicate_profile", "meta": {"duplicate_profile_id": "01P"}}))
BAD_PHONE = httpx.Response(400, content=error_body({"code": "invalid", "source": {"pointer": "/data/attributes/phone_number"}}))
BAD_EMAIL = httpx.Response(400, content=error_body({"code": "invalid", "source": {"pointer": "/data/attributes/email"}}))
OK = httpx.Response(200, json={})
PHONE, IDENTIFIER = Adjustment.PHONE_REFUSED, Adjustment.IDENTIFIER_CONFLICT
IDENTIFIERS_SENT = {
    frozenset({"email", "external_id", "phone_number"}): " full",
    frozenset({"email", "external_id"}): "",
    frozenset({"phone_number"}): " rest phone",
    frozenset[str](): " rest",
}


@pytest.mark.parametrize(
    ("answers", "outcome", "sent"),
    [
        ([OK], Sent(), ["POST full"]),
        ([CONFLICT, OK], Sent((PHONE,)), ["POST full", "POST"]),
        ([BAD_PHONE, OK], Sent((PHONE,)), ["POST full", "POST"]),
        ([BAD_EMAIL], Failed("invalid", "/data/attributes/email"), ["POST full"]),
        ([CONFLICT] * 2 + [OK], Sent(), ["POST full", "POST", "PATCH full"]),
        ([CONFLICT] * 3 + [OK], Sent((PHONE,)), ["POST full", "POST", "PATCH full", "PATCH"]),
        ([CONFLICT] * 2 + [BAD_PHONE, OK], Sent((PHONE,)), ["POST full", "POST", "PATCH full", "PATCH"]),
        ([CONFLICT] * 4 + [OK], Sent((IDENTIFIER,)), ["POST full", "POST", "PATCH full", "PATCH", "PATCH rest phone"]),
        (
            [CONFLICT] * 5 + [OK],
            Sent((PHONE, IDENTIFIER)),
            ["POST full", "POST", "PATCH full", "PATCH", "PATCH rest phone", "PATCH rest"],
        ),
        ([BAD_PHONE, CONFLICT, OK], Sent((PHONE,)), ["POST full", "POST", "PATCH"]),
        ([BAD_PHONE, CONFLICT, CONFLICT, OK], Sent((PHONE, IDENTIFIER)), ["POST full", "POST", "PATCH", "PATCH rest"]),
        ([CONFLICT, BAD_EMAIL], Failed("invalid", "/data/attributes/email"), ["POST full", "POST"]),
        ([CONFLICT] * 2 + [httpx.Response(404)], Failed("http_404"), ["POST full", "POST", "PATCH full"]),
    ],
)
def test_a_conflict_is_solved_step_by_step(answers: list[httpx.Response], outcome: Sent | Failed, sent: list[str]) -> None:
    """As it is; without the phone; by a patch of the named profile, with all identifiers; with neither id nor e-mail."""
    time, script = VirtualTime(), Scripted([*answers])
    row = customer(1, phone_number="+12025550123", first_name="Ann")
    assert solve(row, client_of(script, time), time.budget()) == outcome
    described = []
    for request in script.seen:
        attributes = msgspec.json.decode(request.content)["data"]["attributes"]
        assert attributes["first_name"] == "Ann"
        path = {"PATCH": "/api/profiles/01P", "POST": "/api/profile-import"}[request.method]
        assert request.url.path == path
        sent_identifiers = attributes.keys() & {"email", "external_id", "phone_number"}
        described.append(f"{request.method}{IDENTIFIERS_SENT[frozenset(sent_identifiers)]}")
    assert described == sent


def test_a_conflict_that_names_no_profile_fails_the_customer() -> None:
    """There is nothing to patch."""
    time = VirtualTime()
    script = Scripted([httpx.Response(409, content=error_body({"code": "duplicate_profile"}))])
    assert solve(customer(1), client_of(script, time), time.budget()) == Failed("duplicate_profile")


def test_no_repr_shows_a_customers_attributes() -> None:
    """Only the id may reach a log."""
    assert "example.com" not in repr(profile_row("customer-1", customer(1).attributes))


def test_threads_share_an_importer() -> None:
    """Four batches at once end as four would one after another."""
    sandbox = Sandbox()
    sent = []

    def batch(first: int) -> Callable[[], None]:
        return lambda: sent.append(sent_count(sandbox.run([customer(number) for number in range(first, first + 25)])))

    sandbox.time.run(*(batch(first) for first in (0, 100, 200, 300)))
    assert sent == [25] * 4
    assert sandbox.requests()["import_profiles"] == 4
