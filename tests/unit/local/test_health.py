"""The health check of a container asks the servers that are to run, and no others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from shared.local.health import health_urls, unhealthy
from shared.local.listening import free_port
from shared.settings import load

Server = Callable[[int], str]


@pytest.fixture
def server() -> Iterator[Server]:
    """Starts a server that answers `/health` with a status; gives its port."""
    started: list[ThreadingHTTPServer] = []

    def start(status: int) -> str:
        class Answering(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status if self.path == "/health" else 404)
                self.end_headers()

            def log_request(self, *_: object) -> None:
                """Say nothing."""

        made = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        started.append(made)
        Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return str(made.server_port)

    yield start
    for one in started:
        one.shutdown()
        one.server_close()


def environ(realtime: str, bulk: str, **more: str) -> dict[str, str]:
    return {
        "CT_API_URL": "https://api.example.com",
        "CT_AUTH_URL": "https://auth.example.com",
        "CT_PROJECT_ID": "tiny-project",
        "CT_API_CLIENT": '{"clientId": "id", "secret": "not-a-secret"}',
        "KLAVIYO_AUTH_KEY": "pk_not_a_secret",
        "PUB_SUB_PORT": realtime,
        "BULK_IMPORT_PORT": bulk,
        **more,
    }


def test_both_servers_must_answer(server: Server) -> None:
    """One that is well does not make up for one that is not there."""
    assert unhealthy(environ(server(200), server(200))) == []
    assert unhealthy(environ(server(200), str(free_port()))) == ["import API does not answer (ConnectError)"]
    assert unhealthy(environ(str(free_port()), server(200))) == ["realtime does not answer (ConnectError)"]


def test_any_other_answer_than_200_is_unhealthy(server: Server) -> None:
    """A function whose settings cannot be used answers, too."""
    assert unhealthy(environ(server(500), server(204))) == ["realtime answers 500", "import API answers 204"]


@pytest.mark.parametrize(
    ("narrowed", "asked"),
    [
        ({"APP_TYPE": "EVENT"}, "realtime"),
        ({"APP_TYPE": "BULK_IMPORT"}, "import API"),
        ({"CONNECT_ENV": "connect_prod"}, "realtime"),
    ],
)
def test_only_what_is_to_run_is_asked(server: Server, narrowed: dict[str, str], asked: str) -> None:
    """`APP_TYPE` and `CONNECT_ENV` leave one server; that the other does not answer is right."""
    absent, well = str(free_port()), server(200)
    ports = (well, absent) if asked == "realtime" else (absent, well)
    assert unhealthy(environ(*ports, **narrowed)) == []
    assert unhealthy(environ(*reversed(ports), **narrowed)) == [f"{asked} does not answer (ConnectError)"]


@pytest.mark.parametrize(
    ("bound", "asked"), [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("127.0.0.2", "127.0.0.2"), ("::1", "[::1]")]
)
def test_it_asks_where_the_servers_listen(bound: str, asked: str) -> None:
    """On loopback where they listen on all addresses."""
    urls = health_urls(load(environ("8080", "6779", BIND_HOST=bound)).serve)
    assert urls == {"realtime": f"http://{asked}:8080/health", "import API": f"http://{asked}:6779/health"}


def test_settings_that_cannot_be_used_are_unhealthy() -> None:
    """Nothing runs by them; which they are, `serve` has said."""
    assert unhealthy({"KLAVIYO_AUTH_KEY": "pk_not_a_secret"}) == ["the settings cannot be used"]
