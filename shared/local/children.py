"""Each function as a real functions-framework process: started, watched until it answers, restarted when it dies.

A child is a gunicorn master with one worker process of several threads. gunicorn itself replaces a worker that dies; this
module replaces a master that dies.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import httpx

from shared.errors import SyncError
from shared.local.listening import free_port, local_host

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 10.0
EARLY_S = 5.0
EARLY_DEATHS = 4
START_TIMEOUT_S = 60.0
SHOWN_LINES = 15

# The framework's and gunicorn's own variables: what serves a child is decided here, not by what the user's shell exports.
# WORKERS above all: to us it is the number of batches worked at once, to the framework a number of processes, and each
# process would have a rate limiter of its own.
_FRAMEWORK_VARIABLES = (
    "DEBUG",
    "PORT",
    "HOST",
    "CLOUD_RUN_TIMEOUT_SECONDS",
    "THREADED_TIMEOUT_ENABLED",
    "GUNICORN_PID",
    "GUNICORN_FD",
)


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """One function to serve: `target` in the file `source`, on `host`:`port` (None: a free port at each start).

    `health_path` is asked until it answers 200; without one an open port is enough, which the framework opens only after
    it has loaded the function. `environment` is the child's whole environment. A child that is `called_by_others` is asked to
    end as soon as everything is to stop; the others serve until the pump has. `niceness` (0 to 19): how far others go first
    where the machine's processors are short.
    """

    name: str
    target: str
    source: Path
    environment: Mapping[str, str]
    threads: int
    host: str = "127.0.0.1"
    port: int | None = None
    health_path: str | None = None
    called_by_others: bool = False
    niceness: int = 0


class ChildGaveUp(SyncError):
    """A child died at once several times in a row; the message has its last lines."""


def child_environment(spec: ChildSpec) -> dict[str, str]:
    """The environment of the child: its own, without what would change how the framework serves it."""
    package_root = str(Path(__file__).resolve().parents[2])
    python_path = [package_root, *filter(None, [spec.environment.get("PYTHONPATH")])]
    return {
        # Batches come and go in many threads. With glibc's arena for each thread their memory would never be used again,
        # and without a fixed threshold the megabytes of a body would stay with the process.
        "MALLOC_ARENA_MAX": "2",
        "MALLOC_MMAP_THRESHOLD_": "1048576",
        **{name: value for name, value in spec.environment.items() if name not in _FRAMEWORK_VARIABLES},
        "WORKERS": "1",
        "THREADS": str(spec.threads),
        "PYTHONPATH": os.pathsep.join(python_path),
    }


@dataclass(slots=True)
class Child:
    """A function's process over all its restarts; `tick` is called again and again by one thread.

    `url` is where the function answers, None while it does not. `say` gets one line for the operator.
    """

    spec: ChildSpec
    say: Callable[[str], None]
    monotonic: Callable[[], float] = time.monotonic
    url: str | None = None
    starts: int = 0
    _process: subprocess.Popen[bytes] | None = None
    _reader: threading.Thread | None = None
    _port: int = 0
    _started_at: float = 0.0
    _start_again_at: float = 0.0
    _early_deaths: int = 0
    _asked_to_end: bool = False
    _lines: deque[str] = field(default_factory=lambda: deque(maxlen=SHOWN_LINES))

    @property
    def pid(self) -> int | None:
        """The process id of the running child (gunicorn's master)."""
        return self._process.pid if self._process else None

    def tick(self) -> None:
        """Start the child when it is time to, note when it answers and when it dies.

        Raises `ChildGaveUp` when it died within seconds of its start, four times in a row.
        """
        now = self.monotonic()
        if self._process is None:
            if now >= self._start_again_at:
                self._start(now)
        elif (code := self._process.poll()) is not None:
            self._bury(now, code)
        elif self.url is None:
            if self._answers():
                self.url = f"http://{local_host(self.spec.host)}:{self._port}"
            elif now - self._started_at > START_TIMEOUT_S:
                self.say(f"{self.spec.name} did not answer within {START_TIMEOUT_S:.0f} s of its start")
                self._end_group(signal.SIGKILL)

    @property
    def has_ended(self) -> bool:
        """Whether the child's master has ended; a worker can outlive it by a moment."""
        return self._process is None or self._process.poll() is not None

    def ask_to_end(self) -> None:
        """Ask the child to take no new requests, finish those that it is answering, and end; asking again changes nothing."""
        self.url = None
        if self._process is not None and not self._asked_to_end:
            self._asked_to_end = True
            self._process.terminate()

    def end(self, timeout_s: float) -> None:
        """Wait `timeout_s` seconds for the child to end, then make it.

        Returns when its master has ended and whatever else is left of its process group was killed.
        """
        self.url = None
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout_s)
            self._end_group(signal.SIGKILL)
            self._process.wait()
            self._forget()

    def _start(self, now: float) -> None:
        spec = self.spec
        self._port = spec.port or free_port()
        arguments = {
            "--target": spec.target,
            "--source": str(spec.source),
            "--signature-type": "http",
            "--host": f"[{spec.host}]" if ":" in spec.host else spec.host,
            "--port": str(self._port),
        }
        self._lines.clear()
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module, no shell
            [sys.executable, "-m", "shared.local.child", *(word for pair in arguments.items() for word in pair)],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=child_environment(spec),
            process_group=0,
        )
        if self.spec.niceness:
            with contextlib.suppress(ProcessLookupError):  # it has died already, as the next look finds out
                os.setpriority(os.PRIO_PROCESS, self._process.pid, os.getpriority(os.PRIO_PROCESS, 0) + self.spec.niceness)
        self._started_at = now
        self.starts += 1
        assert self._process.stderr is not None  # noqa: S101 - it was asked for a line above
        self._reader = threading.Thread(target=self._pass_on, args=(self._process.stderr,), daemon=True)
        self._reader.start()

    def _pass_on(self, stderr: IO[bytes]) -> None:
        with stderr:
            for line in stderr:
                text = line.decode(errors="replace").rstrip("\n")
                self._lines.append(text)
                # Our own standard error may be closed; the child must not block on a pipe that nobody empties.
                with contextlib.suppress(OSError, ValueError):
                    sys.stderr.write(text + "\n")

    def _bury(self, now: float, code: int) -> None:
        was_early = self.url is None or now - self._started_at < EARLY_S
        self.url = None
        self._end_group(signal.SIGKILL)
        self._forget()
        self._early_deaths = self._early_deaths + 1 if was_early else 0
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        if self._early_deaths >= EARLY_DEATHS:
            last = "".join(f"\n    {line}" for line in self._lines) or " nothing"
            raise ChildGaveUp(
                f"{self.spec.name} died {self._early_deaths} times in a row at its start ({how}); its last words:{last}"
            )
        pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** max(0, self._early_deaths - 1))
        self._start_again_at = now + pause_s
        self.say(f"{self.spec.name} ended ({how}); starting it again in {pause_s:g} s")

    def _answers(self) -> bool:
        host = local_host(self.spec.host)
        if self.spec.health_path is None:
            with contextlib.suppress(OSError), socket.create_connection((host.strip("[]"), self._port), timeout=1):
                return True
            return False
        with contextlib.suppress(httpx.HTTPError):
            answer = httpx.get(f"http://{host}:{self._port}{self.spec.health_path}", timeout=1, trust_env=False)
            return answer.status_code == httpx.codes.OK
        return False

    def _end_group(self, number: signal.Signals) -> None:
        """Signal all that is left of the child's process group; a worker can outlive its master by a moment."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)

    def _forget(self) -> None:
        process, self._process = self._process, None
        self._asked_to_end = False
        if self._reader is not None:
            self._reader.join(timeout=1)
        if process is not None and process.stdin is not None:
            process.stdin.close()
