"""After a write, a subscription is given time to become healthy."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest
from subscription_samples import TOPIC, one_wanted

from post_deploy.bringing import ROUNDS, Project, brought
from shared.budget import Budget
from shared.commercetools.client import open_commercetools

PRODUCT = one_wanted("product")
assert PRODUCT is not None


class Slow:
    """A commercetools that takes its time: each look at the subscription shows the next of `statuses`, "" meaning none yet."""

    def __init__(self, *statuses: str) -> None:
        self.statuses = list(statuses)
        self.written = 0
        self.now = 0.0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/token":
            return httpx.Response(200, json={"access_token": "token", "expires_in": 3600})
        if request.method == "POST":
            self.written += 1
            return httpx.Response(201, json={})
        status = self.statuses.pop(0)
        return httpx.Response(200, content=_held(status)) if status else httpx.Response(404, json={"statusCode": 404})

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


def _held(status: str) -> bytes:
    assert PRODUCT
    body = {
        "version": 1,
        "destination": {"type": "GoogleCloudPubSub", "projectId": TOPIC.project_id, "topic": TOPIC.topic},
        "messages": [{"resourceTypeId": "product", "types": list(PRODUCT.messages)}],
        "changes": [{"resourceTypeId": "product"}],
        "status": status,
    }
    return json.dumps(body).encode()


def _ended(slow: Slow) -> Iterator[str]:
    assert PRODUCT
    connection = open_commercetools(
        api_url="https://api.example.com",
        auth_url="https://auth.example.com",
        project_id="shop-1",
        client_id="client",
        secret="secret",
        transport=httpx.MockTransport(slow),
    )
    project = Project("shop-1", connection, lambda: Budget(40.0, lambda: slow.now, slow.pass_by), rng=lambda: 0.0)
    yield from (report.text for report in brought(project, {PRODUCT.key: PRODUCT}))
    connection.close()


@pytest.mark.parametrize("looks", [1, 2, 3])
def test_what_becomes_healthy_after_a_write_has_succeeded(looks: int) -> None:
    """At whichever look it does, waiting before each; it is written once."""
    slow = Slow("", *["TemporaryError"] * (looks - 1), "Healthy")
    assert list(_ended(slow)) == ["created"]
    assert (slow.statuses, slow.written, slow.now > 0) == ([], 1, looks > 1)


def test_what_never_becomes_healthy_is_given_up() -> None:
    """After as many looks as any subscription gets, and with its status."""
    slow = Slow("", *["ConfigurationError"] * (ROUNDS - 1))
    assert list(_ended(slow)) == ["created, but its status is ConfigurationError"]
    assert (slow.statuses, slow.written) == ([], 1)


def test_nothing_is_waited_for_where_nothing_was_written() -> None:
    """One look shows how it has been for long."""
    slow = Slow("TemporaryError")
    assert list(_ended(slow)) == ["unchanged, but its status is TemporaryError"]
    assert (slow.written, slow.now) == (0, 0.0)
