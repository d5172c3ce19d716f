"""No personal data and no secret leaves the realtime function but to Klaviyo, however a host echoes (decisions.md 17)."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from sandbox.launch import CLIENT_SECRET, KLAVIYO_KEY
from sandbox.notifications import messages
from sandbox.notifications.envelopes import ENVELOPES, Post, Request
from sandbox.notifications.platform import change
from tests.e2e.canaries import MALFORMED_EMAIL, PERSONAL, Scan, customer, scan_for
from tests.e2e.echo_proxy import GARBAGE, EchoProxy, echo_proxy
from tests.e2e.realtime_resources import line, order
from tests.e2e.realtime_world import Answer, World, stamp

EMAIL, NAME = PERSONAL["email"], PERSONAL["first name"]
KLAVIYO_STATUSES = (400, 401, 403, 404, 409, 413, 500, 525, GARBAGE, 307, 429)
"""The 429 last: the process is silent for a while after it."""
COMMERCETOOLS_STATUSES = (400, 401, 403, 404, 429, 500, GARBAGE, 302)
STOOD_STILL_S = 0.5


@dataclass(slots=True)
class Stage:
    """The function between two proxies that can echo, and what it has answered."""

    world: World
    klaviyo: EchoProxy
    commercetools: EchoProxy
    answers: list[Answer] = field(default_factory=list)

    def deliver(self, notification: Mapping[str, Any]) -> int:
        """Deliver a notification; its status. It comes again when it was brought back while the machine stood still."""
        answer = self.world.deliver(notification)
        self.answers.append(answer)
        if answer.status == 503 and answer.took_s - answer.moving_s > STOOD_STILL_S:
            answer = self.world.deliver(notification)
            self.answers.append(answer)
        return answer.status

    def post(self, body: bytes, **headers: str) -> int:
        """Post anything; its status."""
        answer = self.world.post(Request({"content-type": "application/json", **headers}, body))
        self.answers.append(answer)
        return answer.status


@pytest.fixture
def stage(world: World, log_format: str) -> Iterator[Stage]:
    """A process of its own that knows the proxies only, at the most talkative level of the log."""
    world.klaviyo_settings(echo_values=True)
    with echo_proxy(world.commercetools_url) as (api_url, commercetools), echo_proxy(world.klaviyo_url) as (klaviyo_url, klaviyo):
        environment = {"CT_API_URL": api_url, "CT_AUTH_URL": api_url, "KLAVIYO_API_URL": klaviyo_url}
        document = {"customer": {"deleted": "erase", "deduplication": {"enabled": True}}, "order": {"properties": {"raw": True}}}
        with world.fresh(document, REALTIME_DEADLINE_S="2", LOG_LEVEL="DEBUG", LOG_FORMAT=log_format, **environment) as between:
            yield Stage(between, klaviyo, commercetools)


def _order(world: World, **different: Any) -> dict[str, Any]:
    address = customer(world.new_id())["addresses"][0]
    whole = order(line("Shirt", world.new_id(), 1300), customerEmail=EMAIL, billingAddress=address, shippingAddress=address)
    return world.put("orders", **{**whole, **different})


def _everything_goes_well(stage: Stage) -> None:
    world = stage.world
    person = world.put("customers", **customer(world.new_id()))
    malformed = world.put("customers", **customer(world.new_id(), email=MALFORMED_EMAIL, addresses=[]))
    unreadable = world.put("customers", **customer(world.new_id(), firstName={"oops": NAME}))
    placed = _order(world)
    done = _order(world, orderState="Complete")
    assert stage.deliver(messages.customer_created(person, stamp())) == 204
    assert stage.deliver(messages.customer_created(malformed, stamp())) == 202
    assert stage.deliver(messages.customer_created(unreadable, stamp())) == 202
    assert stage.deliver(messages.order_placed(placed, stamp())) == 204
    assert stage.deliver(messages.order_state_changed(done, "Open", stamp())) == 204
    assert stage.deliver(messages.order_customer_set({**placed, "customerId": person["id"]}, None, stamp())) in {202, 204}
    assert stage.deliver(change("ResourceDeleted", "customer", person, stamp(), data_erasure=True)) == 204
    world.wait_for(lambda: world.profile(external_id=person["id"]) is None)


def _hosts_echo(stage: Stage) -> None:
    world = stage.world
    person = world.put("customers", **customer(world.new_id()))
    placed = _order(world)
    created, bought = messages.customer_created(person, stamp()), messages.order_placed(placed, stamp())
    deleted = change("ResourceDeleted", "customer", person, stamp())
    assert stage.deliver(created) == 204
    stage.klaviyo.echo("/api/data-privacy", 400)  # Klaviyo takes three of these a second, so one has to do
    assert (stage.deliver(deleted), stage.klaviyo.echoed) == (202, 1)
    for status in KLAVIYO_STATUSES:
        for prefix, notification in (("/api/profile", created), ("/api/events", bought)):
            stage.klaviyo.echo(prefix, status)
            assert stage.deliver(notification) in {202, 204, 503}
            assert stage.klaviyo.echoed == 1, (prefix, status)
    stage.klaviyo.pass_on()
    for status in COMMERCETOOLS_STATUSES:
        for prefix, notification in (("/sandbox/customers", created), ("/sandbox/products", bought)):
            stage.commercetools.echo(prefix, status)
            assert stage.deliver(notification) in {202, 204, 503}
    stage.commercetools.pass_on()


def _poison(stage: Stage) -> None:
    inner = {
        "notificationType": "Message",
        "type": EMAIL,
        "resource": {"typeId": NAME, "id": EMAIL},
        "createdAt": EMAIL,
        "id": EMAIL,
    }
    for payload in (
        inner,
        {**inner, "type": "CustomerCreated", "resource": {"typeId": "customer", "id": EMAIL}},
        {"email": EMAIL},
    ):
        for envelope in ENVELOPES.values():
            request = envelope(payload, Post(message_id=EMAIL, attributes={EMAIL: NAME}))
            headers = {name: value for name, value in request.headers.items() if value.isascii()}
            assert stage.post(request.body, **headers) in {202, 204}
    for text in (EMAIL.encode(), json.dumps({"message": EMAIL}).encode(), base64.b64encode(EMAIL.encode())):
        assert stage.post(text, **{"x-canary": EMAIL, "ce-id": EMAIL, "authorization": f"Bearer {EMAIL}"}) == 202


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_nothing_that_the_function_lets_out_has_personal_data_or_a_secret(stage: Stage) -> None:
    """Case 17: log at DEBUG, answers, state file and dead letters, over successes, refusals, echoes and poison."""
    _everything_goes_well(stage)
    _hosts_echo(stage)
    _poison(stage)

    world = stage.world
    tokens = set(re.findall(rb"Bearer ([\w.-]{20,})", b"\n".join(stage.commercetools.seen)))
    secrets = {"key": KLAVIYO_KEY, "client secret": CLIENT_SECRET, **{f"token {n}": t.decode() for n, t in enumerate(tokens)}}
    everything = scan_for([*PERSONAL.items(), *secrets.items()])
    surfaces = {"answers": b"\n".join(answer.body for answer in stage.answers), **_files(world)}
    assert {place: everything.found_in(content) for place, content in surfaces.items()} == {place: set() for place in surfaces}
    assert len(world.dead_letters()) > 5
    assert _missing(stage, scan_for(PERSONAL.items())) == set(), "a canary that Klaviyo never got proves nothing"


def _files(world: World) -> dict[str, bytes]:
    """All that the process has written: its output, the state file and its write-ahead log."""
    return {path.name: path.read_bytes() for path in world.function.output.parent.iterdir()}


def _missing(stage: Stage, personal: Scan) -> set[str]:
    return set(PERSONAL) - personal.found_in(b"\n".join(stage.klaviyo.seen + stage.commercetools.seen))
