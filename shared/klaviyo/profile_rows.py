"""The rows of a profile import, their outcomes, and which row an import error speaks of. Pure."""

from __future__ import annotations

import base64
import uuid
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from shared.klaviyo.profile_requests import decode_profile, encode_profile
from shared.klaviyo.profiles import ProfileAttributes
from shared.klaviyo.requests import RefusedRow
from shared.klaviyo.row_outcomes import RowOutcome, StoredOutcome, by_outcome, stored_fields
from shared.klaviyo.verdicts import IDENTIFIER_FIELDS, Refusal, refusal_of

POINTER_BYTES_MOST = 100_000
"""How much of a record the pointers of failures may take; beyond that a failure is remembered by its reason alone."""

_SHORT_ID = "~"
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
    """The rows of an import by customer. Compressed, they take about a tenth of their size; the next look brings them back."""

    def __init__(self, rows: Iterable[ProfileRow]) -> None:
        self.customer_ids: list[str] = []
        self._encoded: list[bytes] | None = []
        self._compressed = b""
        for row in rows:
            self.customer_ids.append(row.customer_id)
            self._encoded.append(row.encoded)
        self._index = {customer_id: index for index, customer_id in enumerate(self.customer_ids)}

    def __contains__(self, customer_id: str) -> bool:
        return customer_id in self._index

    def __getitem__(self, customer_id: str) -> ProfileRow:
        return ProfileRow(customer_id, self._rows()[self._index[customer_id]])

    def replace(self, row: ProfileRow) -> None:
        """Keep another row for its customer."""
        self._rows()[self._index[row.customer_id]] = row.encoded

    def compress(self) -> None:
        """Hold the rows in less memory until one is looked at. JSON rows have no line breaks, so these part them."""
        if self._encoded is not None:
            self._compressed, self._encoded = zlib.compress(b"\n".join(self._encoded), level=1), None

    def _rows(self) -> list[bytes]:
        if self._encoded is None:
            self._encoded, self._compressed = zlib.decompress(self._compressed).split(b"\n"), b""
        return self._encoded


@dataclass(frozen=True, slots=True)
class ProfileImportResult:
    """What became of each row, by customer id, in the order of the rows; `job_ids` are Klaviyo's."""

    outcomes: Mapping[str, RowOutcome]
    job_ids: tuple[str, ...] = ()


class KnownOutcome(StoredOutcome, frozen=True, omit_defaults=True, kw_only=True):
    """An outcome and the customers that have it, shortened."""

    customer_ids: list[str]


class KnownRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """`KnownOutcomes` as plain values, to be stored: below 700,000 bytes of JSON for 10,000 customers, whatever is known."""

    jobs: dict[str, list[str]] = {}
    outcomes: list[KnownOutcome] = []
    conflicts: list[str] = []
    phones_dropped: list[str] = []


@dataclass(slots=True)
class KnownOutcomes:
    """What is known of an import that is under way, right at every moment; with it, the import goes on where it ended.

    A customer is in one of these places, or in none of them and has to be sent (again):
    `jobs` has every job that was started, with the customers whose fate it still decides: none any more once it was read;
    `outcomes` has those whose fate is known, and `conflicts` those that a job refused for an identifier, not solved yet.
    `phones_dropped` are customers that go without their phone since Klaviyo refused it, wherever they are.
    """

    jobs: dict[str, list[str]] = field(default_factory=dict)
    outcomes: dict[str, RowOutcome] = field(default_factory=dict)
    conflicts: set[str] = field(default_factory=set)
    phones_dropped: set[str] = field(default_factory=set)

    def unsent(self, customer_ids: Iterable[str]) -> list[str]:
        """Those of the customers that are in none of the places."""
        placed = self.outcomes.keys() | self.conflicts
        placed.update(*self.jobs.values())
        return [customer_id for customer_id in customer_ids if customer_id not in placed]

    def to_record(self) -> KnownRecord:
        """All of it as plain values; of very many failures some lose their pointers, to keep it small."""
        groups = by_outcome(self.outcomes.items(), POINTER_BYTES_MOST)
        return KnownRecord(
            {job_id: [_short(customer_id) for customer_id in ids] for job_id, ids in self.jobs.items()},
            [KnownOutcome(customer_ids=[*map(_short, ids)], **stored_fields(outcome)) for outcome, ids in groups.items()],
            sorted(map(_short, self.conflicts)),
            sorted(map(_short, self.phones_dropped)),
        )

    @classmethod
    def from_record(cls, record: KnownRecord) -> KnownOutcomes:
        """What `to_record` made a record of."""
        return cls(
            {job_id: [_long(short) for short in ids] for job_id, ids in record.jobs.items()},
            {_long(short): known.outcome for known in record.outcomes for short in known.customer_ids},
            set(map(_long, record.conflicts)),
            set(map(_long, record.phones_dropped)),
        )


def matched_errors(errors: Iterable[RefusedRow], rows: KeptRows, customer_ids: Sequence[str]) -> tuple[dict[str, Refusal], int]:
    """The first error of each customer of a job, and how many errors name none of them.

    `customer_ids` are the job's, in the order sent; those that `rows` does not have any more are matched all the same. A
    customer is known by the payload's external id, else by its e-mail, else by the position that the pointer names.
    """
    by_external_id: dict[str | None, str] = {}
    by_email: dict[str | None, str] = {}
    for customer_id in customer_ids:
        by_external_id[customer_id] = customer_id
        if customer_id in rows:
            attributes = rows[customer_id].attributes
            by_external_id[attributes.external_id] = customer_id
            by_email[_folded(attributes.email)] = customer_id
    found: dict[str, Refusal] = {}
    unmatched = 0
    for error in errors:
        refusal = refusal_of({"code": error.code, "source": error.source})
        named = _named_by_payload(error.original_payload, by_external_id, by_email)
        if named is None and refusal.row is not None and refusal.row < len(customer_ids):
            named = customer_ids[refusal.row]
        if named is None:
            unmatched += 1
        else:
            found.setdefault(named, refusal)
    return found, unmatched


def is_about_identifiers(refusal: Refusal) -> bool:
    """Whether an import error may be solved by leaving an identifier out: a conflict, or a pointer at an identifier."""
    return refusal.field in IDENTIFIER_FIELDS or any(word in refusal.code for word in _CONFLICT_WORDS)


def _named_by_payload(payload: Any, by_external_id: Mapping[str | None, str], by_email: Mapping[str | None, str]) -> str | None:
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


def _short(customer_id: str) -> str:
    """A UUID, which every id of commercetools is, in 23 characters; anything else as it is."""
    try:
        parsed = uuid.UUID(customer_id)
    except ValueError:
        return customer_id
    if str(parsed) != customer_id:
        return customer_id
    return _SHORT_ID + base64.urlsafe_b64encode(parsed.bytes).decode().rstrip("=")


def _long(short: str) -> str:
    """The id that `_short` has shortened."""
    if not short.startswith(_SHORT_ID):
        return short
    return str(uuid.UUID(bytes=base64.urlsafe_b64decode(short.removeprefix(_SHORT_ID) + "==")))
