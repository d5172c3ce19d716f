"""Setting a message aside before it is acknowledged (decisions.md 4, 15)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

import pytest

from shared.budget import Budget, budget_of
from shared.commercetools.verdict import Forbidden
from shared.dead_letters import DeadLetter, DeadLetters, Kept, keep
from shared.errors import AuthError, Host, HostDown, Interrupted, PermanentError, StaleWrite, SyncError

LETTER = DeadLetter(
    letter_id="1f",
    at=datetime(2026, 1, 2, tzinfo=UTC),
    source="realtime",
    reason="invalid",
    message_type="OrderCreated",
    resource_type="order",
    resource_id="order-1",
    pointer="/data/attributes/email",
)


class Store:
    """Takes letters, or fails in one way."""

    def __init__(self, error: SyncError | None = None) -> None:
        self._error = error
        self.letters: list[DeadLetter] = []

    def add(self, letter: DeadLetter, _budget: Budget) -> None:
        if self._error:
            raise self._error
        self.letters.append(letter)


def kept(store: Store) -> Kept:
    return keep(cast(DeadLetters, store), LETTER, budget_of(5.0))


def test_a_letter_that_is_stored_is_safe(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever sets it aside says so in the log."""
    store = Store()
    assert kept(store) is Kept.STORED
    assert (store.letters, capsys.readouterr().err) == ([LETTER], "")


@pytest.mark.parametrize(
    "error",
    [Forbidden("insufficient_scope"), PermanentError("InvalidInput", host=Host.COMMERCETOOLS, status=400), StaleWrite("x")],
    ids=lambda error: type(error).__name__,
)
def test_where_the_store_refuses_the_whole_pointer_goes_to_the_log(error: SyncError, capsys: pytest.CaptureFixture[str]) -> None:
    """An ERROR line, and the message need not come again."""
    assert kept(Store(error)) is Kept.LOGGED
    line = capsys.readouterr().err
    assert "dead letter cannot be stored, this line is all there is" in line
    pointer = ("1f", "invalid", "OrderCreated", "order", "order-1", "/data/attributes/email")
    assert [word for word in pointer if word not in line] == []


@pytest.mark.parametrize(
    "error",
    [HostDown("x"), AuthError(Host.COMMERCETOOLS, 401, "POST custom-objects"), Interrupted(Interrupted.Cause.DEADLINE)],
    ids=lambda error: type(error).__name__,
)
def test_where_the_store_does_not_answer_nothing_is_safe_yet(error: SyncError, capsys: pytest.CaptureFixture[str]) -> None:
    """The message is to be delivered again, and no line stands for it."""
    assert kept(Store(error)) is Kept.NOT_YET
    line = capsys.readouterr().err
    assert "dead letter is not stored yet" in line
    assert "order-1" not in line
