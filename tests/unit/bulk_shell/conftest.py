"""Both simulators once, emptied for each test, and an import wired on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from shell_world import CATEGORIES, CONTROL, CUSTOMERS, PRODUCTS, World, open_world

from sandbox.launch import Sandbox, sandbox

JOB_S = 0.05


@pytest.fixture(scope="session")
def shell_simulators() -> Iterator[Sandbox]:
    """Both simulators, with jobs of a twentieth of a second."""
    sizes = {"customers": CUSTOMERS, "malformed-emails": 0, "categories": CATEGORIES, "products": PRODUCTS}
    arguments = [word for name, size in sizes.items() for word in (f"--{name}", str(size))]
    with sandbox(commercetools=arguments, klaviyo=["--job-seconds", str(JOB_S)]) as servers:
        yield servers


@pytest.fixture
def servers(shell_simulators: Sandbox) -> Sandbox:
    """The simulators as they were at their start, without faults."""
    usual = {"job_base_s": JOB_S, "item_delete": "variants_too"}
    CONTROL.post(f"{shell_simulators.klaviyo.url}/_sandbox/settings", json=usual).raise_for_status()
    for url in (shell_simulators.commercetools.url, shell_simulators.klaviyo.url):
        CONTROL.delete(f"{url}/_sandbox/faults").raise_for_status()
        CONTROL.post(f"{url}/_sandbox/reset").raise_for_status()
    return shell_simulators


@pytest.fixture
def worlds(servers: Sandbox, tmp_path: Path) -> Iterator[Callable[[str], World]]:
    """Makes installations, each with a state file of the name given."""
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(open_world(servers, tmp_path / f"{name}.sqlite3"))


@pytest.fixture
def world(worlds: Callable[[str], World]) -> World:
    """An installation."""
    return worlds("state")
