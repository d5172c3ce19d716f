"""Dead letters in custom objects: what the contract of all stores does not say (decisions.md 15)."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest
from fake_commercetools import Clock, FakeProject

from shared.budget import budget_of
from shared.commercetools import custom_objects
from shared.commercetools.client import CommercetoolsClient, open_commercetools
from shared.commercetools.dead_letters import CONTAINER, LOOK_EVERY, CustomObjectDeadLetters
from shared.commercetools.verdict import Forbidden
from shared.dead_letters import DeadLetter
from shared.errors import AuthError, HostDown

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FORBIDDEN = {"kind": "status", "status": 403, "path": "/sandbox/custom-objects"}


def letter(number: int, reason: str = "invalid") -> DeadLetter:
    at = NOW + timedelta(seconds=number)
    return DeadLetter(letter_id=f"n{number:03}", at=at, source="realtime_event", reason=reason, resource_id="c-1")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    command = [sys.executable, "-m", "sandbox.commercetools", "--port", "0", "--customers", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().removeprefix("listening on ").strip()
        process.terminate()


@pytest.fixture
def sandbox(url: str) -> Iterator[httpx.Client]:
    """The simulator's own controls, all faults and objects forgotten."""
    with httpx.Client(base_url=f"{url}/_sandbox", timeout=60, trust_env=False) as control:
        control.delete("/faults").raise_for_status()
        control.post("/reset").raise_for_status()
        yield control


@pytest.fixture
def client(url: str, sandbox: httpx.Client) -> Iterator[CommercetoolsClient]:
    client = open_commercetools(
        api_url=url, auth_url=url, project_id="sandbox", client_id="sandbox-client", secret="sandbox-secret"
    )
    yield client
    client.close()


def fails(sandbox: httpx.Client, *rules: dict[str, Any]) -> None:
    sandbox.post("/faults", json=list(rules)).raise_for_status()


def asked(sandbox: httpx.Client) -> dict[str, int]:
    """How often each method was used on each kind of path."""
    entries = sandbox.get("/requests").json()["requests"]
    return {f"{entry['method']} {entry['endpoint']}": entry["count"] for entry in entries if "custom" in entry["endpoint"]}


def count(client: CommercetoolsClient) -> int:
    return custom_objects.oldest(client, CONTAINER, 1, budget=budget_of(60)).total


def test_a_letter_is_one_object_that_holds_pointers_only(client: CommercetoolsClient) -> None:
    """Its key is the letter's id, its value the letter."""
    CustomObjectDeadLetters(client).add(letter(1), budget_of(60))
    found = custom_objects.get(client, "klaviyo-sync-dead-letters", "n001", budget=budget_of(60))
    assert found is not None
    assert found.value == msgspec.to_builtins(letter(1))


def test_without_the_scope_adding_and_listing_are_forbidden(client: CommercetoolsClient, sandbox: httpx.Client) -> None:
    """The pointer then goes to the log (decisions.md 4); reading a single one, or dropping it, is for a person to mend."""
    letters = CustomObjectDeadLetters(client)
    fails(sandbox, FORBIDDEN)
    with pytest.raises(Forbidden):
        letters.add(letter(1), budget_of(60))
    with pytest.raises(Forbidden):
        letters.newest(budget_of(60))
    with pytest.raises(AuthError):
        letters.get("n001", budget_of(60))
    with pytest.raises(AuthError):
        letters.drop("n001", budget_of(60))


def test_without_the_scope_to_read_a_letter_that_may_be_there_adding_is_forbidden(
    client: CommercetoolsClient, sandbox: httpx.Client
) -> None:
    """The answer to the write leaves open whether it is stored."""
    letters = CustomObjectDeadLetters(client)
    letters.add(letter(1), budget_of(60))
    fails(sandbox, {**FORBIDDEN, "method": "GET"})
    with pytest.raises(Forbidden):
        letters.add(letter(1), budget_of(60))


def test_a_store_that_does_not_answer_is_transient(client: CommercetoolsClient, sandbox: httpx.Client) -> None:
    """The message comes again."""
    fails(sandbox, {"kind": "status", "status": 503})
    with pytest.raises(HostDown):
        CustomObjectDeadLetters(client).add(letter(1), Clock().budget(1.0))


def test_a_write_that_hangs_leaves_time_for_another(client: CommercetoolsClient, sandbox: httpx.Client) -> None:
    """Within the time of one message."""
    fails(sandbox, {"kind": "hang", "seconds": 20, "method": "POST", "path": "/sandbox/custom-objects", "first": 1})
    CustomObjectDeadLetters(client).add(letter(1), budget_of(8.5))
    assert count(client) == 1


def test_a_letter_whose_first_answer_was_lost_is_stored_once(client: CommercetoolsClient, sandbox: httpx.Client) -> None:
    """The second write finds the first."""
    letters = CustomObjectDeadLetters(client)
    fails(sandbox, {"kind": "lost", "method": "POST", "path": "/sandbox/custom-objects", "first": 1})
    letters.add(letter(1), budget_of(60))
    assert letters.newest(budget_of(60)) == [letter(1)]


def test_where_a_new_object_must_have_no_version_the_first_letter_still_wins() -> None:
    """Both readings of what is not documented (commercetools.md 8)."""
    project = FakeProject(Clock())
    project.create_with_version = False
    letters, budget = CustomObjectDeadLetters(project.client()), project.clock.budget()
    letters.add(letter(1, "first"), budget)
    letters.add(letter(1, "second"), budget)
    assert letters.get("n001", budget) == letter(1, "first")


def test_the_number_of_letters_is_looked_at_once_in_a_while(client: CommercetoolsClient, sandbox: httpx.Client) -> None:
    """After the first letter of a process, and after so many more."""
    letters = CustomObjectDeadLetters(client)
    for number in range(2 * LOOK_EVERY):
        letters.add(letter(number), budget_of(60))
    assert asked(sandbox) == {"POST custom-objects": 20, "GET custom-objects/{container}": 2}


def test_the_bound_holds_for_processes_that_add_at_once(client: CommercetoolsClient) -> None:
    """Though each of them looks only once in a while; the newest letters are there."""
    processes = [CustomObjectDeadLetters(client, most=120) for _ in range(10)]
    for number in range(200):
        processes[number % 10].add(letter(number), budget_of(60))
        if number % 7 == 0:
            assert count(client) <= 120
    kept = processes[0].newest(budget_of(60))
    assert [one.letter_id for one in kept] == [f"n{number:03}" for number in reversed(range(200 - len(kept), 200))]
    assert len(kept) >= 30


def test_a_letter_is_stored_also_when_the_oldest_cannot_be_deleted(client: CommercetoolsClient, sandbox: httpx.Client) -> None:
    """Another one will look again; the time for it is short."""
    fails(
        sandbox,
        {"kind": "hang", "seconds": 20, "endpoint": "custom-objects/{container}", "first": 1},
        {**FORBIDDEN, "method": "DELETE"},
    )
    letters = CustomObjectDeadLetters(client, most=1, look_every=1)
    began = time.monotonic()
    letters.add(letter(1), budget_of(30))
    assert time.monotonic() - began < 15  # the hang takes 20, our patience 2
    letters.add(letter(2), budget_of(30))
    assert count(client) == 2
    fails(sandbox)
    letters.add(letter(3), budget_of(30))
    assert letters.newest(budget_of(60)) == [letter(3)]


def test_many_letters_are_listed_over_all_pages_and_what_is_no_letter_is_not(client: CommercetoolsClient) -> None:
    """Somebody else may have put something there."""
    letters = CustomObjectDeadLetters(client)
    custom_objects.put(client, CONTAINER, "foreign", {"hello": 1}, budget=budget_of(60))
    for number in range(505):
        custom_objects.put(client, CONTAINER, letter(number).letter_id, letter(number), budget=budget_of(60))
    assert letters.get("foreign", budget_of(60)) is None
    found = letters.newest(budget_of(60), 1_000)
    assert [one.letter_id for one in found] == [f"n{number:03}" for number in reversed(range(505))]
