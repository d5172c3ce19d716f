"""A realtime process starts quickly, stays small, imports only what it needs, and answers whatever is posted to it."""

from __future__ import annotations

import base64
import http.client
import json
import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from shared.budget import budget_of
from shared.local.listening import free_port
from shared.realtime.envelope import MOST_BODY_BYTES
from shared.sqlite.database import Database
from shared.sqlite.dead_letters import SqliteDeadLetters

ROOT = Path(__file__).parents[2]
MOST_START_S = 0.6
MOST_MEMORY_BYTES = 96_000_000
TRIES = 25
ON_GOOGLE_CLOUD = {
    "K_SERVICE": "realtime-event",
    "STATE_BACKEND": "firestore",
    "QUEUE_BACKEND": "pubsub",
    "GOOGLE_CLOUD_PROJECT": "demo-sync",
}

NEVER_IMPORTED = [
    *("grpc", "google.auth", "google.api_core", "google.cloud.firestore", "google.cloud.pubsub_v1", "cryptography"),
    *("commercetools", "klaviyo_api", "requests", "pydantic"),
    *("rich", "pygments", "typer", "starlette", "uvicorn", "phonenumbers"),
    *("shared.bulk", "shared.local", "shared.cli", "sandbox", "sqlite3"),
]


@dataclass(frozen=True)
class Realtime:
    """A running function: gunicorn's master and its worker."""

    url: str
    process: subprocess.Popen[bytes]
    started_in_s: float

    def memory_bytes(self) -> list[int]:
        """The resident memory of master and worker, each counted with its share of what both use."""
        master = psutil.Process(self.process.pid)
        infos = [process.memory_full_info() for process in (master, *master.children(recursive=True))]
        return [getattr(info, "pss", info.uss) for info in infos]


def environment(folder: Path, **more: str) -> dict[str, str]:
    """What a function is told; neither host answers."""
    return {
        "PATH": os.environ["PATH"],
        "CT_API_URL": "http://127.0.0.1:9",
        "CT_AUTH_URL": "http://127.0.0.1:9",
        "CT_PROJECT_ID": "tiny-project",
        "CT_API_CLIENT": '{"clientId": "id", "secret": "not-a-secret"}',
        "KLAVIYO_AUTH_KEY": "pk_not_a_secret",
        "STATE_PATH": str(folder / "state.sqlite3"),
        "HOST": "127.0.0.1",
        "THREADS": "16",
        **more,
    }


@contextmanager
def running(environ: dict[str, str]) -> Iterator[Realtime]:
    """The function under functions-framework, as a deployment starts it, once it has answered."""
    port = free_port()
    program = Path(sysconfig.get_path("scripts")) / "functions-framework"
    command = [str(program), "--target", "realtime_event", "--source", "main.py", "--port", str(port)]
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, env=environ, stderr=subprocess.DEVNULL)
    try:
        started_in_s = _first_answer(process, port) - began
        yield Realtime(f"http://127.0.0.1:{port}", process, started_in_s)
    finally:
        process.terminate()
        process.wait(20)


def _first_answer(process: subprocess.Popen[bytes], port: int) -> float:
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/health")
            answer = connection.getresponse()
            assert (answer.status, json.loads(answer.read())) == (200, {"status": "ok"})
            return time.perf_counter()
        except OSError:
            time.sleep(0.005)
        finally:
            connection.close()
    pytest.fail(f"no answer; exit code {process.poll()}")


@pytest.fixture(scope="module")
def _compiled() -> None:
    """As Google's build leaves it: what is measured must not be the compiler."""
    trees = [ROOT / "shared", ROOT / "functions", ROOT / "main.py", sysconfig.get_path("purelib")]
    subprocess.run([sys.executable, "-m", "compileall", "-q", *map(str, trees)], capture_output=True, check=False)


@pytest.fixture
def realtime(tmp_path: Path) -> Iterator[Realtime]:
    with running(environment(tmp_path)) as function:
        yield function


@pytest.mark.usefixtures("_compiled")
def test_the_first_answer_comes_within_six_tenths_of_a_second(tmp_path: Path) -> None:
    """From the start of the process; the best of some tries, since machines are busy with other things too."""
    took_s = []
    for _ in range(TRIES):
        with running(environment(tmp_path, **ON_GOOGLE_CLOUD)) as function:
            took_s.append(function.started_in_s)
        if took_s[-1] < MOST_START_S:
            break
    assert min(took_s) < MOST_START_S, took_s


def test_master_and_worker_together_stay_below_96_megabytes(realtime: Realtime) -> None:
    """Also after a message of five megabytes."""
    assert len(realtime.memory_bytes()) == 2
    assert sum(realtime.memory_bytes()) < MOST_MEMORY_BYTES
    large = b'{"message": {"data": "' + b"eyJh" * 1_250_000 + b'"}}'
    assert httpx.post(realtime.url, content=large, trust_env=False, timeout=60).status_code == 202
    assert sum(realtime.memory_bytes()) < MOST_MEMORY_BYTES


def test_only_what_realtime_needs_is_imported(tmp_path: Path) -> None:
    """Neither grpc nor an SDK, nothing for terminals, nothing of the import, on Google Cloud no SQLite; also after a message."""
    check = """
import sys
from functions_framework import create_app
app = create_app("realtime_event", "main.py")
assert app.test_client().post("/", data=sys.argv[1]).status_code == 204
print(*sys.modules)
"""
    environ = environment(tmp_path, **ON_GOOGLE_CLOUD)
    test = b'{"notificationType": "ResourceCreated", "resource": {"typeId": "subscription", "id": "s-1"}}'
    push = json.dumps({"message": {"data": base64.b64encode(test).decode(), "messageId": "1"}})
    command = [sys.executable, "-c", check, push]
    shown = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    loaded = shown.stdout.split()
    assert "shared.realtime.process" in loaded
    assert [name for name in loaded if any(name == never or name.startswith(f"{never}.") for never in NEVER_IMPORTED)] == []


POISON: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "no JSON": lambda: b"hello",
    "no UTF-8": lambda: b"\xff\xfe",
    "no message": lambda: b'{"subscription": "s"}',
    "bad base64": lambda: b'{"message": {"data": "%%%"}}',
    "no notification": lambda: b'{"message": {"data": "e30="}}',
    "of great depth": lambda: b'{"message": ' + b"[" * 100_000,
    "too large": lambda: b" " * (MOST_BODY_BYTES + 1),
}
CONTENT_TYPES = ["application/json", "application/cloudevents+json", "text/plain; charset=UTF-8", ""]


def test_poison_is_acknowledged_and_set_aside_and_the_process_lives(realtime: Realtime, tmp_path: Path) -> None:
    """Whatever it says it is, on any path; what is too large may come in pieces of unknown number."""
    worker = psutil.Process(realtime.process.pid).children()[0].pid
    with httpx.Client(base_url=realtime.url, trust_env=False, timeout=60) as client:
        for number, (name, body) in enumerate(POISON.items()):
            headers = {"content-type": CONTENT_TYPES[number % len(CONTENT_TYPES)], "ce-id": "x"}
            assert client.post("/", content=body(), headers=headers).status_code == 202, name
            assert client.post("/any/path", content=iter([body()]), headers=headers).status_code == 202, name
    with Database(tmp_path / "state.sqlite3") as database:
        letters = SqliteDeadLetters(database).newest(budget_of(5.0))
    assert {letter.reason for letter in letters} == {
        *("not_a_json_object", "no_message", "data_is_not_base64", "body_too_large"),
    }
    assert psutil.Process(realtime.process.pid).children()[0].pid == worker


def test_only_posts_deliver(realtime: Realtime) -> None:
    """Everything else is told so, and nothing is redirected."""
    for method in ("GET", "PUT", "DELETE", "PATCH", "HEAD"):
        answer = httpx.request(method, realtime.url, trust_env=False, timeout=60)
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_a_stranger_is_refused_before_anything_is_read_of_the_message(realtime: Realtime, tmp_path: Path) -> None:
    """Without a guard of its own it answers this machine only, and a refusal leaves no dead letter behind."""
    answer = httpx.post(realtime.url, content=b"poison", headers={"host": "sync.example.com"}, trust_env=False, timeout=60)
    assert (answer.status_code, answer.json()["error"]) == (403, "forbidden")
    with running(environment(tmp_path, PUSH_SERVICE_ACCOUNT="push@cloud.example.com", PUSH_AUDIENCE="audience")) as guarded:
        for headers in ({}, {"authorization": "Bearer a.b.c"}):
            answer = httpx.post(guarded.url, content=b"poison", headers=headers, trust_env=False, timeout=60)
            assert (answer.status_code, answer.json()["error"]) == (401, "unauthorized")
        assert httpx.get(f"{guarded.url}/health", trust_env=False, timeout=60).status_code == 200
    with Database(tmp_path / "state.sqlite3") as database:
        assert SqliteDeadLetters(database).newest(budget_of(5.0)) == []
