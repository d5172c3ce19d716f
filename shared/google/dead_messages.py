"""The dead messages of Pub/Sub: what stands in the holding subscriptions (decisions.md 15).

A subscription cannot be looked into: its messages are pulled, which holds them, and given back. So each method pulls what
there is, or until it has what it looks for, deals with that, and gives the rest back before it returns.

A pull that waits for messages is answered when there are some, and else after a minute or more: whoever waits less cannot
tell an empty subscription from a Pub/Sub that does not answer. So pulls are asked to return at once. That may give nothing
though there is something, which is why it is asked several times.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, partial

from google.api_core.gapic_v1.method import wrap_method
from google.api_core.gapic_v1.routing_header import to_grpc_metadata
from google.pubsub_v1 import PubsubMessage, PullRequest, PullResponse, ReceivedMessage, SubscriberClient

from shared.budget import Budget
from shared.dead_letters import MOST
from shared.dead_messages import DeadMessage
from shared.errors import Interrupted, TransientError
from shared.google import names
from shared.google.faults import translated
from shared.google.names import Stream
from shared.google.pubsub import CALL_S, DEPLOY, MOST_MESSAGES, patient, project_of, subscriber
from shared.google.queue import PubSubQueue
from shared.settings import GoogleSettings

SUBSCRIBER_ROLE = "roles/pubsub.subscriber"

EMPTY_PULLS = 5
"""So many empty answers in a row mean that there is no more: Pub/Sub may give one while it still has messages."""

PAUSE_S = 0.5
"""Between these."""

HOLD_S = 180
"""How long what was pulled is held at most; more than a command's budget, and little enough if the command is killed."""

_AT_ONCE = 100
_OF_PUBSUB = "CloudPubSubDeadLetterSource"
"""How the attributes begin that Pub/Sub adds to a message that it gives up."""


@dataclass(frozen=True, slots=True)
class _Pulled:
    """Messages that are held: the `wanted` ones, and of the `others` no more than what it takes to give them back."""

    wanted: dict[str, ReceivedMessage] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)

    def add(self, received: Sequence[ReceivedMessage], message_ids: Collection[str] | None) -> None:
        for one in received:
            name = one.message.message_id
            if message_ids is None or name in message_ids:
                self.wanted[name] = one
            else:
                self.others[name] = one.ack_id

    def ack_ids(self) -> list[str]:
        return [*(one.ack_id for one in self.wanted.values()), *self.others.values()]

    def __len__(self) -> int:
        return len(self.wanted) + len(self.others)


class PubSubDeadMessages:
    """Implements `shared.dead_messages.DeadMessages` for a stream. For one thread.

    Of all messages it sees `most` at a time; for certain ones it looks on until it has them, or there are no more. A budget
    that ends before that is a `TransientError` which tells how many were looked at: the others are not known to be absent.
    `pause_s` is how long it waits after an empty answer, in seconds. All methods raise `NotThere` or `NotPermitted` when the
    subscription, or for a replay the topic, cannot be used at all.
    """

    def __init__(self, settings: GoogleSettings, stream: Stream, *, pause_s: float = PAUSE_S, most: int = MOST) -> None:
        self._settings, self._stream, self._queue = settings, stream, PubSubQueue(settings)
        self._pause_s, self._most = pause_s, most

    def look(self, budget: Budget, message_ids: Collection[str] | None = None) -> list[DeadMessage]:
        """Those with these ids, or all; they stay."""
        with self._pulled(budget, message_ids) as pulled:
            return [_dead(one.message) for one in pulled.wanted.values()]

    def replay(self, message_ids: Collection[str], budget: Budget) -> set[str]:
        """Publish these to their stream's topic, with the attributes that they came with, and then acknowledge them."""
        done: set[str] = set()
        with self._pulled(budget, message_ids) as pulled:
            for some in _parts(list(pulled.wanted), _AT_ONCE):
                budget.check()
                self._queue.publish_to(self._stream, [_as_it_was(pulled.wanted[name].message) for name in some])
                self._acknowledge(pulled, some)
                done.update(some)
        return done

    def drop(self, message_ids: Collection[str], budget: Budget) -> set[str]:
        """Acknowledge these."""
        with self._pulled(budget, message_ids) as pulled:
            found = list(pulled.wanted)
            for some in _parts(found, MOST_MESSAGES):
                self._acknowledge(pulled, some)
        return set(found)

    @contextmanager
    def _pulled(self, budget: Budget, message_ids: Collection[str] | None) -> Iterator[_Pulled]:
        """The messages with these ids, or all that can be had, `most` at most; given back at the end."""
        pulled = _Pulled()
        try:
            self._pull_into(pulled, budget, message_ids)
            yield pulled
        finally:
            with suppress(TransientError):  # then they come back by themselves, after `HOLD_S`
                self._hold(pulled.ack_ids(), 0)

    def _pull_into(self, pulled: _Pulled, budget: Budget, message_ids: Collection[str] | None) -> None:
        empty = 0
        try:
            while empty < EMPTY_PULLS and not self._is_enough(pulled, message_ids):
                if empty:
                    budget.sleep(self._pause_s)
                received = self._pull(budget)
                pulled.add(received, message_ids)
                self._hold([one.ack_id for one in received], HOLD_S)
                empty = 0 if received else empty + 1
        except Interrupted as interrupted:
            if interrupted.cause is not Interrupted.Cause.DEADLINE or not pulled:
                raise
            told = f"{len(pulled):,} messages of the subscription {self._name()} were looked at, and there may be more"
            raise TransientError(f"{told}: try again, or look for them in the Google Cloud console") from None

    def _is_enough(self, pulled: _Pulled, message_ids: Collection[str] | None) -> bool:
        return len(pulled) >= self._most if message_ids is None else all(name in pulled.wanted for name in message_ids)

    def _pull(self, budget: Budget) -> Sequence[ReceivedMessage]:
        path, within_s = self._path(), budget.timeout_s(CALL_S)
        request = PullRequest(subscription=path, max_messages=MOST_MESSAGES, return_immediately=True)
        with self._translated("reading"):
            answer = _pull_of(self._client, path)(request, timeout=within_s, retry=patient(within_s, silence=False))
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
            ack_ids = [pulled.wanted[name].ack_id for name in message_ids]
            self._client.acknowledge(subscription=self._path(), ack_ids=ack_ids, timeout=CALL_S, retry=patient(CALL_S))
        for name in message_ids:
            del pulled.wanted[name]

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


def _pull_of(client: SubscriberClient, subscription: str) -> Callable[..., PullResponse]:
    """As the client's own `pull` of a subscription, which warns of every one that is to return at once."""
    pull = wrap_method(client.transport.pull)  # type: ignore[no-untyped-call]  # has no types
    routing = to_grpc_metadata({"subscription": subscription})  # type: ignore[no-untyped-call]  # has no types
    return partial(pull, metadata=(routing,))


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
