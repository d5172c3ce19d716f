"""What an answer of Klaviyo says: its error body taken apart, and the error it stands for (decisions.md 4, klaviyo.md 1.3).

Nothing of a body's free texts is kept: `detail` and `title` may repeat an address or a number.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from shared.decoding import UNDECODABLE
from shared.errors import AuthError, Host, HostDown, PermanentError, RateLimited, SyncError, TransientError
from shared.klaviyo.limits import Endpoint
from shared.outcomes import Situation, situation_of_status

PHONE_FIELD = "phone_number"
IDENTIFIER_FIELDS = frozenset({"id", "external_id", "email", PHONE_FIELD})

_CODE = re.compile(r"[A-Za-z0-9_.\-]{1,64}")
_SAFE_POINTER = re.compile(r"(?:/[A-Za-z0-9_.$~\-]{1,64}(?=/|$)){0,16}")
_PROFILE_ID = re.compile(r"[A-Za-z0-9_\-]{1,64}")
_ROW = re.compile(r"/data/attributes/[a-z\-]+/data/(\d{1,9})(?:/|$)")
_FIELD = re.compile(r"/attributes/([A-Za-z_]+)(?:/[^/]+)*$")


@dataclass(frozen=True, slots=True)
class Refusal:
    """One entry of an error body.

    `row` is the position in a bulk body that the pointer names, `field` the attribute of the profile, event or catalog
    object; both None when the pointer names none. `pointer` ends before the first part that could hold personal data, and
    is None when nothing is left.
    """

    code: str
    pointer: str | None = None
    row: int | None = None
    field: str | None = None
    duplicate_profile_id: str | None = None


class Refused(PermanentError):
    """Klaviyo refused the content; `refusals` has all it named, none when the answer's body could not be read."""

    def __init__(self, refusals: Sequence[Refusal], *, status: int) -> None:
        self.refusals = tuple(refusals)
        first = self.refusals[0] if self.refusals else Refusal(f"http_{status}")
        super().__init__(first.code, host=Host.KLAVIYO, status=status, pointer=first.pointer)


class Conflict(Refused):
    """409: an identifier belongs to another profile; `duplicate_profile_id` names it, if the answer did."""

    def __init__(self, refusals: Sequence[Refusal], *, status: int = 409) -> None:
        super().__init__(refusals, status=status)
        self.duplicate_profile_id = next((r.duplicate_profile_id for r in self.refusals if r.duplicate_profile_id), None)


def refusals_of(body: bytes) -> tuple[Refusal, ...]:
    """The entries of an error body; none when it is not Klaviyo's (klaviyo.md 1.3 says what may be missing or added)."""
    try:
        document = msgspec.json.decode(body)
    except UNDECODABLE:
        return ()
    entries = document.get("errors") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        return ()
    return tuple(refusal_of(entry) for entry in entries if isinstance(entry, dict))


def refusal_of(entry: dict[str, Any]) -> Refusal:
    """One entry of an error body, or the attributes of one import error, which have the same shape."""
    source, meta = entry.get("source"), entry.get("meta")
    named = source.get("pointer") if isinstance(source, dict) else None
    pointer = named if isinstance(named, str) else ""
    safe = _SAFE_POINTER.match(pointer)
    row = _ROW.match(pointer)
    field = _FIELD.search(_last_attributes(pointer))
    return Refusal(
        code=_matched(_CODE, entry.get("code")) or "unknown",
        pointer=(safe.group() if safe else None) or None,
        row=int(row.group(1)) if row else None,
        field=field.group(1) if field else None,
        duplicate_profile_id=_matched(_PROFILE_ID, meta.get("duplicate_profile_id") if isinstance(meta, dict) else None),
    )


def error_of(endpoint: Endpoint, status: int, retry_after_s: float | None, body: bytes) -> SyncError | None:
    """The error that an answer stands for by the table of `shared.outcomes`; None for a success.

    `HostDown` for what speaks of the whole host, which an unknown path of a collection does too: during one incident
    good paths answered 404.
    """
    if 200 <= status < 300:
        return None
    match situation_of_status(Host.KLAVIYO, status, endpoint.kind):
        case Situation.TRANSIENT if status == 429:
            return RateLimited(f"klaviyo answered 429 to {endpoint.name}", host=Host.KLAVIYO, retry_after_s=retry_after_s)
        case Situation.TRANSIENT:
            error = HostDown if status >= 500 or status == 404 else TransientError
            return error(f"klaviyo answered {status} to {endpoint.name}", host=Host.KLAVIYO, retry_after_s=retry_after_s)
        case Situation.AUTHENTICATION:
            return AuthError(Host.KLAVIYO, status, endpoint.name)
        case _ if status == 409:
            return Conflict(refusals_of(body))
        case _:
            return Refused(refusals_of(body), status=status)


def is_missing(error: PermanentError) -> bool:
    """404: what the path of a PATCH, DELETE or GET names is not there."""
    return error.status == 404


def is_taken(error: PermanentError) -> bool:
    """409: what a POST was to create is there already."""
    return error.status == 409


def names_only_the_phone(error: PermanentError) -> bool:
    """Whether every entry of a refusal points at the person's phone, and there is one."""
    return isinstance(error, Refused) and bool(error.refusals) and all(entry.field == PHONE_FIELD for entry in error.refusals)


def names_link(error: PermanentError, relationship: str) -> bool:
    """Whether a refusal points at what the body links to by `relationship` (`categories`, `item`)."""
    whole = f"/data/relationships/{relationship}"
    return isinstance(error, Refused) and any(f"{entry.pointer}/".startswith(f"{whole}/") for entry in error.refusals)


def _matched(pattern: re.Pattern[str], value: object) -> str | None:
    return value if isinstance(value, str) and pattern.fullmatch(value) else None


def _last_attributes(pointer: str) -> str:
    """The pointer from its innermost `/attributes/` on; that of a bare bulk row names no field."""
    at = pointer.rfind("/attributes/")
    if at < 0 or _ROW.fullmatch(pointer):
        return ""
    row = _ROW.match(pointer)
    return pointer[at:] if row is None or at >= row.end() - 1 else ""
