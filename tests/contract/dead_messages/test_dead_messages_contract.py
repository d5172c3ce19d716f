"""DeadMessages: what a queue gave up on is looked at without being lost, put into the queue again, or removed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.budget import budget_of
from shared.errors import Interrupted

ALL_60 = [f"message {number:02}".encode() for number in range(60)]


def looked(bench: Any) -> dict[bytes, str]:
    """The ids of all that there are, by their bodies."""
    return {message.body: message.message_id for message in bench.messages.look(budget_of(30))}


def test_nothing_given_up_is_nothing_found(bench: Any) -> None:
    """Of an empty store."""
    assert bench.messages.look(budget_of(30)) == []


def test_a_dead_message_is_found_with_what_is_known_of_it(bench: Any) -> None:
    """Its body byte for byte, how often it was delivered, when it was published and when it was given up."""
    bench.give_up([b"\x00\xff"])
    (message,) = bench.messages.look(budget_of(30))
    assert (message.body, message.deliveries) == (b"\x00\xff", 3)
    assert abs(message.died_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert message.published_at is not None
    assert message.published_at.tzinfo is not None


def test_looking_takes_nothing_away(bench: Any) -> None:
    """All sixty are found each time, and each once."""
    bench.give_up(ALL_60)
    for _ in range(2):
        assert sorted(message.body for message in bench.messages.look(budget_of(30))) == ALL_60


def test_equal_messages_are_each_for_themselves(bench: Any) -> None:
    """Their ids tell them apart."""
    bench.give_up([b"a", b"a"])
    first, second = bench.messages.look(budget_of(30))
    assert first.message_id != second.message_id
    assert bench.messages.drop([first.message_id], budget_of(30)) == {first.message_id}
    assert [message.message_id for message in bench.messages.look(budget_of(30))] == [second.message_id]


def test_those_with_certain_ids_are_found(bench: Any) -> None:
    """Unknown ids are passed over."""
    bench.give_up([b"a", b"b", b"c"])
    ids = looked(bench)
    found = bench.messages.look(budget_of(30), [ids[b"a"], ids[b"c"], "999999"])
    assert sorted(message.body for message in found) == [b"a", b"c"]


def test_a_replayed_message_is_delivered_by_its_stream_again(bench: Any) -> None:
    """As it was, and it is not among the dead any more; the others stay."""
    bench.give_up(ALL_60)
    ids = looked(bench)
    some = {ids[body] for body in ALL_60[:50]}
    assert bench.messages.replay(some, budget_of(30)) == some
    assert bench.delivered() == ALL_60[:50]
    assert sorted(looked(bench)) == ALL_60[50:]


def test_a_dropped_message_is_gone(bench: Any) -> None:
    """And is delivered nowhere; the others stay."""
    bench.give_up([b"a", b"b"])
    ids = looked(bench)
    assert bench.messages.drop([ids[b"a"]], budget_of(30)) == {ids[b"a"]}
    assert sorted(looked(bench)) == [b"b"]
    assert bench.delivered() == []


@pytest.mark.parametrize("deal", ["replay", "drop"])
def test_what_is_not_there_any_more_is_told(bench: Any, deal: str) -> None:
    """Only the ids of what was there come back."""
    bench.give_up([b"a", b"b"])
    ids = looked(bench)
    bench.messages.drop([ids[b"a"]], budget_of(30))
    assert getattr(bench.messages, deal)(list(ids.values()), budget_of(30)) == {ids[b"b"]}


def test_the_dead_of_another_stream_are_others(bench: Any) -> None:
    """They are neither found nor removed here."""
    bench.give_up_elsewhere(b"plan")
    assert bench.messages.look(budget_of(30)) == []


def test_a_budget_that_is_over_ends_it(bench: Any) -> None:
    """Nothing is lost by that."""
    bench.give_up([b"a"])
    with pytest.raises(Interrupted):
        bench.messages.look(budget_of(0))
    assert list(looked(bench)) == [b"a"]
