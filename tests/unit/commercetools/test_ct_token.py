"""The commercetools access token: one for all threads, fetched once at a time, never shown."""

from __future__ import annotations

import base64
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs

import httpx
import pytest
from fake_commercetools import Clock, FakeProject, error_body

from shared.budget import Budget, budget_of
from shared.commercetools.token import Token
from shared.errors import AuthError, HostDown, Interrupted, RateLimited


@pytest.fixture
def project() -> FakeProject:
    return FakeProject(Clock())


def test_a_token_is_asked_for_with_client_credentials_and_the_scopes_given(project: FakeProject) -> None:
    """The request carries the grant, the scopes as given, and the credentials by HTTP Basic."""
    project.tokens(("view_customers:shop", "view_orders:shop")).current(project.clock.budget())
    request = project.token_requests[0]
    form = {"grant_type": ["client_credentials"], "scope": ["view_customers:shop view_orders:shop"]}
    assert parse_qs(request.content.decode()) == form
    assert request.headers["Authorization"] == "Basic " + base64.b64encode(b"client:s3cret").decode()


def test_without_scopes_none_are_asked_for(project: FakeProject) -> None:
    """No scopes in the settings: whatever the client has."""
    project.tokens().current(project.clock.budget())
    assert parse_qs(project.token_requests[0].content.decode()) == {"grant_type": ["client_credentials"]}


def test_a_token_is_kept_for_four_fifths_of_its_life(project: FakeProject) -> None:
    """The next one is fetched at 80 % of the life of the first, not before."""
    project.token_life_s = 1000
    tokens, clock = project.tokens(), project.clock
    first = tokens.current(clock.budget())
    clock.now += 799
    assert tokens.current(clock.budget()) is first
    clock.now += 2
    assert tokens.current(clock.budget()).value == "token-2"


def test_threads_that_have_no_token_share_one_fetch(project: FakeProject) -> None:
    """Twenty threads at the start make one token request."""
    together = threading.Barrier(20)
    tokens = project.tokens()

    def ask(_number: int) -> Token:
        together.wait()
        return tokens.current(budget_of(20))

    with ThreadPoolExecutor(20) as pool:
        values = {token.value for token in pool.map(ask, range(20))}
    assert values == {"token-1"}
    assert len(project.token_requests) == 1


def test_others_go_on_with_the_old_token_while_one_renews_it(project: FakeProject) -> None:
    """A renewal at 80 % holds nobody up: who comes meanwhile gets the token that is still valid."""
    project.token_life_s = 1000
    tokens, clock = project.tokens(), project.clock
    tokens.current(clock.budget())
    clock.now += 850
    asked, answer = threading.Event(), threading.Event()

    def slow(_request: httpx.Request) -> httpx.Response:
        asked.set()
        assert answer.wait(20)
        return httpx.Response(200, json={"access_token": "token-new", "expires_in": 1000})

    project.token_answer = slow
    with ThreadPoolExecutor(1) as pool:
        renewing = pool.submit(tokens.current, budget_of(20))
        assert asked.wait(20)
        assert tokens.current(clock.budget()).value == "token-1"
        answer.set()
        assert renewing.result(20).value == "token-new"
    assert tokens.current(clock.budget()).value == "token-new"


def test_an_auth_host_that_fails_during_early_renewal_stops_nobody(project: FakeProject) -> None:
    """A valid token is used to its end; the next try to renew waits a little."""
    project.token_life_s = 1000
    tokens, clock = project.tokens(), project.clock
    tokens.current(clock.budget())
    clock.now += 850
    project.token_answer = lambda _request: httpx.Response(503)
    assert tokens.current(clock.budget()).value == "token-1"
    assert tokens.current(clock.budget()).value == "token-1"
    assert len(project.token_requests) == 2
    clock.now += 6
    tokens.current(clock.budget())
    assert len(project.token_requests) == 3
    clock.now += 150
    with pytest.raises(HostDown):
        tokens.current(clock.budget())


def test_a_thread_that_is_stopped_while_it_fetches_leaves_the_fetch_to_another(project: FakeProject) -> None:
    """An interruption of the one who fetches is not an error of those who wait."""
    asked, answer = threading.Event(), threading.Event()

    def slow(_request: httpx.Request) -> httpx.Response:
        asked.set()
        assert answer.wait(20)
        project.token_answer = None
        return httpx.Response(200, json={})

    def stop() -> None:
        if answer.is_set():
            raise Interrupted(Interrupted.Cause.STOP)

    project.token_answer = slow
    tokens = project.tokens()
    base = budget_of(20)
    with ThreadPoolExecutor(2) as pool:
        stopped = pool.submit(tokens.current, Budget(base.deadline, check_stop=stop))
        assert asked.wait(20)
        waiting = pool.submit(tokens.current, budget_of(20))
        answer.set()
        with pytest.raises(Interrupted):
            stopped.result(20)
        assert waiting.result(20).value == "token-2"


def test_a_refused_token_is_forgotten_only_while_it_is_the_newest(project: FakeProject) -> None:
    """Two threads whose old token is refused renew it once, not twice."""
    tokens, clock = project.tokens(), project.clock
    old = tokens.current(clock.budget())
    tokens.discard(old)
    new = tokens.current(clock.budget())
    tokens.discard(old)
    assert tokens.current(clock.budget()) is new
    assert not tokens.is_current(old)


@pytest.mark.parametrize(
    ("status", "code", "shown"),
    [
        (401, "invalid_client", "CT_API_CLIENT"),
        (400, "invalid_client", "CT_API_CLIENT"),
        (403, "access_denied", "CT_API_CLIENT"),
        (400, "invalid_scope", "CT_SCOPES"),
        (404, "ResourceNotFound", "CT_AUTH_URL"),
    ],
)
def test_refused_credentials_are_a_matter_for_a_person(project: FakeProject, status: int, code: str, shown: str) -> None:
    """Whatever the auth host refuses for good is an AuthError that names the setting, and the secret nowhere."""
    project.token_answer = lambda _request: error_body(status, code)
    with pytest.raises(AuthError) as raised:
        project.tokens().current(project.clock.budget())
    assert shown in str(raised.value)
    assert "s3cret" not in str(raised.value)
    assert "example.com" not in str(raised.value)


def test_a_busy_auth_host_is_transient(project: FakeProject) -> None:
    """429, 5xx, no answer and an unreadable answer are worth another try."""
    budget = project.clock.budget()
    project.token_answer = lambda _request: httpx.Response(429, headers={"Retry-After": "7"})
    with pytest.raises(RateLimited) as raised:
        project.tokens().current(budget)
    assert raised.value.retry_after_s == 7
    for status, body in ((500, b""), (200, b"<html>"), (200, b'{"access_token": 1}'), (200, b'"\xff"'), (200, b"[" * 100_000)):
        project.token_answer = lambda _request, status=status, body=body: httpx.Response(status, content=body)
        with pytest.raises(HostDown):
            project.tokens().current(budget)


def test_no_text_of_the_source_or_its_tokens_shows_a_secret(project: FakeProject) -> None:
    """Neither repr nor str of what a log line might hold has the token or the client's secret."""
    tokens = project.tokens()
    token = tokens.current(project.clock.budget())
    shown = repr(token) + str(token) + repr(tokens) + str(tokens)
    assert "token-1" not in shown
    assert "s3cret" not in shown
