"""The import's functions as Google Cloud starts them: they come up without asking anybody, and let nobody in but the queue."""

from __future__ import annotations

import base64
import http.client
import json
import os
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shared.access import SIGNATURE_REMOVED
from shared.local.listening import free_port

ROOT = Path(__file__).parents[2]
PUSH = {"PUSH_SERVICE_ACCOUNT": "push@my-cloud-project.iam.example.com", "PUSH_AUDIENCE": "https://import.example.com"}
ADAPTERS = {"STATE_BACKEND": "firestore", "QUEUE_BACKEND": "pubsub", "GOOGLE_CLOUD_PROJECT": "my-cloud-project"}
TASKS = {"bulk_dispatch": "/tasks/plan", "bulk_worker": "/"}
"""The path of each function's tasks."""


@dataclass(frozen=True)
class Function:
    """A running function, and the file that its log goes to."""

    port: int
    log: Path

    def answer(self, method: str, path: str, *headers: tuple[str, str]) -> int:
        """The status for a request with exactly these headers, each as often and as it is written here."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.putrequest(method, path)
            for name, value in (*headers, ("Content-Length", "0")):
                connection.putheader(name, value)
            connection.endheaders()
            return connection.getresponse().status
        finally:
            connection.close()

    def faults(self) -> list[str]:
        """Why tasks were refused."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [line["reason"] for line in lines if line["message"].startswith("task refused")]


def started(target: str, log: Path, port: int, environ: dict[str, str]) -> subprocess.Popen[bytes]:
    """The function under functions-framework, on Google Cloud as far as it can tell; no host that it knows of answers."""
    known = {
        "PATH": os.environ["PATH"],
        "CT_API_URL": "http://127.0.0.1:9",
        "CT_AUTH_URL": "http://127.0.0.1:9",
        "CT_PROJECT_ID": "tiny-project",
        "CT_API_CLIENT": '{"clientId": "id", "secret": "not-a-secret"}',
        "KLAVIYO_AUTH_KEY": "pk_not_a_secret",
        "HOST": "127.0.0.1",
        "K_SERVICE": target,
    }
    program = Path(sysconfig.get_path("scripts")) / "functions-framework"
    command = [str(program), "--target", target, "--source", "main.py", "--port", str(port)]
    with log.open("wb") as stream:
        return subprocess.Popen(command, cwd=ROOT, env=known | environ, stderr=stream)


@contextmanager
def running(target: str, folder: Path) -> Iterator[Function]:
    """The function with all that it needs, once it listens."""
    function = Function(free_port(), folder / f"{target}.log")
    process = started(target, function.log, function.port, {**PUSH, **ADAPTERS})
    try:
        until = time.monotonic() + 30
        while not _listens(function):
            assert process.poll() is None, function.log.read_text()
            assert time.monotonic() < until, "no answer"
            time.sleep(0.02)
        yield function
    finally:
        process.terminate()
        process.wait(20)


def _listens(function: Function) -> bool:
    try:
        return function.answer("GET", "/health") == 200
    except OSError:
        return False


def checked(**changed: Any) -> str:
    """The header with the queue's token, as Cloud Run hands it on."""
    claims = {
        "iss": "https://accounts.google.com",
        "aud": PUSH["PUSH_AUDIENCE"],
        "email": PUSH["PUSH_SERVICE_ACCOUNT"],
        "email_verified": True,
        "exp": int(time.time()) + 3_600,
        **changed,
    }
    return f"Bearer eyJh.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.{SIGNATURE_REMOVED}"


@pytest.mark.parametrize("target", TASKS)
def test_a_function_answers_health_and_refuses_strangers_before_google_is_asked_for_anything(target: str, tmp_path: Path) -> None:
    """Neither headers that come twice nor another spelling of the platform's header pass the web server for the queue's token."""
    person, path = ("Authorization", checked(email="person@example.com")), TASKS[target]
    with running(target, tmp_path) as function:
        assert function.answer("POST", path) == 401
        assert function.answer("POST", path, person) == 401
        assert function.answer("POST", path, person, ("X_Serverless_Authorization", checked())) == 401
        assert function.faults() == ["no_token", "token_of_another_account"], "the other spelling is dropped"
        assert function.answer("POST", path, person, ("Authorization", checked())) == 401
        assert function.answer("POST", path, person, ("X-Serverless-Authorization", checked())) == 401
        assert function.faults()[2:] == ["unreadable_token", "forged_token"]


def test_a_function_that_could_never_take_a_task_does_not_start(tmp_path: Path) -> None:
    """A deployment fails with what is to be set, instead of an import that stands still."""
    process = started("bulk_worker", tmp_path / "log", free_port(), {})
    assert process.wait(30) == 2
    line = json.loads((tmp_path / "log").read_text())
    assert (line["severity"], line["message"]) == ("CRITICAL", "the settings cannot be used")
    for name in (*PUSH, "STATE_BACKEND", "QUEUE_BACKEND"):
        assert name in line["error"]
