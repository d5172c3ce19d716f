"""What the SDK sends for us is what the vendor's contract asks for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema_rs
import pytest
from subscription_samples import SNS, TOPIC, held_as, wanted_of
from vendor_contracts import needs_vendor_contract, vendor_contract

from post_deploy import sdk
from post_deploy.plan import Action, ChangeDestination, SetChanges, SetMessages
from post_deploy.wanted import Wanted
from sandbox.commercetools.contract import strict_validator
from shared.budget import budget_of
from shared.commercetools.client import CommercetoolsClient, open_commercetools

CONTRACT = vendor_contract("commercetools-openapi.json")


class Sent:
    """A commercetools that keeps what is sent and answers with nothing that the SDK can read."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/token":
            return httpx.Response(200, json={"access_token": "token", "expires_in": 3600})
        self.requests.append((request.method, request.url.raw_path.decode(), json.loads(request.content or b"null")))
        return httpx.Response(200, json={"status": "YoungerThanTheSdk", "messages": [{"resourceTypeId": "younger-too"}]})


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def client(sent: Sent) -> Iterator[sdk.ProjectClient]:
    connection: CommercetoolsClient = open_commercetools(
        api_url="https://api.example.com",
        auth_url="https://auth.example.com",
        project_id="shop-1",
        client_id="client",
        secret="secret",
        transport=httpx.MockTransport(sent),
    )
    yield sdk.ProjectClient(connection, "shop-1", budget_of(5))
    connection.close()


def _wanted() -> list[Wanted]:
    return [one for destination in (TOPIC, SNS) for one in wanted_of(destination=destination).values() if one]


ACTIONS: list[Action] = [SetMessages(()), SetMessages(("OrderCreated",)), SetChanges(True), SetChanges(False)]
ACTIONS += [ChangeDestination(TOPIC), ChangeDestination(SNS)]


def test_requests_name_the_subscription_by_its_key(client: sdk.ProjectClient, sent: Sent) -> None:
    """Created below the project, changed and removed by key and version; the answer may hold what the SDK does not know."""
    one = _wanted()[0]
    sdk.create(client, one)
    sdk.update(client, one, 4, [SetChanges(False)])
    sdk.remove(client, one.key, 5)
    assert [(method, path) for method, path, _ in sent.requests] == [
        ("POST", "/shop-1/subscriptions"),
        ("POST", f"/shop-1/subscriptions/key={one.key}"),
        ("DELETE", f"/shop-1/subscriptions/key={one.key}?version=5"),
    ]
    assert sent.requests[0][2]["format"] == {"type": "Platform"}
    assert sent.requests[1][2] == {"version": 4, "actions": [{"action": "setChanges", "changes": []}]}


def test_messages_that_are_not_wanted_are_never_asked_for_as_all(client: sdk.ProjectClient, sent: Sent) -> None:
    """An empty list of types would mean all of them."""
    product = wanted_of("ProductPublished", "ProductUnpublished")["connect-connect_dev-product"]
    assert product
    assert product.messages == ()
    sdk.create(client, product)
    sdk.update(client, product, 1, [SetMessages(())])
    assert "messages" not in sent.requests[0][2]
    assert sent.requests[1][2]["actions"] == [{"action": "setMessages", "messages": []}]


def test_nothing_is_created_without_a_destination(client: sdk.ProjectClient, sent: Sent) -> None:
    """That is enough to compare only."""
    one = wanted_of(destination=None)["connect-connect_dev-product"]
    assert one
    with pytest.raises(ValueError, match="no destination"):
        sdk.create(client, one)
    assert sent.requests == []


@pytest.mark.parametrize("wanted", _wanted(), ids=lambda one: f"{one.resource_type}-{type(one.destination).__name__}")
@needs_vendor_contract(CONTRACT.name)
def test_drafts_keep_the_contract(client: sdk.ProjectClient, sent: Sent, wanted: Wanted) -> None:
    """Every default one, for either cloud, down to the last field."""
    sdk.create(client, wanted)
    _validator("SubscriptionDraft").validate(sent.requests[0][2])
    assert held_as(wanted).message_types().keys() <= {wanted.resource_type}


@needs_vendor_contract(CONTRACT.name)
def test_updates_keep_the_contract(client: sdk.ProjectClient, sent: Sent) -> None:
    """Every action."""
    for wanted in _wanted():
        sdk.update(client, wanted, 3, ACTIONS)
    validator = _validator("SubscriptionUpdate")
    for _, _, body in sent.requests:
        validator.validate(body)
    with pytest.raises(jsonschema_rs.ValidationError):
        validator.validate({"version": 1, "actions": [{"action": "setFormat"}]})


def _validator(name: str) -> jsonschema_rs.Draft202012Validator:
    return strict_validator(json.loads(CONTRACT.read_bytes()), name)
