"""The simulator as a real HTTP server."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from klaviyo_bench import HEADERS, profile

from sandbox.klaviyo.__main__ import main
from sandbox.serving import is_loopback

ROOT = Path(__file__).parents[4]
ANNA = json.dumps({"data": profile(external_id="anna")}).encode()


@pytest.fixture(scope="module")
def server() -> Iterator[httpx.Client]:
    command = [sys.executable, "-m", "sandbox.klaviyo", "--port", "0", "--key", "pk_sandbox", "--job-seconds", "0.1"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("listening on http://127.0.0.1:")
        with httpx.Client(base_url=line.split()[-1], headers=HEADERS, timeout=60, trust_env=False) as client:
            yield client
    finally:
        process.terminate()
        _, logged = process.communicate(timeout=60)
    assert logged == "", "the server logs nothing, least of all paths and keys"


@pytest.fixture(autouse=True)
def _clean(server: httpx.Client) -> None:
    assert server.post("/_sandbox/reset").status_code == 204


def test_it_answers_over_http(server: httpx.Client) -> None:
    """Created, and there."""
    assert server.post("/api/profile-import", content=ANNA).status_code == 201
    assert server.get("/_sandbox/summary").json()["profiles"] == 1


def test_a_reset_connection_gives_no_answer(server: httpx.Client) -> None:
    """The client sees a broken connection, and the next request works."""
    server.post("/_sandbox/faults", json=[{"kind": "reset", "first": 1}])
    with pytest.raises(httpx.TransportError):
        server.post("/api/profile-import", content=ANNA)
    assert server.post("/api/profile-import", content=ANNA).status_code == 201


def test_a_lost_answer_was_accepted(server: httpx.Client) -> None:
    """The connection breaks, the profile exists: sending again updates it."""
    server.post("/_sandbox/faults", json=[{"kind": "lost", "first": 1}])
    with pytest.raises(httpx.TransportError):
        server.post("/api/profile-import", content=ANNA)
    assert server.post("/api/profile-import", content=ANNA).status_code == 200


def test_a_truncated_answer_breaks_while_it_is_read(server: httpx.Client) -> None:
    """The announced length never arrives."""
    server.post("/_sandbox/faults", json=[{"kind": "truncate", "first": 1}])
    with pytest.raises(httpx.RemoteProtocolError):
        server.post("/api/profile-import", content=ANNA)


def test_a_hang_outlasts_the_clients_timeout(server: httpx.Client) -> None:
    """Nothing arrives."""
    server.post("/_sandbox/faults", json=[{"kind": "hang", "seconds": 0.7, "first": 1}])
    with pytest.raises(httpx.ReadTimeout):
        server.post("/api/profile-import", content=ANNA, timeout=0.2)
    assert server.post("/api/profile-import", content=ANNA).status_code == 201


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.1", "example.com", "::"])
def test_only_loopback_is_served(host: str) -> None:
    """Anything else ends before a port is opened."""
    assert not is_loopback(host)
    with pytest.raises(SystemExit):
        main(["--host", host])


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.5", "localhost", "::1"])
def test_loopback_has_several_names(host: str) -> None:
    """All of them are fine."""
    assert is_loopback(host)
