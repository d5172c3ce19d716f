"""The append-only account of what a simulator saw and did, kept apart from any client's own records.

Two sequences share one numbering of requests: every *request* (answered, faulted or refused) and every *effect* a
request had, whether at once or later through a job. Bodies are never kept; identities (external ids, unique ids) are.
Effects are held in columns, so that a million of them cost some tens of megabytes.
"""

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One request. `at` is the simulator's clock in seconds; `identities` names the rows accepted, in body order.

    `fault` is the kind of an injected fault that kept the request from the application; `status` is None when no
    answer left.
    """

    seq: int
    at: float
    method: str
    path: str
    endpoint: str
    status: int | None
    body_bytes: int
    identities: Sequence[str] = ()
    fault: str | None = None


class Effect(msgspec.Struct, frozen=True):
    """One effect: request `seq` did `kind` (such as `profile_created`) to `identity` at `at`."""

    n: int
    seq: int
    at: float
    kind: str
    identity: str


class Ledger:
    """Requests and effects in the order in which they happened; entries are appended, never changed."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.last_seq = 0
        self._kinds: list[str] = []
        self._kind_numbers: dict[str, int] = {}
        self._effect_seq = array("L")
        self._effect_at = array("d")
        self._effect_kind = array("B")
        self._effect_identity: list[str] = []

    def next_seq(self) -> int:
        """Reserve the number of a request that is being handled."""
        self.last_seq += 1
        return self.last_seq

    def request(self, entry: Entry) -> None:
        """Append a finished request."""
        self.entries.append(entry)

    def effect(self, seq: int, at: float, kind: str, identity: str) -> None:
        """Append one effect of request `seq`."""
        number = self._kind_numbers.get(kind)
        if number is None:
            number = self._kind_numbers[kind] = len(self._kinds)
            self._kinds.append(kind)
        self._effect_seq.append(seq)
        self._effect_at.append(at)
        self._effect_kind.append(number)
        self._effect_identity.append(identity)

    def effects(self, after: int = 0, limit: int | None = None) -> Iterator[Effect]:
        """Effects number `after` + 1 and following, at most `limit`."""
        end = len(self._effect_identity) if limit is None else min(len(self._effect_identity), after + limit)
        for i in range(after, end):
            kind = self._kinds[self._effect_kind[i]]
            yield Effect(i + 1, self._effect_seq[i], self._effect_at[i], kind, self._effect_identity[i])

    def summary(self) -> dict[str, Any]:
        """Counts by endpoint and status, share of 429, effects by kind, first and last time, body bytes by endpoint."""
        by_endpoint: dict[str, Counter[str]] = {}
        sent_bytes: Counter[str] = Counter()
        faults: Counter[str] = Counter()
        throttled = 0
        for entry in self.entries:
            status = "none" if entry.status is None else str(entry.status)
            by_endpoint.setdefault(entry.endpoint, Counter())[status] += 1
            sent_bytes[entry.endpoint] += entry.body_bytes
            throttled += entry.status == 429
            if entry.fault:
                faults[entry.fault] += 1
        counted = Counter(self._effect_kind)
        return {
            "requests": len(self.entries),
            "effects": {self._kinds[number]: count for number, count in sorted(counted.items())},
            "by_endpoint": {endpoint: dict(counts) for endpoint, counts in by_endpoint.items()},
            "body_bytes": dict(sent_bytes),
            "throttled": throttled,
            "throttled_share": throttled / len(self.entries) if self.entries else 0.0,
            "faults": dict(faults),
            "first_at": self.entries[0].at if self.entries else None,
            "last_at": self.entries[-1].at if self.entries else None,
        }
