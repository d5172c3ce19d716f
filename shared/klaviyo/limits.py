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
