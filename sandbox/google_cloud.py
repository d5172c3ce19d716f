"""Google Cloud on this machine: its emulators, the three functions as it starts them, and what delivers to them.

Notifications are pushed by the Pub/Sub emulator itself; plans and batches by `sandbox.push_bridge`. Names are those of
`shared.google.names`, settings those of `terraform/` unless a test shortens them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from sandbox.cloud_front import CloudFront
from sandbox.cloud_functions import CloudFunction, Supervisor
from sandbox.emulators import Emulators
from sandbox.google_topics import Terms, Topics
from sandbox.launch import Sandbox
from sandbox.push_bridge import Bridge, Route, checked_token
from shared.google import names
from shared.google.names import Stream

PUSH_SERVICE_ACCOUNT = "klaviyo-sync-push@demo-sync.iam.gserviceaccount.example.com"
PUSH_AUDIENCE = "klaviyo-sync"
NAME_PREFIX = "klaviyo-sync"
NO_FILE = "/dev/null/state.sqlite3"
"""A state file that nobody can open: on Google Cloud nothing of the product needs one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How much of everything there is, and how Pub/Sub delivers.

    `slots` batches are worked at once in an instance of the worker; the rest of its `worker_threads` wait for Klaviyo. A share
    `twice` of plans and batches is delivered twice at once. `envelope` and `terms` are as for `sandbox.push_bridge.Route`.
    """

    dispatchers: int = 1
    workers: int = 1
    slots: int = 2
    worker_threads: int = 8
    terms: Terms = field(default_factory=Terms)
    twice: float = 0.0
    envelope: str = "pubsub"
    seed: int = 1


@dataclass(frozen=True, slots=True)
class GoogleCloud:
    """A project with everything in it, under way; `pushed` is where the emulator delivers notifications to.

    `environment` is that of the functions without what the platform adds: with it the command line finds the same state.
    """

    project: str
    environment: Mapping[str, str]
    topics: Topics
    pushed: CloudFront
    realtime: CloudFunction
    dispatch: CloudFunction
    worker: CloudFunction
    plans: Bridge
    batches: Bridge
    given_up_plans: Bridge
    given_up: Bridge

    @property
    def functions(self) -> list[CloudFunction]:
        """All three."""
        return [self.realtime, self.dispatch, self.worker]

    def notify(self, notification: Mapping[str, Any]) -> str:
        """Publish a notification as commercetools does; the message's id."""
        return self.topics.publish(Stream.EVENTS, json.dumps(notification).encode())

    def lines(self) -> list[str]:
        """What all functions have written last."""
        return [line for function in self.functions for line in function.lines()]


@contextmanager
def google_cloud(
    emulators: Emulators,
    servers: Sandbox,
    project: str,
    layout: Layout = Layout(),
    **variables: str,
) -> Iterator[GoogleCloud]:
    """Everything in that project between these simulators, as long as the context lasts; `variables` are the functions' own."""
    environment = _environment(emulators, servers, project) | variables
    of_worker = {**environment, "WORKER_SLOTS": str(layout.slots)}
    with ExitStack() as stack:
        topics = Topics(emulators.pubsub.url, project, NAME_PREFIX)
        realtime = CloudFunction("realtime_event", environment, 16)
        dispatch = CloudFunction("bulk_dispatch", environment, 12, layout.dispatchers)
        worker = CloudFunction("bulk_worker", of_worker, layout.worker_threads + 2, layout.workers)
        functions = [realtime, dispatch, worker]
        bridges = _bridges(topics, layout, dispatch, worker)
        # At the end nothing is pulled any more, then the functions die, and with them what is under way.
        for bridge in bridges:
            stack.callback(bridge.join)
        stack.enter_context(Supervisor(functions))
        stack.callback(topics.close)
        pushed = stack.enter_context(CloudFront(realtime))
        topics.create(layout.terms, pushed.url)
        for function in functions:
            function.wait()
        for bridge in bridges:
            bridge.start()
            stack.callback(bridge.end)
        yield GoogleCloud(project, environment, topics, pushed, realtime, dispatch, worker, *bridges)


def _bridges(
    topics: Topics, layout: Layout, dispatch: CloudFunction, worker: CloudFunction
) -> tuple[Bridge, Bridge, Bridge, Bridge]:
    def token() -> str:
        return checked_token(PUSH_SERVICE_ACCOUNT, PUSH_AUDIENCE, time.time())

    def bridge(subscription: str, function: CloudFunction, path: str, at_once: int) -> Bridge:
        route = Route(
            subscription=subscription,
            url=function.url,
            path=path,
            token=token,
            at_once=at_once,
            terms=layout.terms,
            envelope=layout.envelope,
            twice=layout.twice,
        )
        return Bridge(topics, route, Random(f"{layout.seed} {subscription}"))

    return (
        bridge(names.push_subscription(topics.prefix, Stream.PLAN), dispatch, "/tasks/plan", 2 * layout.dispatchers),
        bridge(names.push_subscription(topics.prefix, Stream.WORK), worker, "/", layout.worker_threads * layout.workers),
        bridge(names.dead_push_subscription(topics.prefix, Stream.PLAN), dispatch, "/tasks/plan", 2),
        bridge(names.dead_push_subscription(topics.prefix, Stream.WORK), worker, "/dead", 1),
    )


def _environment(emulators: Emulators, servers: Sandbox, project: str) -> dict[str, str]:
    given = servers.environment(Path(NO_FILE), 0)
    inherited = {name: value for name, value in given.items() if name not in {"BULK_IMPORT_PORT", "PUB_SUB_PORT"}}
    return {
        **inherited,
        **emulators.environment(project),
        "STATE_BACKEND": "firestore",
        "QUEUE_BACKEND": "pubsub",
        "GOOGLE_NAME_PREFIX": NAME_PREFIX,
        "PUSH_SERVICE_ACCOUNT": PUSH_SERVICE_ACCOUNT,
        "PUSH_AUDIENCE": PUSH_AUDIENCE,
    }
