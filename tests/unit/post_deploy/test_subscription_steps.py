"""What differs between a wanted subscription and the one there is, and the actions that mend it."""

from __future__ import annotations

from typing import Any

import pytest
from subscription_samples import SNS, TOPIC, held_as, one_wanted

from post_deploy.destinations import Destination, delivers_to, destination_of
from post_deploy.plan import Action, ChangeDestination, Create, Remove, SetChanges, SetMessages, Update, described, step_towards
from post_deploy.wanted import Wanted
from shared.settings import ConnectSettings, SubscriptionDestination

PRODUCT = one_wanted("product")
assert PRODUCT is not None
MESSAGES = SetMessages(("ProductPublished", "ProductUnpublished"))
PUBSUB: dict[str, Any] = {"type": "GoogleCloudPubSub", "projectId": "cloud-1", "topic": "notifications"}
IAM: dict[str, Any] = {"type": "SNS", "topicArn": SNS.arn, "authenticationMode": "IAM"}
KEYED: dict[str, Any] = {"type": "SNS", "topicArn": SNS.arn, "accessKey": "AKIA****", "accessSecret": "****"}


def _messages(*types: str, of: str = "product") -> list[dict[str, Any]]:
    return [{"resourceTypeId": of, "types": list(types)}]


@pytest.mark.parametrize(
    ("held", "text", "actions"),
    [
        ({}, "as wanted", []),
        ({"messages": _messages("ProductUnpublished", "ProductPublished")}, "as wanted", []),
        ({"messages": _messages("ProductPublished") + _messages("ProductUnpublished")}, "as wanted", []),
        ({"format": {"type": "CloudEvents", "cloudEventsVersion": "1.0"}}, "as wanted", []),
        ({"events": [{"resourceTypeId": "checkout"}]}, "as wanted", []),
        ({"messages": _messages("ProductPublished")}, "differs: messages +ProductUnpublished", [MESSAGES]),
        (
            {"messages": _messages("ProductPublished", "ProductUnpublished", "ProductDeleted")},
            "differs: messages -ProductDeleted",
            [MESSAGES],
        ),
        ({"messages": []}, "differs: messages +ProductPublished +ProductUnpublished", [MESSAGES]),
        ({"messages": _messages()}, "differs: messages -all +ProductPublished +ProductUnpublished", [MESSAGES]),
        (
            {"messages": [{"resourceTypeId": "product"}, *_messages("ProductPublished")]},
            "differs: messages -all +ProductPublished +ProductUnpublished",
            [MESSAGES],
        ),
        (
            {"messages": _messages("ProductPublished", "ProductUnpublished") + _messages("X", of="shopping-list")},
            "differs: messages -all of shopping-list",
            [MESSAGES],
        ),
        ({"changes": []}, "differs: changes +product", [SetChanges(True)]),
        (
            {"changes": [{"resourceTypeId": "product"}, {"resourceTypeId": "recurring-order"}]},
            "differs: changes -recurring-order",
            [SetChanges(True)],
        ),
        (
            {"destination": {**PUBSUB, "topic": "old"}},
            "differs: destination Pub/Sub topic old of project cloud-1 -> Pub/Sub topic notifications of project cloud-1",
            [ChangeDestination(TOPIC)],
        ),
        (
            {"destination": KEYED},
            f"differs: destination SNS topic {SNS.arn} with an access key -> Pub/Sub topic notifications of project cloud-1",
            [ChangeDestination(TOPIC)],
        ),
        (
            {
                "destination": {"type": "EventBridge", "region": "x", "accountId": "1", "source": "s"},
                "messages": [],
                "changes": [],
            },
            "differs: messages +ProductPublished +ProductUnpublished, changes +product, "
            "destination EventBridge -> Pub/Sub topic notifications of project cloud-1",
            [MESSAGES, SetChanges(True), ChangeDestination(TOPIC)],
        ),
        (
            {"status": "ConfigurationErrorDeliveryStopped"},
            "differs: delivery stopped -> resumed",
            [ChangeDestination(TOPIC)],
        ),
        ({"status": "ConfigurationError"}, "as wanted", []),
    ],
)
def test_only_what_differs_is_mended(held: dict[str, Any], text: str, actions: list[Action]) -> None:
    """Neither the order of things nor the format of delivery makes a difference; delivery that stopped is resumed."""
    assert PRODUCT
    step = step_towards(PRODUCT, held_as(PRODUCT, **held))
    assert described(step) == text
    assert ([difference.action for difference in step.differences] if isinstance(step, Update) else []) == actions


def test_an_update_is_for_the_version_that_was_compared() -> None:
    """So that a change in between is noticed."""
    assert PRODUCT
    step = step_towards(PRODUCT, held_as(PRODUCT, version=12, changes=[]))
    assert isinstance(step, Update)
    assert step.version == 12


def test_what_is_missing_is_created_and_what_is_not_wanted_removed() -> None:
    """And what neither is nor should be is left alone."""
    assert PRODUCT
    assert step_towards(PRODUCT, None) == Create(PRODUCT)
    assert step_towards(None, held_as(PRODUCT)) == Remove(7)
    assert step_towards(None, None) is None


@pytest.mark.parametrize(("destination", "same"), [(IAM, True), (KEYED, False), ({**IAM, "topicArn": "arn:x"}, False)])
def test_an_sns_topic_is_reached_through_iam(destination: dict[str, Any], same: bool) -> None:
    """The vendor's recommended mode: no key of ours at commercetools; one with a key is changed."""
    assert PRODUCT
    wanted = Wanted(PRODUCT.key, "product", PRODUCT.messages, PRODUCT.changes, SNS)
    step = step_towards(wanted, held_as(wanted, destination=destination))
    assert (step is None) is same
    assert "AKIA" not in described(step)


def test_the_destination_is_the_one_that_the_settings_name() -> None:
    """Connect sets the variables of one cloud."""
    assert destination_of(ConnectSettings(SubscriptionDestination.GOOGLE_PUBSUB, "notifications", "cloud-1", "")) == TOPIC
    assert destination_of(ConnectSettings(SubscriptionDestination.SNS, "", "", SNS.arn)) == SNS
    assert destination_of(ConnectSettings(None, "", "", "")) is None


@pytest.mark.parametrize(
    ("held", "destination", "same"),
    [
        (PUBSUB, TOPIC, True),
        ({**PUBSUB, "topic": "old"}, TOPIC, False),
        ({**PUBSUB, "projectId": "cloud-2"}, TOPIC, False),
        (IAM, TOPIC, False),
        (IAM, SNS, True),
        (KEYED, SNS, True),
        ({**IAM, "topicArn": "arn:x"}, SNS, False),
        ({"type": "SQS", "topicArn": SNS.arn}, SNS, False),
        (PUBSUB, SNS, False),
    ],
)
def test_a_topic_is_the_same_however_it_is_reached(held: dict[str, Any], destination: Destination, same: bool) -> None:
    """What delivers to it may be removed, also with an access key; what delivers to any other may not."""
    assert delivers_to(held, destination) is same


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"destination": KEYED}, "as wanted"),
        ({"status": "ConfigurationErrorDeliveryStopped"}, "as wanted"),
        ({"destination": IAM, "changes": []}, "differs: changes +product"),
    ],
)
def test_any_destination_will_do_where_none_is_known(changed: dict[str, Any], text: str) -> None:
    """Nothing is proposed about delivery then."""
    assert PRODUCT
    wanted = Wanted(PRODUCT.key, "product", PRODUCT.messages, PRODUCT.changes, None)
    assert described(step_towards(wanted, held_as(wanted, **changed))) == text
