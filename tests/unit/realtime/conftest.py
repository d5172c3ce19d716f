"""A shop whose notifications are handled."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from handled_world import HandledWorld


@pytest.fixture(scope="session")
def shop_url() -> Iterator[str]:
    """The address of a simulated project without any resources."""
    command = [sys.executable, "-m", "sandbox.commercetools", "--port", "0", "--customers", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().removeprefix("listening on ").strip()
        process.terminate()


@pytest.fixture
def handled(shop_url: str, tmp_path: Path) -> Iterator[HandledWorld]:
    """A shop as it was at first, an empty account, and a process that has read nothing yet."""
    world = HandledWorld(shop_url, tmp_path / "state.sqlite3")
    yield world
    world.close()
