"""Moments as whole microseconds since 1970, as both stores keep and order them. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(moment: datetime) -> int:
    """A timezone-aware moment as whole microseconds since 1970, exactly."""
    return (moment - EPOCH) // _MICROSECOND


def moment(microseconds: int) -> datetime:
    """The opposite of `micros`, in UTC."""
    return EPOCH + timedelta(microseconds=microseconds)
