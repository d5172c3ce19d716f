"""What the realtime endpoint answers: 2xx acknowledges, and nothing is refused that would be refused for ever."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from shared.access import InvalidToken, VerifyIdToken
from shared.budget import budget_of
from shared.dead_letters import poison_id_of
from shared.errors import TransientError
from shared.http import ApiRequest, ApiResponse, BodyLost
from shared.realtime.app import LARGE_AT_ONCE, RealtimeApp
from shared.realtime.http import LARGE_BYTES, answer, answer_to
from shared.realtime.verdict import Outcome, Verdict
from shared.realtime.wiring import open_realtime_app
from shared.settings import load

TEST_NOTIFICATION = b'{"notificationType": "ResourceCreated", "resource": {"typeId": "subscription", "id": "s-1"}}'
CUSTOMER_UPDATED = b'{"notificationType": "ResourceUpdated", "resource": {"typeId": "customer", "id": "c-1"}}'
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


def answered(app: RealtimeApp, call: ApiRequest, verify: VerifyIdToken | None = None) -> ApiResponse:
    """The answer to a call whose body is there at once."""
    return answer(app, call, lambda: call.body, verify)


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
    response = answered(NO_APP, ApiRequest("GET", path))
    assert (response.status, response.body) == (200, b'{"status":"ok"}')


def test_the_log_names_the_queue_s_delivery(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """So that it is found in the queue's own log, and the deliveries of one message are told to be so; bare bodies have none."""
    app = app_of(tmp_path)
    push = {"message": {"messageId": "11815239182", "data": base64.b64encode(TEST_NOTIFICATION).decode()}}
    assert answered(app, ApiRequest("POST", "/", body=json.dumps(push).encode())).status == 204
    assert "request_id=11815239182" in capsys.readouterr().err
    assert answered(app, ApiRequest("POST", "/", body=TEST_NOTIFICATION)).status == 204
    assert "11815239182" not in capsys.readouterr().err


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("HEAD", "/health"), ("PUT", "/"), ("DELETE", "/"), ("OPTIONS", "/")])
def test_other_methods_are_not_for_notifications(method: str, path: str) -> None:
    """The answer says what is."""
    response = answered(NO_APP, ApiRequest(method, path))
    assert (response.status, response.headers) == (405, {"Allow": "POST"})


@pytest.mark.parametrize("path", ["/", "/projects/p/topics/t", "/health"])
def test_a_notification_may_be_posted_to_any_path(path: str, tmp_path: Path) -> None:
    """Some senders append a path of their own."""
    assert answered(app_of(tmp_path), ApiRequest("POST", path, body=TEST_NOTIFICATION)).status == 204


def test_a_caller_who_must_not_call_learns_why(tmp_path: Path) -> None:
    """403 for a foreign host on loopback, 401 without a token where one is needed."""
    foreign = ApiRequest("POST", "/", {"host": "sync.example.com"}, body=TEST_NOTIFICATION)
    assert answered(app_of(tmp_path), foreign).status == 403
    assert answered(app_of(tmp_path, **PUSH), ApiRequest("POST", "/", body=TEST_NOTIFICATION)).status == 401
    assert answered(app_of(tmp_path, K_SERVICE="realtime-event"), foreign).status == 204


@pytest.mark.parametrize(
    ("error", "status"),
    [(InvalidToken("expired"), 401), (TransientError("no keys"), 503), (RuntimeError("someone@example.com"), 500)],
)
def test_a_token_that_cannot_be_checked_brings_the_delivery_back(error: Exception, status: int, tmp_path: Path) -> None:
    """And an error that nobody expected says nothing of the request, neither in the answer nor in the log."""

    def verify(_token: str) -> Mapping[str, Any]:
        raise error

    call = ApiRequest("POST", "/", {"authorization": "Bearer someone@example.com"}, body=TEST_NOTIFICATION)
    response = answered(app_of(tmp_path, **PUSH), call, verify)
    assert response.status == status
    assert b"someone" not in response.body


def test_an_unexpected_error_is_logged_without_what_was_sent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The type and the place are enough."""

    def verify(token: str) -> Mapping[str, Any]:
        raise RuntimeError(token)

    answered(app_of(tmp_path, **PUSH), ApiRequest("POST", "/", {"authorization": "Bearer someone"}), verify)
    written = capsys.readouterr().err
    assert "delivery failed inside" in written
    assert "RuntimeError" in written
    assert "someone" not in written


def test_nothing_of_a_body_is_read_for_a_caller_who_must_not_call(tmp_path: Path) -> None:
    """A stranger costs no memory."""
    call = ApiRequest("POST", "/", {"authorization": "Bearer x", "content-length": "14000000"})
    assert answer(app_of(tmp_path, **PUSH), call, unread, refuse).status == 401


def unread() -> bytes:
    raise AssertionError("the body is not wanted")


def refuse(_token: str) -> Mapping[str, Any]:
    raise InvalidToken("not genuine")


def test_a_delivery_that_does_not_arrive_whole_is_no_poison(tmp_path: Path) -> None:
    """Whoever sent it has hung up, and sends it again."""

    def lose() -> bytes:
        raise BodyLost

    response = answer(app_of(tmp_path), ApiRequest("POST", "/"), lose)
    assert (response.status, response.body) == (503, b'{"outcome":"redeliver","reason":"body_lost"}')


def test_a_notification_that_nobody_can_read_is_set_aside_once_in_whatever_push_it_comes(tmp_path: Path) -> None:
    """Pub/Sub counts its deliveries in the push."""
    app = app_of(tmp_path)
    message = {"data": base64.b64encode(b'{"notificationType": "Message"}').decode(), "messageId": "1"}
    for attempt in (1, 2):
        push = json.dumps({"message": message, "subscription": "s", "deliveryAttempt": attempt}).encode()
        assert answered(app, ApiRequest("POST", "/", body=push)).status == 202
    (letter,) = app.dead_letters.newest(budget_of(5.0))
    assert letter.letter_id == poison_id_of(b'{"notificationType": "Message"}')


def test_the_time_of_a_delivery_begins_before_its_caller_is_checked(tmp_path: Path) -> None:
    """Whatever the check and the body have taken is not there for the work; then it comes again."""

    def verify(_token: str) -> Mapping[str, Any]:
        time.sleep(0.2)
        account = {"email": PUSH["PUSH_SERVICE_ACCOUNT"], "email_verified": True}
        return {"iss": "accounts.google.com", "aud": PUSH["PUSH_AUDIENCE"], **account}

    app = app_of(tmp_path, **PUSH, REALTIME_DEADLINE_S="0.2")
    headers = {"authorization": "Bearer x", "content-length": str(len(CUSTOMER_UPDATED))}
    response = answered(app, ApiRequest("POST", "/", headers, body=CUSTOMER_UPDATED), verify)
    assert (response.status, json.loads(response.body)["reason"]) == (503, "deadline")


class Crowd:
    """Large deliveries on their way, each in a thread; `arrive` lets the bodies of all of them come."""

    def __init__(self, app: RealtimeApp, count: int) -> None:
        self._reading, self._arrived = threading.Semaphore(0), threading.Event()
        self.peak, self._now, self._lock = 0, 0, threading.Lock()
        self._threads = ThreadPoolExecutor(count)
        call = ApiRequest("POST", "/", {"content-length": str(LARGE_BYTES)})
        self.answers = [self._threads.submit(answer, app, call, self._read) for _ in range(count)]

    def _read(self) -> bytes:
        with self._lock:
            self._now += 1
            self.peak = max(self.peak, self._now)
        self._reading.release()
        assert self._arrived.wait(30)
        with self._lock:
            self._now -= 1
        return TEST_NOTIFICATION

    def wait_for(self, count: int) -> None:
        for _ in range(count):
            assert self._reading.acquire(timeout=30)

    def arrive(self) -> list[int]:
        self._arrived.set()
        return [answer.result(30).status for answer in self.answers]


def test_only_a_few_large_deliveries_are_read_at_a_time(tmp_path: Path) -> None:
    """All are answered in the end; a small one need not wait for them."""
    app = app_of(tmp_path, REALTIME_DEADLINE_S="30")
    crowd = Crowd(app, 3 * LARGE_AT_ONCE)
    crowd.wait_for(LARGE_AT_ONCE)
    small = ApiRequest("POST", "/", {"content-length": str(len(TEST_NOTIFICATION))}, body=TEST_NOTIFICATION)
    assert answered(app, small).status == 204
    assert crowd.arrive() == [204] * 3 * LARGE_AT_ONCE
    assert crowd.peak == LARGE_AT_ONCE


@pytest.mark.parametrize("headers", [{"content-length": str(LARGE_BYTES)}, {}, {"content-length": "many"}])
def test_a_large_delivery_that_finds_no_place_in_its_time_comes_again(headers: dict[str, str], tmp_path: Path) -> None:
    """So does one that does not say how large it is; neither is read."""
    app = app_of(tmp_path, REALTIME_DEADLINE_S="30")
    crowd = Crowd(app, LARGE_AT_ONCE)
    crowd.wait_for(LARGE_AT_ONCE)
    hurried = replace(app_of(tmp_path, REALTIME_DEADLINE_S="0.3"), large=app.large)
    response = answer(hurried, ApiRequest("POST", "/", headers), unread)
    assert (response.status, response.body) == (503, b'{"outcome":"redeliver","reason":"crowded"}')
    crowd.arrive()
