"""A simulated commercetools project for what reads from it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest
from reading_world import World

from shared.commercetools.client import open_commercetools

SIZES = {"customers": 60, "categories": 30, "products": 60, "orders": 60}


@pytest.fixture(scope="session")
def reading_url() -> Iterator[str]:
    """The address of a simulator."""
    sizes = [text for name, size in SIZES.items() for text in (f"--{name}", str(size))]
    command = [sys.executable, "-m", "sandbox.commercetools", "--port", "0", *sizes]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().removeprefix("listening on ").strip()
        process.terminate()


@pytest.fixture
def world(reading_url: str) -> Iterator[World]:
    """The project as it was at first, without faults, and a process that has read nothing yet."""
    with httpx.Client(base_url=f"{reading_url}/_sandbox", timeout=60, trust_env=False) as control:
        control.delete("/faults").raise_for_status()
        control.post("/reset").raise_for_status()
        client = open_commercetools(
            api_url=reading_url,
            auth_url=reading_url,
            project_id="sandbox",
            client_id="sandbox-client",
            secret="sandbox-secret",
        )
        yield World(control, client)
        client.close()
