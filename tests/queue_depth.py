"""What stands in the SQLite queue, as its table has it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from shared.bulk.ports import Topic
from shared.microseconds import micros
from shared.sqlite.database import Database


@dataclass(frozen=True, slots=True)
class Depth:
    """How many messages of a topic can be delivered now, wait for their delay to pass, or are leased."""

    ready: int
    delayed: int
    leased: int

    @property
    def total(self) -> int:
        """All that have not been acknowledged and are not dead."""
        return self.ready + self.delayed + self.leased


def depth_of(database: Database, topic: Topic, now: datetime | None = None) -> Depth:
    """How many messages of this topic there are; `now` by the queue's own clock, else the real one."""
    with database.reading() as connection:
        row = connection.execute(
            "SELECT count(*) FILTER (WHERE due_at <= :now), count(*) FILTER (WHERE due_at > :now AND NOT leased),"
            " count(*) FILTER (WHERE due_at > :now AND leased) FROM messages WHERE topic = :topic",
            {"now": micros(now or datetime.now(UTC)), "topic": topic.value},
        ).fetchone()
    return Depth(*row)
