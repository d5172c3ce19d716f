"""Single profiles: rules for identifiers, matching, conflicts, nulls, and reading."""

from collections.abc import Callable
from typing import Any

import pytest
from klaviyo_bench import Bench, errors, profile

IMPORT = "/api/profile-import"


def upsert(bench: Bench, profile_id: str | None = None, **attributes: Any) -> Any:
    row = profile(**attributes)
    if profile_id:
        row["id"] = profile_id
    return bench.post(IMPORT, {"data": row})


def stored(bench: Bench, profile_id: str) -> dict[str, Any]:
    attributes: dict[str, Any] = bench.get(f"/api/profiles/{profile_id}")["data"]["attributes"]
    return attributes


def test_an_unknown_person_is_created_and_a_known_one_updated(bench: Bench) -> None:
    """201, then 200 with the same id."""
    first = upsert(bench, external_id="c1", email="a@example.com", first_name="A")
    second = upsert(bench, external_id="c1", last_name="B")
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["data"]["id"] == second.json()["data"]["id"]
    assert second.json()["data"]["attributes"]["first_name"] == "A"
    assert second.json()["data"]["attributes"]["last_name"] == "B"


@pytest.mark.parametrize("identifier", [{"external_id": "c1"}, {"email": "A@Example.com"}, {"phone_number": "+4915112345678"}])
def test_each_identifier_finds_the_profile(bench: Bench, identifier: dict[str, str]) -> None:
    """External id, email in any case, phone."""
    upsert(bench, external_id="c1", email="a@example.com", phone_number="+4915112345678")
    assert upsert(bench, **identifier, first_name="B").status_code == 200


def test_at_least_one_identifier_is_needed(bench: Bench) -> None:
    """Names alone are nobody."""
    response = upsert(bench, first_name="A")
    assert (response.status_code, errors(response)) == (400, [("invalid", "/data/attributes")])


@pytest.mark.parametrize(
    "email", ["", "a", "a@b", "a b@example.com", "a@example", ".a@example.com", "a..b@example.com", "a@exa_mple.com ",
              " a@example.com", "ä@example.com", f"{'a' * 65}@example.com", "a@example.com\n"]
)  # fmt: skip
def test_a_malformed_email_is_400_with_its_pointer(bench: Bench, email: str) -> None:
    """Everything that is not a dot-atom at a domain."""
    response = upsert(bench, external_id="c1", email=email)
    assert (response.status_code, errors(response)) == (400, [("invalid", "/data/attributes/email")])


@pytest.mark.parametrize("email", ["a+b@example.com", "o'neil@sub.example.co.uk", "a@münchen.example", "A@EXAMPLE.COM"])
def test_a_well_formed_email_is_accepted(bench: Bench, email: str) -> None:
    """Plus signs, apostrophes, international domains, capitals."""
    assert upsert(bench, email=email).status_code == 201


@pytest.mark.parametrize("phone", ["0151 123", "+0151123456", "+49 151 123", "+1234", "+11115550006", "", "+1234567890123456"])
def test_a_phone_that_is_no_number_is_400_on_single_requests(bench: Bench, phone: str) -> None:
    """Neither E.164 in form, nor plausible."""
    response = upsert(bench, email="a@example.com", phone_number=phone)
    assert (response.status_code, errors(response)) == (400, [("invalid", "/data/attributes/phone_number")])


def test_a_phone_of_an_unsupported_region_is_400(make_bench: Callable[..., Bench]) -> None:
    """The account's SMS regions are a setting."""
    bench = make_bench(unsupported_phone_prefixes=("+7",))
    assert upsert(bench, email="a@example.com", phone_number="+79161234567").status_code == 400
    assert upsert(bench, email="a@example.com", phone_number="+4915112345678").status_code == 201


def test_refusals_repeat_values_only_when_asked_to(make_bench: Callable[..., Bench]) -> None:
    """A switch for clients that must not log what an error says."""
    assert "odd@" not in upsert(make_bench(), email="odd@").text
    assert "odd@" in upsert(make_bench(echo_values=True), email="odd@").text


def test_an_external_id_has_at_most_255_characters(bench: Bench) -> None:
    """The 256th is refused."""
    assert upsert(bench, external_id="x" * 255).status_code == 201
    assert upsert(bench, external_id="x" * 256).status_code == 400


def test_identifiers_of_two_profiles_are_a_conflict_that_names_the_other(bench: Bench) -> None:
    """409 `duplicate_profile` with the clashing profile's id; nothing is written."""
    upsert(bench, external_id="c1", email="a@example.com")
    other = upsert(bench, email="b@example.com", phone_number="+4915112345678").json()["data"]["id"]
    response = upsert(bench, external_id="c1", phone_number="+4915112345678", first_name="X")
    assert (response.status_code, errors(response)) == (409, [("duplicate_profile", "/data/attributes")])
    assert response.json()["errors"][0]["meta"] == {"duplicate_profile_id": other}
    assert stored(bench, other)["first_name"] is None


def test_a_changed_email_of_a_known_external_id_is_an_update(bench: Bench) -> None:
    """And the old email is free again."""
    first = upsert(bench, external_id="c1", email="old@example.com").json()["data"]["id"]
    assert upsert(bench, external_id="c1", email="new@example.com").json()["data"]["id"] == first
    assert upsert(bench, email="old@example.com").status_code == 201


def test_an_email_match_replaces_the_external_id_by_default(bench: Bench) -> None:
    """The first reading: email is the stronger identifier."""
    first = upsert(bench, external_id="c1", email="a@example.com").json()["data"]["id"]
    response = upsert(bench, external_id="c2", email="a@example.com")
    assert (response.status_code, response.json()["data"]["id"]) == (200, first)
    assert stored(bench, first)["external_id"] == "c2"


def test_an_email_match_with_another_external_id_may_be_a_conflict(make_bench: Callable[..., Bench]) -> None:
    """The second reading, by switch."""
    bench = make_bench(email_match="conflict")
    upsert(bench, external_id="c1", email="a@example.com")
    assert upsert(bench, external_id="c2", email="a@example.com").status_code == 409


@pytest.mark.parametrize("other", [{"external_id": "c2"}, {"email": "b@example.com"}])
def test_a_match_by_phone_alone_is_a_conflict_by_default(bench: Bench, other: dict[str, str]) -> None:
    """A shared phone does not make one person of two."""
    upsert(bench, external_id="c1", email="a@example.com", phone_number="+4915112345678")
    assert upsert(bench, **other, phone_number="+4915112345678").status_code == 409


def test_a_match_by_phone_alone_may_overwrite_its_owner(make_bench: Callable[..., Bench]) -> None:
    """The harsher reading, by switch."""
    bench = make_bench(phone_match="overwrite")
    first = upsert(bench, external_id="c1", email="a@example.com", phone_number="+4915112345678").json()["data"]["id"]
    assert upsert(bench, external_id="c2", email="b@example.com", phone_number="+4915112345678").status_code == 200
    assert (stored(bench, first)["external_id"], stored(bench, first)["email"]) == ("c2", "b@example.com")


def test_a_match_by_phone_of_an_otherwise_nameless_profile_is_an_update(bench: Bench) -> None:
    """Nothing contradicts it."""
    upsert(bench, phone_number="+4915112345678")
    assert upsert(bench, external_id="c1", phone_number="+4915112345678").status_code == 200


def test_an_unknown_id_is_404(bench: Bench) -> None:
    """An upsert by Klaviyo's id never creates."""
    response = upsert(bench, "01UNKNOWN00000000000000000", email="a@example.com")
    assert (response.status_code, errors(response)) == (404, [("not_found", "/data/")])


def test_null_clears_and_absence_leaves(bench: Bench) -> None:
    """At the top, in the location and in properties."""
    first = upsert(
        bench, external_id="c1", first_name="A", last_name="B", location={"city": "X", "zip": "1"}, properties={"p": 1, "q": 2}
    ).json()["data"]["id"]
    upsert(bench, external_id="c1", first_name=None, location={"zip": None}, properties={"q": None})
    held = stored(bench, first)
    assert (held["first_name"], held["last_name"], held["location"], held["properties"]) == (None, "B", {"city": "X"}, {"p": 1})


def test_properties_can_be_patched(bench: Bench) -> None:
    """Append, unappend and unset in `meta`."""
    upsert(bench, external_id="c1", properties={"tags": ["a", "b"], "gone": 1})
    row = profile(external_id="c1")
    row["meta"] = {"patch_properties": {"append": {"tags": "c"}, "unappend": {"tags": "a"}, "unset": "gone"}}
    held = bench.post(IMPORT, {"data": row}).json()["data"]["attributes"]["properties"]
    assert held == {"tags": ["b", "c"]}


def test_writing_the_same_again_is_visible_as_unchanged(bench: Bench) -> None:
    """The ledger tells effects from repetitions."""
    for name in ("A", "A", "B"):
        upsert(bench, external_id="c1", email="A@example.com", first_name=name, properties={"x": 1, "y": [1]})
    assert [kind for kind, _ in bench.effects()] == ["profile_created", "profile_unchanged", "profile_updated"]


def test_create_refuses_any_identifier_that_is_taken(bench: Bench) -> None:
    """POST profiles is no upsert."""
    assert bench.post("/api/profiles", {"data": profile(email="a@example.com")}).status_code == 201
    response = bench.post("/api/profiles", {"data": profile(external_id="c1", email="a@example.com")})
    assert (response.status_code, errors(response)[0][0]) == (409, "duplicate_profile")


def test_patch_changes_identifiers_unless_another_profile_has_them(bench: Bench) -> None:
    """200, 409, 404, and 400 when path and body disagree."""
    first = upsert(bench, external_id="c1", email="a@example.com").json()["data"]["id"]
    other = upsert(bench, external_id="c2", email="b@example.com").json()["data"]["id"]

    def patch(path_id: str, **attributes: Any) -> Any:
        return bench.call("PATCH", f"/api/profiles/{path_id}", {"data": {**profile(**attributes), "id": first}})

    assert patch(first, external_id="c3").status_code == 200
    clash = patch(first, email="B@example.com")
    assert (clash.status_code, clash.json()["errors"][0]["meta"]) == (409, {"duplicate_profile_id": other})
    assert patch(other, external_id="c4").status_code == 400
    assert bench.call("GET", "/api/profiles/nobody").status_code == 404


def test_profiles_are_found_by_filters(bench: Bench) -> None:
    """equals and any, single or double quotes, combined with and."""
    for i in range(4):
        upsert(bench, external_id=f"c{i}", email=f"p{i}@example.com", phone_number=f"+491511234567{i}")

    def found(expression: str) -> list[str]:
        return [row["attributes"]["external_id"] for row in bench.get("/api/profiles", filter=expression)["data"]]

    assert found('any(external_id,["c1","c3","zz"])') == ["c1", "c3"]
    assert found("equals(email,'P2@example.com')") == ["c2"]
    assert found('any(phone_number,["+4915112345670"])') == ["c0"]
    assert found('equals(external_id,"c1"),equals(email,"p1@example.com")') == ["c1"]
    assert found('and(equals(external_id,"c1"),equals(email,"p2@example.com"))') == []
    assert found("greater-than(created,2030-01-01T00:00:00Z)") == []


def test_profiles_are_paged_by_cursor(bench: Bench) -> None:
    """Following `links.next` gives each profile once."""
    for i in range(5):
        upsert(bench, external_id=f"c{i}")
    seen: list[str] = []
    url = "/api/profiles?page[size]=2"
    for _ in range(3):
        page = bench.get(url)
        seen += [row["attributes"]["external_id"] for row in page["data"]]
        url = page["links"].get("next", "").removeprefix("http://klaviyo.test")
    assert (seen, url) == ([f"c{i}" for i in range(5)], "")


def test_sparse_fields_and_subscriptions(bench: Bench) -> None:
    """Only what is asked for, and consent on request."""
    first = upsert(bench, email="a@example.com", first_name="A").json()["data"]["id"]
    page = bench.get("/api/profiles", **{"fields[profile]": "email"})
    assert page["data"][0]["attributes"] == {"email": "a@example.com"}
    one = bench.get(f"/api/profiles/{first}", **{"additional-fields[profile]": "subscriptions"})
    assert one["data"]["attributes"]["subscriptions"]["email"]["marketing"]["consent"] == "NEVER_SUBSCRIBED"


def test_merge_moves_everything_to_the_destination(bench: Bench) -> None:
    """The source is gone, its free identifiers and fields live on."""
    destination = upsert(bench, external_id="c1", first_name="A").json()["data"]["id"]
    source = upsert(bench, email="a@example.com", first_name="Z", last_name="B").json()["data"]["id"]
    body = {
        "data": {
            "type": "profile-merge",
            "id": destination,
            "relationships": {"profiles": {"data": [{"type": "profile", "id": source}]}},
        }
    }
    assert bench.post("/api/profile-merge", body).status_code == 201
    held = stored(bench, destination)
    assert (held["email"], held["first_name"], held["last_name"]) == ("a@example.com", "A", "B")
    assert bench.call("GET", f"/api/profiles/{source}").status_code == 404
