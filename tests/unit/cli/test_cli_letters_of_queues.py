"""`dead-letters` shows the messages that a queue gave up on, puts them into it again, and removes them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CompletedProcess
from typing import cast

import pytest
from cli_run import Run
from google_emulators import IN_ONE_PROCESS
from pubsub_world import PREFIX, PubSubWorld, pubsub_world
from typer.testing import Result

from sandbox.emulators import Emulators
from sandbox.launch import Sandbox, sandbox
from shared.budget import budget_of
from shared.bulk.messages import PlanMessage, WorkMessage, encoded
from shared.bulk.ports import Topic
from shared.cli.letters import PUBSUB, MessageStore, Stores, Wanted
from shared.cli.render_letters import in_part
from shared.dead_letters import MOST, DeadLetter
from shared.dead_messages import DeadMessage, DeadMessages
from shared.google import names
from shared.google.names import Stream
from shared.sqlite.database import Database
from shared.sqlite.dead_letters import SqliteDeadLetters
from shared.sqlite.queue import SqliteQueue

ROOT = Path(__file__).parents[3]
RUN_ID = "0198c2f0-0000-7000-8000-000000000002"
ORDER = {
    "notificationType": "Message",
    "type": "OrderCreated",
    "createdAt": "2026-05-01T11:00:00.000Z",
    "resource": {"typeId": "order", "id": "o-1"},
    "order": {"customerEmail": "jane@example.com"},
}
DIED_AT = datetime(2026, 5, 1, 12, tzinfo=UTC)
NOTIFICATION = json.dumps(ORDER).encode()
PLAN = encoded(PlanMessage(RUN_ID, 1, 7))
WORK = encoded(WorkMessage(RUN_ID, 1, "0007-000001"))

Command = Callable[..., Result]


@pytest.fixture(scope="module")
def servers() -> Iterator[Sandbox]:
    """Both simulators, empty."""
    with sandbox(commercetools=["--customers", "0"]) as opened:
        yield opened


@pytest.fixture
def environment(servers: Sandbox, tmp_path: Path) -> dict[str, str]:
    """The settings of `serve`, for the simulators."""
    all_names = servers.environment(tmp_path / "state.sqlite3", 1)
    return {name: value for name, value in all_names.items() if name.startswith(("CT_", "KLAVIYO_", "STATE_"))}


@pytest.fixture
def state_file(environment: dict[str, str]) -> Iterator[SqliteQueue]:
    """The queue of the state file, with a dead message of each topic."""
    with Database(Path(environment["STATE_PATH"])) as database:
        queue = SqliteQueue(database, max_attempts=1)
        for topic, body in ((Topic.PLAN, PLAN), (Topic.WORK, WORK)):
            queue.publish(topic, [body])
            (delivery,) = queue.lease(topic, 1, 60)
            assert queue.nack(delivery, 0)
        yield queue


@pytest.fixture
def world(google: Emulators, monkeypatch: pytest.MonkeyPatch) -> Iterator[PubSubWorld]:
    """Empty topics."""
    with pubsub_world(google, monkeypatch) as opened:
        yield opened


@pytest.fixture
def on_google(environment: dict[str, str], world: PubSubWorld) -> dict[str, str]:
    """The same settings, of an operator who names the Google Cloud project."""
    return {**environment, "GOOGLE_CLOUD_PROJECT": world.settings.project, "PUBSUB_EMULATOR_HOST": world.host}


def replayed(environment: dict[str, str], folder: Path, *words: str) -> CompletedProcess[str]:
    """`replay` as a process of its own, whose logging it takes over."""
    called = [sys.executable, "-m", "shared.cli", "dead-letters", "replay", *words]
    known = {"PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(called, env=known, cwd=folder, capture_output=True, text=True, check=False)


def shown(run: Run, environment: dict[str, str], *words: str) -> list[dict[str, object]]:
    """What `list` shows, in the order of its ids."""
    listed = json.loads(run("dead-letters", "list", "--json", *words, **environment).stdout)["deadLetters"]
    return sorted(listed, key=lambda one: str(one["id"]))


def test_dead_messages_of_the_state_file_are_listed_with_the_letters(
    run: Run, environment: dict[str, str], state_file: SqliteQueue
) -> None:
    """With the run that they are about, and why they are there; a reason and a type narrow the list as ever."""
    plan, work = shown(run, environment)
    assert (plan["id"], plan["store"], plan["resourceType"], plan["resourceId"]) == ("plan-1", "state_file_plan", "run", RUN_ID)
    assert (work["id"], work["batchId"], work["deliveries"]) == ("work-2", "0007-000001", 1)
    assert plan["reason"] == work["reason"] == "deliveries_used_up"
    assert [one["id"] for one in shown(run, environment, "--type", "WorkMessage")] == ["work-2"]
    assert shown(run, environment, "--reason", "invalid") == []
    table = run("dead-letters", "list", **environment).stdout
    assert f"state file, work  WorkMessage  run {RUN_ID}  deliveries_used_up" in table


def test_a_dead_message_is_shown_with_what_to_do(run: Run, environment: dict[str, str], state_file: SqliteQueue) -> None:
    """And with what that changes."""
    lines = run("dead-letters", "show", "work-2", **environment).stdout.splitlines()
    assert lines[0] == "dead letter work-2"
    assert lines[3:5] == ["  by            bulk_worker", "  reason        deliveries_used_up"]
    assert "  batch         0007-000001" in lines
    assert lines[-1].endswith(
        "put it into its queue again with: ct-klaviyo dead-letters replay work-2; once its run has ended, that changes nothing"
    )


def test_a_replay_puts_a_dead_message_into_its_queue_again(
    environment: dict[str, str], state_file: SqliteQueue, tmp_path: Path
) -> None:
    """As it was; the other stays."""
    result = replayed(environment, tmp_path, "work-2")
    assert result.stdout.splitlines() == ["work-2  put into its queue again, dropped", "1 of 1 dead letter settled"]
    assert (result.returncode, result.stderr) == (0, "")
    assert [delivery.body for delivery in state_file.lease(Topic.WORK, 10, 60)] == [WORK]
    assert [dead.body for dead in state_file.dead()] == [PLAN]


def test_all_are_replayed_that_can_be(environment: dict[str, str], state_file: SqliteQueue, tmp_path: Path) -> None:
    """Messages are there themselves, so only letters without a resource are passed over."""
    with Database(Path(environment["STATE_PATH"])) as database:
        (plan, _) = state_file.dead()
        poison = DeadLetter(letter_id="poison", at=plan.died_at, source="realtime_event", reason="no_data")
        SqliteDeadLetters(database).add(poison, budget_of(10))
    result = replayed(environment, tmp_path, "--all")
    assert result.stdout.splitlines()[-1] == "2 of 2 dead letters settled"
    assert result.stderr == "note: 1 dead letter cannot be replayed, look with: ct-klaviyo dead-letters list\n"
    assert state_file.dead() == []


def test_dropped_messages_are_gone(run: Run, environment: dict[str, str], state_file: SqliteQueue) -> None:
    """And are not delivered."""
    result = run("dead-letters", "drop", "--all", "--yes", **environment)
    assert (result.exit_code, result.stdout) == (0, "removed 2 dead letters\n")
    assert state_file.dead() == state_file.lease(Topic.WORK, 10, 60) == []


class Many:
    """More dead messages than are read."""

    def look(self, *_: object) -> list[DeadMessage]:
        return [DeadMessage(str(number), WORK, DIED_AT, None, None) for number in range(MOST)]


def test_a_list_says_when_there_may_be_more_than_was_read() -> None:
    """A queue is not read in the order of time, so what is shown need not be the newest."""
    many = MessageStore(PUBSUB, Stream.WORK, cast(DeadMessages, Many()))
    search = Stores([many]).newest(Wanted(), 20)
    assert (len(search.found), search.in_part) == (20, [many])
    assert in_part(many).startswith("note: 5,000 dead letters of Pub/Sub, work were looked at, and there may be more")


@IN_ONE_PROCESS
def test_dead_messages_of_pubsub_are_listed_too(run: Run, on_google: dict[str, str], world: PubSubWorld) -> None:
    """Of all three streams, as pointers; they stay where they are."""
    ids = {stream: world.give_up(stream, body) for stream, body in zip(Stream, (NOTIFICATION, PLAN, WORK), strict=True)}
    for _ in range(2):
        found = shown(run, on_google)
        assert [one["id"] for one in found] == [f"{stream}-{message_id}" for stream, message_id in ids.items()]
    event = found[0]
    assert (event["store"], event["source"], event["messageType"]) == ("pubsub_events", "realtime_event", "OrderCreated")
    assert (event["resourceType"], event["resourceId"], event["deliveries"]) == ("order", "o-1", 100)
    assert "example.com" not in json.dumps(found)


@IN_ONE_PROCESS
def test_a_replay_puts_it_into_the_topic_it_came_from(
    run: Run, on_google: dict[str, str], world: PubSubWorld, tmp_path: Path
) -> None:
    """Then it is no dead letter any more; what somebody else holds is told, and stays."""
    message_id, held_id = world.give_up(Stream.EVENTS, NOTIFICATION), world.give_up(Stream.WORK, WORK)
    result = replayed(on_google, tmp_path, f"events-{message_id}")
    assert result.stdout.splitlines()[0] == f"events-{message_id}  put into its queue again, dropped"
    assert (result.returncode, result.stderr) == (0, "")
    assert [one.message.data for one in world.delivered(Stream.EVENTS)] == [NOTIFICATION]
    assert world.pulled(names.holding_subscription(PREFIX, Stream.WORK))
    refused = run("dead-letters", "drop", f"work-{held_id}", "--yes", **on_google)
    assert (refused.exit_code, refused.stderr) == (1, f"there is no dead letter work-{held_id}\n")


@IN_ONE_PROCESS
def test_a_missing_subscription_hides_nothing_else(
    run: Run, on_google: dict[str, str], world: PubSubWorld, state_file: SqliteQueue
) -> None:
    """It is a note for each, which names it."""
    result = run("dead-letters", "list", "--json", **on_google, GOOGLE_NAME_PREFIX="other")
    listed = json.loads(result.stdout)
    assert len(listed["deadLetters"]) == 2
    assert listed["notReadable"] == ["pubsub_events", "pubsub_plan", "pubsub_work"]
    note = run("dead-letters", "show", "work-2", **on_google, GOOGLE_NAME_PREFIX="other").stderr
    assert "the subscription other-work-dead-hold of the project" in note
    assert "deploy it, or mend GOOGLE_NAME_PREFIX" in note


def test_without_googles_clients_it_says_what_to_install(environment: dict[str, str], state_file: SqliteQueue) -> None:
    """The other stores are shown all the same."""
    program = (
        "import sys; sys.modules['google.api_core'] = None\n"  # as where the extra is not installed
        "from shared.cli import main; sys.argv = ['ct-klaviyo', 'dead-letters', 'list']; main()"
    )
    known = {"PYTHONPATH": str(ROOT), **environment, "GOOGLE_CLOUD_PROJECT": "demo-sync"}
    result = subprocess.run([sys.executable, "-c", program], env=known, capture_output=True, text=True, check=False)
    assert result.returncode == 0
    assert "plan-1" in result.stdout
    assert "install the package with its extra: pip install '.[google]'" in result.stderr
