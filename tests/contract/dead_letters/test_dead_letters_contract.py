"""Dead letters: pointers for a person, kept until they are dropped (decisions.md 15)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from shared.dead_letters import DeadLetter, DeadLetters

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def letter(name: str, seconds: float = 0) -> DeadLetter:
    return DeadLetter(letter_id=name, at=NOW + timedelta(seconds=seconds), source="realtime_event", reason="invalid")


FULL = msgspec.structs.replace(
    letter("full"), message_type="CustomerCreated", resource_type="customer", resource_id="c-1", pointer="/data/attributes"
)


@pytest.mark.parametrize("kept", [letter("bare"), FULL], ids=lambda kept: kept.letter_id)
def test_a_letter_reads_back_whole(letters: DeadLetters, kept: DeadLetter) -> None:
    """Every field, with the moment to the microsecond."""
    letters.add(kept)
    assert letters.get(kept.letter_id) == kept
    assert letters.newest() == [kept]


def test_a_letter_is_added_once(letters: DeadLetters) -> None:
    """A second one of the same id, from a redelivery, changes nothing."""
    letters.add(FULL)
    letters.add(msgspec.structs.replace(FULL, reason="other", at=NOW + timedelta(days=1)))
    assert letters.newest() == [FULL]


def test_letters_come_newest_first_up_to_a_limit(letters: DeadLetters) -> None:
    """Age is the moment the letter names, not when it was written."""
    for name, seconds in (("b", 2), ("c", 3), ("a", 1)):
        letters.add(letter(name, seconds))
    assert [kept.letter_id for kept in letters.newest()] == ["c", "b", "a"]
    assert [kept.letter_id for kept in letters.newest(2)] == ["c", "b"]


def test_a_dropped_letter_is_gone(letters: DeadLetters) -> None:
    """Dropping tells whether it was there; the others stay."""
    letters.add(letter("a"))
    letters.add(letter("b"))
    assert letters.drop("a")
    assert not letters.drop("a")
    assert letters.get("a") is None
    assert letters.newest() == [letter("b")]


def test_an_unknown_letter_is_none(letters: DeadLetters) -> None:
    """Nothing is there to get or to drop."""
    assert letters.get("nobody") is None
    assert not letters.drop("nobody")
    assert letters.newest() == []


def test_many_may_add_at_once(letters: DeadLetters) -> None:
    """Two hundred letters from eight threads, each id twice: all are there, once."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: letters.add(letter(str(number % 100), number % 100)), range(200)))
    assert sorted(int(kept.letter_id) for kept in letters.newest(1000)) == list(range(100))
