"""Typed requests to Klaviyo: endpoint, path, encoded body and how the answer is read. Pure (klaviyo.md 1.5).

Here is what all of them have in common, and the bulk import; the others are in the `*_requests` modules, by area.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import msgspec

from shared.klaviyo import limits
from shared.klaviyo.limits import Endpoint
from shared.klaviyo.packing import Body, Envelope

REVISION = "2026-07-15"
"""The API revision that all endpoints, limits and bodies are written for (decisions.md 8)."""

CONTENT_TYPE = "application/vnd.api+json"

PROFILE_IMPORT = Envelope(
    b'{"data":{"type":"profile-bulk-import-job","attributes":{"profiles":{"data":[',
    b"]}}}}",
)

_JOB_FIELDS = ("fields[profile-bulk-import-job]", "status,total_count,failed_count")
PAGE_SIZE = ("page[size]", "100")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """A success: its status (200 to 299) and its body as it arrived.

    `after_loss`: the same request was sent before, and may have been carried out, but nobody knows what the answer was.
    """

    status: int
    body: bytes = field(default=b"", repr=False)
    after_loss: bool = False


@dataclass(frozen=True, slots=True)
class Request(Generic[T]):
    """One call. `decode` reads the answer of a success and raises one of `shared.decoding.UNDECODABLE` when it cannot."""

    endpoint: Endpoint
    path: str
    decode: Callable[[Answer], T] = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    query: tuple[tuple[str, str], ...] = ()


class JobAttributes(msgspec.Struct, frozen=True):
    """Of a bulk job what we read; `status` stays open, since Klaviyo may add to it."""

    status: str = ""
    total_count: int | None = None
    failed_count: int | None = None


class Job(msgspec.Struct, frozen=True):
    """A bulk job as Klaviyo shows it."""

    id: str
    attributes: JobAttributes = JobAttributes()

    @property
    def ended(self) -> bool:
        """`queued`, `processing` and any status unknown to us are not the end."""
        return self.attributes.status in {"complete", "cancelled"}


class _JobAnswer(msgspec.Struct):
    data: Job


class Links(msgspec.Struct, frozen=True):
    """Where the next page is, if there is one."""

    next: str | None = None


class JobPage(msgspec.Struct, frozen=True):
    """A page of bulk jobs."""

    data: list[Job]
    links: Links = Links()


@dataclass(frozen=True, slots=True)
class JobLook:
    """How jobs of one type are looked at: one alone, or a page of all by its cursor; `pages_most` pages a look at the list."""

    one: Callable[[str], Request[Job]]
    page: Callable[[str | None], Request[JobPage]]
    pages_most: int = 1


class RefusedRow(msgspec.Struct, frozen=True):
    """One row that an import job refused; `original_payload` is the row as we sent it, in whatever shape."""

    code: str = "unknown"
    source: dict[str, Any] | None = None
    original_payload: Any = None


class _ImportError(msgspec.Struct, frozen=True):
    attributes: RefusedRow = RefusedRow()


class ImportErrorPage(msgspec.Struct, frozen=True):
    """A page of import errors."""

    data: list[_ImportError]
    links: Links = Links()

    @property
    def rows(self) -> list[RefusedRow]:
        """The rows refused."""
        return [error.attributes for error in self.data]


def start_profile_import(body: Body) -> Request[Job]:
    """Start a bulk job that upserts the body's profiles; the answer names the job."""
    endpoint = limits.IMPORT_PROFILES
    return Request(endpoint, endpoint.path, read_job, body.encode())


def get_import_job(job_id: str) -> Request[Job]:
    """How far one job is."""
    endpoint = limits.GET_IMPORT_JOB
    return Request(endpoint, endpoint.path_of(job_id), read_job, query=(_JOB_FIELDS,))


def list_import_jobs(cursor: str | None = None) -> Request[JobPage]:
    """A page of the account's jobs, whatever their state: 100, newest first; `cursor` as `next_cursor` gave it."""
    endpoint = limits.LIST_IMPORT_JOBS
    query = (_JOB_FIELDS, ("sort", "-created_at"), PAGE_SIZE)
    return Request(endpoint, endpoint.path, read_jobs, query=query if cursor is None else (*query, ("page[cursor]", cursor)))


def get_import_errors(job_id: str, cursor: str | None = None) -> Request[ImportErrorPage]:
    """A page of up to 100 rows that a complete job refused; `cursor` as `next_cursor` gave it."""
    endpoint = limits.GET_IMPORT_ERRORS
    query = (PAGE_SIZE,) if cursor is None else (PAGE_SIZE, ("page[cursor]", cursor))
    return Request(endpoint, endpoint.path_of(job_id), _import_errors, query=query)


def next_cursor(links: Links) -> str | None:
    """The cursor of the next page. Only that: a link's host is never followed (decisions.md 17)."""
    found = parse_qs(urlsplit(links.next or "").query).get("page[cursor]")
    return found[0] if found else None


def query_string(query: Iterable[tuple[str, str]]) -> str:
    """Query parameters as they stand in a URL.

    `$ : , ( )` stay as they are, which RFC 3986 allows in a query and Klaviyo's own JavaScript client does: Klaviyo's ids
    hold many of them, and only so a hundred ids fit the 8 KB of a URL that pass everywhere.
    """
    return urlencode(list(query), safe="$:,()", quote_via=quote)


def quoted(text: str) -> str:
    """A text as a value of a filter: in double quotes, its own quotes and backslashes escaped."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def equals(name: str, value: str) -> tuple[str, str]:
    """The query parameter that asks for what has exactly this value."""
    return ("filter", f"equals({name},{quoted(value)})")


def any_of(name: str, values: Iterable[str]) -> tuple[str, str]:
    """The query parameter that asks for what has one of these values."""
    return ("filter", f"any({name},[{','.join(map(quoted, values))}])")


def body_as(kind: type[T]) -> Callable[[Answer], T]:
    """Reads an answer's JSON body."""
    decode = msgspec.json.Decoder(kind).decode
    return lambda answer: decode(answer.body)


def nothing(_answer: Answer) -> None:
    """For answers whose body does not matter or is not there."""


_job_answer = body_as(_JobAnswer)
read_jobs = body_as(JobPage)
"""Reads a page of jobs of whatever type."""

_import_errors = body_as(ImportErrorPage)


def read_job(answer: Answer) -> Job:
    """Reads one job of whatever type."""
    return _job_answer(answer).data
