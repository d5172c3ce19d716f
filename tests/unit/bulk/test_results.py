"""Adding up what batches achieved."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.bulk.records import BatchResult, FailedItem
from shared.bulk.results import EXAMPLES, EXAMPLES_BYTES, SHOWN_FAILURES, added, total
from shared.bulk.tally import Tally

counts = st.dictionaries(st.sampled_from(["no_email", "invalid", "gone"]), st.integers(1, 50))


@st.composite
def results(draw: st.DrawFn) -> BatchResult:
    """A result in which every item has one outcome."""
    sent, skipped, failed = draw(st.integers(0, 50)), draw(counts), draw(counts)
    return BatchResult(
        seen=sent + total(skipped) + total(failed), sent=sent, skipped=skipped, failed=failed, adjusted=draw(counts)
    )


def items(prefix: str, count: int) -> list[FailedItem]:
    return [FailedItem(id=f"{prefix}-{number}", reason="invalid") for number in range(count)]


def test_nothing_adds_up_to_nothing() -> None:
    """The empty sum."""
    assert added([]) == BatchResult()


def test_counts_are_added_by_reason() -> None:
    """Reasons of one part alone are kept."""
    one = BatchResult(seen=6, sent=1, skipped={"a": 1, "b": 2}, failed={"x": 2}, adjusted={"p": 1})
    two = BatchResult(seen=9, sent=2, skipped={"b": 3}, failed={"x": 1, "y": 3}, adjusted={"q": 4})
    assert added([one, two]) == BatchResult(
        seen=15, sent=3, skipped={"a": 1, "b": 5}, failed={"x": 3, "y": 3}, adjusted={"p": 1, "q": 4}
    )


@settings(derandomize=True, database=None, deadline=None)
@given(st.lists(results(), max_size=6))
def test_every_item_seen_has_one_outcome(parts: list[BatchResult]) -> None:
    """seen = sent + skipped + failed holds for the sum as for the parts, and their order does not matter to it."""
    result = added(parts)
    assert result.seen == result.sent + total(result.skipped) + total(result.failed)
    backwards = added(parts[::-1])
    assert (backwards.seen, backwards.skipped, backwards.failed) == (result.seen, result.skipped, result.failed)


def test_all_failed_ids_are_kept_but_only_the_first_in_detail() -> None:
    """For a retry every id counts; a record must not grow without bound."""
    parts = [BatchResult(failed_ids=[f"{name}-{number}" for number in range(80)], failed_items=items(name, 80)) for name in "ab"]
    result = added(parts)
    assert result.failed_ids == parts[0].failed_ids + parts[1].failed_ids
    assert result.failed_items == [*items("a", 80), *items("b", 80)][:SHOWN_FAILURES]
    assert added(parts, shown=50).failed_items == items("a", 50)


def test_ids_are_left_out_where_only_sums_are_wanted() -> None:
    """Those of failed items and of Klaviyo's jobs; details stay."""
    part = BatchResult(failed_ids=["a-0"], failed_items=items("a", 1), job_ids=["job"])
    assert added([part, part], with_ids=False) == BatchResult(failed_items=[*items("a", 1), *items("a", 1)])
    assert added([part, part]).job_ids == ["job", "job"]


def test_the_first_examples_are_kept() -> None:
    """Up to twenty."""
    parts = [BatchResult(examples=[{"part": part, "n": number} for number in range(15)]) for part in range(2)]
    assert added(parts).examples == (parts[0].examples + parts[1].examples)[:EXAMPLES]


def test_examples_are_kept_as_far_as_they_fit_a_record() -> None:
    """Of large ones fewer than twenty, whatever was taken in which step; one that does not fit hides no smaller one behind it."""
    large, small = {"text": "x" * 90_000}, {"text": "x" * 1_000}
    result = added([BatchResult(examples=[large]), BatchResult(examples=[large, large, small])])
    assert result.examples == [large, large, small]
    assert len(msgspec.json.encode(added([result, result]).examples)) <= EXAMPLES_BYTES
    tally = Tally()
    for example in (large, large, large, small):
        tally.example(example)
    assert tally.result().examples == result.examples
    assert added([BatchResult(examples=[{"text": "x" * EXAMPLES_BYTES}])]).examples == []


def test_adding_changes_none_of_the_parts() -> None:
    """Records are immutable, and so is what they hold."""
    part = BatchResult(seen=1, failed={"x": 1}, failed_ids=["a"])
    added([part, part]).failed["x"] += 1
    assert part == BatchResult(seen=1, failed={"x": 1}, failed_ids=["a"])


@pytest.mark.parametrize(("by_reason", "expected"), [({}, 0), ({"a": 1}, 1), ({"a": 1, "b": 2}, 3)])
def test_the_total_is_the_sum_over_all_reasons(by_reason: dict[str, int], expected: int) -> None:
    """None for none."""
    assert total(by_reason) == expected
