"""CPU and memory of process trees, sampled while something runs, and looked at afterwards for any part of that time."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import psutil

from sandbox.bench.machine import memory_bytes
from sandbox.launch import Launched

SAMPLE_S = 0.2
"""How often memory is looked at."""


@dataclass(slots=True)
class Usage:
    """CPU seconds and memory of a process and all its descendants together; `peaks`: of the largest process of each role."""

    cpu_s: float = 0.0
    peak_bytes: int = 0
    peaks: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Sample:
    at: float
    cpu_s: float
    memory: Mapping[tuple[str, int], int]


class Meter:
    """Samples a process tree until it is stopped."""

    def __init__(self, root: Launched) -> None:
        self._root = psutil.Process(root.process.pid)
        self._ended = threading.Event()
        self._cpu: dict[int, float] = {}
        self._samples: list[_Sample] = []
        self._sample()  # what was used until now is not of what is measured
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> Usage:
        """The usage since the start."""
        if not self._ended.is_set():
            self._ended.set()
            self._thread.join()
            self._sample()
        return self.between(0.0, time.time())

    def between(self, first: float, last: float) -> Usage:
        """The usage between two moments, in seconds since 1970."""
        within = [sample for sample in self._samples if first <= sample.at <= last]
        before = [sample for sample in self._samples if sample.at < first]
        if not within:
            return Usage()
        usage = Usage(within[-1].cpu_s - (before[-1].cpu_s if before else 0.0))
        for sample in within:
            usage.peak_bytes = max(usage.peak_bytes, sum(sample.memory.values()))
            for (name, _), used in sample.memory.items():
                usage.peaks[name] = max(usage.peaks.get(name, 0), used)
        return usage

    def _run(self) -> None:
        while not self._ended.wait(SAMPLE_S):
            self._sample()

    def _sample(self) -> None:
        memory: dict[tuple[str, int], int] = {}
        try:
            tree = [self._root, *self._root.children(recursive=True)]
        except psutil.Error:
            return
        for process in tree:
            try:
                name, used, times = role(process), memory_bytes(process), process.cpu_times()
            except psutil.Error:
                continue
            memory[name, process.pid] = used
            self._cpu[process.pid] = times.user + times.system
        self._samples.append(_Sample(time.time(), sum(self._cpu.values()), memory))


def role(process: psutil.Process) -> str:
    """What a process of the product is there for."""
    command = " ".join(process.cmdline())
    for name in ("bulk_worker", "bulk_dispatch", "realtime_event"):
        if name in command:
            return name
    return "supervisor"
