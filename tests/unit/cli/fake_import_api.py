"""A small real HTTP server that plays the import API (http-api.md)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

RUN_ID = "0198c2f0-0000-7000-8000-000000000001"


KINDS = ("categories", "products", "customers", "orders", "all")


def chain(state: str, *children: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The status document of a chain; links that are not given are pending."""
    begun = {child["kind"]: child for child in children}
    nothing = {"runId": None, "status": "pending", "total": None, "seen": 0, "progress": 0.0}
    links = [begun.get(kind, {**nothing, "kind": kind}) for kind in KINDS[:-1]]
    return status(state, **{"kind": "all", "total": None, "children": links, **fields})


def status(state: str, **fields: Any) -> dict[str, Any]:
    """The status document of a run."""
    return {
        "runId": RUN_ID,
        "kind": "customers",
        "status": state,
        "resumable": state in {"stopped", "halted", "interrupted"},
        "startedAt": "2026-01-01T00:00:00+00:00",
        "updatedAt": "2026-01-01T00:01:12+00:00",
        "finishedAt": "2026-01-01T00:01:12+00:00" if state in {"completed", "completed_with_errors", "stopped"} else None,
        "options": {},
        "total": 1000,
        "seen": 0,
        "sent": 0,
        "skipped": 0,
        "failed": 0,
        "batches": {"planned": 1, "done": 0, "failed": 0},
        "ratePerSecond": 0.0,
        "etaSeconds": None,
        "progress": 0.0,
        "skippedReasons": {},
        "failedReasons": {},
        "adjustments": {},
        "problems": [],
        "examples": [],
        "haltReason": None,
        "cursor": None,
        **fields,
    }


@dataclass
class Call:
    """One request that the server got."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class FakeImportApi:
    """What the server answers: `answers` by method and path; the run's status is the next of `course`, the last one stays.

    `guard` stands before it, as Google does before a private service: what it answers is the answer.
    """

    url: str = ""
    course: list[dict[str, Any]] = field(default_factory=lambda: [status("completed", progress=1.0)])
    answers: dict[tuple[str, str], tuple[int, Any]] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    stops_within: int = 1
    guard: Callable[[Call], tuple[int, str] | None] = lambda _call: None
    lock: Lock = field(default_factory=Lock)

    @property
    def port(self) -> str:
        """The port as a text."""
        return self.url.rpartition(":")[2]

    def called(self, method: str, path: str) -> list[Call]:
        """The requests of that kind."""
        return [call for call in self.calls if (call.method, call.path) == (method, path)]

    def answer(self, call: Call) -> tuple[int, Any]:
        """Status and body for a request."""
        with self.lock:
            self.calls.append(call)
            if (call.method, call.path) in self.answers:
                return self.answers[call.method, call.path]
            if call.path == f"/runs/{RUN_ID}":
                return 200, self.course.pop(0) if len(self.course) > 1 else self.course[0]
            if call.path in {f"/sync/{kind}/stop" for kind in KINDS}:
                last = self.course[0]
                self.course = [{**last, "status": "stopping"}] * self.stops_within + [
                    {**last, "status": "stopped", "resumable": True}
                ]
                return 200, {"runId": RUN_ID, "status": "stopping"}
            starts = {f"/sync/{kind}": kind for kind in KINDS}
            if call.path in {*starts, f"/runs/{RUN_ID}/resume", f"/runs/{RUN_ID}/retry"}:
                return 202, {"runId": RUN_ID, "kind": starts.get(call.path, "customers"), "status": "accepted"}
            if call.path in {f"/sync/{kind}/status" for kind in KINDS}:
                return 200, self.course[0]
            if call.path == "/sync/status":
                return 200, {"kinds": {"customers": self.course[0]}}
            if call.path.startswith("/runs?"):
                return 200, {"runs": [self.course[0]]}
            return 404, {"error": "not_found", "message": "no such path"}


@contextmanager
def fake_import_api() -> Iterator[FakeImportApi]:
    """The server on a free loopback port."""
    api = FakeImportApi()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            call = Call(self.command, self.path, headers, json.loads(sent) if sent else None)
            stopped = api.guard(call)
            code, body = stopped or api.answer(call)
            content = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Type", "text/html; charset=UTF-8" if stopped else "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    api.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
