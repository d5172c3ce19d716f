"""The product as its users run it, and the controls of the simulators around it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.checker import CustomerCheck, check_customers
from sandbox.launch import Launched, Sandbox, serve

CUSTOMERS = 6_000
HTTP = httpx.Client(verify=False, trust_env=False, timeout=90.0, limits=httpx.Limits(max_keepalive_connections=0))
"""Plain http on loopback: no certificates need be loaded, which for a client of its own each time takes most of a poll."""
FINISHED = {"completed", "completed_with_errors", "stopped", "halted", "abandoned"}


@dataclass(slots=True)
class Product:
    """The product as its users run it: `ct-klaviyo serve` on a state file of its own, and its import API."""

    servers: Sandbox
    environment: dict[str, str]
    processes: list[Launched] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where the import API answers."""
        return f"http://127.0.0.1:{self.environment['BULK_IMPORT_PORT']}"

    def start(self) -> Launched:
        """Start `serve`, again if it was killed."""
        launched = serve(self.environment)
        self.processes.append(launched)
        return launched

    def start_over(self, state_path: Path) -> None:
        """End it and forget all: new state, and both simulators as they were at their start."""
        for process in self.processes:
            process.stop()
        self.environment["STATE_PATH"] = str(state_path)
        for url in (self.servers.commercetools.url, self.servers.klaviyo.url):
            control(url, "reset")

    def post(self, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        """A call of the import API."""
        return HTTP.post(f"{self.url}{path}", json=body)

    def status(self, kind: str = "customers") -> dict[str, Any]:
        """The newest run of a kind."""
        answer = HTTP.get(f"{self.url}/sync/{kind}/status")
        answer.raise_for_status()
        status: dict[str, Any] = answer.json()
        return status

    def wait(self, until: Callable[[dict[str, Any]], bool], within_s: float, kind: str = "customers") -> dict[str, Any]:
        """The status of a kind's newest run as soon as `until` holds for it."""
        deadline = time.monotonic() + within_s
        status: dict[str, Any] | None = None
        while True:
            with suppress(httpx.TransportError):  # a killed server is away for a moment
                status = self.status(kind)
                if until(status):
                    return status
            if time.monotonic() > deadline:
                tail = "\n".join(line for process in self.processes for line in list(process.lines)[-40:])
                pytest.fail(f"not reached within {within_s} s; last status {status}\n{tail}")
            time.sleep(0.1)

    def wait_finished(self, within_s: float = 200.0, kind: str = "customers") -> dict[str, Any]:
        """The status once the run has ended."""
        return self.wait(lambda status: status["status"] in FINISHED, within_s, kind)

    def check(self) -> CustomerCheck:
        """What the simulators saw."""
        return check_customers(self.servers.commercetools.url, self.servers.klaviyo.url)

    def log_lines(self) -> list[str]:
        """Everything that all processes of the product have written."""
        return [line for process in self.processes for line in process.lines]


def control(url: str, path: str, body: Any = None) -> httpx.Response:
    """A call of a simulator's control API."""
    answer = HTTP.post(f"{url}/_sandbox/{path}", json=body)
    answer.raise_for_status()
    return answer
