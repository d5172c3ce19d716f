"""The adapters that must keep the dead messages' contract; another one is another entry of `ADAPTERS`.

How a message comes to be dead is not part of the port, so each adapter brings it: `Bench`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest
from google_emulators import IN_ONE_PROCESS
from pubsub_world import PubSubWorld, pubsub_world

from shared.bulk.ports import Topic
from shared.dead_messages import DeadMessages
from shared.google.dead_messages import PubSubDeadMessages
from shared.google.names import Stream
from shared.sqlite.database import Database
from shared.sqlite.dead_messages import SqliteDeadMessages
from shared.sqlite.queue import SqliteQueue

DELIVERIES = 3


class Bench(Protocol):
    """What the tests need around the dead messages of the work stream."""

    messages: DeadMessages

    def give_up(self, bodies: Sequence[bytes]) -> None:
        """Let messages of the work stream have been delivered `DELIVERIES` times in vain."""

    def give_up_elsewhere(self, body: bytes) -> None:
        """The same in another stream."""

    def delivered(self) -> list[bytes]:
        """What the work stream delivers now, which is dealt with by that."""


@dataclass(frozen=True)
class SqliteBench:
    queue: SqliteQueue
    messages: DeadMessages

    def give_up(self, bodies: Sequence[bytes]) -> None:
        self._give_up(Topic.WORK, bodies)

    def give_up_elsewhere(self, body: bytes) -> None:
        self._give_up(Topic.PLAN, [body])

    def delivered(self) -> list[bytes]:
        leased = self.queue.lease(Topic.WORK, 100, 60)
        return sorted(delivery.body for delivery in leased if self.queue.ack(delivery))

    def _give_up(self, topic: Topic, bodies: Sequence[bytes]) -> None:
        self.queue.publish(topic, bodies)
        for _ in range(DELIVERIES):
            for delivery in self.queue.lease(topic, len(bodies), 60):
                assert self.queue.nack(delivery, 0)


@dataclass(frozen=True)
class PubSubBench:
    world: PubSubWorld
    messages: DeadMessages

    def give_up(self, bodies: Sequence[bytes]) -> None:
        for body in bodies:
            self.world.give_up(Stream.WORK, body, DELIVERIES)

    def give_up_elsewhere(self, body: bytes) -> None:
        self.world.give_up(Stream.PLAN, body, DELIVERIES)

    def delivered(self) -> list[bytes]:
        return sorted(one.message.data for one in self.world.delivered(Stream.WORK))


@contextmanager
def sqlite(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Nothing dead, in a file of its own."""
    folder: Path = request.getfixturevalue("tmp_path")
    with Database(folder / "state.sqlite3") as database:
        queue = SqliteQueue(database, max_attempts=DELIVERIES)
        yield SqliteBench(queue, SqliteDeadMessages(queue, Topic.WORK))


@contextmanager
def pubsub(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Nothing dead, in a Google Cloud project of its own."""
    with pubsub_world(request.getfixturevalue("google"), request.getfixturevalue("monkeypatch")) as world:
        yield PubSubBench(world, PubSubDeadMessages(world.settings, Stream.WORK, pause_s=0))


ADAPTERS: dict[str, Callable[[pytest.FixtureRequest], AbstractContextManager[Bench]]] = {"sqlite": sqlite, "pubsub": pubsub}


@pytest.fixture(params=["sqlite", pytest.param("pubsub", marks=IN_ONE_PROCESS)])
def bench(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The dead messages of the work stream, none yet, and how there come to be some."""
    with ADAPTERS[request.param](request) as opened:
        yield opened
