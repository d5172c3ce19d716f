"""Custom objects as the lock sees them: upsert, versions, deletion, listings."""

from collections.abc import Callable
from typing import Any

import pytest


def post(ct: Any, value: Any, **more: Any) -> Any:
    """POST the object lock/customers."""
    return ct.call("POST", "/custom-objects", json={"container": "lock", "key": "customers", "value": value, **more})


def test_the_first_post_creates_version_one(ct: Any) -> None:
    """201 with the whole object, its times from the vendor's clock; GET answers the same."""
    answer = post(ct, {"owner": "a"})
    body = answer.json()
    assert (answer.status_code, body["version"], body["value"]) == (201, 1, {"owner": "a"})
    assert body["createdAt"] == body["lastModifiedAt"] == "2026-09-21T14:13:20.000Z"
    assert ct.get("/custom-objects/lock/customers").json() == body


def test_without_a_version_it_overwrites(ct: Any) -> None:
    """200, the version rises by one, id and creation stay."""
    first = post(ct, 1).json()
    ct.now += 2.5
    answer = post(ct, 2)
    assert (answer.status_code, answer.json()["version"], answer.json()["value"]) == (200, 2, 2)
    assert answer.json()["lastModifiedAt"] == "2026-09-21T14:13:22.500Z"
    assert {n: answer.json()[n] for n in ("id", "createdAt")} == {n: first[n] for n in ("id", "createdAt")}


def test_the_same_value_is_a_new_version_too(ct: Any) -> None:
    """The reference says that the version is incremented, and makes no exception."""
    assert [post(ct, 1).json()["version"] for _ in range(3)] == [1, 2, 3]


@pytest.mark.parametrize("version", [0, 1, 3])
def test_another_version_is_a_409(ct: Any, version: int) -> None:
    """ConcurrentModification with the current version, and nothing is changed."""
    post(ct, "a")
    held = post(ct, "b").json()
    answer = post(ct, "c", version=version)
    error = answer.json()["errors"][0]
    assert (answer.status_code, error["code"], error["currentVersion"]) == (409, "ConcurrentModification", 2)
    assert ct.get("/custom-objects/lock/customers").json() == held


def test_of_two_racers_with_the_same_version_one_wins(ct: Any) -> None:
    """Compare-and-set: the first gets 200, the second 409."""
    version = post(ct, "free").json()["version"]
    assert [post(ct, owner, version=version).status_code for owner in ("a", "b")] == [200, 409]
    assert ct.get("/custom-objects/lock/customers").json()["value"] == "a"


@pytest.mark.parametrize(("setting", "status"), [(True, 201), (False, 409)])
def test_a_version_for_an_absent_object_follows_the_setting(
    make_simulator: Callable[..., Any], setting: bool, status: int
) -> None:
    """Undocumented by the vendor, so both readings can be tried."""
    ct = make_simulator(create_with_version=setting).login()
    assert post(ct, 1, version=5).status_code == status
    assert ct.get("/custom-objects/lock/customers").status_code == (200 if setting else 404)


def test_deletion_enforces_a_given_version(ct: Any) -> None:
    """Another version is a 409, the right one deletes and answers the object, then it is gone."""
    post(ct, 1)
    held = post(ct, 2).json()
    assert ct.call("DELETE", "/custom-objects/lock/customers", params={"version": 1}).status_code == 409
    answer = ct.call("DELETE", "/custom-objects/lock/customers", params={"version": 2})
    assert (answer.status_code, answer.json()) == (200, held)
    assert ct.get("/custom-objects/lock/customers").status_code == 404
    assert ct.call("DELETE", "/custom-objects/lock/customers", params={"version": 2}).status_code == 404


def test_deletion_without_a_version_deletes(ct: Any) -> None:
    """The version is optional there."""
    post(ct, 1)
    assert ct.call("DELETE", "/custom-objects/lock/customers").status_code == 200


def test_a_recreated_object_starts_again(ct: Any) -> None:
    """Version 1 and another id: a version does not outlive a deletion."""
    first = post(ct, 1).json()
    post(ct, 2)
    ct.call("DELETE", "/custom-objects/lock/customers")
    again = post(ct, 3).json()
    assert again["version"] == 1
    assert again["id"] != first["id"]


def test_null_fields_are_not_saved(ct: Any) -> None:
    """Null members of objects vanish at every depth; false, 0 and empty text stay."""
    value = {"a": None, "b": {"c": None, "d": 0}, "e": [{"f": None, "g": False}, ""]}
    assert post(ct, value).json()["value"] == {"b": {"d": 0}, "e": [{"g": False}, ""]}


@pytest.mark.parametrize(
    "draft",
    [
        {"container": "a b", "key": "k", "value": 1},
        {"container": "", "key": "k", "value": 1},
        {"container": "c", "key": "k/l", "value": 1},
        {"container": "c", "key": "ü", "value": 1},
        {"container": "c", "key": "k" * 257, "value": 1},
        {"container": "c", "key": "k"},
        {"container": "c", "key": "k", "value": None},
        {"key": "k", "value": 1},
        {"container": "c", "key": "k", "value": 1, "version": "1"},
        {"container": "c", "key": "k", "value": 1, "version": True},
        {"container": "c", "key": "k", "value": 1, "ttl": 60},
        ["c"],
    ],
)
def test_bad_drafts_are_a_400(ct: Any, draft: Any) -> None:
    """Names outside the pattern, missing and unknown members, wrong types."""
    answer = ct.call("POST", "/custom-objects", json=draft)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] in ("InvalidInput", "InvalidJsonInput")


def test_the_longest_and_oddest_names_are_allowed(ct: Any) -> None:
    """Every character of the pattern, 256 of them."""
    key = ("-_~.aZ0" * 40)[:256]
    assert ct.call("POST", "/custom-objects", json={"container": "c~.", "key": key, "value": 1}).status_code == 201
    assert ct.get(f"/custom-objects/c~./{key}").json()["key"] == key


def test_a_container_is_listed_with_predicates_order_and_pages(ct: Any) -> None:
    """Only its own objects; `value(...)` may be asked for; sort and limit as everywhere."""
    for number in range(5):
        draft = {"container": "runs", "key": f"run-{number}", "value": {"state": "done" if number % 2 else "open"}}
        ct.call("POST", "/custom-objects", json=draft)
    post(ct, {"state": "open"})
    opened = ct.page("/custom-objects/runs", where='value(state = "open")', sort="key desc")
    assert [row["key"] for row in opened["results"]] == ["run-4", "run-2", "run-0"]
    assert (opened["total"], ct.page("/custom-objects/runs", limit=2)["count"]) == (3, 2)
    assert ct.page("/custom-objects/none")["results"] == []
    assert ct.page("/custom-objects", where='value(state = "open")')["total"] == 4
    assert ct.get("/custom-objects/runs", where="owner = 1").status_code == 400
