"""Subscriptions: drafts, update actions, versions, keys, the limit, the test notification."""

from collections.abc import Callable
from typing import Any

import pytest

TOPIC = {"type": "GoogleCloudPubSub", "projectId": "p", "topic": "t"}
DRAFT: dict[str, Any] = {
    "key": "sync",
    "destination": TOPIC,
    "messages": [{"resourceTypeId": "order", "types": ["OrderCreated"]}, {"resourceTypeId": "customer"}],
    "changes": [{"resourceTypeId": "cart"}],
}


def create(ct: Any, **changes: Any) -> Any:
    """POST a subscription; None removes a member of the draft."""
    draft = {name: value for name, value in {**DRAFT, **changes}.items() if value is not None}
    return ct.call("POST", "/subscriptions", json=draft)


def update(ct: Any, version: int, *actions: dict[str, Any]) -> Any:
    """POST update actions by key."""
    return ct.call("POST", "/subscriptions/key=sync", json={"version": version, "actions": list(actions)})


def test_a_subscription_is_created_read_and_listed(ct: Any) -> None:
    """201, healthy, Platform format by default; found by id, by key and by query."""
    answer = create(ct)
    body = answer.json()
    assert (answer.status_code, body["version"], body["status"]) == (201, 1, "Healthy")
    assert (body["format"], body["events"], body["messages"]) == ({"type": "Platform"}, [], DRAFT["messages"])
    assert ct.get(f"/subscriptions/{body['id']}").json() == ct.get("/subscriptions/key=sync").json() == body
    assert ct.page("/subscriptions", where='key = "sync"')["results"] == [body]


def test_creation_sends_the_test_notification(ct: Any) -> None:
    """One ResourceCreated of type subscription goes to the destination."""
    body = create(ct).json()
    assert ct.send("GET", "/_sandbox/notifications").json() == [
        {
            "destination": TOPIC,
            "payload": {
                "notificationType": "ResourceCreated",
                "projectKey": "sandbox",
                "resource": {"typeId": "subscription", "id": body["id"]},
                "version": 1,
                "modifiedAt": body["lastModifiedAt"],
                "resourceUserProvidedIdentifiers": {"key": "sync"},
            },
        }
    ]


def test_it_is_not_created_when_the_destination_cannot_be_reached(make_simulator: Callable[..., Any]) -> None:
    """A failed test notification refuses the draft, and a change of destination."""
    ct = make_simulator(unreachable_topics=frozenset({"gone"})).login()
    assert create(ct, destination={**TOPIC, "topic": "gone"}).status_code == 400
    assert ct.page("/subscriptions")["total"] == 0
    create(ct)
    moved = {"action": "changeDestination", "destination": {**TOPIC, "topic": "gone"}}
    assert update(ct, 1, moved).status_code == 400
    assert ct.get("/subscriptions/key=sync").json()["destination"] == TOPIC


@pytest.mark.parametrize(
    "changes",
    [
        {"destination": None},
        {"destination": {"type": "Pigeon"}},
        {"destination": {"type": "GoogleCloudPubSub", "topic": "t"}},
        {"destination": {**TOPIC, "extra": 1}},
        {"messages": [{"resourceTypeId": "cart"}]},
        {"messages": [{"types": ["OrderCreated"]}]},
        {"changes": [{"resourceTypeId": "weather"}]},
        {"messages": None, "changes": None},
        {"messages": [], "changes": []},
        {"key": "a"},
        {"key": "has space"},
        {"format": {"type": "Xml"}},
        {"name": "x"},
    ],
)
def test_bad_drafts_are_a_400(ct: Any, changes: dict[str, Any]) -> None:
    """Unknown destinations, resource types and members; nothing subscribed to; keys outside the pattern."""
    assert create(ct, **changes).status_code == 400
    assert ct.page("/subscriptions")["total"] == 0


def test_a_key_is_used_once(ct: Any) -> None:
    """DuplicateField names the field and the value."""
    create(ct)
    error = create(ct).json()["errors"][0]
    assert (error["code"], error["field"], error["duplicateValue"]) == ("DuplicateField", "key", "sync")


def test_there_are_at_most_fifty(ct: Any) -> None:
    """The fifty-first is refused."""
    assert {create(ct, key=f"key-{number}").status_code for number in range(50)} == {201}
    answer = create(ct, key="one-more")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "MaxResourceLimitExceeded")


def test_update_actions(ct: Any) -> None:
    """Each action does its part, and raises the version."""
    create(ct)
    moved = {"type": "SNS", "topicArn": "arn:aws:sns:eu-central-1:1:t", "authenticationMode": "IAM"}
    body = update(
        ct,
        1,
        {"action": "setMessages", "messages": [{"resourceTypeId": "payment"}]},
        {"action": "setChanges", "changes": []},
        {"action": "changeDestination", "destination": moved},
    ).json()
    assert (body["version"], body["messages"], body["changes"]) == (4, [{"resourceTypeId": "payment"}], [])
    assert body["destination"] == moved
    assert len(ct.send("GET", "/_sandbox/notifications").json()) == 2
    renamed = update(ct, 4, {"action": "setKey", "key": "renamed"}).json()
    assert (renamed["version"], renamed["key"]) == (5, "renamed")
    assert ct.get("/subscriptions/key=sync").status_code == 404


def test_no_actions_change_nothing(ct: Any) -> None:
    """An empty list of actions answers the subscription as it is."""
    assert update(ct, 1).status_code == 404
    body = create(ct).json()
    assert update(ct, 1).json() == body


@pytest.mark.parametrize(
    ("version", "actions", "status"),
    [
        (2, [{"action": "setKey", "key": "x1"}], 409),
        (1, [{"action": "setFormat", "format": {"type": "Platform"}}], 400),
        (1, [{"action": "setMessages", "messages": [{"resourceTypeId": "cart"}]}], 400),
        (1, [{"action": "setMessages"}, {"action": "setChanges"}], 400),
        (1, [{"action": "setKey", "key": "x1"}, {"action": "changeDestination"}], 400),
        (1, [{"action": "setKey", "key": "!"}], 400),
    ],
)
def test_refused_updates_change_nothing(ct: Any, version: int, actions: list[dict[str, Any]], status: int) -> None:
    """A wrong version is a 409, a wrong action a 400, and either way nothing of the update happens."""
    body = create(ct).json()
    assert update(ct, version, *actions).status_code == status
    assert ct.get("/subscriptions/key=sync").json() == body


def test_deletion_needs_the_version(ct: Any) -> None:
    """None is a 400, another one a 409, the right one deletes."""
    create(ct)
    path = "/subscriptions/key=sync"
    assert ct.call("DELETE", path).status_code == 400
    assert ct.call("DELETE", path, params={"version": 7}).status_code == 409
    assert ct.call("DELETE", path, params={"version": 1}).status_code == 200
    assert ct.get(path).status_code == 404


def test_a_status_that_a_checker_sets_ends_with_the_next_destination(ct: Any) -> None:
    """As the API says of all but a manual suspension, which only the vendor's support ends."""
    for status, then in (("ConfigurationErrorDeliveryStopped", "Healthy"), ("ManuallySuspended", "ManuallySuspended")):
        version = create(ct).json().get("version") or ct.get("/subscriptions/key=sync").json()["version"]
        assert ct.send("PATCH", "/_sandbox/subscriptions/sync", json={"status": status}).json()["status"] == status
        assert ct.get("/subscriptions/key=sync").json()["version"] == version
        assert update(ct, version, {"action": "changeDestination", "destination": TOPIC}).json()["status"] == then
    assert ct.send("PATCH", "/_sandbox/subscriptions/sync", json={"status": "Unwell"}).status_code == 400
    assert ct.send("PATCH", "/_sandbox/subscriptions/none", json={"status": "Healthy"}).status_code == 404
