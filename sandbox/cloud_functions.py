"""Functions as Cloud Run keeps them: served as Google's build starts them, and started again when they die."""

from __future__ import annotations

import socket
import sysconfig
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Self

import httpx

from sandbox.launch import HTTP, START_S, Launched, LaunchError, launch
from shared.local.listening import free_port

ROOT = Path(__file__).resolve().parents[1]
"""What is uploaded: the folder with `main.py`."""

LONGEST_START_S = 10.0
"""How long a request waits for an instance to come up."""

_LOOK_S = 0.05


class CloudFunction:
    """One function with a number of instances, each a process on an address of its own for all its lives.

    `threads` is the concurrency of an instance, `environment` all that its variables are beside those of the platform.
    """

    def __init__(self, name: str, environment: Mapping[str, str], threads: int, instances: int = 1) -> None:
        self.name, self.threads = name, threads
        self.deaths = 0
        self._environment = {
            **environment,
            "FUNCTION_TARGET": name,
            "FUNCTION_SIGNATURE_TYPE": "http",
            "K_SERVICE": name.replace("_", "-"),
            "K_REVISION": f"{name.replace('_', '-')}-00001-abc",
            "K_CONFIGURATION": name.replace("_", "-"),
            "HOST": "127.0.0.1",
            "THREADS": str(threads),
        }
        self._ports = [free_port() for _ in range(instances)]
        self._turn = count()
        self._lock = threading.Lock()
        self._instances = [self._launched(port) for port in self._ports]

    @property
    def urls(self) -> list[str]:
        """Where each of the instances answers."""
        return [instance.url for instance in self._instances]

    @property
    def instances(self) -> list[Launched]:
        """The running processes: gunicorn's masters."""
        return list(self._instances)

    def url(self) -> str:
        """Where the next request goes: to the instances in turn; as Cloud Run does, it waits for one that is starting."""
        port = self._ports[next(self._turn) % len(self._ports)]
        deadline = time.monotonic() + LONGEST_START_S
        while not _listens(port) and time.monotonic() < deadline:
            time.sleep(_LOOK_S)
        return _url(port)

    def lines(self) -> list[str]:
        """What the running instances have written last."""
        return [line for instance in self._instances for line in list(instance.lines)]

    def wait(self, within_s: float = START_S) -> None:
        """Until every instance answers. Raises `LaunchError` when one does not."""
        deadline = time.monotonic() + within_s
        for number in range(len(self._instances)):
            while not _answers(self._instances[number].url):
                if time.monotonic() > deadline:
                    raise LaunchError(f"{self.name} did not come up:\n" + "\n".join(self._instances[number].lines))
                time.sleep(_LOOK_S)

    def kill(self, number: int = 0, before_it_returns: Callable[[], object] = lambda: None) -> None:
        """SIGKILL to all processes of an instance; it is started again, but not before a call of `before_it_returns` ends."""
        with self._lock:
            self._instances[number].kill_group()
            before_it_returns()
            self._revive()

    def look(self) -> None:
        """Start again what has died."""
        with self._lock:
            self._revive()

    def stop(self) -> None:
        """End all instances."""
        with self._lock:
            for instance in self._instances:
                instance.kill_group()

    def _revive(self) -> None:
        for number, instance in enumerate(self._instances):
            if instance.process.poll() is not None:
                instance.kill_group()  # of the master's death its workers learn only later
                self.deaths += 1
                self._instances[number] = self._launched(self._ports[number])

    def _launched(self, port: int) -> Launched:
        program = Path(sysconfig.get_path("scripts")) / "functions-framework"
        instance = launch(self.name, [str(program)], {**self._environment, "PORT": str(port)}, ROOT)
        instance.url = _url(port)
        return instance


class Supervisor:
    """Has an eye on functions while its context lasts; they end with it."""

    def __init__(self, functions: list[CloudFunction]) -> None:
        self._functions = functions
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        for function in self._functions:
            function.stop()

    def _watch(self) -> None:
        while not self._ended.wait(_LOOK_S):
            for function in self._functions:
                function.look()


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
        return True
    return False


def _answers(url: str) -> bool:
    with suppress(httpx.TransportError):
        return HTTP.get(f"{url}/health", timeout=2.0).status_code == httpx.codes.OK
    return False
