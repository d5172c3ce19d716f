"""The real functions-framework process of `realtime_event`, as `ct-klaviyo serve` runs it, watched from outside."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

import functions
from sandbox.launch import START_S, LaunchError, Sandbox, is_healthy
from shared.local.children import ChildSpec, child_environment
from shared.local.listening import free_port

_LOOK_EVERY_S = 0.005


@dataclass(slots=True)
class Function:
    """A running process; `started_s` passed from its start to its first answer. `output` has what it logs."""

    url: str
    process: subprocess.Popen[bytes]
    output: Path
    started_s: float

    def processes(self) -> list[psutil.Process]:
        """gunicorn's master and its worker."""
        master = psutil.Process(self.process.pid)
        return [master, *master.children(recursive=True)]

    def handled(self, after: int = 0) -> tuple[list[dict[str, Any]], int]:
        """The log lines of notifications since this place in the output, and the place after them."""
        with self.output.open("rb") as file:
            file.seek(after)
            written = file.read()
        lines = [json.loads(line) for line in written.splitlines() if line.startswith(b"{")]
        return [line for line in lines if line["message"] == "notification handled"], after + len(written)

    def stop(self) -> None:
        """End it as a platform does."""
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()


def start(servers: Sandbox, folder: Path, threads: int) -> Function:
    """Start it with JSON logs from INFO up, its state in `folder`; it answers when this returns. Raises `LaunchError`."""
    port, output = free_port(), folder / "output.log"
    inherited = servers.environment(folder / "state.sqlite3", 0, LOG_FORMAT="json", LOG_LEVEL="INFO")
    environment: Mapping[str, str] = {name: value for name, value in inherited.items() if not name.endswith("_PORT")}
    source = Path(functions.__path__[0]) / "realtime_event" / "main.py"
    spec = ChildSpec("realtime_event", "realtime_event", source, environment, threads)
    command = [sys.executable, "-m", "shared.local.child", "--target", spec.target, "--source", str(spec.source)]
    command += ["--signature-type", "http", "--host", spec.host, "--port", str(port)]
    begun = time.monotonic()
    with output.open("wb") as written:
        process = subprocess.Popen(  # noqa: S603 - our own program
            command,
            env=child_environment(spec),
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=written,
            stderr=written,
            start_new_session=True,
        )
    function = Function(f"http://127.0.0.1:{port}", process, output, 0.0)
    while not is_healthy(function.url):
        if process.poll() is not None or time.monotonic() - begun > START_S:
            function.stop()
            raise LaunchError(f"realtime_event did not come up:\n{output.read_text()[-4000:]}")
        time.sleep(_LOOK_EVERY_S)
    function.started_s = time.monotonic() - begun
    return function
