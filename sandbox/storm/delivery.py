"""How a storm's notifications arrive: more than once, in disorder, by all carriers, some without their payload."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from random import Random

from sandbox.notifications.delivery import Courier, Parcel, Patience, Report
from sandbox.notifications.disorder import repeated, shuffled_within
from sandbox.notifications.envelopes import ENVELOPES, Post, Request, cloud_event
from sandbox.notifications.platform import Notification, without_payload
from sandbox.storm.acts import notifications
from sandbox.storm.state import Storm

_WINDOW, _SHARE = 100, 0.3
_NEVER_LARGE = ("OrderCustomerSet", "OrderCustomerEmailSet")
"""Messages that always have their payload here: without it nobody can tell whether the order had an identity before."""
_CARRIERS = ("pubsub",) * 6 + ("eventarc-binary",) * 2 + ("eventarc-structured", "sns")


def parcels(told_of: Iterator[Notification], random: Random) -> Iterator[Parcel]:
    """Each as one message of the queue: some without their payload, one in ten as a CloudEvent, by all carriers."""
    for number, told in enumerate(told_of):
        sent: Notification = told
        if sent["notificationType"] == "Message" and sent["type"] not in _NEVER_LARGE and random.random() < 0.05:
            sent = without_payload(sent)
        if random.random() < 0.1:
            sent = cloud_event(sent)
        yield _parcel(number, told, sent, random.choice(_CARRIERS))


def _parcel(number: int, told: Notification, sent: Notification, carrier: str) -> Parcel:
    def request(attempt: int) -> Request:
        return ENVELOPES[carrier](sent, Post(message_id=str(number), attempt=attempt))

    kind = told.get("type", told["notificationType"])
    return Parcel(f"{number} {kind} {told['resource']['typeId']} {told['resource']['id']}", request)


def break_loose(
    storm: Storm, functions: Sequence[str], messages: int, random: Random, *, workers: int = 8, patience: Patience | None = None
) -> Report:
    """Deliver so many messages to instances of a realtime function, until each has been acknowledged or given up."""
    stream = parcels(notifications(storm, messages), random)
    courier = Courier(functions, time.monotonic, random, workers=workers, patience=patience or Patience())
    return courier.deliver(shuffled_within(repeated(stream, _SHARE, random), _WINDOW, random))
