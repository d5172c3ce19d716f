"""Keeps a process within Klaviyo's two windows per endpoint, for all its threads (decisions.md 9, klaviyo.md 2.2).

Klaviyo counts in fixed windows of a second and of a minute whose beginnings we do not know. Fixed windows of our own
could let twice the limit fall into one of Klaviyo's, so ours slide: never more than the limit within *any* second and any
minute. A request is counted by Klaviyo somewhere between its sending and its answer, so it holds its place from the sending
until one window's length after the answer; latency, however uneven, cannot push two windows' worth together.
"""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from shared.budget import Budget
from shared.errors import Host, RateLimited
from shared.klaviyo.limits import Endpoint
from shared.retrying import retry_after_s

BURST_S = 1.0
STEADY_S = 60.0
IMPORT_PART = 0.25
"""What an import takes of an endpoint that realtime needs too (decisions.md 9)."""

PAUSE_S = 1.0
"""How long a 429 pauses its endpoint when it names no time."""

LOOK_AGAIN_S = 0.05
"""How soon to look again when only the answer to a request under way can free a place."""

RESET_TOLERANCE_S = 2.0
"""Two answers whose windows end within this time speak of the same window; the header has whole seconds."""

_WINDOW = re.compile(r"(\d{1,9})\s*;\s*w=(\d{1,9})")


@dataclass(eq=False, frozen=True, slots=True)
class Permit:
    """Leave to send one request; `observe` takes it back, whatever became of the request."""

    endpoint: Endpoint
    probe: bool


@dataclass(slots=True)
class _Window:
    """One sliding window: the times (seconds) at which its requests were answered, oldest first."""

    length_s: float
    limit: int
    answered: deque[float] = field(default_factory=deque)

    def left(self, in_flight: int, now: float) -> int:
        while self.answered and self.answered[0] + self.length_s <= now:
            self.answered.popleft()
        return self.limit - in_flight - len(self.answered)

    def wait_s(self, in_flight: int, now: float) -> float:
        left = self.left(in_flight, now)
        if left > 0:
            return 0.0
        must_leave = 1 - left
        if must_leave > len(self.answered):
            return LOOK_AGAIN_S
        return self.answered[must_leave - 1] + self.length_s - now


@dataclass(slots=True)
class _Quota:
    """The state of one endpoint; guarded by the limiter's lock."""

    burst: _Window
    steady: _Window
    in_flight: int = 0
    sent_at: float = float("-inf")
    server_left: int = 0
    server_resets_at: float = float("-inf")
    paused_until: float = float("-inf")
    needs_probe: bool = False
    probing: bool = False

    def wait_s(self, now: float) -> float:
        """Seconds until the next request may be worth another look; 0 or less: it may go now."""
        left = self.steady.left(self.in_flight, now)
        waits = [
            self.paused_until - now,
            self.burst.wait_s(self.in_flight, now),
            self.steady.wait_s(self.in_flight, now),
        ]
        if self.needs_probe and self.probing:
            waits.append(LOOK_AGAIN_S)
        if now < self.server_resets_at:
            left = min(left, self.server_left)
            if self.server_left <= 0:
                waits.append(self.server_resets_at - now)
        if left <= self.steady.limit / 2:
            waits.append(self.sent_at + STEADY_S / self.steady.limit - now)
        return max(waits)

    def take(self, endpoint: Endpoint, now: float) -> Permit:
        self.in_flight += 1
        self.server_left -= 1
        self.sent_at = now
        self.probing = self.needs_probe
        return Permit(endpoint, self.needs_probe)

    def give_back(self, permit: Permit, status: int | None, now: float) -> None:
        self.in_flight -= 1
        self.burst.answered.append(now)
        self.steady.answered.append(now)
        if permit.probe:
            self.probing = False
            self.needs_probe = status is None

    def pause(self, seconds: float, now: float) -> None:
        self.paused_until = max(self.paused_until, now + seconds)
        self.needs_probe = True

    def correct(self, remaining: int, reset_s: float, now: float) -> None:
        """Believe the server's count of the minute when it is lower than ours; requests under way may be counted or not."""
        left, resets_at = remaining - self.in_flight, now + reset_s
        known = now < self.server_resets_at
        if known and resets_at < self.server_resets_at - RESET_TOLERANCE_S:
            return  # an answer of the minute before, overtaken
        if known and resets_at <= self.server_resets_at + RESET_TOLERANCE_S:
            left, resets_at = min(self.server_left, left), max(self.server_resets_at, resets_at)
        self.server_left, self.server_resets_at = left, resets_at


class Limiter:
    """One per process. `rate_share` is this process's part of the account's limits (`KLAVIYO_RATE_SHARE`).

    `realtime_headroom`: take only a quarter of the endpoints that realtime uses too; for the import worker.
    """

    def __init__(
        self, *, rate_share: float = 1.0, realtime_headroom: bool = False, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate_share = rate_share
        self._realtime_headroom = realtime_headroom
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._quotas: dict[str, _Quota] = {}

    def acquire(self, endpoint: Endpoint, budget: Budget) -> Permit:
        """Wait until a request may be sent.

        Raises `RateLimited` at once when the wait exceeds the budget: the endpoint's quota is used up for now. Raises
        `Interrupted` as the budget does.
        """
        while True:
            budget.check()
            with self._lock:
                quota = self._quota(endpoint)
                now = self._monotonic()
                wait_s = quota.wait_s(now)
                if wait_s <= 0:
                    return quota.take(endpoint, now)
            if wait_s >= budget.remaining_s:
                raise RateLimited(
                    f"klaviyo's quota of {endpoint.name} is used up for now", host=Host.KLAVIYO, retry_after_s=wait_s
                )
            budget.sleep(wait_s)

    def observe(self, permit: Permit, status: int | None, headers: Mapping[str, str]) -> None:
        """Take the permit back. `status` is None when no answer came; `headers` has lower-case names, or ignores case.

        A 429 pauses the endpoint for all threads; when the pause is over one request goes first, and the others follow
        once it was answered by anything but another 429.
        """
        with self._lock:
            now = self._monotonic()
            quota = self._quota(permit.endpoint)
            quota.give_back(permit, status, now)
            if status == 429:
                quota.pause(retry_after_s(headers.get("retry-after")) or PAUSE_S, now)
            self._adopt(quota, permit.endpoint, headers.get("ratelimit-limit", ""))
            remaining, reset_s = _number(headers.get("ratelimit-remaining")), _number(headers.get("ratelimit-reset"))
            if remaining is not None and reset_s is not None:
                quota.correct(int(remaining), reset_s, now)

    def _quota(self, endpoint: Endpoint) -> _Quota:
        quota = self._quotas.get(endpoint.name)
        if quota is None:
            burst, steady = self._part(endpoint, endpoint.burst), self._part(endpoint, endpoint.steady)
            quota = self._quotas[endpoint.name] = _Quota(_Window(BURST_S, burst), _Window(STEADY_S, steady))
        return quota

    def _adopt(self, quota: _Quota, endpoint: Endpoint, header: str) -> None:
        for limit, length_s in _WINDOW.findall(header):
            for window in (quota.burst, quota.steady):
                if int(length_s) == window.length_s:
                    window.limit = self._part(endpoint, int(limit))

    def _part(self, endpoint: Endpoint, limit: int) -> int:
        share = self._rate_share * (IMPORT_PART if self._realtime_headroom and endpoint.shared_with_realtime else 1.0)
        return max(1, int(limit * share + 1e-9))


def _number(text: str | None) -> float | None:
    """A header's non-negative number."""
    try:
        value = float(text) if text else -1.0
    except ValueError:
        return None
    return value if 0 <= value < 86_400_000 else None
