"""What the realtime endpoint answers: 2xx acknowledges, and nothing is refused that would be refused for ever."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from shared.access import InvalidToken
from shared.errors import TransientError
from shared.http import ApiRequest
from shared.realtime.app import RealtimeApp
from shared.realtime.http import answer, answer_to
from shared.realtime.verdict import Outcome, Verdict
from shared.realtime.wiring import open_realtime_app
from shared.settings import load

TEST_NOTIFICATION = b'{"notificationType": "ResourceCreated", "resource": {"typeId": "subscription", "id": "s-1"}}'
PUSH = {"PUSH_SERVICE_ACCOUNT": "push@cloud.example.com", "PUSH_AUDIENCE": "https://sync.example.com"}
NO_APP = cast(RealtimeApp, None)


def app_of(folder: Path, **more: str) -> RealtimeApp:
    """The wired endpoint; neither host answers."""
    environ = {
        "CT_API_URL": "http://127.0.0.1:9",
        "CT_AUTH_URL": "http://127.0.0.1:9",
        "CT_PROJECT_ID": "tiny-project",
        "CT_API_CLIENT": '{"clientId": "id", "secret": "not-a-secret"}',
        "KLAVIYO_AUTH_KEY": "pk_not_a_secret",
        "STATE_PATH": str(folder / "state.sqlite3"),
        "SKIP_BASE64_DECODE": "true",
    }
    return open_realtime_app(load({**environ, **more}))


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        (Verdict(Outcome.DONE), 204),
        (Verdict(Outcome.SKIPPED, "unknown_type"), 204),
        (Verdict(Outcome.DEAD_LETTERED, "no_message"), 202),
        (Verdict(Outcome.REDELIVER, "HostDown"), 503),
    ],
)
def test_each_outcome_has_its_status(verdict: Verdict, status: int) -> None:
    """Where there is a body it names the reason, which is a code of ours."""
    response = answer_to(verdict)
    assert response.status == status
    body = {"outcome": verdict.outcome.value, "reason": verdict.reason}
    assert response.body == (b"" if status == 204 else json.dumps(body, separators=(",", ":")).encode())


def test_every_outcome_but_one_acknowledges() -> None:
    """Only what may succeed later comes back."""
    assert [outcome for outcome in Outcome if answer_to(Verdict(outcome)).status >= 300] == [Outcome.REDELIVER]


@pytest.mark.parametrize("path", ["/health", "/health/"])
def test_health_touches_nothing(path: str) -> None:
    """Not even the wired parts."""
    response = answer(NO_APP, ApiRequest("GET", path))
    assert (response.status, response.body) == (200, b'{"status":"ok"}')


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("HEAD", "/health"), ("PUT", "/"), ("DELETE", "/"), ("OPTIONS", "/")])
def test_other_methods_are_not_for_notifications(method: str, path: str) -> None:
    """The answer says what is."""
    response = answer(NO_APP, ApiRequest(method, path))
    assert (response.status, response.headers) == (405, {"Allow": "POST"})


@pytest.mark.parametrize("path", ["/", "/projects/p/topics/t", "/health"])
def test_a_notification_may_be_posted_to_any_path(path: str, tmp_path: Path) -> None:
    """Some senders append a path of their own."""
    assert answer(app_of(tmp_path), ApiRequest("POST", path, body=TEST_NOTIFICATION)).status == 204


def test_a_caller_who_must_not_call_learns_why(tmp_path: Path) -> None:
    """403 for a foreign host on loopback, 401 without a token where one is needed."""
    foreign = ApiRequest("POST", "/", {"host": "sync.example.com"}, body=TEST_NOTIFICATION)
    assert answer(app_of(tmp_path), foreign).status == 403
    assert answer(app_of(tmp_path, **PUSH), ApiRequest("POST", "/", body=TEST_NOTIFICATION)).status == 401
    assert answer(app_of(tmp_path, K_SERVICE="realtime-event"), foreign).status == 204


@pytest.mark.parametrize(
    ("error", "status"),
    [(InvalidToken("expired"), 401), (TransientError("no keys"), 503), (RuntimeError("someone@example.com"), 500)],
)
def test_a_token_that_cannot_be_checked_brings_the_delivery_back(error: Exception, status: int, tmp_path: Path) -> None:
    """And an error that nobody expected says nothing of the request, neither in the answer nor in the log."""

    def verify(_token: str) -> Mapping[str, Any]:
        raise error

    call = ApiRequest("POST", "/", {"authorization": "Bearer someone@example.com"}, body=TEST_NOTIFICATION)
    response = answer(app_of(tmp_path, **PUSH), call, verify)
    assert response.status == status
    assert b"someone" not in response.body


def test_an_unexpected_error_is_logged_without_what_was_sent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The type and the place are enough."""

    def verify(token: str) -> Mapping[str, Any]:
        raise RuntimeError(token)

    answer(app_of(tmp_path, **PUSH), ApiRequest("POST", "/", {"authorization": "Bearer someone"}), verify)
    written = capsys.readouterr().err
    assert "delivery failed inside" in written
    assert "RuntimeError" in written
    assert "someone" not in written
