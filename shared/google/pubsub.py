"""Clients of Pub/Sub, and how messages are put into requests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import google.auth
from google.api_core.exceptions import (
    Aborted,
    Cancelled,
    DeadlineExceeded,
    InternalServerError,
    ResourceExhausted,
    ServiceUnavailable,
    Unknown,
)
from google.api_core.retry import Retry, if_exception_type
from google.cloud.pubsub_v1 import PublisherClient as BatchingPublisher  # type: ignore[import-untyped]  # has no types
from google.cloud.pubsub_v1 import SubscriberClient as StreamingSubscriber
from google.pubsub_v1 import PublisherClient, PubsubMessage, SubscriberClient

from shared.google.errors import NotPermitted
from shared.google.faults import translated
from shared.settings import GoogleSettings

MOST_MESSAGES = 1_000
"""Of one request, as Pub/Sub has it (platform.md 6); acknowledgements keep to the same number."""

MOST_BYTES = 9_000_000
"""Of one request's messages with their attributes: Pub/Sub takes 10 MB of request (platform.md 6)."""

CALL_S = 10.0
"""How long one request may take, with up to 10 MB in it."""

DEPLOY = "deploy it, or mend GOOGLE_NAME_PREFIX, with which its name begins"
"""What a person does who is told that a topic or a subscription does not exist."""

_OVERHEAD_BYTES = 8
_SILENT = (DeadlineExceeded, Cancelled)
_PASSING = (Aborted, InternalServerError, ResourceExhausted, ServiceUnavailable, Unknown)


def publisher() -> PublisherClient:
    """A new publisher; each call of it is one request, in the caller's thread. Raises `TransientError` without credentials.

    The wrapping client, which collects messages in a thread of its own, is only asked where Pub/Sub is: it knows the
    emulator. Its 10 ms of waiting for more are of no use to who has all messages in hand.
    """
    with translated("connecting to Pub/Sub"):
        return PublisherClient(transport=BatchingPublisher().transport)


def subscriber() -> SubscriberClient:
    """A new subscriber, for calls of their own. Raises `TransientError` without credentials."""
    with translated("connecting to Pub/Sub"):
        return SubscriberClient(transport=StreamingSubscriber().transport)


def project_of(settings: GoogleSettings) -> str:
    """The Google Cloud project: the one that is set, else that of the credentials. Raises `TransientError` without either."""
    if settings.project:
        return settings.project
    with translated("looking for the Google Cloud project"):
        _, project = google.auth.default()
    if not project:
        raise NotPermitted("the credentials belong to no Google Cloud project: set GOOGLE_CLOUD_PROJECT")
    return str(project)


def patient(within_s: float, *, silence: bool = True) -> Retry:
    """Tries again after passing faults, for `within_s` seconds in all; after no answer in time only with `silence`."""
    passing = (*_PASSING, *_SILENT) if silence else _PASSING
    return Retry(predicate=if_exception_type(*passing), initial=0.1, maximum=2.0, multiplier=2.0, timeout=within_s)


def in_requests(messages: Sequence[PubsubMessage]) -> Iterator[list[PubsubMessage]]:
    """The messages in as few requests as Pub/Sub's limits allow, in their order; one that is too large stands alone."""
    request: list[PubsubMessage] = []
    request_bytes = 0
    for message in messages:
        message_bytes = PubsubMessage.pb(message).ByteSize() + _OVERHEAD_BYTES
        if request and (len(request) == MOST_MESSAGES or request_bytes + message_bytes > MOST_BYTES):
            yield request
            request, request_bytes = [], 0
        request.append(message)
        request_bytes += message_bytes
    if request:
        yield request
