"""The commercetools client: one authenticated call, retried inside its budget, refused as the table says."""

from __future__ import annotations

import gzip
import json
import logging
import re
from collections.abc import Iterator

import httpx
import pytest
from fake_commercetools import START, Clock, FakeProject, error_body

from shared.commercetools.client import CommercetoolsClient, Forbidden, VersionConflict, open_commercetools
from shared.commercetools.ramp import Gate
from shared.commercetools.verdict import QUERY_TOO_COMPLEX
from shared.errors import AuthError, Gone, HostDown, Interrupted, PermanentError, RateLimited
from shared.outcomes import PathKind


@pytest.fixture
def project() -> FakeProject:
    return FakeProject(Clock())


def _ok() -> httpx.Response:
    return httpx.Response(200, json={"fine": True})


def test_a_call_carries_the_token_a_correlation_id_and_its_parameters(project: FakeProject) -> None:
    """Repeated parameters stay repeated; a repetition of the call keeps its correlation id."""
    project.script = [httpx.Response(503), _ok()]
    params = [("where", "id in :id"), ("var.id", "a"), ("var.id", "b & c")]
    body = project.client().get("customers", params, budget=project.clock.budget())
    first, second = project.requests
    assert json.loads(body) == {"fine": True}
    assert first.url.path == "/shop/customers"
    assert first.url.params.multi_items() == params
    assert first.headers["Authorization"] == "Bearer token-1"
    assert len(first.headers["X-Correlation-ID"]) >= 8
    assert first.headers["X-Correlation-ID"] == second.headers["X-Correlation-ID"]


def test_two_calls_have_two_correlation_ids(project: FakeProject) -> None:
    """So that the vendor's support can find each."""
    client = project.client()
    project.script = [_ok(), _ok()]
    for _ in range(2):
        client.get("customers/1", budget=project.clock.budget())
    assert len({request.headers["X-Correlation-ID"] for request in project.requests}) == 2


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.Response(429),
        httpx.Response(408),
        httpx.Response(500),
        httpx.Response(502, text="<html>"),
        httpx.Response(503),
        httpx.Response(504),
        httpx.ConnectError("x"),
        httpx.ConnectTimeout("x"),
        httpx.ReadTimeout("x"),
        httpx.RemoteProtocolError("x"),
        httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(b"no gzip at all")),
    ],
    ids=lambda trouble: str(getattr(trouble, "status_code", type(trouble).__name__)),
)
def test_what_is_transient_is_tried_again(project: FakeProject, trouble: httpx.Response | Exception) -> None:
    """A status, a broken connection, a timeout, a broken body: the next try succeeds."""
    project.script = [trouble, _ok()]
    assert project.client().get("customers", budget=project.clock.budget(), kind=PathKind.COLLECTION)
    assert len(project.requests) == 2
    assert project.clock.slept


def test_tries_end_with_the_attempts(project: FakeProject) -> None:
    """Four attempts, then the last error."""
    project.script = [httpx.Response(500)] * 10
    with pytest.raises(HostDown):
        project.client(attempts=4).get("customers/1", budget=project.clock.budget())
    assert len(project.requests) == 4


def test_tries_end_with_the_budget_and_never_sleep_past_it(project: FakeProject) -> None:
    """A storm of 429 is ended by the deadline alone."""
    project.script = [httpx.Response(429)] * 100
    start = project.clock.now
    with pytest.raises(RateLimited):
        project.client(attempts=2).get("customers/1", budget=project.clock.budget(8.5))
    assert project.clock.now <= start + 8.5
    assert len(project.requests) > 2


@pytest.mark.parametrize("wish", ["9", "Fri, 01 May 2026 12:00:09 GMT"])
def test_the_wait_that_the_host_asks_for_is_kept(project: FakeProject, wish: str) -> None:
    """In seconds, or as a date by the host's own clock."""
    project.script = [httpx.Response(503, headers={"Retry-After": wish}), _ok()]
    project.client().get("customers/1", budget=project.clock.budget())
    assert 9 <= sum(project.clock.slept) < 10


@pytest.mark.parametrize(
    ("kind", "seconds", "expected"),
    [(PathKind.SINGLE, 600, 20), (PathKind.COLLECTION, 600, 65), (PathKind.COLLECTION, 8.5, 8.5), (PathKind.SINGLE, 3, 3)],
)
def test_timeouts_are_those_of_the_path_cut_to_the_budget(
    project: FakeProject, kind: PathKind, seconds: float, expected: float
) -> None:
    """Connect 5 s, read 20 s for one resource and 65 s for a page, never more than is left."""
    project.script = [_ok()]
    project.client().get("customers", budget=project.clock.budget(seconds), kind=kind)
    timeout = project.requests[0].extensions["timeout"]
    assert timeout["read"] == expected
    assert timeout["connect"] == min(5, expected)
    assert set(timeout) == {"connect", "read", "write", "pool"}


def test_an_answer_that_trickles_in_is_given_up(project: FakeProject) -> None:
    """Each byte resets a read timeout, so the whole answer has a limit too."""

    class Trickle(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            for _ in range(100):
                project.clock.now += 1
                yield b" "

    project.script = [httpx.Response(200, stream=Trickle()), _ok()]
    project.client().get("customers/1", budget=project.clock.budget())
    assert len(project.requests) == 2


def test_a_stop_is_noticed_while_an_answer_comes_in(project: FakeProject) -> None:
    """Nothing is left waiting for the rest of a page."""

    def stop() -> None:
        if project.requests:
            raise Interrupted(Interrupted.Cause.STOP)

    project.script = [_ok()]
    with pytest.raises(Interrupted):
        project.client().get("customers/1", budget=project.clock.budget(check_stop=stop))


def test_a_compressed_answer_is_read(project: FakeProject) -> None:
    """gzip is asked for and understood."""
    project.script = [httpx.Response(200, headers={"Content-Encoding": "gzip"}, content=gzip.compress(b'{"a": 1}'))]
    assert project.client().get("customers/1", budget=project.clock.budget()) == b'{"a": 1}'


def test_a_redirect_is_not_followed(project: FakeProject) -> None:
    """Credentials never travel to a host that nobody configured."""
    project.script = [httpx.Response(302, headers={"Location": "https://elsewhere.example.com/"})] * 9
    with pytest.raises(Exception, match="302"):
        project.client(attempts=2).get("customers/1", budget=project.clock.budget())
    assert {request.url.host for request in project.requests} == {"api.example.com"}


def test_an_expired_token_is_renewed_once_and_the_call_goes_on(project: FakeProject) -> None:
    """401, a new token, the same request again."""
    client = project.client()
    project.objects["c/k"] = {"container": "c", "key": "k", "version": 1, "value": 1}
    client.get("custom-objects/c/k", budget=project.clock.budget())
    project.valid_tokens.clear()
    assert client.get("custom-objects/c/k", budget=project.clock.budget())
    assert len(project.token_requests) == 2
    assert not project.clock.slept


def test_a_second_401_is_a_matter_for_a_person(project: FakeProject) -> None:
    """One renewal per request, even when transient failures come between, then AuthError."""
    project.script = [error_body(401, "invalid_token"), httpx.Response(503), error_body(401, "invalid_token")]
    with pytest.raises(AuthError) as raised:
        project.client().get("customers/1", budget=project.clock.budget())
    assert raised.value.status == 401
    assert len(project.token_requests) == 2
    assert len(project.requests) == 3


def test_a_401_for_a_token_that_was_replaced_meanwhile_just_uses_the_new_one(project: FakeProject) -> None:
    """Another thread renewed it already: no second renewal."""
    client, clock = project.client(), project.clock
    project.script = [_ok()]
    client.get("customers/1", budget=clock.budget())

    def replace(request: httpx.Request) -> None:
        if request.headers["Authorization"] == "Bearer token-1" and len(project.token_requests) == 1:
            tokens = client._tokens
            tokens.discard(tokens.current(clock.budget()))
            tokens.current(clock.budget())

    project.before = replace
    project.script = [error_body(401, "invalid_token"), _ok()]
    client.get("customers/1", budget=clock.budget())
    assert project.requests[-1].headers["Authorization"] == "Bearer token-2"
    assert len(project.token_requests) == 2


def test_a_401_for_a_replaced_token_does_not_use_up_the_renewal(project: FakeProject) -> None:
    """The token in force may be refused as well, and is renewed then."""
    client, clock = project.client(), project.clock
    old = client._tokens.current(clock.budget())

    def replace(_request: httpx.Request) -> None:
        project.before = lambda _request: None
        client._tokens.discard(old)
        client._tokens.current(clock.budget())

    project.before = replace
    project.script = [error_body(401, "invalid_token"), error_body(401, "invalid_token"), _ok()]
    client.get("customers/1", budget=clock.budget())
    sent = [request.headers["Authorization"] for request in project.requests]
    assert sent == ["Bearer token-1", "Bearer token-2", "Bearer token-3"]


def test_a_missing_scope_is_not_tried_again(project: FakeProject) -> None:
    """403 halts the run; on an optional look-up it is Forbidden instead."""
    client = project.client()
    project.script = [
        error_body(403, "insufficient_scope", "missing: view_customers:shop"),
        error_body(403, "insufficient_scope"),
    ]
    with pytest.raises(AuthError, match="view_customers is missing"):
        client.get("customers", budget=project.clock.budget(), kind=PathKind.COLLECTION)
    with pytest.raises(Forbidden):
        client.get("customers", budget=project.clock.budget(), kind=PathKind.OPTIONAL_LOOKUP)
    assert len(project.requests) == 2


def test_permanent_refusals_are_not_tried_again(project: FakeProject) -> None:
    """404 of a resource is Gone, 400 permanent, 409 by its code a conflict of versions."""
    client, budget = project.client(), project.clock.budget()
    project.script = [
        error_body(404, "ResourceNotFound"),
        error_body(400, "InvalidInput"),
        error_body(409, "ConcurrentModification"),
    ]
    with pytest.raises(Gone):
        client.get("customers/1", budget=budget)
    with pytest.raises(PermanentError, match="InvalidInput"):
        client.get("customers", budget=budget, kind=PathKind.COLLECTION)
    with pytest.raises(VersionConflict):
        client.post("custom-objects", {}, budget=budget)
    assert len(project.requests) == 3


def test_a_graphql_timeout_is_tried_again_and_a_complex_query_is_not(project: FakeProject) -> None:
    """Errors in a 200 count like the status they would have been."""
    client, budget = project.client(), project.clock.budget()
    project.script = [
        httpx.Response(200, json={"errors": [{"extensions": {"code": "QueryTimedOut"}}]}),
        httpx.Response(200, json={"data": {}}),
        httpx.Response(200, json={"errors": [{"extensions": {"code": QUERY_TOO_COMPLEX}}]}),
    ]
    assert client.graphql("query { x }", {"a": 1}, budget=budget) == b'{"data":{}}'
    assert json.loads(project.requests[0].content) == {"query": "query { x }", "variables": {"a": 1}}
    with pytest.raises(PermanentError, match=QUERY_TOO_COMPLEX):
        client.graphql("query { x }", {}, budget=budget)


def test_the_ramp_learns_from_every_try(project: FakeProject) -> None:
    """503 and 429 halve, a timeout does not."""
    gate = Gate(16)
    project.script = [httpx.Response(503), httpx.ReadTimeout("x"), httpx.Response(429), _ok()]
    project.client(gate=gate).get("customers/1", budget=project.clock.budget())
    assert gate.limit == 4
    assert gate.under_way == 0


def test_server_time_is_the_last_date_seen_and_what_passed_since(project: FakeProject) -> None:
    """Leases are kept by commercetools' clock; the machine's own may be wrong by hours."""
    client = project.client()
    assert client.server_time() is None
    project.script = [_ok()]
    client.get("customers/1", budget=project.clock.budget())
    assert client.server_time() == START
    project.clock.now += 61.5
    seen = client.server_time()
    assert seen is not None
    assert (seen - START).total_seconds() == 61.5


def test_a_date_that_is_none_changes_nothing(project: FakeProject) -> None:
    """A proxy's odd header is not believed."""
    client = project.client()
    project.script = [httpx.Response(200, headers={"Date": "yesterday"})]
    client.get("customers/1", budget=project.clock.budget())
    assert client.server_time() is None


def test_every_repetition_is_told_in_the_log(project: FakeProject, capsys: pytest.CaptureFixture[str]) -> None:
    """What was asked, why again, and after how long; without ids, and nothing where all goes well."""
    client = project.client()
    project.script = [httpx.Response(503), httpx.Response(429, headers={"Retry-After": "3"}), httpx.ReadTimeout("x"), _ok()]
    client.get("customers/0f5f5f5f", budget=project.clock.budget())
    told = capsys.readouterr().err.splitlines()
    assert [reason for line in told for reason in re.findall(r"reason=(\w+)", line)] == ["host_down", "rate_limited", "host_down"]
    for line in told:
        assert "commercetools is asked again" in line
        assert {"method=GET", "endpoint=customers"} <= set(line.split())
    waits_s = [float(wait) for line in told for wait in re.findall(r"wait_s=([\d.]+)", line)]
    assert sum(waits_s) == pytest.approx(sum(project.clock.slept), abs=0.02)
    project.script = [_ok()]
    client.get("customers/0f5f5f5f", budget=project.clock.budget())
    assert "0f5f5f5f" not in "".join(told)
    assert capsys.readouterr().err == ""


def test_no_error_refers_to_the_request_or_quotes_an_answer(project: FakeProject, caplog: pytest.LogCaptureFixture) -> None:
    """Neither text nor chained exceptions have the token, the parameters or the vendor's message."""
    caplog.set_level(logging.DEBUG, "shared")
    failures: list[BaseException] = []
    for trouble in (httpx.ReadTimeout("x"), error_body(400, "InvalidInput"), error_body(503, "OverCapacity")):
        project.script = [trouble]
        with pytest.raises(Exception, match="commercetools") as raised:
            project.client(attempts=1).get("customers", [("var.x", "jane@example.com")], budget=project.clock.budget())
        failures.append(raised.value)
    for failure in failures:
        assert failure.__cause__ is None
        assert failure.__context__ is None
        assert "example.com" not in str(failure)
        assert "token-" not in str(failure)
    assert caplog.text == ""


def test_the_factory_makes_one_client_for_the_process() -> None:
    """Both hosts, the product's User-Agent, gzip, no proxies, no cookies sent back; nothing is sent before the first call."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if request.url.path == "/oauth/token":
            return httpx.Response(200, json={"access_token": "t", "expires_in": 100})
        return httpx.Response(200, json={}, headers={"Set-Cookie": "session=1; path=/"})

    client = open_commercetools(
        api_url="https://api.example.com",
        auth_url="https://auth.example.com",
        project_id="shop",
        client_id="client",
        secret="s3cret",
        user_agent="commercetools-klaviyo-sync/1.2.3",
        transport=httpx.MockTransport(answer),
    )
    assert isinstance(client, CommercetoolsClient)
    assert not seen
    clock = Clock()
    client.get("customers/1", budget=clock.budget())
    assert [request.url.host for request in seen] == ["auth.example.com", "api.example.com"]
    assert {request.headers["User-Agent"] for request in seen} == {"commercetools-klaviyo-sync/1.2.3"}
    assert seen[1].headers["Accept-Encoding"] == "gzip"
    client.get("customers/1", budget=clock.budget())
    assert "Cookie" not in seen[2].headers
    client.close()
    assert client._http.is_closed
