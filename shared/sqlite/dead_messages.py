"""The dead messages of the queue in the state file (decisions.md 15)."""

from __future__ import annotations

from collections.abc import Collection

from shared.budget import Budget
from shared.bulk.ports import Topic
from shared.dead_letters import MOST
from shared.dead_messages import DeadMessage
from shared.sqlite.queue import SqliteQueue


class SqliteDeadMessages:
    """Implements `shared.dead_messages.DeadMessages` for a topic.

    While `serve` runs they do not stay: it tells the worker of a batch, and puts a plan message into the queue again. What it
    has dealt with meanwhile is not there any more.
    """

    def __init__(self, queue: SqliteQueue, topic: Topic) -> None:
        self._queue, self._topic = queue, topic

    def look(self, budget: Budget, message_ids: Collection[str] | None = None) -> list[DeadMessage]:
        """Those with these ids, or all; they stay."""
        budget.check()
        return [
            DeadMessage(str(dead.message_id), dead.body, dead.died_at, dead.published_at, dead.attempts)
            for dead in self._queue.dead(MOST)
            if dead.topic is self._topic and (message_ids is None or str(dead.message_id) in message_ids)
        ]

    def replay(self, message_ids: Collection[str], budget: Budget) -> set[str]:
        """Publish these anew, with all their attempts, and then remove them."""
        found = self.look(budget, message_ids)
        self._queue.publish(self._topic, [message.body for message in found])
        return {message.message_id for message in found if self._queue.drop_dead(int(message.message_id))}

    def drop(self, message_ids: Collection[str], budget: Budget) -> set[str]:
        """Remove these."""
        found = self.look(budget, message_ids)
        return {message.message_id for message in found if self._queue.drop_dead(int(message.message_id))}
