"""Who may import when, and what is known of it: locks, faults of the source, stops, status (cases 77, 81, 93 to 96)."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from standstill import measured

from sandbox.launch import is_healthy
from shared.local.children import ChildSpec, child_environment
from shared.local.listening import free_port
from tests.e2e.bulk_world import KINDS, PATIENCE_S, READS, SIZES, STOP_WITHIN_S, Imports
from tests.e2e.conftest import CUSTOMERS
from tests.e2e.fault_fixtures import assert_complete, hits, hold, inject
from tests.e2e.realtime_world import ROOT
from tests.e2e.served_product import HTTP, Product

PAGES_OF_TWO_BATCHES = 8
"""Of the three that six thousand customers are, five hundred a page."""

by_kind = pytest.mark.parametrize("kind", KINDS)


@by_kind
def test_a_lock_of_the_older_product_is_respected(imports: Imports, kind: str) -> None:
    """Case 77: it has no lease, so 423 names the command that clears it; nothing is sent, and it stays."""
    imports.put_lock(kind, "1")
    answer = imports.post(f"/sync/{kind}")
    assert (answer.status_code, answer.json()["error"]) == (423, "locked")
    assert f"ct-klaviyo unlock {kind}" in answer.json()["message"]
    assert imports.requests() == []
    lock = imports.lock(kind)
    assert lock is not None
    assert lock["value"] == "1"


def _claim(minutes: float) -> dict[str, str]:
    now = datetime.now(UTC)
    until = now + timedelta(minutes=minutes)
    return {"owner": "somebody.1", "since": (now - timedelta(hours=1)).isoformat(), "leaseUntil": until.isoformat(), "nonce": "n"}


@by_kind
def test_a_lock_of_another_instance_holds_until_its_lease_is_over(imports: Imports, kind: str) -> None:
    """Case 77: 423 with its run while the lease lasts; taken over when it has run out, and given back in the end."""
    imports.put_lock(kind, _claim(5))
    answer = imports.post(f"/sync/{kind}")
    assert (answer.status_code, answer.json()["runId"]) == (423, "somebody")
    imports.put_lock(kind, _claim(-1))
    imports.completed(kind, dryRun=True)
    imports.assert_given_back(kind)


@by_kind
def test_a_lock_that_cannot_be_read_is_not_taken_for_ours(imports: Imports, kind: str) -> None:
    """Case 96: 500 is asked again, and where that does not help no run is begun; what is not owned is never released."""
    before = imports.get("/runs?limit=1")
    held = imports.put_lock(kind, _claim(5))
    imports.commercetools_fails({"kind": "status", "status": 500, "path": "/sandbox/custom-objects", "first": 2})
    assert imports.post(f"/sync/{kind}").status_code == 423
    for_long = {"kind": "status", "status": 500, "path": "/sandbox/custom-objects", "retry_after": "300"}
    imports.commercetools_fails(for_long)
    answer = imports.post(f"/sync/{kind}")
    assert (answer.status_code, answer.json()["error"]) == (503, "unavailable")
    imports.commercetools_fails()
    assert imports.get("/runs?limit=1") == before
    assert imports.lock(kind) == held
    assert imports.requests() == []


def test_a_lock_that_was_lost_to_somebody_else_is_left_to_them(imports: Imports) -> None:
    """Case 96: at its end an import releases what it owns, and nothing else."""
    with imports.meanwhile("customers") as run_id:
        held = imports.put_lock("customers", _claim(5))
    assert imports.finished("customers", run_id)["status"] == "completed"
    assert imports.lock("customers") == held


def test_a_page_that_fails_for_a_while_is_read_again(product: Product) -> None:
    """Case 93: commercetools answers 503 from the third page on, six times: nothing is lost, every customer counted once."""
    commercetools = product.servers.commercetools.url
    inject(commercetools, {"kind": "status", "status": 503, "path": "/sandbox/customers", "skip": 2, "first": 6})
    product.start()
    assert product.post("/sync/customers").status_code == 202
    assert_complete(product)
    assert hits(commercetools) == [6]


def test_what_was_done_before_a_lasting_failure_is_reported_and_resume_does_the_rest(product: Product) -> None:
    """Case 93: in the middle nothing can be read any more; the run goes on trying, says how far it is, and can be stopped."""
    commercetools = product.servers.commercetools.url
    product.environment["WORKERS"] = "2"
    product.start()
    inject(commercetools, {"kind": "status", "status": 503, "path": "/sandbox/customers", "skip": PAGES_OF_TWO_BATCHES})
    assert product.post("/sync/customers").status_code == 202
    status = product.wait(lambda status: status["seen"] > 0 and hits(commercetools)[0] > 0, 30.0)
    assert status["status"] == "running"
    assert 0 < status["seen"] < CUSTOMERS
    assert status["seen"] == status["sent"] + status["skipped"] + status["failed"]
    assert product.post("/sync/customers/stop").status_code == 200
    stopped = product.wait(lambda status: status["status"] == "stopped", 15.0)
    assert (stopped["resumable"], stopped["failed"]) == (True, 0)
    inject(commercetools)
    assert product.post(f"/runs/{stopped['runId']}/resume").status_code == 202
    assert_complete(product)


@pytest.fixture(scope="module")
def another_instance(served_imports: Imports, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a second process of the import API on the same state, as a platform starts as many as it likes."""
    port, folder = free_port(), tmp_path_factory.mktemp("instance")
    environment = {**served_imports.product.environment, "PATH": os.environ["PATH"]}
    spec = ChildSpec("bulk_dispatch", "bulk_dispatch", ROOT / "main.py", environment, 4)
    command = [sys.executable, "-m", "shared.local.child", "--target", spec.target, "--source", str(spec.source)]
    command += ["--signature-type", "http", "--host", spec.host, "--port", str(port)]
    with (folder / "output.log").open("wb") as output:
        process = subprocess.Popen(
            command,
            env=child_environment(spec),
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    Imports.until(lambda: is_healthy(url), "the instance did not come up", 30.0)
    yield url
    process.kill()
    process.wait()
    assert process.stdin is not None
    process.stdin.close()


@by_kind
def test_any_instance_stops_what_another_one_started(imports: Imports, another_instance: str, kind: str) -> None:
    """Case 94: and it refuses another start meanwhile; when nothing runs, 400 from both."""
    hold(imports.commercetools, path=f"/sandbox/{READS[kind]}")
    run_id = imports.start(kind)
    locked = HTTP.post(f"{another_instance}/sync/{kind}")
    assert (locked.status_code, locked.json()["runId"]) == (423, run_id)
    with measured() as took:
        stop = HTTP.post(f"{another_instance}/sync/{kind}/stop")
        assert (stop.status_code, stop.json()) == (200, {"runId": run_id, "status": "stopping"})
        imports.commercetools_fails()
        status = imports.product.wait(lambda status: status["status"] == "stopped", PATIENCE_S, kind)
    assert took.moving_s <= STOP_WITHIN_S, took
    assert HTTP.get(f"{another_instance}/runs/{run_id}").json() == status
    imports.assert_silent_after(time.time())
    for url in (another_instance, imports.product.url):
        assert HTTP.post(f"{url}/sync/{kind}/stop").status_code == 400


def test_the_status_of_all_kinds_has_state_counts_and_the_last_error(imports: Imports) -> None:
    """Case 95: one import is complete, one was refused by Klaviyo, one has a fault in an item."""
    broken = imports.wanted("customers")[0]
    imports.change("customers", broken["id"], lastName=["not", "a", "text"])
    imports.completed("categories")
    imports.imported("customers", ids=[broken["id"]])
    imports.klaviyo_fails({"kind": "status", "status": 401, "path": "/api/"})
    imports.imported("orders")
    kinds = imports.get("/sync/status")["kinds"]
    assert set(kinds) == {*KINDS, "all"}
    assert (kinds["categories"]["status"], kinds["categories"]["sent"]) == ("completed", SIZES["categories"])
    assert (kinds["orders"]["status"], kinds["orders"]["sent"]) == ("halted", 0)
    assert "401" in kinds["orders"]["haltReason"]
    assert (kinds["customers"]["status"], kinds["customers"]["failed"]) == ("completed_with_errors", 1)
    assert kinds["customers"]["problems"] == [{"id": broken["id"], "reason": "unreadable", "pointer": "lastName"}]
    for kind in KINDS:
        if kinds[kind] is not None:
            assert imports.get(f"/sync/{kind}/status") == kinds[kind]


def test_the_cursor_that_a_stopped_import_names_is_where_another_one_can_begin(imports: Imports, tmp_path: Path) -> None:
    """Case 81: everything at or below it is done, so that from there on none is left out."""
    everything = imports.of("customers")
    first = imports.completed("customers", ids=[one["id"] for one in everything[:10]])
    assert first["sent"] == 10
    rest = imports.completed("customers", startId=everything[10]["id"])
    assert rest["cursor"] == everything[-1]["id"]
    imports.assert_right("customers")
