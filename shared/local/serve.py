"""`ct-klaviyo serve`: the import API and its workers on one machine, over one state file (product.md "Where it runs")."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

import functions
from shared import logs
from shared.access import refuse_unguarded_bind
from shared.bulk.messages import WorkMessage
from shared.bulk.ports import Topic
from shared.errors import ConfigError, Problem, SyncError
from shared.local.children import CannotListen, Child, ChildSpec, check_port
from shared.local.pump import Pump, Route, loopback_client
from shared.local.single import AlreadyServing, only_one
from shared.local.supervisor import Say, StopRequests, stop_signals, supervise
from shared.settings import QueueBackend, Secret, Settings, StateBackend, load, serves_bulk
from shared.sqlite.database import Database
from shared.sqlite.queue import SqliteQueue
from shared.sqlite.run_store import SqliteRunStore

Source = Callable[[str], Path]

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_CONFIG = 2

PLAN_THREADS = 2
DELIVERIES_PER_WORKER = 4
"""Batches under way for each that is worked on: the others wait for Klaviyo's jobs, which costs next to nothing."""

API_THREADS = 8
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
        with stop_signals() as stop, only_one(settings.state.state_path):
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
    """Raise `ConfigError` for what this version, or this way of running it, does not serve."""
    problems = list(refuse_unguarded_bind(settings))
    if not serves_bulk(settings.serve):
        problems.append(Problem("APP_TYPE", "this version serves imports only; unset it and CONNECT_ENV, or set BULK_IMPORT"))
    if settings.state.state_backend is not StateBackend.SQLITE:
        problems.append(Problem("STATE_BACKEND", "`serve` keeps its state in SQLite; leave it out"))
    if settings.state.queue_backend is not QueueBackend.SQLITE:
        problems.append(Problem("QUEUE_BACKEND", "`serve` keeps its queue in SQLite; leave it out"))
    if problems:
        raise ConfigError(problems)


def _serve(
    settings: Settings, specs: tuple[ChildSpec, ChildSpec], task_key: Secret, stop: StopRequests, out: Say, err: Say
) -> int:
    state, bind = settings.state, settings.serve
    check_port(bind.bind_host, bind.bulk_import_port)
    dispatch, worker = (Child(spec, err) for spec in specs)
    timeout_s = settings.budgets.worker_deadline_s + ANSWER_MARGIN_S
    deliveries = state.workers * DELIVERIES_PER_WORKER
    routes = (
        Route(Topic.WORK, lambda: worker.url, "/", deliveries, timeout_s),
        Route(Topic.PLAN, lambda: dispatch.url, "/tasks/plan", PLAN_THREADS, timeout_s),
    )

    def announce() -> None:
        out(f"import API: {dispatch.url}   state: {state.state_path}   stop with Ctrl-C or SIGTERM")

    with Database(state.state_path) as database, loopback_client(deliveries + PLAN_THREADS + 1) as client:
        queue = SqliteQueue(database)
        store = SqliteRunStore(database)
        store.free_leases()
        queue.free_leases()

        def free_batch(body: bytes) -> None:
            message = msgspec.json.decode(body, type=WorkMessage)
            store.free_lease(message.run_id, message.fence, message.batch_id)

        pump = Pump(queue, routes, task_key, client, on_broken_off=free_batch)
        supervise([dispatch, worker], pump, stop, on_ready=announce, say=err)
    out("stopped")
    return EXIT_OK


def child_specs(settings: Settings, environ: Mapping[str, str], task_key: Secret, source: Source) -> tuple[ChildSpec, ChildSpec]:
    """The dispatcher, where the import API is to listen, and the worker, somewhere on loopback."""
    workers = settings.state.workers
    environment = {**environ, "LOCAL_TASK_KEY": task_key.reveal(), "LOCAL_WORKERS": str(workers)}
    return (
        ChildSpec(
            name="bulk_dispatch",
            target="bulk_dispatch",
            source=source("bulk_dispatch"),
            environment=environment,
            threads=API_THREADS + PLAN_THREADS,
            host=settings.serve.bind_host,
            port=settings.serve.bulk_import_port,
            health_path="/health",
        ),
        ChildSpec(
            name="bulk_worker",
            target="bulk_worker",
            source=source("bulk_worker"),
            environment=environment,
            threads=workers * DELIVERIES_PER_WORKER + 2,
        ),
    )
