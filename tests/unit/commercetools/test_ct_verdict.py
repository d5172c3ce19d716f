"""What an answer of commercetools means, line by line of the table (decisions.md 4)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.commercetools.verdict import Forbidden, VersionConflict, error_of, refusal_of
from shared.errors import AuthError, Gone, HostDown, PermanentError, RateLimited, SyncError, TransientError
from shared.outcomes import PathKind


def _body(code: str, message: str = "Jane Doe is wrong", **extra: Any) -> bytes:
    return json.dumps({"statusCode": 0, "message": message, "errors": [{"code": code, "message": message, **extra}]}).encode()


def _graphql(code: str, **more: Any) -> bytes:
    return json.dumps({"errors": [{"message": "Jane Doe", "extensions": {"code": code}}], **more}).encode()


def _error(status: int, body: bytes = b"", kind: PathKind = PathKind.SINGLE, *, graphql: bool = False) -> SyncError:
    refusal = refusal_of(status, body, graphql=graphql)
    assert refusal is not None
    return error_of(refusal, kind, "GET customers", 3.0)


@pytest.mark.parametrize(
    ("status", "kind", "expected"),
    [
        (400, PathKind.COLLECTION, PermanentError),
        (404, PathKind.SINGLE, Gone),
        (404, PathKind.COLLECTION, TransientError),
        (404, PathKind.OPTIONAL_LOOKUP, TransientError),
        (401, PathKind.SINGLE, AuthError),
        (403, PathKind.COLLECTION, AuthError),
        (403, PathKind.OPTIONAL_LOOKUP, Forbidden),
        (403, PathKind.DEAD_LETTERS, Forbidden),
        (408, PathKind.SINGLE, TransientError),
        (425, PathKind.SINGLE, TransientError),
        (429, PathKind.COLLECTION, RateLimited),
        (500, PathKind.SINGLE, HostDown),
        (502, PathKind.COLLECTION, HostDown),
        (503, PathKind.SINGLE, HostDown),
        (504, PathKind.COLLECTION, HostDown),
        (522, PathKind.SINGLE, HostDown),
        (302, PathKind.SINGLE, TransientError),
        (413, PathKind.COLLECTION, PermanentError),
    ],
)
def test_a_status_becomes_the_error_that_the_table_names(status: int, kind: PathKind, expected: type[SyncError]) -> None:
    """One line of the table each, also when the body is a proxy's page."""
    assert type(_error(status, b"<html>bad gateway</html>", kind)) is expected


@pytest.mark.parametrize("body", [b'{"message": "Zo\xeb is wrong"}', b'{"errors": ' + b"[" * 100_000, b"\xff"])
def test_a_refusal_whose_body_cannot_be_read_is_a_refusal_all_the_same(body: bytes) -> None:
    """One byte that is no UTF-8, brackets without end: the status alone says enough."""
    error = _error(400, body)
    assert isinstance(error, PermanentError)
    assert error.reason == "http_400"


def test_a_version_conflict_is_its_own_error() -> None:
    """409 ConcurrentModification can be met by reading again; any other 409 is permanent."""
    assert isinstance(_error(409, _body("ConcurrentModification", currentVersion=7)), VersionConflict)
    assert type(_error(409, _body("DuplicateField"))) is PermanentError


def test_a_transient_error_carries_the_wait_the_host_asked_for() -> None:
    """`Retry-After` in seconds."""
    for status in (429, 503, 408):
        error = _error(status)
        assert isinstance(error, TransientError)
        assert error.retry_after_s == 3.0


def test_a_permanent_error_has_the_code_as_its_reason_and_never_the_message() -> None:
    """Messages quote values, so they are not kept; a code that is no code is not believed."""
    error = _error(400, _body("InvalidInput"), PathKind.COLLECTION)
    assert isinstance(error, PermanentError)
    assert error.reason == "InvalidInput"
    assert "Jane" not in str(error)
    odd = _error(400, _body("Jane Doe <jane@example.com>"), PathKind.COLLECTION)
    assert isinstance(odd, PermanentError)
    assert odd.reason == "http_400"


def test_a_missing_scope_is_named() -> None:
    """403 says which scopes would do; the project's key and the rest of the message are left out."""
    message = "Insufficient scope. One of the following scopes is missing: manage_project:shop, view_customers:shop."
    error = _error(403, _body("insufficient_scope", message))
    assert "manage_project, view_customers" in str(error)
    assert "shop" not in str(error)


@pytest.mark.parametrize("kind", [PathKind.OPTIONAL_LOOKUP, PathKind.DEAD_LETTERS])
def test_what_the_work_can_go_on_without_is_no_reason_to_halt(kind: PathKind) -> None:
    """A forbidden look-up, and a forbidden store of dead letters: their own error, that a caller can go on after."""
    assert isinstance(_error(403, b"", kind), Forbidden)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("QueryTimedOut", HostDown),
        ("OverCapacity", HostDown),
        ("PendingOperation", HostDown),
        ("General", HostDown),
        ("insufficient_scope", AuthError),
        ("invalid_token", AuthError),
        ("QueryComplexityLimitExceeded", PermanentError),
        ("SomethingNew", PermanentError),
    ],
)
def test_an_error_of_graphql_counts_as_the_status_it_would_have_been(code: str, expected: type[SyncError]) -> None:
    """GraphQL answers 200 with `errors`; partial data beside them is no success."""
    body = _graphql(code, data={"page": {"results": []}})
    assert type(_error(200, body, PathKind.COLLECTION, graphql=True)) is expected


def test_a_success_is_no_refusal() -> None:
    """2xx without errors; a field named `errors` in a REST answer means nothing."""
    assert refusal_of(200, b'{"data": {}}', graphql=True) is None
    assert refusal_of(200, b'{"data": {}, "errors": []}', graphql=True) is None
    assert refusal_of(200, _body("X")) is None
    assert refusal_of(201, b"") is None


@pytest.mark.parametrize(("status", "overloaded"), [(429, True), (502, True), (503, True), (500, False), (404, False)])
def test_only_some_refusals_speak_of_overload(status: int, overloaded: bool) -> None:
    """429, 502 and 503 ask for fewer requests at once."""
    refusal = refusal_of(status, b"")
    assert refusal is not None
    assert refusal.overloaded is overloaded
