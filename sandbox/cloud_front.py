"""The front of Cloud Run for what the Pub/Sub emulator pushes by itself: hands requests on to a function that is there.

An instance that dies under a request makes it a 503, and a request waits for one that is starting. The emulator needs that
more than Google does: once nobody has listened at its endpoint, its push may stop for good.
"""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from sandbox.cloud_functions import CloudFunction
from sandbox.notifications.wire import Connection, NoAnswer

TIMEOUT_S = 60.0
_ACCEPTED, _NO_CONTENT, _UNAVAILABLE = 202, 204, 503


class CloudFront:
    """Listens at `url` as long as its context lasts; `statuses` has what was answered to every request, in that order."""

    def __init__(self, function: CloudFunction) -> None:
        self.statuses: list[int] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(function, self.statuses))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(function: CloudFunction, statuses: list[int]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = _status_of(function, self.path, self.headers.get_content_type(), body)
            statuses.append(status)
            # Pub/Sub takes 202 for an acknowledgement; its emulator does not.
            self.send_response(_NO_CONTENT if status == _ACCEPTED else status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


def _status_of(function: CloudFunction, path: str, content_type: str, body: bytes) -> int:
    connection = Connection(function.url(), TIMEOUT_S)
    try:
        return connection.send("POST", path, {"content-type": content_type, "user-agent": "CloudPubSub-Google"}, body).status
    except NoAnswer:
        return _UNAVAILABLE
    finally:
        connection.close()
