"""What things are called on Google Cloud, all from one prefix (`GOOGLE_NAME_PREFIX`).

Terraform, the gcloud script and the code agree on these; a test compares them. Pure.
"""

from __future__ import annotations

from enum import StrEnum


class Stream(StrEnum):
    """What is delivered by push: each has a topic, a push subscription, and a topic for what could not be handled."""

    EVENTS = "events"  # notifications of commercetools, for realtime_event
    PLAN = "plan"  # continuations, for bulk_dispatch
    WORK = "work"  # batches, for bulk_worker


DEAD_PUSHED = (Stream.PLAN, Stream.WORK)
"""The streams without which an import stands still; a notification waits until a person looks."""


def topic(prefix: str, stream: Stream) -> str:
    """The topic that messages are published to."""
    return f"{prefix}-{stream}"


def push_subscription(prefix: str, stream: Stream) -> str:
    """The subscription that pushes them to their function."""
    return f"{prefix}-{stream}-push"


def dead_topic(prefix: str, stream: Stream) -> str:
    """The topic that Pub/Sub forwards a message to after its last delivery attempt."""
    return f"{prefix}-{stream}-dead"


def holding_subscription(prefix: str, stream: Stream) -> str:
    """The pull subscription that keeps those until somebody looks (`ct-klaviyo dead-letters`)."""
    return f"{prefix}-{stream}-dead-hold"


def dead_push_subscription(prefix: str, stream: Stream) -> str:
    """Of `DEAD_PUSHED`: the subscription that sees to it that an import goes on though a message of it was given up.

    It tells the worker of a batch, at `/dead` (flows.md "The finish check"), and gives the dispatcher a plan as if it were new.
    """
    return f"{prefix}-{stream}-dead-push"
