"""How far the longest tests go: enough at every change, and several times as far with DEEP_TESTS=1 (`make test-deep`)."""

from __future__ import annotations

import os


def depth(usual: int, deep: int) -> int:
    """The number for this run of the suite."""
    return deep if os.environ.get("DEEP_TESTS") == "1" else usual
