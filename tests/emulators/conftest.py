"""Both simulators once for all tests on the emulators, with a small sample of everything."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.launch import Sandbox, sandbox
from tests.emulators.google_world import JOB_S, SIZES


@pytest.fixture(scope="session")
def cloud_simulators() -> Iterator[Sandbox]:
    """Two simulators; `world_of` sets them back."""
    sizes = [part for name, size in SIZES.items() for part in (f"--{name}", str(size))]
    with sandbox(commercetools=sizes, klaviyo=["--job-seconds", str(JOB_S)]) as servers:
        yield servers
