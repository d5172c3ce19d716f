"""A chain imports all kinds one after the other, and survives whatever happens between its links (flows.md "One import")."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from shell_world import CUSTOMERS, PRODUCTS, SAME_EMAIL, Thread, World, soon, with_queue

from shared.bulk import chain, chain_control, commands, control
from shared.bulk.control import Locked, NothingRuns, NotPossible
from shared.bulk.finish import finish_check, keep_lease, stop_run
from shared.bulk.http.api import answer
from shared.bulk.ports import Topic
from shared.bulk.records import LINKS, Kind, Run, RunOptions, RunStatus, child_id
from shared.bulk.run import LEASE_S, shown_status
from shared.commercetools import custom_objects
from shared.commercetools.lock import CONTAINER, KEYS
from shared.errors import HostDown, TransientError
from shared.http import ApiRequest

NOTHING = RunOptions(created_after="2100-01-01T00:00:00Z", dry_run=True)
"""Matches nothing and sweeps nothing, so that one plan message is all of a link."""

CATEGORIES, PRODUCTS_LINK, CUSTOMERS_LINK, ORDERS = LINKS


def start(world: World, options: RunOptions = NOTHING) -> Run:
    """Start a chain."""
    return commands.start(world.app, Kind.ALL, options, soon())


def link(world: World, parent: Run, kind: Kind) -> Run | None:
    """A link of the chain, as it stands now."""
    return world.store.run(child_id(parent.run_id, kind))


def links(world: World, parent: Run) -> list[RunStatus | None]:
    """Where the links stand, in their order; None: not begun."""
    return [found.status if (found := link(world, parent, kind)) else None for kind in LINKS]


def lock_owners(world: World) -> list[str | None]:
    """Who holds the import locks, in the order of the links."""
    return [getattr(world.app.lock.read(kind.value, soon()), "run_id", None) for kind in LINKS]


def put_lock(world: World, kind: Kind) -> None:
    """Another product holds the lock of a kind."""
    custom_objects.put(world.app.commercetools, CONTAINER, KEYS[kind.value], "1", budget=soon())


def run_until(world: World, parent: Run, kind: Kind) -> None:
    """Deliver what there is until the link of this kind is about to be planned."""
    for _ in range(100):
        if link(world, parent, kind):
            return
        for delivery in world.take(Topic.PLAN):
            world.push(delivery)
            if link(world, parent, kind):
                break
    raise AssertionError("it did not come about")


def status(world: World, path: str) -> dict[str, Any]:
    """What the API shows."""
    return dict(msgspec.json.decode(answer(world.app, ApiRequest("GET", path, {"host": "localhost"}, {}, b"")).body))


def test_a_chain_brings_over_everything_kind_by_kind(world: World) -> None:
    """Categories, products, customers, orders: each an ordinary run, which begins when the one before has ended."""
    parent = start(world, RunOptions())
    assert links(world, parent) == [RunStatus.ACCEPTED, None, None, None]
    assert lock_owners(world) == [child_id(parent.run_id, CATEGORIES), None, None, None]
    world.plan()
    world.work()
    runs = [world.run(child_id(parent.run_id, kind)) for kind in LINKS]
    assert [run.finished_at <= after.started_at for run, after in pairwise(runs) if run.finished_at] == [True] * 3
    assert {run.status for run in runs} <= {RunStatus.COMPLETED, RunStatus.COMPLETED_WITH_ERRORS}
    assert world.status(parent.run_id) in {RunStatus.COMPLETED, RunStatus.COMPLETED_WITH_ERRORS}
    assert lock_owners(world) == [None] * 4
    assert world.summary(runs[2].run_id).result.sent == CUSTOMERS - SAME_EMAIL

    shown = status(world, f"/runs/{parent.run_id}")
    assert shown["seen"] == shown["sent"] + shown["skipped"] + shown["failed"] == sum(one["seen"] for one in shown["children"])
    assert [one["kind"] for one in shown["children"]] == [kind.value for kind in LINKS]
    assert shown["children"][1]["seen"] >= PRODUCTS
    assert (shown["progress"], shown["kind"], shown["resumable"]) == (1.0, "all", False)


def test_the_status_sums_up_what_has_begun_and_names_what_has_not(world: World) -> None:
    """A kind that waits is pending, without an id; each kind is a quarter of the progress."""
    parent = start(world)
    run_until(world, parent, PRODUCTS_LINK)
    shown = status(world, "/sync/all/status")
    assert [one["status"] for one in shown["children"]] == ["completed", "accepted", "pending", "pending"]
    assert [one["runId"] is None for one in shown["children"]] == [False, False, True, True]
    assert (shown["status"], shown["progress"], shown["total"], shown["etaSeconds"]) == ("running", 0.25, None, None)
    kinds = status(world, "/sync/status")["kinds"]
    assert set(kinds) == {*map(str, Kind)}
    assert (kinds["all"]["runId"], kinds["products"]["runId"]) == (parent.run_id, child_id(parent.run_id, PRODUCTS_LINK))
    assert kinds["orders"] is None


def test_looking_at_a_chain_begins_nothing(world: World) -> None:
    """Only deliveries take steps: whoever looks waits for no host."""
    parent = start(world)
    (delivery,) = world.take(Topic.PLAN)
    failing = with_queue(world, Topic.PLAN, _fail)
    assert world.push(delivery, failing) == 503
    before = links(world, parent)
    status(world, f"/runs/{parent.run_id}")
    assert links(world, parent) == before


def stopped_beside_a_dead_worker(world: World, lease_s: float = 30.0) -> Run:
    """A chain that was asked to stop, of whose first link a dead worker holds a batch."""
    parent = start(world, RunOptions())
    world.plan()
    link_id = child_id(parent.run_id, CATEGORIES)
    now, batch = world.clock(), world.batches(link_id)[0]
    world.store.take(link_id, world.run(link_id).fence, batch.batch_id, "dead", now, now + timedelta(seconds=lease_s))
    assert commands.stop(world.app, Kind.ALL).status is RunStatus.STOPPING
    return parent


def test_looking_ends_a_chain_whose_last_worker_died_while_it_was_stopping(world: World) -> None:
    """Its message has not come again yet."""
    parent = stopped_beside_a_dead_worker(world)
    assert status(world, f"/runs/{parent.run_id}")["status"] == "stopping"
    world.clock.forward(31)
    assert status(world, f"/runs/{parent.run_id}")["status"] == "stopped"


def test_a_chain_that_is_stopped_just_after_its_worker_died_ends_by_itself(world: World) -> None:
    """That worker's message comes again until its lease is over."""
    parent = stopped_beside_a_dead_worker(world)
    assert world.deliver(Topic.WORK) == [503]
    assert world.status(parent.run_id) is RunStatus.STOPPING
    world.clock.forward(31)
    world.work()
    assert (world.status(parent.run_id), links(world, parent)[0]) == (RunStatus.STOPPED, RunStatus.STOPPED)


@pytest.mark.parametrize("kind", [Kind.ALL, CATEGORIES], ids=["a chain", "the kind of its link"])
@pytest.mark.parametrize("lease_s", [30.0, 180.0])
def test_a_chain_that_is_to_stop_is_not_abandoned_by_the_next_start(world: World, kind: Kind, lease_s: float) -> None:
    """Whether the dead worker's lease is over, and nobody has looked since, or not; it can be resumed afterwards."""
    parent = stopped_beside_a_dead_worker(world, lease_s)
    world.clock.forward(LEASE_S + 1)
    commands.start(world.app, kind, NOTHING, soon())
    commands.stop(world.app, kind)
    world.clock.forward(60)
    assert status(world, f"/runs/{parent.run_id}")["status"] == "stopped"
    assert commands.resume(world.app, parent.run_id, soon()).status is RunStatus.RUNNING


def test_a_chain_that_could_have_stopped_is_not_abandoned_by_a_resume(world: World) -> None:
    """Of another chain."""
    other = start(world)
    commands.stop(world.app, Kind.ALL)
    parent = stopped_beside_a_dead_worker(world)
    world.clock.forward(LEASE_S + 1)
    commands.resume(world.app, other.run_id, soon())
    assert (world.status(parent.run_id), links(world, parent)[0]) == (RunStatus.STOPPED, RunStatus.STOPPED)


def test_the_options_of_a_chain_are_those_of_its_links(world: World) -> None:
    """Dates and dry run; a dry run sends nothing and sweeps nothing."""
    options = RunOptions(created_after="2000-01-01T00:00:00Z", modified_after="2000-01-01T00:00:00Z", dry_run=True)
    parent = start(world, options)
    world.plan()
    world.work()
    for kind in LINKS:
        run = world.run(child_id(parent.run_id, kind))
        assert run.options == options
        assert not [part for part in world.store.ranges(run.run_id) if part.closing]
    assert world.klaviyo()["effects"] == {}


@pytest.mark.parametrize("kind", LINKS)
def test_a_chain_does_not_start_beside_an_import_of_any_kind(world: World, kind: Kind) -> None:
    """Also of one that would come last."""
    other = control.start(world.app, kind, NOTHING, soon())
    with pytest.raises(Locked) as locked:
        start(world)
    assert (locked.value.kind, locked.value.run_id) == (kind, other.run_id)
    assert world.store.runs(Kind.ALL) == []


def test_a_chain_starts_once_an_import_that_is_to_stop_has_nothing_under_way(world: World) -> None:
    """Its worker died, and nobody has looked since that lease ended: this is settled first, as before a start of its kind."""
    other, _ = world.planned()
    now, batch = world.clock(), world.batches(other.run_id)[0]
    world.store.take(other.run_id, other.fence, batch.batch_id, "dead", now, now + timedelta(seconds=30))
    assert world.stop().status is RunStatus.STOPPING
    with pytest.raises(Locked):
        start(world)
    world.clock.forward(31)
    assert start(world).status is RunStatus.ACCEPTED
    assert world.status(other.run_id) is RunStatus.STOPPED


@pytest.mark.parametrize("kind", LINKS)
def test_a_chain_does_not_start_while_another_product_holds_a_lock(world: World, kind: Kind) -> None:
    """The answer names the kind and what clears the lock."""
    put_lock(world, kind)
    with pytest.raises(Locked, match=f"ct-klaviyo unlock {kind.value}"):
        start(world)
    assert (world.store.runs(), world.messages(Topic.PLAN)) == ([], [])


def test_a_chain_does_not_start_beside_another_one(world: World) -> None:
    """From whatever instance; a second one can when the first has ended."""
    parent = start(world)
    run_until(world, parent, CUSTOMERS_LINK)
    with pytest.raises(Locked) as locked:
        start(world)
    assert locked.value.run_id in {parent.run_id, child_id(parent.run_id, CUSTOMERS_LINK)}
    world.plan()
    assert start(world).status is RunStatus.ACCEPTED


def test_of_several_starts_at_once_one_wins(world: World) -> None:
    """The others are told, and leave nothing behind."""
    threads = [Thread(lambda: start(world)) for _ in range(4)]
    errors = [thread.join() for thread in threads]
    assert errors.count(None) == 1
    assert {type(error) for error in errors if error} == {Locked}
    assert len(world.store.runs(Kind.ALL)) == 1
    world.plan()
    assert world.store.runs(Kind.ALL)[0].status is RunStatus.COMPLETED


def test_the_lock_of_a_run_of_ours_that_has_ended_is_no_obstacle(world: World) -> None:
    """It could not be given back, and nobody works under it any more."""
    control.start(world.app, CUSTOMERS_LINK, NOTHING, soon())
    world.commercetools_fails(kind="status", status=503, path="/sandbox/custom-objects")
    control.stop(world.app, CUSTOMERS_LINK)
    world.commercetools_fails()
    parent = start(world)
    world.plan()
    assert world.status(parent.run_id) is RunStatus.COMPLETED


def test_a_start_that_cannot_publish_leaves_nothing_that_goes_on(world: World) -> None:
    """Chain and link are stopped, the lock is free."""
    with pytest.raises(TransientError):
        commands.start(with_queue(world, Topic.PLAN, _fail), Kind.ALL, NOTHING, soon())
    (parent,) = world.store.runs(Kind.ALL)
    assert (parent.status, links(world, parent)[0]) == (RunStatus.STOPPED, RunStatus.STOPPED)
    assert lock_owners(world) == [None] * 4


def test_failed_items_of_a_kind_do_not_keep_the_next_from_beginning(world: World) -> None:
    """The chain completes with errors; the links are retried one by one."""
    customer = world.ids(1)[0]
    world.change_customer(customer, firstName={"not": "a text"})
    parent = start(world, RunOptions())
    world.plan()
    world.work()
    assert links(world, parent)[2] is RunStatus.COMPLETED_WITH_ERRORS
    assert links(world, parent)[3] is not None
    assert world.status(parent.run_id) is RunStatus.COMPLETED_WITH_ERRORS
    failed = child_id(parent.run_id, CUSTOMERS_LINK)
    with pytest.raises(NotPossible, match=f"ct-klaviyo retry {failed}"):
        commands.retry(world.app, parent.run_id, soon())
    world.change_customer(customer, firstName="Mended")
    again = commands.retry(world.app, failed, soon())
    assert (again.kind, again.parent) == (Kind.CUSTOMERS, None)


def test_a_chain_without_failures_has_nothing_to_retry(world: World) -> None:
    """As any run."""
    parent = start(world)
    world.plan()
    with pytest.raises(NotPossible, match="nothing failed"):
        commands.retry(world.app, parent.run_id, soon())


def test_stopping_a_chain_stops_its_link_and_begins_no_other(world: World) -> None:
    """Resume goes on where it was, and to the end."""
    parent = start(world)
    run_until(world, parent, PRODUCTS_LINK)
    assert commands.stop(world.app, Kind.ALL).status is RunStatus.STOPPED
    assert links(world, parent) == [RunStatus.COMPLETED, RunStatus.STOPPED, None, None]
    assert lock_owners(world) == [None] * 4
    world.plan()
    assert links(world, parent)[2:] == [None, None]

    resumed = commands.resume(world.app, parent.run_id, soon())
    assert (resumed.run_id, resumed.status, resumed.fence > parent.fence) == (parent.run_id, RunStatus.RUNNING, True)
    world.plan()
    assert links(world, parent) == [RunStatus.COMPLETED] * 4
    assert world.status(parent.run_id) is RunStatus.COMPLETED


def test_a_chain_waits_for_its_worker_before_it_has_stopped(world: World) -> None:
    """What is under way is put back first, as in any run."""
    parent = start(world, RunOptions())
    world.plan()
    world.klaviyo_fails(kind="delay", seconds=600, method="POST")
    deliveries = world.take(Topic.WORK)
    worker = Thread(lambda: world.push(deliveries[0]))
    world.klaviyo_holds_a_request()
    assert commands.stop(world.app, Kind.ALL).status is RunStatus.STOPPING
    assert worker.join() is None
    assert (world.status(parent.run_id), links(world, parent)[0]) == (RunStatus.STOPPED, RunStatus.STOPPED)


def test_stopping_one_kind_stops_the_chain(world: World) -> None:
    """And resuming that kind resumes the chain."""
    parent = start(world)
    run_until(world, parent, PRODUCTS_LINK)
    stopped = commands.stop(world.app, PRODUCTS_LINK)
    assert stopped.run_id == child_id(parent.run_id, PRODUCTS_LINK)
    assert world.status(parent.run_id) is RunStatus.STOPPED
    assert commands.resume(world.app, stopped.run_id, soon()).run_id == parent.run_id
    world.plan()
    assert world.status(parent.run_id) is RunStatus.COMPLETED


def test_without_a_chain_there_is_nothing_to_stop(world: World) -> None:
    """An import of one kind is none."""
    control.start(world.app, CATEGORIES, NOTHING, soon())
    with pytest.raises(NothingRuns):
        commands.stop(world.app, Kind.ALL)


def test_a_link_that_halts_halts_the_chain_with_its_reason(world: World) -> None:
    """A person mends it, and resume continues with that link."""
    parent = start(world)
    run_until(world, parent, CUSTOMERS_LINK)
    world.commercetools_fails(kind="status", status=403, path="/sandbox/graphql")
    world.plan()
    found = world.run(parent.run_id)
    assert (found.status, links(world, parent)[2:]) == (RunStatus.HALTED, [RunStatus.HALTED, None])
    assert (found.halt_reason or "").startswith("customers: commercetools answered 403")
    world.commercetools_fails()
    commands.resume(world.app, parent.run_id, soon())
    world.plan()
    assert (world.status(parent.run_id), world.run(parent.run_id).halt_reason) == (RunStatus.COMPLETED, None)


def test_a_kind_that_somebody_locks_meanwhile_halts_the_chain(world: World) -> None:
    """The reason names the kind and what to do; a resume while it is locked is refused and changes nothing."""
    parent = start(world)
    run_until(world, parent, PRODUCTS_LINK)
    put_lock(world, CUSTOMERS_LINK)
    world.plan()
    found = world.run(parent.run_id)
    assert (found.status, links(world, parent)[2:]) == (RunStatus.HALTED, [None, None])
    for words in ("the import lock of customers", "ct-klaviyo unlock customers", f"ct-klaviyo resume {parent.run_id}"):
        assert words in (found.halt_reason or "")
    with pytest.raises(Locked):
        commands.resume(world.app, parent.run_id, soon())
    assert world.status(parent.run_id) is RunStatus.HALTED
    world.app.lock.clear("customers", soon())
    commands.resume(world.app, parent.run_id, soon())
    world.plan()
    assert world.status(parent.run_id) is RunStatus.COMPLETED


@pytest.mark.parametrize("refusal", [400, 403])
def test_a_refusal_between_two_links_halts_the_chain(world: World, refusal: int) -> None:
    """Nothing would change by trying again."""
    parent = start(world)
    world.commercetools_fails(kind="status", status=refusal, path="/sandbox/custom-objects", method="GET")
    world.plan()
    found = world.run(parent.run_id)
    assert (found.status, links(world, parent)[0]) == (RunStatus.HALTED, RunStatus.COMPLETED)
    assert f"commercetools answered {refusal}" in (found.halt_reason or "")


def test_commercetools_being_away_between_two_links_brings_the_message_again(world: World) -> None:
    """The chain goes on as soon as it is back, without anybody's help."""
    parent = start(world)
    (delivery,) = world.take(Topic.PLAN)
    world.commercetools_fails(kind="status", status=503, path="/sandbox/custom-objects")
    assert world.push(delivery) == 503
    assert links(world, parent) == [RunStatus.COMPLETED, None, None, None]
    world.commercetools_fails()
    world.clock.forward(LEASE_S + 1)  # the lock could not be given back
    world.plan()
    assert world.status(parent.run_id) is RunStatus.COMPLETED


def test_a_death_between_two_links_is_made_good_by_the_redelivery(world: World) -> None:
    """The link is over, its message not acknowledged: it comes again, finds the link at its end, and takes the step."""
    parent = start(world)
    (delivery,) = world.take(Topic.PLAN)
    assert world.push(delivery, with_queue(world, Topic.PLAN, _fail)) == 503
    assert links(world, parent) == [RunStatus.COMPLETED, RunStatus.ACCEPTED, None, None]
    assert world.messages(Topic.PLAN)[0].run_id == child_id(parent.run_id, CATEGORIES), "nobody was told of the second link"
    world.plan()
    assert world.status(parent.run_id) is RunStatus.COMPLETED


def test_a_link_whose_lock_was_taken_by_a_process_that_died_begins_when_that_has_run_out(world: World) -> None:
    """Until then the message comes again: whoever has the lock may still be at it."""
    parent = start(world)
    (delivery,) = world.take(Topic.PLAN)
    second = child_id(parent.run_id, PRODUCTS_LINK)
    world.app.lock.take("products", f"{second}.1", 60.0, soon())
    assert world.push(delivery) == 503
    assert link(world, parent, PRODUCTS_LINK) is None
    assert world.status(parent.run_id) is not RunStatus.HALTED
    world.app.lock.clear("products", soon())
    world.plan()
    assert world.status(parent.run_id) is RunStatus.COMPLETED


def test_many_deliveries_at_once_begin_one_link(world: World) -> None:
    """Its id follows from the chain's; whoever comes second finds it there."""
    parent = start(world)
    finish_without_a_step(world, parent)
    threads = [Thread(lambda: chain.advance(world.app, parent.run_id)) for _ in range(5)]
    assert {type(error) for thread in threads if (error := thread.join())} <= {TransientError}
    assert links(world, parent)[1:] == [RunStatus.ACCEPTED, None, None]
    assert len(world.store.runs(PRODUCTS_LINK)) == 1
    world.plan()
    assert world.status(parent.run_id) is RunStatus.COMPLETED


def finish_without_a_step(world: World, parent: Run) -> None:
    """The first link ends, and whoever saw it died before the next step."""
    first = world.run(child_id(parent.run_id, CATEGORIES))
    (delivery,), (part,) = world.take(Topic.PLAN), world.store.ranges(first.run_id)
    world.store.record(first.run_id, first.fence, part, msgspec.structs.replace(part, done=True), [])
    world.queue.ack(delivery)
    finish_check(world.app, first.run_id)
    assert links(world, parent) == [RunStatus.COMPLETED, None, None, None]


def test_a_chain_whose_start_died_before_its_first_link_is_resumed(world: World) -> None:
    """It is recorded, but nobody was told."""
    parent = chain_control._new_chain(world.app, NOTHING)
    world.store.create(parent, [])
    world.clock.forward(LEASE_S + 1)
    assert shown_status(world.run(parent.run_id), world.clock()) == "interrupted"
    commands.resume(world.app, parent.run_id, soon())
    world.plan()
    assert world.status(parent.run_id) is RunStatus.COMPLETED


def test_a_link_recorded_while_its_chain_was_stopped_is_never_planned(world: World) -> None:
    """Stop looked for links before this one was there; this one looks for the stop before anybody is told of it."""
    parent = start(world)
    finish_without_a_step(world, parent)
    before = world.run(parent.run_id)
    assert commands.stop(world.app, Kind.ALL).status is RunStatus.STOPPED
    control.begin(world.app, PRODUCTS_LINK, child_id(parent.run_id, PRODUCTS_LINK), NOTHING, soon(), parent=before)
    chain.advance(world.app, parent.run_id)
    assert links(world, parent)[1:] == [RunStatus.STOPPED, None, None]
    assert world.messages(Topic.PLAN) == []


def test_who_works_on_a_link_keeps_the_chain(world: World) -> None:
    """A chain is interrupted only when nothing of it works."""
    parent = start(world)
    world.clock.forward(LEASE_S - 10)
    running = link(world, parent, CATEGORIES)
    assert running is not None
    keep_lease(world.app, running)
    world.clock.forward(60)
    assert shown_status(world.run(parent.run_id), world.clock()) == "accepted"
    world.clock.forward(LEASE_S)
    assert shown_status(world.run(parent.run_id), world.clock()) == "interrupted"


def test_an_interrupted_chain_is_taken_up_with_its_link(world: World) -> None:
    """Under new fences: what the dead process left in the queue is ignored."""
    parent = start(world)
    run_until(world, parent, PRODUCTS_LINK)
    before = link(world, parent, PRODUCTS_LINK)
    world.clock.forward(LEASE_S + 1)
    commands.resume(world.app, parent.run_id, soon())
    after = link(world, parent, PRODUCTS_LINK)
    assert before is not None
    assert after is not None
    assert after.fence > before.fence
    world.plan()
    assert world.status(parent.run_id) is RunStatus.COMPLETED


@pytest.mark.parametrize("kind", [Kind.ALL, PRODUCTS_LINK], ids=["a chain", "the kind of its link"])
def test_a_start_over_an_interrupted_chain_abandons_it_with_its_link(world: World, kind: Kind) -> None:
    """Neither can be resumed, and its messages do nothing any more."""
    parent = start(world)
    run_until(world, parent, PRODUCTS_LINK)
    old = world.take(Topic.PLAN)
    world.clock.forward(LEASE_S + 1)
    new = commands.start(world.app, kind, NOTHING, soon())
    assert world.status(parent.run_id) is RunStatus.ABANDONED
    assert links(world, parent) == [RunStatus.COMPLETED, RunStatus.ABANDONED, None, None]
    assert [world.push(delivery) for delivery in old] == [204] * len(old)
    world.plan()
    assert world.status(new.run_id) is RunStatus.COMPLETED
    assert links(world, parent)[2:] == [None, None]
    with pytest.raises(NotPossible):
        commands.resume(world.app, parent.run_id, soon())


def test_a_start_beside_a_stopped_chain_leaves_it_resumable(world: World) -> None:
    """As with runs of one kind."""
    parent = start(world)
    commands.stop(world.app, Kind.ALL)
    start(world)
    world.plan()
    assert world.status(parent.run_id) is RunStatus.STOPPED
    commands.resume(world.app, parent.run_id, soon())
    world.plan()
    assert world.status(parent.run_id) is RunStatus.COMPLETED


def test_a_resumed_chain_is_the_one_that_counts_whatever_was_started_since(world: World) -> None:
    """It excludes other chains, and is what a stop stops."""
    older = start(world)
    commands.stop(world.app, Kind.ALL)
    newer = start(world)
    run_until(world, newer, PRODUCTS_LINK)
    commands.stop(world.app, Kind.ALL)
    commands.resume(world.app, older.run_id, soon())
    with pytest.raises(Locked) as locked:
        commands.resume(world.app, newer.run_id, soon())
    assert locked.value.run_id == older.run_id
    with pytest.raises(Locked):
        start(world)
    assert status(world, "/sync/all/status")["runId"] == older.run_id
    assert commands.stop(world.app, Kind.ALL).run_id == older.run_id
    assert (world.status(older.run_id), world.status(newer.run_id)) == (RunStatus.STOPPED, RunStatus.STOPPED)


@pytest.mark.parametrize("resumes", [False, True], ids=["start", "resume"])
def test_an_interrupted_chain_is_abandoned_also_when_it_is_not_the_newest(world: World, resumes: bool) -> None:
    """By the next start, and by the resume of another."""
    older = start(world)
    commands.stop(world.app, Kind.ALL)
    newer = start(world)
    run_until(world, newer, PRODUCTS_LINK)
    commands.stop(world.app, Kind.ALL)
    commands.resume(world.app, older.run_id, soon())
    world.clock.forward(LEASE_S + 1)
    new = commands.resume(world.app, newer.run_id, soon()) if resumes else start(world)
    assert (world.status(older.run_id), links(world, older)[0]) == (RunStatus.ABANDONED, RunStatus.ABANDONED)
    world.plan()
    assert world.status(new.run_id) is RunStatus.COMPLETED


def test_a_link_that_was_begun_by_another_delivery_keeps_its_lock(world: World) -> None:
    """Who comes second takes nothing from it."""
    parent = start(world)
    begun = link(world, parent, CATEGORIES)
    assert begun is not None
    again = control.begin(world.app, CATEGORIES, begun.run_id, NOTHING, soon(), parent=parent)
    assert (again, lock_owners(world)[0]) == (begun, begun.run_id)


@pytest.mark.parametrize("of_link", [False, True], ids=["the chain", "its link"])
def test_a_resume_finds_a_link_at_its_end_whose_chain_was_not_told(world: World, of_link: bool) -> None:
    """The process died in between: there is something to resume."""
    parent = start(world)
    link_id = child_id(parent.run_id, CATEGORIES)
    stop_run(world.app, link_id, halt_reason="credentials")
    assert (world.status(parent.run_id), world.status(link_id)) == (RunStatus.ACCEPTED, RunStatus.HALTED)
    resumed = commands.resume(world.app, link_id if of_link else parent.run_id, soon())
    assert (resumed.run_id, resumed.status) == (parent.run_id, RunStatus.RUNNING)
    world.plan()
    assert world.status(parent.run_id) is RunStatus.COMPLETED


def test_a_resume_ends_a_chain_whose_last_worker_died_while_its_link_was_halting(world: World) -> None:
    """Nobody has looked at the link since the worker's lease has run out."""
    parent = start(world, RunOptions())
    world.plan()
    link_id = child_id(parent.run_id, CATEGORIES)
    now, batch = world.clock(), world.batches(link_id)[0]
    world.store.take(link_id, world.run(link_id).fence, batch.batch_id, "dead", now, now + timedelta(seconds=30))
    stop_run(world.app, link_id, halt_reason="credentials")
    world.clock.forward(31)
    assert commands.resume(world.app, parent.run_id, soon()).status is RunStatus.RUNNING


def test_a_chain_that_goes_on_or_has_ended_cannot_be_resumed(world: World) -> None:
    """Nor can its links."""
    parent = start(world)
    for run_id in (parent.run_id, child_id(parent.run_id, CATEGORIES)):
        with pytest.raises(NotPossible):
            commands.resume(world.app, run_id, soon())
    world.plan()
    for run_id in (parent.run_id, child_id(parent.run_id, CATEGORIES)):
        with pytest.raises(NotPossible):
            commands.resume(world.app, run_id, soon())


def test_a_resume_that_could_not_publish_is_mended_by_the_next_one(world: World) -> None:
    """The chain halts with the reason, and its link stops with it."""
    parent = start(world)
    commands.stop(world.app, Kind.ALL)
    with pytest.raises(TransientError):
        commands.resume(with_queue(world, Topic.PLAN, _fail), parent.run_id, soon())
    assert (world.status(parent.run_id), links(world, parent)[0]) == (RunStatus.HALTED, RunStatus.STOPPED)
    commands.resume(world.app, parent.run_id, soon())
    world.plan()
    assert world.status(parent.run_id) is RunStatus.COMPLETED


@pytest.mark.parametrize("calls", [commands.resume, commands.retry])
def test_a_resume_and_a_retry_while_commercetools_is_away_say_so(world: World, calls: Callable[..., Run]) -> None:
    """And change nothing that the next one could not mend."""
    parent = start(world)
    commands.stop(world.app, Kind.ALL)
    world.commercetools_fails(kind="status", status=503)
    with pytest.raises((HostDown, NotPossible)):
        calls(world.app, parent.run_id, soon())
    world.commercetools_fails()
    commands.resume(world.app, parent.run_id, soon())
    world.plan()
    assert world.status(parent.run_id) is RunStatus.COMPLETED


def _fail() -> None:
    raise TransientError("the queue does not answer")
