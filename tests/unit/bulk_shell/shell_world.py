"""An import wired by hand on a real state file and the real simulators; its messages are delivered by hand."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec

from sandbox.launch import Sandbox
from shared.access import LOCAL_TASK_KEY_HEADER
from shared.budget import Budget, budget_of
from shared.bulk import control
from shared.bulk.app import ImportApp
from shared.bulk.http.tasks import plan_task, worker_answer
from shared.bulk.messages import PlanMessage, WorkMessage
from shared.bulk.plan import BATCH_SIZES, range_count
from shared.bulk.ports import Topic
from shared.bulk.records import Batch, BatchStatus, Kind, Run, RunOptions, RunStatus, Summary
from shared.bulk.results import total
from shared.bulk.wiring import State, wired
from shared.bulk.work import work_batch
from shared.commercetools import custom_objects
from shared.commercetools.client import open_commercetools
from shared.commercetools.lock import CONTAINER, KEYS, LockState
from shared.errors import TransientError
from shared.http import ApiRequest, ApiResponse
from shared.klaviyo.client import KlaviyoClient
from shared.klaviyo.limiter import Limiter
from shared.local.cloudevent import message_published
from shared.settings import load
from shared.sqlite.database import Database
from shared.sqlite.dead_letters import SqliteDeadLetters
from shared.sqlite.queue import Delivery, SqliteQueue
from shared.sqlite.run_store import SqliteRunStore

CUSTOMERS = 2_600
PRODUCTS = 40
CATEGORIES = 20
BATCH_SIZE = BATCH_SIZES[Kind.CUSTOMERS]
RANGES = range_count(CUSTOMERS, BATCH_SIZE)
SAME_EMAIL = 3
"""Three pairs of the sample differ only in the case of their e-mails: one of each pair is skipped."""

TASK_KEY = "task-key-of-the-tests"
LEASE_S = 60.0
PATIENCE_S = 90.0
"""How long a test waits for what is to happen at once; a machine may stand still meanwhile."""

EVERYTHING = RunOptions()
IMPORT = "POST /api/profile-bulk-import-jobs"

CONTROL = httpx.Client(verify=False, trust_env=False, timeout=60.0, limits=httpx.Limits(max_keepalive_connections=0))
"""For the simulators' own controls; plain http on loopback, so that no certificates need be loaded."""


class Clock:
    """The time of the import's records: the real one, and what a test has added to it."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self._ahead += timedelta(seconds=seconds)


class Monotonic:
    """The clock that deadlines are told by: the real one, and what a test has added to it (seconds)."""

    def __init__(self) -> None:
        self._ahead_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self._ahead_s

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self._ahead_s += seconds


@dataclass(frozen=True, slots=True)
class World:
    """One installation of the import: its state file, its clock, and both simulators."""

    app: ImportApp
    queue: SqliteQueue
    store: SqliteRunStore
    clock: Clock
    servers: Sandbox
    environment: dict[str, str] = field(repr=False)
    kind: Kind = Kind.CUSTOMERS

    # what people do

    def start(self, options: RunOptions = EVERYTHING) -> Run:
        """Start an import of the world's kind."""
        return control.start(self.app, self.kind, options, soon())

    def stop(self) -> Run:
        """Stop the newest import of the world's kind."""
        return control.stop(self.app, self.kind)

    def resume(self, run_id: str) -> Run:
        """Continue a run."""
        return control.resume(self.app, run_id, soon())

    def retry(self, run_id: str) -> Run:
        """Start a run over the failures of another."""
        return control.retry(self.app, run_id, soon())

    # what the queue does

    def messages(self, topic: Topic) -> list[PlanMessage | WorkMessage]:
        """What stands in the queue, left there."""
        kind: type[PlanMessage | WorkMessage] = PlanMessage if topic is Topic.PLAN else WorkMessage
        deliveries = self.take(topic)
        for delivery in deliveries:
            self.queue.nack(delivery, 0.0)
        return [msgspec.json.decode(one.body, type=kind) for one in deliveries]

    def take(self, topic: Topic) -> list[Delivery]:
        """Take all messages of a topic out of the queue, to be delivered by hand."""
        return self.queue.lease(topic, 1_000, LEASE_S)

    def push(self, delivery: Delivery, app: ImportApp | None = None) -> int:
        """Deliver once, as the pump does, to `app` or the world's own; the status of the answer."""
        answer = task(app or self.app, delivery.topic, delivery.body, str(delivery.message_id))
        if answer.status == 204:
            self.queue.ack(delivery)
        else:
            self.queue.nack(delivery, 0.0)
        return answer.status

    def deliver(self, topic: Topic) -> list[int]:
        """Deliver every message of a topic once."""
        return [self.push(delivery) for delivery in self.take(topic)]

    def plan(self) -> None:
        """Deliver plan messages until none is left."""
        while statuses := self.deliver(Topic.PLAN):
            assert set(statuses) == {204}

    def work(self) -> None:
        """Deliver work messages, and what is planned because of them, until none is left."""
        while statuses := [*self.deliver(Topic.WORK), *self.deliver(Topic.PLAN)]:
            assert set(statuses) == {204}

    def planned(self, options: RunOptions = EVERYTHING) -> tuple[Run, list[WorkMessage]]:
        """A started run whose batches are all recorded, and their messages, taken out of the queue."""
        run = self.start(options)
        self.plan()
        return run, [msgspec.json.decode(one.body, type=WorkMessage) for one in self.take(Topic.WORK)]

    # what is recorded

    def run(self, run_id: str) -> Run:
        """The run as it stands now."""
        found = self.store.run(run_id)
        assert found is not None
        return found

    def status(self, run_id: str) -> RunStatus:
        """Where the run stands now."""
        return self.run(run_id).status

    def batches(self, run_id: str) -> list[Batch]:
        """All batches of a run."""
        return self.store.batches(run_id, list(BatchStatus))

    def summary(self, run_id: str) -> Summary:
        """The run's sums; checks that every item is accounted for, once."""
        found = self.store.summary(run_id, self.clock(), 60.0)
        result = found.result
        assert result.seen == result.sent + total(result.skipped) + total(result.failed)
        assert result.seen <= found.planned_items
        return found

    def lock(self) -> LockState:
        """What stands in the place of the import lock."""
        return self.app.lock.read("customers", soon())

    def put_lock(self, value: object) -> None:
        """Put somebody's lock in that place."""
        custom_objects.put(self.app.commercetools, CONTAINER, KEYS["customers"], value, budget=soon())

    # what the simulators know

    def ids(self, count: int) -> list[str]:
        """The ids of the first resources of the world's kind, ascending."""
        url = f"{self.servers.commercetools.url}/_sandbox/{self.kind.value}"
        return [json.loads(line)["id"] for line in CONTROL.get(url, params={"limit": count}).text.splitlines()]

    def change(self, collection: str, identifier: str, **fields: Any) -> None:
        """Change a resource of the simulated project."""
        url = f"{self.servers.commercetools.url}/_sandbox/{collection}/{identifier}"
        CONTROL.patch(url, json=fields).raise_for_status()

    def change_customer(self, customer_id: str, **fields: Any) -> None:
        """Change a customer in the simulated project."""
        self.change("customers", customer_id, **fields)

    def requests(self, endpoint: str = IMPORT) -> int:
        """How many requests to an endpoint the simulated Klaviyo accepted."""
        by_endpoint = self.klaviyo()["by_endpoint"].get(endpoint, {})
        return sum(count for status, count in by_endpoint.items() if status.startswith("2"))

    def klaviyo(self) -> dict[str, Any]:
        """The simulated Klaviyo's own account of what it saw."""
        answer: dict[str, Any] = CONTROL.get(f"{self.servers.klaviyo.url}/_sandbox/summary").json()
        return answer

    def klaviyo_fails(self, **rule: Any) -> None:
        """Give the simulated Klaviyo a fault; none without arguments."""
        _fault(self.servers.klaviyo.url, rule)

    def commercetools_fails(self, **rule: Any) -> None:
        """Give the simulated commercetools a fault; none without arguments."""
        _fault(self.servers.commercetools.url, rule)

    def klaviyo_holds_a_request(self) -> None:
        """Wait until Klaviyo's fault has hit a request."""
        _wait_for_a_hit(self.servers.klaviyo.url)

    def commercetools_holds_a_request(self) -> None:
        """The same for commercetools."""
        _wait_for_a_hit(self.servers.commercetools.url)


def _fault(url: str, rule: dict[str, Any]) -> None:
    CONTROL.post(f"{url}/_sandbox/faults", json=[rule] if rule else []).raise_for_status()


def _wait_for_a_hit(url: str) -> None:
    until(lambda: CONTROL.get(f"{url}/_sandbox/faults").json()[0]["hit"] >= 1)


@contextmanager
def open_world(
    servers: Sandbox, state: Path, *, attempts: int = 1, kind: Kind = Kind.CUSTOMERS, **environment: str
) -> Iterator[World]:
    """An installation with its own state file. Its clients try each request `attempts` times, so that faults show at once."""
    environment = servers.environment(state, 1, LOCAL_TASK_KEY=TASK_KEY, WORKER_DEADLINE_S="60", **environment)
    settings = load(environment)
    commercetools = open_commercetools(
        api_url=settings.commercetools.api_url,
        auth_url=settings.commercetools.auth_url,
        project_id=settings.commercetools.project_id,
        client_id=settings.commercetools.client_id,
        secret=settings.commercetools.client_secret.reveal(),
        attempts=attempts,
        transport=httpx.HTTPTransport(verify=False),
    )
    http = httpx.Client(base_url=settings.klaviyo.api_url, verify=False)
    klaviyo = KlaviyoClient(http, settings.klaviyo.auth_key.reveal(), Limiter(), attempts=attempts)
    clock = Clock()
    with Database(settings.state.state_path) as database:
        queue, store = SqliteQueue(database), SqliteRunStore(database)
        numbers = iter(range(1, 1_000_000))
        in_file = State(store, queue, SqliteDeadLetters(database))
        app = wired(settings, in_file, commercetools, klaviyo, now=clock, new_id=lambda: f"{state.stem}-{next(numbers)}")
        yield World(app, queue, store, clock, servers, environment, kind)
    klaviyo.close()
    commercetools.close()


def runs_out_of_time(world: World, message: WorkMessage, **held: Any) -> None:
    """Deliver a batch once, whose time is over as soon as Klaviyo holds up a request that is told by `held`."""
    world.klaviyo_fails(kind="delay", seconds=600, **held)
    clock = Monotonic()
    worker = Thread(lambda: work_batch(world.app, message, "late", PATIENCE_S, clock))
    world.klaviyo_holds_a_request()
    clock.forward(PATIENCE_S)
    assert isinstance(worker.join(), TransientError)


def soon() -> Budget:
    """More time than any call of a test takes."""
    return budget_of(PATIENCE_S)


def task(app: ImportApp, topic: Topic, body: bytes, message_id: str = "1", key: str | None = TASK_KEY) -> ApiResponse:
    """What the function answers to a message, delivered in the pump's envelope."""
    event = message_published(topic, message_id, body, datetime.now(UTC))
    return post_task(app, topic, event.headers, event.body, key)


def post_task(app: ImportApp, topic: Topic, headers: dict[str, str], body: bytes, key: str | None = TASK_KEY) -> ApiResponse:
    """What the function answers to a POST, whatever is in it."""
    sent = {**headers, **({LOCAL_TASK_KEY_HEADER.lower(): key} if key else {})}
    if topic is Topic.PLAN:
        return plan_task(app, ApiRequest("POST", "/tasks/plan", sent, {}, body))
    return worker_answer(app, ApiRequest("POST", "/", sent, {}, body))


def until(met: Callable[[], bool], within_s: float = PATIENCE_S) -> None:
    """Wait for something that another thread or process brings about."""
    deadline = time.monotonic() + within_s
    while not met():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


class Thread:
    """A call under way in a thread of its own."""

    def __init__(self, call: Callable[[], object]) -> None:
        self.error: BaseException | None = None
        self._call = call
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._call()
        except BaseException as error:  # kept for the test
            self.error = error

    def join(self, within_s: float = PATIENCE_S) -> BaseException | None:
        """Wait for its end; what it raised."""
        self._thread.join(within_s)
        assert not self._thread.is_alive(), "it did not end"
        return self.error


@dataclass(frozen=True, slots=True)
class QueueDouble:
    """The queue, with something done before a topic's messages are published."""

    queue: SqliteQueue
    topic: Topic
    before: Callable[[], None]

    def publish(self, topic: Topic, bodies: Any) -> None:
        """As `Queue.publish`."""
        if topic is self.topic:
            self.before()
        self.queue.publish(topic, bodies)


def with_queue(world: World, topic: Topic, before: Callable[[], None]) -> ImportApp:
    """The world's import, whose queue does `before` first."""
    return replace(world.app, queue=QueueDouble(world.queue, topic, before))
