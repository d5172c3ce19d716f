"""One request to Klaviyo: headers, timeouts, retries, verdicts, counts (decisions.md 2, 4, 5, 17)."""

from __future__ import annotations

import http.server
import threading
import time as real_time
from collections.abc import Iterator

import httpx
import pytest
from klaviyo_doubles import Scripted, VirtualTime, client_of, customer, error_body

from shared.budget import Budget, budget_of
from shared.errors import AuthError, HostDown, Interrupted, PermanentError, RateLimited, SyncError, TransientError
from shared.klaviyo import limits
from shared.klaviyo.client import KlaviyoClient, open_klaviyo
from shared.klaviyo.limiter import Limiter
from shared.klaviyo.packing import Body
from shared.klaviyo.profile_requests import patch_profile, upsert_profile
from shared.klaviyo.profiles import ProfileAttributes
from shared.klaviyo.requests import (
    PROFILE_IMPORT,
    Answer,
    Links,
    Request,
    get_import_errors,
    get_import_job,
    list_import_jobs,
    next_cursor,
    start_profile_import,
)
from shared.klaviyo.verdicts import Conflict, Refused

ROW = customer(1)
OK = httpx.Response(200, json={"data": {}})
BODY = Body(PROFILE_IMPORT, (0,), (ROW.encoded,))
ACCEPTED = httpx.Response(202, json={"data": {"type": "profile-bulk-import-job", "id": "job-1"}})


def test_a_request_carries_revision_key_and_json_api_and_no_more() -> None:
    """Revision pinned in one place; contract paths without a trailing slash."""
    time, script = VirtualTime(), Scripted([OK])
    client_of(script, time).send(upsert_profile(ROW.encoded), time.budget())
    (request,) = script.seen
    assert (request.method, request.url.path) == ("POST", "/api/profile-import")
    assert request.headers["authorization"] == "Klaviyo-API-Key pk_sandbox"
    assert request.headers["revision"] == "2026-07-15"
    assert request.headers["content-type"] == request.headers["accept"] == "application/vnd.api+json"
    assert request.content == (
        b'{"data":{"type":"profile","attributes":{"external_id":"customer-1","email":"customer-1@example.com"}}}'
    )


def test_a_patch_names_the_profile_in_path_and_body() -> None:
    """Ids are percent-encoded in paths."""
    request = patch_profile("a/b", ProfileAttributes(first_name="Ann"))
    assert request.path == "/api/profiles/a%2Fb"
    assert request.body == b'{"data":{"type":"profile","id":"a/b","attributes":{"first_name":"Ann"}}}'


def test_bulk_bodies_are_the_rows_in_their_envelope() -> None:
    """Rows are joined as they were encoded."""
    request = start_profile_import(Body(PROFILE_IMPORT, (0, 1), (b'{"n":1}', b'{"n":2}')))
    assert request.body == (b'{"data":{"type":"profile-bulk-import-job","attributes":{"profiles":{"data":[{"n":1},{"n":2}]}}}}')


def test_the_next_page_is_found_by_its_cursor_and_never_by_its_host() -> None:
    """Links are absolute; only the cursor is taken from them."""
    link = "https://elsewhere.example.com/api/profile-bulk-import-jobs/j/import-errors?page%5Bcursor%5D=bmV4dA%3D%3D"
    assert next_cursor(Links(link)) == "bmV4dA=="
    assert next_cursor(Links()) is None
    assert ("page[cursor]", "bmV4dA==") in get_import_errors("j", "bmV4dA==").query


@pytest.mark.parametrize(
    "fault", [httpx.ConnectError("x"), httpx.ReadTimeout("x"), httpx.RemoteProtocolError("x"), httpx.ReadError("x")]
)
def test_no_answer_is_tried_again_and_then_speaks_of_the_host(fault: Exception) -> None:
    """Four tries here, with growing waits between them."""
    time, script = VirtualTime(), Scripted([fault])
    with pytest.raises(HostDown):
        client_of(script, time, attempts=4).send(upsert_profile(ROW.encoded), time.budget())
    assert len(script.seen) == 4


def test_a_request_whose_answer_was_lost_is_sent_again_as_it_was() -> None:
    """Every write may run twice, so the same bytes go out."""
    time, script = VirtualTime(), Scripted([httpx.ReadError("lost"), ACCEPTED])
    job = client_of(script, time).send(start_profile_import(BODY), time.budget())
    assert job.id == "job-1"
    assert script.seen[0].content == script.seen[1].content


def test_an_answer_that_cannot_be_read_counts_as_lost() -> None:
    """A success cut short, of another shape, not in UTF-8 or nested too deeply is tried again."""
    unreadable = [b'{"data":{"id', b"", b'{"data":{"id":"\xff"}}', b'{"data":{"id":"j"},"more":' + b"[" * 100_000]
    time, script = VirtualTime(), Scripted([*(httpx.Response(202, content=body) for body in unreadable), ACCEPTED])
    assert client_of(script, time, attempts=5).send(start_profile_import(BODY), time.budget()).id == "job-1"
    assert len(script.seen) == 5


def seen_by_decode(*answers: httpx.Response | Exception) -> Answer:
    """The answer that a request decodes in the end, after these."""
    time, script = VirtualTime(), Scripted([*answers, OK])
    request = upsert_profile(ROW.encoded)
    return client_of(script, time).send(
        Request(request.endpoint, request.path, lambda answer: answer, request.body), time.budget()
    )


@pytest.mark.parametrize("lost", [httpx.ReadError("x"), httpx.ReadTimeout("x"), httpx.Response(500), httpx.Response(504)])
def test_an_answer_knows_that_the_request_may_have_been_carried_out_before(lost: httpx.Response | Exception) -> None:
    """An earlier attempt ended without an answer, or with a fault of the host's."""
    assert seen_by_decode(lost).after_loss


@pytest.mark.parametrize(
    "answers", [[], [httpx.ConnectError("x")], [httpx.ConnectTimeout("x")], [httpx.Response(429, headers={"retry-after": "1"})]]
)
def test_an_answer_after_attempts_that_cannot_have_worked_is_like_the_first(answers: list[httpx.Response | Exception]) -> None:
    """Nothing was sent, or it was refused."""
    assert not seen_by_decode(*answers).after_loss


def test_an_upsert_whose_first_answer_could_not_be_read_may_have_created() -> None:
    """Klaviyo's 200 then only says that the profile is there now."""
    request = upsert_profile(ROW.encoded)
    assert [request.decode(Answer(status, after_loss=lost)) for status, lost in ((201, False), (200, True), (200, False))] == [
        True,
        True,
        False,
    ]


def test_unknown_and_missing_fields_of_an_answer_are_no_fault() -> None:
    """Klaviyo adds fields and statuses within a revision."""
    answer = {"data": {"id": "j", "new": 1, "attributes": {"status": "resting", "more": []}}, "meta": {}}
    time, script = VirtualTime(), Scripted([httpx.Response(200, json=answer)])
    job = client_of(script, time).send(get_import_job("j"), time.budget())
    assert (job.attributes.status, job.ended) == ("resting", False)


@pytest.mark.parametrize("status", [401, 403])
def test_bad_credentials_end_at_once(status: int) -> None:
    """Another try would not help; the key is in no message."""
    time, script = VirtualTime(), Scripted([httpx.Response(status, content=error_body({"code": "not_authenticated"}))])
    with pytest.raises(AuthError) as caught:
        client_of(script, time).send(upsert_profile(ROW.encoded), time.budget())
    assert len(script.seen) == 1
    assert "pk_sandbox" not in str(caught.value)


@pytest.mark.parametrize("status", [400, 404, 413])
def test_what_is_refused_is_not_sent_again(status: int) -> None:
    """A 404 of a single profile is about that profile."""
    time, script = VirtualTime(), Scripted([httpx.Response(status, content=error_body({"code": "invalid"}))])
    with pytest.raises(Refused):
        client_of(script, time).send(patch_profile("p", ProfileAttributes()), time.budget())
    assert len(script.seen) == 1


def test_a_404_of_a_collection_is_an_incident() -> None:
    """Good paths answered 404 during one; nothing may be taken as gone."""
    time, script = VirtualTime(), Scripted([httpx.Response(404), OK])
    client_of(script, time).send(upsert_profile(ROW.encoded), time.budget())
    assert len(script.seen) == 2


def test_a_conflict_carries_the_other_profiles_id() -> None:
    """For the patch that follows."""
    body = error_body({"code": "duplicate_profile", "meta": {"duplicate_profile_id": "01P"}})
    time, script = VirtualTime(), Scripted([httpx.Response(409, content=body)])
    with pytest.raises(Conflict) as caught:
        client_of(script, time).send(upsert_profile(ROW.encoded), time.budget())
    assert caught.value.duplicate_profile_id == "01P"


def test_redirects_are_not_followed() -> None:
    """Credentials go to the configured host only."""
    time = VirtualTime()
    script = Scripted([httpx.Response(307, headers={"location": "https://elsewhere.example.com/"})])
    with pytest.raises(TransientError):
        client_of(script, time, attempts=2).send(upsert_profile(ROW.encoded), time.budget())
    assert {request.url.host for request in script.seen} == {"klaviyo.test"}


def test_a_storm_of_429_costs_time_but_no_attempt() -> None:
    """Thirty refusals with two attempts allowed: the request still goes through, each wait as asked."""
    time = VirtualTime()
    script = Scripted([*[httpx.Response(429, headers={"retry-after": "3"})] * 30, OK])
    client = client_of(script, time, attempts=2)
    start = time.monotonic()
    client.send(upsert_profile(ROW.encoded), time.budget())
    assert time.monotonic() - start >= 90
    assert len(script.seen) == 31


def test_a_429_storm_ends_with_the_budget() -> None:
    """The last refusal is told when its wait no longer fits."""
    time, script = VirtualTime(), Scripted([httpx.Response(429, headers={"retry-after": "30"})])
    with pytest.raises(RateLimited) as caught:
        client_of(script, time).send(upsert_profile(ROW.encoded), time.budget(100))
    assert caught.value.retry_after_s == 30
    assert len(script.seen) == 4


def test_timeouts_are_those_of_the_endpoint_cut_to_the_budget() -> None:
    """Connect 5 s, read 30 s single and 60 s bulk; with 3 s left, 3 s for all of them."""
    time, script = VirtualTime(), Scripted([OK, ACCEPTED, OK])
    client = client_of(script, time)
    client.send(upsert_profile(ROW.encoded), time.budget())
    client.send(start_profile_import(BODY), time.budget())
    client.send(upsert_profile(ROW.encoded), time.budget(3))
    single, bulk, cut = (request.extensions["timeout"] for request in script.seen)
    assert (single["connect"], single["read"]) == (5.0, 30.0)
    assert (bulk["connect"], bulk["read"]) == (5.0, 60.0)
    assert (cut["connect"], cut["read"]) == (3.0, 3.0)


def test_a_host_that_hangs_up_to_our_deadline_is_down() -> None:
    """Not a byte came in all that was left of the time."""
    time = VirtualTime()

    def hang(request: httpx.Request) -> httpx.Response:
        time.sleep(request.extensions["timeout"]["read"])
        raise httpx.ReadTimeout("x")

    with pytest.raises(HostDown):
        client_of(hang, time).send(upsert_profile(ROW.encoded), time.budget(10))


def test_a_host_that_was_down_before_our_deadline_cut_its_answer_is_down() -> None:
    """The last failure that there was is told."""
    time = VirtualTime()

    def late(_: httpx.Request) -> httpx.Response:
        time.sleep(20)
        return OK

    script = Scripted([httpx.Response(503), late])
    with pytest.raises(HostDown):
        client_of(script, time).send(upsert_profile(ROW.encoded), time.budget(10))


def test_a_pause_that_does_not_fit_the_budget_ends_as_rate_limited() -> None:
    """Also for requests that were never sent: the 429 was another's."""
    time, script = VirtualTime(), Scripted([httpx.Response(429, headers={"retry-after": "60"})])
    client = client_of(script, time)
    for _ in range(2):
        with pytest.raises(RateLimited) as caught:
            client.send(upsert_profile(ROW.encoded), time.budget(30))
        assert caught.value.retry_after_s == 60
    assert len(script.seen) == 1


def test_nothing_is_sent_once_somebody_asked_to_stop() -> None:
    """The budget is asked before each request."""

    def stop() -> None:
        raise Interrupted(Interrupted.Cause.STOP)

    time, script = VirtualTime(), Scripted([OK])
    with pytest.raises(Interrupted):
        client_of(script, time).send(
            upsert_profile(ROW.encoded), Budget(time.monotonic() + 100, time.monotonic, time.sleep, stop)
        )
    assert script.seen == []


def test_a_body_over_the_limit_is_refused_here() -> None:
    """Klaviyo would answer 413."""
    time, script = VirtualTime(), Scripted([OK])
    with pytest.raises(PermanentError) as caught:
        client_of(script, time).send(upsert_profile(b" " * limits.ROW_BYTES_MOST), time.budget())
    assert (caught.value.reason, script.seen) == ("body_too_large", [])


def test_no_error_holds_the_request() -> None:
    """httpx's errors carry body and key; ours must not drag them along."""
    time, script = VirtualTime(), Scripted([httpx.ConnectError("x")])
    with pytest.raises(SyncError) as caught:
        client_of(script, time, attempts=1).send(upsert_profile(ROW.encoded), time.budget())
    error: BaseException | None = caught.value
    while error is not None:
        assert not isinstance(error, httpx.HTTPError)
        error = error.__cause__ or error.__context__


class _Slow(http.server.BaseHTTPRequestHandler):
    """Hangs without a byte, or announces a long answer and gives one byte each 50 ms, or answers at once."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, SlowServer)
        server.connections.add(self.client_address)
        if server.hangs:
            server.asked.set()
            server.go_on.wait(60)
        body = b'{"data":[]}'
        self.send_response(200)
        self.send_header("Set-Cookie", "__cf_bm=1; path=/")
        server.cookies.append(self.headers["Cookie"])
        self.send_header("Content-Length", str(100_000 if server.trickles else len(body)))
        self.end_headers()
        try:
            for _ in range(1_200 if server.trickles else 0):
                self.wfile.write(b" ")
                self.wfile.flush()
                server.asked.set()
                real_time.sleep(0.05)
            self.wfile.write(body)
        except OSError:
            server.cut.set()
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Quiet."""


class SlowServer(http.server.ThreadingHTTPServer):
    """A host as slow as a test wants it; `cut` is set when the client hung up in the middle of an answer."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Slow)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.hangs = self.trickles = False
        self.asked, self.go_on, self.cut = threading.Event(), threading.Event(), threading.Event()
        self.connections = set[object]()
        self.cookies: list[str | None] = []


@pytest.fixture
def slow_server() -> Iterator[SlowServer]:
    """A server of its own for each test."""
    with SlowServer() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.go_on.set()
        server.shutdown()
        thread.join()


def opened(url: str, user_agent: str = "test") -> KlaviyoClient:
    return open_klaviyo(base_url=url, api_key="k", limiter=Limiter(), user_agent=user_agent, attempts=1)


def test_a_cookie_of_the_host_is_not_sent_back(slow_server: SlowServer) -> None:
    """What stands before Klaviyo sets some; they would only cost time."""
    client = opened(slow_server.url)
    for _ in range(2):
        client.send(list_import_jobs(), budget_of(30))
    client.close()
    assert slow_server.cookies == [None, None]


def test_an_answer_that_trickles_in_does_not_outlast_the_budget(slow_server: SlowServer) -> None:
    """Each byte comes in time; the whole does not. The host is well, only the time was short."""
    slow_server.trickles = True
    client = opened(slow_server.url)
    start = real_time.monotonic()
    with pytest.raises(Interrupted) as caught:
        client.send(list_import_jobs(), budget_of(2))
    assert caught.value.cause is Interrupted.Cause.DEADLINE
    assert real_time.monotonic() - start < 20
    client.close()


def stopped_when(asked: threading.Event, cause: Interrupted.Cause) -> Budget:
    def check_stop() -> None:
        if asked.is_set():
            raise Interrupted(cause)

    return budget_of(60, check_stop=check_stop)


@pytest.mark.parametrize("cause", [Interrupted.Cause.STOP, Interrupted.Cause.SUPERSEDED])
@pytest.mark.parametrize("how", ["hangs", "trickles"])
def test_a_stop_is_noticed_while_the_host_lets_us_wait(slow_server: SlowServer, how: str, cause: Interrupted.Cause) -> None:
    """Not a byte for a minute, or one now and then: half a second, where reading could take 30."""
    setattr(slow_server, how, True)
    client = opened(slow_server.url)
    start = real_time.monotonic()
    with pytest.raises(Interrupted) as caught:
        client.send(list_import_jobs(), stopped_when(slow_server.asked, cause))
    assert caught.value.cause is cause
    assert real_time.monotonic() - start < 20
    client.close()


def test_a_connection_that_was_given_up_in_the_middle_of_an_answer_is_closed_and_not_used_again(slow_server: SlowServer) -> None:
    """The rest of the old answer must not be taken for a new one."""
    slow_server.trickles = True
    client = opened(slow_server.url)
    with pytest.raises(Interrupted):
        client.send(list_import_jobs(), stopped_when(slow_server.asked, Interrupted.Cause.STOP))
    assert slow_server.cut.wait(60)
    slow_server.trickles = False
    assert client.send(list_import_jobs(), budget_of(60)).data == []
    assert len(slow_server.connections) == 2
    client.close()


def test_requests_one_after_another_share_a_connection(slow_server: SlowServer) -> None:
    """Though each is sent by a thread of its own."""
    client = opened(slow_server.url)
    for _ in range(5):
        client.send(list_import_jobs(), budget_of(60))
    assert len(slow_server.connections) == 1
    client.close()


def test_the_environments_proxies_are_not_used(slow_server: SlowServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outbound hosts are the configured ones only: here a proxy that does not exist."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    client = opened(slow_server.url)
    assert client.send(list_import_jobs(), budget_of(60)).data == []
    client.close()


def test_the_opened_client_names_the_product_and_keeps_connections() -> None:
    """One pool per process; a host that does not exist is a host that is down."""
    client = opened("http://127.0.0.1:1", "product/1.0")
    assert client._http.headers["user-agent"] == "product/1.0"
    with pytest.raises(HostDown):
        client.send(list_import_jobs(), budget_of(60))
    client.close()
