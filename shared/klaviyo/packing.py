"""Packs encoded rows into bulk bodies by count and by bytes, without encoding anything twice (decisions.md 8)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from shared.klaviyo.limits import PackLimits


@dataclass(frozen=True, slots=True)
class Envelope:
    """What stands around the comma-separated rows of one kind of bulk body."""

    before: bytes
    after: bytes

    @property
    def size_bytes(self) -> int:
        """Bytes of a body without rows."""
        return len(self.before) + len(self.after)


@dataclass(frozen=True, slots=True)
class Oversized:
    """A row that no body may hold: its place in the input (from 0) and its size."""

    index: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Body:
    """Rows of one request, and for each its place in the input; positions count from 0 within the body."""

    envelope: Envelope
    indices: tuple[int, ...]
    rows: tuple[bytes, ...] = field(repr=False)

    @property
    def size_bytes(self) -> int:
        """Exactly the length of `encode()`."""
        return self.envelope.size_bytes + sum(map(len, self.rows)) + max(0, len(self.rows) - 1)

    def encode(self) -> bytes:
        """The request's body."""
        return b"".join((self.envelope.before, b",".join(self.rows), self.envelope.after))

    def changed(self, *, without: Collection[int] = (), replaced: Mapping[int, bytes] | None = None) -> Body:
        """The body without the rows at some positions and with other rows at others; all the rest as it was."""
        gone, new = set(without), replaced or {}
        kept = [position for position in range(len(self.rows)) if position not in gone]
        return Body(
            self.envelope,
            tuple(self.indices[position] for position in kept),
            tuple(new.get(position, self.rows[position]) for position in kept),
        )

    def halves(self) -> tuple[Body, Body]:
        """The first and the second half of the rows; the first is the larger one when their number is odd."""
        middle = (len(self.rows) + 1) // 2
        return (
            Body(self.envelope, self.indices[:middle], self.rows[:middle]),
            Body(self.envelope, self.indices[middle:], self.rows[middle:]),
        )


def pack(rows: Iterable[bytes], envelope: Envelope, limits: PackLimits) -> Iterator[Body | Oversized]:
    """Fill bodies in the order of the rows, streaming: a body comes as soon as the next row would not fit.

    A row larger than `limits.row_bytes_most`, or than an otherwise empty body could hold, is yielded as `Oversized`
    when it is met. No body is empty or exceeds `limits`.
    """
    row_bytes_most = min(limits.row_bytes_most, limits.body_bytes_most - envelope.size_bytes)
    indices: list[int] = []
    held: list[bytes] = []
    size_bytes = envelope.size_bytes
    for index, row in enumerate(rows):
        if len(row) > row_bytes_most:
            yield Oversized(index, len(row))
            continue
        added = len(row) + bool(held)
        if held and (len(held) == limits.rows_most or size_bytes + added > limits.body_bytes_most):
            yield Body(envelope, tuple(indices), tuple(held))
            indices, held, size_bytes, added = [], [], envelope.size_bytes, len(row)
        indices.append(index)
        held.append(row)
        size_bytes += added
    if held:
        yield Body(envelope, tuple(indices), tuple(held))
