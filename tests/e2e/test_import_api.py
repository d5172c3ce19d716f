"""The import API as its callers see it, through the real functions (http-api.md). Every answer is held against /openapi.json."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx
import jsonschema_rs
import pytest

from sandbox.launch import Sandbox
from shared.local.listening import free_port
from tests.e2e.conftest import CUSTOMERS, FINISHED, Product

pytestmark = pytest.mark.xdist_group("import_api")  # one server for all of them

KEY = "an-api-key-of-the-tests-0123456789"
NOBODY = "00000000-0000-4000-8000-000000000000"
KINDS = ("customers", "orders", "categories", "products", "all")
ROUTES = {
    ("POST", "/sync/all"),
    ("POST", "/sync/{kind}"),
    ("POST", "/sync/{kind}/stop"),
    ("GET", "/sync/status"),
    ("GET", "/sync/{kind}/status"),
    ("GET", "/runs"),
    ("GET", "/runs/{runId}"),
    ("POST", "/runs/{runId}/resume"),
    ("POST", "/runs/{runId}/retry"),
    ("GET", "/"),
    ("GET", "/health"),
    ("GET", "/openapi.json"),
}
GUARDED = sorted(ROUTES - {("GET", "/"), ("GET", "/health"), ("GET", "/openapi.json")})


_CONTROLS = httpx.Client(timeout=60.0, verify=False, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))


def _control(method: str, url: str, **more: Any) -> httpx.Response:
    """A call of a simulator's own controls."""
    answer = _CONTROLS.request(method, url, **more)
    answer.raise_for_status()
    return answer


def _address_of(path: str) -> str:
    return path.replace("{kind}", "customers").replace("{runId}", "nobody")


class Api:
    """A client of the API that holds every answer against the server's own document."""

    def __init__(self, product: Product) -> None:
        self.product = product
        alone = httpx.Limits(max_keepalive_connections=0)  # the server closes one that is idle just when it is used again
        self.http = httpx.Client(base_url=product.url, timeout=90.0, verify=False, trust_env=False, limits=alone)
        self.document: dict[str, Any] = self.http.get("/openapi.json").json()

    def get(self, path: str, **more: Any) -> httpx.Response:
        """GET, checked."""
        return self.call("GET", path, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> httpx.Response:
        """POST, checked; without a body unless one is given."""
        return self.call("POST", path, **({"json": body} if body is not None else {}), **more)

    def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        """A call whose answer must be documented, and as documented."""
        answer = self.http.request(method, path, **more)
        operation = self._operation(method, path.split("?")[0])
        documented = operation["responses"] if operation else {}
        if operation:
            assert str(answer.status_code) in documented, (
                f"{method} {path} answered {answer.status_code}, which is not documented"
            )
        if answer.headers["content-type"].startswith("application/json"):
            described = documented.get(str(answer.status_code), {}).get("content", {}).get("application/json", {})
            self.accepts(described.get("schema", {"$ref": "#/components/schemas/Error"}), answer.json())
        return answer

    def accepts(self, schema: dict[str, Any], instance: Any) -> None:
        """Fail unless the schema, which may refer to the document's components, accepts the instance."""
        whole = {**schema, "components": self.document["components"]}
        errors = list(jsonschema_rs.Draft202012Validator(whole, validate_formats=True).iter_errors(instance))
        assert not errors, f"{errors[0].message} at {errors[0].instance_path}"

    def _operation(self, method: str, path: str) -> dict[str, Any] | None:
        for template, item in self.document["paths"].items():
            pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
            if re.fullmatch(pattern, path) and method.lower() in item:
                operation: dict[str, Any] = item[method.lower()]
                return operation
        return None

    def finished(self, run_id: str, within_s: float = 120.0) -> dict[str, Any]:
        """The status of a run once it has ended."""
        status = self.product.wait(lambda status: status["status"] in FINISHED, within_s)
        assert status["runId"] == run_id
        assert status["seen"] == status["sent"] + status["skipped"] + status["failed"]
        checked: dict[str, Any] = self.get(f"/runs/{run_id}").json()
        return checked

    def imported(self, body: dict[str, Any]) -> dict[str, Any]:
        """The status of a run with this body, from its start to its end."""
        answer = self.post("/sync/customers", body)
        assert answer.status_code == 202, answer.text
        return self.finished(answer.json()["runId"])


@pytest.fixture(scope="module")
def served(simulators: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """One server for the module."""
    state = tmp_path_factory.mktemp("api") / "state.sqlite3"
    product = Product(simulators, simulators.environment(state, free_port(), LOG_FORMAT="json"))
    product.start()
    yield product
    for process in product.processes:
        process.stop()


@pytest.fixture(scope="module")
def caller(served: Product) -> Iterator[Api]:
    """A caller of that server, for what does not depend on the simulators."""
    client = Api(served)
    yield client
    client.http.close()


@pytest.fixture
def api(caller: Api) -> Iterator[Api]:
    """That caller, with emptied simulators; a run that a test left behind is ended."""
    servers = caller.product.servers
    for url in (servers.commercetools.url, servers.klaviyo.url):
        _control("DELETE", f"{url}/_sandbox/faults")
        _control("POST", f"{url}/_sandbox/reset")
    yield caller
    for url in (servers.commercetools.url, servers.klaviyo.url):
        _control("DELETE", f"{url}/_sandbox/faults")
    if caller.http.post("/sync/customers/stop").status_code == 200:
        caller.product.wait_finished(60.0)


@pytest.fixture(scope="module")
def people(simulators: Sandbox) -> list[dict[str, Any]]:
    """All customers of the simulated project, ascending by id."""
    answer = _control("GET", f"{simulators.commercetools.url}/_sandbox/customers", params={"whole": "true"})
    return [json.loads(line) for line in answer.text.splitlines()]


def _klaviyo(api: Api) -> dict[str, Any]:
    summary: dict[str, Any] = _control("GET", f"{api.product.servers.klaviyo.url}/_sandbox/summary").json()
    return summary


def _klaviyo_holds(api: Api) -> None:
    """Klaviyo answers no write, so that a run is under way for as long as a test needs."""
    rule = {"kind": "hold", "seconds": 300.0, "method": "POST", "path": "/api/"}
    _control("POST", f"{api.product.servers.klaviyo.url}/_sandbox/faults", json=[rule])


def _change(api: Api, customer_id: str, **fields: Any) -> dict[str, Any]:
    url = f"{api.product.servers.commercetools.url}/_sandbox/customers/{customer_id}"
    changed: dict[str, Any] = _control("PATCH", url, json=fields).json()
    return changed


def test_before_the_first_run_there_is_no_status_no_run_and_nothing_to_stop(product: Product) -> None:
    """A fresh state file: null, 404, an empty list, 400; and the health tells nothing."""
    product.start()
    api = Api(product)
    assert api.get("/health").json() == {"status": "ok"}
    assert api.get("/sync/status").json() == {"kinds": dict.fromkeys(KINDS)}
    assert api.get("/runs").json() == {"runs": []}
    for kind in KINDS:
        never = api.get(f"/sync/{kind}/status")
        assert (never.status_code, never.json()["error"]) == (404, "not_found")
        assert api.post(f"/sync/{kind}/stop").status_code == 400
    nothing = api.post("/sync/customers/stop")
    assert (nothing.status_code, nothing.json()) == (
        400,
        {"error": "not_running", "message": "no import of customers is running; see: ct-klaviyo status"},
    )
    api.http.close()


def test_a_start_answers_202_and_the_run_ends_with_every_item_accounted_for(api: Api, people: list[dict[str, Any]]) -> None:
    """The answer names where to look and where to stop; the status has every field that http-api.md names."""
    ids = [person["id"] for person in people[:50]]
    answer = api.post("/sync/customers", {"ids": ids})
    run_id = answer.json()["runId"]
    assert (answer.status_code, answer.json()) == (
        202,
        {
            "runId": run_id,
            "kind": "customers",
            "status": "accepted",
            "statusUrl": f"/runs/{run_id}",
            "stopUrl": "/sync/customers/stop",
        },
    )
    status = api.finished(run_id)
    assert (status["status"], status["seen"], status["failed"], status["progress"]) == ("completed", 50, 0, 1.0)
    assert status["batches"] == {"planned": 1, "done": 1, "failed": 0}
    assert (status["options"], status["cursor"], status["etaSeconds"]) == ({"ids": 50}, None, None)
    assert status["startedAt"] <= status["updatedAt"] <= status["finishedAt"]
    assert _klaviyo(api)["profiles"] == status["sent"]
    assert api.get("/sync/customers/status").json() == status
    kinds = api.get("/sync/status").json()["kinds"]
    assert (set(kinds), kinds["customers"]) == (set(KINDS), status)
    assert api.get("/runs", params={"kind": "customers", "limit": 1}).json() == {"runs": [status]}


def test_runs_are_listed_newest_first_by_kind_and_up_to_a_limit(api: Api, people: list[dict[str, Any]]) -> None:
    """`?kind=` and `?limit=` (http-api.md)."""
    first, second = (api.imported({"ids": [person["id"]], "dryRun": True})["runId"] for person in people[:2])
    listed = [run["runId"] for run in api.get("/runs", params={"limit": 2}).json()["runs"]]
    assert listed == [second, first]
    others = api.get("/runs?kind=orders").json()["runs"]
    assert [run["kind"] for run in others if run["kind"] != "orders"] == []


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "limit=", "limit=-1", "kind=nothing", "other=1"])
def test_a_wrong_parameter_of_the_list_is_a_400_that_names_it(caller: Api, query: str) -> None:
    """Nothing is guessed."""
    answer = caller.get(f"/runs?{query}")
    assert (answer.status_code, answer.json()["error"]) == (400, "bad_request")
    assert [problem["field"] for problem in answer.json()["problems"]] == [query.split("=")[0]]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"{", ["body"]),
        (b"[]", ["body"]),
        (b'"all"', ["body"]),
        (b"null", ["body"]),
        (b"\xff\xfe\x00", ["body"]),
        ({"idz": [NOBODY]}, ["idz"]),
        ({"deleteAll": True}, ["deleteAll"]),
        ({"ids": []}, ["ids"]),
        ({"ids": NOBODY}, ["ids"]),
        ({"ids": [NOBODY] * 10_001}, ["ids"]),
        ({"ids": ["x"]}, ["ids[0]"]),
        ({"ids": [NOBODY, "x", None, 7]}, ["ids[1]", "ids[2]", "ids[3]"]),
        ({"ids": [NOBODY + '" or true']}, ["ids[0]"]),
        ({"ids": [NOBODY], "createdAfter": "2026-01-01T00:00:00Z"}, ["createdAfter"]),
        ({"ids": [NOBODY], "createdBefore": "2026-01-01T00:00:00Z"}, ["createdBefore"]),
        ({"ids": [NOBODY], "modifiedAfter": "2026-01-01T00:00:00Z"}, ["modifiedAfter"]),
        ({"startId": "x"}, ["startId"]),
        ({"startId": 7}, ["startId"]),
        ({"createdAfter": "yesterday"}, ["createdAfter"]),
        ({"createdAfter": "2026-01-01T00:00:00"}, ["createdAfter"]),
        ({"createdAfter": 1}, ["createdAfter"]),
        ({"createdAfter": "2026-01-02T00:00:00Z", "createdBefore": "2026-01-01T00:00:00Z"}, ["createdBefore"]),
        ({"dryRun": "yes"}, ["dryRun"]),
        ({"dryRun": 1}, ["dryRun"]),
        ({"idz": 1, "ids": [], "startId": "x", "dryRun": 0}, ["idz", "ids", "startId", "dryRun"]),
    ],
    ids=str,
)
def test_a_body_that_cannot_be_used_is_a_400_that_names_every_problem(caller: Api, body: Any, fields: list[str]) -> None:
    """Case 82: no run is made, and nothing is sent; an empty list of ids is never "everything"."""
    before = caller.get("/runs?limit=100").json()["runs"]
    sent = {"content": body} if isinstance(body, bytes) else {"json": body}
    answer = caller.call("POST", "/sync/customers", **sent)
    assert (answer.status_code, answer.json()["error"]) == (400, "bad_request")
    assert [problem["field"] for problem in answer.json()["problems"]] == fields
    assert all(problem["message"] for problem in answer.json()["problems"])
    assert set(answer.json()) == {"error", "message", "problems"}
    assert caller.get("/runs?limit=100").json()["runs"] == before


def test_an_unknown_field_that_resembles_a_known_one_is_explained_and_a_strange_one_is_not_echoed(caller: Api) -> None:
    """The nearest known field helps; what somebody typed into a name may be anything."""
    problems = caller.post("/sync/customers", {"startID": NOBODY, "someone@example.com": 1}).json()["problems"]
    assert "startId" in problems[0]["message"]
    assert "example.com" not in json.dumps(problems)


def test_start_id_is_inclusive_and_goes_on_in_id_order(api: Api, people: list[dict[str, Any]]) -> None:
    """It takes the `cursor` of a status, and the run ends with the last id as its cursor."""
    status = api.imported({"startId": people[-5]["id"].upper(), "dryRun": True})
    assert (status["seen"], status["total"], status["cursor"]) == (5, 5, people[-1]["id"])
    assert status["options"] == {"startId": people[-5]["id"], "dryRun": True}
    assert {example["external_id"] for example in status["examples"]} == {person["id"] for person in people[-5:]}


def test_listed_ids_win_over_start_id_and_doubled_ones_count_once(api: Api, people: list[dict[str, Any]]) -> None:
    """Case 80: `ids` wins (http-api.md)."""
    first = people[0]["id"]
    status = api.imported({"ids": [first, first.upper(), first], "startId": people[-1]["id"], "dryRun": True})
    assert (status["seen"], status["options"]) == (1, {"ids": 1, "dryRun": True})


def test_ids_that_do_not_exist_are_skipped_as_gone(api: Api, people: list[dict[str, Any]]) -> None:
    """Deleted meanwhile or mistyped: named by their reason, not a failure."""
    status = api.imported({"ids": [people[0]["id"], NOBODY, str(uuid.UUID(int=7, version=4))]})
    assert (status["status"], status["sent"], status["skippedReasons"]) == ("completed", 1, {"gone": 2})


def test_modified_after_imports_what_was_changed_since_and_includes_the_moment(api: Api, people: list[dict[str, Any]]) -> None:
    """Three customers are changed in commercetools; exactly these come over, as they are now.

    The closing sweep brings them once more, since they changed less than a minute before the start.
    """
    changed = [_change(api, person["id"], firstName="Renamed") for person in people[100:103]]
    since = changed[0]["lastModifiedAt"]
    status = api.imported({"modifiedAfter": since})
    assert (status["seen"], status["sent"], status["options"]) == (6, 6, {"modifiedAfter": since})
    assert _klaviyo(api)["profiles"] == 3
    assert api.imported({"modifiedAfter": since, "dryRun": True})["seen"] == 3
    for customer in changed:
        url = f"{api.product.servers.klaviyo.url}/_sandbox/profiles"
        profile = _control("GET", url, params={"external_id": customer["id"]}).json()
        assert profile["attributes"]["first_name"] == "Renamed"
    later = (datetime.fromisoformat(changed[-1]["lastModifiedAt"]) + timedelta(seconds=1)).isoformat()
    assert api.imported({"modifiedAfter": later})["seen"] == 0


def test_created_after_and_before_bound_the_creation_from_below_inclusively_and_from_above_exclusively(
    api: Api, people: list[dict[str, Any]]
) -> None:
    """Counted by the sample's own dates; both bounds together, and with another offset of the same moment."""
    moments = sorted(person["createdAt"] for person in people)
    low, high = moments[1_000], moments[1_100]
    expected = sum(low <= moment < high for moment in moments)
    assert expected >= 50
    status = api.imported({"createdAfter": low, "createdBefore": high, "dryRun": True})
    assert (status["seen"], status["total"]) == (expected, expected)
    elsewhere = datetime.fromisoformat(low).astimezone(timezone(timedelta(hours=5, minutes=30))).isoformat()
    assert api.imported({"createdAfter": elsewhere, "createdBefore": high, "dryRun": True})["seen"] == expected
    both = api.imported({"createdAfter": elsewhere, "createdBefore": high, "modifiedAfter": "2100-01-01T00:00:00Z"})
    assert (both["status"], both["seen"]) == ("completed", 0)


def test_a_dry_run_sends_nothing_and_its_examples_tell_nothing_of_anybody(api: Api, people: list[dict[str, Any]]) -> None:
    """The simulated Klaviyo hears nothing; no e-mail, name, phone or address of the sample is in the answer."""
    ids = [person["id"] for person in people[:300]]
    status = api.imported({"ids": ids, "dryRun": True})
    assert (status["status"], status["seen"], status["failed"]) == ("completed", 300, 0)
    assert _klaviyo(api)["requests"] == 0
    assert len(status["examples"]) == 20
    assert all(example["external_id"] in ids for example in status["examples"])

    shown = set(_texts(status["examples"]))
    secret: set[str] = set()
    for person in people[:300]:
        secret |= {person["email"], person["email"].lower(), person["email"].split("@")[0]}
        secret |= {str(person.get(name, "")) for name in ("firstName", "lastName", "companyName", "vatId", "dateOfBirth")}
        secret |= {str(person.get(name, "")) for name in ("customerNumber", "title", "externalId")}
        for address in person["addresses"]:
            secret |= {str(address.get(name, "")) for name in ("phone", "mobile", "streetName", "postalCode", "city")}
    secret.discard("")
    assert not shown & secret
    text = json.dumps(status["examples"], ensure_ascii=False)
    assert not [value for value in secret if len(value) > 5 and value in text]
    assert not re.search(r"\+\d{6,}", text)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(part)


def test_while_a_run_is_under_way_a_start_is_423_with_its_id_and_since(api: Api, people: list[dict[str, Any]]) -> None:
    """Retry and resume are refused as well; the status says how far it is."""
    _klaviyo_holds(api)
    run = api.post("/sync/customers", {"ids": [person["id"] for person in people[:20]]}).json()
    status = api.product.wait(lambda status: status["status"] == "running", 60.0)
    locked = api.post("/sync/customers")
    assert (locked.status_code, locked.json()) == (
        423,
        {
            "error": "locked",
            "message": "an import of customers is under way; wait for it, or stop it with: ct-klaviyo stop customers",
            "runId": run["runId"],
            "since": status["startedAt"],
        },
    )
    for call in ("resume", "retry"):
        answer = api.post(f"/runs/{run['runId']}/{call}")
        assert (answer.status_code, answer.json()["error"]) == (409, "not_possible")
    assert api.get(f"/runs/{run['runId']}").json()["finishedAt"] is None


def test_a_stop_is_confirmed_and_resume_continues_the_run(api: Api, people: list[dict[str, Any]]) -> None:
    """200, then `stopped`; 202, then `completed`; and it cannot be resumed again."""
    _klaviyo_holds(api)
    run_id = api.post("/sync/customers", {"ids": [person["id"] for person in people[:20]]}).json()["runId"]
    api.product.wait(lambda status: status["status"] == "running", 60.0)
    stop = api.post("/sync/customers/stop")
    assert (stop.status_code, stop.json()) == (200, {"runId": run_id, "status": "stopping"})
    stopped = api.finished(run_id, 60.0)
    assert (stopped["status"], stopped["resumable"]) == ("stopped", True)
    assert api.post("/sync/customers/stop").status_code == 400

    _control("DELETE", f"{api.product.servers.klaviyo.url}/_sandbox/faults")
    resumed = api.post(f"/runs/{run_id}/resume")
    assert (resumed.status_code, resumed.json()["runId"], resumed.json()["status"]) == (202, run_id, "accepted")
    status = api.finished(run_id)
    assert (status["status"], status["seen"], status["resumable"]) == ("completed", 20, False)
    assert api.post(f"/runs/{run_id}/resume").status_code == 409


def test_failures_are_named_and_retry_is_a_new_run_over_them_alone(api: Api, people: list[dict[str, Any]]) -> None:
    """Problems carry id, reason and place, no value; without failures retry is a 409."""
    ids = [person["id"] for person in people[:10]]
    _change(api, ids[3], lastName=["not", "a", "text"])
    status = api.imported({"ids": ids})
    assert (status["status"], status["failed"], status["failedReasons"]) == ("completed_with_errors", 1, {"unreadable": 1})
    assert status["problems"] == [{"id": ids[3], "reason": "unreadable", "pointer": "lastName"}]

    _change(api, ids[3], lastName="Mended")
    retry = api.post(f"/runs/{status['runId']}/retry")
    assert retry.status_code == 202
    again = api.finished(retry.json()["runId"])
    assert (again["status"], again["seen"], again["options"]) == ("completed", 1, {"retryOf": status["runId"]})
    assert api.post(f"/runs/{again['runId']}/retry").status_code == 409


def test_more_failures_than_are_shown_are_counted_all(api: Api, people: list[dict[str, Any]]) -> None:
    """The first 50, then a count per reason."""
    ids = [person["id"] for person in people[:60]]
    for customer_id in ids:
        _change(api, customer_id, firstName=7)
    status = api.imported({"ids": ids})
    assert (len(status["problems"]), status["failedReasons"]) == (50, {"unreadable": 60})


@pytest.mark.parametrize(
    ("fault", "status", "error"),
    [
        ({"kind": "status", "status": 401}, 502, "upstream_refused"),
        ({"kind": "status", "status": 403}, 502, "upstream_refused"),
        ({"kind": "status", "status": 400}, 502, "upstream_refused"),
        ({"kind": "status", "status": 429, "retry_after": "300"}, 503, "unavailable"),
    ],
    ids=["401", "403", "400", "429"],
)
def test_a_start_that_commercetools_refuses_says_so_and_leaves_nothing(
    api: Api, fault: dict[str, Any], status: int, error: str
) -> None:
    """502 for what a person must mend, 503 for what time mends; the next start is not locked out."""
    faults = f"{api.product.servers.commercetools.url}/_sandbox/faults"
    _control("POST", faults, json=[{**fault, "path": "/sandbox/graphql"}])
    before = api.get("/runs?limit=100").json()["runs"]
    answer = api.post("/sync/customers")
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert "commercetools" in answer.json()["message"]
    assert api.get("/runs?limit=100").json()["runs"] == before
    _control("DELETE", faults)
    assert api.imported({"createdAfter": "2100-01-01T00:00:00Z"})["status"] == "completed"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nothing"),
        ("POST", "/sync/orderz"),
        ("GET", "/sync/orderz/status"),
        ("POST", "/sync/orderz/stop"),
        ("GET", "/runs/nobody"),
        ("POST", "/runs/nobody/resume"),
        ("POST", "/runs/nobody/retry"),
        ("GET", "/runs/" + "x" * 65),
        ("GET", "/runs/..%2f..%2fetc"),
        ("GET", "/tasks/plan"),
        ("POST", "/tasks/work"),
        ("GET", "/sync"),
    ],
)
def test_what_does_not_exist_is_a_404_in_json(caller: Api, method: str, path: str) -> None:
    """Unknown paths, kinds and runs."""
    answer = caller.http.request(method, path)
    assert (answer.status_code, answer.json()["error"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", "/runs", "GET"),
        ("PUT", "/runs/nobody", "GET"),
        ("GET", "/runs/nobody/resume", "POST"),
        ("GET", "/sync/customers", "POST"),
        ("PATCH", "/sync/customers", "POST"),
        ("GET", "/sync/customers/stop", "POST"),
        ("POST", "/sync/customers/status", "GET"),
        ("POST", "/health", "GET"),
        ("POST", "/openapi.json", "GET"),
        ("POST", "/", "GET"),
    ],
)
def test_another_method_is_a_405_that_names_what_is_allowed(caller: Api, method: str, path: str, allow: str) -> None:
    """A link that is merely followed starts nothing."""
    answer = caller.http.request(method, path)
    assert (answer.status_code, answer.json()["error"], answer.headers["Allow"]) == (405, "method_not_allowed", allow)


def test_a_body_of_more_than_a_megabyte_is_a_413(api: Api) -> None:
    """In JSON, as every other error; ten thousand ids fit."""
    answer = api.call("POST", "/sync/customers", content=b'{"ids": ["' + b"x" * 1_000_001 + b'"]}')
    assert (answer.status_code, answer.json()["error"]) == (413, "too_large")
    ids = [str(uuid.UUID(int=number, version=4)) for number in range(10_000)]
    status = api.imported({"ids": ids, "dryRun": True})
    assert (status["seen"], status["skippedReasons"]) == (10_000, {"gone": 10_000})


def test_a_task_of_a_stranger_is_refused(caller: Api) -> None:
    """`POST /tasks/plan` is the queue's own; neither no key nor a wrong one opens it."""
    for headers in ({}, {"X-Local-Task-Key": "guessed"}, {"X-Api-Key": KEY}):
        answer = caller.http.post("/tasks/plan", json={"runId": "r", "fence": 1, "rangeIndex": 0}, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (401, "unauthorized")


@pytest.mark.parametrize("method_and_path", GUARDED, ids=" ".join)
def test_without_a_key_a_page_of_another_site_cannot_call(caller: Api, method_and_path: tuple[str, str]) -> None:
    """A foreign Host (a name that was pointed at this machine) or Origin is a 403, before anything is done."""
    method, path = method_and_path
    before = caller.get("/runs?limit=100").json()
    foreign = [{"Host": "imports.example.com"}, *({"Origin": o} for o in ("https://example.com", "null", "http://localhost:1"))]
    for headers in foreign:
        answer = caller.call(method, _address_of(path), headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (403, "forbidden")
    assert caller.get("/runs?limit=100").json() == before


def test_the_own_page_may_call(caller: Api) -> None:
    """Its origin is the server's own."""
    for name in ("127.0.0.1", "localhost"):
        host = f"{name}:{caller.product.environment['BULK_IMPORT_PORT']}"
        assert caller.get("/sync/status", headers={"Host": host, "Origin": f"http://{host}"}).status_code == 200


@pytest.fixture(scope="module")
def keyed(simulators: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server with an API key."""
    state = tmp_path_factory.mktemp("keyed") / "state.sqlite3"
    product = Product(simulators, simulators.environment(state, free_port(), BULK_IMPORT_API_KEY=KEY))
    product.start()
    api = Api(product)
    yield api
    api.http.close()
    for process in product.processes:
        process.stop()


@pytest.mark.parametrize("method_and_path", GUARDED, ids=" ".join)
def test_with_a_key_each_call_needs_it(keyed: Api, method_and_path: tuple[str, str]) -> None:
    """Case 97: without one or with a wrong one 401, in whichever header; with it the call gets through, also from elsewhere."""
    method, path = method_and_path
    wrong: list[dict[str, str]] = [
        {},
        {"X-Api-Key": ""},
        {"X-Api-Key": KEY[:-1]},
        {"X-Api-Key": KEY + "x"},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": "Bearer"},
        {"Authorization": f"Bearer {KEY.upper()}"},
        {"Cookie": f"X-Api-Key={KEY}"},
    ]
    for headers in wrong:
        answer = keyed.call(method, _address_of(path), headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (401, "unauthorized")
        assert KEY not in answer.text
    unused = f"{_address_of(path)}/stop" if path in {"/sync/{kind}", "/sync/all"} else _address_of(path)  # what starts nothing
    for headers in ({"X-Api-Key": KEY}, {"Authorization": f"Bearer {KEY}"}, {"authorization": f"bearer {KEY}"}):
        assert keyed.call(method, unused, headers={**headers, "Host": "imports.example.com"}).status_code in {200, 400, 404}


@pytest.mark.parametrize("path", ["/", "/health", "/openapi.json"])
def test_with_a_key_page_health_and_document_stay_open(keyed: Api, path: str) -> None:
    """There is no data in them."""
    assert keyed.call("GET", path).status_code == 200


def test_the_key_is_never_written_into_the_log(keyed: Api) -> None:
    """Neither the right one nor what somebody sent in its place."""
    keyed.get("/runs", headers={"X-Api-Key": "what-a-stranger-sent"})
    keyed.get("/runs?X-Api-Key=what-a-stranger-sent", headers={"X-Api-Key": KEY})
    keyed.post("/sync/customers/stop", headers={"X-Api-Key": KEY})
    log = "\n".join(keyed.product.log_lines())
    assert KEY not in log
    assert "what-a-stranger-sent" not in log


def test_the_page_is_static_and_runs_only_its_own_script_and_style(api: Api, people: list[dict[str, Any]]) -> None:
    """Its policy names the hashes of exactly these two, and it loads nothing from anywhere."""
    before = api.get("/")
    api.imported({"ids": [people[0]["id"]], "dryRun": True})
    page = api.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.content == before.content, "there must be no data in it"
    policy = page.headers["content-security-policy"]
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    for tag, directive in (("script", "script-src"), ("style", "style-src")):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert directives[directive] == f"'sha256-{digest}'"
    assert directives["default-src"] == "'none'"
    assert directives["connect-src"] == "'self'"
    assert directives["frame-ancestors"] == "'none'"
    assert "unsafe" not in policy
    assert not re.search(r"(src|href)=\"(?!data:)", page.text)
    assert not re.search(r"\son\w+=|style=|innerHTML", page.text)


def test_the_document_is_openapi_and_names_every_route(caller: Api) -> None:
    """The shape of OpenAPI 3.1: operations with answers, references that lead somewhere, schemas that are schemas."""
    document = caller.document
    assert document["openapi"].startswith("3.1.")
    assert {"title", "version"} <= set(document["info"])
    named = {(method.upper(), path) for path, item in document["paths"].items() for method in item if method != "parameters"}
    assert named == ROUTES
    for path, item in document["paths"].items():
        declared = {parameter["name"] for parameter in item.get("parameters", []) if parameter["in"] == "path"}
        assert declared == set(re.findall(r"\{(\w+)\}", path))
        for method, operation in item.items():
            if method == "parameters":
                continue
            assert operation["summary"]
            assert all(re.fullmatch(r"[2-5]\d\d", status) for status in operation["responses"])
            assert all(response["description"] for response in operation["responses"].values())
            is_open = operation.get("security") == []
            assert is_open == ((method.upper(), path) not in GUARDED)
    for reference in re.findall(r'"\$ref": "([^"]+)"', json.dumps(document)):
        assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"]
    for schema in document["components"]["schemas"].values():
        jsonschema_rs.meta.validate({**schema, "$schema": "https://json-schema.org/draft/2020-12/schema"})
    schemes = document["components"]["securitySchemes"]
    assert {name for one in document["security"] for name in one} == set(schemes)


@pytest.mark.parametrize("method_and_path", sorted(ROUTES), ids=" ".join)
def test_every_documented_call_exists(keyed: Api, method_and_path: tuple[str, str]) -> None:
    """None of them is unknown to the server, or known for another method only."""
    method, path = method_and_path
    answer = keyed.call(method, _address_of(path))
    assert answer.status_code == (401 if method_and_path in GUARDED else 200)


@pytest.mark.parametrize(
    ("body", "accepted"),
    [
        ({}, True),
        ({"ids": [NOBODY]}, True),
        ({"startId": NOBODY, "createdAfter": "2026-01-01T00:00:00Z", "dryRun": True}, True),
        ({"deleteAll": True, "confirmDeletion": "products"}, True),
        ({"deleteAll": True, "confirmDeletetion": "products", "onlyOwn": True}, True),
        ({"deleteAll": False}, True),
        ({"deleteAll": True}, False),
        ({"deleteAll": True, "confirmDeletion": "everything"}, False),
        ({"deleteAll": True, "confirmDeletion": "products", "dryRun": True}, False),
        ({"confirmDeletion": "products"}, False),
        ({"onlyOwn": True}, False),
        ({"ids": []}, False),
        ({"ids": ["x"]}, False),
        ({"idz": [NOBODY]}, False),
        ({"dryRun": "yes"}, False),
        ({"createdAfter": "yesterday"}, False),
    ],
    ids=str,
)
def test_the_documented_body_of_a_start_is_what_the_server_takes(caller: Api, body: dict[str, Any], accepted: bool) -> None:
    """A client that checks against the document is not surprised."""
    schema = {"$ref": "#/components/schemas/Start", "components": caller.document["components"]}
    assert jsonschema_rs.Draft202012Validator(schema, validate_formats=True).is_valid(body) == accepted


@pytest.mark.parametrize("kind", ["customers", "orders", "all"])
def test_a_deletion_is_for_the_catalog_alone(caller: Api, kind: str) -> None:
    """Whatever is confirmed."""
    answer = caller.post(f"/sync/{kind}", {"deleteAll": True, "confirmDeletion": kind})
    assert answer.status_code == 400
    assert "deleteAll" in [problem["field"] for problem in answer.json()["problems"]]


@pytest.mark.parametrize(
    "body", [{}, {"confirmDeletion": "categories"}, {"dryRun": True, "confirmDeletion": "products"}], ids=str
)
def test_a_deletion_that_is_not_confirmed_deletes_nothing(caller: Api, body: dict[str, Any]) -> None:
    """400 that explains the risk, and no run."""
    before = caller.get("/runs?limit=100").json()["runs"]
    answer = caller.post("/sync/products", {"deleteAll": True, **body})
    assert (answer.status_code, answer.json()["error"]) == (400, "bad_request")
    assert caller.get("/runs?limit=100").json()["runs"] == before


@pytest.mark.parametrize("field", ["ids", "startId", "createdBefore"])
def test_what_concerns_one_kind_is_refused_for_all(caller: Api, field: str) -> None:
    """400 that names it."""
    value = {"ids": [NOBODY], "startId": NOBODY, "createdBefore": "2026-01-01T00:00:00Z"}[field]
    answer = caller.post("/sync/all", {field: value})
    assert answer.status_code == 400
    assert [problem["field"] for problem in answer.json()["problems"]] == [field]


def test_all_kinds_are_imported_one_after_the_other(api: Api) -> None:
    """202 at once; then a run of each kind, which the chain names; nothing of it can be started beside it."""
    answer = api.post("/sync/all", {"createdAfter": "2100-01-01T00:00:00Z", "dryRun": True})
    chain_id = answer.json()["runId"]
    assert (answer.status_code, answer.json()["kind"], answer.json()["stopUrl"]) == (202, "all", "/sync/all/stop")
    deadline = time.monotonic() + 120.0
    while (status := api.get("/sync/all/status").json())["status"] not in FINISHED:
        assert time.monotonic() < deadline, status
        time.sleep(0.1)
    assert (status["runId"], status["status"], status["progress"]) == (chain_id, "completed", 1.0)
    assert [child["kind"] for child in status["children"]] == ["categories", "products", "customers", "orders"]
    for child in status["children"]:
        run = api.get(f"/runs/{child['runId']}").json()
        assert (run["status"], run["options"]) == ("completed", status["options"])
    assert api.get("/runs?kind=all&limit=1").json()["runs"][0]["runId"] == chain_id
    again = api.post(f"/runs/{chain_id}/retry")
    assert (again.status_code, again.json()["error"]) == (409, "not_possible")
    assert api.post(f"/runs/{chain_id}/resume").status_code == 409


def test_an_import_of_all_is_refused_beside_one_of_a_kind_and_stopped_with_it(api: Api, people: list[dict[str, Any]]) -> None:
    """423 names the run in the way; stopping the kind that runs stops the chain, which can be resumed."""
    _klaviyo_holds(api)
    api.post("/sync/customers", {"ids": [person["id"] for person in people[:20]]})
    api.product.wait(lambda status: status["status"] == "running", 60.0)
    locked = api.post("/sync/all")
    assert (locked.status_code, locked.json()["error"]) == (423, "locked")
    api.post("/sync/customers/stop")
    api.product.wait(lambda status: status["status"] in FINISHED, 90.0)

    chain_id = api.post("/sync/all").json()["runId"]
    assert api.post("/sync/all").status_code == 423
    assert api.post("/sync/categories/stop").json()["runId"] == f"{chain_id}-categories"
    deadline = time.monotonic() + 120.0
    while (status := api.get(f"/runs/{chain_id}").json())["status"] not in FINISHED:
        assert time.monotonic() < deadline, status
        time.sleep(0.1)
    assert (status["status"], status["resumable"]) == ("stopped", True)
    assert [child["status"] for child in status["children"]] == ["stopped", "pending", "pending", "pending"]


def test_an_import_of_everything_over_the_api_adds_up(api: Api) -> None:
    """Case 76: no body at all means everything."""
    answer = api.post("/sync/customers")
    status = api.finished(answer.json()["runId"])
    check = api.product.check()
    assert (status["status"], status["seen"], status["total"], status["options"]) == ("completed", CUSTOMERS, CUSTOMERS, {})
    assert (check.problems, check.missing, check.merged) == ([], frozenset(), status["skipped"])
