"""Where commercetools delivers: a Pub/Sub topic of Google Cloud, or an SNS topic of AWS. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from shared.settings.model import ConnectSettings, SubscriptionDestination


@dataclass(frozen=True, slots=True)
class PubSubTopic:
    """A topic of Google Cloud Pub/Sub; commercetools has a service account of its own and needs no key."""

    project_id: str
    topic: str

    def __str__(self) -> str:
        return f"Pub/Sub topic {self.topic} of project {self.project_id}"

    @property
    def right_to_publish(self) -> str:
        """Who must be allowed to do what, for commercetools to deliver."""
        account = "subscriptions@commercetools-platform.iam.gserviceaccount.com"
        return f"let serviceAccount:{account} publish to it (roles/pubsub.publisher)"


@dataclass(frozen=True, slots=True)
class SnsTopic:
    """A topic of Amazon SNS, to which commercetools publishes as its own IAM user: no key is kept anywhere."""

    arn: str

    def __str__(self) -> str:
        return f"SNS topic {self.arn}"

    @property
    def right_to_publish(self) -> str:
        """Who must be allowed to do what, for commercetools to deliver."""
        user = "arn:aws-cn:iam::417094354346" if self.arn.startswith("arn:aws-cn:") else "arn:aws:iam::362576667341"
        return f"let {user}:user/subscriptions publish to it (sns:Publish)"


@dataclass(frozen=True, slots=True)
class Foreign:
    """A destination that is none of ours, known by its type alone: the rest may be credentials."""

    type: str

    def __str__(self) -> str:
        return self.type

    @property
    def right_to_publish(self) -> str:
        """What must be allowed, for commercetools to deliver."""
        return "let commercetools publish to it"


Destination: TypeAlias = PubSubTopic | SnsTopic


def destination_of(connect: ConnectSettings) -> Destination | None:
    """The destination that the settings name, which is complete then; None when they name none."""
    if connect.destination is None:
        return None
    if connect.destination is SubscriptionDestination.SNS:
        return SnsTopic(connect.aws_topic_arn)
    return PubSubTopic(connect.gcp_project_id, connect.gcp_topic_name)


def held_destination(held: Mapping[str, Any]) -> Destination | Foreign:
    """The destination of a subscription as the API gives it. SNS with an access key is not ours: we let IAM decide."""
    match held:
        case {"type": "GoogleCloudPubSub", "projectId": str(project_id), "topic": str(topic)}:
            return PubSubTopic(project_id, topic)
        case {"type": "SNS", "topicArn": str(arn), "authenticationMode": "IAM"}:
            return SnsTopic(arn)
        case {"type": "SNS", "topicArn": str(arn)}:
            return Foreign(f"SNS topic {arn} with an access key")
        case {"type": str(other)}:
            return Foreign(other)
        case _:
            return Foreign("unknown")


def delivers_to(held: Mapping[str, Any], destination: Destination) -> bool:
    """Whether a subscription's destination is that topic, in whatever way commercetools is let in."""
    if isinstance(destination, SnsTopic):
        return held.get("type") == "SNS" and held.get("topicArn") == destination.arn
    return held_destination(held) == destination
