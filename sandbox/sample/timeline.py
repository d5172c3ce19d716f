"""When generated resources were created and last modified, and how often: 24 months that end at a fixed moment."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - naive on purpose: rendering it is three times faster, and all is UTC
HISTORY_END = datetime(2026, 7, 1, tzinfo=UTC)
"""The newest moment in generated data; a constant, so that the data do not change with the day they are made on."""

HISTORY_DAYS = 730
_END_MS = int(HISTORY_END.timestamp() * 1000)
_SPAN_MS = HISTORY_DAYS * 86_400_000
MASS_UPDATE_MS = _END_MS - 90 * 86_400_000
"""A moment at which one row in twenty was written by one mass update: many rows share this very millisecond."""


def instant(ms: int) -> str:
    """Render milliseconds since 1970 as the API does: `2026-01-31T12:00:00.000Z`."""
    return (_EPOCH + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds") + "Z"


def lifetime(words: tuple[int, ...]) -> tuple[int, int, int]:
    """Return (created, last modified) in milliseconds since 1970 and the version 1..40; uses words 4 to 7.

    Version 1 means never modified, so both moments are then the same.
    """
    created = _END_MS - _SPAN_MS + (words[4] << 16 | words[7] & 0xFFFF) * _SPAN_MS // (1 << 48)
    version = 1 if words[6] % 5 == 0 else 2 + words[6] % 39
    if version == 1:
        return created, created, version
    if words[5] % 20 == 0 and created < MASS_UPDATE_MS:
        return created, MASS_UPDATE_MS, version
    return created, created + 1 + (words[5] * (_END_MS - created) >> 32), version
