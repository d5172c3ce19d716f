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

from shared.bulk.ports import Queue, Topic
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


@contextmanager
def sqlite(folder: Path) -> Iterator[Ends]:
    """An empty queue in a file of its own."""
    with Database(folder / "state.sqlite3") as database:
        queue = SqliteQueue(database)
        yield Ends(queue, SqliteReceiver(queue))


ADAPTERS: dict[str, Callable[[Path], AbstractContextManager[Ends]]] = {"sqlite": sqlite}


@pytest.fixture(params=ADAPTERS)
def ends(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """Both ends of an empty queue."""
    with ADAPTERS[request.param](tmp_path) as opened:
        yield opened
