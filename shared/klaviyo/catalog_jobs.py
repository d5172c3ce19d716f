"""Bulk jobs of the catalog: their types, requests and answers, and what a refused row's error says. Pure (klaviyo.md 5.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto
from typing import Any

import msgspec

from shared.klaviyo import limits
from shared.klaviyo.catalog import CatalogKind
from shared.klaviyo.limits import JobEndpoints
from shared.klaviyo.packing import Body, Envelope
from shared.klaviyo.requests import Answer, Job, JobLook, JobPage, Request, body_as, equals, read_job, read_jobs
from shared.klaviyo.verdicts import Refusal, refusal_of

LIST_PAGES_MOST = 6
"""How many pages of 100 jobs are looked through for ours. The lists are not documented to begin with the newest, and take no
order; those of an account with the most jobs that may be in progress have five pages of them."""

IN_PROGRESS = ("queued", "processing")


class Action(StrEnum):
    """What a job does with its rows."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


_PLURALS = {CatalogKind.ITEM: "items", CatalogKind.VARIANT: "variants", CatalogKind.CATEGORY: "categories"}


@dataclass(frozen=True, slots=True)
class JobType:
    """One of the nine types of catalog job."""

    kind: CatalogKind
    action: Action
    endpoints: JobEndpoints = field(repr=False)

    @property
    def name(self) -> str:
        """Klaviyo's name of the type."""
        return f"{self.kind}-bulk-{self.action}-job"

    @property
    def envelope(self) -> Envelope:
        """What stands around the rows of a body."""
        before = f'{{"data":{{"type":"{self.name}","attributes":{{"{_PLURALS[self.kind]}":{{"data":['
        return Envelope(before.encode(), b"]}}}}")

    @property
    def look(self) -> JobLook:
        """How jobs of this type are polled."""
        return JobLook(self._get, self._page, LIST_PAGES_MOST)

    def start(self, body: Body) -> Request[Job]:
        """Start a job; the answer names it."""
        endpoint = self.endpoints.start
        return Request(endpoint, endpoint.path, read_job, body.encode(), (self._fields("status"),))

    def in_progress(self, status: str, cursor: str | None = None) -> Request[JobPage]:
        """A page of the jobs that are `queued` or `processing`, whoever started them; `cursor` as `next_cursor` gave it."""
        return self._listed((self._fields("status"), equals("status", status)), cursor)

    def errors(self, job_id: str) -> Request[list[Refusal]]:
        """What a complete job says of the rows that failed."""
        endpoint = self.endpoints.one
        return Request(endpoint, endpoint.path_of(job_id), _errors, query=(self._fields("errors"),))

    def _get(self, job_id: str) -> Request[Job]:
        endpoint = self.endpoints.one
        return Request(endpoint, endpoint.path_of(job_id), read_job, query=(self._fields("status,failed_count"),))

    def _page(self, cursor: str | None) -> Request[JobPage]:
        return self._listed((self._fields("status,failed_count"),), cursor)

    def _listed(self, query: tuple[tuple[str, str], ...], cursor: str | None) -> Request[JobPage]:
        endpoint = self.endpoints.list
        if cursor is not None:
            query = (*query, ("page[cursor]", cursor))
        return Request(endpoint, endpoint.path, read_jobs, query=query)

    def _fields(self, names: str) -> tuple[str, str]:
        return (f"fields[{self.name}]", names)


JOB_TYPES: dict[tuple[CatalogKind, Action], JobType] = {
    (kind, action): JobType(kind, action, endpoints)
    for kind, action, endpoints in (
        (CatalogKind.ITEM, Action.CREATE, limits.CREATE_ITEM_JOBS),
        (CatalogKind.ITEM, Action.UPDATE, limits.UPDATE_ITEM_JOBS),
        (CatalogKind.ITEM, Action.DELETE, limits.DELETE_ITEM_JOBS),
        (CatalogKind.VARIANT, Action.CREATE, limits.CREATE_VARIANT_JOBS),
        (CatalogKind.VARIANT, Action.UPDATE, limits.UPDATE_VARIANT_JOBS),
        (CatalogKind.VARIANT, Action.DELETE, limits.DELETE_VARIANT_JOBS),
        (CatalogKind.CATEGORY, Action.CREATE, limits.CREATE_CATEGORY_JOBS),
        (CatalogKind.CATEGORY, Action.UPDATE, limits.UPDATE_CATEGORY_JOBS),
        (CatalogKind.CATEGORY, Action.DELETE, limits.DELETE_CATEGORY_JOBS),
    )
}


class Says(Enum):
    """What the error of a row says, as far as it can be told; `UNCLEAR` errors are settled by looking what Klaviyo has."""

    TAKEN = auto()  # what was to be created is there
    MISSING = auto()  # what was to be updated or deleted is not there
    LINK = auto()  # something that the row links to is at fault
    CONTENT = auto()  # an attribute is
    UNCLEAR = auto()


_MISSING_WORDS = ("not_found", "not_exist", "notfound")
_TAKEN_WORDS = ("duplicate", "conflict", "exists", "taken")
_IDENTITY = frozenset({None, "id", "external_id", "sku"})


def what_it_says(refusal: Refusal) -> Says:
    """Read a row's error. Klaviyo documents neither its codes nor its pointers, so both are read generously."""
    if "/relationships/" in f"{refusal.pointer}/":
        return Says.LINK
    code = refusal.code.lower().replace("-", "_")
    if any(word in code for word in _MISSING_WORDS):
        return Says.MISSING
    if any(word in code for word in _TAKEN_WORDS):
        return Says.TAKEN
    return Says.UNCLEAR if refusal.field in _IDENTITY else Says.CONTENT


class _ErrorAttributes(msgspec.Struct, frozen=True):
    errors: list[dict[str, Any]] | None = None


class _JobErrors(msgspec.Struct, frozen=True):
    attributes: _ErrorAttributes = _ErrorAttributes()


class _ErrorAnswer(msgspec.Struct, frozen=True):
    data: _JobErrors


_error_answer = body_as(_ErrorAnswer)


def _errors(answer: Answer) -> list[Refusal]:
    return [refusal_of(entry) for entry in _error_answer(answer).data.attributes.errors or ()]
