"""A proxy before a simulator that can answer by itself, with everything it was told in the answer: a host that leaks."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

GARBAGE = 200
"""The status that stands for a success whose body cannot be read."""

_NOT_PASSED_ON = {"host", "connection", "content-length", "transfer-encoding", "content-encoding", "accept-encoding"}


class EchoProxy:
    """Passes requests on to `target`, but for those whose paths begin with `prefix` while there are `statuses` left.

    Such a request gets the next status and a body in both vendors' error shapes, whose every text repeats the request's
    headers and body and, for a GET, the real answer. `lasting` repeats a status until told otherwise. `seen` has all that
    went through, as bytes.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self.prefix = "/"
        self.statuses: deque[int] = deque()
        self.lasting: int | None = None
        self.echoed = 0
        self.seen: list[bytes] = []
        self.client = httpx.Client(
            base_url=target, timeout=60.0, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
        )
        self._lock = threading.Lock()

    def echo(self, prefix: str, *statuses: int, lasting: int | None = None) -> None:
        """From now on answer paths that begin with `prefix` with these statuses, then with `lasting`, if it is given."""
        with self._lock:
            self.prefix, self.statuses, self.lasting, self.echoed = prefix, deque(statuses), lasting, 0

    def pass_on(self) -> None:
        """From now on pass everything on."""
        self.echo("/")

    def next_status(self, path: str) -> int | None:
        """The status of the proxy's own answer; None to pass the request on."""
        with self._lock:
            if not path.startswith(self.prefix) or not (self.statuses or self.lasting):
                return None
            self.echoed += 1
            return self.statuses.popleft() if self.statuses else self.lasting


def _echoing(text: str) -> bytes:
    error = {
        "id": text,
        "code": text,
        "title": text,
        "detail": text,
        "message": text,
        "detailedErrorMessage": text,
        "source": {"pointer": f"/data/attributes/profiles/data/0/attributes/{text}"},
        "meta": {"duplicate_profile_id": text},
        "extensions": {"code": text},
    }
    return json.dumps({"message": text, "error": text, "error_description": text, "errors": [error]}).encode()


@contextmanager
def echo_proxy(target: str) -> Iterator[tuple[str, EchoProxy]]:
    """A proxy before `target` and its address, as long as the context lasts."""
    proxy = EchoProxy(target)

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _NOT_PASSED_ON}
            told = f"{self.command} {self.path}\n{json.dumps(headers)}\n".encode() + body
            proxy.seen.append(told)
            status = proxy.next_status(self.path)
            if status is None or self.command == "GET":
                answer = proxy.client.request(self.command, self.path, headers=headers, content=body)
                proxy.seen.append(answer.content)
                told += answer.content
            if status is None:
                kept = {name: value for name, value in answer.headers.items() if name not in _NOT_PASSED_ON}
                self._send(answer.status_code, answer.content, kept)
                return
            text = told.decode("utf-8", "replace")
            credentials = self.headers.get("Authorization", "none")
            echoed = {"X-Echo": credentials, "Retry-After": credentials, "RateLimit-Limit": credentials, "Location": credentials}
            self._send(status, text.encode() if status == GARBAGE else _echoing(text), echoed, reason=credentials)

        def _send(self, status: int, content: bytes, headers: dict[str, Any], reason: str | None = None) -> None:
            self.send_response(status, reason)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = _handle  # noqa: N815 - the base class's names

        def log_message(self, *_: object) -> None:
            """Quiet."""

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except ConnectionError:
                self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        proxy.client.close()
