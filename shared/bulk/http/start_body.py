"""The body of `POST /sync/{kind}`: read, checked field by field, all problems at once (http-api.md "Body"). Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from shared.bulk.records import RunOptions
from shared.decoding import UNDECODABLE
from shared.errors import BadRequest, Problem

MOST_IDS = 10_000
FIELDS = ("ids", "startId", "createdAfter", "createdBefore", "modifiedAfter", "dryRun")
_DATES = ("createdAfter", "createdBefore", "modifiedAfter")
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def start_options(body: bytes) -> RunOptions:
    """The options that a start's body asks for; an empty body asks for everything. Raises `BadRequest`."""
    fields = _object(body)
    problems = [_unknown(name) for name in fields if name not in FIELDS]
    given = {name: value for name, value in fields.items() if name in FIELDS}
    for name, value in given.items():
        problems.extend(_CHECKS[name](name, value))
    if "ids" in given:
        problems.extend(
            Problem(name, "cannot be combined with ids: leave one of the two out") for name in _DATES if name in given
        )
    if not problems and _nothing_between(given.get("createdAfter"), given.get("createdBefore")):
        problems.append(Problem("createdBefore", "must be later than createdAfter, or nothing can match"))
    if problems:
        raise BadRequest(problems)
    ids = given.get("ids")
    return RunOptions(
        ids=sorted({item.lower() for item in ids}) if ids else None,
        start_id=given["startId"].lower() if "startId" in given and not ids else None,
        created_after=given.get("createdAfter"),
        created_before=given.get("createdBefore"),
        modified_after=given.get("modifiedAfter"),
        dry_run=given.get("dryRun", False),
    )


def no_fields(body: bytes) -> None:
    """Check the body of a call that takes none. Raises `BadRequest`."""
    if fields := _object(body):
        raise BadRequest([Problem(shown_name(name), "is not a field of this call, which takes none") for name in fields])


def _object(body: bytes) -> Mapping[str, Any]:
    if not body.strip():
        return {}
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except UNDECODABLE:
        raise BadRequest([Problem("body", "must be a JSON object in UTF-8, or empty")]) from None


def shown_name(name: str) -> str:
    """A name that a caller made up, as an answer may repeat it."""
    return name if re.fullmatch(r"\w{1,40}", name, re.ASCII) else "(unprintable name)"


def _unknown(name: str) -> Problem:
    near = difflib.get_close_matches(name, FIELDS, n=1)
    return Problem(shown_name(name), f"is not a field of this call{f'; did you mean {near[0]}?' if near else ''}")


def _ids(name: str, value: object) -> list[Problem]:
    if not isinstance(value, list):
        return [Problem(name, "must be a list of ids")]
    if not value:
        return [Problem(name, "is empty: leave it out to import everything, or list the ids to import")]
    if len(value) > MOST_IDS:
        return [Problem(name, f"has {len(value)} ids; at most {MOST_IDS} are allowed in one run")]
    return [
        Problem(f"{name}[{index}]", "is not a commercetools id (a UUID)") for index, item in enumerate(value) if not _is_id(item)
    ][:20]


def _id(name: str, value: object) -> list[Problem]:
    return [] if _is_id(value) else [Problem(name, "is not a commercetools id (a UUID)")]


def _date(name: str, value: object) -> list[Problem]:
    try:
        if isinstance(value, str) and _moment(value).tzinfo is not None:
            _moment(value).astimezone(UTC)  # a time at the edge of the calendar has none
            return []
    except (ValueError, OverflowError):
        pass
    return [Problem(name, "must be a time in ISO 8601 with an offset, such as 2026-01-31T00:00:00Z")]


def _flag(name: str, value: object) -> list[Problem]:
    return [] if isinstance(value, bool) else [Problem(name, "must be true or false")]


def _is_id(value: object) -> bool:
    return isinstance(value, str) and _ID.fullmatch(value.lower()) is not None


def _nothing_between(after: str | None, before: str | None) -> bool:
    return after is not None and before is not None and _moment(after) >= _moment(before)


def _moment(value: str) -> datetime:
    return datetime.fromisoformat(value)


_CHECKS: Mapping[str, Callable[[str, object], list[Problem]]] = {
    "ids": _ids,
    "startId": _id,
    "createdAfter": _date,
    "createdBefore": _date,
    "modifiedAfter": _date,
    "dryRun": _flag,
}
