"""Counting the outcomes of a batch's items, so that seen = sent + skipped + failed holds by construction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from shared.bulk.records import BatchResult, FailedItem
from shared.bulk.results import SHOWN_FAILURES, added, first_examples


@dataclass(frozen=True, slots=True)
class Step:
    """The outcomes of a batch's items up to and including the id `cursor`, since the step before."""

    cursor: str
    result: BatchResult


@dataclass(slots=True)
class Progress:
    """What is known of a batch while it is worked on, and is kept when the work ends early.

    `carry` gives what is known of the items behind `cursor`, for `Batch.carried`.
    """

    cursor: str | None
    result: BatchResult
    carry: Callable[[], dict[str, Any] | None] | None = None

    def add(self, step: Step) -> None:
        """Take a step into account; whatever was known of its items is part of it."""
        self.cursor, self.result, self.carry = step.cursor, added([self.result, step.result]), None

    def carried(self) -> dict[str, Any] | None:
        """What the next attempt can start with, beside `cursor` and `result`."""
        return self.carry() if self.carry else None


class Tally:
    """Collects outcomes, one call for each item; `result()` is the record of them."""

    def __init__(self) -> None:
        self._sent = 0
        self._skipped, self._failed, self._adjusted = Counter[str](), Counter[str](), Counter[str]()
        self._failed_ids: list[str] = []
        self._failed_items: list[FailedItem] = []
        self._job_ids: list[str] = []
        self._sent_ids: list[str] = []
        self._examples: list[dict[str, Any]] = []

    def sent(self, count: int = 1) -> None:
        """Klaviyo has accepted `count` items."""
        self._sent += count

    def skipped(self, reason: str, count: int = 1) -> None:
        """`count` items are not to be sent."""
        if count:
            self._skipped[reason] += count

    def failed(self, item_id: str, reason: str, pointer: str | None = None) -> None:
        """An item cannot be sent as it is."""
        self._failed[reason] += 1
        self._failed_ids.append(item_id)
        if len(self._failed_items) < SHOWN_FAILURES:
            self._failed_items.append(FailedItem(id=item_id, reason=reason, pointer=pointer))

    def adjusted(self, reason: str, count: int = 1) -> None:
        """Something was left out of `count` items that are sent all the same."""
        if count:
            self._adjusted[reason] += count

    def jobs(self, job_ids: list[str]) -> None:
        """Klaviyo's names for the jobs that carried the items."""
        self._job_ids.extend(job_ids)

    def in_catalog(self, ids: Iterable[str]) -> None:
        """These are in Klaviyo's catalog now, so the closing sweep looks whether they still should be."""
        self._sent_ids.extend(ids)

    def example(self, request: dict[str, Any]) -> None:
        """A masked request of a dry run; the first few are kept (`first_examples`)."""
        self._examples = first_examples([*self._examples, request])

    def result(self) -> BatchResult:
        """Everything counted so far."""
        return BatchResult(
            seen=self._sent + self._skipped.total() + self._failed.total(),
            sent=self._sent,
            skipped=dict(self._skipped),
            failed=dict(self._failed),
            adjusted=dict(self._adjusted),
            failed_ids=list(self._failed_ids),
            failed_items=list(self._failed_items),
            job_ids=list(self._job_ids),
            sent_ids=list(self._sent_ids),
            examples=list(self._examples),
        )
