"""Injectable faults as data, for any ASGI simulator.

A `FaultPlan` holds rules; `sandbox.fault_middleware` asks it once per request, and does what it says. A rule says which
requests it concerns (method, path prefix, endpoint key), which of those it hits (after the first so many, the next so
many, a seeded share, a window in seconds from the moment the rule was set) and what happens to them:

    status    answer `status` without reaching the application; optional `retry_after`, `body` is one of BODY_KINDS
    hang      no answer for `seconds`, then the connection is closed; the application never sees the request
    reset     close the connection without an answer; the application never sees the request
    lost      the application handles the request ("accepted"), then the connection is closed without an answer
    truncate  the application handles the request; only half of the answer's body arrives, then the connection closes
    delay     `seconds`, plus a lognormal part given by `p50_ms` and `p95_ms`, before the application is asked
    hold      the application is not asked before the rules are next set or cleared, or `seconds` are over
    quota     the application's rate quotas count as `factor` of their normal size (see `FaultPlan.quota_factor`)

All matching `delay` rules add up, and of the `hold` rules the longest counts; then, of the other kinds, the first
rule that hits decides. How many requests are held now is part of what the rules show (`FaultPlan.counts`), so that whoever
needs a moment at which a request is under way can wait for one, act, and then let it go. Control paths (`/_sandbox/...`)
are never touched. Clock, sleep and seeds are given, so a run can be repeated.
"""

import asyncio
import math
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import msgspec

FaultKind = Literal["status", "hang", "reset", "lost", "truncate", "delay", "hold", "quota"]
BodyKind = Literal["vendor", "html", "text", "empty"]

_Z95 = 1.6448536269514722  # the 95th percentile of the standard normal distribution

Clock = Callable[[], float]


class FaultRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault; the module's docstring explains the kinds. Empty matchers match everything.

    `first`: hit at most so many matching requests. `skip`: let so many matching requests pass before.
    `share`: hit a matching request with this probability, drawn from a generator seeded by `seed`.
    `from_s`, `until_s`: window in seconds after the rule was set; `until_s` None is open. Raises ValueError for a `hold`
    without `seconds`, which would hold nothing.
    """

    kind: FaultKind
    method: str = ""
    path: str = ""
    endpoint: str = ""
    first: int | None = None
    skip: int = 0
    share: float | None = None
    from_s: float = 0.0
    until_s: float | None = None
    seed: int = 0
    status: int = 503
    retry_after: str | None = None
    body: BodyKind = "vendor"
    seconds: float = 0.0
    p50_ms: float = 0.0
    p95_ms: float = 0.0
    factor: float = 1.0

    def __post_init__(self) -> None:
        if self.kind == "hold" and self.seconds <= 0:
            raise ValueError("a hold needs seconds above 0")


class LatencyProfile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Lognormal latency of reads (GET, HEAD) and writes (all else), in milliseconds; zeros mean none."""

    read_p50_ms: float = 0.0
    read_p95_ms: float = 0.0
    write_p50_ms: float = 0.0
    write_p95_ms: float = 0.0
    seed: int = 0


@dataclass(slots=True)
class _Armed:
    rule: FaultRule
    armed_at: float
    rng: random.Random
    matched: int = 0
    hit: int = 0
    held: int = 0

    def concerns(self, method: str, path: str, endpoint: str, now: float) -> bool:
        rule, age = self.rule, now - self.armed_at
        return (
            (not rule.method or rule.method == method)
            and path.startswith(rule.path)
            and (not rule.endpoint or rule.endpoint == endpoint)
            and age >= rule.from_s
            and (rule.until_s is None or age < rule.until_s)
        )

    def hits(self) -> bool:
        """Count one matching request and say whether the rule hits it."""
        self.matched += 1
        if self.matched <= self.rule.skip or (self.rule.first is not None and self.hit >= self.rule.first):
            return False
        if self.rule.share is not None and self.rng.random() >= self.rule.share:
            return False
        self.hit += 1
        return True


@dataclass(frozen=True, slots=True)
class Hold:
    """Up to `seconds` during which a request is held. `released` is set when the rules are set or cleared."""

    seconds: float
    released: asyncio.Event
    _armed: _Armed

    def __enter__(self) -> Self:
        self._armed.held += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._armed.held -= 1


@dataclass(frozen=True, slots=True)
class Decision:
    """What is done to one request: wait `delay_s`, be held by `hold`, then `rule` (None: nothing more)."""

    delay_s: float
    rule: FaultRule | None
    hold: Hold | None = None


@dataclass(slots=True)
class FaultPlan:
    """The rules in force, in order, and the latency profile. `clock` gives seconds, monotonic."""

    clock: Clock = time.monotonic
    _armed: list[_Armed] = field(default_factory=list)
    _released: asyncio.Event = field(default_factory=asyncio.Event)
    _latency: LatencyProfile = field(default_factory=LatencyProfile)
    _latency_rng: random.Random = field(default_factory=lambda: random.Random(0))

    def set(self, rules: Iterable[FaultRule]) -> None:
        """Replace all rules; counters and windows start now, and what was held goes on."""
        self._release()
        now = self.clock()
        self._armed = [_Armed(rule, now, random.Random(rule.seed)) for rule in rules]

    def add(self, *rules: FaultRule) -> None:
        """Append rules; those already in force keep their counters, and hold what they hold."""
        now = self.clock()
        self._armed.extend(_Armed(rule, now, random.Random(rule.seed)) for rule in rules)

    def clear(self) -> None:
        """Remove all rules, and let go what was held; the latency profile stays."""
        self._release()
        self._armed = []

    def set_latency(self, profile: LatencyProfile) -> None:
        """Replace the latency profile."""
        self._latency = profile
        self._latency_rng = random.Random(profile.seed)

    def counts(self) -> list[dict[str, Any]]:
        """Each rule in force with how many requests it matched and hit, and how many it holds now."""
        return [{"rule": msgspec.to_builtins(a.rule), "matched": a.matched, "hit": a.hit, "held": a.held} for a in self._armed]

    def quota_factor(self, endpoint: str, method: str = "", path: str = "") -> float:
        """Product of the factors of the `quota` rules in force for this endpoint; 1.0 when there is none."""
        now = self.clock()
        factor = 1.0
        for armed in self._armed:
            if armed.rule.kind == "quota" and armed.concerns(method or armed.rule.method, path, endpoint, now):
                factor *= armed.rule.factor
        return factor

    def decide(self, method: str, path: str, endpoint: str = "") -> Decision:
        """Count this request against every rule concerned and say what happens to it."""
        now = self.clock()
        delay_s = self._latency_s(method)
        chosen: FaultRule | None = None
        hold: Hold | None = None
        for armed in self._armed:
            rule = armed.rule
            if rule.kind == "quota" or (chosen is not None and rule.kind not in ("delay", "hold")):
                continue
            if not armed.concerns(method, path, endpoint, now) or not armed.hits():
                continue
            if rule.kind == "delay":
                delay_s += rule.seconds + lognormal_s(rule.p50_ms, rule.p95_ms, armed.rng)
            elif rule.kind == "hold":
                if hold is None or rule.seconds > hold.seconds:
                    hold = Hold(rule.seconds, self._released, armed)
            else:
                chosen = rule
        return Decision(delay_s, chosen, hold)

    def _release(self) -> None:
        self._released.set()
        self._released = asyncio.Event()

    def _latency_s(self, method: str) -> float:
        profile = self._latency
        if method in ("GET", "HEAD"):
            return lognormal_s(profile.read_p50_ms, profile.read_p95_ms, self._latency_rng)
        return lognormal_s(profile.write_p50_ms, profile.write_p95_ms, self._latency_rng)


def lognormal_s(p50_ms: float, p95_ms: float, rng: random.Random) -> float:
    """Draw a duration in seconds from the lognormal distribution with these two percentiles; 0 when `p50_ms` is 0."""
    if p50_ms <= 0:
        return 0.0
    sigma = max(0.0, math.log(max(p95_ms, p50_ms) / p50_ms) / _Z95)
    return p50_ms * math.exp(sigma * rng.gauss(0.0, 1.0)) / 1000
