"""The entry points of the deployed functions, each loaded only when it is asked for (decisions.md 13).

Google's build, a container and `functions-framework` find a function by its name in this file; a deployment of one function
must not pay for importing the others.
"""

from __future__ import annotations

import importlib
from typing import Any

ENTRY_POINTS = {
    "realtime_event": "functions.realtime_event.main",
    "bulk_dispatch": "functions.bulk_dispatch.main",
    "bulk_worker": "functions.bulk_worker.main",
}


def __getattr__(name: str) -> Any:
    """The entry point of that name. Raises AttributeError for any other name."""
    if name not in ENTRY_POINTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(ENTRY_POINTS[name]), name)
