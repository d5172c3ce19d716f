"""The sandbox for tests that run the real processes: both simulators once, emptied for each test."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.checker import CustomerCheck, check_customers
from sandbox.launch import Launched, Sandbox, free_port, sandbox, serve
from tests.e2e.realtime_requests import GRANTED
from tests.e2e.realtime_world import Functions, World, functions_on

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

    def status(self) -> dict[str, Any]:
        """The newest run of customers."""
        answer = HTTP.get(f"{self.url}/sync/customers/status")
        answer.raise_for_status()
        status: dict[str, Any] = answer.json()
        return status

    def wait(self, until: Callable[[dict[str, Any]], bool], within_s: float) -> dict[str, Any]:
        """The status as soon as `until` holds for it."""
        deadline = time.monotonic() + within_s
        status: dict[str, Any] | None = None
        while True:
            with suppress(httpx.TransportError):  # a killed server is away for a moment
                status = self.status()
                if until(status):
                    return status
            if time.monotonic() > deadline:
                tail = "\n".join(line for process in self.processes for line in list(process.lines)[-40:])
                pytest.fail(f"not reached within {within_s} s; last status {status}\n{tail}")
            time.sleep(0.1)

    def wait_finished(self, within_s: float = 90.0) -> dict[str, Any]:
        """The status once the run has ended."""
        return self.wait(lambda status: status["status"] in FINISHED, within_s)

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


@pytest.fixture(scope="session")
def simulators() -> Iterator[Sandbox]:
    """Both simulators, with 6,000 customers and jobs of half a second."""
    arguments = ["--customers", str(CUSTOMERS), "--malformed-emails", "0"]
    with sandbox(commercetools=arguments, klaviyo=["--job-seconds", "0.5"]) as servers:
        yield servers


@pytest.fixture
def servers(simulators: Sandbox) -> Sandbox:
    """The simulators as they were at their start, without faults."""
    for url in (simulators.commercetools.url, simulators.klaviyo.url):
        control(url, "reset")
        HTTP.delete(f"{url}/_sandbox/faults").raise_for_status()
    return simulators


@pytest.fixture
def product(servers: Sandbox, tmp_path: Path) -> Iterator[Product]:
    """The product, not started yet; whatever was started ends with the test."""
    under_test = Product(servers, servers.environment(tmp_path / "state.sqlite3", free_port(), LOG_FORMAT="json"))
    yield under_test
    for process in under_test.processes:
        process.stop()


@pytest.fixture(scope="session")
def realtime_functions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Functions]:
    """The realtime function in as many settings as tests ask for, and two simulators that begin empty."""
    with (
        sandbox(commercetools=["--customers", "0", "--malformed-emails", "0", "--scopes", *GRANTED]) as servers,
        functions_on(servers, tmp_path_factory.mktemp("realtime")) as functions,
    ):
        yield functions


@pytest.fixture
def world(realtime_functions: Functions) -> World:
    """Empty simulators without faults, and the function with default settings."""
    made = World(realtime_functions, realtime_functions.having())
    made.reset()
    return made
