"""Limits that the contract states in prose only, as one table, by operation. Sizes are decimal bytes."""

from typing import Final

import msgspec

MEGABYTE: Final = 1_000_000
KILOBYTE: Final = 1_000

MAX_BODY_BYTES: Final = 5 * MEGABYTE
"""Every request body, unless its operation says less."""
MAX_PROFILE_BYTES: Final = 100 * KILOBYTE
MAX_EXTERNAL_ID_CHARS: Final = 255
MAX_EVENT_PROPERTIES: Final = 400
MAX_EVENT_LEVELS: Final = 10
MAX_EVENT_ARRAY: Final = 4_000
MAX_STRING_BYTES: Final = 100 * KILOBYTE
MAX_METRIC_NAME_CHARS: Final = 127
MAX_CATALOG_METADATA_BYTES: Final = 100 * KILOBYTE
MAX_CATALOG_JOBS: Final = 500
MAX_ERRORS_PER_ANSWER: Final = 100
"""A refusal names so many faults at most, so a client has to be ready to ask again."""


class BodyLimit(msgspec.Struct, frozen=True):
    """Size of a request body, and where its rows are: `rows_at` under `data.attributes`, each list with at most `rows`."""

    body_bytes: int = MAX_BODY_BYTES
    rows_at: tuple[str, ...] = ()
    rows: int = 0


_SINGLE_PROFILE = BodyLimit(MAX_PROFILE_BYTES)


def _catalog(kind: str) -> BodyLimit:
    return BodyLimit(rows_at=(kind, "data"), rows=100)


BODY_LIMITS: Final[dict[str, BodyLimit]] = {
    "create_profile": _SINGLE_PROFILE,
    "update_profile": _SINGLE_PROFILE,
    "create_or_update_profile": _SINGLE_PROFILE,
    "bulk_import_profiles": BodyLimit(rows_at=("profiles", "data"), rows=10_000),
    "bulk_subscribe_profiles": BodyLimit(rows_at=("profiles", "data"), rows=1_000),
    "bulk_unsubscribe_profiles": BodyLimit(rows_at=("profiles", "data"), rows=100),
    "bulk_suppress_profiles": BodyLimit(rows_at=("profiles", "data"), rows=100),
    "bulk_unsuppress_profiles": BodyLimit(rows_at=("profiles", "data"), rows=100),
    # The events of all its profiles together count; sandbox.klaviyo.events adds them up.
    "bulk_create_events": BodyLimit(rows_at=("events-bulk-create", "data"), rows=1_000),
    "bulk_create_catalog_items": _catalog("items"),
    "bulk_update_catalog_items": _catalog("items"),
    "bulk_delete_catalog_items": _catalog("items"),
    "bulk_create_catalog_variants": _catalog("variants"),
    "bulk_update_catalog_variants": _catalog("variants"),
    "bulk_delete_catalog_variants": _catalog("variants"),
    "bulk_create_catalog_categories": _catalog("categories"),
    "bulk_update_catalog_categories": _catalog("categories"),
    "bulk_delete_catalog_categories": _catalog("categories"),
}

MAX_EVENTS_PER_REQUEST: Final = 1_000
