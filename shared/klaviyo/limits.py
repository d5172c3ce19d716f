"""Klaviyo's endpoints and limits as data (klaviyo.md 1.4, 1.5; contract: `x-klaviyo-ratelimit`).

An endpoint is one line; its rates hold per account and are corrected at run time by the answers' headers (`limiter.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from shared.outcomes import PathKind

BODY_BYTES_MOST = 5_000_000
"""The largest body Klaviyo takes; read as decimal megabytes, the smaller meaning of its "5MB"."""

BODY_BYTES_BUDGET = 4_500_000
"""What a body is packed to, so that no reading of the limit is ever met."""

ROW_BYTES_MOST = 100_000
"""The largest single profile, alone or in a bulk body; decimal for the same reason."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation of the API.

    `path` is a template whose one parameter is `{id}`. `burst` and `steady` are requests per second and per minute.
    `kind` decides what a 404 means. `shared_with_realtime`: an import takes only a quarter of it (decisions.md 9).
    `read_timeout_s` bounds the wait for the whole answer, `body_bytes_most` the request's body.
    """

    name: str
    method: str
    path: str
    burst: int
    steady: int
    kind: PathKind = PathKind.COLLECTION
    shared_with_realtime: bool = False
    read_timeout_s: float = 30.0
    body_bytes_most: int = BODY_BYTES_MOST

    def path_of(self, identifier: str) -> str:
        """The path with `identifier` percent-encoded in the place of `{id}`."""
        return self.path.replace("{id}", quote(identifier, safe=""))


_BULK_S = 60.0
_SINGLE = PathKind.SINGLE
_JOBS = "/api/profile-bulk-import-jobs"

UPSERT_PROFILE = Endpoint(
    "upsert_profile", "POST", "/api/profile-import", 75, 750, shared_with_realtime=True, body_bytes_most=ROW_BYTES_MOST
)
PATCH_PROFILE = Endpoint(
    "patch_profile", "PATCH", "/api/profiles/{id}", 75, 750, _SINGLE, shared_with_realtime=True, body_bytes_most=ROW_BYTES_MOST
)
IMPORT_PROFILES = Endpoint("import_profiles", "POST", _JOBS, 10, 150, read_timeout_s=_BULK_S)
LIST_IMPORT_JOBS = Endpoint("list_import_jobs", "GET", _JOBS, 10, 150)
GET_IMPORT_JOB = Endpoint("get_import_job", "GET", f"{_JOBS}/{{id}}", 10, 150, _SINGLE)
GET_IMPORT_ERRORS = Endpoint("get_import_errors", "GET", f"{_JOBS}/{{id}}/import-errors", 10, 150)

FIND_PROFILES = Endpoint("find_profiles", "GET", "/api/profiles", 75, 750, shared_with_realtime=True)
ERASE_PROFILE = Endpoint("erase_profile", "POST", "/api/data-privacy-deletion-jobs", 3, 60, shared_with_realtime=True)
SUPPRESS_PROFILE = Endpoint(
    "suppress_profile", "POST", "/api/profile-suppression-bulk-create-jobs", 75, 750, shared_with_realtime=True
)

CREATE_EVENT = Endpoint("create_event", "POST", "/api/events", 350, 3500, shared_with_realtime=True)
IMPORT_EVENTS = Endpoint("import_events", "POST", "/api/event-bulk-create-jobs", 10, 150, read_timeout_s=_BULK_S)

_ITEMS, _VARIANTS, _CATEGORIES = "/api/catalog-items", "/api/catalog-variants", "/api/catalog-categories"

CREATE_ITEM = Endpoint("create_item", "POST", _ITEMS, 75, 750, _SINGLE, shared_with_realtime=True)
"""Its 404 may speak of a category that the item names, so whoever sends it decides what that means."""
UPDATE_ITEM = Endpoint("update_item", "PATCH", f"{_ITEMS}/{{id}}", 75, 750, _SINGLE, shared_with_realtime=True)
DELETE_ITEM = Endpoint("delete_item", "DELETE", f"{_ITEMS}/{{id}}", 75, 750, _SINGLE, shared_with_realtime=True)
LIST_VARIANTS = Endpoint("list_variants", "GET", f"{_ITEMS}/{{id}}/variants", 350, 3500, _SINGLE, shared_with_realtime=True)

CREATE_VARIANT = Endpoint("create_variant", "POST", _VARIANTS, 75, 750, _SINGLE, shared_with_realtime=True)
"""Its 404 may speak of the item, in the same way."""
UPDATE_VARIANT = Endpoint("update_variant", "PATCH", f"{_VARIANTS}/{{id}}", 75, 750, _SINGLE, shared_with_realtime=True)
DELETE_VARIANT = Endpoint("delete_variant", "DELETE", f"{_VARIANTS}/{{id}}", 75, 750, _SINGLE, shared_with_realtime=True)

FIND_CATEGORIES = Endpoint("find_categories", "GET", _CATEGORIES, 350, 3500, shared_with_realtime=True)
CREATE_CATEGORY = Endpoint("create_category", "POST", _CATEGORIES, 75, 750, shared_with_realtime=True)
UPDATE_CATEGORY = Endpoint("update_category", "PATCH", f"{_CATEGORIES}/{{id}}", 75, 750, _SINGLE, shared_with_realtime=True)
DELETE_CATEGORY = Endpoint("delete_category", "DELETE", f"{_CATEGORIES}/{{id}}", 75, 750, _SINGLE, shared_with_realtime=True)

FIND_ITEMS = Endpoint("find_items", "GET", _ITEMS, 350, 3500)
FIND_VARIANTS = Endpoint("find_variants", "GET", _VARIANTS, 350, 3500)

_SLOW_POLLS = (75, 750)
_FAST_POLLS = (350, 3500)


@dataclass(frozen=True, slots=True)
class JobEndpoints:
    """The operations of one type of catalog job: start one, list all, look at one."""

    start: Endpoint
    list: Endpoint
    one: Endpoint


def _catalog_jobs(kind: str, action: str, polls: tuple[int, int]) -> JobEndpoints:
    name, path = f"{action}_{kind}_job", f"/api/catalog-{kind}-bulk-{action}-jobs"
    return JobEndpoints(
        Endpoint(f"start_{name}", "POST", path, 75, 750, read_timeout_s=_BULK_S),
        Endpoint(f"list_{name}s", "GET", path, *polls),
        Endpoint(f"get_{name}", "GET", f"{path}/{{id}}", *polls, _SINGLE),
    )


CREATE_ITEM_JOBS = _catalog_jobs("item", "create", _SLOW_POLLS)
UPDATE_ITEM_JOBS = _catalog_jobs("item", "update", _SLOW_POLLS)
DELETE_ITEM_JOBS = _catalog_jobs("item", "delete", _FAST_POLLS)
CREATE_VARIANT_JOBS = _catalog_jobs("variant", "create", _SLOW_POLLS)
UPDATE_VARIANT_JOBS = _catalog_jobs("variant", "update", _SLOW_POLLS)
DELETE_VARIANT_JOBS = _catalog_jobs("variant", "delete", _FAST_POLLS)
CREATE_CATEGORY_JOBS = _catalog_jobs("category", "create", _FAST_POLLS)
UPDATE_CATEGORY_JOBS = _catalog_jobs("category", "update", _FAST_POLLS)
DELETE_CATEGORY_JOBS = _catalog_jobs("category", "delete", _FAST_POLLS)

CATALOG_JOBS = (
    CREATE_ITEM_JOBS,
    UPDATE_ITEM_JOBS,
    DELETE_ITEM_JOBS,
    CREATE_VARIANT_JOBS,
    UPDATE_VARIANT_JOBS,
    DELETE_VARIANT_JOBS,
    CREATE_CATEGORY_JOBS,
    UPDATE_CATEGORY_JOBS,
    DELETE_CATEGORY_JOBS,
)
"""Every type of catalog job."""

ENDPOINTS = (
    UPSERT_PROFILE,
    PATCH_PROFILE,
    IMPORT_PROFILES,
    LIST_IMPORT_JOBS,
    GET_IMPORT_JOB,
    GET_IMPORT_ERRORS,
    FIND_PROFILES,
    ERASE_PROFILE,
    SUPPRESS_PROFILE,
    CREATE_EVENT,
    IMPORT_EVENTS,
    CREATE_ITEM,
    UPDATE_ITEM,
    DELETE_ITEM,
    LIST_VARIANTS,
    CREATE_VARIANT,
    UPDATE_VARIANT,
    DELETE_VARIANT,
    FIND_CATEGORIES,
    CREATE_CATEGORY,
    UPDATE_CATEGORY,
    DELETE_CATEGORY,
    FIND_ITEMS,
    FIND_VARIANTS,
    *(endpoint for jobs in CATALOG_JOBS for endpoint in (jobs.start, jobs.list, jobs.one)),
)
"""Every endpoint in use, each with a quota of its own."""


@dataclass(frozen=True, slots=True)
class PackLimits:
    """How much one bulk body may hold: rows, bytes of the whole body, bytes of one row."""

    rows_most: int
    body_bytes_most: int
    row_bytes_most: int


_SINGLE_ENVELOPE_BYTES = 100
"""Room around a row when it is sent alone, so that what fits a bulk body fits the single endpoints too."""

PROFILE_IMPORT_LIMITS = PackLimits(
    rows_most=10_000, body_bytes_most=BODY_BYTES_BUDGET, row_bytes_most=ROW_BYTES_MOST - _SINGLE_ENVELOPE_BYTES
)

EVENT_IMPORT_LIMITS = PackLimits(rows_most=1_000, body_bytes_most=BODY_BYTES_BUDGET, row_bytes_most=BODY_BYTES_BUDGET)
"""A row is one event with its profile; it may fill a body alone, which the mapping leaves room for (mapping.md "Properties")."""

CATALOG_JOB_LIMITS = PackLimits(rows_most=100, body_bytes_most=BODY_BYTES_BUDGET, row_bytes_most=BODY_BYTES_BUDGET)

CATALOG_JOBS_MOST = 500
"""How many catalog jobs an account may have in progress; read as all types together, the smaller meaning of the contract."""
