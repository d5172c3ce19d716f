"""Topics and subscriptions of a Google Cloud project on the Pub/Sub emulator, as `terraform/` makes them in a real one.

Two things of the emulator shape this (platform.md 1): its push has two requests in flight for each subscription, so only the
notifications are really pushed by it; and after a refusal by a puller it waits as the subscription's retry policy says only
roughly, so what `sandbox.push_bridge` delivers has none, and the bridge itself waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import grpc  # type: ignore[import-untyped] # it has no type hints
from google.pubsub_v1 import PublisherClient, PubsubMessage, SubscriberClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from shared.google import names
from shared.google.names import Stream

PULL_S = 5.0
"""How long a pull may take; the emulator itself answers an empty one after two seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How Pub/Sub delivers a message: seconds until an answer, the pauses between attempts, and their number.

    The defaults are those of `terraform/`. The least that Pub/Sub takes: ten seconds, five attempts.
    """

    ack_deadline_s: int = 600
    first_backoff_s: float = 10.0
    longest_backoff_s: float = 600.0
    attempts: int = 100

    def backoff_s(self, attempt: int) -> float:
        """Seconds from the failure of the `attempt`-th delivery (1, 2, ...) to the next."""
        return min(self.longest_backoff_s, self.first_backoff_s * 2.0 ** min(max(attempt, 1) - 1, 20))


@dataclass(frozen=True, slots=True)
class Held:
    """A message that was given up: its data, its attributes, and after how many deliveries."""

    body: bytes
    attributes: Mapping[str, str]

    @property
    def deliveries(self) -> int:
        """How often it was delivered in vain."""
        return int(self.attributes["CloudPubSubDeadLetterSourceDeliveryCount"])


class Topics:
    """The topics and subscriptions of one project with names that begin with `prefix`; `host` is the emulator's `host:port`."""

    def __init__(self, host: str, project: str, prefix: str) -> None:
        self.project, self.prefix = project, prefix
        self._channel = grpc.insecure_channel(host)
        self._publisher = PublisherClient(transport=PublisherGrpcTransport(channel=self._channel))
        self.subscriber = SubscriberClient(transport=SubscriberGrpcTransport(channel=self._channel))

    def create(self, terms: Terms, realtime_url: str) -> None:
        """Make all of them; notifications are pushed to `realtime_url`."""
        for stream in Stream:
            topic, dead = self._topic(names.topic(self.prefix, stream)), self._topic(names.dead_topic(self.prefix, stream))
            for name in (topic, dead):
                self._publisher.create_topic(name=name)
            policy = {"dead_letter_topic": dead, "max_delivery_attempts": terms.attempts}
            subscription = {"topic": topic, "ack_deadline_seconds": terms.ack_deadline_s, "dead_letter_policy": policy}
            if stream is Stream.EVENTS:
                subscription["push_config"] = {"push_endpoint": realtime_url}
                subscription["retry_policy"] = {
                    "minimum_backoff": timedelta(seconds=terms.first_backoff_s),
                    "maximum_backoff": timedelta(seconds=terms.longest_backoff_s),
                }
            self._subscribe(names.push_subscription(self.prefix, stream), subscription)
            self._subscribe(names.holding_subscription(self.prefix, stream), {"topic": dead, "ack_deadline_seconds": 60})
        for stream in names.DEAD_PUSHED:
            told = {"topic": self._topic(names.dead_topic(self.prefix, stream)), "ack_deadline_seconds": terms.ack_deadline_s}
            self._subscribe(names.dead_push_subscription(self.prefix, stream), told)

    def publish(self, stream: Stream, body: bytes, *, given_up: bool = False, **attributes: str) -> str:
        """Publish a message, with `given_up` on the topic of those that Pub/Sub gave up; its id."""
        topic = names.dead_topic(self.prefix, stream) if given_up else names.topic(self.prefix, stream)
        message = PubsubMessage(data=body, attributes=attributes)
        return str(self._publisher.publish(topic=self._topic(topic), messages=[message]).message_ids[0])

    def held(self, stream: Stream, *, stays: bool = True) -> list[Held]:
        """What the holding subscription of a stream has; it `stays` there, or is acknowledged."""
        path = self.subscription(names.holding_subscription(self.prefix, stream))
        pulled = self.subscriber.pull(subscription=path, max_messages=1000, timeout=PULL_S).received_messages
        ack_ids = [one.ack_id for one in pulled]
        if ack_ids and stays:
            self.subscriber.modify_ack_deadline(subscription=path, ack_ids=ack_ids, ack_deadline_seconds=0)
        elif ack_ids:
            self.subscriber.acknowledge(subscription=path, ack_ids=ack_ids)
        return [Held(one.message.data, dict(one.message.attributes)) for one in pulled]

    def subscription(self, name: str) -> str:
        """The full name of a subscription."""
        return f"projects/{self.project}/subscriptions/{name}"

    def close(self) -> None:
        """Let go of the connection."""
        self._channel.close()

    def _topic(self, name: str) -> str:
        return f"projects/{self.project}/topics/{name}"

    def _subscribe(self, name: str, settings: Mapping[str, object]) -> None:
        self.subscriber.create_subscription(request={"name": self.subscription(name), **settings})
