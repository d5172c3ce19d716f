"""Ids of generated resources: ascending, spread evenly, found without a table."""

import uuid

import pytest

from sandbox.sample import timeline
from sandbox.sample.identity import entropy, id_at, stratum_of


@pytest.mark.parametrize("size", [1, 2, 300, 99_991, 1_000_000])
def test_ids_ascend_with_the_index_and_are_version_4_uuids(size: int) -> None:
    """The order of the rows is the order of their ids, compared as strings."""
    indexes = sorted({0, size - 1, *range(0, size, max(1, size // 97)), *range(min(size, 50))})
    ids = [id_at(7, "customer", index, size) for index in indexes]
    assert ids == sorted(set(ids))
    assert all(uuid.UUID(i).version == 4 and uuid.UUID(i).variant == uuid.RFC_4122 and i == i.lower() for i in ids)


def test_ids_spread_evenly_over_the_id_space() -> None:
    """Each sixteenth of the id space holds a sixteenth of the rows, give or take one."""
    ids = [id_at(3, "customer", index, 1_600) for index in range(1_600)]
    assert all(abs(sum(i[0] == digit for i in ids) - 100) <= 1 for digit in "0123456789abcdef")


def test_an_id_tells_its_only_possible_row() -> None:
    """The stratum of an id is the index it was made from."""
    assert [stratum_of(id_at(7, "customer", index, 12_345), 12_345) for index in range(12_345)] == list(range(12_345))


@pytest.mark.parametrize("text", ["", "abc", "no-uuid-at-all-but-of-the-right-lengt", "g" * 32])
def test_what_is_not_an_id_has_no_row(text: str) -> None:
    """Text that is no UUID belongs to no row."""
    assert stratum_of(text, 100) is None


def test_seed_kind_and_salt_change_everything() -> None:
    """Entropy depends on each of its arguments."""
    base = entropy(7, "customer", 1)
    assert base == entropy(7, "customer", 1)
    assert len({base, entropy(8, "customer", 1), entropy(7, "order", 1), entropy(7, "customer", 1, "x")}) == 4


def test_times_lie_within_two_years_and_versions_within_forty() -> None:
    """Created within 24 months, modified no earlier, version 1 means never modified, and a mass update shares one ms."""
    lifetimes = [timeline.lifetime(entropy(7, "customer", index)) for index in range(5_000)]
    end = int(timeline.HISTORY_END.timestamp() * 1000)
    start = end - timeline.HISTORY_DAYS * 86_400_000
    assert all(start <= created <= modified <= end for created, modified, _ in lifetimes)
    assert {version for _, _, version in lifetimes} == set(range(1, 41))
    assert all((version == 1) == (created == modified) for created, modified, version in lifetimes)
    assert sum(modified == timeline.MASS_UPDATE_MS for _, modified, _ in lifetimes) > 100
    assert max(created for created, _, _ in lifetimes) - min(created for created, _, _ in lifetimes) > 0.99 * (end - start)
