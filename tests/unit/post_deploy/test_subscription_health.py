"""After a write, a subscription is given time to become healthy."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest
from subscription_samples import TOPIC, one_wanted

from post_deploy.bringing import ROUNDS, Project, Report, brought
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


def _ended(slow: Slow) -> list[str]:
    return [report.text for report in _reports(slow)]


def _reports(slow: Slow) -> Iterator[Report]:
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
    yield from brought(project, {PRODUCT.key: PRODUCT})
    connection.close()


@pytest.mark.parametrize("looks", [1, 2, 3])
def test_what_becomes_healthy_after_a_write_has_succeeded(looks: int) -> None:
    """At whichever look it does, waiting before each; it is written once."""
    slow = Slow("", *["TemporaryError"] * (looks - 1), "Healthy")
    assert _ended(slow) == ["created"]
    assert (slow.statuses, slow.written, slow.now > 0) == ([], 1, looks > 1)


def test_what_never_becomes_healthy_is_given_up() -> None:
    """After as many looks as any subscription gets, and with its status."""
    slow = Slow("", *["ConfigurationError"] * (ROUNDS - 1))
    assert _ended(slow) == ["created, but its status is ConfigurationError"]
    assert (slow.statuses, slow.written) == ([], 1)


@pytest.mark.parametrize(("status", "as_wanted"), [("TemporaryError", True), ("ConfigurationError", False)])
def test_nothing_is_waited_for_where_nothing_was_written(status: str, as_wanted: bool) -> None:
    """One look shows how it has been for long; what passes by itself is told, and fails no deployment."""
    slow = Slow(status)
    [report] = _reports(slow)
    assert (report.text, report.as_wanted) == (f"unchanged, but its status is {status}", as_wanted)
    assert report.next_step
    assert (slow.written, slow.now) == (0, 0.0)


def test_what_was_written_has_to_become_healthy() -> None:
    """Also from an error that is said to pass."""
    [report] = _reports(Slow("", *["TemporaryError"] * (ROUNDS - 1)))
    assert (report.text, report.as_wanted) == ("created, but its status is TemporaryError", False)
