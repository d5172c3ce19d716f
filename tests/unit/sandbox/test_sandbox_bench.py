"""The benchmark's verdict and its words."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.bench.customers import PEAK_MB, problems, report

FIGURES: dict[str, Any] = {
    "status": "completed",
    "complete": True,
    "seen": 1000,
    "sent": 990,
    "skipped": 10,
    "failed": 0,
    "elapsed_s": 2.0,
    "items_per_s": 500.0,
    "klaviyo_requests": {"POST /api/profile-bulk-import-jobs": {"202": 1}},
    "klaviyo_throttled": 0,
    "bytes_per_row": 700,
    "ceiling_items_per_s": 16_000,
    "share_of_ceiling": 0.03,
    "cpu_s": 1.0,
    "peak_mb": PEAK_MB,
    "peak_mb_by_process": {"bulk_worker": 100},
}


def test_a_complete_import_within_its_memory_is_good() -> None:
    """256 MB are allowed."""
    assert PEAK_MB == 256
    assert problems(FIGURES) == []


@pytest.mark.parametrize(
    ("changed", "named"),
    [({"peak_mb": PEAK_MB + 1}, "peak memory 257 MB is over the bound of 256 MB"), ({"complete": False}, "not complete")],
)
def test_too_much_memory_or_an_incomplete_import_is_named(changed: dict[str, Any], named: str) -> None:
    """One line for each."""
    [problem] = problems({**FIGURES, **changed})
    assert named in problem


def test_the_report_has_the_bound() -> None:
    """So that nobody needs to look it up."""
    assert f"of at most {PEAK_MB} MB" in report(FIGURES, 1000, 4)


def test_the_report_says_what_was_instant() -> None:
    """Figures without latency cannot be taken for realistic ones."""
    assert "instant" not in report(FIGURES, 1000, 4)
    assert "Klaviyo instant: no latency, jobs 0 s" in report(FIGURES, 1000, 4, ["klaviyo"])
    both = report(FIGURES, 1000, 4, ["klaviyo", "commercetools"])
    assert "commercetools instant: no latency" in both
    assert "p95" not in both
