"""The adapters that must keep the queue's contract; another one is another entry of `ADAPTERS`.

Delivery is not part of the port, so each adapter brings its receiving end: `Receiver`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest
from google_emulators import IN_ONE_PROCESS
from pubsub_world import PREFIX, PubSubWorld, pubsub_world

from shared.bulk.ports import Queue, Topic
from shared.google import names
from shared.google.names import Stream
from shared.google.queue import open_queue
from shared.sqlite.database import Database
from shared.sqlite.queue import SqliteQueue


class Receiver(Protocol):
    """What the tests need of the receiving end; a delivery has `body` and `attempt`."""

    def receive(self, topic: Topic, most: int) -> list[Any]:
        """Up to `most` deliveries; none when there is nothing to deliver."""

    def acknowledge(self, delivery: Any) -> None:
        """The message is dealt with."""

    def refuse(self, delivery: Any) -> None:
        """Deliver the message again, at once."""


@dataclass(frozen=True)
class Ends:
    """Both ends of one queue."""

    queue: Queue
    receiver: Receiver


class SqliteReceiver:
    def __init__(self, queue: SqliteQueue) -> None:
        self._queue = queue

    def receive(self, topic: Topic, most: int) -> list[Any]:
        return list(self._queue.lease(topic, most, 60))

    def acknowledge(self, delivery: Any) -> None:
        assert self._queue.ack(delivery)

    def refuse(self, delivery: Any) -> None:
        assert self._queue.nack(delivery, 0)


@dataclass(frozen=True)
class PulledDelivery:
    """A delivery of Pub/Sub, with what it takes to answer it."""

    subscription: str
    ack_id: str
    body: bytes
    attempt: int


class PubSubReceiver:
    """Pulls from the subscription that pushes in a deployment: only so can a test hold a delivery."""

    def __init__(self, world: PubSubWorld) -> None:
        self._world = world

    def receive(self, topic: Topic, most: int) -> list[Any]:
        name = names.push_subscription(PREFIX, Stream(topic))
        return [
            PulledDelivery(name, one.ack_id, one.message.data, one.delivery_attempt) for one in self._world.pulled(name, most)
        ]

    def acknowledge(self, delivery: Any) -> None:
        self._world.acknowledge(delivery.subscription, [delivery.ack_id])

    def refuse(self, delivery: Any) -> None:
        self._world.give_back(delivery.subscription, [delivery.ack_id])


@contextmanager
def sqlite(request: pytest.FixtureRequest) -> Iterator[Ends]:
    """An empty queue in a file of its own."""
    folder: Path = request.getfixturevalue("tmp_path")
    with Database(folder / "state.sqlite3") as database:
        queue = SqliteQueue(database)
        yield Ends(queue, SqliteReceiver(queue))


@contextmanager
def pubsub(request: pytest.FixtureRequest) -> Iterator[Ends]:
    """An empty queue in a Google Cloud project of its own."""
    with pubsub_world(request.getfixturevalue("google"), request.getfixturevalue("monkeypatch")) as world:
        yield Ends(open_queue(world.settings), PubSubReceiver(world))


ADAPTERS: dict[str, Callable[[pytest.FixtureRequest], AbstractContextManager[Ends]]] = {"sqlite": sqlite, "pubsub": pubsub}


@pytest.fixture(params=["sqlite", pytest.param("pubsub", marks=IN_ONE_PROCESS)])
def ends(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Both ends of an empty queue."""
    with ADAPTERS[request.param](request) as opened:
        yield opened
