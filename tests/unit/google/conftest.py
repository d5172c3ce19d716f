"""Stores over the Firestore emulator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from firestore_world import Watched
from google_emulators import new_project
from google_firestore import client_of

from sandbox.emulators import Emulators


@pytest.fixture
def documents(google: Emulators) -> Iterator[Watched]:
    """An empty database."""
    with closing(Watched(client_of(google, new_project()), "(default)")) as watched:
        yield watched
