"""`serve` runs realtime, and dispatcher, worker and pump over one state file, and ends in order."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from local_fixtures import TINY_FUNCTION, eventually, is_alive, tiny_function
from queue_depth import depth_of

from shared.bulk.messages import WorkMessage, encoded
from shared.bulk.ports import Topic
from shared.bulk.records import Batch, BatchStatus, IdRange, Kind, Run, RunStatus
from shared.local.listening import free_port
from shared.local.serve import DELIVERIES_PER_WORKER, WORKER_NICENESS
from shared.sqlite.database import Database
from shared.sqlite.queue import SqliteQueue
from shared.sqlite.run_store import SqliteRunStore

ROOT = Path(__file__).parents[3]
PROGRAM = Path(__file__).with_name("tiny_serve.py")


class Serving:
    """A supervisor in a process of its own, over tiny functions in `folder`."""

    def __init__(self, folder: Path, command: Sequence[str], **environment: str) -> None:
        self.folder, self.port, self.realtime_port = folder, free_port(), free_port()
        self.state_path = folder / "state.sqlite3"
        self.out, self.err = folder / "out.txt", folder / "err.txt"
        environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "CT_API_URL": "http://127.0.0.1:9",
            "CT_AUTH_URL": "http://127.0.0.1:9",
            "CT_PROJECT_ID": "tiny-project",
            "CT_API_CLIENT": '{"clientId": "id", "secret": "not-a-secret"}',
            "KLAVIYO_AUTH_KEY": "pk_not_a_secret",
            "STATE_PATH": str(self.state_path),
            "PUB_SUB_PORT": str(self.realtime_port),
            "BULK_IMPORT_PORT": str(self.port),
            "WORKERS": "2",
            **environment,
        }
        with self.out.open("a") as out, self.err.open("a") as err:
            self.process = subprocess.Popen([sys.executable, *command], env=environ, cwd=folder, stdout=out, stderr=err)

    def ready(self) -> Serving:
        """Wait for the line that says so."""
        eventually(lambda: self.process.poll() is not None or "stop with Ctrl-C" in self.out.read_text())
        assert self.process.poll() is None, self.err.read_text()
        return self

    def ended(self, timeout_s: float = 90.0) -> int:
        """The exit code."""
        return self.process.wait(timeout_s)

    def offspring(self) -> list[int]:
        """The process ids of the children and their workers."""
        return [process.pid for process in psutil.Process(self.process.pid).children(recursive=True)]

    def calls(self, function: str, event: str) -> list[dict[str, Any]]:
        """What a tiny function noted."""
        path = self.folder / function / "calls.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [call for call in map(json.loads, lines) if call["event"] == event]

    def publish(self, topic: Topic, *bodies: bytes) -> None:
        """Put messages into the queue, as the functions do."""
        with Database(self.state_path) as database:
            SqliteQueue(database).publish(topic, bodies)

    def left(self) -> int:
        """How many work messages have not been acknowledged."""
        with Database(self.state_path) as database:
            return depth_of(database, Topic.WORK).total


Begin = Callable[..., Serving]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    started: list[Serving] = []

    def start(seconds: float = 0.0, worker: str = TINY_FUNCTION, command: Sequence[str] = (), **environment: str) -> Serving:
        for function, source in (("realtime_event", TINY_FUNCTION), ("bulk_dispatch", TINY_FUNCTION), ("bulk_worker", worker)):
            tiny_function(tmp_path / function, source)
            (tmp_path / function / "seconds").write_text(str(seconds))
        command = command or [str(PROGRAM), str(tmp_path)]
        started.append(Serving(tmp_path, command, **environment))
        return started[-1]

    yield start
    for serving in started:
        if serving.process.poll() is None:
            serving.process.kill()
            serving.process.wait()


def test_it_says_where_it_listens_and_how_to_stop_it(begin: Begin) -> None:
    """One line on standard output, once all functions answer."""
    serving = begin().ready()
    realtime, bulk = (f"http://127.0.0.1:{port}" for port in (serving.realtime_port, serving.port))
    assert serving.out.read_text().splitlines() == [
        f"realtime: {realtime}   import API: {bulk}   state: {serving.state_path}   stop with Ctrl-C or SIGTERM"
    ]
    for url in (realtime, bulk):
        assert httpx.get(f"{url}/health", trust_env=False, timeout=60).status_code == 200


def test_the_worker_lets_realtime_go_first(begin: Begin) -> None:
    """Where processors are short, an import waits: its worker, and whatever serves it, has the lower priority."""
    serving = begin().ready()
    niceness: dict[str, set[int]] = {"realtime_event": set(), "bulk_worker": set()}
    for pid in serving.offspring():
        process = psutil.Process(pid)
        for name in niceness.keys() & set(process.cmdline()):
            niceness[name].add(process.nice())
    usual = psutil.Process().nice()
    assert niceness == {"realtime_event": {usual}, "bulk_worker": {usual + WORKER_NICENESS}}


@pytest.mark.parametrize(
    "environment", [{"APP_TYPE": "EVENT"}, {"CONNECT_ENV": "prod"}, {"CONNECT_ENV": "prod", "APP_TYPE": "EVENT"}]
)
def test_realtime_alone_needs_no_state_and_no_pump(begin: Begin, environment: dict[str, str]) -> None:
    """Nothing of the import runs, and no file is made or held, so that an import may be served beside it."""
    serving = begin(STATE_BACKEND="firestore", QUEUE_BACKEND="pubsub", **environment).ready()
    url = f"http://127.0.0.1:{serving.realtime_port}"
    assert serving.out.read_text().splitlines() == [f"realtime: {url}   stop with Ctrl-C or SIGTERM"]
    assert httpx.post(url, trust_env=False, timeout=60).status_code == 204
    assert len(serving.offspring()) == 2
    assert {path.name for path in serving.folder.iterdir() if "state" in path.name} == set()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{serving.port}/health", trust_env=False, timeout=60)
    serving.process.terminate()
    assert serving.ended() == 0


def test_the_import_alone_leaves_the_realtime_port_to_others(begin: Begin) -> None:
    """`APP_TYPE=BULK_IMPORT`: as a second process beside realtime alone, on the same settings otherwise."""
    serving = begin(APP_TYPE="BULK_IMPORT").ready()
    assert serving.out.read_text().startswith("import API: ")
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{serving.realtime_port}/health", trust_env=False, timeout=60)


@pytest.mark.parametrize("environment", [{}, {"APP_TYPE": "EVENT"}])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_notification_under_way_end(begin: Begin, number: signal.Signals, environment: dict[str, str]) -> None:
    """It is answered, the next finds nobody listening, and nothing is left running."""
    serving = begin(**environment).ready()
    (serving.folder / "realtime_event" / "seconds").write_text("2.5")
    url, offspring = f"http://127.0.0.1:{serving.realtime_port}", serving.offspring()
    with ThreadPoolExecutor(1) as caller:
        answer = caller.submit(httpx.post, url, trust_env=False, timeout=60)
        eventually(lambda: serving.calls("realtime_event", "begun"))
        serving.process.send_signal(number)
        eventually(lambda: "what realtime_event is answering; press Ctrl-C again" in serving.err.read_text())
        with pytest.raises(httpx.TransportError):
            httpx.post(url, trust_env=False, timeout=1)
        assert answer.result().status_code == 204
    assert serving.ended() == 0
    assert len(serving.calls("realtime_event", "ended")) == 1
    eventually(lambda: not any(is_alive(pid) for pid in offspring))


def test_a_second_signal_ends_the_wait_for_notifications(begin: Begin) -> None:
    """Whoever sent it delivers it again."""
    serving = begin(APP_TYPE="EVENT").ready()
    (serving.folder / "realtime_event" / "seconds").write_text("60")
    with ThreadPoolExecutor(1) as caller:
        answer = caller.submit(httpx.post, f"http://127.0.0.1:{serving.realtime_port}", trust_env=False, timeout=60)
        eventually(lambda: serving.calls("realtime_event", "begun"))
        serving.process.send_signal(signal.SIGINT)
        eventually(lambda: "press Ctrl-C again" in serving.err.read_text())
        serving.process.send_signal(signal.SIGINT)
        assert serving.ended(timeout_s=10) == 0
        assert isinstance(answer.exception(), httpx.TransportError)


def test_the_key_of_this_start_is_for_the_imports_functions_only(begin: Begin) -> None:
    """Realtime, which others call, does not even know it."""
    serving = begin().ready()
    httpx.post(f"http://127.0.0.1:{serving.realtime_port}", trust_env=False, timeout=60)
    [realtime] = serving.calls("realtime_event", "begun")
    serving.publish(Topic.WORK, b"work")
    [work] = eventually(lambda: serving.calls("bulk_worker", "begun"))
    keys = [psutil.Process(call["pid"]).environ().get("LOCAL_TASK_KEY") for call in (realtime, work)]
    assert keys == [None, work["key"]]


def test_messages_reach_their_function_with_the_key_of_this_start(begin: Begin) -> None:
    """Work goes to the worker, plans to the dispatcher's task path, both with a key made at start."""
    serving = begin().ready()
    serving.publish(Topic.WORK, b"work")
    serving.publish(Topic.PLAN, b"plan")
    [work] = eventually(lambda: serving.calls("bulk_worker", "ended") and serving.calls("bulk_worker", "begun"))
    [plan] = eventually(lambda: serving.calls("bulk_dispatch", "begun"))
    assert (work["path"], plan["path"]) == ("/", "/tasks/plan")
    assert work["type"] == "google.cloud.pubsub.topic.v1.messagePublished"
    assert work["key"] == plan["key"]
    assert len(work["key"]) >= 32


def test_a_child_that_dies_is_replaced_and_its_message_delivered_again(begin: Begin) -> None:
    """`kill -9` of the worker's server while it works loses nothing."""
    serving = begin(seconds=2.0).ready()
    serving.publish(Topic.WORK, b"work")
    [first] = eventually(lambda: serving.calls("bulk_worker", "begun"))
    (serving.folder / "bulk_worker" / "seconds").write_text("0")
    os.killpg(first["parent"], signal.SIGKILL)
    [done] = eventually(lambda: serving.calls("bulk_worker", "ended"))
    assert done["pid"] != first["pid"]
    eventually(lambda: serving.left() == 0)
    assert "bulk_worker ended (signal SIGKILL); starting it again" in serving.err.read_text()


def test_the_batch_of_a_worker_that_dies_is_free_at_once(begin: Begin) -> None:
    """Its lease is not waited for, and no other batch is touched."""
    serving = begin(seconds=60.0).ready()
    now = datetime.now(UTC)
    run = Run(
        run_id="run-1",
        kind=Kind.CUSTOMERS,
        status=RunStatus.RUNNING,
        fence=1,
        lease_until=now,
        started_at=now,
        updated_at=now,
        resumed_at=now,
    )
    with Database(serving.state_path) as database:
        store = SqliteRunStore(database)
        store.create(run, [IdRange(index=0)])
        batches = [Batch(run_id="run-1", range_index=0, number=number, size=10) for number in (1, 2)]
        store.record("run-1", 1, IdRange(index=0), IdRange(index=0, planned=2, done=True), batches)
        for batch in batches:
            store.take("run-1", 1, batch.batch_id, "worker", now, now + timedelta(hours=1))
        serving.publish(Topic.WORK, encoded(WorkMessage("run-1", 1, batches[0].batch_id)))
        [call] = eventually(lambda: serving.calls("bulk_worker", "begun"))
        os.kill(call["pid"], signal.SIGKILL)
        [freed] = eventually(lambda: store.batches("run-1", [BatchStatus.QUEUED]))
        assert freed.batch_id == batches[0].batch_id


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_running_deliveries_end(begin: Begin, number: signal.Signals) -> None:
    """Deliveries under way are finished and acknowledged, the next is not begun, nothing is left running, exit code 0."""
    serving = begin(seconds=1.0, WORKERS="1").ready()
    at_once = DELIVERIES_PER_WORKER
    serving.publish(Topic.WORK, *(b"%d" % number for number in range(at_once + 1)))
    eventually(lambda: len(serving.calls("bulk_worker", "begun")) == at_once)
    offspring = serving.offspring()
    serving.process.send_signal(number)
    assert serving.ended() == 0
    assert len(serving.calls("bulk_worker", "begun")) == len(serving.calls("bulk_worker", "ended")) == at_once
    assert serving.left() == 1
    eventually(lambda: not any(is_alive(pid) for pid in offspring))
    assert f"{at_once} deliveries under way" in serving.err.read_text()


def test_a_second_signal_ends_the_wait(begin: Begin) -> None:
    """Whoever presses Ctrl-C twice does not wait for the batch; it is delivered again at the next start."""
    serving = begin(seconds=60.0).ready()
    serving.publish(Topic.WORK, b"one")
    eventually(lambda: serving.calls("bulk_worker", "begun"))
    serving.process.send_signal(signal.SIGINT)
    eventually(lambda: "press Ctrl-C again" in serving.err.read_text())
    serving.process.send_signal(signal.SIGINT)
    assert serving.ended(timeout_s=10) == 0
    assert serving.left() == 1


def test_the_children_die_with_a_killed_supervisor(begin: Begin) -> None:
    """After `kill -9` of the supervisor no process of it is left within two seconds."""
    serving = begin().ready()
    offspring = serving.offspring()
    assert len(offspring) >= 4
    serving.process.kill()
    eventually(lambda: not any(is_alive(pid) for pid in offspring), timeout_s=2.0)


def test_after_a_killed_supervisor_the_next_one_takes_up_its_messages_at_once(begin: Begin) -> None:
    """Leases of the dead are freed at the start, not waited for."""
    dead = begin(seconds=60.0).ready()
    dead.publish(Topic.WORK, b"one")
    eventually(lambda: dead.calls("bulk_worker", "begun"))
    dead.process.kill()
    dead.process.wait()
    began = time.monotonic()
    serving = begin().ready()
    eventually(lambda: serving.left() == 0)
    assert time.monotonic() - began < 15


def test_a_second_supervisor_on_the_same_state_is_refused(begin: Begin) -> None:
    """It exits with 2 and names the lock file and the process that holds it; the first goes on."""
    first = begin().ready()
    second = begin()
    assert second.ended() == 2
    told = second.err.read_text()
    assert f"{first.state_path}.lock" in told
    assert f"process {first.process.pid}" in told
    assert httpx.get(f"http://127.0.0.1:{first.port}/health", trust_env=False, timeout=60).status_code == 200


def test_a_worker_that_cannot_start_ends_it_with_the_reason(begin: Begin) -> None:
    """Exit code 1 and the child's own last words."""
    serving = begin(worker="raise RuntimeError('no such module here')")
    assert serving.ended(timeout_s=200) == 1
    assert "bulk_worker died 4 times in a row at its start" in serving.err.read_text()
    assert "no such module here" in serving.err.read_text()


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"APP_TYPE": "EVENTS"}, "APP_TYPE: must be one of EVENT, BULK_IMPORT"),
        ({"BIND_HOST": "0.0.0.0", "APP_TYPE": "EVENT"}, "PUSH_SERVICE_ACCOUNT: is not set, but BIND_HOST opens the realtime"),
        ({"BIND_HOST": "0.0.0.0"}, "BULK_IMPORT_API_KEY: is not set, but BIND_HOST opens the import API to others"),
        ({"KLAVIYO_AUTH_KEY": "", "WORKERS": "many"}, "KLAVIYO_AUTH_KEY: is missing"),
        ({"STATE_BACKEND": "firestore"}, "STATE_BACKEND: `serve` keeps its state in SQLite"),
    ],
)
def test_settings_that_cannot_be_served_are_listed(begin: Begin, environment: dict[str, str], told: str) -> None:
    """Exit code 2 before anything starts, with one line for each problem and no secret in it."""
    serving = begin(**environment)
    assert serving.ended() == 2
    written = serving.err.read_text()
    assert told in written
    assert "not_a_secret" not in written
    assert not serving.state_path.exists()


def test_a_taken_port_is_a_fault_of_the_settings(begin: Begin) -> None:
    """Exit code 2, and the address that is taken."""
    first = begin().ready()
    second = begin(BULK_IMPORT_PORT=str(first.port), STATE_PATH=str(first.folder / "other.sqlite3"))
    assert second.ended() == 2
    assert f"cannot listen on 127.0.0.1:{first.port}" in second.err.read_text()


def test_a_taken_realtime_port_is_one_too(begin: Begin) -> None:
    """Before anything starts."""
    first = begin().ready()
    second = begin(PUB_SUB_PORT=str(first.realtime_port), STATE_PATH=str(first.folder / "other.sqlite3"))
    assert second.ended() == 2
    assert f"cannot listen on 127.0.0.1:{first.realtime_port}" in second.err.read_text()


def test_the_command_serves_the_products_own_functions_from_any_folder(begin: Begin) -> None:
    """`ct-klaviyo serve` finds all three functions, whatever the working directory is, and ends with 0."""
    serving = begin(command=["-m", "shared.cli", "serve"]).ready()
    url = f"http://127.0.0.1:{serving.port}"
    assert httpx.get(f"{url}/health", trust_env=False, timeout=60).json() == {"status": "ok"}
    assert httpx.get(f"{url}/sync/status", trust_env=False, timeout=60).json() == {"kinds": dict.fromkeys(Kind)}
    assert httpx.post(f"{url}/tasks/plan", trust_env=False, timeout=60).status_code == 401
    realtime = f"http://127.0.0.1:{serving.realtime_port}"
    assert httpx.get(f"{realtime}/health", trust_env=False, timeout=60).json() == {"status": "ok"}
    assert httpx.post(realtime, content=b"poison", trust_env=False, timeout=60).status_code == 202
    serving.process.terminate()
    assert serving.ended() == 0
