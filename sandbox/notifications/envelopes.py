"""What carries a notification: the CloudEvents format, and the HTTP requests of every way of delivery. Pure.

A request is the headers and the body of a POST.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from sandbox.commercetools.kinds import KINDS
from sandbox.notifications.platform import Notification

PUBLISHED = "google.cloud.pubsub.topic.v1.messagePublished"
CLOUD_EVENTS_TYPE = "application/cloudevents+json"
_TOPIC = "projects/example/topics/commercetools"
_SUBSCRIPTION = "projects/example/subscriptions/commercetools-realtime"
_COLLECTIONS = {kind.type_id: kind.collection for kind in KINDS.values() if not kind.derived}
_JSON = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class Request:
    """A POST; header names are in lower case."""

    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What the carrier adds: its own id of the message, when it took it, which attempt this is, and attributes."""

    message_id: str = "1"
    published_at: str = "2026-09-21T14:13:20.125Z"
    attempt: int | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)


def cloud_event(notification: Notification) -> dict[str, Any]:
    """The notification in commercetools' CloudEvents 1.0 format, structured."""
    resource = notification["resource"]
    path = f"/{notification['projectKey']}/{_COLLECTIONS.get(resource['typeId'], resource['typeId'] + 's')}"
    is_message = notification["notificationType"] == "Message"
    kind = f"message.{_message_type(notification)}" if is_message else f"change.{notification['notificationType']}"
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": notification["id"] if is_message else f"{resource['id']}:{notification['version']}",
        "type": f"com.commercetools.{resource['typeId']}.{kind}",
        "source": path,
        "subject": resource["id"],
        "time": notification["lastModifiedAt" if is_message else "modifiedAt"],
        "data": notification,
    }
    if is_message:
        event |= {"sequence": str(notification["sequenceNumber"]), "sequencetype": "Integer"}
        event["dataref"] = f"/{notification['projectKey']}/messages/{notification['id']}"
    return event


def pubsub_push(payload: Mapping[str, Any] | bytes, post: Post) -> Request:
    """A Pub/Sub push: the payload in base64, both spellings of the id and the time, and the attempt where it is counted.

    A CloudEvent says what it is in the attribute `content-type`, as the Pub/Sub binding of CloudEvents has it.
    """
    return Request({**_JSON, "user-agent": "CloudPubSub-Google"}, msgspec.json.encode(_pushed(payload, post)))


def eventarc_binary(payload: Mapping[str, Any] | bytes, post: Post) -> Request:
    """The push as Eventarc hands it to a function: a CloudEvent whose attributes are headers."""
    attributes = {f"ce-{name}": value for name, value in _eventarc(post).items() if name != "datacontenttype"}
    return Request({**_JSON, **attributes}, msgspec.json.encode(_pushed(payload, post)))


def eventarc_structured(payload: Mapping[str, Any] | bytes, post: Post) -> Request:
    """The same with the attributes in the body."""
    body = msgspec.json.encode({**_eventarc(post), "data": _pushed(payload, post)})
    return Request({"content-type": CLOUD_EVENTS_TYPE}, body)


def sns(payload: Mapping[str, Any] | bytes, post: Post) -> Request:
    """What Amazon SNS posts: JSON that says it is text, the payload as a string in it."""
    topic = "arn:aws:sns:eu-central-1:000000000000:commercetools"
    body = {
        "Type": "Notification",
        "MessageId": post.message_id,
        "TopicArn": topic,
        "Message": _encoded(payload).decode(),
        "Timestamp": post.published_at,
        "SignatureVersion": "1",
        "Signature": "c2lnbmF0dXJl",
        "SigningCertURL": "https://sns.example.com/certificate.pem",
        "UnsubscribeURL": "https://sns.example.com/?Action=Unsubscribe",
    }
    headers = {
        "content-type": "text/plain; charset=UTF-8",
        "x-amz-sns-message-type": "Notification",
        "x-amz-sns-message-id": post.message_id,
        "x-amz-sns-topic-arn": topic,
    }
    return Request(headers, msgspec.json.encode(body))


def bare(payload: Mapping[str, Any] | bytes, _post: Post) -> Request:
    """The payload itself."""
    return Request(_JSON, _encoded(payload))


ENVELOPES = {
    "pubsub": pubsub_push,
    "eventarc-binary": eventarc_binary,
    "eventarc-structured": eventarc_structured,
    "sns": sns,
    "bare": bare,
}


def redelivery(post: Post) -> Post:
    """The same message once more."""
    return replace(post, attempt=(post.attempt or 1) + 1)


def _pushed(payload: Mapping[str, Any] | bytes, post: Post) -> dict[str, Any]:
    attributes = dict(post.attributes)
    if not isinstance(payload, bytes) and "specversion" in payload:
        attributes.setdefault("content-type", CLOUD_EVENTS_TYPE)
    wrapper: dict[str, Any] = {
        "message": {
            "attributes": attributes,
            "data": base64.b64encode(_encoded(payload)).decode("ascii"),
            "messageId": post.message_id,
            "message_id": post.message_id,
            "publishTime": post.published_at,
            "publish_time": post.published_at,
        },
        "subscription": _SUBSCRIPTION,
    }
    if post.attempt is not None:
        wrapper["deliveryAttempt"] = post.attempt
    return wrapper


def _eventarc(post: Post) -> dict[str, str]:
    return {
        "specversion": "1.0",
        "id": post.message_id,
        "type": PUBLISHED,
        "source": f"//pubsub.googleapis.com/{_TOPIC}",
        "time": post.published_at,
        "datacontenttype": "application/json",
    }


def _encoded(payload: Mapping[str, Any] | bytes) -> bytes:
    return payload if isinstance(payload, bytes) else msgspec.json.encode(payload)


def _message_type(notification: Notification) -> str:
    left_out = notification.get("payloadNotIncluded")
    return str(left_out["payloadType"] if left_out else notification["type"])
