"""Realtime: notifications at fixed rates between both simulators with constant latency, measured from outside.

Latency counts from the moment for which a notification was scheduled (`sandbox.bench.load`). What the two APIs take of it is
known exactly: their latency is constant, so how many reads and writes a kind waits for one after the other shows when the
latency of either is switched off (`_chains`). The rest is added by the product.
"""

from __future__ import annotations

import statistics
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from sandbox.bench import mix
from sandbox.bench.function import Function, start
from sandbox.bench.load import Arrival, Shot, fire, percentile
from sandbox.bench.machine import cpu_s, memory_bytes
from sandbox.bench.mix import Mix
from sandbox.bench.realtime_report import problems, report
from sandbox.klaviyo import contract
from sandbox.launch import HTTP, Sandbox, sandbox
from sandbox.notifications.envelopes import Request
from sandbox.notifications.project import ProjectControl

READ_MS, WRITE_MS = 60, 120
RATES = (1, 10, 50)
JUDGED_RATE = 10
"""The rate at which the added latency is judged."""

SEARCH_FACTOR = 1.15
SEARCH_LEAST, SEARCH_MOST = 5.0, 400.0
STARTS = 3
_ALONE = 5
"""How often each kind is sent alone for one figure, of which the median counts."""

_GROWN = _RUN_AWAY = 1.5
"""How many times the latency may grow while a rate is held, and over that of a process that has time."""

_QUOTA_TIMES = 1_000


def run(seconds: float, threads: int) -> tuple[dict[str, Any], str, list[str]]:
    """The figures, the same in words, and what is not good enough; each rate is held for `seconds`."""
    settings = ["--settings", f'{{"quota_times": {_QUOTA_TIMES}}}']
    with (
        tempfile.TemporaryDirectory(prefix="ct-klaviyo-bench-") as folder,
        sandbox(commercetools=mix.PROJECT, klaviyo=settings) as servers,
    ):
        starts = [_start_s(servers, Path(folder), threads) for _ in range(STARTS - 1)]
        function = start(servers, Path(folder), threads)
        try:
            project = ProjectControl(servers.commercetools.url)
            bench = _Bench(servers, function, Mix(project))
            project.close()
            figures = {
                "threads": threads,
                "seconds": seconds,
                "latency_ms": {"read": READ_MS, "write": WRITE_MS},
                "start_s": round(statistics.median([*starts, function.started_s]), 3),
                **bench.measure(seconds),
                "memory_mb": _memory_mb(function),
            }
        finally:
            function.stop()
    return figures, report(figures), problems(figures)


def _start_s(servers: Sandbox, folder: Path, threads: int) -> float:
    function = start(servers, folder, threads)
    function.stop()
    return function.started_s


class _Bench:
    """One process of the product under load, and what all sides say of it."""

    def __init__(self, servers: Sandbox, function: Function, supply: Mix) -> None:
        self._servers = servers
        self._function = function
        self._mix = supply
        self._simulators = [psutil.Process(server.process.pid) for server in (servers.commercetools, servers.klaviyo)]

    def measure(self, seconds: float) -> dict[str, Any]:
        self._latency(0, 0)
        self._warm_up()
        chains = self._chains()
        self._latency(READ_MS, WRITE_MS)
        rates = {str(rate): self._held(rate, seconds, chains) for rate in RATES}
        usual_ms = rates[str(JUDGED_RATE)]["latency_ms"]
        return {
            "chains": chains,
            "rates": rates,
            "highest": self._highest(max(4.0, seconds / 4), usual_ms, chains),
            "quota": quota_of(rates[str(RATES[-1])]["klaviyo_requests"]),
        }

    def _latency(self, read_ms: int, write_ms: int) -> None:
        """The same for every answer: with p95 equal to p50 there is no spread."""
        profile = {"read_p50_ms": read_ms, "read_p95_ms": read_ms, "write_p50_ms": write_ms, "write_p95_ms": write_ms}
        for server in (self._servers.commercetools, self._servers.klaviyo):
            HTTP.post(f"{server.url}/_sandbox/latency", json=profile).raise_for_status()

    def _warm_up(self) -> None:
        """Every product is in Klaviyo; the process has seen every order that was placed, and each kind."""
        for kind, rate in ((mix.PRODUCT, 10.0), (mix.ORDER, 40.0), (mix.GUEST, 40.0)):
            requests = self._mix.every(kind)
            self._fire([Arrival(number / rate, kind, request) for number, request in enumerate(requests)], rate)
        self._fire(self._mix.arrivals(20.0, sum(mix.PARTS.values()) / 20.0), 20.0)

    def _chains(self) -> dict[str, dict[str, float]]:
        """Of each kind how many reads and writes it waits for one after the other, and the milliseconds that these take.

        A notification that is alone takes as much longer with the latency of reads as it waits for reads, and so for writes.
        """
        samples = {kind: [self._mix.one(kind) for _ in range(_ALONE)] for kind in mix.PARTS}
        alone = []
        for setting in ((0, 0), (READ_MS, 0), (0, WRITE_MS)):
            self._latency(*setting)
            alone.append({kind: self._alone_ms(kind, requests) for kind, requests in samples.items()})
        found = {}
        for kind in mix.PARTS:
            own, with_reads, with_writes = (ms[kind] for ms in alone)
            reads, writes = round((with_reads - own) / READ_MS), round((with_writes - own) / WRITE_MS)
            found[kind] = {
                "reads": reads,
                "writes": writes,
                "api_ms": reads * READ_MS + writes * WRITE_MS,
                "own_ms": round(own, 1),
            }
        return found

    def _alone_ms(self, kind: str, requests: Sequence[Request]) -> float:
        shots = [shot for request in requests for shot in self._fire([Arrival(0.0, kind, request)], 1)]
        return 1000 * statistics.median(shot.latency_s for shot in shots)

    def _fire(self, arrivals: Sequence[Arrival], rate: float) -> list[Shot]:
        return fire(self._function.url, arrivals, rate)

    def _held(self, rate: float, seconds: float, chains: dict[str, dict[str, float]]) -> dict[str, Any]:
        """The figures of one rate."""
        product = self._function.processes()
        HTTP.delete(f"{self._servers.commercetools.url}/_sandbox/requests").raise_for_status()
        sent_before, (_, log_at) = self._sent(), self._function.handled()
        cpu_before, others_before = cpu_s(product), cpu_s(self._simulators)
        shots = self._fire(self._mix.arrivals(rate, seconds), rate)
        took_s = max(shot.at_s + shot.latency_s for shot in shots)
        cpu, others = cpu_s(product) - cpu_before, cpu_s(self._simulators) - others_before
        lines, _ = self._function.handled(log_at)
        sent, count = self._sent() - sent_before, len(shots)
        read = HTTP.get(f"{self._servers.commercetools.url}/_sandbox/requests").json()["requests"]
        return {
            "messages": count,
            "not_acknowledged": sum(not shot.acknowledged for shot in shots),
            "not_done": count - sum(line["outcome"] == "done" for line in lines),
            "latency_ms": spread_ms([shot.latency_s for shot in shots]),
            "added_ms": spread_ms([shot.latency_s - chains[shot.kind]["api_ms"] / 1000 for shot in shots]),
            "sent_late_ms": spread_ms([shot.late_s for shot in shots]),
            "grown": round(grown(shots), 2),
            "in_process_ms": round(statistics.mean(line["duration_ms"] for line in lines), 1) if lines else 0.0,
            "cpu_s_per_1000": round(1000 * cpu / count, 2),
            "cpu_share": round(cpu / took_s, 2),
            "simulators_cpu_share": round(others / took_s, 2),
            "commercetools_per_message": round(sum(row["count"] for row in read) / count, 2),
            "klaviyo_per_message": round(sent.total() / count, 2),
            "klaviyo_requests": {endpoint: requests / count for endpoint, requests in sent.most_common()},
        }

    def _highest(self, seconds: float, usual_ms: Mapping[str, float], chains: dict[str, dict[str, float]]) -> dict[str, Any]:
        """The highest rate that held, in steps upward, or downward where the first did not; what was seen at each.

        A rate that broke is tried a second time, so that a moment of somebody else's does not decide.
        """
        rate, best, steps = float(RATES[-1]), 0.0, []
        while SEARCH_LEAST <= rate <= SEARCH_MOST:
            for _ in range(2):
                seen = self._held(rate, seconds, chains)
                why = broken(seen, usual_ms)
                shown = {name: seen[name] for name in ("latency_ms", "cpu_share", "simulators_cpu_share")}
                steps.append({"rate": round(rate, 1), "broken": why} | shown)
                if not why:
                    break
            if why and best:
                break
            if why:
                rate /= SEARCH_FACTOR
                continue
            went_down, best = rate < RATES[-1], rate
            if went_down:
                break
            rate *= SEARCH_FACTOR
        return {"rate": round(best, 1), "steps": steps}

    def _sent(self) -> Counter[str]:
        """Requests to Klaviyo so far, by endpoint."""
        summary = HTTP.get(f"{self._servers.klaviyo.url}/_sandbox/summary").json()["by_endpoint"]
        return Counter({endpoint: sum(answers.values()) for endpoint, answers in summary.items()})


def spread_ms(values_s: Sequence[float]) -> dict[str, float]:
    """p50, p95, p99 and the highest, in milliseconds."""
    points = {f"p{percent}": percentile(values_s, percent) for percent in (50, 95, 99)} | {"most": max(values_s)}
    return {name: round(1000 * value, 1) for name, value in points.items()}


def grown(shots: Sequence[Shot]) -> float:
    """How many times the median latency of the first third that of the last third is; 1 when a rate is held."""
    ordered = [shot.latency_s for shot in sorted(shots, key=lambda shot: shot.at_s)]
    third = max(1, len(ordered) // 3)
    return statistics.median(ordered[-third:]) / statistics.median(ordered[:third])


def broken(seen: Mapping[str, Any], usual_ms: Mapping[str, float]) -> str:
    """Why a rate is not held, empty when it is. `usual_ms` is the latency when the process has time."""
    if seen["not_acknowledged"]:
        return f"{seen['not_acknowledged']} messages would be delivered again"
    for name in ("p50", "p95"):
        if seen["latency_ms"][name] > _RUN_AWAY * usual_ms[name]:
            return f"{name} more than {_RUN_AWAY:g} times the {usual_ms[name]:.0f} ms at {JUDGED_RATE}/s"
    if seen["grown"] > _GROWN:
        return f"latency grew {seen['grown']:.1f} times while the rate was held"
    return ""


def quota_of(requests_per_message: dict[str, float]) -> dict[str, Any]:
    """Messages a second that Klaviyo's documented quotas allow for this mix: in the long run, and for one second."""
    quotas = {operation.key: operation.quota for operation in contract.load().operations}
    steady = {key: quotas[key]["steady"] / 60 / share for key, share in requests_per_message.items() if share}
    burst = {key: quotas[key]["burst"] / share for key, share in requests_per_message.items() if share}
    narrow, narrow_burst = min(steady, key=steady.__getitem__), min(burst, key=burst.__getitem__)
    return {
        "steady": round(steady[narrow], 1),
        "steady_by": narrow,
        "burst": round(burst[narrow_burst], 1),
        "burst_by": narrow_burst,
    }


def _memory_mb(function: Function) -> dict[str, dict[str, float]]:
    names = ("master", "worker")
    found = {}
    for name, process in zip(names, function.processes(), strict=False):
        found[name] = {"rss": round(process.memory_info().rss / 1e6, 1), "pss": round(memory_bytes(process) / 1e6, 1)}
    return found
