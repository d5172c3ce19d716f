"""Whether this bundle can do its work, shown without any other machine: `npm test`. 0 when it can."""

from __future__ import annotations

import base64
import http.client
import importlib.metadata
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

HOME = Path(__file__).resolve().parents[1]
WITHIN_S = 30.0
SYSTEM = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
NOWHERE = "http://127.0.0.1:9"
SETTINGS = {
    "CT_API_URL": NOWHERE,
    "CT_AUTH_URL": NOWHERE,
    "CT_PROJECT_ID": "self-test",
    "CT_API_CLIENT": '{"clientId": "self-test", "secret": "not-a-secret"}',
    "KLAVIYO_API_URL": NOWHERE,
    "KLAVIYO_AUTH_KEY": "pk_not_a_secret",
    "REALTIME_DEADLINE_S": "1",
    "LOG_LEVEL": "ERROR",
}
TEST_NOTIFICATION = {
    "notificationType": "ResourceCreated",
    "projectKey": "self-test",
    "resource": {"typeId": "subscription", "id": "self-test"},
    "version": 1,
    "modifiedAt": "2026-01-01T00:00:00.000Z",
}


class Broken(Exception):
    """What does not work."""


def every_wheel_is_installed() -> None:
    """In the version of the lock."""
    lock = (HOME / "wheels" / "requirements.txt").read_text(encoding="utf-8")
    for name, version in re.findall(r"^([\w.-]+)==(\S+)", lock, re.MULTILINE):
        _expect(f"the version of {name}", importlib.metadata.version(name), version)


def it_serves_and_stops() -> None:
    """Health, the test notification of a new subscription, a message that has to come again, and a clean end."""
    port = _free_port()
    with _begun({**SETTINGS, "PORT": str(port)}, "src/serve.py") as server:
        try:
            _wait_for(port, server)
            _expect("the test notification's status", _status(port, "POST", "/", json.dumps(TEST_NOTIFICATION).encode()), 204)
            # A dead letter, which cannot be written while commercetools is away.
            _expect("the status of what is no JSON", _status(port, "POST", "/", b"no JSON"), 503)
        finally:
            server.send_signal(signal.SIGTERM)
        _expect("the server's exit code", server.wait(WITHIN_S), 0)


def the_deployment_scripts_name_what_is_missing() -> None:
    """Without settings they end with 2 and the names of the variables."""
    for module in ("post_deploy", "post_deploy.pre_undeploy"):
        with _begun({}, "-m", module) as script:
            _, complaint = script.communicate(timeout=WITHIN_S)
        _expect(f"the exit code of {module} without settings", script.returncode, 2)
        _expect(f"{module} names CT_API_CLIENT", b"CT_API_CLIENT: is missing" in complaint, True)


def the_deployment_scripts_have_what_they_import() -> None:
    """The commercetools SDK, which is loaded only where something is written."""
    with _begun({}, "-c", "import post_deploy.sdk") as script:
        _expect("importing the SDK", script.wait(WITHIN_S), 0)


CHECKS: tuple[Callable[[], None], ...] = (
    every_wheel_is_installed,
    it_serves_and_stops,
    the_deployment_scripts_name_what_is_missing,
    the_deployment_scripts_have_what_they_import,
)


def main() -> int:
    """Run all checks and say of each how it went."""
    failures = 0
    for check in CHECKS:
        try:
            check()
        except (Broken, OSError, importlib.metadata.PackageNotFoundError, subprocess.TimeoutExpired) as error:
            failures += 1
            sys.stdout.write(f"FAILED  {check.__name__}: {error}\n")
        else:
            sys.stdout.write(f"ok      {check.__name__}\n")
    return 1 if failures else 0


def _expect(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise Broken(f"{what} is {found}, not {wanted}")


def _begun(environment: Mapping[str, str], *words: str) -> subprocess.Popen[bytes]:
    """The bundle's Python at work, with this environment and none of ours."""
    return subprocess.Popen(  # noqa: S603 - the bundle's own programs
        ["/bin/sh", str(HOME / "python.sh"), *words], env={**SYSTEM, **environment}, stderr=subprocess.PIPE
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _status(port: int, method: str, path: str, payload: bytes | None = None) -> int:
    """The status of an answer; a payload is posted as a queue pushes it, to the name by which a platform calls us."""
    body = None
    if payload is not None:
        body = json.dumps({"message": {"data": base64.b64encode(payload).decode(), "messageId": "1"}, "subscription": "s"})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body, {"Host": "connector.example.com", "Content-Type": "application/json"})
        return connection.getresponse().status
    finally:
        connection.close()


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + WITHIN_S
    while time.monotonic() < until and server.poll() is None:
        try:
            _expect("the status of the health check", _status(port, "GET", "/health"), 200)
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise Broken(f"the server does not answer; its exit code is {server.poll()}")


if __name__ == "__main__":
    sys.exit(main())
