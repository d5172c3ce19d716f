"""Which situation a status and an error stand for (decisions.md 4)."""

from __future__ import annotations

import pytest

from shared.errors import (
    AuthError,
    BadRequest,
    Gone,
    Host,
    HostDown,
    Interrupted,
    PermanentError,
    RateLimited,
    StaleWrite,
    TransientError,
)
from shared.outcomes import TABLE, Dispensable, Line, PathKind, Situation, situation_of, situation_of_status

KLAVIYO, COMMERCETOOLS = Host.KLAVIYO, Host.COMMERCETOOLS
SINGLE, COLLECTION, OPTIONAL, DEAD_LETTERS = PathKind.SINGLE, PathKind.COLLECTION, PathKind.OPTIONAL_LOOKUP, PathKind.DEAD_LETTERS


@pytest.mark.parametrize("situation", Situation)
def test_each_situation_has_its_line(situation: Situation) -> None:
    """What comes of each is shown where it is done: `test_handled_outcomes`, `test_shell_outcomes`."""
    assert isinstance(TABLE[situation], Line)


@pytest.mark.parametrize("host", Host)
@pytest.mark.parametrize("kind", PathKind)
@pytest.mark.parametrize("status", [301, 302, 307, 408, 425, 429, 500, 502, 503, 504, 520, 525, 529, 599])
def test_these_are_transient_wherever_they_come_from(status: int, kind: PathKind, host: Host) -> None:
    """408, 425, 429, 5xx and 52x of either side; a redirect is nobody's verdict."""
    assert situation_of_status(host, status, kind) is Situation.TRANSIENT


@pytest.mark.parametrize("host", Host)
@pytest.mark.parametrize("kind", PathKind)
def test_401_is_always_about_the_credentials(kind: PathKind, host: Host) -> None:
    """There is no optional look-up without credentials."""
    assert situation_of_status(host, 401, kind) is Situation.AUTHENTICATION


@pytest.mark.parametrize(
    ("kind", "situation"),
    [
        (SINGLE, Situation.AUTHENTICATION),
        (COLLECTION, Situation.AUTHENTICATION),
        (OPTIONAL, Dispensable.LOOKUP_FORBIDDEN),
        (DEAD_LETTERS, Dispensable.DEAD_LETTERS_FORBIDDEN),
    ],
)
def test_403_depends_on_what_it_forbids(kind: PathKind, situation: Situation | Dispensable) -> None:
    """A look-up that can be missed is missed; dead letters go to the log."""
    assert situation_of_status(COMMERCETOOLS, 403, kind) is situation


@pytest.mark.parametrize(
    ("host", "kind", "situation"),
    [
        (COMMERCETOOLS, SINGLE, Situation.GONE),
        (KLAVIYO, SINGLE, Situation.PERMANENT),
        (COMMERCETOOLS, COLLECTION, Situation.TRANSIENT),
        (KLAVIYO, COLLECTION, Situation.TRANSIENT),
    ],
)
def test_404_depends_on_host_and_path(host: Host, kind: PathKind, situation: Situation) -> None:
    """Gone in commercetools, permanent in Klaviyo, an incident on a collection of either."""
    assert situation_of_status(host, 404, kind) is situation


@pytest.mark.parametrize(
    ("host", "status"), [(KLAVIYO, 400), (KLAVIYO, 409), (KLAVIYO, 413), (COMMERCETOOLS, 400), (KLAVIYO, 410), (KLAVIYO, 422)]
)
def test_a_verdict_on_the_content_is_permanent(host: Host, status: int) -> None:
    """The same request would fail again."""
    assert situation_of_status(host, status, COLLECTION) is Situation.PERMANENT


@pytest.mark.parametrize(
    ("error", "situation"),
    [
        (AuthError(KLAVIYO, 401, "x"), Situation.AUTHENTICATION),
        (Gone("gone", host=COMMERCETOOLS, status=404), Situation.GONE),
        (PermanentError("invalid", host=KLAVIYO, status=400), Situation.PERMANENT),
        (TransientError("x"), Situation.TRANSIENT),
        (RateLimited("x"), Situation.TRANSIENT),
        (HostDown("x"), Situation.TRANSIENT),
        (Interrupted(Interrupted.Cause.DEADLINE), Situation.TRANSIENT),
        (StaleWrite("x"), Situation.TRANSIENT),
        (BadRequest([]), Situation.TRANSIENT),
        (KeyError("a fault of ours"), Situation.TRANSIENT),
    ],
)
def test_each_error_stands_for_a_situation(error: Exception, situation: Situation) -> None:
    """What is not known is transient, so that nothing is lost."""
    assert situation_of(error) is situation
