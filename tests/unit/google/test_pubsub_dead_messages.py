"""What Pub/Sub gave up on: pulled and given back, whoever else reads, and put back to where it came from as it was."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from google_emulators import IN_ONE_PROCESS
from pubsub_world import PREFIX, PubSubWorld, pubsub_world

from sandbox.emulators import Emulators
from shared.budget import Budget, budget_of
from shared.errors import HostDown, TransientError
from shared.google import names
from shared.google.dead_messages import PubSubDeadMessages
from shared.google.errors import NotThere
from shared.google.names import Stream
from shared.settings import GoogleSettings

pytestmark = IN_ONE_PROCESS

HOLDING = names.holding_subscription(PREFIX, Stream.EVENTS)


@pytest.fixture
def world(google: Emulators, monkeypatch: pytest.MonkeyPatch) -> Iterator[PubSubWorld]:
    """Empty topics."""
    with pubsub_world(google, monkeypatch) as opened:
        yield opened


@pytest.fixture
def events(world: PubSubWorld) -> PubSubDeadMessages:
    """The notifications that were given up."""
    return PubSubDeadMessages(world.settings, Stream.EVENTS, pause_s=0)


def found(events: PubSubDeadMessages) -> list[bytes]:
    """The bodies of all that are found."""
    return sorted(message.body for message in events.look(budget_of(30)))


def test_what_pubsub_says_of_a_message_is_told(world: PubSubWorld, events: PubSubDeadMessages) -> None:
    """When it was published first, and its deliveries."""
    message_id = world.give_up(Stream.EVENTS, b"a", deliveries=100)
    (message,) = events.look(budget_of(30))
    assert (message.message_id, message.deliveries) == (message_id, 100)
    assert message.published_at == datetime(2026, 5, 1, 12, 0, 0, 123_000, tzinfo=UTC)


def test_a_message_that_somebody_else_put_there_is_found(world: PubSubWorld, events: PubSubDeadMessages) -> None:
    """Without what Pub/Sub adds, nothing is known of its past."""
    world.topics.publish(Stream.EVENTS, b"a", given_up=True, CloudPubSubDeadLetterSourceDeliveryCount="many")
    (message,) = events.look(budget_of(30))
    assert (message.deliveries, message.published_at) == (None, None)


def test_more_than_a_pull_gives_are_found(world: PubSubWorld, events: PubSubDeadMessages) -> None:
    """The emulator gives a hundred; Pub/Sub as many as it likes."""
    bodies = [f"{number:03}".encode() for number in range(150)]
    for body in bodies:
        world.give_up(Stream.EVENTS, body)
    assert found(events) == bodies
    assert world.held(Stream.EVENTS)[:3] == bodies[:3]


def test_certain_messages_are_found_however_many_there_are(world: PubSubWorld) -> None:
    """Of all, only so many are seen at a time."""
    ids = [world.give_up(Stream.EVENTS, f"{number:03}".encode()) for number in range(250)]
    events = PubSubDeadMessages(world.settings, Stream.EVENTS, pause_s=0, most=100)
    seen = {message.message_id for message in events.look(budget_of(30))}
    assert 100 <= len(seen) < 250
    hidden = [message_id for message_id in ids if message_id not in seen]
    assert {message.message_id for message in events.look(budget_of(30), hidden[-2:])} == set(hidden[-2:])
    assert events.drop(hidden[-1:], budget_of(30)) == set(hidden[-1:])


def test_a_search_that_runs_out_of_time_says_how_far_it_came(world: PubSubWorld, events: PubSubDeadMessages) -> None:
    """What was not looked at is not known to be absent."""
    for number in range(150):
        world.give_up(Stream.EVENTS, str(number).encode())
    ticks = itertools.count()
    with pytest.raises(TransientError, match=r"^\d+ messages of the subscription .* were looked at, and there may be more"):
        events.look(Budget(deadline=7, monotonic=lambda: float(next(ticks))), ["absent"])
    assert len(found(events)) == 150


def test_silence_is_not_told_as_emptiness(world: PubSubWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Pub/Sub that takes connections and says nothing may have dead messages."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "{}:{}".format(*silent.getsockname()))
        with pytest.raises(HostDown, match="DEADLINE_EXCEEDED"):
            PubSubDeadMessages(world.settings, Stream.EVENTS).look(budget_of(1))


def test_an_empty_answer_is_not_yet_the_end(world: PubSubWorld) -> None:
    """Pub/Sub may have messages and give none: what comes while it is asked a few times is found."""
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            world.give_up(Stream.EVENTS, b"late")

    events = PubSubDeadMessages(world.settings, Stream.EVENTS, pause_s=0.001)
    assert [message.body for message in events.look(replace(budget_of(30), sleeper=pause))] == [b"late"]


def test_a_message_held_by_another_reader_is_found_once_that_lets_it_go(world: PubSubWorld, events: PubSubDeadMessages) -> None:
    """It is neither shown, nor put back, nor removed until then."""
    held_id = world.give_up(Stream.EVENTS, b"held")
    (held,) = world.pulled(HOLDING)
    world.give_up(Stream.EVENTS, b"free")
    assert found(events) == [b"free"]
    assert events.replay([held_id], budget_of(30)) == set()
    assert events.drop([held_id], budget_of(30)) == set()
    world.give_back(HOLDING, [held.ack_id])
    assert found(events) == [b"free", b"held"]


def test_a_replay_goes_to_the_topic_it_came_from_as_it_was(world: PubSubWorld, events: PubSubDeadMessages) -> None:
    """With the attributes of its sender, without those of Pub/Sub."""
    message_id = world.give_up(Stream.EVENTS, b"\x00notification", sender="commercetools")
    assert events.replay([message_id], budget_of(30)) == {message_id}
    (delivery,) = world.delivered(Stream.EVENTS)
    assert (delivery.message.data, dict(delivery.message.attributes)) == (b"\x00notification", {"sender": "commercetools"})
    assert found(events) == []


def test_what_cannot_be_published_stays(world: PubSubWorld) -> None:
    """It is removed only once it is durable in its topic, and given back at once when that fails."""
    message_id = world.give_up(Stream.EVENTS, b"a")
    world.delete_topic(Stream.EVENTS)
    events = PubSubDeadMessages(world.settings, Stream.EVENTS, pause_s=0)
    with pytest.raises(NotThere, match="the topic klaviyo-sync-events"):
        events.replay([message_id], budget_of(30))
    assert world.held(Stream.EVENTS) == [b"a"]


def test_a_missing_subscription_is_named(world: PubSubWorld) -> None:
    """With the project and the setting that makes its name."""
    elsewhere = GoogleSettings(project=world.settings.project, name_prefix="other", firestore_database="(default)")
    with pytest.raises(NotThere) as raised:
        PubSubDeadMessages(elsewhere, Stream.WORK, pause_s=0).look(budget_of(30))
    assert f"the subscription other-work-dead-hold of the project {elsewhere.project}" in str(raised.value)
    assert "GOOGLE_NAME_PREFIX" in str(raised.value)
