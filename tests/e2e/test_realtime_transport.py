"""Transport and control of the realtime function (cases 1 to 17): envelopes, answers, what is lost never."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from sandbox.notifications import messages
from sandbox.notifications.envelopes import ENVELOPES, Post, Request, bare, cloud_event, pubsub_push, redelivery
from sandbox.notifications.platform import change, subscription_test, without_payload
from shared.klaviyo.catalog import compound_id
from shared.realtime.registry import ROUTES
from shared.settings.document_check import PROCESSOR_NAMES
from tests.e2e.canaries import MALFORMED_EMAIL, PERSONAL, customer, scan_for
from tests.e2e.realtime_resources import category, line, order, product, projection, variant
from tests.e2e.realtime_world import HTTP, Answer, Sent, World, stamp, upsert

EXTRA = {"isEmailVerified": False}
VARIANTS_OF = "/api/catalog-items/{}/variants"

# What switches each kind of notification off: the older product's processor names, our own, and commercetools' types.
DISABLED_BY = {
    ("customer", "CustomerCreated"): {"CustomerCreated"},
    ("customer", "ResourceUpdated"): {"CustomerResourceUpdated", "ResourceUpdated"},
    ("customer", "ResourceDeleted"): {"CustomerResourceDeleted", "ResourceDeleted"},
    ("order", "OrderCreated"): {"OrderCreated"},
    ("order", "OrderImported"): {"OrderCreated", "OrderImported"},
    ("order", "OrderCreatedFromRecurringOrder"): {"OrderCreated", "OrderCreatedFromRecurringOrder"},
    ("order", "OrderCustomerSet"): {"OrderCreated", "OrderIdentitySet", "OrderCustomerSet"},
    ("order", "OrderCustomerEmailSet"): {"OrderCreated", "OrderIdentitySet", "OrderCustomerEmailSet"},
    ("order", "OrderStateChanged"): {"OrderStateChanged"},
    ("order", "OrderShipmentStateChanged"): {"OrderShipmentStateChanged"},
    ("payment", "PaymentTransactionAdded"): {"OrderRefunded", "PaymentTransactionAdded"},
    ("payment", "PaymentTransactionStateChanged"): {"OrderRefunded", "PaymentTransactionStateChanged"},
    ("category", "CategoryCreated"): {"CategoryCreated"},
    ("category", "ResourceUpdated"): {"CategoryResourceUpdated", "ResourceUpdated"},
    ("category", "ResourceDeleted"): {"CategoryResourceDeleted", "ResourceDeleted"},
    ("product", "ProductPublished"): {"ProductPublished"},
    ("product", "ProductUnpublished"): {"ProductUnpublished"},
    ("product", "ResourceDeleted"): {"ProductResourceDeleted", "ResourceDeleted"},
    ("inventory-entry", "ResourceCreated"): {"InventoryResourceUpdated", "ResourceCreated"},
    ("inventory-entry", "ResourceUpdated"): {"InventoryResourceUpdated", "ResourceUpdated"},
    ("inventory-entry", "ResourceDeleted"): {"InventoryResourceUpdated", "ResourceDeleted"},
    ("inventory-entry", "InventoryEntryDeleted"): {"InventoryResourceUpdated", "InventoryEntryDeleted"},
}


def _about(type_id: str, type_: str) -> dict[str, Any]:
    """A notification about a resource that does not exist, its own fields left out."""
    resource = {"id": World.new_id(), "version": 3}
    if type_ in {"ResourceCreated", "ResourceUpdated", "ResourceDeleted"}:
        return change(type_, type_id, resource, stamp())  # type: ignore[arg-type]
    return without_payload(messages.message(type_, type_id, resource, stamp()))


def _profile(world: World, **fields: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A customer in commercetools, and the attributes that Klaviyo is to get."""
    held = world.put("customers", **{"email": "ada@example.com", **fields})
    extra = {**EXTRA, "commercetools_created_at": held["createdAt"]}
    return held, {"external_id": held["id"], "email": held["email"], "properties": extra}


def _answered(answer: Answer) -> tuple[int, Any]:
    return answer.status, json.loads(answer.body) if answer.body else None


def test_the_health_check_answers_and_touches_nothing(world: World) -> None:
    """`GET /health` says ok; other methods than POST are refused, and neither API is asked."""
    answer = HTTP.get(f"{world.function.url}/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert HTTP.get(world.function.url).status_code == 405
    assert (world.sent(), world.reads(), world.dead_letters()) == ([], {}, [])


def test_a_type_of_resource_that_nobody_handles_is_acknowledged_and_counted(world: World) -> None:
    """Case 1: 204 and no call; the log counts it as skipped, with the reason unknown_type."""
    quote = {"id": world.new_id(), "version": 1}
    assert _answered(world.deliver(change("ResourceUpdated", "quote", quote, stamp()))) == (204, None)
    assert _answered(world.deliver(messages.message("CustomerGroupSet", "customer", quote, stamp()))) == (204, None)
    assert (world.sent(), world.reads(), world.dead_letters()) == ([], {}, [])
    assert world.outcomes() == [
        ("ResourceUpdated", "skipped", "unknown_type"),
        ("CustomerGroupSet", "skipped", "unknown_type"),
    ]


def test_the_test_notification_of_a_new_subscription_is_acknowledged(world: World) -> None:
    """commercetools creates a subscription only if its destination takes this; there is nothing to do."""
    assert world.deliver(subscription_test(world.new_id(), stamp())).status == 204
    assert (world.sent(), world.reads()) == ([], {})
    assert world.outcomes() == [("ResourceCreated", "skipped", "test_notification")]


@pytest.mark.parametrize("body", [b"{}", b'{"subscription": "projects/example/subscriptions/s"}', b""])
def test_a_body_without_a_message_is_acknowledged_and_set_aside(world: World, body: bytes) -> None:
    """Case 2: the older product refuses it with 400, for ever; here 202, and one dead letter."""
    answer = world.post(Request({"content-type": "application/json"}, body))
    reason = "no_message" if body else "not_a_json_object"
    assert _answered(answer) == (202, {"outcome": "dead_lettered", "reason": reason})
    assert [(letter.reason, letter.source) for letter in world.dead_letters()] == [(reason, "realtime_event")]
    assert (world.sent(), world.reads()) == ([], {})


@pytest.mark.parametrize("message", [{}, {"data": ""}, {"messageId": "1", "attributes": {}}])
def test_a_message_without_data_is_acknowledged_and_set_aside(world: World, message: dict[str, Any]) -> None:
    """Case 3: the older product answers 500, for ever."""
    answer = world.post(Request({"content-type": "application/json"}, json.dumps({"message": message}).encode()))
    assert _answered(answer) == (202, {"outcome": "dead_lettered", "reason": "no_data"})
    assert [letter.reason for letter in world.dead_letters()] == ["no_data"]


def test_data_that_is_not_json_is_acknowledged_and_the_process_lives(world: World) -> None:
    """Case 4: the older product's process exits; here one dead letter, and the next good notification is handled."""
    answer = world.deliver(b"this is not JSON")
    assert _answered(answer) == (202, {"outcome": "dead_lettered", "reason": "not_a_json_object"})
    assert [letter.reason for letter in world.dead_letters()] == ["not_a_json_object"]
    held, attributes = _profile(world)
    assert world.deliver(messages.customer_created(held, stamp())).status == 204
    assert world.sent() == [upsert(attributes)]
    assert world.function.process.poll() is None


@pytest.mark.parametrize("payload_bytes", [150_000, 5_000_000])
def test_a_large_notification_is_processed(world: World, payload_bytes: int) -> None:
    """Case 5: a valid ProductPublished with the whole projection inside, of 150 KB and of 5 MB."""
    sku = f"large-{world.new_id()}"
    held = world.put("products", **product("Large", variant(1, sku)))
    shown = projection(held)
    published = messages.product_published(held, shown, stamp())
    filling = payload_bytes - len(json.dumps(published)) + 2
    shown["masterVariant"] = variant(1, sku, attributes=[{"name": "text", "value": "x" * filling}])
    published = messages.product_published(held, shown, stamp())
    assert len(json.dumps(published)) > payload_bytes
    assert world.deliver(published).status == 204
    assert [(sent.method, sent.path, sent.status) for sent in world.sent()] == [
        ("GET", VARIANTS_OF.format(compound_id(held["id"])), 404),
        ("POST", "/api/catalog-items", 201),
        ("POST", "/api/catalog-variants", 201),
    ]
    assert world.catalog().keys() == {("item", held["id"]), ("variant", sku)}
    assert world.dead_letters() == []


@pytest.mark.parametrize("variable", ["SKIP_BASE64_DECODE", "SKIP_BASE64_ENCODING"])
@pytest.mark.parametrize("carried", ["platform", "cloud event"])
def test_a_bare_notification_is_processed_where_that_is_set(world: World, variable: str, carried: str) -> None:
    """Case 6: the request's body is the notification itself, with the variable's real name and with the documented one."""
    bared = world.having(**{variable: "true"})
    held, attributes = _profile(bared)
    notification = messages.customer_created(held, stamp())
    payload = cloud_event(notification) if carried == "cloud event" else notification
    assert bared.deliver(payload, bare).status == 204
    assert bared.sent() == [upsert(attributes)]


def test_a_bare_notification_is_set_aside_where_that_is_not_set(world: World) -> None:
    """Without the setting nobody but a stranger sends one."""
    held, _ = _profile(world)
    assert world.deliver(messages.customer_created(held, stamp()), bare).status == 202
    assert world.sent() == []
    assert [letter.reason for letter in world.dead_letters()] == ["no_message"]


@pytest.mark.parametrize(
    ("envelope", "carried"), list(itertools.product(sorted(ENVELOPES.keys() - {"bare"}), ["platform", "cloud event"]))
)
def test_every_envelope_and_both_formats_come_to_the_same_request(world: World, envelope: str, carried: str) -> None:
    """Pub/Sub push, Eventarc (binary, structured), SNS; commercetools' Platform format and its CloudEvents in each of them."""
    held, attributes = _profile(world)
    notification = messages.customer_created(held, stamp())
    payload = cloud_event(notification) if carried == "cloud event" else notification
    assert world.deliver(payload, ENVELOPES[envelope]).status == 204
    assert world.sent() == [upsert(attributes)]
    assert world.dead_letters() == []


def test_an_sns_confirmation_is_acknowledged_and_its_address_never_fetched(world: World) -> None:
    """The address in it may be a stranger's (decisions.md 17): neither simulator, named as that address, is asked."""
    address = f"{world.klaviyo_url}/api/profiles"
    body = {"Type": "SubscriptionConfirmation", "MessageId": "1", "Token": "t", "SubscribeURL": address, "Message": "confirm"}
    assert world.post(Request({"content-type": "text/plain"}, json.dumps(body).encode())).status == 204
    assert (world.sent(), world.reads(), world.dead_letters()) == ([], {}, [])


def test_a_failure_of_one_of_two_events_brings_the_message_back_and_no_event_counts_twice(world: World) -> None:
    """Case 7: both are attempted and the message is answered 503 (the older product: 500); delivered again, both are there once.

    Our own difference: the second is tried several times within the deadline before that, and the first is not sent again.
    """
    brief = world.having(REALTIME_DEADLINE_S="5")
    bought = line("Shirt", world.new_id(), 1300)
    placed = brief.put("orders", **order(bought))
    message = messages.order_placed(placed, stamp())
    brief.klaviyo_fails({"kind": "status", "path": "/api/events", "skip": 1, "status": 500})
    assert _answered(brief.deliver(message)) == (503, {"outcome": "redeliver", "reason": "HostDown"})
    statuses = [sent.status for sent in brief.sent()]
    assert statuses[0] == 202
    assert set(statuses[1:]) == {500}
    assert [event["unique_id"] for event in brief.events()] == [placed["id"]]
    brief.klaviyo_fails()
    brief.watch()
    assert brief.deliver(message, post=redelivery(Post())).status == 204
    said = [(sent.method, sent.path, sent.status, sent.body["data"]["attributes"]["unique_id"]) for sent in brief.sent()]
    assert said == [("POST", "/api/events", 202, identifier) for identifier in (bought["id"],)]
    assert [event["unique_id"] for event in brief.events()] == [placed["id"], bought["id"]]


def test_what_klaviyo_refuses_is_acknowledged_and_set_aside_without_its_content(world: World) -> None:
    """Case 8: 202 and no retry as before, and a dead letter that points at the resource and the field."""
    held, attributes = _profile(world, email=MALFORMED_EMAIL)
    answer = world.deliver(messages.customer_created(held, stamp()))
    assert answer.status == 202
    assert world.sent() == [upsert(attributes, 400)]
    (letter,) = world.dead_letters()
    assert (letter.message_type, letter.resource_type, letter.resource_id) == ("CustomerCreated", "customer", held["id"])
    assert letter.pointer == "/data/attributes/email"
    assert json.loads(answer.body) == {"outcome": "dead_lettered", "reason": letter.reason}


def test_a_429_is_waited_out_as_klaviyo_asks(world: World) -> None:
    """Case 9: `Retry-After` is honoured, then the same request is sent again and accepted, all within one delivery."""
    held, attributes = _profile(world)
    world.klaviyo_fails({"kind": "status", "status": 429, "retry_after": "1", "first": 2})
    answer = world.deliver(messages.customer_created(held, stamp()))
    assert answer.status == 204
    assert answer.took_s > 2.0
    first, second, third = world.sent()
    assert (first.status, second.status, third) == (429, 429, upsert(attributes))


def test_a_429_that_outlasts_the_deadline_brings_the_message_back(world: World) -> None:
    """Case 9: where waiting as asked does not fit (`Retry-After` 7, 4 s left), 503 without a further call; nothing is lost."""
    with world.fresh(REALTIME_DEADLINE_S="4") as brief:
        held, attributes = _profile(brief)
        message = messages.customer_created(held, stamp())
        brief.klaviyo_fails({"kind": "status", "status": 429, "retry_after": "7", "first": 6})
        answer = brief.deliver(message)
        assert _answered(answer) == (503, {"outcome": "redeliver", "reason": "RateLimited"})
        assert answer.moving_s < 4
        assert [sent.status for sent in brief.sent()] == [429]
        assert brief.deliver(message).status == 503  # of the same process: Klaviyo has asked for silence
        assert [sent.status for sent in brief.sent()] == [429]
    world.klaviyo_fails()
    world.watch()
    assert world.deliver(message).status == 204  # of another process, when Klaviyo answers again
    assert world.sent() == [upsert(attributes)]


def test_a_reset_connection_is_tried_again(world: World) -> None:
    """Case 10: one reset is no more than a second request."""
    held, attributes = _profile(world)
    world.klaviyo_fails({"kind": "reset", "first": 1})
    assert world.deliver(messages.customer_created(held, stamp())).status == 204
    first, second = world.sent()
    assert (first.status, second) == (None, upsert(attributes))


def test_resets_without_end_bring_the_message_back(world: World) -> None:
    """Case 10: 503 at the deadline; delivered again when Klaviyo is back, nothing is lost."""
    brief = world.having(REALTIME_DEADLINE_S="5")
    held, attributes = _profile(brief)
    message = messages.customer_created(held, stamp())
    brief.klaviyo_fails({"kind": "reset"})
    assert _answered(brief.deliver(message)) == (503, {"outcome": "redeliver", "reason": "HostDown"})
    assert len(brief.sent()) > 1
    assert brief.dead_letters() == []
    world.klaviyo_fails()
    world.watch()
    assert world.deliver(message).status == 204
    assert world.sent() == [upsert(attributes)]
    assert world.dead_letters() == []


def test_a_lost_answer_changes_nothing(world: World) -> None:
    """Klaviyo accepts the profile and the answer is lost: the same upsert again, one profile."""
    held, attributes = _profile(world)
    world.klaviyo_fails({"kind": "lost", "path": "/api/profile-import", "first": 1})
    assert world.deliver(messages.customer_created(held, stamp())).status == 204
    assert world.sent() == [upsert(attributes), upsert(attributes, 200)]
    assert len(world.profiles()) == 1


def test_a_resource_that_does_not_exist_any_more_is_skipped(world: World) -> None:
    """Case 11: commercetools answers 404: acknowledged, no call of Klaviyo, counted as gone."""
    gone = {"id": world.new_id(), "version": 2}
    assert world.deliver(change("ResourceUpdated", "customer", gone, stamp())).status == 204
    assert (world.sent(), world.reads(), world.dead_letters()) == ([], {"GET customers/{id} 404": 1}, [])
    assert world.outcomes() == [("ResourceUpdated", "skipped", "gone")]


def test_a_read_that_commercetools_refuses_is_set_aside(world: World) -> None:
    """Case 11: commercetools answers 400: acknowledged, no call of Klaviyo; our own difference: a dead letter says so."""
    held, _ = _profile(world)
    world.commercetools_fails({"kind": "status", "status": 400, "path": "/sandbox/customers"})
    assert world.deliver(messages.customer_created(held, stamp())).status == 202
    assert world.sent() == []
    (letter,) = world.dead_letters()
    assert (letter.message_type, letter.resource_id) == ("CustomerCreated", held["id"])


@pytest.mark.parametrize("status", [500, 503])
def test_commercetools_in_trouble_brings_the_message_back(world: World, status: int) -> None:
    """Case 12: tried again within the deadline, then 503 (the older product: 500); once is no more than a second read."""
    brief = world.having(REALTIME_DEADLINE_S="1.5")
    held, attributes = _profile(brief)
    message = messages.customer_created(held, stamp())
    brief.commercetools_fails({"kind": "status", "status": status, "path": "/sandbox/customers"})
    assert brief.deliver(message).status == 503
    assert (brief.sent(), brief.dead_letters()) == ([], [])
    world.commercetools_fails({"kind": "status", "status": status, "path": "/sandbox/customers", "first": 1})
    world.watch()
    assert world.deliver(message).status == 204
    assert world.sent() == [upsert(attributes)]


def test_a_notification_that_is_delivered_twice_has_the_effect_of_one(world: World) -> None:
    """Case 13: no duplicate and no error: profiles are upserted, events known by their ids, categories renamed if there."""
    held, attributes = _profile(world)
    bought = line("Shirt", world.new_id(), 1300)
    placed = world.put("orders", **order(bought))
    shown = world.put("categories", **category("Hats"))
    for message in (
        messages.customer_created(held, stamp()),
        messages.order_placed(placed, stamp()),
        messages.category_created(shown, stamp()),
    ):
        assert [world.deliver(message).status for _ in range(2)] == [204, 204]
    sent = world.sent()
    assert sent[:2] == [upsert(attributes), upsert(attributes, 200)]
    assert [(one.path, one.status) for one in sent[2:6]] == [("/api/events", 202)] * 4
    path = f"/api/catalog-categories/{compound_id(shown['id'])}"
    renamed = {"type": "catalog-category", "id": compound_id(shown["id"]), "attributes": {"name": "Hats"}}
    assert [(one.method, one.path, one.status) for one in sent[6:8]] == [
        ("POST", "/api/catalog-categories", 201),
        ("POST", "/api/catalog-categories", 409),
    ]
    assert sent[8:] == [Sent("PATCH", path, 200, {"data": renamed})]
    assert [event["unique_id"] for event in world.events()] == [placed["id"], bought["id"]]
    assert world.catalog().keys() == {("category", shown["id"])}
    assert world.dead_letters() == []


def test_a_processor_named_in_disabled_events_is_off(world: World) -> None:
    """Case 14: `disabledEvents: ["OrderStateChanged"]` acknowledges such a message with 204 and reads nothing.

    So does the name as the older product's own code spells it, with a space before it.
    """
    for name in ("OrderStateChanged", " OrderStateChanged"):
        with world.fresh({"disabledEvents": [name]}) as silent:
            done = silent.put("orders", **order(line("Shirt", world.new_id(), 1300), orderState="Complete"))
            assert silent.deliver(messages.order_state_changed(done, "Open", stamp())).status == 204
            assert (silent.sent(), silent.reads()) == ([], {})
            assert silent.outcomes() == [("OrderStateChanged", "skipped", "disabled")]


def test_disabled_events_takes_every_name_and_each_switches_off_its_own(world: World) -> None:
    """Case 14: all names of the older product, our own and commercetools' types, each for exactly the notifications it is for.

    Name number n is disabled in the process b when the bit b of n is set, so that the processes together tell every name
    from every other.
    """
    names = sorted(set().union(*DISABLED_BY.values()) | {"CustomerCompanyNameSet"})
    assert {*PROCESSOR_NAMES, *(route.name for route in ROUTES)} <= set(names)
    for bit in range(len(names).bit_length()):
        disabled = {name for number, name in enumerate(names, start=1) if number >> bit & 1}
        with world.fresh({"disabledEvents": sorted(disabled)}) as some:
            for kind in DISABLED_BY:
                assert some.deliver(_about(*kind)).status == 204
            found = [(type_, reason == "disabled") for type_, _, reason in some.outcomes()]
        assert found == [(type_, not disabled.isdisjoint(by)) for (_, type_), by in DISABLED_BY.items()]


def test_a_customer_whose_payload_was_left_out_is_read_and_written(world: World) -> None:
    """Case 15: `payloadNotIncluded`: the customer is read anew, as it always is, and upserted."""
    held, attributes = _profile(world)
    assert world.deliver(without_payload(messages.customer_created(held, stamp()))).status == 204
    assert world.sent() == [upsert(attributes)]
    assert world.reads() == {"GET customers/{id} 200": 2}
    assert world.outcomes() == [("CustomerCreated", "done", None)]


def test_a_product_whose_payload_was_left_out_is_read_and_written(world: World) -> None:
    """Case 16: the published product is read anew: the item, then its variant."""
    sku = f"left-out-{world.new_id()}"
    held = world.put("products", **product("Left Out", variant(1, sku)))
    published = messages.product_published(held, projection(held), stamp())
    assert world.deliver(without_payload(published)).status == 204
    shared = {
        "title": "Left Out",
        "description": "",
        "url": "None",
        "price": 0,
        "custom_metadata": {"title_json": '{"title_en":"Left Out"}', "slug_json": '{"slug_en":"left-out"}'},
        "published": True,
    }
    new = {"integration_type": "$custom", "catalog_type": "$default"}
    item = {
        "type": "catalog-item",
        "attributes": {"external_id": held["id"], **new, **shared},
        "relationships": {"categories": {"data": []}},
    }
    stocked = {"inventory_policy": 2, "inventory_quantity": 1_000_000}
    its_variant = {
        "type": "catalog-variant",
        "attributes": {"external_id": sku, "sku": sku, **new, **shared, **stocked},
        "relationships": {"item": {"data": {"type": "catalog-item", "id": compound_id(held["id"])}}},
    }
    fields = "title,description,sku,inventory_policy,inventory_quantity,price,url,image_full_url,custom_metadata,published"
    listing = {"fields[catalog-variant]": fields, "page[size]": "100"}
    assert world.sent() == [
        Sent("GET", VARIANTS_OF.format(compound_id(held["id"])), 404, query=listing),
        Sent("POST", "/api/catalog-items", 201, {"data": item}),
        Sent("POST", "/api/catalog-variants", 201, {"data": its_variant}),
    ]


def test_a_failing_call_leaves_neither_the_key_nor_the_body_in_the_log(world: World) -> None:
    """Case 17: refused, failing and broken off, at the most talkative level: no value of the body, no key."""
    brief = world.having(REALTIME_DEADLINE_S="1.5")
    held = brief.put("customers", **customer(world.new_id()))
    secrets = {"key": "pk_sandbox_0123456789", "client secret": "sandbox-secret"}
    for rule in (
        {"kind": "status", "status": 400},
        {"kind": "status", "status": 500},
        {"kind": "reset"},
        {"kind": "truncate"},
        {"kind": "status", "status": 401},
    ):
        brief.klaviyo_fails({**rule, "path": "/api/profile-import"})
        answer = brief.deliver(messages.customer_created(held, stamp()))
        assert answer.status in {202, 503}
        seen = brief.output().encode() + answer.body + repr(brief.dead_letters()).encode()
        assert scan_for([*PERSONAL.items(), *secrets.items()]).found_in(seen) == set()
    assert brief.logged("klaviyo is asked again")


def test_wrong_credentials_bring_the_message_back_and_say_so_loudly(world: World) -> None:
    """401 and 403 of either side: 503, one ERROR line, no dead letter: nothing is lost while a person mends it."""
    brief = world.having(REALTIME_DEADLINE_S="5")
    held, attributes = _profile(brief)
    message = messages.customer_created(held, stamp())
    for status, fails in itertools.product((401, 403), (brief.klaviyo_fails, brief.commercetools_fails)):
        fails({"kind": "status", "status": status})
        assert brief.deliver(message, pubsub_push).status == 503
        assert [line["severity"] for line in brief.logged("notification cannot be handled before a person acts")] == ["ERROR"]
        fails()
        brief.watch()
    assert brief.dead_letters() == []
    assert brief.deliver(message).status == 204
    assert brief.sent() == [upsert(attributes)]
