"""An import of everything on Google Cloud, and notifications that come meanwhile; a worker that was late writes nothing."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from google_emulators import IN_ONE_PROCESS

from sandbox.checker_sources import stored
from sandbox.emulators import Emulators
from sandbox.google_cloud import GoogleCloud, Layout
from sandbox.launch import Sandbox
from shared.bulk.app import ImportApp
from shared.bulk.messages import WorkMessage
from shared.bulk.records import BatchStatus
from shared.bulk.watch import BATCH_LEASE_S
from shared.bulk.wiring import open_state, wired
from shared.bulk.work import work_batch
from shared.commercetools.client import open_project
from shared.klaviyo.client import open_klaviyo
from shared.klaviyo.limiter import Limiter
from shared.settings import load
from tests.emulators.google_world import SHORT, SIZES, World, control, world_of

pytestmark = IN_ONE_PROCESS

TAKES_A_WHILE = {"kind": "delay", "endpoint": "POST /api/event-bulk-create-jobs", "seconds": 2.0, "first": 2}


@pytest.fixture(scope="module")
def module_world(google: Emulators, cloud_simulators: Sandbox) -> Iterator[World]:
    """One cloud with an instance of each function for the tests of this module."""
    with world_of(google, cloud_simulators, Layout(terms=SHORT)) as made:
        yield made


@pytest.fixture
def world(module_world: World) -> World:
    """That cloud, between simulators as they were at their start."""
    module_world.reset()
    return module_world


def test_everything_is_imported_while_notifications_come(world: World) -> None:
    """All kinds end with right counts, what was told of meanwhile is in Klaviyo too, and nothing is there twice."""
    run_id = world.start("all")
    with world.shop() as shop:
        people = [row for row in shop.project.page("customers", limit="20") if row["email"].isascii()][:3]
        product = next(row for row in shop.project.all("products") if row["masterData"]["published"])
        changed = [shop.change_customer(row["id"], lastName="Changed") for row in people]
        placed = shop.place_order([shop.bought(product, 0, 2)], customer=people[0])
    world.tell(*changed, placed)
    status = world.finished("all", run_id)
    assert status["status"] in {"completed", "completed_with_errors"}, status
    order_id = placed.resource["id"]
    world.until(lambda: ("Placed Order", order_id) in world.events(), "the order was not told of")
    assert [(world.profile(row["id"]) or {})["last_name"] for row in people] == ["Changed"] * 3
    checks = world.checks(live={order_id})
    assert {kind: check.items for kind, check in checks.items()} == {**SIZES, "orders": SIZES["orders"] + 1}
    for kind, swept in {"categories": 0, "products": 0, "customers": 3, "orders": 1}.items():
        ended = world.status(kind)
        assert ended["seen"] == ended["sent"] + ended["skipped"] + ended["failed"]
        # What changed meanwhile may be met in the scan, in the closing sweep, or in both.
        assert SIZES[kind] <= ended["seen"] <= checks[kind].items + swept
        assert (ended["skipped"], ended["failed"]) == (checks[kind].merged + checks[kind].without, len(checks[kind].refused))


def test_notifications_that_are_delivered_again_change_nothing(world: World) -> None:
    """Everything in Klaviyo is as it was, each event once."""
    with world.shop() as shop:
        person, product = shop.project.page("customers", limit="1")[0], shop.project.all("products")[0]
        published = shop.publish_product(product)
        customer = shop.change_customer(person["id"], firstName="Ada")
        placed = shop.place_order([shop.bought(published.resource, 0, 1)], email="guest@example.com")
        paid, payment = shop.add_payment(placed.resource)
        acts = [published, customer, placed, payment, shop.add_refund(payment.resource, 100)]
        acts.append(shop.change_order_state(paid, "Complete"))
    before = world.acknowledged()
    told = world.tell(*acts)
    world.until(lambda: world.acknowledged() == before + len(told), "not all was handled")
    first = _all_of(world)
    assert len(first["events"]) >= 4
    world.tell(*acts)
    world.until(lambda: world.acknowledged() == before + 2 * len(told), "not all was handled again")
    assert _all_of(world) == first


def _all_of(world: World) -> dict[str, list[Any]]:
    """What Klaviyo has and how often each changed, but not how often it was written as it was."""
    return {
        what: sorted(({**row, "versions": None} for row in stored(world.klaviyo, what)), key=repr)
        for what in ("profiles", "events", "catalog")
    }


def test_a_worker_that_outlives_its_lease_writes_nothing(world: World) -> None:
    """It stands still in the middle of its batches until their leases are over and another has worked them; what it then
    wants to write is refused, and each item is counted once."""
    control(world.klaviyo, "faults", [TAKES_A_WHILE])
    run_id = world.start("orders")
    world.until(lambda: len(world.batches(run_id, BatchStatus.WORKING)) == 2, "nobody works")
    late = world.cloud.worker.instances[0].process.pid
    os.killpg(late, signal.SIGSTOP)
    try:
        held = {batch.batch_id for batch in world.batches(run_id, BatchStatus.WORKING)}
        assert len(held) == 2
        with _worker_whose_clock_is_ahead(world.cloud) as other:
            for name in held:
                work_batch(other, _message(world, run_id, name), uuid.uuid4().hex, 60.0)
        settled = world.batches(run_id, BatchStatus.DONE)
        assert {batch.batch_id for batch in settled} == held
    finally:
        os.killpg(late, signal.SIGCONT)
    world.until(lambda: held == _answered(world, run_id, 204), "the late worker is not done with its messages")
    assert held == _answered(world, run_id, 503)
    status = world.finished("orders", run_id)
    assert world.batches(run_id, BatchStatus.DONE) == settled
    assert world.checks_of("orders").differs_from(status) == []


def _message(world: World, run_id: str, batch_id: str) -> WorkMessage:
    run = world.store.run(run_id)
    assert run is not None
    return WorkMessage(run_id, run.fence, batch_id)


def _answered(world: World, run_id: str, status: int) -> set[str]:
    """The batches of a run whose messages were answered so."""
    answers = [answer for answer in world.cloud.batches.answers if answer.status == status]
    messages = [msgspec.json.decode(answer.body, type=WorkMessage) for answer in answers]
    return {message.batch_id for message in messages if message.run_id == run_id}


@contextmanager
def _worker_whose_clock_is_ahead(cloud: GoogleCloud) -> Iterator[ImportApp]:
    """The import in this process; by its clock the leases of all others are over."""
    settings = load(cloud.environment)
    with (
        closing(open_project(settings.commercetools)) as commercetools,
        closing(
            open_klaviyo(
                base_url=settings.klaviyo.api_url,
                api_key=settings.klaviyo.auth_key.reveal(),
                limiter=Limiter(rate_share=0.5),
                user_agent="another-worker",
            )
        ) as klaviyo,
    ):
        yield wired(
            settings,
            open_state(settings, commercetools),
            commercetools,
            klaviyo,
            now=lambda: datetime.now(UTC) + timedelta(seconds=BATCH_LEASE_S + 1),
            new_id=lambda: uuid.uuid4().hex,
        )
