"""Thousands of messages, some delivered up to five times, in disorder, while what they are about is changed and deleted."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
from depth import depth

from sandbox.checker_catalog import check_catalog
from sandbox.checker_events import PLACED, REFUNDED, check_events
from sandbox.checker_profiles import check_profiles
from sandbox.launch import Launched, Sandbox, is_healthy, launch, sandbox
from sandbox.notifications.delivery import Patience
from sandbox.notifications.project import ProjectControl
from sandbox.notifications.shop import Shop
from sandbox.storm.delivery import break_loose
from sandbox.storm.state import Storm, Weather
from shared.budget import budget_of
from shared.dead_letters import DeadLetter
from shared.local.listening import free_port
from shared.sqlite.database import Database
from shared.sqlite.dead_letters import SqliteDeadLetters
from tests.e2e.storm_mapping import differences

MESSAGES = depth(3_000, 10_000)
INSTANCES = 2
WORKERS = 12
SEED = 1
PATIENCE = Patience(answer_s=60)
"""Beyond any pause of the machine itself: what this file asks is whether each delivery is answered, and how, not how soon."""
KLAVIYO = {"quota_times": 1_000, "keep_event_properties": False}
"""A thousand times the documented limits, which would stretch the storm over half an hour."""


@pytest.fixture(scope="module")
def servers() -> Iterator[Sandbox]:
    """Two simulators of their own: an empty project, so that the storm has told of everything in it."""
    arguments = ["--job-seconds", "0.1", "--settings", json.dumps(KLAVIYO)]
    with sandbox(commercetools=["--customers", "0"], klaviyo=arguments) as started:
        yield started


@dataclass(frozen=True, slots=True)
class Instance:
    """A process of the realtime function, and the state file with its dead letters."""

    url: str
    state: Path

    def dead_letters(self) -> list[DeadLetter]:
        """What it has set aside."""
        with Database(self.state) as database:
            return SqliteDeadLetters(database).newest(budget_of(5))


@pytest.fixture(scope="module")
def instances(servers: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Instance]]:
    """Two processes of the realtime function, which know nothing of each other."""
    with ExitStack() as stack:
        found = []
        for number in range(INSTANCES):
            state = tmp_path_factory.mktemp(f"instance-{number}") / "state.sqlite3"
            url, process = _served(servers, state)
            stack.callback(process.stop)
            found.append(Instance(url, state))
        yield found


def _served(servers: Sandbox, state: Path) -> tuple[str, Launched]:
    port = free_port()
    wanted = {"APP_TYPE": "EVENT", "PUB_SUB_PORT": str(port), "LOG_LEVEL": "ERROR"}
    environment = servers.environment(state, free_port(), **wanted)
    process = launch("realtime", [sys.executable, "-m", "shared.cli", "serve"], environment)
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 120
    while not is_healthy(url):
        if process.process.poll() is not None or time.monotonic() > deadline:
            process.stop()
            pytest.fail("the realtime function did not come up:\n" + "\n".join(process.lines))
        time.sleep(0.05)
    return url, process


def test_the_final_state_is_that_of_the_source_whatever_came_when(servers: Sandbox, instances: list[Instance]) -> None:
    """Nothing is lost, no event is there twice, and Klaviyo has what the mapping makes of the project as it is in the end."""
    source, target = servers.commercetools.url, servers.klaviyo.url
    random = Random(SEED)
    project = ProjectControl(source)
    storm = Storm(Shop(project, Random(SEED)), random, Weather(new_emails=True))
    report = break_loose(storm, [instance.url for instance in instances], MESSAGES, random, workers=WORKERS, patience=PATIENCE)
    project.close()
    sys.stdout.write(f"{report}\n")
    assert report.lost == []
    assert len(report.deliveries) > MESSAGES * 1.4
    assert [letter for instance in instances for letter in instance.dead_letters()] == []
    assert set(report.statuses) <= {204, 503}

    events = check_events(source, target)
    assert events.problems == ()
    assert events.counts[PLACED] > MESSAGES / 20
    assert events.counts[REFUNDED] > MESSAGES / 50
    catalog = check_catalog(source, target)
    assert catalog.problems == ()
    assert min(catalog.items, catalog.variants, catalog.categories) > 3  # the storm deletes most of what it makes
    profiles = check_profiles(source, target, erased=storm.erased)
    assert profiles.problems == ()
    assert profiles.customers > MESSAGES / 50
    assert len(storm.erased) > 5
    assert differences(source, target, buyers=storm.buyers) == []
