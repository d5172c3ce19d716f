"""The body of `POST /sync/{kind}`: read, checked field by field, all problems at once (http-api.md "Body"). Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from shared.bulk.records import Kind, RunOptions
from shared.decoding import UNDECODABLE
from shared.errors import BadRequest, Problem

MOST_IDS = 10_000
FIELDS = (
    "ids",
    "startId",
    "createdAfter",
    "createdBefore",
    "modifiedAfter",
    "dryRun",
    "deleteAll",
    "confirmDeletion",
    "confirmDeletetion",
    "onlyOwn",
)
FIELDS_OF_ALL = ("createdAfter", "modifiedAfter", "dryRun")
"""What a start of all kinds takes."""

DELETED = (Kind.CATEGORIES, Kind.PRODUCTS)
"""The kinds whose records in Klaviyo can be deleted all at once."""

OF_A_DELETION = ("deleteAll", "confirmDeletion", "confirmDeletetion", "onlyOwn")
"""The third is a spelling that documents of the older product have."""

_DATES = ("createdAfter", "createdBefore", "modifiedAfter")
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def start_options(body: bytes, kind: Kind) -> RunOptions:
    """The options that a start of this kind asks for; an empty body asks for everything. Raises `BadRequest`."""
    fields = _object(body)
    allowed = FIELDS_OF_ALL if kind is Kind.ALL else FIELDS
    problems = [_not_of_all(name) if name in FIELDS else _unknown(name, allowed) for name in fields if name not in allowed]
    given = {name: value for name, value in fields.items() if name in allowed}
    for name, value in given.items():
        problems.extend(_CHECKS[name](name, value))
    problems += _deletion_faults(given, kind) if any(name in given for name in OF_A_DELETION) else []
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
        delete_all=given.get("deleteAll", False),
        only_own=given.get("onlyOwn", False),
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


def _deletion_faults(given: Mapping[str, Any], kind: Kind) -> list[Problem]:
    """What is wrong with the fields of a deletion: it must be meant, confirmed, and asked for alone."""
    if given.get("deleteAll") is not True:
        return [Problem(name, "is a field of deleteAll; leave it out") for name in OF_A_DELETION[1:] if name in given]
    if kind not in DELETED:
        return [
            Problem("deleteAll", f"is possible for {' and '.join(DELETED)} only; {kind.value} are never deleted by an import")
        ]
    others = [
        Problem(name, "cannot be combined with deleteAll: leave one of the two out")
        for name in given
        if name not in OF_A_DELETION
    ]
    named = [name for name in OF_A_DELETION[1:3] if name in given]
    if not named or any(given[name] != kind.value for name in named):
        others.append(Problem("confirmDeletion", _risk(kind, own=given.get("onlyOwn") is True)))
    return others


def _risk(kind: Kind, *, own: bool) -> str:
    with_them = ", with their variants," if kind is Kind.PRODUCTS else ""
    what = f"the {kind.value}{with_them} that have a commercetools id" if own else f"every one of the {kind.value}{with_them}"
    made = "" if own else ", also those that other systems or people made; onlyOwn spares these"
    return (
        f"is missing or wrong: this deletes {what} in Klaviyo's catalog{made}. It cannot be undone. "
        f'If that is meant, send "confirmDeletion": "{kind.value}"'
    )


def _not_of_all(name: str) -> Problem:
    return Problem(name, "cannot be given for all kinds at once: start the kinds one by one")


def _unknown(name: str, allowed: Sequence[str]) -> Problem:
    near = difflib.get_close_matches(name, allowed, n=1)
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


def _text(name: str, value: object) -> list[Problem]:
    return [] if isinstance(value, str) else [Problem(name, "must be the name of the kind, as a text")]


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
    "deleteAll": _flag,
    "confirmDeletion": _text,
    "confirmDeletetion": _text,
    "onlyOwn": _flag,
}
