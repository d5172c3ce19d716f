"""Answers in Klaviyo's form: documents, and error bodies with code, title, detail and source."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from sandbox.klaviyo.limits import MAX_ERRORS_PER_ANSWER

MEDIA_TYPE: Final = "application/vnd.api+json"

_TITLES: Final = {
    400: ("invalid", "Invalid input."),
    401: ("not_authenticated", "Authentication credentials were not provided."),
    403: ("permission_denied", "You do not have permission to perform this action."),
    404: ("not_found", "Not found."),
    405: ("method_not_allowed", "Method not allowed."),
    409: ("conflict", "Conflict."),
    413: ("payload_too_large", "Payload too large."),
    415: ("unsupported_media_type", "Unsupported media type."),
    429: ("throttled", "Request was throttled."),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One entry of `errors`: a detail, and where it is (a JSON pointer into the body, or a query parameter)."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None
    code: str = ""
    title: str = ""
    meta: dict[str, Any] = field(default_factory=dict)


class RefusedError(Exception):
    """The request is refused with `status`; `problems` become the entries of the error body."""

    def __init__(self, status: int, problems: Sequence[Problem]) -> None:
        super().__init__(f"refused with {status}")
        self.status = status
        self.problems = problems


def refuse(status: int, detail: str, pointer: str | None = None, parameter: str | None = None) -> RefusedError:
    """A refusal with one problem."""
    return RefusedError(status, [Problem(detail, pointer, parameter)])


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer; `body` None is an empty one. `identities` goes to the ledger."""

    status: int
    body: Any = None
    identities: Sequence[str] = ()


class ErrorIds:
    """Error ids that are unique in one simulator and the same in every repetition of a run."""

    def __init__(self) -> None:
        self._count = 0

    def next(self) -> str:
        """The next id, in the form of a UUID."""
        self._count += 1
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"klaviyo-sandbox-{self._count}"))


def error_body(status: int, problems: Iterable[Problem], ids: ErrorIds) -> bytes:
    """Render an error answer; entries beyond MAX_ERRORS_PER_ANSWER are left out."""
    code, title = _TITLES.get(status, ("error", "Error."))
    entries = []
    for problem in list(problems)[:MAX_ERRORS_PER_ANSWER]:
        source: dict[str, str] = {}
        if problem.parameter is not None:
            source["parameter"] = problem.parameter
        elif problem.pointer is not None:
            source["pointer"] = problem.pointer
        entries.append(
            {
                "id": ids.next(),
                "status": status,
                "code": problem.code or code,
                "title": problem.title or title,
                "detail": problem.detail,
                "source": source,
                "links": {},
                "meta": problem.meta,
            }
        )
    return msgspec.json.encode({"errors": entries})


def iso(at: float) -> str:
    """Seconds since the epoch as Klaviyo writes times."""
    return datetime.fromtimestamp(at, UTC).isoformat()


def iso_or_none(at: float | None) -> str | None:
    """As `iso`, None stays None."""
    return None if at is None else iso(at)
