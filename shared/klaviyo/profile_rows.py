"""The rows of a profile import, their outcomes, and which row an import error speaks of. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from shared.klaviyo.profiles import ProfileAttributes
from shared.klaviyo.requests import RefusedRow, decode_profile, encode_profile
from shared.klaviyo.verdicts import IDENTIFIER_FIELDS, Refusal, refusal_of
from shared.mapping.result import Adjustment

_CONFLICT_WORDS = ("duplicate", "conflict")


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """One customer on the way to Klaviyo; `encoded` is the row of a request body, all that is kept of the profile."""

    customer_id: str
    encoded: bytes = field(repr=False)

    @property
    def attributes(self) -> ProfileAttributes:
        """The profile, decoded anew each time."""
        return decode_profile(self.encoded)

    def without_phone(self) -> ProfileRow:
        """The same customer without the phone number."""
        return profile_row(self.customer_id, msgspec.structs.replace(self.attributes, phone_number=None))


def profile_row(customer_id: str, attributes: ProfileAttributes) -> ProfileRow:
    """A row, encoded once for all its requests."""
    return ProfileRow(customer_id, encode_profile(attributes))


class KeptRows:
    """The rows of an import by index. Compressed, they take about a tenth of their size; the next look brings them back."""

    def __init__(self, rows: Iterable[ProfileRow]) -> None:
        self.customer_ids: list[str] = []
        self._encoded: list[bytes] | None = []
        self._compressed = b""
        for row in rows:
            self.customer_ids.append(row.customer_id)
            self._encoded.append(row.encoded)

    def __len__(self) -> int:
        return len(self.customer_ids)

    def __getitem__(self, index: int) -> ProfileRow:
        return ProfileRow(self.customer_ids[index], self._rows()[index])

    def replace(self, index: int, row: ProfileRow) -> None:
        """Keep another row in this place."""
        self._rows()[index] = row.encoded

    def compress(self) -> None:
        """Hold the rows in less memory until one is looked at. JSON rows have no line breaks, so these part them."""
        if self._encoded is not None:
            self._compressed, self._encoded = zlib.compress(b"\n".join(self._encoded), level=1), None

    def _rows(self) -> list[bytes]:
        if self._encoded is None:
            self._encoded, self._compressed = zlib.decompress(self._compressed).split(b"\n"), b""
        return self._encoded


@dataclass(frozen=True, slots=True)
class Sent:
    """Klaviyo has the customer, less what `adjustments` name."""

    adjustments: tuple[Adjustment, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """Klaviyo refused the customer: its code, and the pointer as it gave it."""

    reason: str
    pointer: str | None = None


@dataclass(frozen=True, slots=True)
class ProfileImportResult:
    """What became of each row, by customer id, in the order of the rows; `job_ids` are Klaviyo's."""

    outcomes: Mapping[str, Sent | Failed]
    job_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RowError:
    """An import error and the row it speaks of (`index` into the rows of the import)."""

    index: int
    refusal: Refusal


def matched_errors(errors: Iterable[RefusedRow], rows: KeptRows, indices: Sequence[int]) -> tuple[dict[int, RowError], int]:
    """The first error of each row of a job by the row's index, and how many errors name no row of it.

    `indices` are the job's rows within `rows`, in the order sent. A row is known by the payload's external id, else by its
    e-mail, else by the position that the pointer names.
    """
    by_external_id: dict[str | None, int] = {}
    by_email: dict[str | None, int] = {}
    for position in indices:
        attributes = rows[position].attributes
        by_external_id[attributes.external_id] = position
        by_email[_folded(attributes.email)] = position
    found: dict[int, RowError] = {}
    unmatched = 0
    for error in errors:
        refusal = refusal_of({"code": error.code, "source": error.source})
        index = _index_by_payload(error.original_payload, by_external_id, by_email)
        if index is None and refusal.row is not None and refusal.row < len(indices):
            index = indices[refusal.row]
        if index is None:
            unmatched += 1
        else:
            found.setdefault(index, RowError(index, refusal))
    return found, unmatched


def is_about_identifiers(refusal: Refusal) -> bool:
    """Whether an import error may be solved by leaving an identifier out: a conflict, or a pointer at an identifier."""
    return refusal.field in IDENTIFIER_FIELDS or any(word in refusal.code for word in _CONFLICT_WORDS)


def _index_by_payload(payload: Any, by_external_id: Mapping[str | None, int], by_email: Mapping[str | None, int]) -> int | None:
    """The payload is the row as sent, or its attributes, or a request with the row as `data`."""
    for _ in range(3):
        if not isinstance(payload, dict):
            return None
        external_id, email = payload.get("external_id"), payload.get("email")
        if isinstance(external_id, str) and external_id in by_external_id:
            return by_external_id[external_id]
        if isinstance(email, str) and _folded(email) in by_email:
            return by_email[_folded(email)]
        payload = payload.get("attributes") or payload.get("data")
    return None


def _folded(email: str | None) -> str | None:
    return email.strip().casefold() if email else None
