"""The ledger and the simulator's own routes."""

import json
from typing import Any

from klaviyo_bench import Bench, import_body, profile

from sandbox.klaviyo.backlog import SLICE_ROWS

JOBS = "/api/profile-bulk-import-jobs"
IMPORT = "/api/profile-import"


def control(bench: Bench, path: str, **params: str) -> Any:
    response = bench.call("GET", f"/_sandbox/{path}", headers={"Authorization": None, "revision": None}, **params)
    assert response.status_code == 200
    return response.json()


def lines(bench: Bench, path: str, **params: str) -> list[dict[str, Any]]:
    text = bench.call("GET", f"/_sandbox/{path}", **params).text
    return [json.loads(line) for line in text.splitlines()]


def test_every_request_is_in_the_ledger(bench: Bench) -> None:
    """Sequence, time, method, path, endpoint, status, size, and who its rows were; no bodies."""
    bench.post(IMPORT, {"data": profile(external_id="c1")})
    bench.now += 5
    bench.post(JOBS, import_body(profile(external_id="c2"), profile(email="b@example.com")))
    bench.call("GET", "/api/profiles", headers={"Authorization": None})
    bench.call("GET", "/api/nothing")
    entries = control(bench, "ledger")
    assert [entry["seq"] for entry in entries] == [1, 2, 3, 4]
    assert [entry["status"] for entry in entries] == [201, 202, 401, 404]
    assert [entry["identities"] for entry in entries] == [["c1"], ["c2", "b@example.com"], [], []]
    assert entries[1]["endpoint"] == f"POST {JOBS}"
    assert entries[1]["at"] - entries[0]["at"] == 5
    assert entries[1]["body_bytes"] > 100
    assert [entry["seq"] for entry in control(bench, "ledger", after="2", limit="1")] == [3]


def test_bodies_are_kept_only_on_demand(bench: Bench) -> None:
    """With `keep_bodies` what each request said, as it was written, by the ledger's number; a refused one's, too."""
    bench.post(IMPORT, {"data": profile(external_id="c1")})
    assert control(bench, "bodies") == []
    bench.call("POST", "/_sandbox/settings", {"keep_bodies": True})
    bench.post(IMPORT, {"data": profile(external_id="c2")})
    bench.call("GET", "/api/profiles", filter='equals(email,"a+b@example.com")')
    bench.call("GET", "/api/nothing")
    kept = control(bench, "bodies")
    assert [row["seq"] for row in kept] == [2, 3, 4]
    assert json.loads(kept[0]["body"]) == {"data": profile(external_id="c2")}
    assert (kept[1]["query"], kept[1]["body"]) == ("filter=equals%28email%2C%22a%2Bb%40example.com%22%29", "")
    assert [row["seq"] for row in control(bench, "bodies", after="3")] == [4]
    bench.call("POST", "/_sandbox/reset")
    assert control(bench, "bodies") == []


def test_effects_name_the_request_that_had_them(bench: Bench) -> None:
    """Also those of a job, long after its request."""
    bench.post(JOBS, import_body(profile(external_id="c1"), profile(external_id="c2")))
    bench.post(IMPORT, {"data": profile(external_id="c3")})
    bench.now += 3
    effects = control(bench, "ledger", what="effects")
    assert [(e["seq"], e["kind"], e["identity"]) for e in effects] == [
        (2, "profile_created", "c3"),
        (1, "profile_created", "c1"),
        (1, "profile_created", "c2"),
    ]
    assert effects[1]["at"] == effects[0]["at"] + 2.0001
    assert [e["n"] for e in control(bench, "ledger", what="effects", after="1", limit="1")] == [2]


def test_the_summary_counts_requests_and_effects(bench: Bench) -> None:
    """By endpoint and status, the share of 429, by kind of effect, first and last time."""
    for _ in range(11):
        bench.call("GET", JOBS)
    bench.now += 1
    bench.post(JOBS, import_body(profile(external_id="c1")))
    bench.now += 3
    summary = control(bench, "summary")
    assert summary["by_endpoint"] == {f"GET {JOBS}": {"200": 10, "429": 1}, f"POST {JOBS}": {"202": 1}}
    assert (summary["requests"], summary["throttled"], summary["throttled_share"]) == (12, 1, 1 / 12)
    assert summary["effects"] == {"profile_created": 1}
    assert (summary["profiles"], summary["last_at"] - summary["first_at"]) == (1, 1.0)


def test_a_stored_profile_can_be_looked_at(bench: Bench) -> None:
    """With how often it was written and changed."""
    for name in ("A", "A", "B"):
        bench.post(IMPORT, {"data": profile(external_id="c1", email="a@example.com", first_name=name)})
    for params in ({"external_id": "c1"}, {"email": "A@example.com"}):
        held = control(bench, "profiles", **params)
        assert (held["attributes"]["first_name"], held["versions"], held["changes"]) == ("B", 3, 2)
    assert bench.call("GET", "/_sandbox/profiles?external_id=zz").status_code == 404
    assert bench.call("GET", "/_sandbox/profiles").status_code == 400


def test_profiles_events_and_catalog_can_be_dumped(bench: Bench) -> None:
    """One JSON object a line, identities only unless asked for more."""
    bench.post(JOBS, import_body(*(profile(external_id=f"c{i}", email=f"p{i}@example.com") for i in range(1_200))))
    event = {
        "metric": {"data": {"type": "metric", "attributes": {"name": "Placed Order"}}},
        "properties": {"OrderId": "o1"},
        "unique_id": "o1",
        "profile": {"data": profile(external_id="c0")},
    }
    bench.now += 3
    bench.post("/api/events", {"data": {"type": "event", "attributes": event}})
    bench.post("/api/catalog-categories", {"data": {"type": "catalog-category", "attributes": {"external_id": "k", "name": "N"}}})
    dumped = lines(bench, "profiles/dump")
    assert len(dumped) == 1_200
    assert dumped[1] | {"id": ""} == {"id": "", "external_id": "c1", "email": "p1@example.com", "versions": 1, "changes": 1}
    assert lines(bench, "profiles/dump", full="1")[1]["attributes"]["email"] == "p1@example.com"
    (stored,) = lines(bench, "events/dump", full="1")
    assert (stored["external_id"], stored["metric"], stored["unique_id"]) == ("c0", "Placed Order", "o1")
    assert stored["properties"] == {"OrderId": "o1"}
    assert [row["external_id"] for row in lines(bench, "catalog/dump")] == ["k"]


def test_settings_can_be_changed_while_it_runs(bench: Bench) -> None:
    """Only known ones; the key is not shown."""
    before = control(bench, "settings")
    assert "key" not in before
    assert bench.call("POST", "/_sandbox/settings", {"phone_match": "overwrite", "job_base_s": 0.5}).status_code == 204
    assert control(bench, "settings") == before | {"phone_match": "overwrite", "job_base_s": 0.5}
    assert bench.call("POST", "/_sandbox/settings", {"phone": "x"}).status_code == 400
    assert bench.call("POST", "/_sandbox/settings", {"phone_match": "perhaps"}).status_code == 400


def test_reset_forgets_everything(bench: Bench) -> None:
    """Profiles, jobs that are still pending, the ledger, windows and faults."""
    bench.post(IMPORT, {"data": profile(external_id="c1")})
    bench.post(JOBS, import_body(profile(external_id="c2")))
    bench.call("POST", "/_sandbox/faults", [{"kind": "status"}])
    assert bench.call("POST", "/_sandbox/reset").status_code == 204
    bench.now += 10
    assert bench.get("/api/profiles")["data"] == []
    assert control(bench, "summary")["requests"] == 1
    assert bench.call("GET", "/_sandbox/faults").json() == []


def test_reset_forgets_a_job_in_the_middle(bench: Bench) -> None:
    """Whoever applies its rows just then goes on with none of them."""
    bench.post(JOBS, import_body(*(profile(external_id=f"c{number}") for number in range(2 * SLICE_ROWS))))
    bench.now += 60
    backlog = bench.account.backlog
    assert backlog.nudge(bench.now)
    assert len(list(bench.account.profiles)) == SLICE_ROWS
    bench.call("POST", "/_sandbox/reset")
    backlog.settle_at_once(bench.now)
    assert len(list(bench.account.profiles)) == 0
