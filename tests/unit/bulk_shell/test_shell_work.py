"""Working a batch: whatever becomes of a delivery, each item is brought over once and accounted for (flows.md)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import msgspec
import pytest
from google.api_core.exceptions import ResourceExhausted, ServiceUnavailable
from shell_world import (
    CONTROL,
    CUSTOMERS,
    IMPORT,
    PATIENCE_S,
    SAME_EMAIL,
    Monotonic,
    Thread,
    World,
    runs_out_of_time,
    task,
    until,
)

from shared.bulk.messages import WorkMessage
from shared.bulk.ports import RunStore, Topic
from shared.bulk.records import Batch, BatchStatus, Run, RunOptions, RunStatus
from shared.bulk.work import ATTEMPTS_USED_UP, MOST_ATTEMPTS, give_up_batch, work_batch
from shared.errors import HostDown, RateLimited, StaleWrite, TransientError
from shared.google.faults import translated

FIRST = "000-000001"
NOBODY = "00000000-0000-4000-8000-000000000000"


def _work(world: World, message: WorkMessage, owner: str = "a", budget_s: float = PATIENCE_S) -> None:
    work_batch(world.app, message, owner, budget_s)


def _batch(world: World, run_id: str) -> Batch:
    (batch,) = world.batches(run_id)
    return batch


def _die_often(world: World, run: Run, batch_id: str) -> None:
    """Take the batch as often as is allowed, without an end."""
    now = world.clock()
    for number in range(MOST_ATTEMPTS):
        world.store.take(run.run_id, run.fence, batch_id, f"dead-{number}", now, now)


def test_an_import_brings_every_customer_over_and_accounts_for_each(world: World) -> None:
    """The whole way in one process: seen = sent + skipped, the lock is gone, and Klaviyo has a profile for everybody."""
    run = world.start()
    world.plan()
    world.work()
    summary = world.summary(run.run_id)
    assert world.status(run.run_id) is RunStatus.COMPLETED
    assert (summary.result.seen, summary.result.sent) == (CUSTOMERS, CUSTOMERS - SAME_EMAIL)
    assert summary.result.skipped == {"same_email_as_newer_customer": SAME_EMAIL}
    assert world.klaviyo()["profiles"] == CUSTOMERS - SAME_EMAIL
    assert world.lock() is None, "the custom object must be gone: to the older product any object means locked"
    assert world.messages(Topic.WORK) == []


def test_a_batch_that_is_delivered_twice_is_worked_once(world: World) -> None:
    """The second delivery finds it done, and acknowledges."""
    run, (message,) = world.planned(RunOptions(ids=world.ids(5)))
    _work(world, message, "a")
    _work(world, message, "b")
    assert world.requests() == 1
    assert world.summary(run.run_id).result.sent == 5
    assert _batch(world, run.run_id).attempts == 1


def test_a_batch_that_somebody_works_on_is_left_to_him(world: World) -> None:
    """The second delivery is refused, so that it comes back in case the first worker dies."""
    run, (message,) = world.planned(RunOptions(ids=world.ids(5)))
    now = world.clock()
    world.store.take(run.run_id, run.fence, FIRST, "a", now, now.replace(year=now.year + 1))
    with pytest.raises(TransientError):
        _work(world, message, "b")
    with pytest.raises(TransientError):
        give_up_batch(world.app, message, "b")
    assert _batch(world, run.run_id).owner == "a"
    assert world.requests() == 0


def test_a_worker_that_outlived_its_lease_cannot_write(world: World) -> None:
    """The batch was taken over while it waited for Klaviyo; its late result is refused, and counted once."""
    run, (message,) = world.planned(RunOptions(ids=world.ids(5)))
    world.klaviyo_fails(kind="hold", seconds=600, first=1, path="/api/profile-bulk-import-jobs")
    slow = Thread(lambda: _work(world, message, "slow"))
    world.klaviyo_holds_a_request()
    world.clock.forward(181)
    _work(world, message, "quick")
    assert world.status(run.run_id) is RunStatus.COMPLETED
    world.klaviyo_fails()
    assert isinstance(slow.join(), TransientError)
    assert world.summary(run.run_id).result.sent == 5
    with pytest.raises(StaleWrite):
        world.store.settle(_batch(world, run.run_id), "slow", BatchStatus.DONE, _batch(world, run.run_id).result, world.clock())


def test_a_batch_whose_worker_died_is_worked_by_the_next_delivery_after_the_lease(world: World) -> None:
    """What was sent may be sent again: the rows are upserts under the same ids."""
    run, (message,) = world.planned(RunOptions(ids=world.ids(5)))
    now = world.clock()
    world.store.take(run.run_id, run.fence, FIRST, "dead", now, now)
    _work(world, message)
    assert (_batch(world, run.run_id).attempts, world.status(run.run_id)) == (2, RunStatus.COMPLETED)


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("host", ["klaviyo", "commercetools"])
def test_wrong_credentials_halt_the_run_and_resume_continues_when_they_are_right(world: World, host: str, status: int) -> None:
    """decisions.md 4: the reason is kept, no attempt is counted, the message is acknowledged, the lock is free meanwhile."""
    run, (message,) = world.planned(RunOptions(ids=world.ids(5)))
    if host == "klaviyo":
        world.klaviyo_fails(kind="status", status=status)
    else:
        world.commercetools_fails(kind="status", status=status, path="/sandbox/customers")
    _work(world, message)
    halted, batch = world.run(run.run_id), _batch(world, run.run_id)
    assert halted.status is RunStatus.HALTED
    assert f"{host} answered {status}" in (halted.halt_reason or "")
    assert (batch.status, batch.attempts) == (BatchStatus.QUEUED, 0)
    assert world.lock() is None

    world.klaviyo_fails()
    world.commercetools_fails()
    world.resume(run.run_id)
    world.work()
    assert world.run(run.run_id).halt_reason is None
    assert (world.status(run.run_id), world.summary(run.run_id).result.sent) == (RunStatus.COMPLETED, 5)


@dataclass(frozen=True)
class Flapping:
    """A store in Firestore, over another one: it is out whenever a batch is to be settled, and there again at once."""

    store: RunStore
    fault: Exception

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def settle(self, *_: object) -> None:
        with translated("Firestore"):
            raise self.fault


@pytest.mark.parametrize("fault", [ServiceUnavailable("out"), ResourceExhausted("quota")], ids=["outage", "quota"])
def test_an_outage_of_the_store_or_its_quota_counts_as_no_attempt(world: World, fault: Exception) -> None:
    """It says nothing about the batch either."""
    run, (message,) = world.planned(RunOptions(ids=world.ids(5)))
    flapping = replace(world.app, store=Flapping(world.store, fault))
    for _ in range(MOST_ATTEMPTS + 1):
        with pytest.raises((HostDown, RateLimited)):
            work_batch(flapping, message, "a", 90.0)
    batch = _batch(world, run.run_id)
    assert (batch.status, batch.attempts) == (BatchStatus.QUEUED, 0)
    _work(world, message)
    assert (world.status(run.run_id), world.summary(run.run_id).result.sent) == (RunStatus.COMPLETED, 5)


@dataclass(frozen=True)
class Unread:
    """A store that gives no run."""

    store: RunStore

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def run(self, run_id: str) -> Run | None:
        raise HostDown(run_id)


@pytest.mark.parametrize("given_up", [False, True], ids=["work", "given_up"])
def test_a_fault_before_the_work_begins_leaves_the_batch_alone(world: World, given_up: bool) -> None:
    """It costs no attempt, and the next delivery need not wait for a lease."""
    run, (message,) = world.planned(RunOptions(ids=world.ids(5)))
    unread = replace(world.app, store=Unread(world.store))
    with pytest.raises(HostDown):
        give_up_batch(unread, message, "a") if given_up else work_batch(unread, message, "a", 90.0)
    batch = _batch(world, run.run_id)
    assert (batch.status, batch.attempts) == (BatchStatus.QUEUED, 0)
    _work(world, message)
    assert world.status(run.run_id) is RunStatus.COMPLETED


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 503},
        {"kind": "reset"},
        {"kind": "status", "status": 404},
    ],
    ids=["503", "no_answer", "404_of_a_collection"],
)
def test_an_outage_of_klaviyo_counts_as_no_attempt(world: World, fault: dict[str, object]) -> None:
    """However long it lasts, the batch is not given up; then it is worked."""
    run, (message,) = world.planned(RunOptions(ids=world.ids(5)))
    world.klaviyo_fails(path="/api/profile-bulk-import-jobs", **fault)
    for _ in range(MOST_ATTEMPTS + 1):
        with pytest.raises(HostDown):
            _work(world, message)
    batch = _batch(world, run.run_id)
    assert (batch.status, batch.attempts) == (BatchStatus.QUEUED, 0)
    world.klaviyo_fails()
    _work(world, message)
    assert (world.status(run.run_id), world.summary(run.run_id).result.sent) == (RunStatus.COMPLETED, 5)


def test_a_429_that_asks_for_more_time_than_there_is_counts_as_no_attempt(world: World) -> None:
    """A used-up quota says nothing about the batch."""
    run, (message,) = world.planned(RunOptions(ids=world.ids(5)))
    world.klaviyo_fails(kind="status", status=429, retry_after="600", path="/api/profile-bulk-import-jobs")
    with pytest.raises(RateLimited):
        _work(world, message)
    batch = _batch(world, run.run_id)
    assert (batch.status, batch.attempts) == (BatchStatus.QUEUED, 0)


def test_an_outage_of_commercetools_counts_as_no_attempt(world: World) -> None:
    """The same on the side that is read from."""
    run, (message,) = world.planned(RunOptions(ids=world.ids(5)))
    world.commercetools_fails(kind="status", status=502, path="/sandbox/customers")
    for _ in range(MOST_ATTEMPTS + 1):
        with pytest.raises(HostDown):
            _work(world, message)
    assert _batch(world, run.run_id).attempts == 0
    world.commercetools_fails()
    _work(world, message)
    assert world.status(run.run_id) is RunStatus.COMPLETED


def test_the_eighth_attempt_that_fails_otherwise_gives_the_batch_up_and_retry_works_it_in_full(world: World) -> None:
    """flows.md "The finish check": seven times the message comes back, then its items are recorded as failed."""
    run, (message,) = world.planned(RunOptions(ids=world.ids(5)))
    world.klaviyo_fails(kind="status", status=408, path="/api/profile-bulk-import-jobs")
    for attempt in range(1, MOST_ATTEMPTS):
        with pytest.raises(TransientError):
            _work(world, message)
        assert (_batch(world, run.run_id).status, _batch(world, run.run_id).attempts) == (BatchStatus.QUEUED, attempt)
    _work(world, message)
    assert _batch(world, run.run_id).status is BatchStatus.FAILED
    assert world.status(run.run_id) is RunStatus.COMPLETED_WITH_ERRORS
    assert world.summary(run.run_id).result.failed == {"TransientError": 5}
    assert world.lock() is None

    world.klaviyo_fails()
    again = world.retry(run.run_id)
    world.plan()
    world.work()
    assert world.status(again.run_id) is RunStatus.COMPLETED
    assert world.summary(again.run_id).result.sent == 5


def test_a_batch_of_a_scan_that_was_given_up_is_retried_in_full_with_the_run_s_filters(world: World) -> None:
    """It has bounds instead of ids."""
    first, *_, last = world.ids(40)
    run, messages = world.planned(RunOptions(start_id=first))
    for message in messages:
        _die_often(world, run, message.batch_id)
        give_up_batch(world.app, message, "queue")
    world.plan()
    assert world.status(run.run_id) is RunStatus.COMPLETED_WITH_ERRORS
    again = world.retry(run.run_id)
    world.plan()
    world.work()
    assert world.summary(again.run_id).result.seen == CUSTOMERS
    assert world.batches(again.run_id)[0].first <= first < last <= world.batches(again.run_id)[-1].last


def test_a_batch_whose_worker_died_each_time_is_recorded_as_failed(world: World) -> None:
    """The queue gave its message up; its items are accounted for, and the run ends."""
    run, (message,) = world.planned(RunOptions(ids=world.ids(5)))
    _die_often(world, run, message.batch_id)
    give_up_batch(world.app, message, "queue")
    give_up_batch(world.app, message, "queue-again")
    assert world.status(run.run_id) is RunStatus.COMPLETED_WITH_ERRORS
    assert world.summary(run.run_id).result.failed == {ATTEMPTS_USED_UP: 5}
    assert (world.summary(run.run_id).result.seen, world.requests()) == (5, 0)


def test_a_message_given_up_during_an_outage_is_queued_anew(world: World) -> None:
    """A hundred deliveries to a host that was down say nothing about the batch: it is worked once the host is back."""
    run, (message,) = world.planned(RunOptions(ids=world.ids(5)))
    give_up_batch(world.app, message, "queue")
    assert (_batch(world, run.run_id).status, _batch(world, run.run_id).attempts) == (BatchStatus.QUEUED, 0)
    world.work()
    assert world.status(run.run_id) is RunStatus.COMPLETED
    assert world.summary(run.run_id).result.sent == 5


def test_a_worker_that_dies_eight_times_is_not_given_the_batch_a_ninth_time(world: World) -> None:
    """Its deaths are attempts, too, also where the queue has patience for more."""
    run, (message,) = world.planned(RunOptions(ids=world.ids(5)))
    _die_often(world, run, FIRST)
    _work(world, message)
    assert world.summary(run.run_id).result.failed == {ATTEMPTS_USED_UP: 5}
    assert (world.status(run.run_id), world.requests()) == (RunStatus.COMPLETED_WITH_ERRORS, 0)


def test_a_deadline_in_the_middle_keeps_what_is_done_and_the_next_delivery_does_the_rest(world: World) -> None:
    """A batch too large for one window: the second window is cut off, the first is not sent again."""
    ids = world.ids(400)
    for customer_id in ids[:210]:
        fields = {f"essay{number}": "x" * 8_000 for number in range(10)}
        world.change_customer(customer_id, custom={"type": {"typeId": "type", "id": NOBODY}, "fields": fields})
    run, (message,) = world.planned(RunOptions(ids=ids))
    runs_out_of_time(world, message, skip=4, method="POST", path="/api/profile-bulk-import-jobs")
    batch = _batch(world, run.run_id)
    assert (batch.status, batch.attempts, batch.cursor) == (BatchStatus.QUEUED, 0, ids[batch.result.seen - 1])
    assert 200 <= batch.result.seen < 400

    world.klaviyo_fails()
    _work(world, message)
    result = world.summary(run.run_id).result
    assert world.status(run.run_id) is RunStatus.COMPLETED
    assert result.seen == 400
    assert world.klaviyo()["profiles"] == result.sent
    assert set(world.klaviyo()["effects"]) == {"profile_created"}, "what was done must not be sent again"


def test_a_delivery_that_found_no_place_to_begin_in_counts_for_nothing(world: World) -> None:
    """However often a batch waits behind others until its time is over, it is worked in the end."""
    run, (message,) = world.planned(RunOptions(ids=world.ids(5)))
    for _ in range(MOST_ATTEMPTS + 2):
        with pytest.raises(TransientError):
            _work(world, message, budget_s=0.0)
    assert _batch(world, run.run_id).attempts == 0
    _work(world, message)
    assert world.status(run.run_id) is RunStatus.COMPLETED
    assert world.summary(run.run_id).result.sent == 5


def test_a_batch_that_never_learns_anything_new_ends_some_day(world: World) -> None:
    """Its job does not end: the first attempt has come to know of it, the others to nothing."""
    run, (message,) = world.planned(RunOptions(ids=world.ids(2)))
    CONTROL.post(f"{world.servers.klaviyo.url}/_sandbox/settings", json={"job_base_s": 600.0}).raise_for_status()
    clock = Monotonic()
    first = Thread(lambda: work_batch(world.app, message, "a", PATIENCE_S, clock))
    until(lambda: world.requests("GET /api/profile-bulk-import-jobs/{job_id}") > 0)
    clock.forward(PATIENCE_S)
    assert isinstance(first.join(), TransientError)
    assert (_batch(world, run.run_id).attempts, bool(_batch(world, run.run_id).carried)) == (0, True)
    for _ in range(10 * MOST_ATTEMPTS):  # on a machine that stands still, some do not come as far as to look at the job
        with pytest.raises(TransientError):
            _work(world, message, budget_s=0.2)
        if _batch(world, run.run_id).attempts == MOST_ATTEMPTS:
            break
    _work(world, message)
    assert world.summary(run.run_id).result.failed == {ATTEMPTS_USED_UP: 2}
    assert world.requests() == 1


def test_a_delivery_that_found_no_place_passes_on_what_is_known(world: World) -> None:
    """What an earlier attempt has found out is not lost by one that did not begin."""
    run, (message,) = world.planned(RunOptions(ids=world.ids(2)))
    now = world.clock()
    taken = world.store.take(run.run_id, run.fence, FIRST, "a", now, now)
    assert isinstance(taken, Batch)
    known = {"phones_dropped": ["0123"]}
    world.store.put_back(taken, "a", cursor=None, result=taken.result, count_attempt=False, carried=known)
    with pytest.raises(TransientError):
        _work(world, message, budget_s=0.0)
    assert _batch(world, run.run_id).carried == known


def test_a_customer_that_cannot_be_read_fails_alone_with_the_place_in_it(world: World) -> None:
    """The field's path, never its value."""
    ids = world.ids(5)
    world.change_customer(ids[2], addresses=[{"id": "one", "country": "DE"}, {"id": "two", "country": {"code": "DE"}}])
    run, (message,) = world.planned(RunOptions(ids=ids))
    _work(world, message)
    result = world.summary(run.run_id).result
    assert world.status(run.run_id) is RunStatus.COMPLETED_WITH_ERRORS
    assert (result.sent, result.failed) == (4, {"unreadable": 1})
    (failed,) = result.failed_items
    assert (failed.id, failed.reason, failed.pointer) == (ids[2], "unreadable", "addresses[1].country")


def test_listed_ids_that_do_not_exist_are_skipped_as_gone(world: World) -> None:
    """Deleted meanwhile, or never there: no failure."""
    run, (message,) = world.planned(RunOptions(ids=sorted([*world.ids(3), NOBODY])))
    _work(world, message)
    result = world.summary(run.run_id).result
    assert (result.seen, result.sent, result.skipped) == (4, 3, {"gone": 1})
    assert world.status(run.run_id) is RunStatus.COMPLETED


def test_a_customer_without_an_e_mail_is_skipped(world: World) -> None:
    """decisions.md 4: nothing to do, counted by its reason."""
    ids = world.ids(3)
    world.change_customer(ids[0], email=" ")
    run, (message,) = world.planned(RunOptions(ids=ids))
    _work(world, message)
    assert world.summary(run.run_id).result.skipped == {"no_email": 1}


def test_a_batch_that_commercetools_refuses_for_good_is_failed_at_once(world: World) -> None:
    """To deliver it again would not help; the rest of the run goes on."""
    run, (message,) = world.planned(RunOptions(ids=world.ids(5)))
    world.commercetools_fails(kind="status", status=400, path="/sandbox/customers")
    _work(world, message)
    assert _batch(world, run.run_id).status is BatchStatus.FAILED
    assert world.status(run.run_id) is RunStatus.COMPLETED_WITH_ERRORS
    assert sum(world.summary(run.run_id).result.failed.values()) == 5


def test_a_dry_run_reads_and_maps_but_sends_nothing(world: World) -> None:
    """Its items count as sent, with up to 20 masked examples."""
    run, (message,) = world.planned(RunOptions(ids=world.ids(30), dry_run=True))
    _work(world, message)
    result = world.summary(run.run_id).result
    assert (result.sent, len(result.examples), world.status(run.run_id)) == (30, 20, RunStatus.COMPLETED)
    assert world.klaviyo()["requests"] == 0


def test_a_work_message_of_an_older_fence_is_acknowledged_and_ignored(world: World) -> None:
    """After a take-over the batch belongs to the new fence."""
    run, (old,) = world.planned(RunOptions(ids=world.ids(5)))
    world.clock.forward(121)
    resumed = world.resume(run.run_id)
    assert task(world.app, Topic.WORK, msgspec.json.encode(old)).status == 204
    assert (world.requests(), _batch(world, run.run_id).attempts) == (0, 0)
    assert resumed.fence > old.fence
    world.work()
    assert world.requests() == 1


def test_the_work_messages_of_a_stopped_run_are_acknowledged_and_nothing_is_sent(world: World) -> None:
    """Neither Klaviyo nor commercetools hears of them."""
    run, messages = world.planned()
    world.stop()
    world.commercetools_fails(kind="status", status=500, path="/sandbox/customers")
    for message in messages:
        assert task(world.app, Topic.WORK, msgspec.json.encode(message)).status == 204
    assert world.klaviyo()["requests"] == 0
    assert {batch.attempts for batch in world.batches(run.run_id)} == {0}


def test_a_batch_nobody_knows_is_acknowledged(world: World) -> None:
    """A message for a batch, or a run, that is not recorded."""
    run = world.start()
    for message in (WorkMessage(run.run_id, run.fence, "009-000009"), WorkMessage("nobody", 1, FIRST)):
        assert task(world.app, Topic.WORK, msgspec.json.encode(message)).status == 204


def test_the_delivery_of_the_last_batch_ends_the_run_also_when_it_finds_it_done(world: World) -> None:
    """A crash between the batch's result and the run's end is mended by the redelivery (flows.md, last line of the table)."""
    run, (message,) = world.planned(RunOptions(ids=world.ids(5)))
    now = world.clock()
    world.store.take(run.run_id, run.fence, FIRST, "a", now, now.replace(year=now.year + 1))
    done = msgspec.structs.replace(_batch(world, run.run_id).result, seen=5, sent=5)
    world.store.settle(_batch(world, run.run_id), "a", BatchStatus.DONE, done, now)
    assert world.status(run.run_id) is RunStatus.RUNNING
    _work(world, message, "b")
    assert world.status(run.run_id) is RunStatus.COMPLETED
    assert (world.lock(), world.requests(IMPORT)) == (None, 0)
