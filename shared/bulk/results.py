"""Adding up what batches achieved, and how much of it is shown. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec

from shared.bulk.records import BatchResult

SHOWN_FAILURES = 100
EXAMPLES = 20
EXAMPLES_BYTES = 200_000
"""As much JSON as the examples of a batch may have together, whose record must fit a document of 1 MiB with its lists of ids."""


def added(results: Iterable[BatchResult], *, shown: int = SHOWN_FAILURES, with_ids: bool = True) -> BatchResult:
    """One result for several; keeps the first `shown` failures in detail, `first_examples`, and ids unless told not to."""
    seen = sent = 0
    skipped, failed, adjusted = Counter[str](), Counter[str](), Counter[str]()
    parts = list(results)
    for part in parts:
        seen += part.seen
        sent += part.sent
        skipped.update(part.skipped)
        failed.update(part.failed)
        adjusted.update(part.adjusted)
    return BatchResult(
        seen=seen,
        sent=sent,
        skipped=dict(skipped),
        failed=dict(failed),
        adjusted=dict(adjusted),
        failed_ids=[item for part in parts for item in part.failed_ids] if with_ids else [],
        failed_items=[item for part in parts for item in part.failed_items][:shown],
        job_ids=[job for part in parts for job in part.job_ids] if with_ids else [],
        sent_ids=[item for part in parts for item in part.sent_ids] if with_ids else [],
        examples=first_examples(example for part in parts for example in part.examples),
    )


def first_examples(examples: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first 20, less those that do not fit into `EXAMPLES_BYTES` with the ones before: these are passed over."""
    taken: list[dict[str, Any]] = []
    taken_bytes = 0
    for example in examples:
        if len(taken) == EXAMPLES:
            break
        example_bytes = len(msgspec.json.encode(example))
        if taken_bytes + example_bytes <= EXAMPLES_BYTES:
            taken.append(example)
            taken_bytes += example_bytes
    return taken


def total(counts: dict[str, int]) -> int:
    """The sum over all reasons."""
    return sum(counts.values())
