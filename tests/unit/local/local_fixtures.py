"""Tiny functions and servers that the tests of the local supervisor run for real."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psutil

# Appends what it was asked to a file beside it, waits as long as a file tells it, and answers as another file tells it.
TINY_FUNCTION = """
import json, os, pathlib, time

HERE = pathlib.Path(__file__).parent

def note(event, **fields):
    with (HERE / "calls.jsonl").open("a") as file:
        file.write(json.dumps({"event": event, "pid": os.getpid(), "parent": os.getppid(), **fields}) + "\\n")

def answer(request):
    if request.path == "/health":
        return ("ok", 200)
    note("begun", path=request.path, key=request.headers.get("X-Local-Task-Key"), type=request.headers.get("ce-type"))
    slow = HERE / "seconds"
    time.sleep(float(slow.read_text()) if slow.exists() else 0)
    note("ended", path=request.path)
    return ("", 204)

realtime_event = bulk_dispatch = bulk_worker = answer
"""


def tiny_function(folder: Path, source: str = TINY_FUNCTION) -> Path:
    """A function's file in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "main.py"
    path.write_text(source)
    return path


def eventually(condition: Callable[[], Any], timeout_s: float = 60.0) -> Any:
    """The condition's value once it is true; fails when it does not become so in time."""
    until = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < until, f"not within {timeout_s} s"
        time.sleep(0.02)
    return value


def is_alive(pid: int) -> bool:
    """Whether the process still runs; one that ended and was not waited for by its parent does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@dataclass
class Server:
    """An HTTP server that notes what it gets; `status` is its answer, `gate` lets answers go.

    While it `breaks`, it closes the connection of a request instead of answering, as a server does that dies.
    """

    url: str = ""
    status: int = 204
    breaks: bool = False
    gate: Event = field(default_factory=Event)
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)


@contextmanager
def recording_server() -> Any:
    """A `Server` on loopback that answers at once until its gate is closed."""
    state = Server()
    state.gate.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            state.gate.wait(60)
            if state.breaks:
                self.close_connection = True
                return
            self.send_response(state.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.gate.set()
        server.shutdown()
        server.server_close()
        thread.join()
