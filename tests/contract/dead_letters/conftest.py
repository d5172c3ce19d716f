"""The adapters that must keep the dead letters' contract; another one is another entry of `ADAPTERS`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx
import pytest

from shared.commercetools.client import open_commercetools
from shared.commercetools.dead_letters import CustomObjectDeadLetters
from shared.dead_letters import DeadLetters
from shared.sqlite.database import Database
from shared.sqlite.dead_letters import SqliteDeadLetters


@contextmanager
def sqlite(request: pytest.FixtureRequest, most: int | None) -> Iterator[DeadLetters]:
    """No dead letters, in a file of its own."""
    folder: Path = request.getfixturevalue("tmp_path")
    with Database(folder / "state.sqlite3") as database:
        yield SqliteDeadLetters(database, most=most) if most else SqliteDeadLetters(database)


@contextmanager
def custom_objects(request: pytest.FixtureRequest, most: int | None) -> Iterator[DeadLetters]:
    """No dead letters, in a simulated project."""
    url: str = request.getfixturevalue("letters_project")
    httpx.post(f"{url}/_sandbox/reset", trust_env=False, timeout=60).raise_for_status()
    client = open_commercetools(
        api_url=url, auth_url=url, project_id="sandbox", client_id="sandbox-client", secret="sandbox-secret"
    )
    yield CustomObjectDeadLetters(client, most=most, look_every=1) if most else CustomObjectDeadLetters(client)
    client.close()


@pytest.fixture(scope="session")
def letters_project() -> Iterator[str]:
    """The address of a simulated commercetools project."""
    command = [sys.executable, "-m", "sandbox.commercetools", "--port", "0", "--customers", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().removeprefix("listening on ").strip()
        process.terminate()


Opened = Callable[[pytest.FixtureRequest, int | None], AbstractContextManager[DeadLetters]]

ADAPTERS: dict[str, Opened] = {"sqlite": sqlite, "custom_objects": custom_objects}


@pytest.fixture(params=ADAPTERS)
def letters(request: pytest.FixtureRequest) -> Iterator[DeadLetters]:
    """An empty store of dead letters."""
    with ADAPTERS[request.param](request, None) as opened:
        yield opened


@pytest.fixture
def few() -> int:
    """How many letters a small store keeps."""
    return 20


@pytest.fixture(params=ADAPTERS)
def few_letters(request: pytest.FixtureRequest, few: int) -> Iterator[DeadLetters]:
    """An empty store that keeps `few` dead letters."""
    with ADAPTERS[request.param](request, few) as opened:
        yield opened
