"""The queue on Pub/Sub: what its requests hold, when it connects, and what it says of a Pub/Sub that cannot be used."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from google.api_core.exceptions import (
    Aborted,
    DeadlineExceeded,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    RetryError,
    ServiceUnavailable,
    Unauthenticated,
)
from google.auth.exceptions import DefaultCredentialsError
from google.pubsub_v1 import PublishRequest, PubsubMessage
from google_emulators import IN_ONE_PROCESS
from pubsub_world import PREFIX, PubSubWorld, pubsub_world

from sandbox.emulators import Emulators
from shared.bulk.ports import Topic
from shared.errors import HostDown, RateLimited, TransientError
from shared.google.errors import NotPermitted, NotThere
from shared.google.faults import translated
from shared.google.names import Stream
from shared.google.pubsub import in_requests
from shared.google.queue import PubSubQueue, open_queue
from shared.local.listening import free_port
from shared.settings import GoogleSettings


@pytest.fixture
def world(google: Emulators, monkeypatch: pytest.MonkeyPatch) -> Iterator[PubSubWorld]:
    """Empty topics."""
    with pubsub_world(google, monkeypatch) as opened:
        yield opened


def settings(project: str = "demo-sync") -> GoogleSettings:
    """Of a project that the test does not ask for."""
    return GoogleSettings(project=project, name_prefix=PREFIX, firestore_database="(default)")


def test_a_request_has_as_many_messages_as_pubsub_takes() -> None:
    """1,000, in the order given."""
    messages = [PubsubMessage(data=str(number).encode()) for number in range(2_500)]
    requests = list(in_requests(messages))
    assert [len(request) for request in requests] == [1_000, 1_000, 500]
    assert [message for request in requests for message in request] == messages
    assert list(in_requests([])) == []


@pytest.mark.parametrize("body_bytes", [9_500_000, 4_000_000, 30_000, 9_000])
def test_a_request_has_as_many_bytes_as_pubsub_takes(body_bytes: int) -> None:
    """10 MB with all that belongs to it; a message that nearly fills one has it for itself."""
    messages = [PubsubMessage(data=bytes(body_bytes), attributes={"name": "value"}) for _ in range(10_000_000 // body_bytes * 3)]
    requests = list(in_requests(messages))
    sizes = [PublishRequest.pb(PublishRequest(topic="t" * 300, messages=request)).ByteSize() for request in requests]
    assert max(sizes) <= 10_000_000
    assert sum(map(len, requests)) == len(messages)
    assert len(requests) <= 4


@IN_ONE_PROCESS
def test_a_publication_of_several_requests_arrives_whole(world: PubSubWorld) -> None:
    """Each message once."""
    bodies = [str(number).encode() for number in range(1_100)]
    open_queue(world.settings).publish(Topic.PLAN, bodies)
    got: list[bytes] = []
    while received := world.delivered(Stream.PLAN, 1_000):
        got += [one.message.data for one in received]
    assert sorted(got) == sorted(bodies)


@IN_ONE_PROCESS
def test_threads_share_a_queue_from_its_first_message_on(world: PubSubWorld) -> None:
    """Eight that begin at once."""
    queue = open_queue(world.settings)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: queue.publish(Topic.WORK, [str(number).encode()]), range(8)))
    assert sorted(one.message.data for one in world.delivered(Stream.WORK)) == [str(number).encode() for number in range(8)]


@IN_ONE_PROCESS
def test_a_missing_topic_is_named(world: PubSubWorld) -> None:
    """With the project and the setting that makes its name."""
    elsewhere = GoogleSettings(project=world.settings.project, name_prefix="other", firestore_database="(default)")
    with pytest.raises(NotThere) as raised:
        open_queue(elsewhere).publish(Topic.WORK, [b"a"])
    assert f"the topic other-work of the project {elsewhere.project}" in str(raised.value)
    assert "GOOGLE_NAME_PREFIX" in str(raised.value)


def test_a_queue_that_does_not_answer_is_a_passing_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """After trying for as long as it may."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", f"127.0.0.1:{free_port()}")
    queue = PubSubQueue(settings(), within_s=0.5)
    began = time.monotonic()
    with pytest.raises(TransientError, match=r"klaviyo-sync-plan .* \(UNAVAILABLE\)") as raised:
        queue.publish(Topic.PLAN, [b"a"])
    assert not isinstance(raised.value, NotPermitted | NotThere)
    assert time.monotonic() - began < 30


def test_nothing_is_connected_before_the_first_message(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A server may fork until then; so missing credentials, too, are told only by the first publication."""
    monkeypatch.delenv("PUBSUB_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "absent.json"))
    queue = open_queue(settings(project=""))
    queue.publish(Topic.PLAN, [])
    with pytest.raises(NotPermitted, match="gcloud auth application-default login"):
        queue.publish(Topic.PLAN, [b"a"])


@IN_ONE_PROCESS
def test_without_a_project_that_of_the_credentials_is_asked_for(
    world: PubSubWorld, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Missing credentials are told with what to do, also where Pub/Sub itself needs none."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "absent.json"))
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    with pytest.raises(NotPermitted, match="looking for the Google Cloud project"):
        open_queue(settings(project="")).publish(Topic.PLAN, [b"a"])


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (PermissionDenied("x"), NotPermitted, "grant the role roles/a on b"),
        (Unauthenticated("x"), NotPermitted, "gcloud auth application-default login"),
        (DefaultCredentialsError("x"), NotPermitted, "gcloud auth application-default login"),
        (ServiceUnavailable("Getting metadata from plugin failed with error: expired"), NotPermitted, "gcloud auth"),
        (NotFound("x"), NotThere, "deploy b"),
        (RetryError("x", NotFound("x")), NotThere, "deploy b"),
        (RetryError("x", ServiceUnavailable("x")), HostDown, "(UNAVAILABLE)"),
        (ServiceUnavailable("x"), HostDown, "(UNAVAILABLE)"),
        (DeadlineExceeded("x"), HostDown, "(DEADLINE_EXCEEDED)"),
        (Aborted("x"), HostDown, "(ABORTED)"),
        (ResourceExhausted("x"), RateLimited, "(RESOURCE_EXHAUSTED)"),
        (RetryError("x", ResourceExhausted("x")), RateLimited, "(RESOURCE_EXHAUSTED)"),
        (InvalidArgument("x"), TransientError, "(INVALID_ARGUMENT)"),
    ],
    ids=repr,
)
def test_faults_say_what_a_person_does_next(error: Exception, kind: type[TransientError], said: str) -> None:
    """All are transient: once it is done, the same call succeeds. What Google says is not repeated.

    An outage is told from what lies with the caller, or with what he asks: that counts as an attempt of a batch.
    """
    with pytest.raises(TransientError) as raised, translated("calling b", role="roles/a on b", create="deploy b"):
        raise error
    assert type(raised.value) is kind
    assert str(raised.value).startswith("calling b: ")
    assert said in str(raised.value)
    assert "expired" not in str(raised.value)
