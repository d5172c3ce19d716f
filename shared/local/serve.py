"""`ct-klaviyo serve`: realtime, and the import API with its workers, on one machine (product.md "Where it runs").

`APP_TYPE` and `CONNECT_ENV` narrow it to one of them (configuration.md). Realtime needs neither queue nor pump; the import has
one state file.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec

import functions
from shared import logs
from shared.access import refuse_unguarded_bind
from shared.bulk.messages import WorkMessage
from shared.bulk.ports import Topic
from shared.errors import ConfigError, Problem, SyncError
from shared.local.children import Child, ChildSpec
from shared.local.listening import CannotListen, check_port
from shared.local.pump import Destination, Pump, loopback_client
from shared.local.single import AlreadyServing, only_one
from shared.local.supervisor import Say, StopRequests, stop_signals, supervise
from shared.settings import QueueBackend, Secret, Settings, StateBackend, load, serves_bulk, serves_realtime
from shared.sqlite.database import Database
from shared.sqlite.queue import SqliteQueue
from shared.sqlite.run_store import SqliteRunStore

Source = Callable[[str], Path]

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_CONFIG = 2

REALTIME, DISPATCH, WORKER = "realtime_event", "bulk_dispatch", "bulk_worker"

PLAN_THREADS = 2
DELIVERIES_PER_WORKER = 4
"""Batches under way for each that is worked on: the others wait for Klaviyo's jobs, which costs next to nothing."""

WORKER_NICENESS = 5
"""An import can wait for the processor, realtime's messages cannot."""

API_THREADS = 8
REALTIME_THREADS = 32
"""Notifications handled at once; each waits for the two APIs most of its time."""

ANSWER_MARGIN_S = 60.0
"""What a function may take beyond its own deadline, as on Google Cloud: 480 of 540 s (decisions.md 5)."""


def function_file(function: str) -> Path:
    """The function's own file: beside us in a checkout and in an installed package alike, unlike the root's main.py."""
    return Path(functions.__path__[0]) / function / "main.py"


def serve(environ: Mapping[str, str], *, out: Say, err: Say, source: Source = function_file) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code.

    `environ` is the whole environment, also of the functions; `source` gives the file that a function is in.
    """
    try:
        settings = load(environ)
        _refuse(settings)
        logs.configure(settings.logging.level, settings.logging.format)
        task_key = Secret(secrets.token_urlsafe(32))
        with ExitStack() as stack:
            stop = stack.enter_context(stop_signals())
            if serves_bulk(settings.serve):
                stack.enter_context(only_one(settings.state.state_path))
            return _serve(settings, child_specs(settings, environ, task_key, source), task_key, stop, out, err)
    except ConfigError as error:
        err("\n".join(["the settings cannot be used:", *(f"  {problem.field}: {problem.message}" for problem in error.problems)]))
        return EXIT_CONFIG
    except (AlreadyServing, CannotListen) as error:
        err(str(error))
        return EXIT_CONFIG
    except SyncError as error:
        err(str(error))
        return EXIT_FAILED


def _refuse(settings: Settings) -> None:
    """Raise `ConfigError` for what this way of running it does not serve."""
    problems = list(refuse_unguarded_bind(settings))
    if serves_bulk(settings.serve):
        if settings.state.state_backend is not StateBackend.SQLITE:
            problems.append(Problem("STATE_BACKEND", "`serve` keeps its state in SQLite; leave it out"))
        if settings.state.queue_backend is not QueueBackend.SQLITE:
            problems.append(Problem("QUEUE_BACKEND", "`serve` keeps its queue in SQLite; leave it out"))
    if problems:
        raise ConfigError(problems)


def _serve(settings: Settings, specs: Sequence[ChildSpec], task_key: Secret, stop: StopRequests, out: Say, err: Say) -> int:
    for spec in specs:
        if spec.port is not None:
            check_port(spec.host, spec.port)
    children = {spec.name: Child(spec, err) for spec in specs}

    def announce() -> None:
        parts = []
        if serves_realtime(settings.serve):
            parts.append(f"realtime: {children[REALTIME].url}")
        if serves_bulk(settings.serve):
            parts += [f"import API: {children[DISPATCH].url}", f"state: {settings.state.state_path}"]
        out("   ".join([*parts, "stop with Ctrl-C or SIGTERM"]))

    with ExitStack() as stack:
        pump = _pump(settings, children, task_key, stack) if serves_bulk(settings.serve) else None
        supervise(list(children.values()), pump, stop, on_ready=announce, say=err)
    out("stopped")
    return EXIT_OK


def _pump(settings: Settings, children: Mapping[str, Child], task_key: Secret, stack: ExitStack) -> Pump:
    """The pump between the queue and the two functions of the import, over the state file, which `stack` closes."""
    dispatch, worker = children[DISPATCH], children[WORKER]
    timeout_s = settings.budgets.worker_deadline_s + ANSWER_MARGIN_S
    deliveries = settings.state.workers * DELIVERIES_PER_WORKER
    destinations = (
        Destination(Topic.WORK, lambda: worker.url, "/", deliveries, timeout_s),
        Destination(Topic.PLAN, lambda: dispatch.url, "/tasks/plan", PLAN_THREADS, timeout_s),
    )
    database = stack.enter_context(Database(settings.state.state_path))
    client = stack.enter_context(loopback_client(deliveries + PLAN_THREADS + 1))
    queue = SqliteQueue(database)
    store = SqliteRunStore(database)
    store.free_leases()
    queue.free_leases()

    def free_batch(body: bytes) -> None:
        message = msgspec.json.decode(body, type=WorkMessage)
        store.free_lease(message.run_id, message.fence, message.batch_id)

    return Pump(queue, destinations, task_key, client, on_broken_off=free_batch)


def child_specs(settings: Settings, environ: Mapping[str, str], task_key: Secret, source: Source) -> list[ChildSpec]:
    """The functions to serve: realtime and the dispatcher where others reach them, the worker somewhere on loopback.

    Only the import's functions get the key of this start.
    """
    serve, workers = settings.serve, settings.state.workers
    environment = {**environ, "LOCAL_TASK_KEY": task_key.reveal(), "WORKER_SLOTS": str(workers)}
    realtime = ChildSpec(
        name=REALTIME,
        target=REALTIME,
        source=source(REALTIME),
        environment=environ,
        threads=REALTIME_THREADS,
        host=serve.bind_host,
        port=serve.pub_sub_port,
        health_path="/health",
        called_by_others=True,
    )
    dispatch = ChildSpec(
        name=DISPATCH,
        target=DISPATCH,
        source=source(DISPATCH),
        environment=environment,
        threads=API_THREADS + PLAN_THREADS,
        host=serve.bind_host,
        port=serve.bulk_import_port,
        health_path="/health",
    )
    worker = ChildSpec(
        name=WORKER,
        target=WORKER,
        source=source(WORKER),
        environment=environment,
        threads=workers * DELIVERIES_PER_WORKER + 2,
        niceness=WORKER_NICENESS,
    )
    return [*([realtime] if serves_realtime(serve) else []), *([dispatch, worker] if serves_bulk(serve) else [])]
