"""`unlock` removes an import lock that nothing holds any more, and says what it was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from cli_run import Run
from typer.testing import Result

RUN_ID = "0198c2f0-0000-7000-8000-000000000001"
PATH = "/tiny-project/custom-objects/klaviyo-ct-plugin-lock/customerFullSync"


@dataclass
class FakeProject:
    """A commercetools project that has room for one custom object."""

    url: str = ""
    stored: dict[str, Any] | None = None
    deleted: list[str] = field(default_factory=list)

    def lock(self, value: Any) -> None:
        """Put something in the place of the lock."""
        self.stored = {
            "container": "klaviyo-ct-plugin-lock", "key": "customerFullSync", "version": 3, "value": value,
            "createdAt": "2026-01-01T00:00:00.000Z", "lastModifiedAt": "2026-01-01T00:00:00.000Z",
        }  # fmt: skip

    def lock_by_run(self, lease: timedelta) -> None:
        """A lock of ours whose lease ends `lease` from now."""
        now = datetime.now(UTC)
        self.lock({"owner": RUN_ID, "since": "2026-01-01T00:00:00Z", "leaseUntil": (now + lease).isoformat(), "nonce": "n"})


@pytest.fixture
def project() -> Iterator[FakeProject]:
    project = FakeProject()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.answer(200, {"access_token": "t", "expires_in": 3600, "token_type": "Bearer"})

        def do_GET(self) -> None:
            found = project.stored if self.path.partition("?")[0] == PATH else None
            if found:
                self.answer(200, found)
            else:
                self.answer(
                    404, {"statusCode": 404, "message": "gone", "errors": [{"code": "ResourceNotFound", "message": "gone"}]}
                )

        def do_DELETE(self) -> None:
            found, project.stored = project.stored, None
            project.deleted.append(self.path.partition("?")[2])
            self.answer(200, found)

        def answer(self, code: int, body: Any) -> None:
            content = json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    project.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield project
    server.shutdown()
    server.server_close()
    thread.join()


def unlock(run: Run, project: FakeProject, *options: str) -> Result:
    """`ct-klaviyo unlock customers` with the settings of `serve`."""
    return run(
        "unlock", "customers", *options,
        CT_API_URL=project.url, CT_AUTH_URL=project.url, CT_PROJECT_ID="tiny-project",
        CT_API_CLIENT='{"clientId": "id", "secret": "not-a-secret"}', KLAVIYO_AUTH_KEY="pk_not_a_secret",
    )  # fmt: skip


def test_no_lock_is_no_error(run: Run, project: FakeProject) -> None:
    """There is nothing to do, and nothing is asked."""
    result = unlock(run, project)
    assert (result.exit_code, result.stdout) == (0, "there is no import lock of customers\n")


def test_an_expired_lock_is_removed_and_named(run: Run, project: FakeProject) -> None:
    """Whose it was and since when; only the version that was looked at is deleted."""
    project.lock_by_run(timedelta(minutes=-5))
    result = unlock(run, project, "--yes")
    assert result.exit_code == 0
    assert f"removed the import lock of customers, of run {RUN_ID} since 2026-01-01T00:00:00" in result.stdout
    assert project.deleted == ["version=3"]


def test_it_asks_before_it_removes(run: Run, project: FakeProject) -> None:
    """Without `--yes` and without an answer the lock stays."""
    project.lock("1")
    result = unlock(run, project)
    assert "by another product, which may be importing still. Go on? [y/N]" in result.stdout
    assert project.deleted == []
    assert result.exit_code == 1


def test_the_older_products_lock_can_be_removed(run: Run, project: FakeProject) -> None:
    """A bare value has no lease: only a person can know that nothing runs."""
    project.lock("1")
    result = unlock(run, project, "--yes")
    assert "made at 2026-01-01T00:00:00.000Z by another product" in result.stdout
    assert project.stored is None


def test_the_lock_of_a_live_run_stays(run: Run, project: FakeProject) -> None:
    """While the lease is good it is refused, with what to do instead."""
    project.lock_by_run(timedelta(minutes=2))
    result = unlock(run, project, "--yes")
    assert result.exit_code == 1
    assert f"run {RUN_ID} holds the import lock" in result.stderr
    assert "ct-klaviyo stop customers" in result.stderr
    assert project.deleted == []


def test_force_removes_even_the_lock_of_a_live_run(run: Run, project: FakeProject) -> None:
    """For a person who knows better than the lease."""
    project.lock_by_run(timedelta(minutes=2))
    assert unlock(run, project, "--yes", "--force").exit_code == 0
    assert project.deleted == ["version=3"]


def test_missing_settings_are_listed(run: Run) -> None:
    """Exit code 2, one line for each."""
    result = run("unlock", "customers", CT_API_URL="", CT_AUTH_URL="", CT_PROJECT_ID="", CT_API_CLIENT="", KLAVIYO_AUTH_KEY="")
    assert result.exit_code == 2
    named = {line.split(":")[0] for line in result.stderr.splitlines()}
    assert named == {"CT_API_URL", "CT_AUTH_URL", "CT_PROJECT_ID", "CT_API_CLIENT", "KLAVIYO_AUTH_KEY"}
