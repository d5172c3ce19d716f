"""What the checkers read: every resource of the simulated project, and everything the simulated Klaviyo has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sandbox.launch import HTTP


def resources(commercetools_url: str, collection: str) -> Iterator[dict[str, Any]]:
    """Every resource of a collection as it is now, whole."""
    return lines(f"{commercetools_url}/_sandbox/{collection}?whole=true")


def stored(klaviyo_url: str, what: str) -> Iterator[dict[str, Any]]:
    """All `profiles`, `events` or objects of the `catalog`, with everything stored."""
    return lines(f"{klaviyo_url}/_sandbox/{what}/dump?full=1")


def lines(url: str) -> Iterator[dict[str, Any]]:
    """The objects of an answer that has one JSON object a line."""
    with HTTP.stream("GET", url, timeout=300.0) as response:
        response.raise_for_status()
        for line in response.iter_lines():
            if line:
                yield json.loads(line)
