"""`dead-letters` shows what was set aside, sends it again from the current state, and removes what is settled."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import httpx
import pytest
from cli_run import Run
from typer.testing import Result

from sandbox.launch import PROJECT, Sandbox, sandbox
from shared.budget import budget_of
from shared.cli.letter_stores import stores_of
from shared.cli.letters import COMMERCETOOLS, LetterStore
from shared.dead_letters import DeadLetter, letter_id_of
from shared.realtime.notification import Notification
from shared.realtime.replay import notification_of_letter
from shared.settings import load
from shared.sqlite.database import Database
from shared.sqlite.dead_letters import SqliteDeadLetters

Command = Callable[..., Result]
Replay = Callable[..., CompletedProcess[str]]

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
HTTP = httpx.Client(trust_env=False, timeout=30.0, limits=httpx.Limits(max_keepalive_connections=0))
MISSING = "00000000-0000-4000-8000-00000000dead"


@pytest.fixture(scope="module")
def simulators() -> Iterator[Sandbox]:
    """Both simulators, with a few customers."""
    with sandbox(commercetools=["--customers", "5"]) as servers:
        yield servers


@pytest.fixture
def servers(simulators: Sandbox) -> Sandbox:
    """The simulators as they were at their start, without faults."""
    for url in (simulators.commercetools.url, simulators.klaviyo.url):
        HTTP.post(f"{url}/_sandbox/reset").raise_for_status()
        HTTP.delete(f"{url}/_sandbox/faults").raise_for_status()
    return simulators


@pytest.fixture
def environment(servers: Sandbox, tmp_path: Path) -> dict[str, str]:
    """The settings of `serve`, for the simulators."""
    names = servers.environment(tmp_path / "state.sqlite3", 1)
    return {name: value for name, value in names.items() if name.startswith(("CT_", "KLAVIYO_", "STATE_"))}


@pytest.fixture
def dead_letters(run: Run, environment: dict[str, str]) -> Command:
    """Runs `ct-klaviyo dead-letters` with these words."""

    def command(*words: str) -> Result:
        return run("dead-letters", *words, **environment)

    return command


@pytest.fixture
def replay(environment: dict[str, str], tmp_path: Path) -> Replay:
    """Runs `ct-klaviyo dead-letters replay` as a process of its own, whose logging it takes over."""

    def command(*words: str, **more: str) -> CompletedProcess[str]:
        called = [sys.executable, "-m", "shared.cli", "dead-letters", "replay", *words]
        known = {"PYTHONPATH": str(ROOT), **environment, **more}
        return subprocess.run(called, env=known, cwd=tmp_path, capture_output=True, text=True, check=False)

    return command


def letter(name: str, age_s: float = 0, **fields: Any) -> DeadLetter:
    """A dead letter of realtime, `age_s` older than others."""
    return DeadLetter(
        letter_id=name, at=NOW - timedelta(seconds=age_s), **{"source": "realtime_event", "reason": "invalid", **fields}
    )


def about_customer(name: str, customer_id: str, **fields: Any) -> DeadLetter:
    """A dead letter about a changed customer."""
    return letter(name, message_type="ResourceUpdated", resource_type="customer", resource_id=customer_id, **fields)


def keep_here(environment: dict[str, str], *letters: DeadLetter) -> None:
    """Put letters into the state file."""
    with Database(Path(environment["STATE_PATH"])) as database:
        for one in letters:
            SqliteDeadLetters(database).add(one, budget_of(10))


def keep_in_project(environment: dict[str, str], *letters: DeadLetter) -> None:
    """Put letters into the merchant's project."""
    with stores_of(load(environment)) as stores:
        (project,) = [store for store in stores.stores if isinstance(store, LetterStore) and store.name == COMMERCETOOLS]
        for one in letters:
            project.letters.add(one, budget_of(10))


def kept(dead_letters: Command) -> list[str]:
    """The ids of all letters, newest first."""
    return [one["id"] for one in json.loads(dead_letters("list", "--json").stdout)["deadLetters"]]


def customer_id(servers: Sandbox) -> str:
    """A customer that exists."""
    line = HTTP.get(f"{servers.commercetools.url}/_sandbox/customers").text.splitlines()[0]
    return str(json.loads(line)["id"])


def profile_ids(servers: Sandbox) -> list[str]:
    """The external ids of all profiles in Klaviyo."""
    lines = HTTP.get(f"{servers.klaviyo.url}/_sandbox/profiles/dump").text.splitlines()
    return [json.loads(line)["external_id"] for line in lines]


def fault(url: str, **rule: Any) -> None:
    """A fault of a simulator."""
    HTTP.post(f"{url}/_sandbox/faults", json=[{"kind": "status", **rule}]).raise_for_status()


def test_nothing_set_aside_is_said(dead_letters: Command, environment: dict[str, str]) -> None:
    """A fresh installation has no state file, and looking makes none."""
    result = dead_letters("list")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "there are no dead letters\n", "")
    assert not Path(environment["STATE_PATH"]).exists()


def test_both_stores_are_listed_newest_first(dead_letters: Command, environment: dict[str, str]) -> None:
    """With the store, the message, the resource and the reason."""
    keep_here(environment, about_customer("newest", "c-1"), letter("oldest", 9, reason="no_data"))
    keep_in_project(environment, letter("between", 5, reason="not_a_notification"))
    assert dead_letters("list").stdout.splitlines() == [
        "id       set aside at               store          message          resource      reason",
        "newest   2026-05-01T12:00:00+00:00  state file     ResourceUpdated  customer c-1  invalid",
        "between  2026-05-01T11:59:55+00:00  commercetools  -                -             not_a_notification",
        "oldest   2026-05-01T11:59:51+00:00  state file     -                -             no_data",
    ]
    assert len(dead_letters("list", "--limit", "2").stdout.splitlines()) == 3


def test_a_list_can_be_narrowed_by_reason_and_type(dead_letters: Command, environment: dict[str, str]) -> None:
    """A type is that of the message or of the resource."""
    keep_here(
        environment,
        about_customer("a", "c-1"),
        about_customer("b", "c-2", reason="duplicate"),
        letter("c", message_type="OrderCreated", resource_type="order", resource_id="o-1"),
    )

    def ids(*words: str) -> set[str]:
        return {one["id"] for one in json.loads(dead_letters("list", "--json", *words).stdout)["deadLetters"]}

    assert ids("--type", "customer") == {"a", "b"}
    assert ids("--type", "OrderCreated") == {"c"}
    assert ids("--reason", "invalid", "--type", "customer") == {"a"}


def test_json_has_all_fields(dead_letters: Command, environment: dict[str, str]) -> None:
    """What is not known is null."""
    fields = {"pointer": "/data/attributes", "happened_at": "2026-05-01T11:00:00.000Z", "sku": "S-1", "data_erasure": True}
    keep_here(environment, about_customer("a", "c-1", **fields))
    shown = {
        "id": "a", "store": "state_file", "at": "2026-05-01T12:00:00+00:00", "source": "realtime_event", "reason": "invalid",
        "messageType": "ResourceUpdated", "resourceType": "customer", "resourceId": "c-1", "pointer": "/data/attributes",
        "happenedAt": "2026-05-01T11:00:00.000Z", "sku": "S-1", "dataErasure": True,
        "firstIdentity": None, "orderState": None,
    }  # fmt: skip
    assert json.loads(dead_letters("list", "--json").stdout) == {"deadLetters": [shown], "notReadable": [], "readInPart": []}
    assert json.loads(dead_letters("show", "a", "--json").stdout) == shown


@pytest.mark.parametrize("command", [("list",), ("show", "a"), ("drop", "--all", "--yes")])
def test_a_missing_scope_is_a_note(
    dead_letters: Command, environment: dict[str, str], servers: Sandbox, command: tuple[str, ...]
) -> None:
    """Who may not read custom objects sees the state file, and is told which scope is missing."""
    keep_here(environment, about_customer("a", customer_id(servers)))
    fault(servers.commercetools.url, path=f"/{PROJECT}/custom-objects", status=403)
    result = dead_letters(*command)
    assert result.exit_code == 0
    assert "a" in result.stdout
    assert "has not the scope manage_key_value_documents" in result.stderr


def test_a_letter_is_shown_with_what_to_do(dead_letters: Command, environment: dict[str, str]) -> None:
    """One that names a resource can be replayed."""
    keep_here(environment, about_customer("a", "c-1", pointer="/data/attributes/email", data_erasure=True))
    assert dead_letters("show", "a").stdout.splitlines() == [
        "dead letter a",
        "  store         state file",
        "  set aside at  2026-05-01T12:00:00+00:00",
        "  by            realtime_event",
        "  reason        invalid",
        "  pointer       /data/attributes/email",
        "  message       ResourceUpdated",
        "  resource      customer c-1",
        "  data erasure  asked for",
        "  send it again with: ct-klaviyo dead-letters replay a",
    ]


@pytest.mark.parametrize(
    ("source", "advice"),
    [
        ("realtime_event", "could not be read, so nothing more is known of it; remove it with: ct-klaviyo dead-letters drop a"),
        ("import", "try what failed of the run again with: ct-klaviyo retry RUN_ID"),
    ],
)
def test_what_cannot_be_replayed_says_so(dead_letters: Command, environment: dict[str, str], source: str, advice: str) -> None:
    """A letter without a resource: a delivery that nobody could read, or a message of an import."""
    keep_here(environment, letter("a", source=source))
    assert advice in dead_letters("show", "a").stdout
    result = dead_letters("replay", "a")
    assert result.exit_code == 1
    assert "a  cannot be replayed, it names no resource" in result.stdout
    assert kept(dead_letters) == ["a"]


@pytest.mark.parametrize("command", ["show", "replay", "drop"])
def test_an_unknown_id_is_an_error(dead_letters: Command, command: str) -> None:
    """It may have been dropped meanwhile."""
    result = dead_letters(command, "nobody")
    assert result.exit_code == 1
    assert "there is no dead letter nobody" in result.stderr


@pytest.mark.parametrize("command", ["replay", "drop"])
def test_which_letters_are_meant_must_be_clear(dead_letters: Command, command: str) -> None:
    """Ids or `--all`, never both nor neither; a reason narrows `--all` only."""
    for words in ([], ["a", "--all"]):
        result = dead_letters(command, *words)
        assert (result.exit_code, result.stderr) == (2, "ID: name the ids of dead letters, or --all\n")
    result = dead_letters(command, "a", "--reason", "invalid")
    assert (result.exit_code, result.stderr) == (2, "--reason, --type: go with --all, not with ids\n")


KEEPING = pytest.mark.parametrize("keep", [keep_here, keep_in_project])


@KEEPING
def test_a_replay_sends_the_current_state_and_drops_the_letter(
    dead_letters: Command, replay: Replay, environment: dict[str, str], servers: Sandbox, keep: Callable[..., None]
) -> None:
    """From either store."""
    customer = customer_id(servers)
    keep(environment, about_customer("a", customer))
    result = replay("a")
    assert result.stdout.splitlines() == ["a  sent again, dropped", "1 of 1 dead letter settled"]
    assert (result.returncode, result.stderr) == (0, "")
    assert profile_ids(servers) == [customer]
    assert kept(dead_letters) == []


def test_a_resource_that_is_gone_settles_its_letter(dead_letters: Command, replay: Replay, environment: dict[str, str]) -> None:
    """There is nothing to send any more."""
    keep_here(environment, about_customer("a", MISSING))
    result = replay("a")
    assert result.stdout.splitlines()[0] == "a  nothing to send any more (gone), dropped"
    assert result.returncode == 0
    assert kept(dead_letters) == []


@KEEPING
def test_what_is_refused_again_stays_as_it_was(
    dead_letters: Command, replay: Replay, environment: dict[str, str], servers: Sandbox, keep: Callable[..., None]
) -> None:
    """No second letter appears, in no store."""
    customer = customer_id(servers)
    fault(servers.klaviyo.url, status=400)
    name = letter_id_of("ResourceUpdated", "customer", customer, "invalid")
    keep(environment, about_customer(name, customer))
    result = replay(name)
    assert result.returncode == 1
    assert f"{name}  refused again (invalid), it stays" in result.stdout
    assert kept(dead_letters) == [name]


def test_what_cannot_be_finished_now_stays(
    dead_letters: Command, replay: Replay, environment: dict[str, str], servers: Sandbox
) -> None:
    """An outage settles nothing."""
    keep_here(environment, about_customer("a", customer_id(servers)))
    fault(servers.klaviyo.url, status=503)
    result = replay("a", REALTIME_DEADLINE_S="0.5")
    assert result.returncode == 1
    assert "a  could not be finished now (" in result.stdout
    assert kept(dead_letters) == ["a"]


def test_refused_credentials_end_a_replay(
    dead_letters: Command, replay: Replay, environment: dict[str, str], servers: Sandbox
) -> None:
    """The rest would be refused as well."""
    customer = customer_id(servers)
    keep_here(environment, about_customer("a", customer), about_customer("b", customer))
    result = replay("--all", KLAVIYO_AUTH_KEY="pk_of_somebody_else")
    assert result.returncode == 1
    assert "could not be finished now (AuthError), it stays" in result.stdout
    assert "1 not tried, because a host refuses the credentials: mend that first" in result.stderr
    assert "pk_of_somebody_else" not in result.stdout + result.stderr
    assert len(kept(dead_letters)) == 2


def test_all_letters_of_a_reason_are_replayed(
    dead_letters: Command, replay: Replay, environment: dict[str, str], servers: Sandbox
) -> None:
    """What cannot be replayed is passed over and told."""
    customer = customer_id(servers)
    keep_here(environment, about_customer("a", customer), about_customer("b", customer, reason="other"), letter("poison", 1))
    result = replay("--all", "--reason", "invalid")
    assert (result.returncode, result.stdout.splitlines()[-1]) == (0, "1 of 1 dead letter settled")
    assert "note: 1 dead letter cannot be replayed" in result.stderr
    assert kept(dead_letters) == ["b", "poison"]


def test_dropping_asks_first(dead_letters: Command, environment: dict[str, str]) -> None:
    """Without `--yes` and without an answer everything stays."""
    keep_here(environment, letter("a"), letter("b", 1))
    result = dead_letters("drop", "a", "b")
    assert "This removes 2 dead letters for good. Go on? [y/N]" in result.stdout
    assert result.exit_code == 1
    assert kept(dead_letters) == ["a", "b"]


def test_dropped_letters_are_gone_from_both_stores(dead_letters: Command, environment: dict[str, str]) -> None:
    """By id, or all that fit; nothing is sent."""
    keep_here(environment, letter("a"), letter("b", 1, reason="other"))
    keep_in_project(environment, letter("a"), letter("c", 2))
    assert dead_letters("drop", "a", "--yes").stdout == "removed 2 dead letters\n"
    assert kept(dead_letters) == ["b", "c"]
    assert dead_letters("drop", "--all", "--reason", "other", "--yes").stdout == "removed 1 dead letter\n"
    assert dead_letters("drop", "--all", "--yes").stdout == "removed 1 dead letter\n"
    assert kept(dead_letters) == []


def test_the_state_files_faults_are_told(dead_letters: Command, environment: dict[str, str]) -> None:
    """A file of another program is a fault of the settings."""
    Path(environment["STATE_PATH"]).write_text("something else that is long enough to be no database at all" * 40)
    result = dead_letters("list")
    assert result.exit_code == 2
    assert "STATE_PATH" in result.stderr


def test_a_letter_becomes_a_notification_without_its_payload() -> None:
    """What a replay handles: the same message about the same resource, whose fields are to be read anew."""
    original = about_customer("a", "c-1", happened_at="2026-05-01T11:00:00.000Z", sku="S-1", data_erasure=True)
    assert notification_of_letter(original) == Notification(
        type="ResourceUpdated", resource_type="customer", resource_id="c-1", at="2026-05-01T11:00:00.000Z",
        has_payload=False, sku="S-1", data_erasure=True,
    )  # fmt: skip


def test_a_letter_of_an_unknown_time_has_that_of_its_setting_aside() -> None:
    """Which is seconds after what it speaks of."""
    notification = notification_of_letter(about_customer("a", "c-1"))
    assert notification is not None
    assert notification.at == "2026-05-01T12:00:00.000Z"
