"""Starting an import: one at a time in the whole project, and nothing left behind by a start that fails (decisions.md 11)."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from shell_world import CUSTOMERS, RANGES, Thread, World

from shared.bulk.control import Locked
from shared.bulk.http import MOST_BODY_BYTES
from shared.bulk.http.api import answer
from shared.bulk.messages import PlanMessage
from shared.bulk.ports import Topic
from shared.bulk.records import Kind, RunOptions, RunStatus
from shared.commercetools.lock import Held
from shared.errors import AuthError, HostDown
from shared.http import ApiRequest


def _lock_of(run_id: str, until: datetime) -> dict[str, str]:
    return {"owner": run_id, "since": "2026-01-01T00:00:00Z", "leaseUntil": until.isoformat(), "nonce": "another"}


def test_a_start_takes_the_lock_records_the_run_and_asks_for_a_plan_of_each_range(world: World) -> None:
    """flows.md "One import": lock, run record, one plan message for each range with which it begins."""
    run = world.start()
    lock = world.lock()
    assert isinstance(lock, Held)
    assert lock.run_id == run.run_id
    assert (run.status, run.total) == (RunStatus.ACCEPTED, CUSTOMERS)
    assert [found.run_id for found in world.store.runs(Kind.CUSTOMERS)] == [run.run_id]
    assert [part.closing for part in world.store.ranges(run.run_id)] == [False] * RANGES + [True]
    assert world.messages(Topic.PLAN) == [PlanMessage(run.run_id, run.fence, index) for index in range(RANGES)]
    assert world.messages(Topic.WORK) == []


def test_a_start_over_listed_ids_has_one_range_and_asks_commercetools_for_nothing_but_the_lock(world: World) -> None:
    """Listed ids are counted without a query."""
    world.commercetools_fails(kind="status", status=500, path="/sandbox/graphql")
    run = world.start(RunOptions(ids=world.ids(3)))
    assert (run.total, len(world.store.ranges(run.run_id))) == (3, 1)


def test_a_second_start_is_locked_and_names_the_run_that_is_under_way(world: World) -> None:
    """423 with `runId` and `since` (http-api.md)."""
    run = world.start()
    with pytest.raises(Locked) as locked:
        world.start()
    assert (locked.value.run_id, locked.value.since) == (run.run_id, run.started_at.isoformat())
    assert [found.run_id for found in world.store.runs(Kind.CUSTOMERS)] == [run.run_id]


def test_another_installation_of_the_same_project_is_locked_too(worlds: Callable[[str], World]) -> None:
    """The lock stands in commercetools, so a state file of its own does not get around it."""
    here, elsewhere = worlds("here"), worlds("elsewhere")
    run = here.start()
    with pytest.raises(Locked) as locked:
        elsewhere.start()
    held = here.lock()
    assert isinstance(held, Held)
    assert (locked.value.run_id, locked.value.since) == (run.run_id, held.since)
    assert elsewhere.store.runs() == []
    assert elsewhere.messages(Topic.PLAN) == []


def test_the_lock_of_the_older_product_is_respected_and_the_way_out_is_named(world: World) -> None:
    """A bare "1" has no lease: 423 that names the command which clears it."""
    world.put_lock("1")
    response = answer(world.app, ApiRequest("POST", "/sync/customers", {"host": "localhost"}))
    body = json.loads(response.body)
    assert (response.status, body["error"], body["runId"]) == (423, "locked", None)
    assert "ct-klaviyo unlock customers" in body["message"]
    assert datetime.fromisoformat(body["since"])
    lock = world.lock()
    assert isinstance(lock, Held)
    assert lock.foreign, "it must be left as it is"
    assert world.store.runs() == []


def test_a_lock_of_ours_whose_lease_is_over_is_taken_over(world: World) -> None:
    """A process that died with the lock, and with its state file, holds nobody up for longer than the lease."""
    world.put_lock(_lock_of("a-run-of-a-lost-state-file", datetime.now(UTC) - timedelta(seconds=5)))
    run = world.start()
    lock = world.lock()
    assert isinstance(lock, Held)
    assert (lock.run_id, lock.expired) == (run.run_id, False)


def test_a_lock_of_ours_whose_lease_lasts_is_not_taken_over(world: World) -> None:
    """The lease is what tells a slow process from a dead one."""
    world.put_lock(_lock_of("a-run-elsewhere", datetime.now(UTC) + timedelta(seconds=60)))
    with pytest.raises(Locked) as locked:
        world.start()
    assert (locked.value.run_id, locked.value.since) == ("a-run-elsewhere", "2026-01-01T00:00:00.000Z")


def test_what_a_stopped_run_left_in_the_queue_counts_for_nothing_beside_a_newer_one(world: World) -> None:
    """The newer run takes its place; the older one can be resumed afterwards (http-api.md abandons interrupted runs only)."""
    old = world.start()
    world.plan()
    assert world.stop().status is RunStatus.STOPPED
    new = world.start(RunOptions(ids=world.ids(3)))
    assert world.status(old.run_id) is RunStatus.STOPPED
    assert new.fence > old.fence
    world.plan()
    world.work()
    assert (world.status(old.run_id), world.status(new.run_id)) == (RunStatus.STOPPED, RunStatus.COMPLETED)
    assert (world.summary(old.run_id).result.seen, world.summary(new.run_id).result.sent) == (0, 3)


def test_a_start_over_an_interrupted_run_takes_the_lock_from_it_and_abandons_it(world: World) -> None:
    """Its lock has an unexpired lease by commercetools' clock, but its own record says that it is dead."""
    old = world.start()
    world.plan()
    world.clock.forward(121)
    new = world.start()
    lock = world.lock()
    assert isinstance(lock, Held)
    assert (world.status(old.run_id), lock.run_id) == (RunStatus.ABANDONED, new.run_id)


def test_a_run_is_not_interrupted_before_its_lease_is_over(world: World) -> None:
    """A run of which nothing was heard for less than its lease still blocks a start."""
    world.start()
    world.clock.forward(115)
    with pytest.raises(Locked):
        world.start()


@pytest.mark.parametrize("attempt", range(3))
def test_of_many_starts_over_an_interrupted_run_exactly_one_wins(world: World, attempt: int) -> None:
    """All of them find the same dead run and its lock; the others are told that they are locked out, and nothing else."""
    old = world.start()
    world.clock.forward(121)
    threads = [Thread(world.start) for _ in range(6)]
    errors = [thread.join() for thread in threads]
    assert errors.count(None) == 1
    assert {type(error) for error in errors if error} == {Locked}
    active = [run for run in world.store.runs() if run.status is RunStatus.ACCEPTED]
    lock = world.lock()
    assert isinstance(lock, Held)
    assert [run.run_id for run in active] == [lock.run_id]
    assert world.status(old.run_id) is RunStatus.ABANDONED


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "status", "status": 401, "path": "/sandbox/graphql"}, AuthError),
        ({"kind": "status", "status": 403, "path": "/sandbox/graphql"}, AuthError),
        ({"kind": "status", "status": 503, "path": "/sandbox/graphql"}, HostDown),
        ({"kind": "reset", "path": "/sandbox/graphql"}, HostDown),
    ],
    ids=["401", "403", "503", "no_answer"],
)
def test_a_start_that_fails_behind_the_lock_gives_it_back(world: World, fault: dict[str, object], error: type[Exception]) -> None:
    """Nothing is recorded and nothing is held, so the next start is not locked out."""
    world.commercetools_fails(**fault)
    with pytest.raises(error):
        world.start()
    world.commercetools_fails()
    assert world.lock() is None
    assert world.store.runs() == []
    assert world.start().status is RunStatus.ACCEPTED


def test_a_start_whose_messages_could_not_be_published_is_mended_by_resume(world: World) -> None:
    """The run record comes first: without its messages it shows as interrupted, and `resume` publishes them."""
    run = world.start()
    for delivery in world.take(Topic.PLAN):
        world.queue.ack(delivery)  # as if they had never been put there
    world.clock.forward(121)
    world.resume(run.run_id)
    world.plan()
    world.work()
    assert world.status(run.run_id) is RunStatus.COMPLETED
    assert world.summary(run.run_id).result.seen == CUSTOMERS


def test_a_body_beyond_the_limit_is_refused_as_a_whole(world: World) -> None:
    """It arrives cut off, and a list of ids that was cut off must not start anything."""
    call = ApiRequest("POST", "/sync/customers", {"host": "localhost"}, {}, b" " * (MOST_BODY_BYTES + 1))
    response = answer(world.app, call)
    assert (response.status, json.loads(response.body)["error"]) == (413, "too_large")
    assert world.app.store.runs(None, 10) == []
