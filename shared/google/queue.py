"""The queue on Pub/Sub (decisions.md 12); delivery is by push subscriptions, which no code of ours sees."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cached_property

from google.pubsub_v1 import PublisherClient, PubsubMessage

from shared.bulk.ports import Topic
from shared.google import names
from shared.google.faults import translated
from shared.google.names import Stream
from shared.google.pubsub import CALL_S, DEPLOY, in_requests, patient, project_of, publisher
from shared.settings import GoogleSettings

PUBLISHER_ROLE = "roles/pubsub.publisher"
WITHIN_S = 30.0
"""How long a request is tried again while Pub/Sub does not answer; who publishes has recorded before what is published."""

_STREAMS = {Topic.PLAN: Stream.PLAN, Topic.WORK: Stream.WORK}


class PubSubQueue:
    """Implements `shared.bulk.ports.Queue`; shared by all threads. `within_s` bounds each request with its retries.

    Bodies must not be empty: Pub/Sub takes no message without content. The client is made by the first publication, since
    the server forks after it has loaded us, and grpc does not survive that.
    """

    def __init__(self, settings: GoogleSettings, *, within_s: float = WITHIN_S) -> None:
        self._settings, self._within_s = settings, within_s
        self._making = threading.Lock()
        self._client: PublisherClient | None = None

    def publish(self, topic: Topic, bodies: Sequence[bytes]) -> None:
        """Put messages into the queue; returns once they are durable. Raises `TransientError`; then some of them may be in it.

        Up to 1,000 messages and 9 MB go in one request, and one request after the other: 5,000 take as long as five calls.
        """
        if bodies:
            self.publish_to(_STREAMS[topic], [PubsubMessage(data=body) for body in bodies])

    def publish_to(self, stream: Stream, messages: Sequence[PubsubMessage]) -> None:
        """Put messages into a stream's topic, as `publish` does."""
        name = names.topic(self._settings.name_prefix, stream)
        client = self._connected()
        told = f"publishing to the topic {name} of the project {self._project}"
        with translated(told, role=f"{PUBLISHER_ROLE} on this topic", create=DEPLOY):
            for request in in_requests(messages):
                client.publish(
                    topic=f"projects/{self._project}/topics/{name}",
                    messages=request,
                    retry=patient(self._within_s),
                    timeout=CALL_S,
                )

    @cached_property
    def _project(self) -> str:
        return project_of(self._settings)

    def _connected(self) -> PublisherClient:
        with self._making:
            if self._client is None:
                self._client = publisher()
            return self._client


def open_queue(settings: GoogleSettings) -> PubSubQueue:
    """The queue of this process; connects to nothing yet."""
    return PubSubQueue(settings)
