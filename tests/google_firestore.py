"""Firestore stores for tests, each in a Google Cloud project of its own on the emulator."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime

import pytest
from google.cloud.firestore import Client
from google_emulators import new_project

from sandbox.emulators import Emulators
from shared.google.firestore_documents import Documents
from shared.google.run_store import FirestoreRunStore

_marks = itertools.count(1)


def client_of(google: Emulators, project: str) -> Callable[[], Client]:
    """Makes a client of the emulator; the library reads where that is from the environment, and only when it is made."""

    def opened() -> Client:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("FIRESTORE_EMULATOR_HOST", google.firestore.url)
            return Client(project=project)

    return opened


def store_over(documents: Documents, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> FirestoreRunStore:
    """A run store over these documents; each write has a number for its mark."""
    return FirestoreRunStore(documents, now=now, new_mark=lambda: f"mark-{next(_marks)}")


@contextmanager
def emulated_store(google: Emulators) -> Iterator[FirestoreRunStore]:
    """An empty store, for which the time of no run is over, whatever the date of the test's records."""
    documents = Documents(client_of(google, new_project()), "(default)")
    with closing(store_over(documents, lambda: datetime(2026, 1, 1, tzinfo=UTC))) as store:
        yield store
