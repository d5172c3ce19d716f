"""The pump: leases messages from the local queue and delivers them over HTTP as the cloud would (decisions.md 13)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import httpx

from shared import logs
from shared.access import LOCAL_TASK_KEY_HEADER
from shared.bulk.ports import Topic
from shared.errors import TransientError
from shared.local.cloudevent import message_published
from shared.settings.secret import Secret
from shared.sqlite.queue import Delivery, SqliteQueue

DEAD_PATH = "/dead"

IDLE_S = 0.075
FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0
DEAD_EVERY_S = 2.0
KEEP_EVERY_S = 15.0
LEASE_MARGIN_S = 60.0

_log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Destination:
    """Where the messages of a topic go: POST `url()` + `path`, by `threads` at once, each given `timeout_s` seconds.

    `url` is None while nobody answers there; nothing is leased then.
    """

    topic: Topic
    url: Callable[[], str | None]
    path: str
    threads: int
    timeout_s: float

    @property
    def lease_s(self) -> float:
        """Longer than a delivery can take, so that no message is delivered beside itself."""
        return self.timeout_s + LEASE_MARGIN_S


def delay_s(attempt: int) -> float:
    """Seconds until the next delivery after the `attempt`-th (1, 2, ...) failed: doubling from 0.5 up to 30."""
    return min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(attempt - 1, 10))


class Pump:
    """Delivers messages until told to stop; 2xx acknowledges, everything else brings the message back later.

    `task_key` proves to the functions that a task comes from here. `client` is shared by all threads. `keep_every_s` is how
    often the leases of deliveries under way are extended, `dead_every_s` how often the dead are looked for, in seconds.
    `on_broken_off` gets the body of a work message whose delivery broke off without an answer, before anybody can get that
    message again: on one machine that means that the worker's process is dead, so nobody holds the message's batch any more.
    """

    def __init__(
        self,
        queue: SqliteQueue,
        destinations: Sequence[Destination],
        task_key: Secret,
        client: httpx.Client,
        *,
        keep_every_s: float = KEEP_EVERY_S,
        dead_every_s: float = DEAD_EVERY_S,
        on_broken_off: Callable[[bytes], object] = lambda _body: None,
    ) -> None:
        self._on_broken_off = on_broken_off
        self._queue, self._task_key, self._client = queue, task_key, client
        self._keep_every_s, self._dead_every_s = keep_every_s, dead_every_s
        self._stopping = threading.Event()
        self._ended = threading.Event()
        self._held: dict[int, tuple[Delivery, float]] = {}
        self._held_lock = threading.Lock()
        self._deliverers = [
            threading.Thread(
                target=self._deliver_all, args=(destination, turn), name=f"pump-{destination.topic}-{number}", daemon=True
            )
            for destination, turn in ((destination, threading.Lock()) for destination in destinations)
            for number in range(destination.threads)
        ]
        work = [destination for destination in destinations if destination.topic is Topic.WORK]
        self._keepers = [
            threading.Thread(target=self._keep_leases, name="pump-leases", daemon=True),
            *(
                threading.Thread(target=self._report_dead, args=(destination,), name="pump-dead", daemon=True)
                for destination in work
            ),
        ]

    @property
    def under_way(self) -> int:
        """How many deliveries have been sent and not answered yet."""
        with self._held_lock:
            return len(self._held)

    def start(self) -> None:
        """Begin to deliver."""
        for thread in (*self._deliverers, *self._keepers):
            thread.start()

    def stop_leasing(self) -> None:
        """Begin no new delivery; those under way go on."""
        self._stopping.set()

    def wait(self, timeout_s: float) -> bool:
        """Wait until no delivery is under way; False when some still are after `timeout_s` seconds. After `stop_leasing`."""
        until = time.monotonic() + timeout_s
        for thread in self._deliverers:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._deliverers)

    def close(self, timeout_s: float) -> None:
        """Stop everything, waiting at most `timeout_s` seconds for deliveries that are being cut off."""
        self.stop_leasing()
        self.wait(timeout_s)
        self._ended.set()
        for thread in self._keepers:
            thread.join(timeout_s)

    def _deliver_all(self, destination: Destination, turn: threading.Lock) -> None:
        while (delivery := self._next(destination, turn)) is not None:
            try:
                self._deliver(destination, delivery)
            except TransientError as error:
                _queue_is_silent(error)
            finally:
                with self._held_lock:
                    self._held.pop(delivery.message_id, None)

    def _next(self, destination: Destination, turn: threading.Lock) -> Delivery | None:
        """Wait for a message; None when stopping. One thread of a destination looks at a time, so that idle ones cost nothing."""
        with turn:
            while not self._stopping.is_set():
                try:
                    leased = self._queue.lease(destination.topic, 1, destination.lease_s) if destination.url() else []
                except TransientError as error:
                    _queue_is_silent(error)
                    leased = []
                for delivery in leased:
                    with self._held_lock:
                        self._held[delivery.message_id] = (delivery, destination.lease_s)
                    return delivery
                self._stopping.wait(IDLE_S)
        return None

    def _deliver(self, destination: Destination, delivery: Delivery) -> None:
        answer = self._post(
            destination, destination.path, delivery.topic, delivery.message_id, delivery.body, delivery.published_at
        )
        if answer == "":
            self._queue.ack(delivery)
            return
        wait_s = FIRST_DELAY_S if answer is None else delay_s(delivery.attempt)
        if answer is not None:
            _log.warning(
                "delivery failed",
                operation=delivery.topic.value,
                request_id=delivery.delivery_id,
                attempt=delivery.attempt,
                reason=answer,
                wait_s=wait_s,
            )
        self._queue.nack(delivery, wait_s)

    def _post(
        self, destination: Destination, path: str, topic: Topic, message_id: int, body: bytes, published_at: datetime
    ) -> str | None:
        """Deliver once: an empty text when accepted, what went wrong otherwise, None when nobody listens there now."""
        url = destination.url()
        if url is None:
            return None
        event = message_published(topic, str(message_id), body, published_at)
        try:
            answer = self._client.post(
                url + path,
                content=event.body,
                headers={**event.headers, LOCAL_TASK_KEY_HEADER: self._task_key.reveal()},
                timeout=httpx.Timeout(destination.timeout_s, connect=5.0),
            )
        except httpx.ConnectError:
            return None
        except (httpx.RemoteProtocolError, httpx.ReadError) as error:
            if topic is Topic.WORK:
                self._tell_broken_off(message_id, body)
            return f"no_answer:{type(error).__name__}"
        except httpx.HTTPError as error:
            return f"no_answer:{type(error).__name__}"
        return "" if answer.is_success else f"answered:{answer.status_code}"

    def _tell_broken_off(self, message_id: int, body: bytes) -> None:
        """Whatever goes wrong here, the message must be given back; the batch's own lease runs out by itself."""
        try:
            self._on_broken_off(body)
        except Exception as error:
            _log.warning(
                "batch of a dead worker not freed, its lease runs out by itself",
                request_id=str(message_id),
                error_type=type(error).__name__,
            )

    def _keep_leases(self) -> None:
        """Deliveries end before their leases by this process' clock; a machine that slept has another opinion about time."""
        while not self._ended.wait(self._keep_every_s):
            with self._held_lock:
                held = list(self._held.values())
            for delivery, lease_s in held:
                try:
                    self._queue.extend(delivery, lease_s)
                except TransientError as error:
                    _queue_is_silent(error)

    def _report_dead(self, destination: Destination) -> None:
        """See to messages that the queue gave up on: the worker decides about a batch, a plan is put into the queue again."""
        pause_s = self._dead_every_s
        while not self._stopping.wait(pause_s):
            try:
                pause_s = self._dead_every_s if self._all_dead_reported(destination) else LONGEST_DELAY_S
            except TransientError as error:
                _queue_is_silent(error)

    def _all_dead_reported(self, destination: Destination) -> bool:
        all_reported = True
        for dead in self._queue.dead():
            if self._stopping.is_set():
                break
            if dead.topic is Topic.WORK:
                answer = self._post(destination, DEAD_PATH, dead.topic, dead.message_id, dead.body, dead.published_at)
                if answer != "":
                    all_reported = False
                    continue
            else:
                # A host may be away for hours. First again, then gone: between the two it is in both places, never in none.
                self._queue.publish(Topic.PLAN, [dead.body])
                _log.warning("plan message put into the queue again", request_id=str(dead.message_id), attempt=dead.attempts)
            self._queue.drop_dead(dead.message_id)
        return all_reported


def _queue_is_silent(error: TransientError) -> None:
    """Nothing is lost: a message whose end could not be noted comes back when its lease ends."""
    _log.warning("queue does not answer", error_type=type(error).__name__)


def loopback_client(connections: int) -> httpx.Client:
    """A client for servers on this machine: no proxy, and no connection kept that gunicorn may close while we write to it."""
    return httpx.Client(trust_env=False, limits=httpx.Limits(max_connections=connections, max_keepalive_connections=0))
