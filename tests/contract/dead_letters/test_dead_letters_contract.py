"""Dead letters: pointers for a person, kept until they are dropped (decisions.md 15)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from shared.budget import Budget, budget_of
from shared.dead_letters import DeadLetter, DeadLetters, letter_id_of, poison_id_of
from shared.errors import Interrupted

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def soon() -> Budget:
    """More time than any call of these tests takes."""
    return budget_of(30.0)


def letter(name: str, seconds: float = 0) -> DeadLetter:
    return DeadLetter(letter_id=name, at=NOW + timedelta(seconds=seconds), source="realtime_event", reason="invalid")


FULL = msgspec.structs.replace(
    letter("full"), message_type="CustomerCreated", resource_type="customer", resource_id="c-1", pointer="/data/attributes"
)


@pytest.mark.parametrize("kept", [letter("bare"), FULL], ids=lambda kept: kept.letter_id)
def test_a_letter_reads_back_whole(letters: DeadLetters, kept: DeadLetter) -> None:
    """Every field, with the moment to the microsecond."""
    letters.add(kept, soon())
    assert letters.get(kept.letter_id, soon()) == kept
    assert letters.newest(soon()) == [kept]


def test_a_letter_is_added_once(letters: DeadLetters) -> None:
    """A second one of the same id, from a redelivery, changes nothing."""
    letters.add(FULL, soon())
    letters.add(msgspec.structs.replace(FULL, reason="other", at=NOW + timedelta(days=1)), soon())
    assert letters.newest(soon()) == [FULL]


def test_letters_come_newest_first_up_to_a_limit(letters: DeadLetters) -> None:
    """Age is the moment the letter names, not when it was written."""
    for name, seconds in (("b", 2), ("c", 3), ("a", 1)):
        letters.add(letter(name, seconds), soon())
    assert [kept.letter_id for kept in letters.newest(soon())] == ["c", "b", "a"]
    assert [kept.letter_id for kept in letters.newest(soon(), 2)] == ["c", "b"]


def test_a_dropped_letter_is_gone(letters: DeadLetters) -> None:
    """Dropping tells whether it was there; the others stay."""
    letters.add(letter("a"), soon())
    letters.add(letter("b"), soon())
    assert letters.drop("a", soon())
    assert not letters.drop("a", soon())
    assert letters.get("a", soon()) is None
    assert letters.newest(soon()) == [letter("b")]


def test_an_unknown_letter_is_none(letters: DeadLetters) -> None:
    """Nothing is there to get or to drop."""
    assert letters.get("nobody", soon()) is None
    assert not letters.drop("nobody", soon())
    assert letters.newest(soon()) == []


def test_many_may_add_at_once(letters: DeadLetters) -> None:
    """Two hundred letters from eight threads, each id twice: all are there, once."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: letters.add(letter(str(number % 100), number % 100), soon()), range(200)))
    assert sorted(int(kept.letter_id) for kept in letters.newest(soon(), 1000)) == list(range(100))


def test_of_too_many_letters_the_oldest_go(few_letters: DeadLetters, few: int) -> None:
    """A store that nobody looks after does not grow for ever."""
    for number in range(few + 15):
        few_letters.add(letter(f"n{number:02}", number), soon())
    kept = [kept.letter_id for kept in few_letters.newest(soon())]
    assert kept == [f"n{number:02}" for number in reversed(range(15, few + 15))]


def test_letters_that_go_for_the_bound_are_counted_in_the_log(
    few_letters: DeadLetters, few: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody can replay them any more, so that this is an error; until then nothing is said."""
    for number in range(few):
        few_letters.add(letter(f"n{number:02}", number), soon())
    assert capsys.readouterr().err == ""
    for number in range(few, few + 5):
        few_letters.add(letter(f"n{number:02}", number), soon())
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 5
    for line in lines:
        assert "[error" in line
        assert "dead letters over the bound were deleted" in line
        assert "deleted_count=1" in line


def test_no_store_is_asked_when_there_is_no_time_left(letters: DeadLetters) -> None:
    """The budget ends every call."""
    over = Budget(deadline=0.0, monotonic=lambda: 1.0)
    for call in (
        lambda: letters.add(FULL, over),
        lambda: letters.newest(over),
        lambda: letters.get("full", over),
        lambda: letters.drop("full", over),
    ):
        with pytest.raises(Interrupted):
            call()
    assert letters.newest(soon()) == []


def test_the_id_of_a_letter_says_what_it_is_about_and_can_be_stored_anywhere(letters: DeadLetters) -> None:
    """The same for every delivery of a message, another one for whatever differs."""
    about = ("CustomerCreated", "customer", "c-1", "invalid")
    ids = [letter_id_of(*about)]
    ids += [letter_id_of(*(*about[:place], "other", *about[place + 1 :])) for place in range(len(about))]
    ids += [poison_id_of(b"{"), poison_id_of(b""), letter_id_of("a", "bc", "d", "e"), letter_id_of("ab", "c", "d", "e")]
    assert len(set(ids)) == len(ids)
    assert letter_id_of(*about) == ids[0]
    for letter_id in ids:
        letters.add(letter(letter_id), soon())
        assert letters.get(letter_id, soon()) == letter(letter_id)
