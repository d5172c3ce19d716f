"""The import's own messages over HTTP: 204, 503, 401 and nothing else (decisions.md 4, 13, 15)."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import cast

import msgspec
import pytest
from shell_world import TASK_KEY, World, post_task, soon, task

from shared.access import LOCAL_TASK_KEY_HEADER
from shared.budget import Budget
from shared.bulk.http.api import answer
from shared.bulk.http.tasks import worker_answer
from shared.bulk.messages import PlanMessage, WorkMessage
from shared.bulk.ports import Topic
from shared.bulk.records import RunOptions, RunStatus
from shared.bulk.work import MOST_ATTEMPTS
from shared.dead_letters import DeadLetter, DeadLetters, poison_id_of
from shared.errors import HostDown
from shared.http import ApiRequest, ApiResponse
from shared.local.cloudevent import message_published

BINARY = {
    "content-type": "application/json",
    "ce-specversion": "1.0",
    "ce-id": "1",
    "ce-source": "//pubsub.googleapis.com/projects/p/topics/t",
    "ce-type": "google.cloud.pubsub.topic.v1.messagePublished",
}
PERSON = "someone@example.com"


class SilentStore:
    """A store of dead letters that does not answer."""

    def add(self, _letter: DeadLetter, _budget: Budget) -> None:
        raise HostDown("the store does not answer")


def _envelope(data: str | bytes) -> bytes:
    encoded = base64.b64encode(data).decode() if isinstance(data, bytes) else data
    return json.dumps({"message": {"data": encoded, "messageId": "1"}, "subscription": "s"}).encode()


MALFORMED = {
    "no_json": (b"{", "not_a_json_object"),
    "a_list": (b"[1]", "not_a_json_object"),
    "empty": (b"", "not_a_json_object"),
    "not_utf8": (b"\xff\xfe", "not_a_json_object"),
    "no_message": (b'{"subscription": "s"}', "no_message"),
    "data_is_a_number": (b'{"message": {"data": 1}}', "data_is_no_text"),
    "data_is_not_base64": (_envelope("%%%"), "data_is_not_base64"),
    "no_data": (b'{"message": {"messageId": "1"}}', "not_such_a_message"),
    "data_is_no_json": (_envelope(PERSON.encode()), "not_such_a_message"),
    "another_message": (_envelope(b'{"runId": "r"}'), "not_such_a_message"),
    "content_in_a_field": (_envelope(json.dumps({"email": PERSON, "runId": "r"}).encode()), "not_such_a_message"),
    "wrong_type": (_envelope(b'{"runId": "r", "fence": "1", "batchId": "b", "rangeIndex": "0"}'), "not_such_a_message"),
}


@pytest.mark.parametrize("topic", list(Topic))
@pytest.mark.parametrize("name", list(MALFORMED))
def test_a_message_that_nobody_could_ever_handle_is_acknowledged_and_set_aside(world: World, name: str, topic: Topic) -> None:
    """A dead letter points to it, and holds nothing of its content."""
    body, reason = MALFORMED[name]
    response = post_task(world.app, topic, {"content-type": "application/json"}, body)
    assert (response.status, response.body) == (204, b"")
    (letter,) = world.app.dead_letters.newest(soon())
    expected = "PlanMessage" if topic is Topic.PLAN else "WorkMessage"
    assert (letter.source, letter.reason, letter.message_type) == ("import", reason, expected)
    assert PERSON.encode() not in msgspec.json.encode(letter)


def test_a_message_that_cannot_be_set_aside_now_comes_again(world: World) -> None:
    """Nothing is acknowledged before it is recorded (decisions.md 4)."""
    app = replace(world.app, dead_letters=cast(DeadLetters, SilentStore()))
    assert post_task(app, Topic.WORK, {"content-type": "application/json"}, b"{").status == 503
    assert world.app.dead_letters.newest(soon()) == []


def test_a_malformed_message_that_comes_again_is_set_aside_once(world: World) -> None:
    """Its acknowledgement was lost, say; of a push that cannot be opened, what counts is the whole of it."""
    for body in (b"{", b"{", b"["):
        assert post_task(world.app, Topic.WORK, {"content-type": "application/json"}, body).status == 204
    letters = world.app.dead_letters.newest(soon())
    assert {letter.letter_id for letter in letters} == {poison_id_of(b"{"), poison_id_of(b"[")}
    assert len(letters) == 2


def test_a_message_that_nobody_can_read_is_set_aside_once_in_whatever_push_it_comes(world: World) -> None:
    """Pub/Sub counts its deliveries in the push, and what it has given up comes in one of another subscription."""
    message = {"data": base64.b64encode(b'{"runId": "r"}').decode(), "messageId": "1"}
    for path, push in [
        ("/", {"message": message, "subscription": "work", "deliveryAttempt": 1}),
        ("/", {"message": message, "subscription": "work", "deliveryAttempt": 2}),
        ("/dead", {"message": message, "subscription": "dead"}),
    ]:
        headers = {"content-type": "application/json", LOCAL_TASK_KEY_HEADER.lower(): TASK_KEY}
        assert worker_answer(world.app, ApiRequest("POST", path, headers, {}, json.dumps(push).encode())).status == 204
    (letter,) = world.app.dead_letters.newest(soon())
    assert letter.letter_id == poison_id_of(b'{"runId": "r"}')


@pytest.mark.parametrize("topic", list(Topic))
def test_a_message_of_a_later_version_is_handled(world: World, topic: Topic) -> None:
    """A field that is not known yet is passed over: a deployment, or its taking back, loses no message."""
    run, (work,) = world.planned(RunOptions(ids=world.ids(3)))
    message = PlanMessage(run.run_id, run.fence, 0) if topic is Topic.PLAN else work
    later = {**msgspec.to_builtins(message), "priority": "high"}
    assert task(world.app, topic, msgspec.json.encode(later)).status == 204
    assert world.app.dead_letters.newest(soon()) == []
    assert world.status(run.run_id) is (RunStatus.RUNNING if topic is Topic.PLAN else RunStatus.COMPLETED)


def test_each_message_is_told_from_the_other(world: World) -> None:
    """One that came to the wrong place is set aside."""
    for topic, message in ((Topic.PLAN, WorkMessage("r", 1, "b")), (Topic.WORK, PlanMessage("r", 1, 0))):
        assert task(world.app, topic, msgspec.json.encode(message)).status == 204
    assert {letter.message_type for letter in world.app.dead_letters.newest(soon())} == {"PlanMessage", "WorkMessage"}


def test_a_malformed_cloud_event_is_acknowledged_and_set_aside(world: World) -> None:
    """As binary event and as structured one."""
    for headers, body in (
        (BINARY, b"{"),
        (BINARY, b"[]"),
        ({"content-type": "application/cloudevents+json"}, b"{}"),
    ):
        assert post_task(world.app, Topic.WORK, headers, body).status == 204
    assert len(world.app.dead_letters.newest(soon())) == 3


@pytest.mark.parametrize("shape", ["binary", "structured", "raw_push"])
def test_a_message_is_understood_in_each_shape_that_a_queue_delivers(world: World, shape: str) -> None:
    """Eventarc's binary event, a structured one, and Pub/Sub's own push."""
    run = world.start(RunOptions(ids=world.ids(3)))
    envelope = _envelope(msgspec.json.encode(PlanMessage(run.run_id, run.fence, 0)))
    headers, body = dict(BINARY), envelope
    if shape == "structured":
        headers = {"content-type": "application/cloudevents+json"}
        event = {"specversion": "1.0", "id": "1", "source": "//s", "type": "t", "data": json.loads(envelope)}
        body = json.dumps(event).encode()
    elif shape == "raw_push":
        headers = {"content-type": "application/json"}
    assert post_task(world.app, Topic.PLAN, headers, body).status == 204
    assert len(world.batches(run.run_id)) == 1
    assert world.app.dead_letters.newest(soon()) == []


@pytest.mark.parametrize("key", [None, "", "a-wrong-key", TASK_KEY + "x"])
@pytest.mark.parametrize("topic", list(Topic))
def test_a_task_without_the_right_key_is_refused_and_nothing_is_done(world: World, key: str | None, topic: Topic) -> None:
    """Nobody but the queue may set work off; a malformed body of a stranger makes no dead letter either."""
    run, (message,) = world.planned(RunOptions(ids=world.ids(3)))
    plan = PlanMessage(run.run_id, run.fence, 0)
    response = task(world.app, topic, msgspec.json.encode(plan if topic is Topic.PLAN else message), key=key)
    assert response.status == 401
    assert set(json.loads(response.body)) == {"error", "message"}
    assert TASK_KEY.encode() not in response.body
    assert post_task(world.app, topic, {}, b"{", key).status == 401
    assert world.app.dead_letters.newest(soon()) == []
    assert (world.status(run.run_id), world.batches(run.run_id)[0].attempts) == (RunStatus.RUNNING, 0)


def test_the_key_of_people_opens_no_task_and_the_key_of_tasks_no_api(world: World) -> None:
    """Two doors, two keys."""
    body = _envelope(msgspec.json.encode(PlanMessage("r", 1, 0)))
    assert worker_answer(world.app, ApiRequest("POST", "/", {"x-api-key": TASK_KEY}, {}, body)).status == 401
    foreign = {"host": "example.com", LOCAL_TASK_KEY_HEADER.lower(): TASK_KEY}
    assert answer(world.app, ApiRequest("GET", "/runs", foreign)).status == 403


def test_a_delivery_that_must_come_again_is_answered_503(world: World) -> None:
    """Klaviyo is away: the queue keeps the message."""
    run, (message,) = world.planned(RunOptions(ids=world.ids(3)))
    world.klaviyo_fails(kind="status", status=503)
    response = task(world.app, Topic.WORK, msgspec.json.encode(message))
    assert (response.status, response.body) == (503, b"")
    assert world.status(run.run_id) is RunStatus.RUNNING


def _worker(world: World, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> ApiResponse:
    sent = {LOCAL_TASK_KEY_HEADER.lower(): TASK_KEY, **(headers or {})}
    return worker_answer(world.app, ApiRequest(method, path, sent, {}, body))


def test_what_the_queue_gave_up_on_is_recorded_through_the_worker(world: World) -> None:
    """flows.md: it comes back through the table of the dead."""
    run, (message,) = world.planned(RunOptions(ids=world.ids(3)))
    now = world.clock()
    for number in range(MOST_ATTEMPTS):
        world.store.take(run.run_id, run.fence, message.batch_id, f"dead-{number}", now, now)
    event = message_published(Topic.WORK, "1", msgspec.json.encode(message), now)
    assert _worker(world, "POST", "/dead", event.body, event.headers).status == 204
    assert world.status(run.run_id) is RunStatus.COMPLETED_WITH_ERRORS
    unknown = message_published(Topic.WORK, "2", msgspec.json.encode(WorkMessage("nobody", 1, "b")), world.clock())
    assert _worker(world, "POST", "/dead", unknown.body, unknown.headers).status == 204


def test_the_worker_answers_health_without_a_key_and_takes_messages_by_post_alone(world: World) -> None:
    """Its health touches nothing."""
    health = worker_answer(world.app, ApiRequest("GET", "/health"))
    assert (health.status, json.loads(health.body)) == (200, {"status": "ok"})
    refused = _worker(world, "GET", "/")
    assert (refused.status, refused.headers["Allow"]) == (405, "POST")
