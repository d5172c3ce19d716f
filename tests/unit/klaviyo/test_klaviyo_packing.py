"""Bulk bodies are packed by count and by bytes, exactly (decisions.md 8)."""

from __future__ import annotations

from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from shared.klaviyo.limits import PackLimits
from shared.klaviyo.packing import Body, Envelope, Oversized, pack

ENVELOPE = Envelope(b'{"rows":[', b"]}")
rows_of_any_size = st.lists(st.integers(0, 40).map(lambda length: b'"' + b"x" * length + b'"'), max_size=60)
limits_of_any_size = st.builds(PackLimits, st.integers(1, 12), st.integers(20, 120), st.integers(2, 45))


@given(rows_of_any_size, limits_of_any_size)
def test_bodies_keep_all_limits_and_every_row_stands_in_exactly_one_or_is_named(rows: list[bytes], limits: PackLimits) -> None:
    """Each row is in one body, in order, or is named as too large; no body is over a limit, none is empty."""
    packed = list(pack(iter(rows), ENVELOPE, limits))
    bodies = [one for one in packed if isinstance(one, Body)]
    oversized = {one.index: one.size_bytes for one in packed if isinstance(one, Oversized)}
    for body in bodies:
        assert body.size_bytes == len(body.encode()) <= limits.body_bytes_most
        assert 1 <= len(body.rows) <= limits.rows_most
        assert msgspec.json.decode(body.encode()) == {"rows": [msgspec.json.decode(rows[index]) for index in body.indices]}
    placed = [index for body in bodies for index in body.indices]
    assert placed == [index for index in range(len(rows)) if index not in oversized]
    most = min(limits.row_bytes_most, limits.body_bytes_most - ENVELOPE.size_bytes)
    assert oversized == {index: len(row) for index, row in enumerate(rows) if len(row) > most}


@given(rows_of_any_size, limits_of_any_size)
def test_a_body_is_closed_only_when_the_next_row_would_not_fit(rows: list[bytes], limits: PackLimits) -> None:
    """Packing is greedy: no body could have taken the first row of the next one."""
    bodies = [one for one in pack(iter(rows), ENVELOPE, limits) if isinstance(one, Body)]
    for body, following in pairwise(bodies):
        full = len(body.rows) == limits.rows_most
        assert full or body.size_bytes + 1 + len(following.rows[0]) > limits.body_bytes_most


def test_a_body_comes_before_the_rows_after_it_are_read() -> None:
    """Packing streams: it holds one body's rows, not the whole import."""
    read = []

    def source():  # type: ignore[no-untyped-def]
        for number in range(5):
            read.append(number)
            yield b"%d" % number

    bodies = pack(source(), ENVELOPE, PackLimits(2, 1_000, 100))
    first = next(bodies)
    assert isinstance(first, Body)
    assert first.indices == (0, 1)
    assert read == [0, 1, 2]


def test_a_body_is_rebuilt_without_refused_rows_and_with_mended_ones() -> None:
    """Rows that stay are the same bytes objects, so nothing is encoded again."""
    (body,) = pack([b'"a"', b'"b"', b'"c"', b'"d"'], ENVELOPE, PackLimits(10, 1_000, 100))
    assert isinstance(body, Body)
    changed = body.changed(without={1}, replaced={3: b'"D"'})
    assert changed.encode() == b'{"rows":["a","c","D"]}'
    assert changed.indices == (0, 2, 3)
    assert changed.rows[1] is body.rows[2]


def test_the_halves_of_a_body_have_all_its_rows_once() -> None:
    """Three rows become two and one; the places in the input stay with the rows."""
    (body,) = pack([b"1", b"2", b"3"], ENVELOPE, PackLimits(10, 1_000, 100))
    assert isinstance(body, Body)
    first, second = body.halves()
    assert (first.indices, second.indices) == ((0, 1), (2,))
    assert (first.rows, second.rows) == ((b"1", b"2"), (b"3",))


def test_nothing_to_pack_makes_no_body() -> None:
    """An empty bulk request would be refused."""
    assert list(pack([], ENVELOPE, PackLimits(10, 1_000, 100))) == []


def test_no_repr_shows_a_row() -> None:
    """Rows are personal data, and a repr may reach a log by way of a traceback."""
    (body,) = pack([b'"ann@example.com"'], ENVELOPE, PackLimits(10, 1_000, 100))
    assert "ann" not in repr(body)
