"""Killed functions and doubled messages: nothing is lost or sent twice (flows.md "What may crash where, and what then")."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping

import httpx
import pytest
from google_emulators import IN_ONE_PROCESS

from sandbox.checker_ledger import read_ledger
from sandbox.emulators import Emulators
from sandbox.google_cloud import Layout
from sandbox.launch import Sandbox
from shared.bulk.records import BatchStatus, Kind, child_id
from tests.emulators.google_world import FINISHED, KINDS, SHORT, World, control, world_of

pytestmark = IN_ONE_PROCESS

BatchName = tuple[str, str]
"""Of a run and, within it, of a batch."""

KILLED: tuple[Mapping[Kind, int], ...] = ({Kind.PRODUCTS: 1, Kind.ORDERS: 2}, {Kind.CATEGORIES: 1, Kind.CUSTOMERS: 2})
"""How many kills meet which kinds, in each of two imports: of the others nothing is to be written again."""
VICTIMS = ("worker", "dispatcher", "worker")
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
    """SIGKILL again and again at random moments, to the worker or a dispatcher, while these kinds are worked on: all kinds end,
    all is there, once, and only the batches that a kill cut off have been worked again."""
    rng, victims = random.Random(17), itertools.cycle(VICTIMS)  # moments and victims are the same in every run
    for times in KILLED:
        left = Counter(times)
        while left.total():
            world.reset()
            control(world.klaviyo, "faults", [SLOW_EVENTS])
            run_id = world.start("all")
            cut_off: set[BatchName] = set()
            while left.total() and (worked := _worked(world, run_id, +left)):
                time.sleep(rng.uniform(0.0, LONGEST_S))
                cut_off.update(_kill(world, run_id, next(victims)))
                left[worked] -= 1
            status = world.finished("all", run_id, 90.0)
            assert status["status"] in {"completed", "completed_with_errors"}, status
            _assert_whole(world, run_id, cut_off)
    delivered = Counter(answer.message_id for answer in world.cloud.batches.answers)
    assert max(delivered.values()) > 1, "nothing was delivered twice"


def _assert_whole(world: World, run_id: str, cut_off: Collection[BatchName]) -> None:
    """All of an import of everything is there, once."""
    checks, account, spared = world.checks(), read_ledger(world.klaviyo), 0
    for kind in KINDS:
        batches = world.store.batches(child_id(run_id, Kind(kind)), tuple(BatchStatus))
        met = [batch for batch in batches if (batch.run_id, batch.batch_id) in cut_off]
        unmet = [batch for batch in batches if batch not in met]
        assert checks[kind].differs_from(world.status(kind)) == []
        assert checks[kind].redone(account, sum(batch.size for batch in met)) == []
        again = checks[kind].rewritten(account)
        assert [item for item in again if any(batch.first <= item <= batch.last for batch in unmet)] == []
        spared += sum(batch.size for batch in unmet)
    assert spared > 0, "a kill met every batch, so all might have been written twice"


def _worked(world: World, run_id: str, kinds: Collection[Kind]) -> Kind | None:
    """One of these kinds, once somebody works on a batch of it; None when the import has ended before."""
    found: list[Kind] = []

    def works() -> bool:
        found.extend(kind for kind in kinds if world.store.batches(child_id(run_id, kind), [BatchStatus.WORKING]))
        run = world.store.run(run_id)
        return bool(found) or (run is not None and run.status in FINISHED)

    world.until(works, "nobody works on the import", 40.0)
    return found[0] if found else None


def _kill(world: World, run_id: str, victim: str) -> set[BatchName]:
    """SIGKILL; the batches that it cut off: those of the worker, since a dispatcher works on none."""
    cut_off: set[BatchName] = set()

    def note() -> None:
        cut_off.update((batch.run_id, batch.batch_id) for batch in world.leases_run_out(run_id))

    if victim == "worker":
        world.cloud.worker.kill(before_it_returns=note)
    else:
        world.cloud.dispatch.kill()
    return cut_off


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
            gate.wait(90.0)
            answers.append(client.post(f"{url}/sync/orders"))

    threads = [threading.Thread(target=start, args=(url,)) for url in urls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90.0)
    assert len(answers) == len(urls)
    return answers
