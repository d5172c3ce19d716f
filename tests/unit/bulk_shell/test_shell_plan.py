"""Planning: record first, publish second; however often a message comes, each item is planned once (flows.md "One import")."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from shell_world import BATCH_SIZE, CUSTOMERS, RANGES, SAME_EMAIL, Thread, World, with_queue

from shared.bulk.dispatch import plan_slice
from shared.bulk.messages import PlanMessage, WorkMessage
from shared.bulk.plan import has_begun
from shared.bulk.ports import Topic
from shared.bulk.records import BatchStatus, RunOptions, RunStatus
from shared.bulk.source import LAST_PAGE_S
from shared.errors import HostDown, TransientError

LISTED = [f"{number:032x}" for number in range(1, BATCH_SIZE + 2)]
"""One id more than a batch holds; nobody has them."""


def _message(run_id: str, fence: int, index: int = 0) -> PlanMessage:
    return PlanMessage(run_id, fence, index)


def _fail() -> None:
    raise TransientError("the queue does not answer")


def test_a_plan_covers_every_customer_with_one_batch_message_each(world: World) -> None:
    """Batch records, the advanced cursor and the messages agree, and nothing has been sent yet."""
    run, messages = world.planned()
    batches = world.batches(run.run_id)
    assert sum(batch.size for batch in batches) == CUSTOMERS
    assert messages == [WorkMessage(run.run_id, run.fence, batch.batch_id) for batch in batches]
    *scanned, closing = world.store.ranges(run.run_id)
    assert all(part.done and part.cursor == batches[part.index].last for part in scanned)
    assert not has_begun(closing)
    assert world.status(run.run_id) is RunStatus.RUNNING
    assert world.klaviyo()["requests"] == 0


def test_a_plan_message_that_comes_twice_doubles_no_batch(world: World) -> None:
    """The second delivery at most publishes again what it cannot know to be published; the batch is worked once."""
    run = world.start()
    for index in (*range(RANGES), *range(RANGES)):
        plan_slice(world.app, _message(run.run_id, run.fence, index), 60.0)
    assert len(world.batches(run.run_id)) == RANGES
    world.work()
    assert world.requests() == RANGES
    assert world.summary(run.run_id).result.sent == CUSTOMERS - SAME_EMAIL


def test_two_deliveries_of_a_plan_message_at_once_double_no_batch(world: World) -> None:
    """The write of cursor and batches is conditional, so that one of them finds that the range has moved."""
    run = world.start(RunOptions(ids=LISTED))
    threads = [Thread(lambda: plan_slice(world.app, _message(run.run_id, run.fence), 60.0)) for _ in range(6)]
    assert [thread.join() for thread in threads] == [None] * 6
    assert [batch.size for batch in world.batches(run.run_id)] == [BATCH_SIZE, 1]


def test_what_was_recorded_but_not_published_is_published_by_the_next_slice(world: World) -> None:
    """The queue was away between the record and the message: the delivery fails, and the next one mends it."""
    run = world.start(RunOptions(ids=LISTED))
    with pytest.raises(TransientError):
        plan_slice(with_queue(world, Topic.WORK, _fail), _message(run.run_id, run.fence), 60.0)
    assert [batch.size for batch in world.batches(run.run_id)] == [BATCH_SIZE]
    assert world.messages(Topic.WORK) == []

    plan_slice(world.app, _message(run.run_id, run.fence), 60.0)
    assert [batch.size for batch in world.batches(run.run_id)] == [BATCH_SIZE, 1]
    published = world.messages(Topic.WORK)
    assert published == [WorkMessage(run.run_id, run.fence, name) for name in ("000-000001", "000-000002")]


def test_the_last_batch_of_a_range_is_published_by_the_next_slice_too(world: World) -> None:
    """The range is done already, but its last message never reached the queue."""
    run = world.start(RunOptions(ids=world.ids(3)))
    with pytest.raises(TransientError):
        plan_slice(with_queue(world, Topic.WORK, _fail), _message(run.run_id, run.fence), 60.0)
    assert world.store.ranges(run.run_id)[0].done
    world.plan()
    world.work()
    assert world.status(run.run_id) is RunStatus.COMPLETED


def test_what_was_recorded_but_not_published_is_published_by_resume(world: World) -> None:
    """The process died between the two; a person resumes the interrupted run."""
    run = world.start(RunOptions(ids=world.ids(3)))
    with pytest.raises(TransientError):
        plan_slice(with_queue(world, Topic.WORK, _fail), _message(run.run_id, run.fence), 60.0)
    for delivery in world.take(Topic.PLAN):
        world.queue.ack(delivery)
    world.clock.forward(121)
    resumed = world.resume(run.run_id)
    assert world.messages(Topic.PLAN) == []
    assert world.messages(Topic.WORK) == [WorkMessage(run.run_id, resumed.fence, "000-000001")]
    world.work()
    assert world.status(run.run_id) is RunStatus.COMPLETED
    assert world.summary(run.run_id).result.sent == 3


def test_a_slice_without_time_leaves_the_whole_range_to_its_continuation(world: World) -> None:
    """Out of budget, it publishes the same plan message again, and is done with its own."""
    run = world.start()
    for delivery in world.take(Topic.PLAN):
        plan_slice(world.app, msgspec.json.decode(delivery.body, type=PlanMessage), 0.0)
        world.queue.ack(delivery)
    assert world.batches(run.run_id) == []
    assert world.messages(Topic.PLAN) == [_message(run.run_id, run.fence, index) for index in range(RANGES)]
    world.plan()
    assert sum(batch.size for batch in world.batches(run.run_id)) == CUSTOMERS


def test_a_slice_with_too_little_time_for_another_page_is_continued_after_its_first_batch(world: World) -> None:
    """A page that is cut off would bring its own message back, later and later. What it recorded stands and is published; the
    continuation, which is published at once, goes on behind it."""
    run = world.start(RunOptions(ids=LISTED))
    (delivery,) = world.take(Topic.PLAN)
    world.queue.ack(delivery)
    plan_slice(world.app, _message(run.run_id, run.fence), LAST_PAGE_S - 1)
    assert [batch.size for batch in world.batches(run.run_id)] == [BATCH_SIZE]
    assert not world.store.ranges(run.run_id)[0].done
    assert world.messages(Topic.PLAN) == [_message(run.run_id, run.fence)]

    world.plan()
    assert [batch.size for batch in world.batches(run.run_id)] == [BATCH_SIZE, 1]
    assert {message.batch_id for message in world.messages(Topic.WORK) if isinstance(message, WorkMessage)} == {
        "000-000001",
        "000-000002",
    }


def test_a_plan_message_of_an_older_fence_is_ignored(world: World) -> None:
    """After a take-over only the messages of the new fence count; the old ones are acknowledged."""
    run = world.start()
    old = world.take(Topic.PLAN)
    world.clock.forward(121)
    resumed = world.resume(run.run_id)
    assert [world.push(delivery) for delivery in old] == [204] * RANGES
    assert world.batches(run.run_id) == []
    assert resumed.fence > run.fence
    world.plan()
    assert len(world.batches(run.run_id)) == RANGES


def test_the_plan_messages_of_a_stopped_run_are_acknowledged_and_nothing_is_asked(world: World) -> None:
    """Nothing is read for a run that does not go on."""
    run = world.start()
    world.stop()
    world.commercetools_fails(kind="status", status=500, path="/sandbox/graphql")
    assert world.deliver(Topic.PLAN) == [204] * RANGES
    assert (world.batches(run.run_id), world.messages(Topic.PLAN)) == ([], [])
    assert world.status(run.run_id) is RunStatus.STOPPED


def test_a_plan_message_of_an_unknown_run_is_acknowledged(world: World) -> None:
    """As after the state file was replaced."""
    world.app.queue.publish(Topic.PLAN, [msgspec.json.encode(_message("nobody", 1))])
    assert world.deliver(Topic.PLAN) == [204]


@pytest.mark.parametrize("status", [401, 403])
def test_wrong_credentials_halt_the_run_until_they_are_right_again(world: World, status: int) -> None:
    """decisions.md 4: 401 and 403 need a person; `resume` continues where the run was."""
    run = world.start()
    world.commercetools_fails(kind="status", status=status, path="/sandbox/graphql")
    assert world.deliver(Topic.PLAN) == [204] * RANGES
    halted = world.run(run.run_id)
    assert halted.status is RunStatus.HALTED
    assert f"commercetools answered {status}" in (halted.halt_reason or "")
    assert world.lock() is None

    world.commercetools_fails()
    assert world.resume(run.run_id).halt_reason is None
    world.plan()
    world.work()
    assert world.status(run.run_id) is RunStatus.COMPLETED
    assert world.summary(run.run_id).result.seen == CUSTOMERS


def test_a_query_that_commercetools_refuses_for_good_halts_the_run_with_its_code(world: World) -> None:
    """To ask again would not help, and nothing may be left out silently."""
    run = world.start()
    world.commercetools_fails(kind="status", status=400, path="/sandbox/graphql")
    world.deliver(Topic.PLAN)
    halted = world.run(run.run_id)
    assert halted.status is RunStatus.HALTED
    assert "commercetools answered 400" in (halted.halt_reason or "")


@pytest.mark.parametrize(
    "fault",
    [{"kind": "status", "status": 503}, {"kind": "reset"}, {"kind": "truncate"}, {"kind": "status", "status": 429}],
    ids=["503", "no_answer", "half_an_answer", "429"],
)
def test_a_plan_that_cannot_be_made_now_is_made_by_a_later_delivery(world: World, fault: dict[str, object]) -> None:
    """The delivery is refused, so that the message comes back."""
    run = world.start()
    world.commercetools_fails(path="/sandbox/graphql", retry_after="90", **fault)
    deliveries = world.take(Topic.PLAN)
    for delivery in deliveries:
        message = msgspec.json.decode(delivery.body, type=PlanMessage)
        with pytest.raises((HostDown, TransientError)):
            plan_slice(world.app, message, 20.0)
        world.queue.nack(delivery, 0.0)
    assert (world.status(run.run_id), world.batches(run.run_id)) == (RunStatus.RUNNING, [])
    world.commercetools_fails()
    world.plan()
    assert sum(batch.size for batch in world.batches(run.run_id)) == CUSTOMERS


def test_a_range_in_which_nothing_is_found_is_done_without_a_batch(world: World) -> None:
    """The finish check at the end of the plan's own delivery ends a run that has nothing to do."""
    run = world.start(RunOptions(created_after="2100-01-01T00:00:00Z"))
    world.plan()
    assert (world.status(run.run_id), world.batches(run.run_id)) == (RunStatus.COMPLETED, [])
    assert world.lock() is None


def test_a_plan_stops_within_a_second_of_a_stop(world: World) -> None:
    """Every page looks first; a slow commercetools does not hold a stop up."""
    run = world.start()
    world.commercetools_fails(kind="hold", seconds=600, path="/sandbox/graphql")
    thread = Thread(lambda: plan_slice(world.app, _message(run.run_id, run.fence), 60.0))
    world.commercetools_holds_a_request()
    world.stop()
    world.commercetools_fails()
    assert thread.join() is None
    assert world.status(run.run_id) is RunStatus.STOPPED
    assert world.batches(run.run_id) == []


def test_the_planner_stays_the_owner_of_its_run_while_it_works(world: World) -> None:
    """flows.md "Leases": whichever part works renews the run's lease after a third of it has passed."""
    run = world.start()
    world.clock.forward(50)
    world.commercetools_fails(kind="delay", seconds=1.1, path="/sandbox/graphql")
    plan_slice(world.app, _message(run.run_id, run.fence), 60.0)
    assert world.run(run.run_id).lease_until > run.lease_until
    assert world.store.batches(run.run_id, [BatchStatus.QUEUED])
    assert replace(world.app).now() < world.run(run.run_id).lease_until
