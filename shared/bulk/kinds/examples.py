"""Requests for the catalog as a dry run shows them: unmasked, since nothing of it is about a person. Pure."""

from __future__ import annotations

from typing import Any

import msgspec


def as_document(row: bytes) -> dict[str, Any]:
    """The body of the request that creates what `row` says."""
    return {"data": msgspec.json.decode(row)}
