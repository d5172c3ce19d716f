"""One import at a time, whoever starts it, and a stop after which nothing is sent (http-api.md, decisions.md 11)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from standstill import measured

from sandbox.launch import Sandbox
from shared.local.listening import free_port
from tests.e2e.conftest import CUSTOMERS, FINISHED, HTTP, Product, control
from tests.e2e.fault_fixtures import hold, inject, is_held

STOP_WITHIN_S = 10.0
SLOW_JOBS_S = 20.0
JOBS_S = 0.5


def _at_once(urls: Sequence[str]) -> list[httpx.Response]:
    """A start of everything at each of these servers, all in the same moment."""
    gate = threading.Barrier(len(urls))
    answers: list[httpx.Response] = []

    def start(client: httpx.Client) -> None:
        gate.wait(90.0)
        answers.append(client.post("/sync/customers", json={"dryRun": True}))

    alone = httpx.Limits(max_keepalive_connections=0)
    clients = [httpx.Client(base_url=url, timeout=90.0, verify=False, trust_env=False, limits=alone) for url in urls]
    threads = [threading.Thread(target=start, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90.0)
    for client in clients:
        client.close()
    assert len(answers) == len(urls)
    return answers


def _one_won(answers: Sequence[httpx.Response], began: datetime) -> str:
    """Exactly one 202; all others are 423 that name its run, and since when. Returns the run's id."""
    (won,) = [answer.json() for answer in answers if answer.status_code == 202]
    lost = [answer for answer in answers if answer.status_code != 202]
    assert {answer.status_code for answer in lost} == {423}
    for answer in lost:
        assert (answer.json()["error"], answer.json()["runId"]) == ("locked", won["runId"])
        assert began - timedelta(seconds=2) <= datetime.fromisoformat(answer.json()["since"]) <= datetime.now(UTC)
    return str(won["runId"])


def _no_customers_yet(servers: Sandbox) -> None:
    """Reading customers waits for `_end`, so that a run is under way while the starts are answered."""
    hold(servers.commercetools.url, path="/sandbox/customers")


def _end(product: Product) -> None:
    """End what runs."""
    product.post("/sync/customers/stop")
    inject(product.servers.commercetools.url)
    product.wait(lambda status: status["status"] in FINISHED, 120.0)


def test_of_starts_at_once_on_one_server_exactly_one_is_accepted(product: Product) -> None:
    """Case 78: two, five times over, then twenty at once, each time over a run that was stopped just before."""
    product.start()
    for _ in range(5):
        _no_customers_yet(product.servers)
        began = datetime.now(UTC)
        run_id = _one_won(_at_once([product.url] * 2), began)
        assert product.status()["runId"] == run_id
        _end(product)
    _no_customers_yet(product.servers)
    began = datetime.now(UTC)
    run_id = _one_won(_at_once([product.url] * 20), began)
    _end(product)
    runs = HTTP.get(f"{product.url}/runs", timeout=30.0).json()["runs"]
    assert len(runs) == 6
    assert runs[0]["runId"] == run_id
    assert {run["status"] for run in runs[1:]} == {"stopped"}


def test_of_starts_at_once_on_two_servers_of_one_project_exactly_one_is_accepted(product: Product, tmp_path: Path) -> None:
    """Case 78: they share nothing but the commercetools project; when the one is done, the other may."""
    other = Product(product.servers, product.servers.environment(tmp_path / "other.sqlite3", free_port()))
    try:
        product.start()
        other.start()
        for _ in range(2):
            _no_customers_yet(product.servers)
            began = datetime.now(UTC)
            answers = _at_once([product.url, other.url] * 2)
            run_id = _one_won(answers, began)
            winner, loser = (product, other) if _knows(product, run_id) else (other, product)
            assert _knows(winner, run_id)
            assert not _knows(loser, run_id)
            _end(winner)
        assert loser.post("/sync/customers", {"createdAfter": "2100-01-01T00:00:00Z"}).status_code == 202
        assert loser.wait_finished(30.0)["status"] == "completed"
    finally:
        for process in other.processes:
            process.stop()


def _knows(product: Product, run_id: str) -> bool:
    return HTTP.get(f"{product.url}/runs/{run_id}", timeout=30.0).status_code == 200


@pytest.fixture
def slow_jobs(servers: Sandbox) -> Iterator[None]:
    """Klaviyo takes long over its jobs, until the test sets it right."""
    control(servers.klaviyo.url, "settings", {"job_base_s": SLOW_JOBS_S})
    yield
    control(servers.klaviyo.url, "settings", {"job_base_s": JOBS_S})


def _ledger(product: Product) -> list[dict[str, Any]]:
    answer = HTTP.get(f"{product.servers.klaviyo.url}/_sandbox/ledger", timeout=30.0)
    entries: list[dict[str, Any]] = answer.json()
    return entries


def _stopped(product: Product) -> dict[str, Any]:
    """Stop, and see that it takes effect in time."""
    with measured() as took:
        assert product.post("/sync/customers/stop").status_code == 200
        status = product.wait(lambda status: status["status"] not in {"running", "accepted", "stopping"}, 120.0)
    assert took.moving_s < STOP_WITHIN_S, took
    assert status["status"] == "stopped", status
    return status


def _nothing_is_sent(product: Product) -> None:
    """Klaviyo hears nothing more, not even a question after its jobs."""
    before = _ledger(product)
    time.sleep(1.5)
    assert _ledger(product) == before


def _completed_by_resume(product: Product, run_id: str) -> None:
    """`resume` finishes the rest, and the checker finds every customer, once."""
    resumed = product.post(f"/runs/{run_id}/resume")
    assert (resumed.status_code, resumed.json()["runId"]) == (202, run_id)
    status = product.wait_finished()
    check = product.check()
    assert (status["status"], status["seen"], status["failed"]) == ("completed", CUSTOMERS, 0), status
    assert status["seen"] == status["sent"] + status["skipped"]
    assert (check.problems, check.missing, check.merged) == ([], frozenset(), status["skipped"])
    assert set(check.changes) == {1}, "what was sent before the stop must not change again"


def test_a_stop_while_jobs_are_pending_takes_effect_and_resume_finishes_the_rest(product: Product, slow_jobs: None) -> None:
    """Nobody waits for Klaviyo's jobs: their rows are sent again after `resume`, and change nothing."""
    product.start()
    assert product.post("/sync/customers").status_code == 202
    deadline = time.monotonic() + 120.0
    while not any(entry["method"] == "POST" and entry["status"] == 202 for entry in _ledger(product)):
        assert time.monotonic() < deadline, "no job was started"
        time.sleep(0.05)
    status = _stopped(product)
    assert status["batches"]["done"] < status["batches"]["planned"]
    _nothing_is_sent(product)
    control(product.servers.klaviyo.url, "settings", {"job_base_s": JOBS_S})
    _completed_by_resume(product, status["runId"])


def test_a_stop_early_in_a_run_takes_effect_and_resume_finishes_the_rest(product: Product) -> None:
    """While it is planned and its customers are read."""
    product.start()
    _no_customers_yet(product.servers)
    assert product.post("/sync/customers").status_code == 202
    product.wait(lambda _: is_held(product.servers.commercetools.url), 120.0)
    status = _stopped(product)
    _nothing_is_sent(product)
    control(product.servers.commercetools.url, "faults", [])
    _completed_by_resume(product, status["runId"])
