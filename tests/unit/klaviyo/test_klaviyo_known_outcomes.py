"""An import that ran out of time goes on where it ended (decisions.md 5, 6): what is known of it is right at every moment."""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import replace

import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from klaviyo_doubles import Sandbox, VirtualTime, adjusted, client_of, customer, failures, sent_count

from sandbox.faults import FaultRule
from shared.budget import Budget
from shared.errors import HostDown, Interrupted, TransientError
from shared.klaviyo.jobs import JobLost, JobPoller
from shared.klaviyo.profile_imports import SINGLES_MOST, ProfileImporter
from shared.klaviyo.profile_rows import KnownOutcomes, KnownRecord, ProfileImportResult, ProfileRow
from shared.klaviyo.row_outcomes import ROW_TOO_LARGE, Failed, Sent
from shared.mapping.result import Adjustment

JOBS = "/api/profile-bulk-import-jobs"


def restored(known: KnownOutcomes) -> KnownOutcomes:
    """As the next delivery gets it: through JSON."""
    return KnownOutcomes.from_record(msgspec.json.decode(msgspec.json.encode(known.to_record()), type=KnownRecord))


def interrupted(sandbox: Sandbox, rows: list[ProfileRow], seconds: float) -> KnownOutcomes:
    """What is known after an import that had too little time; a request that the deadline cuts off leaves as `HostDown`."""
    known = KnownOutcomes()
    with pytest.raises((Interrupted, HostDown)):
        sandbox.run(rows, seconds, known)
    return restored(known)


def test_jobs_that_outlast_the_deadline_are_awaited_by_the_next_delivery_and_not_started_again() -> None:
    """The rows are sent once, and the result names the job."""
    sandbox = Sandbox(job_base_s=30.0)
    rows = [customer(number) for number in range(20)]
    known = interrupted(sandbox, rows, 10)
    ((job_id, customer_ids),) = known.jobs.items()
    assert customer_ids == [row.customer_id for row in rows]
    result = sandbox.run(rows, known=known)
    assert (sent_count(result), result.job_ids) == (20, (job_id,))
    assert sandbox.requests()["import_profiles"] == 1


def test_a_customer_that_is_new_is_sent_and_one_that_is_gone_is_ignored() -> None:
    """The rows are read anew by each delivery."""
    sandbox = Sandbox(job_base_s=30.0)
    known = interrupted(sandbox, [customer(0), customer(1, email="bad"), customer(2), customer(3, email="bad")], 10)
    result = sandbox.run([customer(2), customer(3, email="bad"), customer(4)], known=known)
    assert list(result.outcomes) == ["customer-2", "customer-3", "customer-4"]
    assert (sent_count(result), list(failures(result))) == (2, ["customer-3"])
    assert sandbox.account.profiles.count == 3
    assert (len(result.job_ids), sandbox.requests()["import_profiles"]) == (2, 3)


def test_an_error_of_a_customer_that_is_gone_is_no_riddle() -> None:
    """It names a row of the job, though not one that is asked for any more."""
    sandbox = Sandbox(job_base_s=30.0)
    sandbox.run([customer(0, phone_number="+12025550123")])
    known = interrupted(sandbox, [customer(1, phone_number="+12025550123"), customer(2)], 10)
    result = sandbox.run([customer(2)], known=known)
    assert result.outcomes == {"customer-2": Sent()}
    assert sandbox.requests()["import_profiles"] == 2
    assert sandbox.requests()["get_import_errors"] == 1


def test_rows_that_were_refused_are_not_sent_again() -> None:
    """Neither those that the answer named, nor those that were too large to be sent."""
    sandbox = Sandbox(job_base_s=30.0)
    rows = [customer(0), customer(1, email="bad"), customer(2, properties={"notes": "x" * 100_000})]
    known = interrupted(sandbox, rows, 10)
    expected = {
        "customer-1": Failed("invalid", "/data/attributes/profiles/data/1/attributes/email"),
        "customer-2": Failed(ROW_TOO_LARGE),
    }
    assert known.outcomes == expected
    assert failures(sandbox.run(rows, known=known)) == expected
    assert sandbox.requests()["import_profiles"] == 2


def test_a_phone_that_was_refused_is_told_by_the_next_delivery() -> None:
    """The row is in the job without it."""
    sandbox = Sandbox(unsupported_phone_prefixes=("+49",), job_base_s=30.0)
    rows = [customer(0, phone_number="+4930123456"), customer(1)]
    known = interrupted(sandbox, rows, 10)
    assert known.phones_dropped == {"customer-0"}
    assert adjusted(sandbox.run(rows, known=known)) == {"customer-0": (Adjustment.PHONE_REFUSED,)}


def test_a_phone_that_was_refused_stays_away_when_its_job_was_lost() -> None:
    """One refusal is enough."""
    sandbox = Sandbox(unsupported_phone_prefixes=("+49",))
    rows = [customer(0, phone_number="+4930123456"), customer(1)]
    known = KnownOutcomes(phones_dropped={"customer-0"})
    assert adjusted(sandbox.run(rows, known=known)) == {"customer-0": (Adjustment.PHONE_REFUSED,)}
    assert sandbox.requests()["import_profiles"] == 1


def test_conflicts_that_were_solved_are_not_solved_again() -> None:
    """Nor is the job that named them read again: the second delivery solves the rest."""
    sandbox = Sandbox()
    number = 100
    sandbox.run([customer(n, phone_number=f"+1202555{n:04d}") for n in range(number)])
    rows = [customer(1_000 + n, phone_number=f"+1202555{n:04d}") for n in range(number)]
    sandbox.account.faults.set([FaultRule(kind="delay", seconds=1, path="/api/profile-import", method="POST")])
    known = interrupted(sandbox, rows, 60)
    solved = len(known.outcomes)
    assert 5 < solved < 95
    assert len(known.conflicts) == number - solved
    before = sandbox.requests()
    result = sandbox.run(rows, known=known)
    assert set(adjusted(result)) == {row.customer_id for row in rows}
    after = sandbox.requests()
    assert after["upsert_profile"] - before["upsert_profile"] == 2 * (number - solved)
    assert {name: after[name] for name in after if name != "upsert_profile"} == {
        name: before[name] for name in before if name != "upsert_profile"
    }


def test_a_deadline_in_the_second_job_of_many_conflicts_is_survived() -> None:
    """Rows are where they were put last."""
    sandbox = Sandbox(job_base_s=20.0)
    number = SINGLES_MOST + 50
    sandbox.run([customer(n, phone_number=f"+1202555{n:04d}") for n in range(number)])
    rows = [customer(5_000), *(customer(1_000 + n, phone_number=f"+1202555{n:04d}") for n in range(number))]
    known = interrupted(sandbox, rows, 35)
    assert [len(customer_ids) for customer_ids in known.jobs.values()] == [0, number]
    result = sandbox.run(rows, known=known)
    assert (sent_count(result), len(adjusted(result)), len(result.job_ids)) == (number + 1, number, 2)
    assert "upsert_profile" not in sandbox.requests()
    assert sandbox.requests()["import_profiles"] == 3


class Losing:
    """A Klaviyo that cancels its first jobs; counts the rows of each."""

    def __init__(self, lost: int) -> None:
        self.lost, self.jobs = lost, list[int]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            self.jobs.append(len(msgspec.json.decode(request.read())["data"]["attributes"]["profiles"]["data"]))
            return httpx.Response(202, json={"data": {"id": f"job-{len(self.jobs)}"}})
        job_id = request.url.path.removeprefix(f"{JOBS}/")
        status = "cancelled" if int(job_id.removeprefix("job-")) <= self.lost else "complete"
        return httpx.Response(200, json={"data": {"id": job_id, "attributes": {"status": status, "failed_count": 0}}})


def test_the_rows_of_a_lost_job_are_sent_again_by_the_next_delivery() -> None:
    """The error names the job, and nothing is known of it any more."""
    time, klaviyo, known = VirtualTime(), Losing(1), KnownOutcomes()
    client = client_of(klaviyo, time)
    importer = ProfileImporter(client, JobPoller(client, monotonic=time.monotonic))
    rows = [customer(number) for number in range(3)]
    with pytest.raises(JobLost) as lost:
        importer.import_profiles(rows, time.budget(), known)
    assert (lost.value.job_id, known.jobs) == ("job-1", {})
    result = importer.import_profiles(rows, time.budget(), restored(known))
    assert (sent_count(result), result.job_ids, klaviyo.jobs) == (3, ("job-2",), [3, 3])


ROWS = [
    *(customer(number) for number in range(4)),
    customer(10, email="bad"),
    customer(11, phone_number="+4930123456"),
    customer(12, phone_number="+12025550001"),
    customer(13, email="old@example.com"),
    customer(14, properties={"notes": "x" * 100_000}),
]


def prepared() -> Sandbox:
    """An account in which one of the rows has a phone and one an e-mail of somebody else's."""
    sandbox = Sandbox(unsupported_phone_prefixes=("+49",), job_base_s=2.0)
    sandbox.run([customer(100, phone_number="+12025550001"), customer(101, email="old@example.com"), customer(13)])
    return sandbox


def uninterrupted() -> tuple[ProfileImportResult, int]:
    """The result in one go, and how often Klaviyo was asked."""
    sandbox = prepared()
    before = sum(sandbox.requests().values())
    return sandbox.run(ROWS), sum(sandbox.requests().values()) - before


def test_an_import_that_is_interrupted_anywhere_ends_as_in_one_go() -> None:
    """Twice stopped after the 1st, 2nd, 3rd ... request: the same outcomes, and no row is in two jobs."""
    expected, requests = uninterrupted()
    assert len(failures(expected)) == 2
    assert len(adjusted(expected)) == 3
    for allowed in range(1, requests):
        sandbox, known = prepared(), KnownOutcomes()
        for _ in range(2):
            first = sum(sandbox.requests().values())

            def stop(sandbox: Sandbox = sandbox, last: int = first + allowed) -> None:
                if sum(sandbox.requests().values()) >= last:
                    raise Interrupted(Interrupted.Cause.STOP)

            with suppress(Interrupted):
                sandbox.importer.import_profiles(ROWS, replace(sandbox.time.budget(), check_stop=stop), known)
            known = restored(known)
        result = sandbox.run(ROWS, known=known)
        assert result.outcomes == expected.outcomes
        assert len(result.job_ids) == len(expected.job_ids)


def test_an_import_that_fails_anywhere_ends_as_in_one_go() -> None:
    """One request after another finds the host down, each with a single try."""
    expected, requests = uninterrupted()
    for skipped in range(requests):
        sandbox, known = prepared(), KnownOutcomes()
        sandbox.account.faults.set([FaultRule(kind="status", status=503, skip=skipped, first=1)])
        sandbox.client._attempts = 1
        for _ in range(3):
            try:
                result = sandbox.importer.import_profiles(ROWS, sandbox.time.budget(), known)
                break
            except TransientError:
                known = restored(known)
        assert result.outcomes == expected.outcomes
        assert len(result.job_ids) == len(expected.job_ids)


IDS = st.one_of(st.uuids().map(str), st.from_regex(r"[a-z0-9\-]{1,30}", fullmatch=True))
OUTCOMES = st.one_of(
    st.builds(Sent, st.lists(st.sampled_from(Adjustment), max_size=2).map(tuple)),
    st.builds(Failed, st.from_regex(r"[a-z_]{1,10}", fullmatch=True), st.none() | st.just("/data")),
)


@settings(max_examples=60, deadline=None)
@given(
    st.builds(
        KnownOutcomes,
        st.dictionaries(st.text(min_size=1, max_size=5), st.lists(IDS)),
        st.dictionaries(IDS, OUTCOMES),
        st.sets(IDS),
        st.sets(IDS),
    )
)
def test_what_is_known_survives_its_record(known: KnownOutcomes) -> None:
    """Plain values and back; the order of jobs, and of the rows in each, included."""
    record = known.to_record()
    again = KnownOutcomes.from_record(msgspec.convert(msgspec.to_builtins(record), KnownRecord))
    assert again == known
    assert list(again.jobs.items()) == list(known.jobs.items())


def test_an_empty_record_knows_nothing() -> None:
    """As before the first delivery."""
    assert KnownOutcomes.from_record(msgspec.convert({}, KnownRecord)) == KnownOutcomes()


def test_what_was_stored_before_is_understood() -> None:
    """The form of the record: batches that are under way hold it."""
    stored = {"outcomes": [{"customer_ids": ["a", "b"], "reason": "invalid", "pointer": "/data"}, {"customer_ids": ["c"]}]}
    known = KnownOutcomes.from_record(msgspec.convert(stored, KnownRecord))
    assert known.outcomes == {"a": Failed("invalid", "/data"), "b": Failed("invalid", "/data"), "c": Sent()}
    assert msgspec.to_builtins(known.to_record()) == stored


def many_ids() -> list[str]:
    return [str(uuid.UUID(int=number << 64 | 4 << 76)) for number in range(10_000)]


def size_bytes(known: KnownOutcomes) -> int:
    return len(msgspec.json.encode(msgspec.to_builtins(known.to_record())))


def test_a_record_of_ten_thousand_customers_fits_a_stored_document() -> None:
    """Whatever is known of them: all in a job without phone, all adjusted, all in conflict, all failed with a pointer."""
    ids = many_ids()
    pointer = "/data/attributes/profiles/data/{}/attributes/phone_number"
    outcomes: dict[str, Sent | Failed] = {one: Failed("invalid", pointer.format(at)) for at, one in enumerate(ids)}
    conflict = Sent((Adjustment.IDENTIFIER_CONFLICT,))
    for known in (
        KnownOutcomes({"job": ids}, phones_dropped=set(ids)),
        KnownOutcomes({"job": []}, dict.fromkeys(ids, conflict), phones_dropped=set(ids)),
        KnownOutcomes({"job": []}, conflicts=set(ids), phones_dropped=set(ids)),
        KnownOutcomes({}, outcomes),
    ):
        assert size_bytes(known) < 700_000


def test_of_very_many_failures_only_pointers_are_forgotten() -> None:
    """Each still has its reason."""
    ids = many_ids()
    known = KnownOutcomes(outcomes={one: Failed("invalid", f"/data/{at}") for at, one in enumerate(ids)})
    again = restored(known)
    assert list(again.outcomes) == ids
    assert {outcome.reason for outcome in again.outcomes.values() if isinstance(outcome, Failed)} == {"invalid"}
    assert again.outcomes[ids[0]] == Failed("invalid", "/data/0")


def test_a_pointer_that_many_failures_share_is_kept() -> None:
    """It is stored once for all of them."""
    known = KnownOutcomes(outcomes=dict.fromkeys(many_ids(), Failed("invalid", "/data/attributes/profiles")))
    assert restored(known) == known
    assert len(known.to_record().outcomes) == 1


def test_a_stop_between_solved_conflicts_keeps_each_of_them() -> None:
    """Recorded one by one."""
    sandbox = Sandbox()
    sandbox.run([customer(n, phone_number=f"+1202555{n:04d}") for n in range(10)])
    rows = [customer(1_000 + n, phone_number=f"+1202555{n:04d}") for n in range(10)]
    known = KnownOutcomes()

    def stop() -> None:
        if len(known.outcomes) == 4:
            raise Interrupted(Interrupted.Cause.STOP)

    budget: Budget = replace(sandbox.time.budget(), check_stop=stop)
    with pytest.raises(Interrupted):
        sandbox.importer.import_profiles(rows, budget, known)
    assert set(known.outcomes.values()) == {Sent((Adjustment.PHONE_REFUSED,))}
    assert (len(known.outcomes), len(known.conflicts)) == (4, 6)
