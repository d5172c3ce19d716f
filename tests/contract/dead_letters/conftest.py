"""The adapters that must keep the dead letters' contract; another one is another entry of `ADAPTERS`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from shared.dead_letters import DeadLetters
from shared.sqlite.database import Database
from shared.sqlite.dead_letters import SqliteDeadLetters


@contextmanager
def sqlite(folder: Path) -> Iterator[DeadLetters]:
    """No dead letters, in a file of its own."""
    with Database(folder / "state.sqlite3") as database:
        yield SqliteDeadLetters(database)


ADAPTERS: dict[str, Callable[[Path], AbstractContextManager[DeadLetters]]] = {"sqlite": sqlite}


@pytest.fixture(params=ADAPTERS)
def letters(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DeadLetters]:
    """An empty store of dead letters."""
    with ADAPTERS[request.param](tmp_path) as opened:
        yield opened
