"""Putting an import's own messages into the queue; what they name has been recorded before."""

from __future__ import annotations

from collections.abc import Iterable

from shared.bulk.app import ImportApp
from shared.bulk.messages import PlanMessage, WorkMessage, encoded
from shared.bulk.ports import Topic
from shared.bulk.records import Run


def publish_plans(app: ImportApp, run: Run, range_indexes: Iterable[int]) -> None:
    """Have these ranges planned, one message each."""
    _publish(app, Topic.PLAN, [encoded(PlanMessage(run.run_id, run.fence, index)) for index in range_indexes])


def publish_work(app: ImportApp, run: Run, batch_ids: Iterable[str]) -> None:
    """Have these batches worked, one message each."""
    _publish(app, Topic.WORK, [encoded(WorkMessage(run.run_id, run.fence, name)) for name in batch_ids])


def _publish(app: ImportApp, topic: Topic, bodies: list[bytes]) -> None:
    if bodies:
        app.queue.publish(topic, bodies)
