"""The shop of these tests: one project for all that only add to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from shop_world import shop as opened

from sandbox.notifications.shop import Shop


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    """A shop in an empty project."""
    with opened() as made:
        yield made
