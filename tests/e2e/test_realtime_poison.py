"""Poison: what nobody could ever handle is acknowledged, set aside once with a reason, and leaves the process as it was."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from typing import Any

import psutil
import pytest

from sandbox.notifications import messages
from sandbox.notifications.envelopes import Post, Request, eventarc_binary, pubsub_push, sns
from sandbox.notifications.platform import change
from tests.e2e.canaries import MALFORMED_EMAIL, PERSONAL, customer, scan_for
from tests.e2e.realtime_resources import line, order
from tests.e2e.realtime_world import AT, World, stamp, upsert

EMAIL, NAME = PERSONAL["email"], PERSONAL["first name"]
JSON = {"content-type": "application/json"}
CLOUD_EVENT = {"content-type": "application/cloudevents+json"}
ID = "00000000-0000-4000-8000-0000000000ff"


def _raw(body: bytes | str, headers: Mapping[str, str] = JSON) -> Request:
    return Request(headers, body if isinstance(body, bytes) else body.encode())


def _pushed(payload: Any) -> Request:
    return pubsub_push(payload if isinstance(payload, bytes) else json.dumps(payload).encode(), Post())


def _message(type_id: str = "customer", type_: Any = "CustomerCreated", **different: Any) -> dict[str, Any]:
    head = {"notificationType": "Message", "projectKey": "sandbox", "resource": {"typeId": type_id, "id": ID}}
    return {**head, "id": ID, "version": 1, "sequenceNumber": 1, "createdAt": AT, "type": type_, **different}


def _nested(layers: int) -> bytes:
    body = b"{}"
    for _ in range(layers):
        body = pubsub_push(body, Post()).body
    return body


# The name of a body, the request, and the reason in the dead letter.
POISON: tuple[tuple[str, Request, str], ...] = (
    ("nothing", _raw(""), "not_a_json_object"),
    ("a text that is no JSON", _raw(f"hello {EMAIL}"), "not_a_json_object"),
    ("bytes that are no text", _raw(b"\xff\xfe\x00" + EMAIL.encode()), "not_a_json_object"),
    ("compressed JSON", _raw(gzip.compress(b"{}"), {**JSON, "content-encoding": "gzip"}), "not_a_json_object"),
    ("JSON that ends too early", _raw(f'{{"message": {{"data": "{NAME}'), "not_a_json_object"),
    ("null", _raw("null"), "not_a_json_object"),
    ("a number", _raw("17"), "not_a_json_object"),
    ("a text", _raw(json.dumps(EMAIL)), "not_a_json_object"),
    ("a list", _raw(json.dumps([{"message": {"data": EMAIL}}])), "not_a_json_object"),
    ("brackets without end", _raw("[" * 100_000), "not_a_json_object"),
    ("an empty object", _raw("{}"), "no_message"),
    ("a message that is null", _raw('{"message": null}'), "no_message"),
    ("a message that is a text", _raw(json.dumps({"message": EMAIL})), "no_message"),
    ("a message that is a list", _raw('{"message": [1]}'), "no_message"),
    ("a message without data", _raw(json.dumps({"message": {"attributes": {EMAIL: NAME}}})), "no_data"),
    ("data that are empty", _raw('{"message": {"data": ""}}'), "no_data"),
    ("data that are null", _raw('{"message": {"data": null}}'), "data_is_no_text"),
    ("data that are a number", _raw('{"message": {"data": 17}}'), "data_is_no_text"),
    ("data that are an object", _raw(json.dumps({"message": {"data": {"email": EMAIL}}})), "data_is_no_text"),
    ("data that are no base64", _raw(json.dumps({"message": {"data": f"%%%{EMAIL}"}})), "data_is_not_base64"),
    ("base64 that was cut", _raw('{"message": {"data": "eyJ"}}'), "data_is_not_base64"),
    ("a payload that is no JSON", _pushed(f"hello {EMAIL}".encode()), "not_a_json_object"),
    ("a payload that is no text", _pushed(b"\xff\xfe" + NAME.encode()), "not_a_json_object"),
    ("a payload that is a list", _pushed([EMAIL]), "not_a_json_object"),
    ("a payload that is null", _pushed(None), "not_a_json_object"),
    ("a payload nested without end", _pushed(b'{"a":' * 50_000 + b"1" + b"}" * 50_000), "not_a_json_object"),
    ("a payload with half a character", _pushed(b'{"notificationType":"\\ud800"}'), "not_a_json_object"),
    ("a payload that is no notification", _pushed({"email": EMAIL}), "no_message"),
    ("envelopes within envelopes", _raw(_nested(9)), "nested_too_deeply"),
    ("a CloudEvent without data", _raw(json.dumps({"specversion": "1.0", "type": EMAIL}), CLOUD_EVENT), "event_without_data"),
    ("a CloudEvent whose data are no text", _raw('{"specversion": "1.0", "data_base64": 7}', CLOUD_EVENT), "data_is_no_text"),
    ("a binary CloudEvent of nothing", eventarc_binary(b"", Post(message_id="7")), "no_data"),
    ("an SNS body of no JSON", sns(EMAIL.encode(), Post()), "not_a_json_object"),
    ("no type of notification", _pushed(_message(notificationType=None)), "not_a_notification"),
    ("a type that is a list", _pushed(_message(type_=[EMAIL])), "not_a_notification"),
    ("no type", _pushed(_message(type_="")), "not_a_notification"),
    ("no resource", _pushed({"notificationType": "Message", "type": "CustomerCreated"}), "not_a_notification"),
    ("a resource that is null", _pushed(_message(resource=None)), "not_a_notification"),
    ("a resource that is a text", _pushed(_message(resource=EMAIL)), "not_a_notification"),
    ("a resource without an id", _pushed(_message(resource={"typeId": "customer"})), "not_a_notification"),
    ("an id that is a number", _pushed(_message(resource={"typeId": "customer", "id": 17})), "not_a_notification"),
    ("an id that is an e-mail", _pushed(_message(resource={"typeId": "customer", "id": EMAIL})), "not_a_notification"),
    ("an id that is a path", _pushed(_message(resource={"typeId": "customer", "id": "../graphql"})), "not_a_notification"),
    ("an id that is a slash", _pushed(_message(resource={"typeId": "customer", "id": "/"})), "not_a_notification"),
    ("an id with a query", _pushed(_message(resource={"typeId": "customer", "id": "a?where=1"})), "not_a_notification"),
    ("an id with a line break", _pushed(_message(resource={"typeId": "customer", "id": "a\n\x00"})), "not_a_notification"),
    ("an id without end", _pushed(_message(resource={"typeId": "customer", "id": "a" * 100_000})), "not_a_notification"),
    ("a time that is an object", _pushed(_message(createdAt={"at": AT})), "not_a_notification"),
    ("a SKU that is a number", _pushed(_message(resourceUserProvidedIdentifiers={"sku": 17})), "not_a_notification"),
    ("a payload that is left out oddly", _pushed(_message(payloadNotIncluded={"payloadType": [EMAIL]})), "not_a_notification"),
    ("a deletion that wants a text erased", _pushed(_message(dataErasure=EMAIL)), "not_a_notification"),
    ("an order that is not there", _pushed(_message("order", "OrderCreated")), "unreadable_fields"),
    ("an order that is a text", _pushed(_message("order", "OrderCreated", order=EMAIL)), "unreadable_fields"),
    (
        "an order of wrong types",
        _pushed(_message("order", "OrderCreated", order={"id": 1, "totalPrice": 2})),
        "unreadable_fields",
    ),
    ("a state that is a list", _pushed(_message("order", "OrderStateChanged", orderState=[EMAIL])), "unreadable_fields"),
    (
        "a time that is an e-mail",
        _pushed(_message("order", "OrderStateChanged", createdAt=EMAIL, orderState=1)),
        "unreadable_fields",
    ),
    ("a transaction of nothing", _pushed(_message("payment", "PaymentTransactionAdded", transaction={})), "unreadable_fields"),
    ("a transaction without an id", _pushed(_message("payment", "PaymentTransactionStateChanged")), "unreadable_fields"),
)


@pytest.mark.parametrize(("request_", "reason"), [pytest.param(request, reason, id=name) for name, request, reason in POISON])
def test_poison_is_acknowledged_and_set_aside_once(world: World, request_: Request, reason: str) -> None:
    """Delivered twice: 202 each time and one dead letter with the reason; neither API is asked, and nothing of it is shown."""
    answers = [world.post(request_) for _ in range(2)]
    letters = world.dead_letters()
    assert [answer.status for answer in answers] == [202, 202]
    assert [(letter.reason, letter.source) for letter in letters] == [(reason, "realtime_event")]
    assert (world.sent(), world.reads()) == ([], {})
    seen = world.output().encode() + b"".join(answer.body for answer in answers) + repr(letters).encode()
    assert scan_for(PERSONAL.items()).found_in(seen) == set()


def test_a_field_that_is_found_to_be_wrong_only_after_a_read_is_set_aside_too(world: World) -> None:
    """`OrderCustomerSet` whose customer is a text: the order is read, then 202 and a dead letter."""
    held = world.put("orders", **order(line("Shirt", world.new_id(), 1300)))
    wrong = {**messages.order_customer_set(held, None, stamp()), "customer": EMAIL}
    assert world.deliver(wrong).status == 202
    (letter,) = world.dead_letters()
    assert (letter.reason, letter.message_type, letter.resource_id) == ("unreadable_fields", "OrderCustomerSet", held["id"])
    assert world.sent() == []


def test_after_all_the_poison_the_same_process_handles_a_good_notification(world: World) -> None:
    """The process is the one that was started, and its health check answers."""
    workers = _workers(world)
    for _, request, _ in POISON:
        assert world.post(request).status == 202
    held = world.put("customers", email="ada@example.com")
    assert world.deliver(messages.customer_created(held, stamp())).status == 204
    properties = {"isEmailVerified": False, "commercetools_created_at": held["createdAt"]}
    assert world.sent() == [upsert({"external_id": held["id"], "email": "ada@example.com", "properties": properties})]
    assert world.function.is_alive()
    assert _workers(world) == workers


def _workers(world: World) -> list[int]:
    return sorted(child.pid for child in psutil.Process(world.function.process.pid).children(recursive=True))


@pytest.mark.parametrize("payload_bytes", [10_000_001, 16_000_000])
def test_a_body_that_no_queue_would_carry_is_set_aside(world: World, payload_bytes: int) -> None:
    """More than 10 MB of payload: 202 after the whole body was taken, and a dead letter; a 4xx would come back for ever."""
    filler = "x" * payload_bytes
    answer = world.deliver(json.dumps({**_message(), "filler": filler}).encode())
    assert answer.status == 202
    assert [letter.reason for letter in world.dead_letters()] == ["body_too_large"]
    assert (world.sent(), world.reads()) == ([], {})
    assert world.function.is_alive()


def _unreadable() -> Iterator[dict[str, Any]]:
    yield {"firstName": {"oops": NAME}}
    yield {"addresses": NAME}
    yield {"addresses": [{"country": 17, "city": [NAME]}]}
    yield {"custom": {"fields": [NAME]}}
    yield {"stores": [NAME]}


@pytest.mark.parametrize("fields", list(_unreadable()))
def test_a_resource_of_wrong_types_is_set_aside(world: World, fields: dict[str, Any]) -> None:
    """What commercetools shows cannot be read: 202, a dead letter that names the customer, no call of Klaviyo, no canary."""
    held = world.put("customers", **{**customer(world.new_id(), addresses=[]), **fields})
    answer = world.deliver(change("ResourceUpdated", "customer", held, stamp()))
    assert answer.status == 202
    (letter,) = world.dead_letters()
    assert (letter.message_type, letter.resource_id) == ("ResourceUpdated", held["id"])
    assert world.sent() == []
    seen = world.output().encode() + answer.body + repr(letter).encode()
    assert scan_for(PERSONAL.items()).found_in(seen) == set()


@pytest.mark.parametrize("levels", [12, 400])
def test_a_custom_field_nested_too_deeply_costs_no_customer(world: World, levels: int) -> None:
    """Klaviyo takes ten levels: the field is left out or cut, the customer is sent, and that is counted."""
    value: Any = 1
    for _ in range(levels):
        value = {"in": value}
    custom = {"type": {"typeId": "type", "id": world.new_id()}, "fields": {"deep": value}}
    held = world.put("customers", email="ada@example.com", custom=custom)
    assert world.deliver(messages.customer_created(held, stamp())).status == 204
    assert len(world.profiles()) == 1
    (handled,) = world.logged("notification handled")
    assert handled["adjusted"] == ["property_trimmed"]


@pytest.mark.parametrize("at", ["yesterday", "", "2026-13-45T99:99:99Z"])
def test_a_time_that_is_none_costs_no_event(world: World, at: str) -> None:
    """`createdAt` is a text, but no time: the event is sent once, with the order's own time of creation."""
    done = world.put("orders", **order(line("Shirt", world.new_id(), 1300), orderState="Complete"))
    assert world.deliver(messages.order_state_changed(done, "Open", stamp(at=at))).status == 204
    (sent,) = world.sent()
    assert (sent.path, sent.status, sent.body["data"]["attributes"]["time"]) == ("/api/events", 202, done["createdAt"])


@pytest.fixture
def on_google_cloud(world: World) -> World:
    """The function where it has no state file: dead letters stand in commercetools custom objects."""
    return world.having(K_SERVICE="realtime", REALTIME_DEADLINE_S="5")


def test_on_google_cloud_a_dead_letter_is_a_custom_object(on_google_cloud: World) -> None:
    """Poison and a refused customer: 202 each, and a pointer without content in the merchant's project."""
    held = on_google_cloud.put("customers", **customer(on_google_cloud.new_id(), email=MALFORMED_EMAIL))
    assert on_google_cloud.deliver(b"no JSON").status == 202
    assert on_google_cloud.deliver(messages.customer_created(held, stamp())).status == 202
    stored = on_google_cloud.custom_objects()
    assert sorted((letter["value"]["reason"], letter["value"].get("resource_id")) for letter in stored) == [
        ("invalid", held["id"]),
        ("not_a_json_object", None),
    ]
    assert scan_for(PERSONAL.items()).found_in(json.dumps(stored).encode()) == set()


def test_a_dead_letter_that_may_not_be_stored_is_an_error_in_the_log(on_google_cloud: World) -> None:
    """403 of the store: the pointer goes to an ERROR line, and the delivery is acknowledged (decisions.md 4)."""
    on_google_cloud.commercetools_fails({"kind": "status", "status": 403, "path": "/sandbox/custom-objects"})
    assert on_google_cloud.deliver(b"no JSON").status == 202
    (logged,) = on_google_cloud.logged("dead letter cannot be stored, this line is all there is")
    assert (logged["severity"], logged["reason"]) == ("ERROR", "not_a_json_object")


@pytest.mark.parametrize("rule", [{"kind": "status", "status": 503}, {"kind": "hang", "seconds": 30}])
def test_a_dead_letter_that_cannot_be_stored_now_brings_the_delivery_back(on_google_cloud: World, rule: dict[str, Any]) -> None:
    """Nothing is acknowledged before it is safely recorded: 503 within the deadline, 202 when the store answers again."""
    on_google_cloud.commercetools_fails({**rule, "path": "/sandbox/custom-objects"})
    assert on_google_cloud.deliver(b"no JSON").status == 503
    on_google_cloud.commercetools_fails()
    assert on_google_cloud.deliver(b"no JSON").status == 202
    assert len(on_google_cloud.custom_objects()) == 1
