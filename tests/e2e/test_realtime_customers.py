"""Customers (cases 18 to 35): what Klaviyo is asked and told, request by request.

One difference from the older product runs through all of them: a profile is written by one upsert (`POST /api/profile-import`)
with the customer's id and e-mail, where that product looked it up and then posted or patched it (mapping.md "Profiles"). The
customer is read before and after the write, whatever the notification says (decisions.md 7).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from sandbox.notifications import messages
from sandbox.notifications.platform import change
from tests.e2e.realtime_world import Sent, World, find_profile, patch, stamp, upsert

TWICE = {"GET customers/{id} 200": 2}
ADDRESS = {
    "id": "a1",
    "country": "IT",
    "apartment": "C",
    "building": "Tall Tower",
    "streetNumber": "23",
    "streetName": "High Road",
    "additionalStreetInfo": "Private entrance",
    "additionalAddressInfo": "Ring twice",
    "city": "London",
    "region": "Lazio",
    "state": "not sent",
    "postalCode": "00118",
    "phone": "+39 06 7934 9010",
}
LOCATION = {
    "address1": "C, Tall Tower, 23, High Road",
    "address2": "Private entrance, Ring twice",
    "city": "London",
    "country": "IT",
    "region": "Lazio",
    "zip": "00118",
}
PHONE = "+390679349010"
MOBILE, MOBILE_AS_TYPED = "+393234567892", "+39 323 4567892"
OTHERS_EMAIL = "other@example.com"


def _customer(world: World, **fields: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A customer in commercetools, and the least that Klaviyo gets of it."""
    held = world.put("customers", **{"email": "ada@example.com", **fields})
    properties = {"isEmailVerified": False, "commercetools_created_at": held["createdAt"]}
    return held, {"external_id": held["id"], "email": held["email"], "properties": properties}


def _created(world: World, held: dict[str, Any], status: int = 204) -> None:
    assert world.deliver(messages.customer_created(held, stamp())).status == status


def _updated(world: World, held: dict[str, Any], status: int = 204) -> None:
    assert world.deliver(change("ResourceUpdated", "customer", held, stamp())).status == status


def _deleted(world: World, held: dict[str, Any], *, erasure: bool = False) -> None:
    assert world.deliver(change("ResourceDeleted", "customer", held, stamp(), data_erasure=erasure)).status == 204


def _adjusted(world: World) -> list[str] | None:
    (line,) = world.logged("notification handled")
    adjusted: list[str] | None = line["adjusted"]
    return adjusted


def _address(number: int) -> dict[str, Any]:
    return {"id": f"b{number}", "country": "DE", "city": f"City {number}"}


def test_a_full_customer_becomes_a_full_profile(world: World) -> None:
    """Case 18: every attribute from its field, the address joined as before.

    Differences: an upsert; the phone is in E.164; `locale` and the further properties of mapping.md are sent as well.
    """
    held = world.put(
        "customers",
        email=" Roxana.Doe@Example.com ",
        firstName="Roxana",
        lastName="Doe",
        title="Ms",
        companyName="Example Ltd",
        customerNumber="C-17",
        vatId="IT12345678901",
        dateOfBirth="1990-05-17",
        locale="it_IT",
        isEmailVerified=True,
        stores=[{"typeId": "store", "key": "rome"}],
        addresses=[ADDRESS],
    )
    _created(world, held)
    attributes = {
        "external_id": held["id"],
        "email": "roxana.doe@example.com",
        "first_name": "Roxana",
        "last_name": "Doe",
        "title": "Ms",
        "organization": "Example Ltd",
        "phone_number": PHONE,
        "locale": "it-IT",
        "location": LOCATION,
        "properties": {
            "customerNumber": "C-17",
            "dateOfBirth": "1990-05-17",
            "vatId": "IT12345678901",
            "stores": ["rome"],
            "isEmailVerified": True,
            "commercetools_created_at": held["createdAt"],
        },
    }
    assert world.sent() == [upsert(attributes)]
    assert world.reads() == TWICE
    assert world.profiles() == [attributes]
    assert world.outcomes() == [("CustomerCreated", "done", None)]


def test_a_customer_group_is_sent_by_its_name(world: World) -> None:
    """Not in the older product: `customerGroup` is the group's name, read along with the customer."""
    group = world.put("customer-groups", name="Gold", key="gold")
    held, attributes = _customer(world, customerGroup={"typeId": "customer-group", "id": group["id"]})
    _created(world, held)
    attributes["properties"]["customerGroup"] = "Gold"
    assert world.sent() == [upsert(attributes)]
    assert world.reads() == TWICE


@pytest.mark.parametrize(
    ("ids", "city"),
    [
        pytest.param({"defaultBillingAddressId": "b2", "billingAddressIds": ["b1", "b2"]}, "City 2", id="default billing"),
        pytest.param({"billingAddressIds": ["b2", "b1"]}, "City 2", id="first billing"),
        pytest.param({"billingAddressIds": []}, "City 1", id="first"),
        pytest.param({"defaultShippingAddressId": "b2", "shippingAddressIds": ["b2"]}, "City 1", id="shipping is not preferred"),
    ],
)
def test_the_location_is_that_of_the_billing_address(world: World, ids: dict[str, Any], city: str) -> None:
    """Case 19: the default billing address. Case 20: else the first billing one. Case 21: else the first address of all."""
    held, attributes = _customer(world, addresses=[_address(1), _address(2)], **ids)
    _created(world, held)
    assert world.sent() == [upsert({**attributes, "location": {"city": city, "country": "DE"}})]


def test_a_customer_without_an_address_keeps_the_location_that_klaviyo_has(world: World) -> None:
    """Case 22: the older product cleared the location with null; here location and phone are left out of the request.

    That is so even when the address was removed: mapping.md does not clear it.
    """
    held, attributes = _customer(world, addresses=[ADDRESS])
    _created(world, held)
    bare = world.change("customers", held["id"], addresses=[])
    _updated(world, bare)
    assert world.sent() == [upsert(attributes, 200)]
    assert world.profiles() == [{**attributes, "phone_number": PHONE, "location": LOCATION}]


def test_the_mobile_number_goes_before_the_phone_number(world: World) -> None:
    """Case 23: both are set; the mobile is sent (in E.164, where the older product sent it as it was typed)."""
    held, attributes = _customer(world, addresses=[{**ADDRESS, "mobile": MOBILE_AS_TYPED}])
    _created(world, held)
    assert world.sent() == [upsert({**attributes, "location": LOCATION, "phone_number": MOBILE})]


def test_a_number_that_nobody_can_call_is_left_out_and_counted(world: World) -> None:
    """Not in the older product, which let Klaviyo refuse it first."""
    held, attributes = _customer(world, addresses=[{**ADDRESS, "phone": "ask at the desk"}])
    _created(world, held)
    assert world.sent() == [upsert({**attributes, "location": LOCATION})]
    assert _adjusted(world) == ["phone_unusable"]


def test_custom_fields_are_chosen_and_renamed(world: World) -> None:
    """Case 24: include, exclude and map: only the included field is sent, under its new name.

    The further properties of mapping.md are switched off here, so that the request is the older product's.
    """
    rules = {"include": ["includedField"], "exclude": ["ignoredField"], "map": {"includedField": "includedFieldAfterMap"}}
    document = {"customer": {"customFields": {"properties": rules}, "profileProperties": []}}
    chosen = world.having(document)
    fields = {"includedField": "kept", "ignoredField": "dropped", "anotherField": "not asked for"}
    custom = {"type": {"typeId": "type", "id": world.new_id()}, "fields": fields}
    held, attributes = _customer(chosen, custom=custom)
    _created(chosen, held)
    assert chosen.sent() == [upsert({**attributes, "properties": {"includedFieldAfterMap": "kept"}})]


def test_false_zero_and_the_empty_text_are_values(world: World) -> None:
    """Case 25: the older product dropped them."""
    fields = {"newsletter": False, "points": 0, "note": "", "tags": []}
    held, attributes = _customer(world, custom={"type": {"typeId": "type", "id": world.new_id()}, "fields": fields})
    _created(world, held)
    attributes["properties"] |= fields
    assert world.sent() == [upsert(attributes)]
    assert world.profiles()[0]["properties"] == attributes["properties"]


def test_a_customer_whose_phone_klaviyo_refuses_is_sent_without_it(world: World) -> None:
    """Case 26: a 400 that points at the phone: the same upsert without it, 204, and the loss is counted."""
    world.klaviyo_settings(unsupported_phone_prefixes=["+39"])
    held, attributes = _customer(world, addresses=[ADDRESS])
    attributes["location"] = LOCATION
    _created(world, held)
    assert world.sent() == [upsert({**attributes, "phone_number": PHONE}, 400), upsert(attributes)]
    assert _adjusted(world) == ["phone_refused"]
    assert world.dead_letters() == []


def test_a_customer_that_is_refused_without_the_phone_as_well_is_set_aside(world: World) -> None:
    """Case 27: the second request fails with 400, too: 202, and (our own) a dead letter."""
    world.klaviyo_settings(unsupported_phone_prefixes=["+39"])
    held, attributes = _customer(world, addresses=[ADDRESS])
    world.klaviyo_fails({"kind": "status", "status": 400, "path": "/api/profile-import", "skip": 1})
    _created(world, held, status=202)
    first, second = world.sent()
    assert first == upsert({**attributes, "location": LOCATION, "phone_number": PHONE}, 400)
    assert (second.path, second.status) == ("/api/profile-import", 400)
    (letter,) = world.dead_letters()
    assert (letter.message_type, letter.resource_id) == ("CustomerCreated", held["id"])
    assert world.profiles() == []


def test_somebody_who_is_known_by_the_email_alone_becomes_the_customer(world: World) -> None:
    """Case 28: a newsletter subscriber or a guest: the customer's data and id go to that very profile.

    The older product lost the customer to a 409; the upsert matches by e-mail, so there is no 409, and one request does.
    """
    profile_id = world.klaviyo_has_profile(email="ADA@example.com", first_name="Ada", properties={"source": "newsletter"})
    held, attributes = _customer(world, lastName="Lovelace")
    _created(world, held)
    assert world.sent() == [upsert({**attributes, "last_name": "Lovelace"}, 200)]
    merged = {**attributes, "first_name": "Ada", "last_name": "Lovelace"}
    merged["properties"] = {**attributes["properties"], "source": "newsletter"}
    assert world.profiles() == [merged]
    assert (world.profile(external_id=held["id"]) or {})["id"] == profile_id


def test_a_conflict_of_two_profiles_loses_no_customer(world: World) -> None:
    """Case 28: the id is one profile's and the e-mail another's: a 409 names the other, which is patched with all attributes.

    The older product lost the customer. Here the two identifiers belong to two profiles, so that this is refused, too; then
    the patch leaves both out (mapping.md "Profiles"), and that is counted.
    """
    held, attributes = _customer(world, firstName="Ada")
    world.klaviyo_has_profile(external_id=held["id"], email=OTHERS_EMAIL)
    named = world.klaviyo_has_profile(email=held["email"])
    _created(world, held)
    rest = {"first_name": "Ada", "properties": attributes["properties"]}
    whole = {**attributes, "first_name": "Ada"}
    assert world.sent() == [upsert(whole, 409), patch(named, whole, 409), patch(named, rest)]
    assert world.profiles() == [
        {"external_id": held["id"], "email": OTHERS_EMAIL},
        {"email": held["email"], **rest},
    ]
    assert _adjusted(world) == ["identifier_conflict"]
    assert world.dead_letters() == []


def test_an_email_under_another_customers_id_is_patched_where_klaviyo_reads_it_as_a_conflict(world: World) -> None:
    """Case 28: the other reading of Klaviyo's matching rules: a 409 also where only the e-mail matches.

    The profile that it names is patched with all attributes, the customer's id included.
    """
    world.klaviyo_settings(email_match="conflict")
    held, attributes = _customer(world, firstName="Ada", addresses=[ADDRESS])
    named = world.klaviyo_has_profile(external_id="older-shop-4711", email=held["email"])
    _created(world, held)
    less = {**attributes, "first_name": "Ada", "location": LOCATION}
    whole = {**less, "phone_number": PHONE}
    assert world.sent() == [upsert(whole, 409), upsert(less, 409), patch(named, whole)]
    assert world.profiles() == [whole]
    assert _adjusted(world) is None


def test_a_phone_that_is_somebody_elses_stays_theirs(world: World) -> None:
    """Case 28: a 409 for the phone: the customer goes without it, and nobody's profile is overwritten."""
    world.klaviyo_has_profile(email=OTHERS_EMAIL, external_id="somebody", phone_number=PHONE)
    held, attributes = _customer(world, addresses=[ADDRESS])
    attributes["location"] = LOCATION
    _created(world, held)
    assert world.sent() == [upsert({**attributes, "phone_number": PHONE}, 409), upsert(attributes)]
    assert world.profiles() == [{"external_id": "somebody", "email": OTHERS_EMAIL, "phone_number": PHONE}, attributes]
    assert _adjusted(world) == ["phone_refused"]


@pytest.fixture
def deduplicating(world: World) -> World:
    """The world with `customer.deduplication.enabled`."""
    return world.having({"customer": {"deduplication": {"enabled": True}}})


@pytest.mark.parametrize("notify", [_created, _updated])
def test_with_deduplication_the_profile_with_the_same_email_is_patched(
    deduplicating: World, notify: Callable[[World, dict[str, Any]], None]
) -> None:
    """Case 29: found by e-mail, whatever the case of its letters: patched by its id, with the customer's id.

    Difference: so it is for an update of a customer, too, where the older product forgot to look.
    """
    profile_id = deduplicating.klaviyo_has_profile(email="ADA@Example.com", first_name="Ada")
    held, attributes = _customer(deduplicating, email="Ada@example.COM", lastName="Lovelace")
    attributes |= {"email": "ada@example.com", "last_name": "Lovelace"}
    notify(deduplicating, held)
    assert deduplicating.sent() == [find_profile("email", "ada@example.com"), patch(profile_id, attributes)]
    assert deduplicating.profiles() == [{**attributes, "first_name": "Ada"}]


def test_with_deduplication_a_customer_that_is_not_found_is_upserted(deduplicating: World) -> None:
    """Case 30: nobody has the e-mail."""
    held, attributes = _customer(deduplicating)
    _created(deduplicating, held)
    assert deduplicating.sent() == [find_profile("email", held["email"]), upsert(attributes)]


@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 429, "retry_after": "1"}])
def test_with_deduplication_a_look_up_that_fails_is_repeated(deduplicating: World, fault: dict[str, Any]) -> None:
    """Case 30: the older product took a failed look-up for "nobody has it" and created a profile."""
    profile_id = deduplicating.klaviyo_has_profile(email="ada@example.com")
    held, attributes = _customer(deduplicating)
    deduplicating.klaviyo_fails({"kind": "status", "path": "/api/profiles", "method": "GET", "first": 1, **fault})
    _created(deduplicating, held)
    failed, *rest = deduplicating.sent()
    assert (failed.method, failed.path, failed.status) == ("GET", "/api/profiles", fault["status"])
    assert rest == [find_profile("email", held["email"]), patch(profile_id, attributes)]


def test_with_deduplication_nothing_is_written_while_the_look_up_cannot_be_made(world: World) -> None:
    """Case 30: it fails until the deadline: 503, delivered again, and no blind creation meanwhile."""
    document = {"customer": {"deduplication": {"enabled": True}}}
    brief = world.having(document, REALTIME_DEADLINE_S="5")
    held, _ = _customer(brief)
    brief.klaviyo_fails({"kind": "status", "path": "/api/profiles", "method": "GET", "status": 503})
    _created(brief, held, status=503)
    assert {(sent.method, sent.path) for sent in brief.sent()} == {("GET", "/api/profiles")}
    assert (brief.profiles(), brief.dead_letters()) == ([], [])


def test_an_updated_customer_is_found_by_its_id(world: World) -> None:
    """Case 31: the profile with the customer's id is updated, a changed e-mail included.

    Difference: one upsert instead of look-up and patch; Klaviyo itself finds the profile by `external_id`.
    """
    held, attributes = _customer(world, firstName="Ada", email="old@example.com")
    profile_id = world.klaviyo_has_profile(external_id=held["id"], email="old@example.com", properties={"own": 1})
    now = world.change("customers", held["id"], email="new@example.com")
    _updated(world, now)
    attributes |= {"email": "new@example.com", "first_name": "Ada"}
    assert world.sent() == [upsert(attributes, 200)]
    assert world.reads() == TWICE
    (profile,) = world.profiles()
    assert profile == {**attributes, "properties": {**attributes["properties"], "own": 1}}
    assert (world.profile(email="new@example.com") or {})["id"] == profile_id
    assert world.outcomes() == [("ResourceUpdated", "done", None)]


def test_an_updated_customer_that_klaviyo_knows_by_email_only_is_not_lost(world: World) -> None:
    """Case 32: not found by id, but the e-mail exists: the older product lost it to a 409; the upsert takes that profile."""
    profile_id = world.klaviyo_has_profile(email="ada@example.com")
    held, attributes = _customer(world)
    _updated(world, held)
    assert world.sent() == [upsert(attributes, 200)]
    assert (world.profile(external_id=held["id"]) or {})["id"] == profile_id


@pytest.mark.parametrize("email", ["", "   "])
def test_a_customer_without_an_email_is_skipped_with_a_reason(world: World, email: str) -> None:
    """Case 33: 204 and no call of Klaviyo.

    Difference: the customer is read to see that, because the current state decides, not the one in the message.
    """
    held, _ = _customer(world, email=email)
    _created(world, held)
    assert (world.sent(), world.dead_letters()) == ([], [])
    assert world.reads() == {"GET customers/{id} 200": 1}
    assert world.outcomes() == [("CustomerCreated", "skipped", "no_email")]


@pytest.mark.parametrize(
    ("email", "escaped"),
    [
        ("ada+shop@example.com", "ada+shop@example.com"),
        ("o'hara@example.com", "o'hara@example.com"),
        ("ada&co=1%2b#x@example.com", "ada&co=1%2b#x@example.com"),
        ('"ada\\lovelace"@example.com', '\\"ada\\\\lovelace\\"@example.com'),
    ],
)
def test_an_odd_email_is_escaped_in_a_filter(deduplicating: World, email: str, escaped: str) -> None:
    """Case 34: plus, quotes, backslash and what means something in a URL: Klaviyo is asked for exactly this address."""
    held, attributes = _customer(deduplicating, email=email)
    refused = '"' in email  # an address with a quoted part: asked for correctly, then refused by Klaviyo as no address
    _created(deduplicating, held, status=202 if refused else 204)
    assert deduplicating.sent() == [find_profile("email", escaped), upsert(attributes, 400 if refused else 201)]
    if not refused:
        profile_id = (deduplicating.profile(external_id=held["id"]) or {})["id"]
        deduplicating.watch()
        _updated(deduplicating, held)
        assert deduplicating.sent() == [find_profile("email", escaped), patch(profile_id, attributes)]


def _known(world: World, held: dict[str, Any]) -> str:
    """The deleted customer's profile in Klaviyo; the customer itself is gone."""
    profile_id = world.klaviyo_has_profile(external_id=held["id"], email=held["email"], first_name="Ada")
    world.remove("customers", held["id"])
    return profile_id


def _suppression(email: str) -> Sent:
    rows = {"data": [{"type": "profile", "attributes": {"email": email}}]}
    body = {"data": {"type": "profile-suppression-bulk-create-job", "attributes": {"profiles": rows}}}
    return Sent("POST", "/api/profile-suppression-bulk-create-jobs", 202, body)


def _erasure(profile_id: str) -> Sent:
    row = {"type": "profile", "id": profile_id, "attributes": {}}
    body = {"data": {"type": "data-privacy-deletion-job", "attributes": {"profile": {"data": row}}}}
    return Sent("POST", "/api/data-privacy-deletion-jobs", 202, body)


@pytest.mark.parametrize(
    ("rule", "erasure", "what"),
    [
        (None, False, "nothing"),
        ("ignore", False, "nothing"),
        ("suppress", False, "suppressed"),
        ("erase", False, "erased"),
        ("never", False, "nothing"),
        (None, True, "erased"),
        ("ignore", True, "erased"),
        ("suppress", True, "erased"),
        ("erase", True, "erased"),
        ("never", True, "nothing"),
    ],
)
def test_a_deleted_customer_is_handled_as_configured(world: World, rule: str | None, erasure: bool, what: str) -> None:
    """Case 35: `customer.deleted`: ignore (default), suppress, erase; `dataErasure` in the notification erases, but for never."""
    configured = world if rule is None else world.having({"customer": {"deleted": rule}})
    held, _ = _customer(configured)
    profile_id = _known(configured, held)
    _deleted(configured, held, erasure=erasure)
    found = find_profile("external_id", held["id"])
    if what == "nothing":
        assert configured.sent() == []
        assert configured.outcomes() == [("ResourceDeleted", "skipped", "not_configured")]
        assert (configured.profile(external_id=held["id"]) or {})["suppressed"] is False
    elif what == "suppressed":
        assert configured.sent() == [found, _suppression(held["email"])]
        configured.wait_for(lambda: (configured.profile(external_id=held["id"]) or {})["suppressed"])
    else:
        assert configured.sent() == [found, _erasure(profile_id)]
        configured.wait_for(lambda: configured.profiles() == [])
    assert configured.reads() == {}


def test_a_deleted_customer_that_klaviyo_does_not_know_is_skipped(world: World) -> None:
    """Case 35: nobody to suppress or erase: 204, and the reason; delivered again it is no error either."""
    erasing = world.having({"customer": {"deleted": "erase"}})
    held = {"id": world.new_id(), "version": 3}
    for _ in range(2):
        _deleted(erasing, held)
    assert erasing.sent() == [find_profile("external_id", held["id"])] * 2
    assert erasing.outcomes() == [("ResourceDeleted", "skipped", "profile_not_in_klaviyo")] * 2


@contextmanager
def _being_written(world: World, held: dict[str, Any]) -> Iterator[None]:
    """Delivers a notification; inside, the customer has been read and its first upsert is under way."""
    with world.klaviyo_holds(lambda: _updated(world, held), path="/api/profile-import"):
        assert world.reads() == {"GET customers/{id} 200": 1}
        yield


def test_a_customer_that_changes_while_it_is_written_is_written_again(world: World) -> None:
    """Two instances may overtake each other, so the state after the write is compared with the one before (decisions.md 7)."""
    held, attributes = _customer(world, firstName="Ada")
    with _being_written(world, held):
        world.change("customers", held["id"], meanwhile=True, firstName="Augusta")
    assert world.sent() == [
        upsert({**attributes, "first_name": "Ada"}),
        upsert({**attributes, "first_name": "Augusta"}, 200),
    ]
    assert world.reads() == {"GET customers/{id} 200": 3}


def test_a_customer_that_is_deleted_while_it_is_written_for_the_first_time_is_erased(world: World) -> None:
    """A late write must not bring back a person whose data were just erased: what it has made is taken back."""
    held, attributes = _customer(world)
    with _being_written(world, held):
        world.remove("customers", held["id"], meanwhile=True)
    first, found, erased = world.sent()
    assert (first, found) == (upsert(attributes), find_profile("external_id", held["id"]))
    assert (erased.method, erased.path, erased.status) == ("POST", "/api/data-privacy-deletion-jobs", 202)
    world.wait_for(lambda: world.profiles() == [])


def test_a_customer_that_is_deleted_while_a_known_profile_is_written_is_left_as_configured(world: World) -> None:
    """Klaviyo knew the person before, so the write made nothing; by default a deleted customer is ignored."""
    held, attributes = _customer(world)
    world.klaviyo_has_profile(email=held["email"])
    with _being_written(world, held):
        world.remove("customers", held["id"], meanwhile=True)
    assert world.sent() == [upsert(attributes, 200)]
    assert world.profiles() == [attributes]
