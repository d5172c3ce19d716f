"""What Klaviyo's limits let through at best, and what part of it a run used. Pure (klaviyo.md 1.4, 1.5, 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sandbox.ledger import Entry

BODY_BYTES = 5_000_000
STEADY_FROM, STEADY_TO = 0.05, 0.95
"""The steady part of a run: from the moment at which so many of its rows had been taken to the other."""


@dataclass(frozen=True, slots=True)
class BulkPath:
    """The bulk endpoint that bounds a kind: requests a second and a minute, and `rows` a body at most."""

    endpoint: str
    rows_are: str
    burst: int
    steady: int
    rows: int


BOUNDS: Mapping[str, BulkPath] = {
    "customers": BulkPath("POST /api/profile-bulk-import-jobs", "profiles", 10, 150, 10_000),
    "orders": BulkPath("POST /api/event-bulk-create-jobs", "events", 10, 150, 1_000),
    "products": BulkPath("POST /api/catalog-variant-bulk-create-jobs", "variants", 75, 750, 100),
    "categories": BulkPath("POST /api/catalog-category-bulk-create-jobs", "categories", 75, 750, 100),
}
"""Of a first import; items have a quota of their own, and there are fewer of them than of variants."""


@dataclass(frozen=True, slots=True)
class Share:
    """How near a run came to the ceiling. `rows_per_body` is what fits by count and by bytes.

    `whole` and `steady` are rows a second over the whole run and over its steady part (None: one body has no rate), as parts
    of the `ceiling`, which is the quota of a minute in full bodies. A run shorter than a minute may be over it, for a minute's
    quota may be used in seconds. `minimum_s`: when the last of so many full bodies can be sent at the earliest.
    """

    bodies: int
    rows: int
    rows_per_body: int
    ceiling: float
    whole: float
    steady: float | None
    steady_s: float
    minimum_s: int


def share_of(path: BulkPath, entries: Sequence[Entry], elapsed_s: float) -> Share:
    """The share of a run of `elapsed_s` seconds, whose requests are `entries`."""
    bodies = [entry for entry in entries if entry.endpoint == path.endpoint and entry.status == 202]
    rows = sum(len(entry.identities) for entry in bodies)
    sent_bytes = sum(entry.body_bytes for entry in bodies)
    full = min(path.rows, BODY_BYTES * rows // sent_bytes) if sent_bytes else path.rows
    ceiling = full * path.steady / 60
    rate, steady_s = steady_rate([(entry.at, len(entry.identities)) for entry in bodies])
    return Share(
        bodies=len(bodies),
        rows=rows,
        rows_per_body=full,
        ceiling=ceiling,
        whole=rows / elapsed_s / ceiling if elapsed_s else 0.0,
        steady=None if rate is None else rate / ceiling,
        steady_s=steady_s,
        minimum_s=minimum_s(-(-rows // full), path.burst, path.steady),
    )


def steady_rate(taken: Sequence[tuple[float, int]]) -> tuple[float | None, float]:
    """Rows a second over the steady part, and its seconds; `taken` are the moments of all bodies in order, with their rows."""
    total, so_far = sum(rows for _, rows in taken), 0
    first: tuple[float, int] | None = None
    for at, rows in taken:
        so_far += rows
        if first is None:
            if so_far >= STEADY_FROM * total:
                first = (at, so_far)
        elif so_far >= STEADY_TO * total:
            seconds = at - first[0]
            return ((so_far - first[1]) / seconds if seconds else None), seconds
    return None, 0.0


def minimum_s(requests: int, burst: int, steady: int) -> int:
    """When the last of so many requests can be sent at the earliest, in whole seconds, from the begin of a minute's window."""
    if requests < 1:
        return 0
    minutes, rest = divmod(requests - 1, steady)
    return minutes * 60 + rest // burst
