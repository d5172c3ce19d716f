"""Typed requests to Klaviyo: endpoint, path, encoded body and how the answer is read. Pure (klaviyo.md 1.5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qs, urlsplit

import msgspec

from shared.klaviyo import limits
from shared.klaviyo.limits import Endpoint
from shared.klaviyo.packing import Body, Envelope
from shared.klaviyo.profiles import ProfileAttributes

REVISION = "2026-07-15"
"""The API revision that all endpoints, limits and bodies are written for (decisions.md 8)."""

CONTENT_TYPE = "application/vnd.api+json"

PROFILE_IMPORT = Envelope(
    b'{"data":{"type":"profile-bulk-import-job","attributes":{"profiles":{"data":[',
    b"]}}}}",
)

_JOB_FIELDS = ("fields[profile-bulk-import-job]", "status,total_count,failed_count")
_PAGE_SIZE = ("page[size]", "100")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request(Generic[T]):
    """One call. `decode` reads the body of a success and raises `msgspec.DecodeError` when it cannot."""

    endpoint: Endpoint
    path: str
    decode: Callable[[bytes], T] = field(repr=False)
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


class _Profile(msgspec.Struct, frozen=True, tag_field="type", tag="profile"):
    attributes: ProfileAttributes


class _IdentifiedProfile(msgspec.Struct, frozen=True, tag_field="type", tag="profile"):
    id: str
    attributes: ProfileAttributes


class _Document(msgspec.Struct, frozen=True):
    data: _IdentifiedProfile


_encode = msgspec.json.Encoder().encode
_decode_job = msgspec.json.Decoder(_JobAnswer).decode
_decode_jobs = msgspec.json.Decoder(JobPage).decode
_decode_import_errors = msgspec.json.Decoder(ImportErrorPage).decode


_decode_profile = msgspec.json.Decoder(_Profile).decode


def encode_profile(attributes: ProfileAttributes) -> bytes:
    """A profile as a row of a bulk body, and as the `data` of a single request."""
    return _encode(_Profile(attributes))


def decode_profile(row: bytes) -> ProfileAttributes:
    """The profile that `encode_profile` made a row of."""
    return _decode_profile(row).attributes


def upsert_profile(row: bytes) -> Request[None]:
    """Create the profile that `encode_profile` made, or update the one that its identifiers name."""
    return Request(limits.UPSERT_PROFILE, limits.UPSERT_PROFILE.path, _nothing, b"".join((b'{"data":', row, b"}")))


def patch_profile(profile_id: str, attributes: ProfileAttributes) -> Request[None]:
    """Update the profile with Klaviyo's id `profile_id`; what is left out stays as it is."""
    body = _encode(_Document(_IdentifiedProfile(profile_id, attributes)))
    return Request(limits.PATCH_PROFILE, limits.PATCH_PROFILE.path_of(profile_id), _nothing, body)


def start_profile_import(body: Body) -> Request[Job]:
    """Start a bulk job that upserts the body's profiles; the answer names the job."""
    endpoint = limits.IMPORT_PROFILES
    return Request(endpoint, endpoint.path, _job, body.encode())


def get_import_job(job_id: str) -> Request[Job]:
    """How far one job is."""
    endpoint = limits.GET_IMPORT_JOB
    return Request(endpoint, endpoint.path_of(job_id), _job, query=(_JOB_FIELDS,))


def list_import_jobs() -> Request[JobPage]:
    """The account's 100 newest jobs, whatever their state."""
    endpoint = limits.LIST_IMPORT_JOBS
    return Request(endpoint, endpoint.path, _decode_jobs, query=(_JOB_FIELDS, ("sort", "-created_at"), _PAGE_SIZE))


def get_import_errors(job_id: str, cursor: str | None = None) -> Request[ImportErrorPage]:
    """A page of up to 100 rows that a complete job refused; `cursor` as `next_cursor` gave it."""
    endpoint = limits.GET_IMPORT_ERRORS
    query = (_PAGE_SIZE,) if cursor is None else (_PAGE_SIZE, ("page[cursor]", cursor))
    return Request(endpoint, endpoint.path_of(job_id), _decode_import_errors, query=query)


def next_cursor(links: Links) -> str | None:
    """The cursor of the next page. Only that: a link's host is never followed (decisions.md 17)."""
    found = parse_qs(urlsplit(links.next or "").query).get("page[cursor]")
    return found[0] if found else None


def _job(body: bytes) -> Job:
    return _decode_job(body).data


def _nothing(_body: bytes) -> None:
    """For answers whose body does not matter or is not there."""
