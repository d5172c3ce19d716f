"""Keeps a function's process small and quick to start (decisions.md 14)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

TERMINAL_LIBRARIES = ("rich", "pygments")


@contextmanager
def without_terminal_libraries() -> Iterator[None]:
    """Import as if rich and pygments were not installed, unless they are loaded already.

    httpx (for a command line of its own) and structlog (for coloured tracebacks) import them wherever they find them: a tenth
    of a second and several megabytes for what a function never does. Both are made to do without. A name that stands for None
    in `sys.modules` cannot be imported, by the import system's own definition; afterwards the names are free again.
    """
    hidden = [name for name in TERMINAL_LIBRARIES if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type] # None is what the import system looks for
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
