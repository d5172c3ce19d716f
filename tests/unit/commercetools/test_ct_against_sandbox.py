"""The client against the simulated commercetools, over real connections on loopback."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from shared.budget import budget_of
from shared.commercetools.client import CommercetoolsClient, open_commercetools
from shared.commercetools.kinds import CUSTOMERS
from shared.commercetools.lock import Held, ImportLock, Taken
from shared.commercetools.predicates import Filter, ModifiedCursor
from shared.commercetools.resources import Customer
from shared.commercetools.scan import by_ids, count, id_page, pages
from shared.errors import AuthError
from shared.outcomes import PathKind

SIZE = 1300
FIRST, LAST = "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    command = [sys.executable, "-m", "sandbox.commercetools", "--port", "0", "--customers", str(SIZE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().removeprefix("listening on ").strip()
        process.terminate()


@pytest.fixture
def sandbox(url: str) -> Iterator[httpx.Client]:
    """The simulator's own controls, all faults and changes forgotten."""
    with httpx.Client(base_url=f"{url}/_sandbox", timeout=60, trust_env=False) as control:
        control.delete("/faults").raise_for_status()
        control.post("/reset").raise_for_status()
        yield control


def _open(url: str, secret: str = "sandbox-secret") -> CommercetoolsClient:
    return open_commercetools(api_url=url, auth_url=url, project_id="sandbox", client_id="sandbox-client", secret=secret)


@pytest.fixture
def client(url: str, sandbox: httpx.Client) -> Iterator[CommercetoolsClient]:
    client = _open(url)
    yield client
    client.close()


def _rows(sandbox: httpx.Client) -> list[dict[str, Any]]:
    return [json.loads(line) for line in sandbox.get("/customers", params={"whole": "true"}).text.splitlines()]


def _all(client: CommercetoolsClient, wanted: Filter = Filter()) -> list[Customer]:  # noqa: B008 - frozen
    rows = [row for page in pages(client, CUSTOMERS, wanted, FIRST, LAST, budget=budget_of(60)) for row in page]
    assert all(isinstance(row, Customer) for row in rows)
    return [row for row in rows if isinstance(row, Customer)]


def test_ids_and_resources_of_a_scan_are_those_of_the_project(client: CommercetoolsClient, sandbox: httpx.Client) -> None:
    """Plan and work see every customer once, in id order, and the exact total."""
    expected = [row["id"] for row in _rows(sandbox)]
    ids: list[str] = []
    while len(page := id_page(client, CUSTOMERS, Filter(), ids[-1] if ids else None, budget=budget_of(60))) == 500:
        ids += page
    assert ids + page == expected
    assert [row.id for row in _all(client)] == expected
    assert count(client, CUSTOMERS, Filter(), budget=budget_of(60)) == SIZE
    assert any(row.customerGroup and row.customerGroup.obj for row in _all(client))


def test_predicates_of_both_kinds_select_the_same_rows(client: CommercetoolsClient, sandbox: httpx.Client) -> None:
    """Half-open dates and bounds of ids, as input variables over REST and as literals over GraphQL."""
    rows = _rows(sandbox)
    middle = sorted(row["createdAt"] for row in rows)[SIZE // 2]
    wanted = Filter(created_after=middle, id_before="80000000-0000-0000-0000-000000000000")
    expected = [row["id"] for row in rows if row["createdAt"] >= middle and row["id"] < "8"]
    assert 0 < len(expected) < SIZE
    assert [row.id for row in _all(client, wanted)] == expected
    assert id_page(client, CUSTOMERS, wanted, None, SIZE, budget=budget_of(60)) == expected
    assert count(client, CUSTOMERS, wanted, budget=budget_of(60)) == len(expected)


def test_a_scan_by_time_reads_every_row_once(client: CommercetoolsClient, sandbox: httpx.Client) -> None:
    """The compound cursor, with the sort order that belongs to it."""
    seen: list[tuple[str, str]] = []
    while True:
        wanted = Filter(behind=ModifiedCursor(*seen[-1]) if seen else None)
        order = [("sort", "lastModifiedAt asc"), ("sort", "id asc"), ("limit", "400"), ("withTotal", "false")]
        body = client.get("customers", [*wanted.rest_params(), *order], budget=budget_of(60), kind=PathKind.COLLECTION)
        page = [(row["lastModifiedAt"], row["id"]) for row in json.loads(body)["results"]]
        seen += page
        if len(page) < 400:
            break
    assert seen == sorted((row["lastModifiedAt"], row["id"]) for row in _rows(sandbox))


def test_listed_ids_are_read_whatever_their_number(client: CommercetoolsClient, sandbox: httpx.Client) -> None:
    """One, and more than a hundred; an id that does not exist is not there."""
    ids = [row["id"] for row in _rows(sandbox)][:250]
    assert [row.id for page in by_ids(client, CUSTOMERS, [*ids, LAST], budget=budget_of(60)) for row in page] == ids
    assert [row.id for page in by_ids(client, CUSTOMERS, ids[:1], budget=budget_of(60)) for row in page] == ids[:1]


def test_a_scan_survives_refusals_broken_answers_and_a_revoked_token(client: CommercetoolsClient, sandbox: httpx.Client) -> None:
    """Each fault costs a retry, none a row."""
    rules = [
        {"kind": "status", "path": "/sandbox/customers", "status": 503, "first": 1},
        {"kind": "status", "path": "/sandbox/customers", "status": 429, "retry_after": "0", "first": 1, "skip": 1},
        {"kind": "truncate", "path": "/sandbox/customers", "first": 1, "skip": 1},
        {"kind": "reset", "path": "/sandbox/customers", "first": 1, "skip": 2},
    ]
    sandbox.post("/faults", json=rules).raise_for_status()
    read = []
    for page in pages(client, CUSTOMERS, Filter(), FIRST, LAST, budget=budget_of(60)):
        if not read:
            sandbox.post("/tokens/revoke").raise_for_status()
        read += [row.id for row in page]
    assert read == [row["id"] for row in _rows(sandbox)]
    assert [rule["hit"] for rule in sandbox.get("/faults").json()] == [1, 1, 1, 1]


def test_wrong_credentials_are_a_matter_for_a_person(url: str) -> None:
    """At the first call."""
    client = _open(url, "wrong")
    with pytest.raises(AuthError, match="CT_API_CLIENT"):
        client.get("customers", budget=budget_of(10), kind=PathKind.COLLECTION)
    client.close()


def test_of_many_that_take_the_import_lock_at_once_one_wins(client: CommercetoolsClient) -> None:
    """And the lock is good by the host's clock."""
    together = threading.Barrier(20)

    def take(number: int) -> Taken | Held:
        together.wait()
        return ImportLock(client).take("customers", f"run-{number}", 600, budget_of(60))

    with ThreadPoolExecutor(20) as pool:
        results = list(pool.map(take, range(20)))
    (winner,) = (number for number, result in enumerate(results) if isinstance(result, Taken))
    lock = ImportLock(client)
    held = lock.read("customers", budget_of(10))
    assert isinstance(held, Held)
    assert held.expires is not None
    assert held.run_id == f"run-{winner}"
    assert abs((datetime.fromisoformat(held.expires) - datetime.now(UTC)).total_seconds() - 600) < 60
    lock.renew("customers", f"run-{winner}", 600, budget_of(10))
    lock.release("customers", f"run-{winner}", budget_of(10))
    assert lock.read("customers", budget_of(10)) is None
