"""Fixed rate windows per endpoint: one second (burst), one minute (steady) and, where there is one, one day."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

WINDOW_S: Final = {"burst": 1, "steady": 60, "daily": 86_400}


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a request was let in, and the headers of its answer."""

    allowed: bool
    retry_after_s: int
    headers: dict[str, str]


@dataclass(slots=True)
class _Window:
    index: int = -1
    used: int = 0


@dataclass(slots=True)
class RateWindows:
    """Counts requests per endpoint key; windows are aligned to the clock and a refused request does not count."""

    _windows: dict[tuple[str, str], _Window] = field(default_factory=dict)

    def admit(self, endpoint: str, quota: Mapping[str, int], now: float, factor: float = 1.0) -> Admission:
        """Count one request to `endpoint` at `now` seconds.

        `quota` maps burst, steady and daily to requests per window. `factor` below 1 leaves only that part of each
        window, as when another integration of the account uses up the rest: the stated limit does not change.
        """
        windows = {name: self._current(endpoint, name, now) for name in quota}
        left = {name: max(1, math.floor(quota[name] * factor)) - window.used for name, window in windows.items()}
        full = [name for name, remaining in left.items() if remaining <= 0]
        if full:
            retry_after = max(_seconds_left(name, now) for name in full)
            return Admission(False, retry_after, {"Retry-After": str(retry_after)})
        for window in windows.values():
            window.used += 1
        limit = ", ".join(f"{quota[name]};w={WINDOW_S[name]}" for name in quota)
        return Admission(
            True,
            0,
            {
                "RateLimit-Limit": f"{quota['burst']}, {limit}",
                "RateLimit-Remaining": str(left["steady"] - 1),
                "RateLimit-Reset": str(_seconds_left("steady", now)),
            },
        )

    def _current(self, endpoint: str, name: str, now: float) -> _Window:
        window = self._windows.setdefault((endpoint, name), _Window())
        index = int(now // WINDOW_S[name])
        if window.index != index:
            window.index, window.used = index, 0
        return window


def _seconds_left(name: str, now: float) -> int:
    width = WINDOW_S[name]
    return max(1, math.ceil(width - now % width))
