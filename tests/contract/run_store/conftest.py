"""The adapters that must keep the run store's contract; another one is another entry of `ADAPTERS`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from google_emulators import IN_ONE_PROCESS
from google_firestore import emulated_store

from sandbox.emulators import Emulators
from shared.bulk.ports import RunStore
from shared.sqlite.database import Database
from shared.sqlite.run_store import SqliteRunStore


@contextmanager
def sqlite(request: pytest.FixtureRequest) -> Iterator[RunStore]:
    """An empty store in a file of its own."""
    folder: Path = request.getfixturevalue("tmp_path")
    with Database(folder / "state.sqlite3") as database:
        yield SqliteRunStore(database)


@contextmanager
def firestore(request: pytest.FixtureRequest) -> Iterator[RunStore]:
    """An empty store in a Google Cloud project of its own."""
    google: Emulators = request.getfixturevalue("google")
    with emulated_store(google) as store:
        yield store


ADAPTERS: dict[str, Callable[[pytest.FixtureRequest], AbstractContextManager[RunStore]]] = {
    "sqlite": sqlite,
    "firestore": firestore,
}


@pytest.fixture(params=["sqlite", pytest.param("firestore", marks=IN_ONE_PROCESS)])
def store(request: pytest.FixtureRequest) -> Iterator[RunStore]:
    """An empty run store."""
    with ADAPTERS[request.param](request) as opened:
        yield opened
