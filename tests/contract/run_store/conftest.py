"""The adapters that must keep the run store's contract; another one is another entry of `ADAPTERS`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from shared.bulk.ports import RunStore
from shared.sqlite.database import Database
from shared.sqlite.run_store import SqliteRunStore


@contextmanager
def sqlite(folder: Path) -> Iterator[RunStore]:
    """An empty store in a file of its own."""
    with Database(folder / "state.sqlite3") as database:
        yield SqliteRunStore(database)


ADAPTERS: dict[str, Callable[[Path], AbstractContextManager[RunStore]]] = {"sqlite": sqlite}


@pytest.fixture(params=ADAPTERS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunStore]:
    """An empty run store."""
    with ADAPTERS[request.param](tmp_path) as opened:
        yield opened
