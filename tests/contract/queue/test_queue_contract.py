"""Queue: what is published is delivered until it is acknowledged."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from shared.bulk.ports import Topic


def bodies(deliveries: list[Any]) -> list[bytes]:
    return [delivery.body for delivery in deliveries]


@pytest.mark.parametrize("body", [b'{"runId":"r"}', b"\x00\xff", "ü".encode(), b"x" * 4096], ids=repr)
def test_a_body_arrives_as_it_was_published(ends: Any, body: bytes) -> None:
    """Byte for byte; a first delivery is attempt 1."""
    ends.queue.publish(Topic.WORK, [body])
    (delivery,) = ends.receiver.receive(Topic.WORK, 10)
    assert (delivery.body, delivery.attempt) == (body, 1)


def test_every_message_of_a_publication_is_delivered(ends: Any) -> None:
    """Also equal ones, each for itself."""
    ends.queue.publish(Topic.WORK, [b"a", b"b", b"a"])
    assert sorted(bodies(ends.receiver.receive(Topic.WORK, 10))) == [b"a", b"a", b"b"]


def test_nothing_published_is_nothing_delivered(ends: Any) -> None:
    """An empty publication is none."""
    ends.queue.publish(Topic.WORK, [])
    assert ends.receiver.receive(Topic.WORK, 10) == []


def test_topics_do_not_mix(ends: Any) -> None:
    """The dispatcher's messages never reach the worker."""
    ends.queue.publish(Topic.PLAN, [b"plan"])
    assert ends.receiver.receive(Topic.WORK, 10) == []
    assert bodies(ends.receiver.receive(Topic.PLAN, 10)) == [b"plan"]


def test_an_acknowledged_message_is_gone(ends: Any) -> None:
    """It is never delivered again."""
    ends.queue.publish(Topic.WORK, [b"a"])
    (delivery,) = ends.receiver.receive(Topic.WORK, 10)
    ends.receiver.acknowledge(delivery)
    assert ends.receiver.receive(Topic.WORK, 10) == []


def test_a_message_under_way_is_not_delivered_to_another(ends: Any) -> None:
    """Until it is refused or its lease ends."""
    ends.queue.publish(Topic.WORK, [b"a"])
    assert len(ends.receiver.receive(Topic.WORK, 10)) == 1
    assert ends.receiver.receive(Topic.WORK, 10) == []


def test_a_refused_message_comes_again_with_the_next_attempt(ends: Any) -> None:
    """The same body, one attempt more."""
    ends.queue.publish(Topic.WORK, [b"a"])
    for attempt in (1, 2, 3):
        (delivery,) = ends.receiver.receive(Topic.WORK, 10)
        assert (delivery.body, delivery.attempt) == (b"a", attempt)
        ends.receiver.refuse(delivery)


def test_many_receivers_share_the_messages(ends: Any) -> None:
    """Four at once: each message reaches one of them, none is lost."""
    ends.queue.publish(Topic.WORK, [str(number).encode() for number in range(400)])

    def receive_all(_: int) -> list[bytes]:
        got = []
        while deliveries := ends.receiver.receive(Topic.WORK, 7):
            for delivery in deliveries:
                ends.receiver.acknowledge(delivery)
                got.append(delivery.body)
        return got

    with ThreadPoolExecutor(4) as pool:
        counts = Counter(body for got in pool.map(receive_all, range(4)) for body in got)
    assert counts == Counter(str(number).encode() for number in range(400))
