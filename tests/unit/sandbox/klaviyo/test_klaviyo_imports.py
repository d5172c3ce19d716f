"""Bulk profile import: whole requests refused, jobs by the clock, rows that fail."""

import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from klaviyo_bench import HEADERS, Bench, errors, import_body, profile

JOBS = "/api/profile-bulk-import-jobs"
ROWS = "/data/attributes/profiles/data"


def start(bench: Bench, *rows: dict[str, Any]) -> str:
    response = bench.post(JOBS, import_body(*rows))
    assert response.status_code == 202, response.text
    job_id: str = response.json()["data"]["id"]
    return job_id


def job(bench: Bench, job_id: str) -> dict[str, Any]:
    attributes: dict[str, Any] = bench.get(f"{JOBS}/{job_id}")["data"]["attributes"]
    return attributes


def finish(bench: Bench, job_id: str) -> dict[str, Any]:
    bench.now += 10
    attributes = job(bench, job_id)
    assert attributes["status"] == "complete"
    return attributes


def import_errors(bench: Bench, job_id: str) -> list[dict[str, Any]]:
    return [entry["attributes"] for entry in bench.get(f"{JOBS}/{job_id}/import-errors")["data"]]


def test_a_job_is_queued_then_processing_then_complete(bench: Bench) -> None:
    """By the clock, 2 s and a little per row; nothing is counted before the end."""
    job_id = start(bench, profile(external_id="c1"), profile(external_id="c2"))
    assert (job(bench, job_id)["status"], job(bench, job_id)["started_at"]) == ("queued", None)
    bench.now += 1
    assert (job(bench, job_id)["status"], job(bench, job_id)["completed_count"]) == ("processing", 0)
    bench.now += 1.1
    done = job(bench, job_id)
    assert (done["status"], done["total_count"], done["completed_count"], done["failed_count"]) == ("complete", 2, 2, 0)
    assert done["completed_at"] > done["started_at"] > done["created_at"]


def test_rows_have_no_effect_before_the_job_is_complete(bench: Bench) -> None:
    """A read in between does not see them."""
    start(bench, profile(external_id="c1"))
    assert bench.get("/api/profiles")["data"] == []
    bench.now += 3
    assert len(bench.get("/api/profiles")["data"]) == 1


def test_job_durations_are_settings(make_bench: Callable[..., Bench]) -> None:
    """Seconds for a job and for each row."""
    bench = make_bench(job_base_s=10.0, job_s_per_row=1.0)
    job_id = start(bench, profile(external_id="c1"), profile(external_id="c2"))
    bench.now += 11.9
    assert job(bench, job_id)["status"] == "processing"
    bench.now += 0.1
    assert job(bench, job_id)["status"] == "complete"


def test_one_malformed_email_refuses_all_rows_and_names_the_row(bench: Bench) -> None:
    """400 with the pointer, no job, no effect; all bad rows are named."""
    rows = [profile(email=f"p{i}@example.com") for i in range(400)]
    rows[388] = profile(email="nobody")
    rows[390] = profile(first_name="nameless")
    response = bench.post(JOBS, import_body(*rows))
    assert response.status_code == 400
    assert errors(response) == [("invalid", f"{ROWS}/388/attributes/email"), ("invalid", f"{ROWS}/390/attributes")]
    bench.now += 10
    assert bench.get(JOBS)["data"] == []
    assert bench.effects() == []


def test_unknown_fields_of_a_row_are_named_with_the_row(bench: Bench) -> None:
    """The contract's pointer goes down to the field."""
    response = bench.post(JOBS, import_body(profile(email="a@example.com"), profile(email="b@example.com", nick="B")))
    assert errors(response) == [("invalid", f"{ROWS}/1/attributes/nick")]


@pytest.mark.parametrize(("count", "status"), [(0, 400), (1, 202), (10_000, 202), (10_001, 400)])
def test_a_request_holds_1_to_10000_profiles(bench: Bench, count: int, status: int) -> None:
    """Counted, not weighed."""
    response = bench.post(JOBS, import_body(*(profile(external_id=f"c{i}") for i in range(count))))
    assert response.status_code == status


def test_a_row_has_at_most_100_kilobytes(bench: Bench) -> None:
    """The pointer names the row."""
    response = bench.post(JOBS, import_body(profile(email="a@example.com", properties={"x": "y" * 100_000})))
    assert errors(response) == [("invalid", f"{ROWS}/0")]


def test_an_implausible_phone_is_dropped_without_a_word(bench: Bench) -> None:
    """The row is imported; only the ledger knows."""
    job_id = start(bench, profile(external_id="c1", phone_number="+1234"))
    assert finish(bench, job_id)["failed_count"] == 0
    assert bench.get("/api/profiles")["data"][0]["attributes"]["phone_number"] is None
    assert bench.effects() == [("phone_dropped", "c1"), ("profile_created", "c1")]


def test_a_phone_that_is_not_e164_refuses_the_request(bench: Bench) -> None:
    """Its form is checked at once."""
    response = bench.post(JOBS, import_body(profile(external_id="c1", phone_number="0151 1234567")))
    assert errors(response) == [("invalid", f"{ROWS}/0/attributes/phone_number")]


def test_a_phone_of_an_unsupported_region_refuses_the_request(make_bench: Callable[..., Bench]) -> None:
    """In bulk too."""
    bench = make_bench(unsupported_phone_prefixes=("+7",))
    response = bench.post(JOBS, import_body(profile(external_id="c1", phone_number="+79161234567")))
    assert errors(response) == [("invalid", f"{ROWS}/0/attributes/phone_number")]


def test_lists_are_not_simulated_and_said_so(bench: Bench) -> None:
    """A list that does not exist is a fault of the whole request."""
    body = import_body(profile(external_id="c1"))
    body["data"]["relationships"] = {"lists": {"data": [{"type": "list", "id": "X"}]}}
    assert errors(bench.post(JOBS, body)) == [("invalid", "/data/relationships/lists/data")]


def test_nulls_are_ignored(bench: Bench) -> None:
    """Bulk import never clears."""
    finish(bench, start(bench, profile(external_id="c1", email="a@example.com", first_name="A", properties={"x": 1})))
    row = profile(external_id="c1", email=None, first_name=None, location=None, properties={"x": None})
    finish(bench, start(bench, row))
    held = bench.get("/api/profiles")["data"][0]["attributes"]
    assert (held["email"], held["first_name"], held["properties"]) == ("a@example.com", "A", {"x": 1})
    assert bench.effects()[-1] == ("profile_unchanged", "c1")


def test_identical_rows_again_change_nothing(bench: Bench) -> None:
    """Accepted as before, and the ledger shows it."""
    rows = [profile(external_id=f"c{i}", email=f"P{i}@example.com", properties={"n": i}) for i in range(3)]
    finish(bench, start(bench, *rows))
    assert finish(bench, start(bench, *rows))["completed_count"] == 3
    assert [kind for kind, _ in bench.effects()] == ["profile_created"] * 3 + ["profile_unchanged"] * 3


def test_a_row_whose_identifiers_belong_to_two_profiles_fails_alone(bench: Bench) -> None:
    """An import error with the original payload; the neighbours are imported."""
    finish(bench, start(bench, profile(external_id="c1"), profile(email="b@example.com")))
    clash = profile(external_id="c1", email="B@example.com")
    job_id = start(bench, profile(external_id="c3"), clash, profile(external_id="c4"))
    done = finish(bench, job_id)
    assert (done["completed_count"], done["failed_count"]) == (2, 1)
    (failure,) = import_errors(bench, job_id)
    assert (failure["code"], failure["source"], failure["original_payload"]) == (
        "duplicate_profile", {"pointer": f"{ROWS}/1"}, clash,
    )  # fmt: skip


def test_a_row_that_matches_by_phone_alone_fails_or_overwrites(make_bench: Callable[..., Bench]) -> None:
    """The same two readings as for single profiles."""
    for reading, failed, owner in (("conflict", 1, "c1"), ("overwrite", 0, "c2")):
        bench = make_bench(phone_match=reading)
        finish(bench, start(bench, profile(external_id="c1", email="a@example.com", phone_number="+4915112345678")))
        row = profile(external_id="c2", email="b@example.com", phone_number="+4915112345678")
        assert finish(bench, start(bench, row))["failed_count"] == failed
        assert bench.get("/api/profiles")["data"][0]["attributes"]["external_id"] == owner


def test_a_row_by_an_unknown_id_fails(bench: Bench) -> None:
    """As an import error."""
    job_id = start(bench, {**profile(email="a@example.com"), "id": "nobody"})
    assert finish(bench, job_id)["failed_count"] == 1
    assert import_errors(bench, job_id)[0]["code"] == "not_found"


def test_the_order_of_rows_may_be_reversed(make_bench: Callable[..., Bench]) -> None:
    """Klaviyo promises none: one person twice in a job may end either way."""
    for order, name in (("forward", "second"), ("reverse", "first")):
        bench = make_bench(job_order=order)
        rows = [profile(external_id="c1", first_name=name) for name in ("first", "second")]
        finish(bench, start(bench, *rows))
        assert bench.get("/api/profiles")["data"][0]["attributes"]["first_name"] == name


def test_jobs_are_listed_newest_first_and_filtered_by_status(bench: Bench) -> None:
    """equals and any on status, sort, pages of 20 by default."""
    old = start(bench, profile(external_id="c0"))
    bench.now += 10
    new = [start(bench, profile(external_id=f"c{i}")) for i in (1, 2)]

    def listed(**params: str) -> list[str]:
        return [row["id"] for row in bench.get(JOBS, **params)["data"]]

    assert listed() == [new[1], new[0], old]
    assert listed(sort="created_at") == [old, *new]
    assert listed(filter="equals(status,'complete')") == [old]
    assert listed(filter='any(status,["queued","complete"])', sort="created_at") == [old, *new]
    page = bench.get(JOBS, **{"page[size]": "2"})
    rest = bench.get(page["links"]["next"].removeprefix("http://klaviyo.test"))
    assert [row["id"] for row in page["data"] + rest["data"]] == [new[1], new[0], old]


def test_import_errors_come_in_pages_of_20_and_at_most_100(bench: Bench) -> None:
    """Following the cursor gives each failed row once."""
    rows = [{**profile(email=f"p{i}@example.com"), "id": "nobody"} for i in range(45)]
    job_id = start(bench, *rows)
    finish(bench, job_id)
    url, pointers, sizes = f"{JOBS}/{job_id}/import-errors", [], []
    while url:
        page = bench.get(url)
        sizes.append(len(page["data"]))
        pointers += [entry["attributes"]["source"]["pointer"] for entry in page["data"]]
        url = page["links"].get("next", "").removeprefix("http://klaviyo.test")
    assert sizes == [20, 20, 5]
    assert pointers == [f"{ROWS}/{i}" for i in range(45)]
    assert len(bench.get(f"{JOBS}/{job_id}/import-errors", **{"page[size]": "100"})["data"]) == 45


def test_the_profiles_of_a_job_can_be_read(bench: Bench) -> None:
    """Whole and as ids."""
    job_id = start(bench, profile(external_id="c1"), profile(external_id="c2"))
    finish(bench, job_id)
    whole = bench.get(f"{JOBS}/{job_id}/profiles")["data"]
    ids = bench.get(f"{JOBS}/{job_id}/relationships/profiles")["data"]
    assert [row["attributes"]["external_id"] for row in whole] == ["c1", "c2"]
    assert [row["id"] for row in ids] == [row["id"] for row in whole]


def test_an_unknown_job_is_404(bench: Bench) -> None:
    """Also one of another kind."""
    assert bench.call("GET", f"{JOBS}/nothing").status_code == 404


def test_ten_thousand_profiles_are_accepted_in_well_under_a_second(bench: Bench) -> None:
    """A 4 MB body is parsed, validated and checked fast enough not to be a bench's bottleneck (0.1 s on one core)."""
    rows = [
        profile(external_id=f"{i:036d}", email=f"p{i}@example.com", location={"city": "X"}, properties={"p": "x" * 200})
        for i in range(10_000)
    ]
    content = msgspec.json.encode(import_body(*rows))
    began = time.process_time()
    response = bench.call("POST", JOBS, content=content, headers=dict(HEADERS))
    assert response.status_code == 202
    assert time.process_time() - began < 1.0
