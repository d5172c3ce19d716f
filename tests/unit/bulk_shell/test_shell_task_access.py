"""On Google Cloud, tasks are taken from the queue's own account, and a refusal is told without a line for each."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from shell_world import TASK_KEY, World, open_world, post_task, soon

from sandbox.launch import Sandbox
from shared.access import SIGNATURE_REMOVED, InvalidToken, VerifyIdToken
from shared.budget import Budget
from shared.bulk.app import ImportApp
from shared.bulk.messages import PlanMessage
from shared.bulk.ports import Topic
from shared.bulk.records import RunOptions
from shared.bulk.refusals import SAID_EVERY
from shared.dead_letters import DeadLetter, DeadLetters
from shared.errors import AuthError, Host, HostDown, PermanentError, SyncError, TransientError
from shared.local.cloudevent import message_published
from shared.settings import load

PUSH = {"PUSH_SERVICE_ACCOUNT": "push@cloud.example.com", "PUSH_AUDIENCE": "https://dispatch.example.com"}


def behind_cloud_run(world: World, verify: VerifyIdToken | None = None) -> ImportApp:
    """The world's import, as an instance on Cloud Run would serve it."""
    settings = load({**world.environment, **PUSH, "K_SERVICE": "bulk-dispatch"})
    return replace(world.app, settings=settings, verify_id_token=verify)


def checked(world: World, **changed: Any) -> str:
    """The header with the queue's token, as Cloud Run hands it on."""
    now = int(world.clock().timestamp())
    claims = {
        "iss": "https://accounts.google.com",
        "aud": PUSH["PUSH_AUDIENCE"],
        "email": PUSH["PUSH_SERVICE_ACCOUNT"],
        "email_verified": True,
        "exp": now + 3_600,
        **changed,
    }
    encoded = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"Bearer eyJh.{encoded}.{SIGNATURE_REMOVED}"


def delivered(world: World, app: ImportApp, topic: Topic, headers: Mapping[str, str]) -> int:
    """The answer to a message in the pump's envelope, with these headers and no key."""
    event = message_published(topic, "1", msgspec.json.encode(PlanMessage("run-1", 1, 0)), world.clock())
    return post_task(app, topic, {**event.headers, **headers}, event.body, key=None).status


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The fault and the number in each line about a refusal since the last look; no line has anything of a token."""
    text = capsys.readouterr().err
    assert "eyJh" not in text
    assert PUSH["PUSH_SERVICE_ACCOUNT"] not in text
    found = re.findall(r"task refused: the caller is not the queue.*?reason=(\S+).*?refused_count=(\d+)", text)
    return [f"{fault} {count}" for fault, count in found]


def test_a_task_with_the_token_that_cloud_run_has_checked_is_handled(world: World) -> None:
    """A plan message of the queue's account plans a range."""
    run = world.start(RunOptions(ids=world.ids(3)))
    event = message_published(Topic.PLAN, "1", msgspec.json.encode(PlanMessage(run.run_id, run.fence, 0)), world.clock())
    headers = {**event.headers, "authorization": checked(world)}
    assert post_task(behind_cloud_run(world), Topic.PLAN, headers, event.body, key=None).status == 204
    assert len(world.batches(run.run_id)) == 1


@pytest.mark.parametrize("topic", list(Topic))
def test_who_is_not_the_queue_is_refused_though_cloud_run_let_them_in(world: World, topic: Topic) -> None:
    """Neither another account nor the key of a local supervisor opens a task; not even a dead letter is made."""
    app = behind_cloud_run(world)
    assert delivered(world, app, topic, {"authorization": checked(world, email="person@example.com")}) == 401
    assert post_task(app, topic, {}, b"{", TASK_KEY).status == 401
    assert world.app.dead_letters.newest(soon()) == []


def test_a_refusal_is_told_at_once_and_then_every_ten_minutes(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """By fault, with how many there were: a wrong audience stops an import, and nothing else would show it."""
    app = behind_cloud_run(world)
    other = {"authorization": checked(world, aud="https://other.example.com")}
    for _ in range(3):
        delivered(world, app, Topic.WORK, other)
    delivered(world, app, Topic.PLAN, {})
    assert said(capsys) == ["token_for_another_audience 1", "no_token 1"]
    world.clock.forward(SAID_EVERY.total_seconds())
    other = {"authorization": checked(world, aud="https://other.example.com")}
    for _ in range(2):
        delivered(world, app, Topic.WORK, other)
    assert said(capsys) == ["token_for_another_audience 3"]


def test_a_token_that_cannot_be_checked_now_brings_the_message_back(world: World) -> None:
    """Google's keys are not to be had: 503, no refusal."""

    def unreachable(_token: str) -> Mapping[str, object]:
        raise TransientError("no answer")

    app = behind_cloud_run(world, unreachable)
    assert delivered(world, app, Topic.WORK, {"authorization": "Bearer a.b.c"}) == 503


def test_tokens_are_verified_where_an_account_is_named_and_only_there(servers: Sandbox, tmp_path: Path) -> None:
    """Elsewhere the supervisor's key is all that opens a task."""
    with open_world(servers, tmp_path / "plain.sqlite3") as world:
        assert world.app.verify_id_token is None
    with open_world(servers, tmp_path / "guarded.sqlite3", **PUSH) as world:
        assert world.app.verify_id_token is not None
        with pytest.raises(InvalidToken):
            world.app.verify_id_token("no-token")
        assert delivered(world, world.app, Topic.WORK, {"authorization": checked(world)}) == 401


@dataclass(frozen=True, slots=True)
class Unstorable:
    """A store of dead letters that takes none."""

    error: SyncError

    def add(self, _letter: DeadLetter, _budget: Budget) -> None:
        """As `DeadLetters.add`."""
        raise self.error


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (HostDown("no answer"), 503),
        (AuthError(Host.COMMERCETOOLS, 401, "POST custom-objects"), 503),
        (PermanentError("no", host=Host.COMMERCETOOLS, status=400), 204),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_nobody_can_read_comes_back_until_its_dead_letter_is_stored(world: World, error: SyncError, answer: int) -> None:
    """The store is a host, which may be away; what it refuses for good, the log has."""
    app = replace(world.app, dead_letters=cast(DeadLetters, Unstorable(error)))
    assert post_task(app, Topic.WORK, {}, b"{", TASK_KEY).status == answer
