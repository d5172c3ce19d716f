"""What goes into the catalog as a dry run shows it: unmasked, since nothing of it is about a person. Pure."""

from __future__ import annotations

from typing import Any

import msgspec


def as_document(row: bytes) -> dict[str, Any]:
    """The body that creates the item, variant or category of `row`."""
    return {"data": msgspec.json.decode(row)}
