"""The durable queue in the state file: leases, attempts, delays and a table of the dead (decisions.md 12, 18).

A message is delivered at least once, roughly in the order of publication. A lease that runs out makes it deliverable
again, and whatever its former holder says afterwards about that delivery counts for nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.bulk.ports import Topic
from shared.microseconds import micros, moment
from shared.sqlite.database import Database

MAX_ATTEMPTS = 100
"""Deliveries of a message before it counts as dead; more than a batch's own eight attempts, which end first."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery of a message; `attempt` counts them from 1 and tells this one from the others."""

    message_id: int
    topic: Topic
    body: bytes
    attempt: int
    published_at: datetime

    @property
    def delivery_id(self) -> str:
        """Names this delivery, as `17-2`: the second of message 17."""
        return f"{self.message_id}-{self.attempt}"


@dataclass(frozen=True, slots=True)
class BuriedMessage:
    """A message that was delivered `attempts` times and never acknowledged."""

    message_id: int
    topic: Topic
    body: bytes
    attempts: int
    published_at: datetime
    died_at: datetime


def _utc_now() -> datetime:
    return datetime.now(UTC)


class SqliteQueue:
    """Implements `shared.bulk.ports.Queue`, and what a pump needs beside it.

    `clock` gives the current time, timezone-aware. All methods raise `TransientError` when the file does not answer.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime] = _utc_now, *, max_attempts: int = MAX_ATTEMPTS) -> None:
        self._database, self._clock, self._max_attempts = database, clock, max_attempts

    def publish(self, topic: Topic, bodies: Sequence[bytes]) -> None:
        """Put messages into the queue, all or none; returns once they are durable."""
        now = micros(self._clock())
        with self._database.writing() as connection:
            connection.executemany(
                "INSERT INTO messages (topic, due_at, published_at, body) VALUES (?, ?, ?, ?)",
                [(topic.value, now, now, body) for body in bodies],
            )

    def lease(self, topic: Topic, most: int, lease_s: float) -> list[Delivery]:
        """Up to `most` messages, each for this caller alone during `lease_s` seconds; the longest due first.

        A message that is due again after `max_attempts` deliveries moves to the dead instead.
        """
        now = micros(self._clock())
        until = now + round(lease_s * 1_000_000)
        leased: list[Delivery] = []
        with self._database.writing() as connection:
            while len(leased) < most:
                due = connection.execute(
                    "SELECT message_id, attempts, published_at, body FROM messages"
                    " WHERE topic = ? AND due_at <= ? ORDER BY due_at, message_id LIMIT ?",
                    (topic.value, now, most - len(leased)),
                ).fetchall()
                if not due:
                    break
                for message_id, attempts, published_at, body in due:
                    if attempts >= self._max_attempts:
                        _bury(connection, message_id, now)
                        continue
                    connection.execute(
                        "UPDATE messages SET leased = 1, due_at = ?, attempts = ? WHERE message_id = ?",
                        (until, attempts + 1, message_id),
                    )
                    leased.append(Delivery(message_id, topic, body, attempts + 1, moment(published_at)))
        return leased

    def ack(self, delivery: Delivery) -> bool:
        """The message is dealt with: remove it. False, and no effect, when the delivery's lease has ended."""
        with self._database.writing() as connection:
            return self._on_held(connection, "DELETE FROM messages", (), delivery)

    def nack(self, delivery: Delivery, delay_s: float) -> bool:
        """Deliver the message again after `delay_s` seconds; after its last attempt it moves to the dead.

        False, and no effect, when the delivery's lease has ended.
        """
        now = micros(self._clock())
        due_at = now + round(delay_s * 1_000_000)
        with self._database.writing() as connection:
            held = self._on_held(connection, "UPDATE messages SET leased = 0, due_at = ?", (due_at,), delivery)
            if held and delivery.attempt >= self._max_attempts:
                _bury(connection, delivery.message_id, now)
            return held

    def extend(self, delivery: Delivery, lease_s: float) -> bool:
        """Let the lease end `lease_s` seconds from now. False, and no effect, when it has ended already."""
        until = micros(self._clock()) + round(lease_s * 1_000_000)
        with self._database.writing() as connection:
            return self._on_held(connection, "UPDATE messages SET due_at = ?", (until,), delivery)

    def dead(self, limit: int = 100) -> list[BuriedMessage]:
        """Messages that the queue gave up on, the first to die first."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT message_id, topic, body, attempts, published_at, died_at FROM dead_messages"
                " ORDER BY died_at, message_id LIMIT ?",
                (limit,),
            )
            return [
                BuriedMessage(message_id, Topic(topic), body, attempts, moment(published_at), moment(died_at))
                for message_id, topic, body, attempts, published_at, died_at in rows
            ]

    def drop_dead(self, message_id: int) -> bool:
        """Remove one of the dead; whether it was there."""
        with self._database.writing() as connection:
            return connection.execute("DELETE FROM dead_messages WHERE message_id = ?", (message_id,)).rowcount == 1

    def free_leases(self) -> int:
        """End all leases; how many there were. For a start at which nobody who could hold one is alive.

        The attempts stay counted, so that a message whose worker dies each time does not live for ever.
        """
        now = micros(self._clock())
        with self._database.writing() as connection:
            return connection.execute("UPDATE messages SET leased = 0, due_at = ? WHERE leased", (now,)).rowcount

    def _on_held(self, connection: sqlite3.Connection, change: str, values: Sequence[int], delivery: Delivery) -> bool:
        """Apply `change` to the message if this delivery's lease is alive; whether it was."""
        now = micros(self._clock())
        condition = " WHERE message_id = ? AND attempts = ? AND leased AND due_at > ?"
        return connection.execute(change + condition, (*values, delivery.message_id, delivery.attempt, now)).rowcount == 1


def _bury(connection: sqlite3.Connection, message_id: int, now: int) -> None:
    connection.execute(
        "INSERT INTO dead_messages (message_id, topic, attempts, published_at, died_at, body)"
        " SELECT message_id, topic, attempts, published_at, ?, body FROM messages WHERE message_id = ?",
        (now, message_id),
    )
    connection.execute("DELETE FROM messages WHERE message_id = ?", (message_id,))
