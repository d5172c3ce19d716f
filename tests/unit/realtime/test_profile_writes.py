"""A customer's profile is written, found by e-mail where wanted, and removed (mapping.md "Profiles")."""

from __future__ import annotations

from contextlib import suppress

import pytest
from write_world import WriteWorld, customer

from shared.errors import AuthError, HostDown, PermanentError, RateLimited
from shared.klaviyo.profiles import ProfileAttributes
from shared.mapping.result import Adjustment, SkipReason
from shared.realtime.sending import WriteResult
from shared.realtime.writes import RemoveProfile, UpsertProfile

UPSERT = "POST profile-import"
FIND = "GET profiles"


def test_a_new_customer_is_created_and_a_known_one_updated() -> None:
    """One upsert each; Klaviyo's 201 says that the profile is new."""
    world = WriteWorld()
    write = UpsertProfile(customer(1, first_name="Ann"))
    assert world.send(write) == WriteResult(created=True)
    assert world.send(write) == WriteResult(created=False)
    assert world.requests() == [f"{UPSERT} 201", f"{UPSERT} 200"]
    assert world.profile("customer-1").changes == 1


def test_a_customer_whose_first_answer_was_lost_may_be_new() -> None:
    """Klaviyo's 200 to the second attempt says nothing: whoever was erased meanwhile must not stay (mapping.md "Profiles")."""
    world = WriteWorld()
    world.fault(kind="lost", path="/api/profile-import", first=1)
    assert world.send(UpsertProfile(customer(1))) == WriteResult(created=True)
    assert world.requests()[-1] == f"{UPSERT} 200"
    assert world.account.profiles.count == 1


def test_a_changed_email_is_an_update_of_the_same_profile() -> None:
    """The external id stays."""
    world = WriteWorld()
    world.send(UpsertProfile(customer(1)))
    assert world.send(UpsertProfile(customer(1, email="new@example.com"))) == WriteResult()
    assert (world.account.profiles.count, world.profile("customer-1").email) == (1, "new@example.com")


def test_a_refused_phone_costs_the_phone_and_not_the_customer() -> None:
    """Case 26: 400 with a pointer at the phone, then once more without it."""
    world = WriteWorld(unsupported_phone_prefixes=("+49",))
    result = world.send(UpsertProfile(customer(1, phone_number="+4930123456")))
    assert result == WriteResult((Adjustment.PHONE_REFUSED,), created=True)
    assert world.requests() == [f"{UPSERT} 400", f"{UPSERT} 201"]
    assert world.profile("customer-1").phone is None


@pytest.mark.parametrize(
    ("reading", "adjustments", "phone"),
    [("conflict", (Adjustment.PHONE_REFUSED,), None), ("overwrite", (), "+12025550123")],
)
def test_somebody_elses_phone_never_costs_the_customer(
    reading: str, adjustments: tuple[Adjustment, ...], phone: str | None
) -> None:
    """Both readings of a match by phone alone: the customer is there under the own external id and e-mail."""
    world = WriteWorld(phone_match=reading)
    world.send(UpsertProfile(ProfileAttributes(email="other@example.com", phone_number="+12025550123")))
    result = world.send(UpsertProfile(customer(1, phone_number="+12025550123")))
    assert result.adjustments == adjustments
    profile = world.profile("customer-1")
    assert (profile.email, profile.phone) == ("customer-1@example.com", phone)


@pytest.mark.parametrize("deduplicate", [False, True])
def test_an_email_of_another_profile_leads_to_a_patch_of_the_named_profile(deduplicate: bool) -> None:
    """Cases 28 and 32: external id of A, e-mail of B. With deduplication B is found first, and A named by the conflict."""
    world = WriteWorld()
    world.send(UpsertProfile(customer(1)))
    world.send(UpsertProfile(ProfileAttributes(email="b@example.com")))
    attributes = customer(1, email="b@example.com", first_name="Ann", phone_number="+12025550123")
    result = world.send(UpsertProfile(attributes), deduplicate=deduplicate)
    assert result == WriteResult((Adjustment.IDENTIFIER_CONFLICT,))
    named = world.profile("customer-1") if deduplicate else world.account.profiles.by_email("b@example.com")
    stored = named.attributes()
    assert (stored["first_name"], stored["phone_number"]) == ("Ann", "+12025550123")
    assert world.account.profiles.count == 2


def test_a_lasting_refusal_is_raised_with_its_code() -> None:
    """Case 27; nothing of the content is in it."""
    world = WriteWorld()
    with pytest.raises(PermanentError) as caught:
        world.send(UpsertProfile(customer(1, email="not an address")))
    assert (caught.value.status, caught.value.pointer) == (400, "/data/attributes/email")
    assert "not an address" not in str(caught.value)


def test_with_deduplication_the_profile_of_that_email_gets_all_attributes() -> None:
    """Case 29: found in any case of letters, patched, external id included."""
    world = WriteWorld()
    world.send(UpsertProfile(ProfileAttributes(email="CUSTOMER-1@example.com")))
    world.forget()
    assert world.send(UpsertProfile(customer(1, first_name="Ann")), deduplicate=True) == WriteResult()
    profile = world.profile("customer-1")
    assert world.requests() == [f"{FIND} 200", f"PATCH profiles/{profile.id} 200"]
    assert profile.attributes()["first_name"] == "Ann"
    assert world.account.profiles.count == 1


def test_with_deduplication_and_no_such_email_the_customer_is_created() -> None:
    """Case 30: none found."""
    world = WriteWorld()
    assert world.send(UpsertProfile(customer(1)), deduplicate=True) == WriteResult(created=True)
    assert world.requests() == [f"{FIND} 200", f"{UPSERT} 201"]


def test_a_failed_look_up_is_tried_again_and_never_taken_for_an_empty_one() -> None:
    """Case 30: a blind creation could make a second profile."""
    world = WriteWorld()
    world.fault(kind="status", path="/api/profiles", first=1, status=500)
    assert world.send(UpsertProfile(customer(1)), deduplicate=True).created
    world = WriteWorld()
    world.fault(kind="status", path="/api/profiles", status=503)
    with pytest.raises(HostDown):
        world.send(UpsertProfile(customer(1)), deduplicate=True)
    assert {request.split()[0] for request in world.requests()} == {"GET"}


def test_a_look_up_that_is_rate_limited_to_the_end_is_raised() -> None:
    """The time budget ends it."""
    world = WriteWorld()
    world.fault(kind="status", path="/api/profiles", status=429, retry_after="7")
    with pytest.raises(RateLimited):
        world.send(UpsertProfile(customer(1)), deduplicate=True, seconds=10)


@pytest.mark.parametrize(
    "email", ['o"brien+x@example.com', "back\\slash@example.com", "plus+tag@example.com", "o'neil@example.com"]
)
def test_quotes_and_pluses_of_an_email_do_not_break_the_look_up(email: str) -> None:
    """Case 34: escaped in the filter, encoded in the URL; the simulator reads back exactly this address."""
    world = WriteWorld()
    world.account.profiles.upsert({"email": email}, None, 0.0, rules=world.account.match_rules, clear_nulls=False)
    with suppress(PermanentError):  # the simulator takes no quotes or backslashes in what is written
        world.send(UpsertProfile(customer(1, email=email)), deduplicate=True)
    assert [(seen.method, seen.path) for seen in world.transport.seen] == [
        ("GET", "/api/profiles"),
        ("PATCH", f"/api/profiles/{world.account.profiles.by_email(email).id}"),
    ]


def test_a_profile_that_vanished_after_the_look_up_is_created() -> None:
    """Deleted or merged in between."""
    world = WriteWorld()
    world.send(UpsertProfile(ProfileAttributes(email="customer-1@example.com")))
    world.fault(kind="status", method="PATCH", first=1, status=404)
    assert world.send(UpsertProfile(customer(1)), deduplicate=True) == WriteResult()
    assert world.requests()[-1] == f"{UPSERT} 200"


def test_a_refused_phone_is_left_out_of_the_patch_too() -> None:
    """The conflict rule holds for the patch of a found profile."""
    world = WriteWorld(unsupported_phone_prefixes=("+49",))
    world.send(UpsertProfile(ProfileAttributes(email="customer-1@example.com")))
    result = world.send(UpsertProfile(customer(1, phone_number="+4930123456")), deduplicate=True)
    assert result == WriteResult((Adjustment.PHONE_REFUSED,))
    assert world.profile("customer-1").email == "customer-1@example.com"


def test_a_deleted_customer_is_erased_by_klaviyos_id_alone() -> None:
    """The job takes exactly one identifier, and not ours."""
    world = WriteWorld()
    world.send(UpsertProfile(customer(1)))
    profile_id = world.profile("customer-1").id
    world.forget()
    assert world.send(RemoveProfile("customer-1", "erase")) == WriteResult()
    assert world.requests() == [f"{FIND} 200", "POST data-privacy-deletion-jobs 202"]
    assert world.transport.seen[-1].body["data"]["attributes"] == {
        "profile": {"data": {"type": "profile", "id": profile_id, "attributes": {}}}
    }
    world.time.sleep(60)
    assert "profile_deleted customer-1" in world.effects()


def test_a_deleted_customer_is_suppressed_by_email() -> None:
    """The address is that which Klaviyo has."""
    world = WriteWorld()
    world.send(UpsertProfile(customer(1)))
    assert world.send(RemoveProfile("customer-1", "suppress")) == WriteResult()
    world.time.sleep(60)
    assert "profile_suppressed customer-1" in world.effects()


@pytest.mark.parametrize("how", ["suppress", "erase"])
def test_a_deleted_customer_that_klaviyo_does_not_know_is_skipped(how: str) -> None:
    """Nothing but the look-up is sent."""
    world = WriteWorld()
    assert world.send(RemoveProfile("customer-1", how)) == WriteResult(skip=SkipReason.UNKNOWN_PROFILE)  # type: ignore[arg-type]
    assert world.requests() == [f"{FIND} 200"]


def test_a_profile_without_an_email_cannot_be_suppressed() -> None:
    """Suppression is by e-mail address."""
    world = WriteWorld()
    world.send(UpsertProfile(ProfileAttributes(external_id="customer-1")))
    assert world.send(RemoveProfile("customer-1", "suppress")) == WriteResult(skip=SkipReason.UNKNOWN_PROFILE)


def test_a_key_without_a_scope_is_an_authentication_error() -> None:
    """Looking for profiles needs `profiles:read`."""
    world = WriteWorld(scopes=("profiles:write",))
    with pytest.raises(AuthError):
        world.send(RemoveProfile("customer-1", "erase"))
    assert world.requests() == [f"{FIND} 403"]
