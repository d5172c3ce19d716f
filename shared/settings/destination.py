"""Where commercetools is to deliver, as Connect says it or a person does: read, inferred, refused when it is incomplete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from shared.settings.model import ConnectSettings, SubscriptionDestination
from shared.settings.reader import Reader

_CHOICE = "CONNECT_SUBSCRIPTION_DESTINATION"
_PARTS = {
    SubscriptionDestination.GOOGLE_PUBSUB: (
        ("CONNECT_GCP_TOPIC_NAME", r"[^/\s]{3,255}", "the name of a Pub/Sub topic, without its project"),
        ("CONNECT_GCP_PROJECT_ID", r"[^/\s]{4,62}", "a Google Cloud project id"),
    ),
    SubscriptionDestination.SNS: (("CONNECT_AWS_TOPIC_ARN", r"arn:[^:\s]+:sns(:[^:\s]+){3}", "the ARN of an SNS topic"),),
}
_NAMES = (_CHOICE, *(name for parts in _PARTS.values() for name, _, _ in parts))


def destination_given(environ: Mapping[str, str]) -> bool:
    """Whether anything in `environ` says where commercetools is to deliver, be it incomplete."""
    return any(environ.get(name, "").strip() for name in _NAMES)


def read_destination(reader: Reader, *, needed: bool) -> ConnectSettings:
    """Where to deliver; a topic of one cloud alone says which. Only who needs it refuses what is missing or malformed."""
    connect = ConnectSettings(
        destination=reader.choice(_CHOICE, SubscriptionDestination),
        gcp_topic_name=reader.text("CONNECT_GCP_TOPIC_NAME"),
        gcp_project_id=reader.text("CONNECT_GCP_PROJECT_ID"),
        aws_topic_arn=reader.text("CONNECT_AWS_TOPIC_ARN"),
    )
    on_google, on_aws = bool(connect.gcp_topic_name or connect.gcp_project_id), bool(connect.aws_topic_arn)
    if not reader.given(_CHOICE) and on_google != on_aws:
        inferred = SubscriptionDestination.GOOGLE_PUBSUB if on_google else SubscriptionDestination.SNS
        connect = replace(connect, destination=inferred)
    if needed and connect.destination is not None:
        _refuse_incomplete(reader, connect.destination)
    elif needed and not reader.given(_CHOICE):
        choices = " or ".join(choice.value for choice in SubscriptionDestination)
        reader.fault(_CHOICE, f"is missing; commercetools Connect sets it, elsewhere set it to {choices}")
    return connect


def _refuse_incomplete(reader: Reader, destination: SubscriptionDestination) -> None:
    for name, pattern, form in _PARTS[destination]:
        if not reader.matching(name, pattern, form):
            reader.fault(name, f"is missing; set it to {form}, which the destination {destination} needs")
