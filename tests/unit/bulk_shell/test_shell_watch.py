"""Looking while working: who owns the run, whether it goes on, and when it has ended (flows.md "Leases", "The finish check")."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest
from shell_world import IMPORT, PATIENCE_S, Monotonic, Thread, World, task

from shared.budget import Budget
from shared.bulk.app import ImportApp
from shared.bulk.finish import finish_check, keep_lease, stop_run
from shared.bulk.ports import RunStore, Topic
from shared.bulk.records import Batch, BatchStatus, Run, RunOptions, RunStatus
from shared.bulk.watch import RunWatch
from shared.bulk.work import work_batch
from shared.commercetools.lock import Held
from shared.errors import HostDown, Interrupted, StaleWrite, TransientError
from shared.klaviyo.client import KlaviyoClient
from shared.klaviyo.limiter import Limiter
from shared.klaviyo.requests import list_import_jobs


class Seconds:
    """A monotonic clock that only a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True, slots=True)
class SilentStore:
    """A store that does not answer."""

    def __getattr__(self, name: str) -> Any:
        def silent(*_: object, **__: object) -> None:
            raise TransientError("the store does not answer")

        return silent


def _without(_call: object) -> None:
    """Renews no run in the background: a thread that does might outlive the world of its test."""


def _cause(call: Any) -> Interrupted.Cause:
    with pytest.raises(Interrupted) as interrupted:
        call()
    return interrupted.value.cause


def _taken(world: World, run: Run) -> Batch:
    now = world.clock()
    taken = world.store.take(run.run_id, run.fence, "000-000001", "a", now, now + timedelta(seconds=180))
    assert isinstance(taken, Batch)
    return taken


def _lease_of_lock(world: World) -> datetime:
    lock = world.lock()
    assert isinstance(lock, Held)
    assert lock.expires
    return datetime.fromisoformat(lock.expires)


def test_a_run_that_goes_on_lets_its_work_go_on(world: World) -> None:
    """Nothing is raised and nothing written."""
    run = world.start()
    RunWatch(world.app, run.run_id, run.fence).look()
    assert world.run(run.run_id).revision == run.revision


def test_the_store_is_looked_at_once_a_second_at_most(world: World) -> None:
    """It is asked before each page and each send, by many threads."""
    run, seconds = world.start(), Seconds()
    watch = RunWatch(world.app, run.run_id, run.fence, monotonic=seconds)
    world.stop()
    seconds.now += 0.9
    watch()
    seconds.now += 0.2
    with pytest.raises(Interrupted):
        watch()
    watch()


def test_work_ends_when_the_run_is_to_stop(world: World) -> None:
    """While it is stopping, and when it has stopped."""
    run, _ = world.planned(RunOptions(ids=world.ids(3)))
    _taken(world, run)
    watch = RunWatch(world.app, run.run_id, run.fence)
    world.stop()
    assert world.status(run.run_id) is RunStatus.STOPPING
    assert _cause(watch.look) is Interrupted.Cause.STOP
    world.clock.forward(181)
    finish_check(world.app, run.run_id)
    assert world.status(run.run_id) is RunStatus.STOPPED
    assert _cause(watch.look) is Interrupted.Cause.SUPERSEDED


def test_work_ends_when_the_run_was_taken_over_or_abandoned_or_is_gone(world: World) -> None:
    """A higher fence, a newer run, or another state file."""
    run = world.start()
    watch = RunWatch(world.app, run.run_id, run.fence)
    world.clock.forward(121)
    resumed = world.resume(run.run_id)
    assert _cause(watch.look) is Interrupted.Cause.SUPERSEDED
    world.stop()
    world.start()
    assert _cause(RunWatch(world.app, run.run_id, resumed.fence).look) is Interrupted.Cause.SUPERSEDED
    assert _cause(RunWatch(world.app, "nobody", 1).look) is Interrupted.Cause.SUPERSEDED


def test_a_silent_store_ends_no_work(world: World) -> None:
    """The conditional writes guard what matters, so a moment's silence costs nothing."""
    run = world.start()
    silent: Any = SilentStore()
    RunWatch(replace(world.app, store=silent), run.run_id, run.fence).look()


def test_a_worker_extends_its_batch_s_lease_after_a_third_of_it(world: World) -> None:
    """So that a long batch is not given to a second worker."""
    run, _ = world.planned(RunOptions(ids=world.ids(3)))
    batch, seconds = _taken(world, run), Seconds()
    watch = RunWatch(world.app, run.run_id, run.fence, batch, "a", monotonic=seconds)
    seconds.now += 59
    watch.look()
    assert world.batches(run.run_id)[0].lease_until == batch.lease_until
    world.clock.forward(31)
    seconds.now += 2
    watch.look()
    held = world.batches(run.run_id)[0].lease_until
    assert held
    assert batch.lease_until
    assert held - batch.lease_until >= timedelta(seconds=31)


@dataclass
class HoldsNothing:
    """A store that does not extend leases while it is `out`."""

    store: RunStore
    out: bool = True
    asked: int = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def hold(self, run_id: str, batch_id: str, owner: str, lease_until: datetime) -> None:
        self.asked += 1
        if self.out:
            raise HostDown("out")
        self.store.hold(run_id, batch_id, owner, lease_until)


@dataclass
class SaysNothing(HoldsNothing):
    """A store that does not answer while it is `out`, whatever it is asked while a run is worked."""

    def run(self, run_id: str) -> Run | None:
        if self.out:
            raise HostDown("out")
        return self.store.run(run_id)


OUT = [HoldsNothing, SaysNothing]


def test_a_lease_that_cannot_be_extended_now_is_extended_some_seconds_later(world: World) -> None:
    """A lease that is good for two minutes more is no reason to end the work."""
    run, _ = world.planned(RunOptions(ids=world.ids(3)))
    batch, seconds, store = _taken(world, run), Seconds(), HoldsNothing(world.store)
    app = replace(world.app, store=store)
    watch = RunWatch(app, run.run_id, run.fence, batch, "a", monotonic=seconds, in_background=_without)
    for _ in range(4):  # at 61, 62, 63 and 64 seconds
        seconds.now += 1 if store.asked else 61
        watch.look()
    assert store.asked == 1
    seconds.now += 5
    store.out = False
    world.clock.forward(69)
    watch.look()
    held = world.batches(run.run_id)[0].lease_until
    assert batch.lease_until
    assert held
    assert (store.asked, held - batch.lease_until >= timedelta(seconds=69)) == (2, True)
    seconds.now += 59
    watch.look()
    assert store.asked == 2


@pytest.mark.parametrize("out", OUT)
def test_work_ends_before_a_lease_does_that_cannot_be_extended(world: World, out: type[HoldsNothing]) -> None:
    """Who took the batch then would find its worker at work; each thread of it learns that."""
    run, _ = world.planned(RunOptions(ids=world.ids(3)))
    batch, seconds, store = _taken(world, run), Seconds(), out(world.store)
    watch = RunWatch(replace(world.app, store=store), run.run_id, run.fence, batch, "a", monotonic=seconds)
    seconds.now += 119
    watch.look()
    for later in (6, 1, 1):
        seconds.now += later
        assert _cause(watch.look) is Interrupted.Cause.LEASE_ENDING


@pytest.mark.parametrize("out", OUT)
def test_a_worker_that_stood_still_goes_on_if_its_lease_can_be_extended_after_all(world: World, out: type[HoldsNothing]) -> None:
    """How old a lease is ends no work as long as the store answers."""
    run, _ = world.planned(RunOptions(ids=world.ids(3)))
    batch, seconds = _taken(world, run), Seconds()
    app = replace(world.app, store=out(world.store, out=False))
    watch = RunWatch(app, run.run_id, run.fence, batch, "a", monotonic=seconds)
    seconds.now += 170
    watch.look()


def test_nobody_gives_up_while_another_thread_has_the_lease_extended(world: World) -> None:
    """Whether the store answers is not known yet."""
    run, _ = world.planned(RunOptions(ids=world.ids(3)))
    batch, seconds = _taken(world, run), Seconds()
    looked: list[str] = []

    class Slow(HoldsNothing):
        def hold(self, *args: Any) -> None:
            seconds.now += 2
            watch.look()
            looked.append("meanwhile")
            self.store.hold(*args)

    watch = RunWatch(replace(world.app, store=Slow(world.store)), run.run_id, run.fence, batch, "a", monotonic=seconds)
    seconds.now += 170
    watch.look()
    assert looked == ["meanwhile"]


@contextmanager
def _klaviyo_that_hangs(seconds: Seconds, for_s: float) -> Iterator[tuple[KlaviyoClient, list[httpx.Request]]]:
    """A client, and what it has asked: the first request hangs while the clock moves on by `for_s`, the others fail."""
    asked: list[httpx.Request] = []
    over = threading.Event()

    def hangs(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if len(asked) == 1:
            seconds.now += for_s
            over.wait(PATIENCE_S)
        return httpx.Response(503)

    http = httpx.Client(transport=httpx.MockTransport(hangs), base_url="http://klaviyo.test")
    try:
        yield KlaviyoClient(http, "pk_sandbox", Limiter(monotonic=seconds)), asked
    finally:
        over.set()


@pytest.mark.parametrize("out", OUT)
def test_a_request_to_klaviyo_is_given_up_with_the_lease(world: World, out: type[HoldsNothing]) -> None:
    """It is not taken for a failure of Klaviyo, which would be asked again long after the lease is over."""
    run, _ = world.planned(RunOptions(ids=world.ids(3)))
    batch, seconds, store = _taken(world, run), Seconds(), out(world.store)
    watch = RunWatch(replace(world.app, store=store), run.run_id, run.fence, batch, "a", monotonic=seconds)

    def sleep(wait_s: float) -> None:
        seconds.now += wait_s

    budget = Budget(seconds.now + 480, seconds, sleep, watch)
    with _klaviyo_that_hangs(seconds, 121) as (klaviyo, asked):
        assert _cause(lambda: klaviyo.send(list_import_jobs(), budget)) is Interrupted.Cause.LEASE_ENDING
        assert (len(asked), seconds.now < 100.0 + 180) == (1, True)


def test_a_batch_whose_lease_cannot_be_extended_goes_back_and_comes_again(world: World) -> None:
    """The store was at fault, so this counts as no attempt of the batch; what is sent again has an identity."""
    run, (message,) = world.planned(RunOptions(ids=world.ids(3)))
    world.klaviyo_fails(kind="delay", seconds=600, method="POST", path="/api/profile-bulk-import-jobs")
    clock, store = Monotonic(), HoldsNothing(world.store)
    worker = Thread(lambda: work_batch(replace(world.app, store=store), message, "a", 480, clock))
    world.klaviyo_holds_a_request()
    clock.forward(121)
    assert isinstance(worker.join(), TransientError)
    (batch,) = world.batches(run.run_id)
    assert (store.asked, batch.status, batch.attempts) == (1, BatchStatus.QUEUED, 0)
    world.klaviyo_fails()
    assert task(world.app, Topic.WORK, msgspec.json.encode(message)).status == 204
    assert (world.status(run.run_id), world.requests(IMPORT)) == (RunStatus.COMPLETED, 1)


def test_a_batch_that_a_silent_store_does_not_take_back_comes_again_all_the_same(world: World) -> None:
    """Its lease runs out, and the next delivery has it."""
    run, (message,) = world.planned(RunOptions(ids=world.ids(3)))
    world.klaviyo_fails(kind="delay", seconds=600, method="POST", path="/api/profile-bulk-import-jobs")

    class TakesNothingBack(SaysNothing):
        def put_back(self, *_: object, **__: object) -> None:
            raise HostDown("out")

    clock, store = Monotonic(), TakesNothingBack(world.store, out=False)
    worker = Thread(lambda: work_batch(replace(world.app, store=store), message, "a", 480, clock))
    world.klaviyo_holds_a_request()
    store.out = True
    clock.forward(121)
    assert isinstance(worker.join(), TransientError)
    world.klaviyo_fails()
    assert task(world.app, Topic.WORK, msgspec.json.encode(message)).status == 503
    world.clock.forward(181)
    assert task(world.app, Topic.WORK, msgspec.json.encode(message)).status == 204
    assert world.status(run.run_id) is RunStatus.COMPLETED


def test_a_worker_whose_batch_was_taken_over_learns_of_it(world: World) -> None:
    """It must not go on with what belongs to somebody else."""
    run, _ = world.planned(RunOptions(ids=world.ids(3)))
    batch, seconds = _taken(world, run), Seconds()
    world.clock.forward(181)
    now = world.clock()
    world.store.take(run.run_id, run.fence, batch.batch_id, "b", now, now + timedelta(seconds=180))
    watch = RunWatch(world.app, run.run_id, run.fence, batch, "a", monotonic=seconds, in_background=_without)
    seconds.now += 61
    with pytest.raises(StaleWrite):
        watch.look()


def test_the_lease_is_left_alone_until_a_third_of_it_has_passed(world: World) -> None:
    """So that the record is not rewritten all the time."""
    run = world.start()
    world.clock.forward(39)
    keep_lease(world.app, run)
    assert world.run(run.run_id).lease_until == run.lease_until


def test_after_a_third_the_run_and_the_import_lock_are_renewed_together(world: World) -> None:
    """Both leases move; whoever won that write renews the lock."""
    run = world.start()
    lock = _lease_of_lock(world)
    world.clock.forward(41)
    stored = world.run(run.run_id)
    keep_lease(world.app, stored)
    assert world.run(run.run_id).lease_until >= run.lease_until + timedelta(seconds=41)
    assert _lease_of_lock(world) >= lock
    revision = world.run(run.run_id).revision
    keep_lease(world.app, stored)
    assert world.run(run.run_id).revision == revision, "who comes second with what he read before does nothing"


def test_of_many_that_renew_at_once_one_writes(world: World) -> None:
    """The run's revision rises by one."""
    run = world.start()
    world.clock.forward(41)
    stored = world.run(run.run_id)
    threads = [Thread(lambda: keep_lease(world.app, stored)) for _ in range(5)]
    assert [thread.join() for thread in threads] == [None] * 5
    assert world.run(run.run_id).revision == stored.revision + 1


def test_a_run_that_lost_the_import_lock_halts(world: World) -> None:
    """Somebody else imports now: going on beside him is what the lock is there to prevent. His lock is left alone."""
    run, _ = world.planned(RunOptions(ids=world.ids(3)))
    world.put_lock("1")
    world.clock.forward(41)
    keep_lease(world.app, world.run(run.run_id))
    halted = world.run(run.run_id)
    assert (halted.status, halted.halt_reason) == (RunStatus.HALTED, "lock_lost")
    lock = world.lock()
    assert isinstance(lock, Held)
    assert lock.foreign


def test_a_lock_that_cannot_be_renewed_just_now_does_not_end_the_run(world: World) -> None:
    """Its lease still lasts, and the next third of the run's lease brings another try."""
    run = world.start()
    world.clock.forward(41)
    stored = world.run(run.run_id)
    world.commercetools_fails(kind="status", status=503, path="/sandbox/custom-objects")
    keep_lease(world.app, stored)
    assert world.status(run.run_id) is RunStatus.ACCEPTED
    assert world.run(run.run_id).lease_until > run.lease_until


def test_the_finish_check_leaves_alone_what_is_not_done(world: World) -> None:
    """Unplanned ranges, queued and working batches."""
    run = world.start(RunOptions(ids=world.ids(3)))
    finish_check(world.app, run.run_id)
    assert world.status(run.run_id) is RunStatus.ACCEPTED
    world.plan()
    finish_check(world.app, run.run_id)
    _taken(world, run)
    finish_check(world.app, run.run_id)
    assert world.status(run.run_id) is RunStatus.RUNNING
    finish_check(world.app, "nobody")


def test_of_many_finish_checks_at_once_one_ends_the_run(world: World) -> None:
    """The write is conditional; the others find it ended."""
    run, _ = world.planned(RunOptions(ids=world.ids(3)))
    batch = _taken(world, run)
    world.store.settle(batch, "a", BatchStatus.DONE, msgspec.structs.replace(batch.result, seen=3, sent=3), world.clock())
    before = world.run(run.run_id).revision
    threads = [Thread(lambda: finish_check(world.app, run.run_id)) for _ in range(5)]
    assert [thread.join() for thread in threads] == [None] * 5
    ended = world.run(run.run_id)
    assert (ended.status, ended.revision) == (RunStatus.COMPLETED, before + 1)
    assert world.lock() is None


@dataclass(frozen=True)
class Overtaken:
    """A store in which somebody else is quicker whenever a run is saved."""

    store: RunStore

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def save(self, run: Run) -> Run:
        raise StaleWrite(run.run_id)


def test_a_delivery_that_could_not_end_its_run_comes_again(world: World) -> None:
    """It might be the last one of the run."""
    run, (message,) = world.planned(RunOptions(ids=world.ids(3)))
    batch = _taken(world, run)
    world.store.settle(batch, "a", BatchStatus.DONE, msgspec.structs.replace(batch.result, seen=3, sent=3), world.clock())
    body = msgspec.json.encode(message)
    assert task(replace(world.app, store=Overtaken(world.store)), Topic.WORK, body).status == 503
    assert world.status(run.run_id) is RunStatus.RUNNING
    assert task(world.app, Topic.WORK, body).status == 204
    assert world.status(run.run_id) is RunStatus.COMPLETED


def test_a_late_finish_check_never_releases_the_lock_of_a_newer_run(world: World) -> None:
    """It was read before the newer run took the lock."""
    old = world.start()
    world.stop()
    new = world.start()
    from_before: ImportApp = world.app
    finish_check(from_before, old.run_id)
    lock = world.lock()
    assert isinstance(lock, Held)
    assert lock.run_id == new.run_id


def test_the_first_reason_to_halt_is_kept(world: World) -> None:
    """What came first is what a person has to mend; a stop asked for meanwhile does not hide it."""
    run, _ = world.planned(RunOptions(ids=world.ids(3)))
    _taken(world, run)
    stop_run(world.app, run.run_id, halt_reason="the first")
    stop_run(world.app, run.run_id, halt_reason="the second")
    world.stop()
    world.clock.forward(181)
    finish_check(world.app, run.run_id)
    assert (world.status(run.run_id), world.run(run.run_id).halt_reason) == (RunStatus.HALTED, "the first")
    assert stop_run(world.app, run.run_id) is None
