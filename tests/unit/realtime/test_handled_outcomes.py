"""What becomes of a notification whose resource cannot be read, line by line of the table (decisions.md 4)."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest
from handled_world import HandledWorld

from shared.budget import budget_of
from shared.errors import AuthError, Gone, Host, HostDown, PermanentError, StaleWrite, SyncError, TransientError
from shared.outcomes import Situation, situation_of
from shared.realtime.notification import Notification
from shared.realtime.process import handle_notification
from shared.realtime.reading import Sources
from shared.realtime.verdict import Outcome, Verdict

CT = Host.COMMERCETOOLS
PUBLISHED = Notification(type="ProductPublished", resource_type="product", resource_id="product-1", at="", has_payload=False)
TO_COME_AGAIN, FOR_A_PERSON = "notification is to be delivered again", "notification cannot be handled before a person acts"

LINES = [
    (PermanentError("InvalidInput", host=CT, status=400), Verdict(Outcome.DEAD_LETTERED, "InvalidInput"), "dead letter stored"),
    (Gone("ResourceNotFound", host=CT, status=404), Verdict(Outcome.SKIPPED, "gone"), "notification handled"),
    (TransientError("x"), Verdict(Outcome.REDELIVER, "TransientError"), TO_COME_AGAIN),
    (HostDown("x"), Verdict(Outcome.REDELIVER, "HostDown"), TO_COME_AGAIN),
    (AuthError(CT, 401, "GET products"), Verdict(Outcome.REDELIVER, "AuthError"), FOR_A_PERSON),
    (StaleWrite("x"), Verdict(Outcome.REDELIVER, "StaleWrite"), FOR_A_PERSON),
]


class Unreadable:
    """Readings that end with an error."""

    def __init__(self, error: SyncError) -> None:
        self._error = error

    def read(self, *_: object) -> object:
        raise self._error


@pytest.mark.parametrize(("error", "verdict", "line"), LINES, ids=lambda value: type(value).__name__)
def test_a_failed_notification_ends_as_its_line_says(
    error: SyncError, verdict: Verdict, line: str, handled: HandledWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    """Set aside, skipped or delivered again; a dead letter stands for what is acknowledged and not done, and for nothing else."""
    app = replace(handled.app, sources=cast(Sources, Unreadable(error)))
    assert handle_notification(app, PUBLISHED) == verdict
    letters = [(letter.resource_id, letter.reason) for letter in app.dead_letters.newest(budget_of(5.0))]
    assert letters == ([("product-1", "InvalidInput")] if verdict.outcome is Outcome.DEAD_LETTERED else [])
    assert line in capsys.readouterr().err


def test_every_line_of_the_table_is_shown() -> None:
    """None is there for nothing."""
    assert {situation_of(error) for error, _, _ in LINES} == set(Situation)
