"""Adding up what batches achieved. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from shared.bulk.records import BatchResult

SHOWN_FAILURES = 100
EXAMPLES = 20


def added(results: Iterable[BatchResult], *, shown: int = SHOWN_FAILURES, with_ids: bool = True) -> BatchResult:
    """One result for several; keeps the first `shown` failures in detail, the first 20 examples, and ids unless told not to."""
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
        examples=[example for part in parts for example in part.examples][:EXAMPLES],
    )


def total(counts: dict[str, int]) -> int:
    """The sum over all reasons."""
    return sum(counts.values())
