"""What nobody can handle: set aside by the functions, or given up by Pub/Sub, and in both cases brought through by a person."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from google_emulators import IN_ONE_PROCESS

from sandbox.cloud_functions import CloudFunction
from sandbox.emulators import Emulators
from sandbox.google_cloud import Layout
from sandbox.google_topics import Terms
from sandbox.launch import HTTP, Sandbox
from shared.bulk.messages import PlanMessage, WorkMessage
from shared.bulk.work import ATTEMPTS_USED_UP, MOST_ATTEMPTS
from shared.google.names import Stream
from tests.emulators.google_world import FINISHED, SIZES, World, control, world_of

pytestmark = IN_ONE_PROCESS

ATTEMPTS = 5
"""Fewer than that Pub/Sub does not take."""
MALFORMED = "not.an.email@example"
STANDSTILL_S = 10.0


@pytest.fixture(scope="module")
def module_world(google: Emulators, cloud_simulators: Sandbox) -> Iterator[World]:
    """One cloud whose messages are given up after five deliveries."""
    terms = Terms(ack_deadline_s=60, first_backoff_s=0.5, longest_backoff_s=1.0, attempts=ATTEMPTS)
    with world_of(google, cloud_simulators, Layout(terms=terms)) as made:
        yield made


@pytest.fixture
def world(module_world: World) -> World:
    """That cloud, between simulators as they were at their start."""
    module_world.reset()
    return module_world


def test_what_is_refused_and_what_kills_is_kept_and_can_be_replayed(world: World) -> None:
    """Poison stands in commercetools' custom objects; the holding subscription has the one message over which realtime died
    each time. `dead-letters` lists both; once what was wrong is mended, `replay` brings both through."""
    with world.shop() as shop:
        refused = shop.create_customer(email=MALFORMED)
        fatal = shop.create_customer(email="fatal@example.com")
        harmless = [shop.create_customer(email=f"harmless.{number}@example.com") for number in range(5)]
        fatal = shop.change_customer(fatal.resource["id"], firstName="Fatal")
        fatal_id, refused_id = fatal.resource["id"], refused.resource["id"]
        control(world.commercetools, "faults", [_standstill(path=f"/sandbox/customers/{fatal_id}")])
        world.cloud.topics.publish(Stream.EVENTS, b"no JSON")
        (fatal_notification,) = world.tell(fatal)
        world.tell(refused, *harmless)

        def is_given_up() -> bool:
            # Others may be under way at a kill, and come again.
            return world.cloud.pushed.statuses.count(503) >= ATTEMPTS and bool(world.cloud.topics.held(Stream.EVENTS))

        died = _killed_over_and_over(world.cloud.realtime, world.commercetools, is_given_up)
        assert died == ATTEMPTS
        world.until(lambda: all(world.profile(act.resource["id"]) for act in harmless), "what is harmless was lost")
        (held,) = world.cloud.topics.held(Stream.EVENTS)
        assert (json.loads(held.body), held.deliveries) == (fatal_notification, ATTEMPTS)

        listed = json.loads(_cli(world, "list", "--json"))
        assert listed["notReadable"] == []
        assert {letter["reason"]: letter["resourceId"] for letter in listed["deadLetters"]} == {
            "deliveries_used_up": fatal_id,
            "invalid": refused_id,
            "not_a_json_object": None,
        }
        assert len(listed["deadLetters"]) == 3
        control(world.commercetools, "faults", [])
        shop.project.change("customers", refused_id, {"email": "mended@example.com"})
        _cli(world, "replay", "--all")
        world.until(lambda: world.profile(fatal_id) and world.profile(refused_id), "not brought through")
        assert world.cloud.topics.held(Stream.EVENTS) == []


def test_a_batch_over_which_the_worker_dies_each_time_fails_after_eight_attempts(world: World) -> None:
    """Its message is given up by Pub/Sub, and the worker told at `/dead`: it is queued anew, and recorded as failed when its
    attempts are used up; the run ends, and nothing else was given up."""
    with world.shop() as shop:
        orders = [row["id"] for row in shop.project.page("orders", limit="20") if "customerId" in row][:3]
    control(world.klaviyo, "faults", [_standstill(endpoint="POST /api/event-bulk-create-jobs")])
    run_id = world.start("orders", ids=orders)
    died = _killed_over_and_over(
        world.cloud.worker,
        world.klaviyo,
        is_over=lambda: world.status("orders")["status"] in FINISHED,
        meanwhile=lambda: world.leases_run_out(run_id),
    )
    assert died == MOST_ATTEMPTS
    status = world.finished("orders", run_id)
    assert (status["status"], status["failedReasons"]) == ("completed_with_errors", {ATTEMPTS_USED_UP: len(orders)})
    (held,) = world.cloud.topics.held(Stream.WORK)
    message = msgspec.json.decode(held.body, type=WorkMessage)
    assert (message.run_id, held.deliveries) == (run_id, ATTEMPTS)
    assert [answer.status for answer in world.cloud.given_up.answers] == [204]
    assert world.cloud.topics.held(Stream.PLAN) == []
    control(world.klaviyo, "faults", [])
    retried = HTTP.post(f"{world.cloud.dispatch.url()}/runs/{run_id}/retry")
    assert retried.status_code == 202, retried.text
    again = world.finished("orders", retried.json()["runId"])
    assert (again["status"], again["seen"]) == ("completed", len(orders))


def test_planning_goes_on_after_an_outage_that_has_used_up_all_deliveries(world: World) -> None:
    """Pub/Sub gives the plan's message up, and the dispatcher gets it all the same, until commercetools is back; nobody does
    anything for it. The copy that is held is for a person to see."""
    # From the start's own count on; and for so long that nobody waits for it in vain.
    away = {"kind": "status", "path": "/sandbox/graphql", "status": 503, "retry_after": "3600", "skip": 1}
    control(world.commercetools, "faults", [away])
    run_id = world.start("categories")
    ranges = len(world.store.ranges(run_id))
    given_up = world.cloud.given_up_plans.answers
    world.until(lambda: len(given_up) >= ranges, "no plan was given up", 60.0)
    assert {answer.status for answer in given_up} == {503}
    control(world.commercetools, "faults", [])
    status = world.finished("categories", run_id)
    assert (status["status"], status["seen"]) == ("completed", SIZES["categories"])
    held = [msgspec.json.decode(one.body, type=PlanMessage) for one in world.cloud.topics.held(Stream.PLAN, stays=False)]
    assert {message.run_id for message in held} == {run_id}


def _standstill(**where: str) -> dict[str, Any]:
    return {"kind": "hang", "seconds": STANDSTILL_S, **where}


def _killed_over_and_over(
    function: CloudFunction, url: str, is_over: Callable[[], bool], meanwhile: Callable[[], object] = lambda: None
) -> int:
    """SIGKILL to a function whenever the fault in force at the simulator `url` meets it, until it is over; how often."""
    kills = 0
    deadline = time.monotonic() + 150.0
    while not is_over():
        assert time.monotonic() < deadline, f"{kills} kills, and it goes on"
        if HTTP.get(f"{url}/_sandbox/faults").json()[0]["hit"] > kills:
            function.kill(before_it_returns=meanwhile)
            kills += 1
        time.sleep(0.05)
    return kills


def _cli(world: World, *arguments: str) -> str:
    command = [sys.executable, "-m", "shared.cli", "dead-letters", *arguments]
    done = subprocess.run(command, env=dict(world.cloud.environment), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
