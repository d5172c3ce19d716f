"""Stop, resume and retry: nothing is sent after a stop, and whatever goes on goes on where it was (http-api.md "Run states")."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest
from shell_world import CUSTOMERS, RANGES, SAME_EMAIL, Thread, World, soon, task, with_queue

from shared.budget import Budget
from shared.bulk import control
from shared.bulk.control import Locked, NoSuchRun, NothingRuns, NotPossible
from shared.bulk.finish import stop_run
from shared.bulk.http.api import answer
from shared.bulk.messages import PlanMessage, WorkMessage
from shared.bulk.ports import Topic
from shared.bulk.records import Batch, BatchResult, BatchStatus, Feed, IdRange, Kind, Run, RunOptions, RunStatus
from shared.bulk.run import GOING_ON, shown_status
from shared.bulk.work import MOST_ATTEMPTS, give_up_batch, work_batch
from shared.commercetools.lock import Held, ImportLock, Taken
from shared.errors import HostDown, StaleWrite, TransientError
from shared.http import ApiRequest


def _one_failed(world: World) -> tuple[str, list[str]]:
    """A finished run in which the third of five customers could not be read."""
    ids = world.ids(5)
    world.change_customer(ids[2], firstName={"not": "a text"})
    run, (message,) = world.planned(RunOptions(ids=ids))
    work_batch(world.app, message, "a", 90.0)
    assert world.status(run.run_id) is RunStatus.COMPLETED_WITH_ERRORS
    return run.run_id, ids


def test_a_stop_while_nothing_is_worked_takes_effect_at_once(world: World) -> None:
    """The run is stopped, the lock is gone."""
    run, _ = world.planned()
    assert world.stop().status is RunStatus.STOPPED
    assert world.run(run.run_id).finished_at is not None
    assert world.lock() is None


def test_a_stop_while_a_batch_is_worked_waits_for_its_worker(world: World) -> None:
    """What Klaviyo has taken stands; the worker notices the stop, puts the batch back, and then the run is stopped."""
    run, (message,) = world.planned(RunOptions(ids=world.ids(5)))
    world.klaviyo_fails(kind="delay", seconds=600, method="POST")
    worker = Thread(lambda: work_batch(world.app, message, "a", 60.0))
    world.klaviyo_holds_a_request()
    assert world.stop().status is RunStatus.STOPPING
    assert isinstance(world.lock(), Held), "something of the run still works"
    assert worker.join() is None
    assert world.status(run.run_id) is RunStatus.STOPPED
    assert [batch.status for batch in world.batches(run.run_id)] == [BatchStatus.QUEUED]
    assert [batch.attempts for batch in world.batches(run.run_id)] == [0]
    assert world.lock() is None

    world.klaviyo_fails()
    world.resume(run.run_id)
    world.work()
    assert (world.status(run.run_id), world.summary(run.run_id).result.sent) == (RunStatus.COMPLETED, 5)
    assert world.klaviyo()["profiles"] == 5


def dead_worker(world: World, lease_s: float = 180.0) -> tuple[Run, WorkMessage]:
    """A run of one batch whose worker has just died, and that batch's message."""
    run, (message,) = world.planned(RunOptions(ids=world.ids(3)))
    now = world.clock()
    world.store.take(run.run_id, run.fence, message.batch_id, "dead", now, now + timedelta(seconds=lease_s))
    return run, message


@pytest.mark.parametrize("halt_reason", [None, "credentials"], ids=["stop", "halt"])
def test_a_run_that_is_stopped_just_after_its_worker_died_ends_by_itself(world: World, halt_reason: str | None) -> None:
    """The dead worker's message comes again until its lease is over: it is the last that can end the run."""
    run, message = dead_worker(world)
    body = msgspec.json.encode(message)
    stop_run(world.app, run.run_id, halt_reason)
    assert task(world.app, Topic.WORK, body).status == 503
    with pytest.raises(TransientError):
        give_up_batch(world.app, message, "queue")
    assert world.status(run.run_id) is RunStatus.STOPPING
    world.clock.forward(181)
    assert task(world.app, Topic.WORK, body).status == 204
    assert world.status(run.run_id) is (RunStatus.HALTED if halt_reason else RunStatus.STOPPED)
    assert world.lock() is None
    world.resume(run.run_id)
    world.work()
    assert (world.status(run.run_id), world.summary(run.run_id).result.sent) == (RunStatus.COMPLETED, 3)


def test_a_run_that_is_to_stop_is_not_abandoned_while_it_waits_for_a_dead_worker(world: World) -> None:
    """It is shown as interrupted, and another is started over it; it ends as stopped, and is resumed later."""
    run, message = dead_worker(world)
    world.stop()
    world.clock.forward(121)
    assert shown_status(world.run(run.run_id), world.clock()) == "interrupted"
    started = world.start(DRY)
    world.plan()
    assert (world.status(run.run_id), world.status(started.run_id)) == (RunStatus.STOPPING, RunStatus.COMPLETED)
    world.clock.forward(60)
    assert task(world.app, Topic.WORK, msgspec.json.encode(message)).status == 204
    assert world.status(run.run_id) is RunStatus.STOPPED
    world.resume(run.run_id)
    world.work()
    assert world.status(run.run_id) is RunStatus.COMPLETED


@pytest.mark.parametrize("resumes", [False, True], ids=["start", "resume"])
def test_a_run_that_could_have_stopped_is_not_abandoned_by_the_next(world: World, resumes: bool) -> None:
    """Nobody has looked at it since the dead worker's lease ran out; it is stopped then, and resumed later."""
    other = world.start()
    world.stop()
    run, _ = dead_worker(world, lease_s=30.0)
    world.stop()
    world.clock.forward(121)
    assert shown_status(world.run(run.run_id), world.clock()) == "interrupted"
    next_one = world.resume(other.run_id) if resumes else world.start(DRY)
    assert (world.status(run.run_id), world.run(next_one.run_id).status in GOING_ON) == (RunStatus.STOPPED, True)
    world.stop()
    world.resume(run.run_id)
    world.work()
    assert world.status(run.run_id) is RunStatus.COMPLETED


def test_without_a_run_there_is_nothing_to_stop(world: World) -> None:
    """Neither before the first run nor after it has ended."""
    with pytest.raises(NothingRuns):
        world.stop()
    world.start()
    world.stop()
    with pytest.raises(NothingRuns):
        world.stop()


def test_resume_continues_a_stopped_run_where_it_was_under_a_new_fence(world: World) -> None:
    """What is done is not done again; what was recorded is published again; what was not planned is planned."""
    run = world.start()
    first, *rest = world.take(Topic.PLAN)
    world.push(first)
    world.work()
    sent = world.summary(run.run_id).result.sent
    assert 0 < sent < CUSTOMERS
    world.stop()

    resumed = world.resume(run.run_id)
    assert (resumed.status, resumed.fence > run.fence) == (RunStatus.RUNNING, True)
    lock = world.lock()
    assert isinstance(lock, Held)
    assert lock.run_id == run.run_id
    assert world.messages(Topic.PLAN) == [PlanMessage(run.run_id, resumed.fence, index) for index in range(1, RANGES)]
    assert [world.push(delivery) for delivery in rest] == [204] * len(rest)  # of the old fence
    world.plan()
    world.work()
    assert world.status(run.run_id) is RunStatus.COMPLETED
    assert world.summary(run.run_id).result.sent == CUSTOMERS - SAME_EMAIL
    assert world.klaviyo()["effects"]["profile_created"] == CUSTOMERS - SAME_EMAIL
    assert world.requests() == RANGES


def test_resume_publishes_again_what_is_queued(world: World) -> None:
    """Its messages were acknowledged while the run was stopped."""
    run, messages = world.planned()
    world.stop()
    resumed = world.resume(run.run_id)
    assert world.messages(Topic.WORK) == [WorkMessage(run.run_id, resumed.fence, message.batch_id) for message in messages]


def test_a_run_whose_owner_died_shows_as_interrupted_and_resume_takes_it_over(world: World) -> None:
    """Its batch has a lease that still lasts, but of an older fence: it is worked again without waiting for it."""
    run, (message,) = world.planned(RunOptions(ids=world.ids(5)))
    now = world.clock()
    world.store.take(run.run_id, run.fence, message.batch_id, "dead", now, now.replace(year=now.year + 1))
    world.clock.forward(121)
    assert shown_status(world.run(run.run_id), world.clock()) == "interrupted"
    world.resume(run.run_id)
    world.work()
    assert (world.status(run.run_id), world.summary(run.run_id).result.sent) == (RunStatus.COMPLETED, 5)


def test_the_worker_of_a_run_that_was_taken_over_can_neither_write_nor_end_it(world: World) -> None:
    """The fence guards our state against whoever was thought dead and is not."""
    run, (message,) = world.planned(RunOptions(ids=world.ids(5)))
    world.klaviyo_fails(kind="hold", seconds=600, method="POST", first=1)
    slow = Thread(lambda: work_batch(world.app, message, "thought-dead", 60.0))
    world.klaviyo_holds_a_request()
    world.clock.forward(121)
    world.resume(run.run_id)
    world.klaviyo_fails()
    slow.join()
    (batch,) = world.batches(run.run_id)
    assert (batch.status, batch.result.seen, world.status(run.run_id)) == (BatchStatus.QUEUED, 0, RunStatus.RUNNING)
    world.work()
    assert (world.status(run.run_id), world.summary(run.run_id).result.sent) == (RunStatus.COMPLETED, 5)
    assert world.klaviyo()["profiles"] == 5


def test_a_run_that_goes_on_or_is_complete_cannot_be_resumed(world: World) -> None:
    """409 (http-api.md)."""
    run = world.start(RunOptions(ids=world.ids(3)))
    with pytest.raises(NotPossible):
        world.resume(run.run_id)
    world.plan()
    world.work()
    with pytest.raises(NotPossible):
        world.resume(run.run_id)


def test_an_abandoned_run_cannot_be_resumed(world: World) -> None:
    """A newer run took its place."""
    old = world.start()
    world.clock.forward(121)
    world.start()
    with pytest.raises(NotPossible):
        world.resume(old.run_id)


def test_a_run_that_nobody_knows_can_be_neither_resumed_nor_retried(world: World) -> None:
    """404 (http-api.md)."""
    for call in (world.resume, world.retry):
        with pytest.raises(NoSuchRun):
            call("nobody")


def test_resume_is_locked_while_another_product_imports(world: World) -> None:
    """The lock was free while the run was stopped, so somebody else may have it now."""
    run = world.start()
    world.stop()
    world.put_lock("1")
    with pytest.raises(Locked):
        world.resume(run.run_id)
    assert world.status(run.run_id) is RunStatus.STOPPED


def test_of_several_resumes_at_once_one_wins(world: World) -> None:
    """The others are told, and everything is published under one fence."""
    run, messages = world.planned()
    world.stop()
    threads = [Thread(lambda: world.resume(run.run_id)) for _ in range(5)]
    errors = [thread.join() for thread in threads]
    assert errors.count(None) == 1
    assert {type(error) for error in errors if error} <= {NotPossible, Locked}
    fence = world.run(run.run_id).fence
    assert world.messages(Topic.WORK) == [WorkMessage(run.run_id, fence, message.batch_id) for message in messages]
    lock = world.lock()
    assert isinstance(lock, Held)
    assert lock.run_id == run.run_id


def test_a_resume_that_could_not_publish_is_mended_by_the_next_one(world: World) -> None:
    """The run is recorded as going on, but nobody was told: it shows as interrupted later."""
    run, _ = world.planned(RunOptions(ids=world.ids(3)))
    world.stop()

    def fail() -> None:
        raise TransientError("the queue does not answer")

    with pytest.raises(TransientError):
        control.resume(with_queue(world, Topic.WORK, fail), run.run_id, soon())
    world.clock.forward(121)
    world.resume(run.run_id)
    world.work()
    assert world.status(run.run_id) is RunStatus.COMPLETED


def test_retry_starts_a_run_over_the_failed_items_alone(world: World) -> None:
    """What was sent is not read again; what is mended goes through."""
    run_id, ids = _one_failed(world)
    world.change_customer(ids[2], firstName="Mended")
    again = world.retry(run_id)
    assert (again.run_id != run_id, again.options.retry_of) == (True, run_id)
    world.plan()
    assert [batch.ids for batch in world.batches(again.run_id)] == [[ids[2]]]
    world.work()
    assert (world.status(again.run_id), world.summary(again.run_id).result.sent) == (RunStatus.COMPLETED, 1)
    assert world.status(run_id) is RunStatus.COMPLETED_WITH_ERRORS, "the run that failed stays as it was"
    assert world.klaviyo()["profiles"] == 5


def test_what_fails_again_can_be_retried_again(world: World) -> None:
    """A retry is a run like any other."""
    run_id, ids = _one_failed(world)
    again = world.retry(run_id)
    world.plan()
    world.work()
    assert world.summary(again.run_id).result.failed == {"unreadable": 1}
    world.change_customer(ids[2], firstName="Mended")
    third = world.retry(again.run_id)
    world.plan()
    world.work()
    assert world.summary(third.run_id).result.sent == 1


def test_a_run_without_failures_or_under_way_cannot_be_retried(world: World) -> None:
    """409, saying which of the two."""
    run = world.start(RunOptions(ids=world.ids(3)))
    with pytest.raises(NotPossible, match="is accepted"):
        world.retry(run.run_id)
    world.plan()
    world.work()
    with pytest.raises(NotPossible, match="nothing failed"):
        world.retry(run.run_id)


def test_retry_is_locked_while_another_run_is_under_way(world: World) -> None:
    """It is a start like any other."""
    run_id, _ = _one_failed(world)
    other = world.start()
    with pytest.raises(Locked) as locked:
        world.retry(run_id)
    assert locked.value.run_id == other.run_id


def test_the_failures_of_many_batches_are_retried_all(world: World) -> None:
    """More settled batches than are looked at in one step."""
    run, _ = world.planned(RunOptions(ids=world.ids(3)))
    before = world.store.ranges(run.run_id)[0]
    ids, batches = world.ids(60), world.batches(run.run_id)  # the first three are in two batches each
    after = type(before)(index=0, cursor="61", planned=61, published=61, done=True)
    more = [type(batches[0])(run_id=run.run_id, range_index=0, number=n + 2, size=1, ids=[ids[n]]) for n in range(60)]
    world.store.record(run.run_id, run.fence, before, after, more)
    now = world.clock()
    for batch in world.batches(run.run_id):
        for number in range(MOST_ATTEMPTS):
            world.store.take(run.run_id, run.fence, batch.batch_id, f"dead-{number}", now, now)
        give_up_batch(world.app, WorkMessage(run.run_id, run.fence, batch.batch_id), "queue")
    assert world.status(run.run_id) is RunStatus.COMPLETED_WITH_ERRORS
    again = world.retry(run.run_id)
    world.plan()
    retried = [batch.ids or [] for batch in world.batches(again.run_id)]
    assert sorted(item for ids in retried for item in ids) == ids
    assert retried == [sorted(listed) for listed in retried]
    assert len(retried) == 4


def test_a_run_that_can_be_resumed_is_not_retried(world: World) -> None:
    """Its own rest comes first: a retry would leave it behind."""
    run, _ = world.planned(RunOptions(ids=world.ids(3)))
    world.stop()
    with pytest.raises(NotPossible, match="resume it first"):
        world.retry(run.run_id)


def test_a_start_beside_a_stopped_run_leaves_it_resumable(world: World) -> None:
    """Only an interrupted run is abandoned (http-api.md); a dry run in between does not end an import."""
    run, _ = world.planned(RunOptions(ids=world.ids(3)))
    world.stop()
    world.start(RunOptions(ids=world.ids(1), dry_run=True))
    world.plan()
    world.work()
    assert world.status(run.run_id) is RunStatus.STOPPED
    world.resume(run.run_id)
    world.work()
    assert world.status(run.run_id) is RunStatus.COMPLETED


def test_resuming_gives_batches_fresh_attempts(world: World) -> None:
    """What wore them out has been mended."""
    run, (message,) = world.planned(RunOptions(ids=world.ids(3)))
    now = world.clock()
    for number in range(MOST_ATTEMPTS):
        world.store.take(run.run_id, run.fence, message.batch_id, f"dead-{number}", now, now)
    world.stop()
    world.clock.forward(1)
    world.resume(run.run_id)
    assert [batch.attempts for batch in world.batches(run.run_id)] == [0]
    world.work()
    assert world.summary(run.run_id).result.sent == 3


def test_stopping_and_resuming_a_dry_run_still_sends_nothing(world: World) -> None:
    """A run's options outlive it."""
    run, _ = world.planned(RunOptions(dry_run=True))
    world.stop()
    world.resume(run.run_id)
    world.work()
    assert (world.status(run.run_id), world.klaviyo()["requests"]) == (RunStatus.COMPLETED, 0)


def test_commercetools_being_away_at_the_end_does_not_keep_a_run_from_ending(world: World) -> None:
    """The lock could not be given back: it runs out by itself, and the next start of this installation takes it at once."""
    run, _ = world.planned(RunOptions(ids=world.ids(3)))
    world.commercetools_fails(kind="status", status=503, path="/sandbox/custom-objects")
    assert world.stop().status is RunStatus.STOPPED
    with pytest.raises(HostDown):
        world.start()
    world.commercetools_fails()
    lock = world.lock()
    assert isinstance(lock, Held)
    assert lock.run_id == run.run_id
    assert world.start().status is RunStatus.ACCEPTED
    assert [found.status for found in world.store.runs(Kind.CUSTOMERS)] == [RunStatus.ACCEPTED, RunStatus.STOPPED]


DRY = RunOptions(created_after="2100-01-01T00:00:00Z", dry_run=True)
"""Matches nothing and sweeps nothing."""


def resumed_beside_a_newer(world: World) -> tuple[Run, Run]:
    """A run that goes on although one that was started after it has ended; and that one."""
    older, _ = world.planned()
    world.stop()
    newer = world.start(DRY)
    world.plan()
    assert world.status(newer.run_id) is RunStatus.COMPLETED
    return world.resume(older.run_id), newer


def test_a_resumed_run_is_the_one_that_counts_whatever_was_started_since(world: World) -> None:
    """It excludes others, is shown, and is what a stop stops."""
    older, newer = resumed_beside_a_newer(world)
    with pytest.raises(Locked) as locked:
        world.start()
    assert locked.value.run_id == older.run_id
    with pytest.raises(NotPossible):
        world.resume(newer.run_id)
    for path in ("/sync/customers/status", "/sync/status"):
        shown = json.loads(answer(world.app, ApiRequest("GET", path, {"host": "localhost"})).body)
        assert (shown.get("kinds", {}).get("customers") or shown)["runId"] == older.run_id
    listed = json.loads(answer(world.app, ApiRequest("GET", "/runs", {"host": "localhost"})).body)["runs"]
    assert [run["runId"] for run in listed] == [newer.run_id, older.run_id], "newest first"
    assert world.stop().run_id == older.run_id
    assert world.status(older.run_id) is RunStatus.STOPPED
    with pytest.raises(NothingRuns):
        world.stop()


def test_a_resumed_run_keeps_another_from_being_resumed(world: World) -> None:
    """Two of a kind never go on at once."""
    first, _ = world.planned()
    world.stop()
    second, _ = world.planned()
    world.stop()
    world.resume(first.run_id)
    with pytest.raises(Locked) as locked:
        world.resume(second.run_id)
    assert locked.value.run_id == first.run_id


def test_a_start_abandons_an_interrupted_run_also_when_it_is_not_the_newest(world: World) -> None:
    """And takes the lock from it, whose lease has not run out by commercetools' clock."""
    older, _ = resumed_beside_a_newer(world)
    world.clock.forward(121)
    started = world.start()
    lock = world.lock()
    assert isinstance(lock, Held)
    assert (world.status(older.run_id), lock.run_id) == (RunStatus.ABANDONED, started.run_id)


def test_resuming_a_run_abandons_another_that_was_interrupted(world: World) -> None:
    """As a start does: what that one left in the queue would do its work beside it."""
    stopped, _ = world.planned(RunOptions(ids=world.ids(3)))
    world.stop()
    dead = world.start()
    old = world.take(Topic.PLAN)
    world.clock.forward(121)
    world.resume(stopped.run_id)
    lock = world.lock()
    assert isinstance(lock, Held)
    assert (world.status(dead.run_id), lock.run_id) == (RunStatus.ABANDONED, stopped.run_id)
    assert [world.push(delivery) for delivery in old] == [204] * len(old)
    assert world.batches(dead.run_id) == []
    world.work()
    assert world.status(stopped.run_id) is RunStatus.COMPLETED


@pytest.mark.parametrize("resumes", [False, True], ids=["start", "resume"])
def test_who_was_overtaken_between_fence_and_lock_does_not_begin(world: World, resumes: bool) -> None:
    """A whole run fits in between; under the lower fence ours would be under way without being the current one."""
    stopped = world.start()
    world.stop()
    overtaken = replace(world.app, lock=_LockAfter(world))
    with pytest.raises(NotPossible if resumes else StaleWrite):
        control.resume(overtaken, stopped.run_id, soon()) if resumes else control.start(overtaken, Kind.CUSTOMERS, DRY, soon())
    assert world.status(stopped.run_id) is RunStatus.STOPPED
    assert len(world.store.runs()) == 2
    assert world.lock() is None


def test_who_was_overtaken_is_told_so(world: World) -> None:
    """Nobody was slow: there is another run to look at."""
    call = ApiRequest("POST", "/sync/customers", {"host": "localhost"})
    response = answer(replace(world.app, lock=_LockAfter(world)), call)
    (newest,) = world.store.runs()
    told = msgspec.json.decode(response.body)
    assert (response.status, told["error"]) == (503, "unavailable")
    assert told["message"] == f"run {newest.run_id} was started or resumed just now; look at the status, then try again"


class _LockAfter(ImportLock):
    """The import lock, which one gets only after another run has come and gone."""

    def __init__(self, world: World) -> None:
        super().__init__(world.app.commercetools)
        self._world = world

    def take(self, kind: str, owner: str, lease_s: float, budget: Budget, *, instead_of: str | None = None) -> Taken | Held:
        """As `ImportLock.take`, later."""
        self._world.start(DRY)
        self._world.stop()
        return super().take(kind, owner, lease_s, budget, instead_of=instead_of)


def test_a_resume_that_comes_too_late_leaves_the_lock_to_the_one_that_won(world: World) -> None:
    """It has seen the run as it was stopped, and finds it going on under another fence."""
    run, _ = world.planned()
    stopped = world.stop()
    world.resume(run.run_id)
    with pytest.raises(Locked):
        control.take_up(world.app, stopped, soon())
    lock = world.lock()
    assert isinstance(lock, Held)
    assert (lock.run_id, world.status(run.run_id)) == (run.run_id, RunStatus.RUNNING)


def test_a_resume_has_the_closing_ranges_planned_once(world: World) -> None:
    """One message for each."""
    run, _ = world.planned()
    for delivery in world.take(Topic.WORK):
        world.queue.ack(delivery)
    now = world.clock()
    for batch in world.batches(run.run_id):
        taken = world.store.take(run.run_id, run.fence, batch.batch_id, "a", now, now)
        assert isinstance(taken, Batch)
        world.store.settle(taken, "a", BatchStatus.DONE, BatchResult(seen=batch.size, sent=batch.size), now)
    world.stop()
    resumed = world.resume(run.run_id)
    assert world.messages(Topic.PLAN) == [PlanMessage(run.run_id, resumed.fence, RANGES)]


def test_an_interrupted_run_that_is_resumed_leaves_no_message_of_its_old_fence(world: World) -> None:
    """Whoever only asks for its state begins nothing."""
    run, _ = world.planned()
    now = world.clock()
    for batch in world.batches(run.run_id):
        taken = world.store.take(run.run_id, run.fence, batch.batch_id, "a", now, now)
        assert isinstance(taken, Batch)
        world.store.settle(taken, "a", BatchStatus.DONE, BatchResult(seen=batch.size, sent=batch.size), now)
    world.clock.forward(121)
    resumed = world.resume(run.run_id)
    assert world.messages(Topic.PLAN) == [PlanMessage(run.run_id, resumed.fence, RANGES)]


def test_what_failed_in_scan_and_sweep_is_retried_once(world: World) -> None:
    """Also when more batches lie between than are looked at in one step, and when the scan's batch failed as a whole."""
    ids = world.ids(60)
    run = world.start(RunOptions(ids=ids[:1]))
    world.store.record(run.run_id, run.fence, IdRange(index=0), IdRange(index=0, done=True), [])
    world.stop()
    scan = [a_batch(number, 0, [item]) for number, item in enumerate(ids[:50], start=1)]
    whole = Batch(run_id="old", range_index=0, number=51, size=5, first=ids[50], last=ids[54])
    sweep = [a_batch(1, 1, [ids[3], ids[30], ids[52]]), a_batch(2, 1, [ids[3], ids[59]])]
    old = msgspec.structs.replace(run, run_id="old", status=RunStatus.RUNNING, options=RunOptions())
    ranges = [IdRange(index=0), IdRange(index=1, feed=Feed.CHANGED, closing=True)]
    world.store.create(old, ranges)
    for part, batches in zip(ranges, ([*scan, whole], sweep), strict=True):
        world.store.record("old", old.fence, part, msgspec.structs.replace(part, planned=len(batches), done=True), batches)
    now = world.clock()
    for batch in (*scan, whole, *sweep):
        taken = world.store.take("old", old.fence, batch.batch_id, "a", now, now)
        assert isinstance(taken, Batch)
        result = BatchResult(seen=batch.size, failed={"invalid": batch.size}, failed_ids=batch.ids or [])
        world.store.settle(taken, "a", BatchStatus.DONE if batch.ids else BatchStatus.FAILED, result, now)

    again = world.retry("old")
    world.plan()
    made = world.batches(again.run_id)
    assert sorted(item for batch in made for item in batch.ids or []) == [*ids[:50], ids[59]]
    assert [(batch.first, batch.last) for batch in made if batch.ids is None] == [(ids[50], ids[54])]
    assert len(made) == 4


def a_batch(number: int, range_index: int, ids: list[str]) -> Batch:
    """A batch over listed ids of the run `old`."""
    return Batch(run_id="old", range_index=range_index, number=number, size=len(ids), ids=ids)
