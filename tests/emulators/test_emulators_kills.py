"""Killed functions and doubled messages: nothing is lost or sent twice (flows.md "What may crash where, and what then")."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest
from google_emulators import IN_ONE_PROCESS

from sandbox.checker_ledger import read_ledger
from sandbox.emulators import Emulators
from sandbox.google_cloud import Layout
from sandbox.launch import Sandbox
from shared.bulk.records import BatchStatus, Kind
from tests.emulators.google_world import FINISHED, KINDS, SHORT, World, control, world_of

pytestmark = IN_ONE_PROCESS

KILLS = 6
LONGEST_S = 0.6
STARTS = 50
SLOW_EVENTS = {"kind": "delay", "endpoint": "POST /api/event-bulk-create-jobs", "seconds": 0.4}
"""Events have no jobs that take a while."""
SLOW_ORDERS = {"kind": "delay", "path": "/sandbox/orders", "seconds": 0.5}


@pytest.fixture(scope="module")
def module_world(google: Emulators, cloud_simulators: Sandbox) -> Iterator[World]:
    """Two dispatchers and a worker; half of all plans and batches are delivered twice at once, as CloudEvents."""
    layout = Layout(terms=SHORT, dispatchers=2, twice=0.5, envelope="eventarc-binary")
    with world_of(google, cloud_simulators, layout) as made:
        yield made


@pytest.fixture
def world(module_world: World) -> World:
    """That cloud, between simulators as they were at their start."""
    module_world.reset()
    return module_world


def test_an_import_that_is_killed_and_told_twice_is_complete(world: World) -> None:
    """SIGKILL at six random moments or more, to the worker or a dispatcher: all kinds end, all is there, once."""
    rng = random.Random(17)  # moments and victims are the same in every run
    control(world.klaviyo, "faults", [SLOW_EVENTS])
    kills: Counter[str] = Counter()
    while kills.total() < KILLS:
        run_id = world.start("all")
        while kills.total() < KILLS and _is_worked(world, run_id):
            time.sleep(rng.uniform(0.0, LONGEST_S))
            kills[_kill(world, run_id, rng)] += 1
        status = world.finished("all", run_id, 90.0)
        assert status["status"] in {"completed", "completed_with_errors"}, status
    assert kills["worker"] >= 2
    assert kills["dispatcher"] >= 1
    checks, account = world.checks(), read_ledger(world.klaviyo)
    for kind in KINDS:
        assert checks[kind].differs_from(world.status(kind)) == []
        assert checks[kind].redone(account, kills["worker"]) == []
    delivered = Counter(answer.message_id for answer in world.cloud.batches.answers)
    assert max(delivered.values()) > 1, "nothing was delivered twice"


def _is_worked(world: World, run_id: str) -> bool:
    """Once somebody works on a batch; False when the import has ended before."""
    ended = False

    def works() -> bool:
        nonlocal ended
        run = world.store.run(run_id)
        ended = run is not None and run.status in FINISHED
        return ended or bool(world.batches(run_id, BatchStatus.WORKING))

    world.until(works, "nobody works on the import", 40.0)
    return not ended


def _kill(world: World, run_id: str, rng: random.Random) -> str:
    if rng.random() < 0.3:
        world.cloud.dispatch.kill(rng.randrange(2))
        return "dispatcher"
    world.cloud.worker.kill(before_it_returns=lambda: world.leases_run_out(run_id))
    return "worker"


def test_of_fifty_starts_at_once_at_two_dispatchers_one_is_accepted(world: World) -> None:
    """Exactly one 202, all others are 423 and name its run; there is one run more than before."""
    control(world.commercetools, "faults", [SLOW_ORDERS])
    before = {run.run_id for run in world.store.runs(Kind.ORDERS)}
    answers = _starts_at_once([world.cloud.dispatch.url() for _ in range(STARTS)])
    assert Counter(answer.status_code for answer in answers) == {202: 1, 423: STARTS - 1}
    (run_id,) = [answer.json()["runId"] for answer in answers if answer.status_code == 202]
    assert {answer.json()["runId"] for answer in answers} == {run_id}
    assert {run.run_id for run in world.store.runs(Kind.ORDERS)} - before == {run_id}
    control(world.commercetools, "faults", [])
    assert world.finished("orders", run_id)["status"] in {"completed", "completed_with_errors"}


def _starts_at_once(urls: list[str]) -> list[httpx.Response]:
    gate = threading.Barrier(len(urls))
    answers: list[httpx.Response] = []

    def start(url: str) -> None:
        with httpx.Client(trust_env=False, timeout=90.0, verify=False) as client:
            gate.wait(20.0)
            answers.append(client.post(f"{url}/sync/orders"))

    threads = [threading.Thread(target=start, args=(url,)) for url in urls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90.0)
    assert len(answers) == len(urls)
    return answers
