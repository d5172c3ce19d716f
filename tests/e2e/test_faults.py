"""Whatever the two APIs do for a while, the import completes: nothing lost, nothing doubled (decisions.md 4, 5)."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from depth import depth

from sandbox.launch import sandbox
from shared.budget import budget_of
from shared.commercetools.client import open_commercetools
from shared.commercetools.token import Token
from shared.errors import HostDown
from shared.klaviyo.client import open_klaviyo
from shared.klaviyo.limiter import Limiter
from shared.klaviyo.requests import list_import_jobs
from shared.local.listening import free_port
from shared.outcomes import PathKind
from tests.e2e.conftest import CUSTOMERS, Product, control
from tests.e2e.fault_fixtures import (
    GET_JOB,
    LIST_JOBS,
    START_JOB,
    assert_complete,
    commercetools_requests,
    hits,
    hold,
    inject,
    klaviyo_requests,
    klaviyo_settings,
    too_early,
)

OUTAGE_S = 2.5
PATIENCE_S = 120.0
UNDER_WAY_S = 0.5
HANG_S = 120.0
"""Longer than a whole test: whoever waits for this answer waits in vain."""


@pytest.fixture(autouse=True)
def killed_at_the_end(request: pytest.FixtureRequest) -> Iterator[None]:
    """A clean stop is what other tests are about, and takes seconds."""
    product: Product | None = request.getfixturevalue("product") if "product" in request.fixturenames else None
    yield
    for process in product.processes if product else ():
        process.kill_group()


def _start(product: Product) -> None:
    product.start()
    assert product.post("/sync/customers").status_code == 202


def _over_after(seconds: float, url: str, is_met: Callable[[], object]) -> None:
    """Let the faults in force last until they are met, and so many seconds longer; then there are none."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_met():
        assert time.monotonic() < deadline, "the faults met nothing"
        time.sleep(0.05)
    time.sleep(seconds)
    inject(url)


def test_the_check_of_pauses_sees_a_request_that_comes_too_early() -> None:
    """One that was under way at the 429 is no fault, and another endpoint has a pause of its own."""
    refused = {"endpoint": START_JOB, "at": 10.0, "status": 429}
    under_way, other = {**refused, "at": 10.2, "status": 202}, {**refused, "endpoint": LIST_JOBS, "at": 11.0, "status": 200}
    early, due = {**under_way, "at": 11.9}, {**under_way, "at": 12.0}
    assert too_early([refused, under_way, other, due], 2.0, UNDER_WAY_S) == []
    assert too_early([refused, early, due], 2.0, UNDER_WAY_S) == [f"{START_JOB} 1.900 s after its 429"]


STORMS: dict[str, tuple[float, list[dict[str, Any]]]] = {
    "that_names_two_seconds": (2.0, [{"retry_after": "2", "first": 6}]),
    "with_wrong_or_no_times": (
        1.0,
        [{"retry_after": "0", "first": 2}, {"retry_after": "soon", "first": 2}, {"retry_after": None, "first": 2}],
    ),
}


@pytest.mark.parametrize(("pause_s", "storm"), STORMS.values(), ids=STORMS)
def test_a_storm_of_429_is_waited_out(product: Product, pause_s: float, storm: list[dict[str, Any]]) -> None:
    """Case 91: every second request refused; no endpoint is asked again before the time it named, or else a second, is over."""
    klaviyo = product.servers.klaviyo.url
    inject(klaviyo, *({"kind": "status", "status": 429, "path": "/api/", "share": 0.5, **rule} for rule in storm))
    _start(product)
    assert_complete(product)
    assert all(hits(klaviyo)), "there was no storm to speak of"
    assert too_early(klaviyo_requests(klaviyo), pause_s, UNDER_WAY_S) == []


def test_a_quota_that_somebody_else_uses_up_is_waited_for(product: Product) -> None:
    """One request a second is left of every quota, and fifteen a minute: the import slows down and completes."""
    klaviyo = product.servers.klaviyo.url
    product.start()
    with klaviyo_settings(klaviyo, job_base_s=5.0):  # three jobs to look after: more looks than one a second
        inject(klaviyo, {"kind": "quota", "factor": 0.1})
        assert product.post("/sync/customers").status_code == 202
        _over_after(5.0, klaviyo, lambda: any(request["status"] == 429 for request in klaviyo_requests(klaviyo)))
        assert_complete(product)
    requests = klaviyo_requests(klaviyo)
    looks = [request for request in requests if request["method"] == "GET"]  # one thread looks for all, so none is under way
    assert too_early(looks, 1.0, 0.0) == []


ERRORS_OF_ALL_KINDS = [
    {"status": 503, "share": 0.25, "seed": 1},
    {"status": 503, "retry_after": "1", "share": 0.25, "seed": 2},
    {"status": 525, "body": "html", "share": 0.3, "seed": 3},
    {"status": 500, "body": "empty", "share": 0.3, "seed": 4},
    {"status": 408, "share": 0.3, "seed": 5},
    {"status": 502, "body": "text"},
]
KLAVIYO_OUTAGES = {
    "5xx": [{**rule, "path": "/api/"} for rule in ERRORS_OF_ALL_KINDS],
    "404": [{"status": 404, "endpoint": START_JOB}, {"status": 404, "endpoint": LIST_JOBS, "body": "html"}],
}


@pytest.mark.parametrize("outage", KLAVIYO_OUTAGES.values(), ids=KLAVIYO_OUTAGES)
def test_an_outage_of_klaviyo_is_survived(product: Product, outage: list[dict[str, Any]]) -> None:
    """For seconds every answer is an error: 5xx and 525 as JSON, HTML or nothing, or a 404 of a path that exists."""
    klaviyo = product.servers.klaviyo.url
    product.start()
    inject(klaviyo, *({"kind": "status", **rule} for rule in outage))
    assert product.post("/sync/customers").status_code == 202
    _over_after(OUTAGE_S, klaviyo, lambda: sum(hits(klaviyo)))
    assert_complete(product)


def test_an_outage_of_commercetools_is_survived(product: Product) -> None:
    """From before the start on, for seconds: overload, 5xx of all kinds and 429, also at the token and the import lock."""
    commercetools = product.servers.commercetools.url
    product.start()
    overload = {"status": 429, "share": 0.2, "seed": 6}
    inject(commercetools, *({"kind": "status", "until_s": OUTAGE_S, **rule} for rule in (overload, *ERRORS_OF_ALL_KINDS)))
    assert product.post("/sync/customers").status_code == 202
    inject(commercetools, *({"kind": "status", **rule} for rule in (overload, *ERRORS_OF_ALL_KINDS)))
    _over_after(OUTAGE_S, commercetools, lambda: sum(hits(commercetools)))
    assert_complete(product)


HANGING = {
    "klaviyo": [{"endpoint": START_JOB, "first": 2}, {"endpoint": LIST_JOBS, "first": 1}],
    "commercetools": [{"path": "/sandbox/graphql", "skip": 1, "first": 1}, {"path": "/sandbox/customers", "first": 2}],
}


@pytest.mark.parametrize("host", HANGING)
def test_a_server_that_takes_requests_and_never_answers_is_survived(product: Product, host: str) -> None:
    """The worker's deadline cuts the wait, as every wait; the batch goes on in the next delivery (decisions.md 5)."""
    url = product.servers.klaviyo.url if host == "klaviyo" else product.servers.commercetools.url
    product.environment["WORKER_DEADLINE_S"] = "5"  # 480 in production; the endpoints' own timeouts are tested below
    inject(url, *({"kind": "hang", "seconds": HANG_S, **rule} for rule in HANGING[host]))
    _start(product)
    assert_complete(product)
    assert hits(url) == [rule["first"] for rule in HANGING[host]]


@pytest.fixture
def silent_server() -> Iterator[socket.socket]:
    """A server that lets callers connect, reads nothing and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        yield listener


def _address(server: socket.socket) -> str:
    return f"http://127.0.0.1:{server.getsockname()[1]}"


def _connections(server: socket.socket) -> int:
    """How many have connected, each for one try."""
    server.setblocking(False)
    count = 0
    with suppress(BlockingIOError):
        while True:
            server.accept()[0].close()
            count += 1
    return count


def test_klaviyo_is_given_up_after_the_endpoints_own_timeout(silent_server: socket.socket) -> None:
    """Long before the deadline: the read timeout of an endpoint ends one try, and there are two."""
    address = _address(silent_server)
    client = open_klaviyo(base_url=address, api_key="k", limiter=Limiter(), user_agent="test", attempts=2)
    request = list_import_jobs()
    hurried = replace(request, endpoint=replace(request.endpoint, read_timeout_s=0.3))
    began = time.monotonic()
    with pytest.raises(HostDown):
        client.send(hurried, budget_of(60))
    assert 0.6 <= time.monotonic() - began < 20
    assert _connections(silent_server) == 2
    client.close()


def test_commercetools_is_given_up_after_the_calls_own_timeout(silent_server: socket.socket) -> None:
    """The same on the reading side."""
    address = _address(silent_server)
    client = open_commercetools(api_url=address, auth_url=address, project_id="p", client_id="c", secret="s", attempts=1)
    client._tokens._token = Token("t", renew_at=float("inf"), expires_at=float("inf"))
    began = time.monotonic()
    with pytest.raises(HostDown):
        client.get("customers", budget=budget_of(60), kind=PathKind.COLLECTION, read_timeout_s=0.3)
    assert 0.3 <= time.monotonic() - began < 20
    assert _connections(silent_server) == 1
    client.close()


def test_tokens_of_two_seconds_are_renewed_all_along(tmp_path: Path) -> None:
    """An import that outlasts several tokens notices nothing."""
    with sandbox(
        commercetools=["--customers", str(CUSTOMERS), "--malformed-emails", "0", "--token-lifetime", "2"],
        klaviyo=["--job-seconds", "1"],
    ) as servers:
        product = Product(servers, servers.environment(tmp_path / "state.sqlite3", free_port(), LOG_FORMAT="json"))
        try:
            inject(servers.commercetools.url, {"kind": "delay", "path": "/sandbox/customers", "seconds": 0.6})
            _start(product)
            assert_complete(product)
        finally:
            for process in product.processes:
                process.kill_group()
        assert commercetools_requests(servers.commercetools.url)["oauth/token", 200] >= 3


def test_tokens_revoked_in_the_middle_are_replaced(product: Product) -> None:
    """Every token becomes invalid while pages are read, twice: a 401 is met with a new one, not with a halt."""
    commercetools = product.servers.commercetools.url
    inject(commercetools, {"kind": "delay", "path": "/sandbox/customers", "seconds": 0.5})
    _start(product)
    for _ in range(2):
        time.sleep(1.5)  # a 401 is met once per call, so a call must not be hit twice
        control(commercetools, "tokens/revoke")
    assert_complete(product)
    counts = commercetools_requests(commercetools)
    assert sum(count for (_, status), count in counts.items() if status == 401) > 0, "no token was revoked in use"


def test_cut_connections_and_answers_are_survived(product: Product) -> None:
    """Resets before and answers cut in two after the request was handled, on every path of both APIs."""
    for number, url in enumerate((product.servers.commercetools.url, product.servers.klaviyo.url)):
        inject(
            url,
            {"kind": "reset", "share": 0.3, "seed": number, "first": 3},
            {"kind": "truncate", "share": 0.3, "seed": number, "first": 3},
        )
    _start(product)
    assert_complete(product)
    assert all(hits(product.servers.commercetools.url) + hits(product.servers.klaviyo.url))


def test_a_job_whose_acceptance_was_lost_is_started_again_without_harm(product: Product) -> None:
    """Klaviyo accepted the rows and we never heard: they are sent twice, and change nothing the second time."""
    klaviyo = product.servers.klaviyo.url
    inject(
        klaviyo,
        {"kind": "lost", "endpoint": START_JOB, "first": 2},
        {"kind": "truncate", "endpoint": START_JOB, "skip": 1, "first": 1},
    )
    _start(product)
    assert_complete(product)
    assert hits(klaviyo) == [2, 1]
    rows = [name for request in klaviyo_requests(klaviyo) if request["endpoint"] == START_JOB for name in request["identities"]]
    assert len(rows) > len(set(rows)), "nothing was sent twice"


def test_jobs_that_take_long_are_waited_for(product: Product) -> None:
    """Six seconds of `queued` and `processing`, while a list of jobs fails now and then."""
    klaviyo = product.servers.klaviyo.url
    with klaviyo_settings(klaviyo, job_base_s=6.0):
        inject(klaviyo, {"kind": "status", "endpoint": LIST_JOBS, "share": 0.3})
        _start(product)
        assert_complete(product)


def test_a_job_that_outlasts_an_invocation_is_waited_for_by_the_next(product: Product) -> None:
    """Jobs of eight seconds, invocations of four: each batch is sent once, and no attempt is used up by waiting."""
    klaviyo = product.servers.klaviyo.url
    product.environment["WORKER_DEADLINE_S"] = "4"
    with klaviyo_settings(klaviyo, job_base_s=8.0):
        _start(product)
        assert_complete(product)
    rows = [name for request in klaviyo_requests(klaviyo) if request["endpoint"] == START_JOB for name in request["identities"]]
    assert len(rows) == len(set(rows)), "a batch was sent again although its job was under way"


@pytest.mark.parametrize("misses", [2, 4], ids=["a_lag", "gone"])
def test_jobs_that_cannot_be_found_are_looked_for_and_then_started_anew(product: Product, misses: int) -> None:
    """Klaviyo's list shows none of the jobs and a look-up answers 404, for a moment or until the batches are tried again."""
    klaviyo = product.servers.klaviyo.url
    product.environment["WORKERS"] = "2"
    with klaviyo_settings(klaviyo, job_base_s=1.5):
        # One batch is read when the others are done, so that its job is alone and is looked for by its name.
        hold(product.servers.commercetools.url, path="/sandbox/customers", first=1)
        inject(
            klaviyo,
            {"kind": "status", "status": 404, "endpoint": GET_JOB, "first": misses},
            {"kind": "status", "status": 503, "endpoint": LIST_JOBS, "first": 1},
        )
        _start(product)
        product.wait(lambda status: status["batches"]["done"] == status["batches"]["planned"] - 1 >= 2, 120.0)
        inject(product.servers.commercetools.url)
        assert_complete(product)
    assert hits(klaviyo)[0] > 0


MIXED = [
    {"kind": "status", "status": 503, "share": 0.04},
    {"kind": "status", "status": 429, "retry_after": "1", "share": 0.04},
    {"kind": "status", "status": 500, "body": "html", "share": 0.03},
    {"kind": "reset", "share": 0.03},
    {"kind": "lost", "share": 0.03},
    {"kind": "truncate", "share": 0.03},
    {"kind": "hang", "seconds": 1.5, "share": 0.02},
    {"kind": "delay", "seconds": 0.5, "share": 0.05},
]


@pytest.mark.parametrize("seed", range(depth(1, 3)))
def test_a_fifth_of_all_requests_may_fail_in_any_way(product: Product, seed: int) -> None:
    """Both APIs, every path, every kind of failure, without an end: an import has few requests, so a share of 5 % is too mild."""
    urls = (product.servers.commercetools.url, product.servers.klaviyo.url)
    for host, url in enumerate(urls):
        inject(url, *({**rule, "seed": 100 * seed + 10 * host + number} for number, rule in enumerate(MIXED)))
    _start(product)
    assert_complete(product)
    assert sum(sum(hits(url)[:-1]) for url in urls) >= 5
