"""Pub/Sub push and the front of Cloud Run, for one subscription: pulls its messages and posts them to a function.

It stands for Google where the emulator does less than Google (platform.md 1): many requests at once, a token with each. As
there, a 2xx acknowledges a message and everything else brings it back later; the emulator counts the attempts, and gives a
message up after the last. And as there, the token has been checked before it arrives, so that a marker is in the place of
its signature.
"""

from __future__ import annotations

import base64
import heapq
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random
from typing import Any

import msgspec
from google.api_core.exceptions import GoogleAPICallError

from sandbox.google_topics import PULL_S, Terms, Topics
from sandbox.notifications.envelopes import ENVELOPES, Post
from sandbox.notifications.wire import Connection, NoAnswer

NO_ANSWER = 0
"""Stands for a status where none came: nobody listened, or whoever did died over it."""

CHECKED = "SIGNATURE_REMOVED_BY_GOOGLE"
"""What Cloud Run puts in the place of the signature of a token that it has checked."""

_LOOK_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where the messages of a subscription go: POST `url()` + `path` with `token()`, at most `at_once` at a time.

    `envelope` is one of `sandbox.notifications.envelopes.ENVELOPES`: the standard push body (`pubsub`) or a CloudEvent. A share
    `twice` (0..1) of the deliveries is made twice at the same moment, as Pub/Sub may.
    """

    subscription: str
    url: Callable[[], str]
    path: str
    token: Callable[[], str]
    at_once: int
    terms: Terms
    envelope: str = "pubsub"
    twice: float = 0.0


@dataclass(frozen=True, slots=True)
class Answered:
    """One delivery: the message's id and data, which attempt it was (0: nobody counts), the answer's status."""

    message_id: str
    body: bytes
    attempt: int
    status: int

    @property
    def acknowledges(self) -> bool:
        """Whether the message need not come again."""
        return 200 <= self.status < 300


class Bridge:
    """Delivers until it is ended; `answers` has every delivery, in the order in which they ended."""

    def __init__(self, topics: Topics, route: Route, random: Random) -> None:
        self.answers: list[Answered] = []
        self._subscriber, self._subscription = topics.subscriber, topics.subscription(route.subscription)
        self._route, self._random = route, random
        self._changed = threading.Condition()
        self._under_way: set[str] = set()
        self._refused: list[tuple[float, str]] = []
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=what, daemon=True) for what in (self._pull_all, self._keep_all)]

    def start(self) -> None:
        """Begin to deliver."""
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Begin no delivery any more."""
        self._ended.set()
        with self._changed:
            self._changed.notify_all()

    def join(self) -> None:
        """Wait until it has ended, if it ever began: as long as the deliveries under way; call `Topics.close` before."""
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    @property
    def statuses(self) -> Counter[int]:
        """How often each status was answered."""
        return Counter(answer.status for answer in self.answers)

    def _pull_all(self) -> None:
        with ThreadPoolExecutor(2 * self._route.at_once) as pool:
            while (places := self._free_places()) is not None:
                found = self._asked(self._subscriber.pull, max_messages=places, timeout=PULL_S)
                for one in found.received_messages if found else ():
                    with self._changed:
                        self._under_way.add(one.ack_id)
                    pool.submit(self._deliver, one)
                    if self._random.random() < self._route.twice:
                        pool.submit(self._post, one)

    def _free_places(self) -> int | None:
        """How many deliveries may begin, at least one; None at the end."""
        most = self._route.at_once
        with self._changed:
            self._changed.wait_for(lambda: len(self._under_way) < most or self._ended.is_set())
            return None if self._ended.is_set() else most - len(self._under_way)

    def _deliver(self, pulled: Any) -> None:
        is_done = self._post(pulled).acknowledges
        if is_done:
            self._asked(self._subscriber.acknowledge, ack_ids=[pulled.ack_id])
        with self._changed:
            self._under_way.discard(pulled.ack_id)
            if not is_done:
                again = time.monotonic() + self._route.terms.backoff_s(pulled.delivery_attempt)
                heapq.heappush(self._refused, (again, pulled.ack_id))
            self._changed.notify_all()

    def _post(self, pulled: Any) -> Answered:
        message, attempt = pulled.message, pulled.delivery_attempt
        post = Post(
            message_id=message.message_id,
            published_at=message.publish_time.isoformat(),
            attempt=attempt or None,
            attributes=dict(message.attributes),
        )
        request = ENVELOPES[self._route.envelope](message.data, post)
        connection = Connection(self._route.url(), self._route.terms.ack_deadline_s)
        try:
            headers = {**request.headers, "authorization": f"Bearer {self._route.token()}"}
            status = connection.send("POST", self._route.path, headers, request.body).status
        except NoAnswer:
            status = NO_ANSWER
        finally:
            connection.close()
        answered = Answered(message.message_id, message.data, attempt, status)
        self.answers.append(answered)
        return answered

    def _keep_all(self) -> None:
        """Give back what was refused when its pause is over; the emulator must not take the rest for lost meanwhile."""
        deadline_s = self._route.terms.ack_deadline_s
        keep_at = time.monotonic() + deadline_s / 3
        while not self._ended.wait(_LOOK_S):
            now, due, kept = time.monotonic(), list[str](), list[str]()
            with self._changed:
                while self._refused and self._refused[0][0] <= now:
                    due.append(heapq.heappop(self._refused)[1])
                if now >= keep_at:
                    kept, keep_at = [*self._under_way, *(ack_id for _, ack_id in self._refused)], now + deadline_s / 3
            for ack_ids, seconds in ((due, 0), (kept, deadline_s)):
                if ack_ids:
                    self._asked(self._subscriber.modify_ack_deadline, ack_ids=ack_ids, ack_deadline_seconds=seconds)

    def _asked(self, call: Callable[..., Any], timeout: float = PULL_S, **fields: Any) -> Any:
        """What the emulator answers; None when it does not, after which a message comes again."""
        try:
            return call(request={"subscription": self._subscription, **fields}, timeout=timeout, retry=None)
        except GoogleAPICallError:
            return None
        except ValueError:  # what grpc says of a channel that was closed
            if self._ended.is_set():
                return None
            raise


def checked_token(service_account: str, audience: str, now_s: float) -> str:
    """A Google ID token as it arrives behind Cloud Run, which has checked it; `now_s` is seconds since 1970."""
    claims = {
        "iss": "https://accounts.google.com",
        "aud": audience,
        "azp": "100000000000000000001",
        "sub": "100000000000000000001",
        "email": service_account,
        "email_verified": True,
        "iat": int(now_s),
        "exp": int(now_s) + 3600,
    }
    parts = ({"alg": "RS256", "kid": "0", "typ": "JWT"}, claims)
    return ".".join([*(base64.urlsafe_b64encode(msgspec.json.encode(part)).decode().rstrip("=") for part in parts), CHECKED])
