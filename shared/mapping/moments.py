"""Moments as Klaviyo takes them: ISO 8601 with an offset, from the year 1990 on (klaviyo.md 1.5)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
_YEARS = range(1989, 9999)
"""Years in which no offset and no second more leads out of what a `datetime` can hold."""


def moment_of(raw: str | None) -> datetime | None:
    """`raw`, ISO 8601, in UTC; None when it is absent, no time, or too early for Klaviyo. Without an offset it is UTC."""
    if not raw:
        return None
    try:
        moment = datetime.fromisoformat(raw)
    except ValueError:
        return None
    if moment.year not in _YEARS:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment if moment >= _EARLIEST else None


def first_moment(*raw: str | None) -> datetime | None:
    """The first of these that is a moment."""
    return next((moment for one in raw if (moment := moment_of(one)) is not None), None)


def iso(moment: datetime, *, seconds_later: int = 0) -> str:
    """A UTC moment as commercetools writes it: `2026-03-01T09:30:00.000Z`."""
    later = moment + timedelta(seconds=seconds_later)
    return later.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
