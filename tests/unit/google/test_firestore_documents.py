"""Firestore's documents: errors that tell a person what to do, and how records are stored."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import DefaultCredentialsError
from google.cloud.firestore import Client

from shared.errors import HostDown, TransientError
from shared.google.errors import NotPermitted, NotThere
from shared.google.firestore_documents import Documents, is_document_id, packed, plain, unpacked

SECRET = "ada@example.com"  # what Google's own texts may quote


@dataclass
class RefusingClient:
    """A client of the project `shop` whose every call ends so."""

    error: Exception
    project: str = "shop"

    def get_all(self, *_: object, **__: object) -> Any:
        raise self.error


def read_error(open_client: Callable[[], Any]) -> TransientError:
    """What a reader is told."""
    with pytest.raises(TransientError) as caught:
        Documents(open_client, "sync").get()
    return caught.value


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (exceptions.PermissionDenied(SECRET), NotPermitted, "roles/datastore.user"),
        (exceptions.Unauthenticated(SECRET), NotPermitted, "gcloud auth application-default login"),
        (exceptions.NotFound(SECRET), NotThere, "FIRESTORE_DATABASE"),
        (exceptions.FailedPrecondition(SECRET), NotThere, "Native mode"),
        (exceptions.DeadlineExceeded(SECRET), HostDown, "DEADLINE_EXCEEDED"),
        (exceptions.RetryError(SECRET, exceptions.ServiceUnavailable(SECRET)), HostDown, "UNAVAILABLE"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_names_database_and_project_and_what_to_do(error: Exception, kind: type[Exception], says: str) -> None:
    """And never repeats Google's text."""
    told = read_error(lambda: RefusingClient(error))
    assert isinstance(told, kind)
    assert "database sync of project shop" in str(told)
    assert says in str(told)
    assert SECRET not in str(told)


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (DefaultCredentialsError(), NotPermitted, "gcloud auth application-default login"),
        (OSError("Project was not passed and could not be determined from the environment."), NotThere, "GOOGLE_CLOUD_PROJECT"),
    ],
    ids=["no credentials", "no project"],
)
def test_a_client_that_cannot_be_made_is_an_answer_too(error: Exception, kind: type[Exception], says: str) -> None:
    """It is made at the first call, far from the start of the process."""

    def fails() -> Client:
        raise error

    told = read_error(fails)
    assert isinstance(told, kind)
    assert says in str(told)


def test_a_call_ends_though_nobody_answers() -> None:
    """A port that takes connections and says nothing, and the same port closed: both within the time of a call."""
    listening = socket.create_server(("127.0.0.1", 0))
    address = "{}:{}".format(*listening.getsockname())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FIRESTORE_EMULATOR_HOST", address)
        client = Client(project="shop", credentials=AnonymousCredentials())
    with closing(Documents(lambda: client, "(default)", call_s=0.3, list_s=0.3)) as documents:
        for end in (lambda: None, listening.close):
            end()
            began = time.monotonic()
            with pytest.raises(TransientError):
                documents.get(documents.collection("runs").document("a"))
            assert time.monotonic() - began < 30


@pytest.mark.parametrize("record", [b"{}", b'{"ids":[' + b'"0123456789",' * 1000 + b'""]}'], ids=["short", "long"])
def test_a_record_is_read_as_it_was_packed(record: bytes) -> None:
    """Long ones take less room."""
    assert unpacked(packed(record)) == record
    assert len(packed(record)) <= len(record)


def test_a_moment_is_read_to_the_microsecond_and_as_pythons_own() -> None:
    """Records are compared and encoded."""
    moment = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)

    class Finer(datetime):
        """As the client library has one with nanoseconds."""

    read = plain(Finer(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC))
    assert (read, type(read)) == (moment, datetime)
    assert plain(moment + timedelta(microseconds=1)) > read


@pytest.mark.parametrize(
    ("name", "may_be"),
    [
        *((name, True) for name in ("run-1", "__x", "ä", "x" * 1500)),
        *((name, False) for name in ("", ".", "..", "a/b", "__x__", "a\n", "\udc80", "ä" * 751)),
    ],
    ids=lambda value: ascii(value)[:12],
)
def test_what_may_be_the_id_of_a_document(name: str, may_be: bool) -> None:
    """Firestore's rules, and no characters that cannot be shown or sent."""
    assert is_document_id(name) is may_be
