"""The sandbox for tests that run the real processes: both simulators once, emptied for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.launch import Sandbox, sandbox
from shared.local.listening import free_port
from tests.e2e.bulk_world import KLAVIYO_SETTINGS, SIZES, Imports
from tests.e2e.realtime_requests import GRANTED
from tests.e2e.realtime_world import Functions, World, functions_on
from tests.e2e.served_product import CUSTOMERS, FINISHED, HTTP, Product, control

__all__ = ["CUSTOMERS", "FINISHED", "HTTP", "Product", "control"]


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


@pytest.fixture(scope="session")
def served_imports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Imports]:
    """One server for the tests of all kinds of import, and two simulators with a small sample of everything."""
    sizes = [part for name, size in SIZES.items() for part in (f"--{name}", str(size))]
    job_s = str(KLAVIYO_SETTINGS["job_base_s"])
    with sandbox(commercetools=[*sizes, "--malformed-emails", "0"], klaviyo=["--job-seconds", job_s]) as servers:
        state = tmp_path_factory.mktemp("imports") / "state.sqlite3"
        product = Product(servers, servers.environment(state, free_port(), LOG_FORMAT="json"))
        product.start()
        yield Imports(product)
        for process in product.processes:
            process.stop()


@pytest.fixture
def imports(served_imports: Imports) -> Imports:
    """That server, between simulators as they were at their start."""
    served_imports.reset()
    return served_imports
