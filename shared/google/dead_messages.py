"""The dead messages of Pub/Sub: what stands in the holding subscriptions (decisions.md 15).

A subscription cannot be looked into: its messages are pulled, which holds them, and given back. So each method pulls what
there is, or until it has what it looks for, deals with that, and gives the rest back before it returns.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cached_property
from typing import TypeAlias

from google.api_core.exceptions import DeadlineExceeded
from google.pubsub_v1 import PubsubMessage, ReceivedMessage, SubscriberClient

from shared.budget import Budget
from shared.dead_letters import MOST
from shared.dead_messages import DeadMessage
from shared.errors import TransientError
from shared.google import names
from shared.google.faults import translated
from shared.google.names import Stream
from shared.google.pubsub import CALL_S, DEPLOY, MOST_MESSAGES, patient, project_of, subscriber
from shared.google.queue import PubSubQueue
from shared.settings import GoogleSettings

SUBSCRIBER_ROLE = "roles/pubsub.subscriber"

PULL_S = 2.0
"""How long a pull waits for messages."""

EMPTY_PULLS = 2
"""So many empty answers in a row mean that there is no more: Pub/Sub may give one while it still has messages."""

HOLD_S = 180
"""How long what was pulled is held at most; more than a command's budget, and little enough if the command is killed."""

_AT_ONCE = 100
_OF_PUBSUB = "CloudPubSubDeadLetterSource"
"""How the attributes begin that Pub/Sub adds to a message that it gives up."""

_Pulled: TypeAlias = dict[str, ReceivedMessage]


class PubSubDeadMessages:
    """Implements `shared.dead_messages.DeadMessages` for a stream, of which it sees `MOST` at a time. For one thread.

    `pull_s` is how long a pull waits for messages, in seconds. All methods raise `NotThere` or `NotPermitted` when the
    subscription, or for a replay the topic, cannot be used at all.
    """

    def __init__(self, settings: GoogleSettings, stream: Stream, *, pull_s: float = PULL_S) -> None:
        self._settings, self._stream, self._pull_s, self._queue = settings, stream, pull_s, PubSubQueue(settings)

    def look(self, budget: Budget, message_ids: Collection[str] | None = None) -> list[DeadMessage]:
        """Those with these ids, or all; they stay."""
        with self._pulled(budget, message_ids) as pulled:
            return [_dead(one.message) for name, one in pulled.items() if message_ids is None or name in message_ids]

    def replay(self, message_ids: Collection[str], budget: Budget) -> set[str]:
        """Publish these to their stream's topic, with the attributes that they came with, and then acknowledge them."""
        done: set[str] = set()
        with self._pulled(budget, message_ids) as pulled:
            for some in _parts([name for name in pulled if name in message_ids], _AT_ONCE):
                budget.check()
                self._queue.publish_to(self._stream, [_as_it_was(pulled[name].message) for name in some])
                self._acknowledge(pulled, some)
                done.update(some)
        return done

    def drop(self, message_ids: Collection[str], budget: Budget) -> set[str]:
        """Acknowledge these."""
        with self._pulled(budget, message_ids) as pulled:
            found = [name for name in pulled if name in message_ids]
            for some in _parts(found, MOST_MESSAGES):
                self._acknowledge(pulled, some)
        return set(found)

    @contextmanager
    def _pulled(self, budget: Budget, message_ids: Collection[str] | None) -> Iterator[_Pulled]:
        """All messages that can be had, or enough of them to have those with these ids; given back at the end."""
        pulled: _Pulled = {}
        try:
            empty = 0
            while empty < EMPTY_PULLS and len(pulled) < MOST and not _complete(pulled, message_ids):
                received = self._pull(budget)
                pulled.update((one.message.message_id, one) for one in received)
                self._hold([one.ack_id for one in received], HOLD_S)
                empty = 0 if received else empty + 1
            yield pulled
        finally:
            with suppress(TransientError):  # then they come back by themselves, after `HOLD_S`
                self._hold([one.ack_id for one in pulled.values()], 0)

    def _pull(self, budget: Budget) -> Sequence[ReceivedMessage]:
        with self._translated("reading"):
            try:
                answer = self._client.pull(
                    subscription=self._path(),
                    max_messages=MOST_MESSAGES,
                    timeout=budget.timeout_s(self._pull_s),
                    retry=patient(CALL_S, silence=False),
                )
            except DeadlineExceeded:
                return []
            return answer.received_messages

    def _hold(self, ack_ids: Sequence[str], seconds: int) -> None:
        """Let messages be delivered again in so many seconds, and not before; 0: at once."""
        with self._translated("holding messages of"):
            for some in _parts(ack_ids, MOST_MESSAGES):
                self._client.modify_ack_deadline(
                    subscription=self._path(),
                    ack_ids=list(some),
                    ack_deadline_seconds=seconds,
                    timeout=CALL_S,
                    retry=patient(CALL_S),
                )

    def _acknowledge(self, pulled: _Pulled, message_ids: Sequence[str]) -> None:
        """Remove these; those that are given back at the end are the others."""
        with self._translated("removing messages of"):
            ack_ids = [pulled[name].ack_id for name in message_ids]
            self._client.acknowledge(subscription=self._path(), ack_ids=ack_ids, timeout=CALL_S, retry=patient(CALL_S))
        for name in message_ids:
            del pulled[name]

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        told = f"{doing} the subscription {self._name()} of the project {self._project}"
        with translated(told, role=f"{SUBSCRIBER_ROLE} on this subscription", create=DEPLOY):
            yield

    @cached_property
    def _client(self) -> SubscriberClient:
        return subscriber()

    @cached_property
    def _project(self) -> str:
        return project_of(self._settings)

    def _name(self) -> str:
        return names.holding_subscription(self._settings.name_prefix, self._stream)

    def _path(self) -> str:
        return f"projects/{self._project}/subscriptions/{self._name()}"


def _complete(pulled: _Pulled, message_ids: Collection[str] | None) -> bool:
    return message_ids is not None and all(name in pulled for name in message_ids)


def _parts(all_of: Sequence[str], most: int) -> Iterator[Sequence[str]]:
    return (all_of[start : start + most] for start in range(0, len(all_of), most))


def _as_it_was(message: PubsubMessage) -> PubsubMessage:
    own = {name: value for name, value in message.attributes.items() if not name.startswith(_OF_PUBSUB)}
    return PubsubMessage(data=message.data, attributes=own)


def _dead(message: PubsubMessage) -> DeadMessage:
    attributes = message.attributes
    deliveries = attributes.get(f"{_OF_PUBSUB}DeliveryCount", "")
    return DeadMessage(
        message_id=message.message_id,
        body=message.data,
        died_at=datetime.fromtimestamp(message.publish_time.timestamp(), UTC),
        published_at=_instant(attributes.get(f"{_OF_PUBSUB}TopicPublishTime", "")),
        deliveries=int(deliveries) if deliveries.isdecimal() else None,
    )


def _instant(text: str) -> datetime | None:
    with suppress(ValueError):
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return None
