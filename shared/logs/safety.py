"""What may stand in a log line: named fields with ids, codes, counts and durations, and errors without their texts.

The rule is an allow-list (decisions.md 17): whatever is not known to be harmless is left out, and its key is named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from pathlib import Path
from traceback import walk_tb
from types import TracebackType
from typing import Any
from uuid import UUID

from shared.errors import SyncError

# Who and what a line is about.
_IDS = "run_id batch_id range_id request_id dead_letter_id resource_id cursor fence"

# What happened, and where, in words that we or the vendors' contracts have chosen.
_CODES = "kind status outcome reason error_type operation method endpoint at category message_type resource_type adjusted"

# How much; where there is a unit, it is in the name.
_NUMBERS = "seen sent skipped failed total attempt attempts rows ranges adjustments"

FIELDS = frozenset(f"{_IDS} {_CODES} {_NUMBERS}".split())

# Any other key with one of these endings may hold a number.
NUMERIC_ENDINGS = ("_s", "_ms", "_bytes", "_count", "_total")

_ERROR_KEYS = ("exc_info", "error", "exc")
_MAX_FRAMES = 30
_MAX_TEXT_CHARS = 2_000
_MAX_ELEMENTS = 50

# An id, a code, a path, a JSON pointer: no spaces, no "@", no "+", so neither a name in full, nor an e-mail, nor a phone.
_PLAIN = re.compile(r"[A-Za-z0-9_.:/\[\]$,*#=-]{0,300}")
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?")

_REMOVED = "[removed]"
_TELLTALES = re.compile(
    r"""
    [^\s@<>"'()]+@[^\s@<>"'()]+                                # an e-mail address
    | (?<![\w+-])\+\d[\d\s()./-]{6,}\d                         # a phone number with its country code
    | \b[ps]k_[\w-]+                                           # a Klaviyo key
    | \beyJ[\w-]*(\.[\w-]*){0,4}                               # a JSON web token
    | \b(Bearer|Basic|Klaviyo-API-Key)\s+\S+                   # a credential as headers carry it
    | (?<=[\w/])\?[^\s"'?=]+=[^\s"']*                          # a URL's query
    """,
    re.VERBOSE | re.IGNORECASE,
)


def scrub(text: str) -> str:
    """`text` on one line, at most 2,000 characters, with what looks like personal data or a credential removed.

    A second line of defence, for texts that are constants or our own messages; it cannot know a person's name.
    """
    line = " ".join(_TELLTALES.sub(_REMOVED, text[: _MAX_TEXT_CHARS * 2]).split())[:_MAX_TEXT_CHARS]
    return "".join(character if character.isprintable() else "?" for character in line)


@dataclass(frozen=True, slots=True)
class DescribedError:
    """What may be said of an error, as fields: `error_type`, `error`, `caused_by`, `stack_trace`."""

    fields: dict[str, Any]


def safe_fields(fields: Mapping[str, object]) -> dict[str, Any]:
    """The fields that may be logged, errors described; `dropped` names the keys of the others."""
    kept: dict[str, Any] = {}
    dropped: list[str] = []
    for key, value in fields.items():
        if key in _ERROR_KEYS and isinstance(value, BaseException | DescribedError | None):
            described = described_error(value) if isinstance(value, BaseException) else value
            kept |= described.fields if described else {}
        elif _may_hold(key, value) and (safe := _safe_value(value)) is not _UNSAFE:
            kept[key] = safe
        else:
            dropped.append(key if _PLAIN.fullmatch(key) else _REMOVED)
    if dropped:
        kept["dropped"] = sorted(dropped)
    return kept


def described_error(error: BaseException) -> DescribedError:
    """Type, own message (only of our errors), types of the causes, and where: never a foreign text, a source line or a local."""
    own = scrub(str(error)) if isinstance(error, SyncError) else ""
    name = _type_name(error)
    frames = list(_frames(error.__traceback__))[-_MAX_FRAMES:]
    description: dict[str, Any] = {"error_type": name}
    if own:
        description["error"] = own
    if causes := [_type_name(cause) for cause in _causes(error)]:
        description["caused_by"] = causes
    if frames:
        last = f"{name}: {own}" if own else name
        description["stack_trace"] = "\n".join(["Traceback (most recent call last):", *frames, last])
    return DescribedError(description)


def place(path: str, line: int, function: str) -> str:
    """Where in the code something happened, without the folders of the machine."""
    return ":".join(filter(None, (_short_path(path), str(line), function.strip("<>"))))


class _Unsafe(Enum):
    UNSAFE = 0


_UNSAFE = _Unsafe.UNSAFE


def _may_hold(key: str, value: object) -> bool:
    return key in FIELDS or (isinstance(value, int | float) and key.endswith(NUMERIC_ENDINGS))


def _safe_value(value: object) -> Any:
    """The value as JSON, or `_UNSAFE`: numbers, ids, codes, timestamps, short lists of these, and counts by code."""
    if isinstance(value, Enum):
        value = value.value
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date | UUID):
        return str(value)
    if isinstance(value, str):
        return value if _is_plain(value) else _UNSAFE
    if isinstance(value, Mapping):
        return _safe_mapping(value)
    if isinstance(value, list | tuple | set | frozenset):
        elements = [_safe_value(element) for element in list(value)[:_MAX_ELEMENTS]]
        return _UNSAFE if _UNSAFE in elements else elements
    return _UNSAFE


def _safe_mapping(value: Mapping[object, object]) -> Any:
    kept: dict[str, Any] = {}
    for key, inner in list(value.items())[:_MAX_ELEMENTS]:
        name = _safe_value(key)
        counted = _safe_value(inner) if isinstance(inner, bool | int | float) else _UNSAFE
        if not isinstance(name, str) or counted is _UNSAFE:
            return _UNSAFE
        kept[name] = counted
    return kept


def _is_plain(text: str) -> bool:
    if _TIMESTAMP.fullmatch(text):
        return True
    return _PLAIN.fullmatch(text) is not None and _TELLTALES.search(text) is None


def _frames(traceback: TracebackType | None) -> Iterator[str]:
    for frame, line in walk_tb(traceback):
        code = frame.f_code
        yield f'  File "{_short_path(code.co_filename)}", line {line}, in {code.co_name}'


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen = {id(error)}
    while True:
        cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if cause is None or id(cause) in seen:
            return
        seen.add(id(cause))
        yield cause
        error = cause


def _type_name(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ in ("builtins", "shared.errors") else f"{kind.__module__}.{kind.__qualname__}"


_ROOT = Path(__file__).resolve().parents[2]


def _short_path(path: str) -> str:
    given = Path(path)
    if "site-packages" in given.parts:
        return "/".join(given.parts[given.parts.index("site-packages") + 1 :])
    try:
        return given.relative_to(_ROOT).as_posix()
    except ValueError:
        return given.name
