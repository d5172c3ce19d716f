"""What checkers may do: change resources during a run, list all ids, read the counts, reset; and injected faults."""

import json
import subprocess
import sys
from typing import Any

import httpx
import pytest

from sandbox.commercetools.__main__ import main, parser, settings_from
from sandbox.fault_middleware import ConnectionDroppedError
from sandbox.faults import FaultRule


def listing(ct: Any, **params: Any) -> list[dict[str, Any]]:
    """All lines of the checker's list."""
    return [json.loads(line) for line in ct.send("GET", "/_sandbox/customers", params=params).text.splitlines()]


def test_a_new_customer_is_visible_everywhere_at_once(ct: Any) -> None:
    """It gets an id, version 1 and the clock's time; total, id pages, GraphQL and the sweep know it."""
    ct.now += 1
    made = ct.send("POST", "/_sandbox/customers", json={"email": "late@example.com", "key": "late"}).json()
    assert (made["version"], made["createdAt"]) == (1, "2026-09-21T14:13:21.000Z")
    assert ct.page(limit=1)["total"] == 301
    assert made in ct.page(limit=500, sort="id asc")["results"]
    assert ct.get("/customers/key=late").json() == made
    assert ct.page(where='lastModifiedAt >= "2026-09-21T14:13:21.000Z"', sort=["lastModifiedAt", "id"])["total"] == 1
    found = ct.graph('{ customers(where: "email = \\"late@example.com\\"") { results { id } } }').json()
    assert found["data"]["customers"]["results"] == [{"id": made["id"]}]


def test_a_changed_customer_has_a_new_version_and_time(ct: Any) -> None:
    """Fields are replaced, null removes one; the total stays."""
    before = next(row for row in ct.page(limit=500)["results"] if "firstName" in row)
    ct.now += 60
    path = f"/_sandbox/customers/{before['id']}"
    after = ct.send("PATCH", path, json={"email": "new@example.com", "firstName": None}).json()
    assert (after["version"], after["email"]) == (before["version"] + 1, "new@example.com")
    assert "firstName" not in after
    assert after["lastModifiedAt"] == "2026-09-21T14:14:20.000Z"
    assert ct.get(f"/customers/{before['id']}").json() == after
    newest = ct.page(limit=1, sort=["lastModifiedAt desc", "id desc"])["results"]
    assert newest == [after]
    assert ct.page()["total"] == 300


def test_a_deleted_customer_is_gone(ct: Any) -> None:
    """It is a 404, in no page, and not counted; it can be made again under its id."""
    victim = ct.page(limit=1)["results"][0]
    assert ct.send("DELETE", f"/_sandbox/customers/{victim['id']}").json() == victim
    assert ct.get(f"/customers/{victim['id']}").status_code == 404
    assert ct.page(limit=500)["total"] == len(ct.page(limit=500)["results"]) == 299
    assert ct.send("DELETE", f"/_sandbox/customers/{victim['id']}").status_code == 404
    assert ct.send("POST", "/_sandbox/customers", json={"id": victim["id"]}).status_code == 201
    assert ct.page()["total"] == 300


@pytest.mark.parametrize("fields", [{"surname": "x"}, {"version": 9}, {"createdAt": "2026-01-01T00:00:00.000Z"}])
def test_fields_that_the_api_sets_or_does_not_have_are_refused(ct: Any, fields: dict[str, Any]) -> None:
    """A checker cannot make a resource that the API could not have."""
    assert ct.send("POST", "/_sandbox/customers", json=fields).status_code == 400
    identifier = ct.page(limit=1)["results"][0]["id"]
    assert ct.send("PATCH", f"/_sandbox/customers/{identifier}", json={**fields, "id": "x"}).status_code == 400


def test_the_list_has_every_id_in_order_and_can_go_on_from_any(ct: Any) -> None:
    """id, e-mail and version of all customers; `after` and `limit` cut it into pieces; `whole` shows all fields."""
    everything = listing(ct)
    assert [row["id"] for row in everything] == [row["id"] for row in ct.page(limit=500, sort="id")["results"]]
    assert set(everything[0]) == {"id", "email", "version"}
    pieces = listing(ct, limit=130)
    pieces += listing(ct, after=pieces[-1]["id"], limit=130)
    pieces += listing(ct, after=pieces[-1]["id"])
    assert pieces == everything
    assert listing(ct, whole="true")[0] == ct.get(f"/customers/{everything[0]['id']}").json()


def test_requests_are_counted_by_kind_of_path_and_status(ct: Any) -> None:
    """Every answered request and every resource served; control requests are not counted."""
    ct.send("DELETE", "/_sandbox/requests")
    identifier = ct.page(limit=7)["results"][0]["id"]
    ct.get(f"/customers/{identifier}")
    ct.get("/customers", limit=501)
    ct.graph("{ customers(limit: 5) { results { id } } }")
    ct.get("/custom-objects/a/b")
    assert ct.send("GET", "/_sandbox/requests").json() == {
        "requests": [
            {"method": "GET", "endpoint": "custom-objects/{container}/{key}", "status": 404, "count": 1},
            {"method": "GET", "endpoint": "customers", "status": 200, "count": 1},
            {"method": "GET", "endpoint": "customers", "status": 400, "count": 1},
            {"method": "GET", "endpoint": "customers/{id}", "status": 200, "count": 1},
            {"method": "POST", "endpoint": "graphql", "status": 200, "count": 1},
        ],
        "faults": [],
        "served": {"customers": 13},
    }


def test_reset_returns_to_the_start(ct: Any) -> None:
    """Changes, custom objects and counts are gone; the token still works."""
    before = listing(ct, whole="true")
    ct.send("PATCH", f"/_sandbox/customers/{before[0]['id']}", json={"email": "x@example.com"})
    ct.send("DELETE", f"/_sandbox/customers/{before[1]['id']}")
    ct.send("POST", "/_sandbox/customers", json={})
    ct.call("POST", "/custom-objects", json={"container": "a", "key": "b", "value": 1})
    assert ct.send("POST", "/_sandbox/reset").status_code == 204
    assert ct.send("GET", "/_sandbox/requests").json()["requests"] == []
    assert listing(ct, whole="true") == before
    assert ct.get("/custom-objects/a/b").status_code == 404


@pytest.mark.parametrize(
    ("status", "code"), [(502, "BadGateway"), (503, "OverCapacity"), (500, "General"), (401, "invalid_token")]
)
def test_injected_errors_have_the_vendors_shape(ct: Any, status: int, code: str) -> None:
    """A fault of a status looks like the API's own error, is dated and counted, and ends."""
    rule = {"kind": "status", "status": status, "endpoint": "customers", "first": 1, "retry_after": "3"}
    assert ct.send("POST", "/_sandbox/faults", json=[rule]).status_code == 204
    answer = ct.get("/customers")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (status, code)
    assert answer.headers["retry-after"] == "3"
    assert "date" in answer.headers
    assert ct.get("/customers").status_code == 200
    faults = ct.send("GET", "/_sandbox/requests").json()["faults"]
    assert faults == [{"method": "GET", "endpoint": "customers", "kind": "status", "count": 1}]


def test_a_lost_answer_still_took_effect(ct: Any) -> None:
    """The custom object was written, though the client saw the connection break."""
    ct.plan.set([FaultRule(kind="lost", method="POST", endpoint="custom-objects", first=1)])
    with pytest.raises(ConnectionDroppedError):
        ct.call("POST", "/custom-objects", json={"container": "a", "key": "b", "value": 1})
    assert ct.get("/custom-objects/a/b").json()["version"] == 1


def test_the_command_line_makes_the_settings() -> None:
    """Options become settings; impossible numbers end with a usage error; other hosts are refused."""
    arguments = ["--customers", "5", "--seed", "3", "--scopes", "view_customers", "view_stores", "--token-lifetime", "9"]
    settings = settings_from(parser().parse_args(arguments))
    nothing = {"categories": 0, "products": 0, "orders": 0}
    assert (settings.sizes, settings.seed, settings.token_lifetime_s) == ({"customers": 5, **nothing}, 3, 9)
    assert (settings.variants, settings.lines) == (None, None)
    assert settings.scopes == ("view_customers", "view_stores")
    arguments = ["--orders", "9", "--lines", "3", "--products", "8", "--variants", "2", "--categories", "7"]
    settings = settings_from(parser().parse_args(arguments))
    assert settings.sizes == {"customers": 300, "categories": 7, "products": 8, "orders": 9}
    assert (settings.variants, settings.lines) == (2, 3)
    for wrong in (["--customers", "-1"], ["--orders", "-1"], ["--malformed-emails", "301"], ["--host", "0.0.0.0"]):
        with pytest.raises(SystemExit):
            main(wrong)


def test_it_runs_as_a_process_and_says_where() -> None:
    """Port 0 picks a port and prints it; exactly one Date header."""
    command = [sys.executable, "-m", "sandbox.commercetools", "--port", "0", "--customers", "40"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().removeprefix("listening on ").strip()
            assert address.startswith("http://127.0.0.1:")
            with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
                form = {"grant_type": "client_credentials"}
                token = client.post("/oauth/token", data=form, auth=("sandbox-client", "sandbox-secret"))
                assert len(token.headers.get_list("date")) == 1
                client.headers["Authorization"] = f"Bearer {token.json()['access_token']}"
                assert client.get("/sandbox/customers").json()["total"] == 40
        finally:
            process.terminate()
