"""What is too much for one invocation goes on in the next one (decisions.md 5)."""

from __future__ import annotations

from collections import Counter

import msgspec
from google_emulators import IN_ONE_PROCESS

from sandbox.checker_ledger import read_ledger
from sandbox.emulators import Emulators
from sandbox.google_cloud import Layout
from sandbox.launch import Sandbox
from shared.bulk.messages import PlanMessage
from tests.emulators.google_world import SHORT, control, world_of

pytestmark = IN_ONE_PROCESS

DEADLINE_S = 2
LONG_JOBS_S = 3.0


def test_planning_goes_on_by_messages_and_a_worker_leaves_what_it_knows(google: Emulators, cloud_simulators: Sandbox) -> None:
    """With two seconds for each invocation and jobs of three: the run completes, and no customer is written twice."""
    with world_of(google, cloud_simulators, Layout(terms=SHORT), WORKER_DEADLINE_S=str(DEADLINE_S)) as world:
        control(world.klaviyo, "settings", {"job_base_s": LONG_JOBS_S})
        run_id = world.start("customers")
        status = world.finished("customers", run_id)
        plans = [msgspec.json.decode(one.body, type=PlanMessage) for one in world.cloud.plans.answers if one.acknowledges]
        slices = Counter(plan.range_index for plan in plans if not world.store.ranges(run_id)[plan.range_index].closing)
        assert max(slices.values()) > 1, slices
        assert world.cloud.batches.statuses[503] >= status["batches"]["planned"] - 1
        check = world.checks_of("customers")
        assert check.differs_from(status) == []
        assert check.redone(read_ledger(world.klaviyo)) == []
