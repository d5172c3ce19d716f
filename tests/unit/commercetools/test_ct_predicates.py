"""Predicates: values travel as input variables, or as escaped literals where there are none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.commercetools.predicates import Filter, ModifiedCursor, instant, quoted

LOW, HIGH = "40000000-0000-0000-0000-000000000000", "4fffffff-ffff-ffff-ffff-ffffffffffff"


def test_no_condition_asks_for_everything_without_a_predicate() -> None:
    """An empty filter has no `where`, which keeps totals exact."""
    assert Filter().rest_params() == []
    assert Filter().graphql_where() is None


def test_a_range_of_ids_with_the_filters_of_the_run() -> None:
    """Bounds and dates become one predicate; each value is a variable of its own."""
    wanted = Filter(created_after="2026-01-01T01:00:00+01:00", created_before="2026-02-01T00:00:00Z").within(LOW, HIGH)
    assert wanted.rest_params() == [
        ("where", "id >= :from and id <= :to and createdAt >= :createdAfter and createdAt < :createdBefore"),
        ("var.from", LOW),
        ("var.to", HIGH),
        ("var.createdAfter", "2026-01-01T00:00:00.000Z"),
        ("var.createdBefore", "2026-02-01T00:00:00.000Z"),
    ]
    assert wanted.graphql_where() == (
        f'id >= "{LOW}" and id <= "{HIGH}" and createdAt >= "2026-01-01T00:00:00.000Z" and createdAt < "2026-02-01T00:00:00.000Z"'
    )


def test_an_exclusive_upper_bound() -> None:
    """The bound of a range of the id space is not in it."""
    assert Filter(id_before=HIGH).rest_params() == [("where", "id < :before"), ("var.before", HIGH)]


def test_modified_after_includes_its_moment() -> None:
    """What was modified in that very millisecond is not lost."""
    wanted = Filter(modified_after=datetime(2026, 3, 1, 10, 0, 0, 123_999, tzinfo=UTC))
    assert wanted.graphql_where() == 'lastModifiedAt >= "2026-03-01T10:00:00.123Z"'


def test_a_list_of_ids_repeats_its_variable() -> None:
    """`in` takes a variable with several values; a single id is compared, not listed."""
    assert Filter(ids=("a", "b")).rest_params() == [("where", "id in :id"), ("var.id", "a"), ("var.id", "b")]
    assert Filter(ids=("a", "b")).graphql_where() == 'id in ("a", "b")'
    assert Filter(ids=("a",)).rest_params() == [("where", "id = :id"), ("var.id", "a")]
    assert Filter(ids=("a",)).graphql_where() == 'id = "a"'


def test_an_empty_list_of_ids_is_refused() -> None:
    """It must never come to mean everything."""
    with pytest.raises(ValueError, match="not everything"):
        Filter(ids=())


def test_the_cursor_of_a_scan_by_time_is_compound() -> None:
    """Rows that share a millisecond with the last one are not skipped (commercetools.md 3)."""
    wanted = Filter(behind=ModifiedCursor("2026-03-01T10:00:00.123Z", LOW), modified_after="2026-03-01T00:00:00Z")
    assert wanted.rest_params() == [
        (
            "where",
            "lastModifiedAt >= :modifiedAfter and (lastModifiedAt > :seenAt or (lastModifiedAt = :seenAt and id > :seenId))",
        ),
        ("var.modifiedAfter", "2026-03-01T00:00:00.000Z"),
        ("var.seenAt", "2026-03-01T10:00:00.123Z"),
        ("var.seenId", LOW),
    ]
    at = '"2026-03-01T10:00:00.123Z"'
    assert str(wanted.graphql_where()).endswith(f'(lastModifiedAt > {at} or (lastModifiedAt = {at} and id > "{LOW}"))')


def test_going_on_behind_an_id_takes_the_place_of_the_lower_bound() -> None:
    """A cursor inside the range replaces `id >=`; one below it (a range not begun) does not."""
    wanted = Filter(id_from=LOW, id_to=HIGH)
    assert wanted.after(None) is wanted
    assert wanted.after("45000000-0000-0000-0000-000000000000").rest_params()[0] == ("where", "id > :after and id <= :to")
    assert wanted.after("30000000-0000-0000-0000-000000000000").rest_params()[0] == (
        "where",
        "id > :after and id >= :from and id <= :to",
    )


def test_narrowing_never_widens() -> None:
    """The batch's bounds and the run's own start both hold."""
    narrowed = Filter(id_from="5", id_to="7").within("4", "6")
    assert (narrowed.id_from, narrowed.id_to) == ("5", "6")


def test_a_constant_condition_of_the_kind_comes_first() -> None:
    """Such as: published products only."""
    wanted = Filter(fixed="masterData(published = true)", id_after="a")
    assert wanted.graphql_where() == 'masterData(published = true) and id > "a"'


def test_a_value_cannot_break_out_of_its_literal() -> None:
    """Quotes and backslashes are escaped; a colon in a value is no variable."""
    assert Filter(id_after='x" or id != "').graphql_where() == r'id > "x\" or id != \""'
    assert Filter(id_after="\\").graphql_where() == r'id > "\\"'
    assert Filter(id_after=":to", id_to="z").graphql_where() == 'id > ":to" and id <= "z"'
    with pytest.raises(ValueError, match="control"):
        quoted("a\nb")


@given(st.text(st.characters(min_codepoint=32)))
def test_every_literal_reads_back_as_its_value(value: str) -> None:
    """Unescaping what is between the quotes gives the value, and no quote ends it early."""
    body = quoted(value)[1:-1]
    read, index = [], 0
    while index < len(body):
        if body[index] == "\\":
            index += 1
        else:
            assert body[index] != '"'
        read.append(body[index])
        index += 1
    assert "".join(read) == value


def test_a_moment_without_an_offset_is_refused() -> None:
    """The same text would mean different moments on different machines."""
    with pytest.raises(ValueError, match="offset"):
        Filter(created_after="2026-01-01T00:00:00")
    assert instant(datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))) == "2026-01-01T00:00:00.000Z"
