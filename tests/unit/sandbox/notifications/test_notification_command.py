"""`python -m sandbox.notifications`: every kind, about a resource of the sample, posted once."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from shop_world import shop as opened

from sandbox.notifications.__main__ import main
from sandbox.notifications.of_resource import KINDS

Received = list[Any]


@pytest.fixture(scope="module")
def project_url() -> Iterator[str]:
    """A small project of everything."""
    with opened(customers=3, categories=4, products=4, orders=12) as shop:
        yield shop.project.url


@pytest.fixture
def received() -> Received:
    """What the function was sent, decoded."""
    return []


@pytest.fixture
def function_url(received: Received) -> Iterator[str]:
    """A function that acknowledges everything but what is about a payment."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            told = json.loads(base64.b64decode(body["message"]["data"])) if "message" in body else body
            received.append(told)
            self.send_response(503 if told.get("resource", {}).get("typeId") == "payment" else 204)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_can_be_posted(project_url: str, function_url: str, received: Received, kind: str) -> None:
    """It ends with 0 when the notification was acknowledged, else with 1."""
    code = main([kind, "--commercetools", project_url, "--function", function_url])
    told = received[0]
    assert code == (1 if kind.startswith("Payment") else 0)
    if "type" in told:
        assert told["type"] == kind
    else:
        assert f"{told['resource']['typeId']}.{told['notificationType']}" == kind


def test_format_envelope_and_resource_can_be_chosen(
    project_url: str, function_url: str, received: Received, capsys: pytest.CaptureFixture[str]
) -> None:
    """A CloudEvent without payload, bare, about the customer that was named; and what was sent can be shown."""
    where = ["--commercetools", project_url, "--function", function_url]
    assert main(["CustomerCreated", *where]) == 0
    identifier = received[0]["resource"]["id"]
    options = ["--id", identifier, "--envelope", "bare", "--cloud-events", "--without-payload", "--show"]
    assert main(["CustomerCreated", *where, *options]) == 0
    assert received[1]["data"]["resource"]["id"] == received[1]["subject"] == identifier
    assert received[1]["data"]["payloadNotIncluded"]["payloadType"] == "CustomerCreated"
    assert json.loads(capsys.readouterr().out.splitlines()[1]) == received[1]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["CustomerCreated", "--id", "nobody"], "no such resource"),
        (["customer.ResourceUpdated", "--without-payload"], "payload"),
        (["NoSuchKind"], "invalid choice"),
    ],
)
def test_mistakes_are_named(
    project_url: str, function_url: str, capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    """With the exit code of a usage error; nothing is posted."""
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--commercetools", project_url, "--function", function_url])
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err


def test_a_function_that_is_not_there_is_named(project_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Instead of a traceback."""
    with pytest.raises(SystemExit):
        main(["CustomerCreated", "--commercetools", project_url, "--function", "http://127.0.0.1:9"])
    assert "does not answer" in capsys.readouterr().err
