"""Pub/Sub as a deployment leaves it, in a Google Cloud project of its own on the emulator, for tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from google.pubsub_v1 import PublisherClient, PullRequest
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google_emulators import new_project

from sandbox.emulators import Emulators
from sandbox.google_topics import Terms, Topics
from shared.google import names
from shared.google.names import Stream
from shared.settings import GoogleSettings

PREFIX = "klaviyo-sync"
NOBODY = "http://127.0.0.1:9"
"""Where nobody takes what is pushed: these tests look at topics by pulling."""

PULL_S = 60.0
"""How long a pull may take; the emulator answers it at once."""


@dataclass(frozen=True)
class PubSubWorld:
    """All topics and subscriptions, and what a test does with them from outside."""

    topics: Topics
    host: str

    @property
    def settings(self) -> GoogleSettings:
        """What leads the product's own clients here, given the emulator's address in the environment."""
        return GoogleSettings(project=self.topics.project, name_prefix=PREFIX, firestore_database="(default)")

    def give_up(self, stream: Stream, body: bytes, deliveries: int = 100, **attributes: str) -> str:
        """Let a message of this stream have been delivered in vain; its id among those that were."""
        of_pubsub = {
            "CloudPubSubDeadLetterSourceDeliveryCount": str(deliveries),
            "CloudPubSubDeadLetterSourceSubscription": names.push_subscription(PREFIX, stream),
            "CloudPubSubDeadLetterSourceSubscriptionProject": self.topics.project,
            "CloudPubSubDeadLetterSourceTopicPublishTime": "2026-05-01T12:00:00.123Z",
        }
        return self.topics.publish(stream, body, given_up=True, **of_pubsub, **attributes)

    def held(self, stream: Stream) -> list[bytes]:
        """What stands in the holding subscription, which is left there."""
        return sorted(one.body for one in self.topics.held(stream))

    def delivered(self, stream: Stream, most: int = 100) -> list[Any]:
        """Deliveries of the stream itself, which are under way from now on."""
        name = _look(stream) if stream is Stream.EVENTS else names.push_subscription(PREFIX, stream)
        return self.pulled(name, most)

    def pulled(self, name: str, most: int = 100) -> list[Any]:
        """Messages of a subscription, which others do not get until they are given back."""
        # The client's own method warns of `return_immediately`; what it calls does not.
        request = PullRequest(subscription=self.topics.subscription(name), max_messages=most, return_immediately=True)
        return list(self.topics.subscriber.transport.pull(request, timeout=PULL_S).received_messages)

    def acknowledge(self, name: str, ack_ids: Sequence[str]) -> None:
        """These messages are dealt with."""
        self.topics.subscriber.acknowledge(subscription=self.topics.subscription(name), ack_ids=ack_ids)

    def give_back(self, name: str, ack_ids: Sequence[str]) -> None:
        """Deliver these messages again, at once."""
        self.topics.subscriber.modify_ack_deadline(
            subscription=self.topics.subscription(name), ack_ids=ack_ids, ack_deadline_seconds=0
        )

    def delete_topic(self, stream: Stream) -> None:
        """Take a stream's topic away."""
        with grpc.insecure_channel(self.host) as channel:
            client = PublisherClient(transport=PublisherGrpcTransport(channel=channel))
            client.delete_topic(topic=f"projects/{self.topics.project}/topics/{names.topic(PREFIX, stream)}")


@contextmanager
def pubsub_world(google: Emulators, monkeypatch: pytest.MonkeyPatch) -> Iterator[PubSubWorld]:
    """Empty topics; the product's clients find the emulator."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", google.pubsub.url)
    topics = Topics(google.pubsub.url, new_project(), PREFIX)
    topics.create(Terms(), NOBODY)
    topics.subscriber.create_subscription(
        request={
            "name": topics.subscription(_look(Stream.EVENTS)),
            "topic": f"projects/{topics.project}/topics/{names.topic(PREFIX, Stream.EVENTS)}",
        }
    )
    yield PubSubWorld(topics, google.pubsub.url)
    topics.close()


def _look(stream: Stream) -> str:
    return f"{PREFIX}-{stream}-look"
