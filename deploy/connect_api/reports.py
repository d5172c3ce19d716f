"""What Connect reports of a validation or a build."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def reasons(report: Any, *, only_faults: bool = True) -> Sequence[str]:
    """The report's entries as lines, faults alone by default; all of them when it names no fault."""
    entries = report.get("entries") if isinstance(report, Mapping) else None
    known = [entry for entry in entries or [] if isinstance(entry, Mapping)]
    faults = [entry for entry in known if entry.get("type") in ("Error", "Warning")]
    chosen = faults if only_faults and faults else known
    return [_line(entry) for entry in chosen] or ["the report has no entries"]


def _line(entry: Mapping[str, Any]) -> str:
    message = f": {entry['message']}" if entry.get("message") else ""
    return f"{entry.get('type', 'Entry')}: {entry.get('title', 'without a title')}{message}"
