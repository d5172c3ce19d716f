"""What a figure depends on beside the product: the machine, and the memory and processor time of a process."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from importlib.metadata import version

import psutil


def description(*packages: str) -> str:
    """Cores, Python, system, and the versions of installed packages."""
    found = [f"{os.cpu_count()} cores", f"Python {platform.python_version()}", f"{platform.system()} {platform.machine()}"]
    return ", ".join([*found, *(f"{name} {version(name)}" for name in packages)])


def memory_bytes(process: psutil.Process) -> int:
    """Memory of a process; pages that forked processes share count once for all (PSS), where the system tells."""
    full = process.memory_full_info()
    return int(getattr(full, "pss", full.rss))


def cpu_s(processes: Iterable[psutil.Process]) -> float:
    """Processor seconds of these processes so far."""
    return float(sum(times.user + times.system for times in (process.cpu_times() for process in processes)))
