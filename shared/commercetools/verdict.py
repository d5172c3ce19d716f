"""What an answer of commercetools means: pure, without client, clock or logger (decisions.md 3, 4).

A refusal is read from the status, and for GraphQL (which answers 200) from the code of its first error. Only codes
and names of scopes are taken from a body; messages may quote values and are never kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import msgspec

from shared.decoding import UNDECODABLE
from shared.errors import AuthError, Gone, Host, HostDown, PermanentError, RateLimited, StaleWrite, SyncError, TransientError
from shared.outcomes import Dispensable, PathKind, Situation, situation_of_status

CONCURRENT_MODIFICATION = "ConcurrentModification"
QUERY_TOO_COMPLEX = "QueryComplexityLimitExceeded"
QUERY_TIMED_OUT = "QueryTimedOut"

_OVERLOADED = frozenset({429, 502, 503})
_CODE = re.compile(r"[A-Za-z0-9_]{1,64}")
_SCOPE = re.compile(r"\b(?:manage|view)_[a-z_]{3,40}\b")
_GRAPHQL_STATUS = {
    "insufficient_scope": 403,
    "access_denied": 403,
    "invalid_token": 401,
    "Unauthorized": 401,
    "ResourceNotFound": 404,
    CONCURRENT_MODIFICATION: 409,
    "General": 500,
    "BadGateway": 502,
    "OverCapacity": 503,
    "PendingOperation": 503,
    QUERY_TIMED_OUT: 504,
}


class VersionConflict(StaleWrite):
    """409 ConcurrentModification: somebody else wrote the resource first."""

    def __init__(self, operation: str) -> None:
        super().__init__(f"{Host.COMMERCETOOLS} answered 409 ({CONCURRENT_MODIFICATION}) to {operation}")


class Forbidden(PermanentError):
    """403 where the work can go on without: an optional look-up, or the store of dead letters."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, host=Host.COMMERCETOOLS, status=403)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is no success: the status it stands for, its code, and what else a caller may be told."""

    status: int
    code: str
    scopes: tuple[str, ...] = ()

    @property
    def overloaded(self) -> bool:
        """Whether the host says that it has too much to do."""
        return self.status in _OVERLOADED


class _ErrorObject(msgspec.Struct):
    code: Any = None
    extensions: Any = None


class _ErrorBody(msgspec.Struct):
    errors: list[_ErrorObject] | None = None
    error: Any = None
    message: Any = None


_ERRORS = msgspec.json.Decoder(_ErrorBody)


def refusal_of(status: int, body: bytes, *, graphql: bool = False) -> Refusal | None:
    """What is refused by an answer, None for a success. A GraphQL answer with any error is a refusal, even with data."""
    if status < 300 and not graphql:
        return None
    read = _read(body)
    first = read.errors[0] if read.errors else None
    if status < 300 and first is None:
        return None
    extensions = first.extensions if first and isinstance(first.extensions, dict) else {}
    code = _code(first.code if first else None) or _code(extensions.get("code")) or _code(read.error)
    if status < 300 or code == QUERY_TIMED_OUT:  # a query that took too long is answered 400
        status = _GRAPHQL_STATUS.get(code or "", 400)
    return Refusal(
        status=status,
        code=code or f"http_{status}",
        scopes=_scopes(read.message) if status == 403 else (),
    )


def error_of(refusal: Refusal, kind: PathKind, operation: str, retry_after_s: float | None = None) -> SyncError:
    """The error that a refusal is raised as, by the table of `shared.outcomes`. `operation` names no id."""
    status, code = refusal.status, refusal.code
    if status == 409 and code == CONCURRENT_MODIFICATION:
        return VersionConflict(operation)
    match situation_of_status(Host.COMMERCETOOLS, status, kind):
        case Situation.AUTHENTICATION:
            hint = f" (one of {', '.join(refusal.scopes)} is missing)" if refusal.scopes else ""
            return AuthError(Host.COMMERCETOOLS, status, operation, hint)
        case Dispensable():
            return Forbidden(code)
        case Situation.GONE:
            return Gone(code, host=Host.COMMERCETOOLS, status=status)
        case Situation.TRANSIENT:
            message = f"{Host.COMMERCETOOLS} answered {status} ({code}) to {operation}"
            error = RateLimited if status == 429 else HostDown if status >= 500 else TransientError
            return error(message, host=Host.COMMERCETOOLS, retry_after_s=retry_after_s)
        case _:
            return PermanentError(code, host=Host.COMMERCETOOLS, status=status)


def token_error_of(refusal: Refusal, retry_after_s: float | None = None) -> SyncError:
    """The error that a refusal of the token endpoint is raised as: whatever is not transient is a matter of settings."""
    operation = "the token request"
    if situation_of_status(Host.COMMERCETOOLS, refusal.status, PathKind.SINGLE) is Situation.TRANSIENT:
        return error_of(refusal, PathKind.SINGLE, operation, retry_after_s)
    if refusal.code == "invalid_scope":
        return AuthError(Host.COMMERCETOOLS, 403, operation, ", CT_SCOPES (invalid_scope)")
    status = 403 if refusal.status == 403 else 401
    return AuthError(Host.COMMERCETOOLS, status, operation, f", CT_API_CLIENT and CT_AUTH_URL ({refusal.code})")


def _read(body: bytes) -> _ErrorBody:
    try:
        return _ERRORS.decode(body)
    except UNDECODABLE:
        return _ErrorBody()


def _code(value: object) -> str | None:
    return value if isinstance(value, str) and _CODE.fullmatch(value) else None


def _scopes(message: object) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_SCOPE.findall(message)))[:5] if isinstance(message, str) else ()
