"""Starting the simulators and the product as processes of their own, for the demo, the benchmark and the tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

import httpx

from shared.local.listening import free_port

KLAVIYO_KEY = "pk_sandbox_0123456789"
CLIENT_ID, CLIENT_SECRET = "sandbox-client", "sandbox-secret"
PROJECT = "sandbox"
START_S = 120.0
SIMULATOR_START_S = 180.0
"""A simulator that prepares a large project takes a while."""
HTTP = httpx.Client(trust_env=False, timeout=90.0, limits=httpx.Limits(max_keepalive_connections=0))
"""For everything on loopback: whatever proxy the environment names knows nothing of this machine's ports."""

_READY = "listening on "


class LaunchError(RuntimeError):
    """A process did not come up; carries its last lines."""


@dataclass(slots=True)
class Launched:
    """A running process and where it answers."""

    name: str
    process: subprocess.Popen[str]
    url: str = ""
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=400))

    def kill(self) -> None:
        """SIGKILL to the process alone."""
        self.process.kill()
        self.process.wait()

    def kill_group(self) -> None:
        """SIGKILL to the process and all that it has started in its group."""
        _signal_group(self.process, signal.SIGKILL)
        self.process.wait()

    def stop(self, within_s: float = 20.0) -> int:
        """SIGTERM, then SIGKILL if it does not end `within_s` seconds; the exit code."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(within_s)
            except subprocess.TimeoutExpired:
                self.kill_group()
        return self.process.returncode


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Both simulators."""

    commercetools: Launched
    klaviyo: Launched

    def environment(self, state: Path, port: int, **more: str) -> dict[str, str]:
        """The environment in which the product talks to this sandbox and keeps its state in `state`."""
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TERM", "COLUMNS") if name in os.environ}
        return {
            **inherited,
            "CT_API_URL": self.commercetools.url,
            "CT_AUTH_URL": self.commercetools.url,
            "CT_PROJECT_ID": PROJECT,
            "CT_API_CLIENT": f'{{"clientId": "{CLIENT_ID}", "secret": "{CLIENT_SECRET}"}}',
            "KLAVIYO_API_URL": self.klaviyo.url,
            "KLAVIYO_AUTH_KEY": KLAVIYO_KEY,
            "STATE_PATH": str(state),
            "BULK_IMPORT_PORT": str(port),
            "PUB_SUB_PORT": str(free_port()),
            "PYTHONUNBUFFERED": "1",
            **more,
        }


@contextmanager
def sandbox(*, commercetools: Sequence[str] = (), klaviyo: Sequence[str] = ()) -> Iterator[Sandbox]:
    """Both simulators with these further arguments, as long as the context lasts."""
    with ExitStack() as stack:
        source = stack.enter_context(
            _simulator(
                "commercetools",
                ["--project-key", PROJECT, "--client-id", CLIENT_ID, "--client-secret", CLIENT_SECRET, *commercetools],
            )
        )
        target = stack.enter_context(_simulator("klaviyo", ["--key", KLAVIYO_KEY, *klaviyo]))
        yield Sandbox(source, target)


@contextmanager
def _simulator(name: str, arguments: Sequence[str]) -> Iterator[Launched]:
    launched = launch(name, [sys.executable, "-m", f"sandbox.{name}", "--port", "0", *arguments], dict(os.environ))
    try:
        launched.url = _announced_url(launched)
        yield launched
    finally:
        launched.stop(5)


def serve(environment: Mapping[str, str]) -> Launched:
    """`ct-klaviyo serve`, once its import API answers."""
    launched = launch("serve", [sys.executable, "-m", "shared.cli", "serve"], environment)
    launched.url = f"http://127.0.0.1:{environment['BULK_IMPORT_PORT']}"
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if launched.process.poll() is not None:
            break
        if is_healthy(launched.url):
            return launched
        time.sleep(0.05)
    launched.stop(5)
    raise LaunchError("serve did not come up:\n" + "\n".join(launched.lines))


def is_healthy(url: str) -> bool:
    """Whether the import API at `url` answers its health check."""
    with suppress(httpx.TransportError):
        return HTTP.get(f"{url}/health", timeout=1.0).status_code == httpx.codes.OK
    return False


def launch(name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path | None = None) -> Launched:
    """A process in a session of its own, whose output is kept in `lines`; it works in `folder`, by default in ours."""
    process = subprocess.Popen(  # noqa: S603 - our own programs
        command,
        env=dict(environment),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    launched = Launched(name, process)
    Thread(target=_collect, args=(launched,), daemon=True).start()
    return launched


def _collect(launched: Launched) -> None:
    assert launched.process.stdout is not None  # noqa: S101 - opened with a pipe
    with launched.process.stdout as output:
        for line in output:
            launched.lines.append(line.rstrip("\n"))


def _announced_url(launched: Launched) -> str:
    deadline = time.monotonic() + SIMULATOR_START_S
    while time.monotonic() < deadline:
        for line in list(launched.lines):
            if _READY in line:
                return line.split(_READY, 1)[1].strip()
        if launched.process.poll() is not None:
            break
        time.sleep(0.02)
    launched.stop(5)
    raise LaunchError(f"{launched.name} did not come up:\n" + "\n".join(launched.lines))


def _signal_group(process: subprocess.Popen[str], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
