"""What the tests of the command line share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_run import Run
from fake_import_api import FakeImportApi, fake_import_api
from typer.testing import CliRunner, Result

from shared.cli.app import app


@pytest.fixture
def api() -> Iterator[FakeImportApi]:
    """The import API, played by a server on loopback."""
    with fake_import_api() as playing:
        yield playing


@pytest.fixture
def run(api: FakeImportApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command as a person would, in a folder of its own, with the import API's port in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("BULK_IMPORT_API_KEY", "BULK_IMPORT_AUDIENCE", "BULK_IMPORT_PORT", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)

    def command(*arguments: str, typed: str | None = None, **environment: str) -> Result:
        return CliRunner().invoke(app, arguments, input=typed, env={"BULK_IMPORT_PORT": api.port, **environment})

    return command
