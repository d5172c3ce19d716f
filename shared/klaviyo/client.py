"""Sends typed requests to Klaviyo: limiter, timeouts, retries and the verdict on each answer (decisions.md 2, 4, 9)."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import httpx

from shared import logs
from shared.background import awaited, in_background
from shared.budget import Budget
from shared.decoding import UNDECODABLE
from shared.errors import Host, HostDown, Interrupted, PermanentError, TransientError
from shared.klaviyo.limiter import Limiter
from shared.klaviyo.requests import CONTENT_TYPE, REVISION, Answer, Request, query_string
from shared.klaviyo.verdicts import error_of
from shared.outbound import http_client
from shared.retrying import call_with_retries, retry_after_s, retry_reason

CONNECT_TIMEOUT_S = 5.0
ATTEMPTS = 8
"""Tries per request that end without a verdict; their waits add up to about a minute."""
CONNECTIONS = 32
_UNSENT = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout"})
"""Faults, by httpx's names, that came before anything was sent."""

T = TypeVar("T")
_log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class _NoAnswer:
    """An exchange that came to no end: the name of the fault, and whether the head of an answer was there."""

    fault: str
    begun: bool


@dataclass(slots=True)
class _SoFar:
    """What the attempts at one request have come to; `lost`: one may have been carried out without an answer that says so."""

    lost: bool = False


@dataclass(slots=True)
class _Exchange:
    """One request under way in a thread of its own; `until` is a reading of `monotonic` (seconds).

    Once `abandoned`, nobody wants the answer: at the next part the connection is closed, or at its read timeout. It never
    goes back to the pool with a rest of an answer in it.
    """

    http: httpx.Client
    request: httpx.Request
    monotonic: Callable[[], float]
    until: float
    begun: bool = False
    abandoned: bool = False

    def run(self) -> _Answer | _NoAnswer:
        """The whole answer, or the fault's name. httpx's errors hold the request, so they end here (decisions.md 17)."""
        try:
            response = self.http.send(self.request, stream=True, follow_redirects=False)
            self.begun = True
            parts = []
            try:
                for part in response.iter_bytes():
                    parts.append(part)
                    if self.abandoned or self.monotonic() > self.until:
                        return self.no_answer("TooSlow")
            finally:
                response.close()
            return _Answer(response.status_code, response.headers, b"".join(parts))
        except httpx.RequestError as error:
            return self.no_answer(type(error).__name__)

    def no_answer(self, fault: str) -> _NoAnswer:
        return _NoAnswer(fault, self.begun)


class KlaviyoClient:
    """One per process, shared by its threads. `http` has the base URL; `attempts` bounds the tries of one request.

    A request may be sent again after its answer was lost: every request of this package may run twice (decisions.md 6).
    """

    def __init__(
        self,
        http: httpx.Client,
        api_key: str,
        limiter: Limiter,
        *,
        attempts: int = ATTEMPTS,
        rng: Callable[[], float] = random.random,
    ) -> None:
        self._http = http
        self._headers = {
            "Authorization": f"Klaviyo-API-Key {api_key}",
            "revision": REVISION,
            "Accept": CONTENT_TYPE,
            "Content-Type": CONTENT_TYPE,
        }
        self._limiter = limiter
        self._attempts = attempts
        self._rng = rng

    def send(self, request: Request[T], budget: Budget) -> T:
        """Send until there is a verdict, and give the decoded answer.

        Raises `Refused` (a `PermanentError`) or its `Conflict`, `AuthError`, and when attempts or budget are used up
        `RateLimited`, `HostDown` or `TransientError`; `Interrupted` when the budget says so. A body over the endpoint's
        limit is a `PermanentError` without being sent. A stop is noticed within half a second, also while Klaviyo hangs.
        """
        endpoint = request.endpoint
        if len(request.body) > endpoint.body_bytes_most:
            raise PermanentError("body_too_large", host=Host.KLAVIYO, status=413)

        def on_retry(error: TransientError, wait_s: float) -> None:
            _log.warning("klaviyo is asked again", endpoint=endpoint.name, reason=retry_reason(error), wait_s=round(wait_s, 2))

        so_far = _SoFar()
        return call_with_retries(
            lambda: self._once(request, so_far, budget), budget, attempts=self._attempts, on_retry=on_retry, rng=self._rng
        )

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def _once(self, request: Request[T], so_far: _SoFar, budget: Budget) -> T:
        permit = self._limiter.acquire(request.endpoint, budget)
        answer: _Answer | _NoAnswer | None = None
        try:
            answer = self._exchange(request, budget)
        finally:
            known = answer if isinstance(answer, _Answer) else None
            self._limiter.observe(permit, known.status if known else None, known.headers if known else {})
        if isinstance(answer, _NoAnswer):
            so_far.lost = so_far.lost or answer.fault not in _UNSENT
            budget.check_stop()
            if answer.begun:
                budget.check()  # an answer that our own deadline cut short says nothing against the host
            raise HostDown(f"no answer from klaviyo to {request.endpoint.name}: {answer.fault}", host=Host.KLAVIYO)
        error = error_of(request.endpoint, answer.status, retry_after_s(answer.headers.get("retry-after")), answer.body)
        if error is not None:
            so_far.lost = so_far.lost or isinstance(error, HostDown)
            raise error
        success = Answer(answer.status, answer.body, so_far.lost)
        so_far.lost = True  # unless it can be read, and then this is the end
        return _decoded(request, success)

    def _exchange(self, request: Request[Any], budget: Budget) -> _Answer | _NoAnswer:
        """Send once and wait for the whole answer. Raises `Interrupted` for a stop, but not for the deadline."""
        read_s = budget.timeout_s(request.endpoint.read_timeout_s)
        within = replace(budget, deadline=budget.monotonic() + read_s)
        built = self._http.build_request(
            request.endpoint.method,
            httpx.URL(f"{request.path}?{query_string(request.query)}" if request.query else request.path),
            content=request.body or None,
            headers=self._headers,
            timeout=httpx.Timeout(read_s, connect=min(CONNECT_TIMEOUT_S, read_s)),
        )
        exchange = _Exchange(self._http, built, budget.monotonic, within.deadline)
        try:
            return awaited(in_background(exchange.run, name="klaviyo-exchange"), within)
        except Interrupted as interrupted:
            exchange.abandoned = True
            if interrupted.cause is not Interrupted.Cause.DEADLINE:
                raise
        return exchange.no_answer("TooSlow")


def open_klaviyo(
    *,
    base_url: str,
    api_key: str,
    limiter: Limiter,
    user_agent: str,
    connections: int = CONNECTIONS,
    attempts: int = ATTEMPTS,
) -> KlaviyoClient:
    """A client with its own pool of kept-alive connections.

    `base_url` as in `KLAVIYO_API_URL`; `user_agent` names product and version.
    """
    http = http_client(
        base_url=base_url,
        headers={"User-Agent": user_agent},
        limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=30.0),
    )
    return KlaviyoClient(http, api_key, limiter, attempts=attempts)


def _decoded(request: Request[T], answer: Answer) -> T:
    """An unreadable answer of a success is a lost one."""
    try:
        return request.decode(answer)
    except UNDECODABLE:
        unreadable = TransientError(f"klaviyo's answer to {request.endpoint.name} cannot be read", host=Host.KLAVIYO)
    raise unreadable
