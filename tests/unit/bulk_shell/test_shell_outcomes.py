"""What becomes of a batch, and of a run's own step, that an error ends: line by line of the table (decisions.md 4)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import pytest
from shell_world import World, task

from shared.bulk.ports import Topic
from shared.bulk.records import BatchStatus, RunOptions, RunStatus
from shared.commercetools.client import CommercetoolsClient
from shared.errors import AuthError, Gone, Host, PermanentError, SyncError, TransientError
from shared.outcomes import Situation, situation_of

CT = Host.COMMERCETOOLS
PERMANENT = PermanentError("InvalidInput", host=CT, status=400)
GONE = Gone("ResourceNotFound", host=CT, status=404)
TRANSIENT = TransientError("x")
AUTHENTICATION = AuthError(CT, 401, "GET customers")

BATCHES = [
    (PERMANENT, 204, BatchStatus.FAILED, RunStatus.COMPLETED_WITH_ERRORS, {"InvalidInput": 5}),
    (GONE, 204, BatchStatus.FAILED, RunStatus.COMPLETED_WITH_ERRORS, {"ResourceNotFound": 5}),
    (TRANSIENT, 503, BatchStatus.QUEUED, RunStatus.RUNNING, {}),
    (AUTHENTICATION, 204, BatchStatus.QUEUED, RunStatus.HALTED, {}),
]

STEPS = [
    (PERMANENT, 204, RunStatus.HALTED),
    (GONE, 204, RunStatus.HALTED),
    (TRANSIENT, 503, RunStatus.RUNNING),
    (AUTHENTICATION, 204, RunStatus.HALTED),
]


@dataclass(frozen=True)
class Unreadable:
    """A project of which neither customers nor a query can be read; the import lock can."""

    client: CommercetoolsClient
    error: SyncError

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def get(self, path: str, *given: Any, **named: Any) -> bytes:
        if path.startswith("customers"):
            raise self.error
        return self.client.get(path, *given, **named)

    def graphql(self, *_: object, **__: object) -> bytes:
        raise self.error


def _answer(world: World, topic: Topic, error: SyncError) -> int:
    """What the queue is told of the one message of a topic while nothing can be read."""
    (delivery,) = world.take(topic)
    app = replace(world.app, commercetools=cast(CommercetoolsClient, Unreadable(world.app.commercetools, error)))
    return task(app, topic, delivery.body).status


def _name(value: object) -> str | None:
    return type(value).__name__ if isinstance(value, SyncError) else None


@pytest.mark.parametrize(("error", "answer", "batch", "run", "failed"), BATCHES, ids=_name)
def test_a_batch_that_an_error_ends_becomes_what_its_line_says(
    error: SyncError, answer: int, batch: BatchStatus, run: RunStatus, failed: dict[str, int], world: World
) -> None:
    """Its items fail and the run goes on to its end, or its message comes again, or the run halts with the batch to be done."""
    started = world.start(RunOptions(ids=world.ids(5)))
    world.plan()
    assert _answer(world, Topic.WORK, error) == answer
    assert [one.status for one in world.batches(started.run_id)] == [batch]
    assert world.status(started.run_id) is run
    assert world.summary(started.run_id).result.failed == failed
    assert (str(error) in (world.run(started.run_id).halt_reason or "")) is (run is RunStatus.HALTED)


@pytest.mark.parametrize(("error", "answer", "run"), STEPS, ids=_name)
def test_a_range_that_cannot_be_planned_becomes_what_its_line_says(
    error: SyncError, answer: int, run: RunStatus, world: World
) -> None:
    """Nothing may be left out silently: what does not pass by itself halts the run."""
    started = world.start()
    first, *others = world.take(Topic.PLAN)
    world.queue.nack(first, 0.0)
    assert others, "they stay out of the queue"
    assert _answer(world, Topic.PLAN, error) == answer
    assert world.batches(started.run_id) == []
    assert world.status(started.run_id) is run


def test_every_line_of_the_table_is_shown() -> None:
    """None is there for nothing."""
    assert {situation_of(error) for error, *_ in BATCHES} == set(Situation)
    assert {situation_of(error) for error, *_ in STEPS} == set(Situation)
