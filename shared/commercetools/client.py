"""The commercetools HTTP API: authenticated, retried, ramped; answers as bytes, refusals as errors of the product."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx
import msgspec

from shared import logs
from shared.budget import Budget
from shared.commercetools.exchange import Answer, exchange
from shared.commercetools.ramp import CEILING, Gate, Load
from shared.commercetools.token import Token, TokenSource
from shared.commercetools.verdict import Forbidden, Refusal, VersionConflict, error_of, refusal_of
from shared.errors import Host, HostDown, TransientError
from shared.outbound import http_client
from shared.outcomes import PathKind
from shared.retrying import call_with_retries, retry_after_s, retry_reason
from shared.settings.model import CommercetoolsSettings
from shared.version import USER_AGENT

__all__ = ["CommercetoolsClient", "Forbidden", "Params", "VersionConflict", "open_commercetools", "open_project"]

Params = Sequence[tuple[str, str]]

SINGLE_READ_S = 20.0
PAGE_READ_S = 65.0  # commercetools ends a request after 60 s (commercetools.md 3)
ATTEMPTS = 8
_READ_S = {
    PathKind.SINGLE: SINGLE_READ_S,
    PathKind.DEAD_LETTERS: SINGLE_READ_S,
    PathKind.COLLECTION: PAGE_READ_S,
    PathKind.OPTIONAL_LOOKUP: PAGE_READ_S,
}
_TOKENS_TRIED = 3  # one that another thread had replaced already, the one in force, and its successor

_log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class _Call:
    """One logical request, which may be sent several times."""

    method: str
    path: str
    params: Params
    content: bytes | None
    kind: PathKind
    read_timeout_s: float
    correlation_id: str

    @property
    def operation(self) -> str:
        """What is done, without ids: the method and the first part of the path."""
        return f"{self.method} {self.endpoint}"

    @property
    def endpoint(self) -> str:
        """The first part of the path."""
        return self.path.partition("/")[0]

    @property
    def graphql(self) -> bool:
        return self.path == "graphql"


def _new_id() -> str:
    return uuid.uuid4().hex


class CommercetoolsClient:
    """One project, for all threads of the process.

    Each method takes a path below the project (no leading slash) and returns the body. It is tried again inside the
    budget while the failure is transient; a 401 is met with a new token once. Raises `AuthError`, `Gone`, `Forbidden`,
    `PermanentError`, `VersionConflict`, `TransientError` and `Interrupted`, as `shared.outcomes` says.
    """

    def __init__(
        self,
        http: httpx.Client,
        project_id: str,
        tokens: TokenSource,
        *,
        gate: Gate | None = None,
        attempts: int = ATTEMPTS,
        monotonic: Callable[[], float] = time.monotonic,
        rng: Callable[[], float] = random.random,
        new_id: Callable[[], str] = _new_id,
    ) -> None:
        """`http` has the API host as its base address."""
        self.gate = gate or Gate()
        self._http = http
        self._project_id = project_id
        self._tokens = tokens
        self._attempts = attempts
        self._monotonic = monotonic
        self._rng = rng
        self._new_id = new_id
        self._seen_date: tuple[datetime, float] | None = None

    def get(
        self,
        path: str,
        params: Params = (),
        *,
        budget: Budget,
        kind: PathKind = PathKind.SINGLE,
        read_timeout_s: float | None = None,
    ) -> bytes:
        """Read one resource or a page; `kind` decides the meaning of 403 and 404, and the time an answer may take."""
        return self._call("GET", path, params, None, budget, kind, read_timeout_s)

    def post(
        self,
        path: str,
        body: object,
        *,
        budget: Budget,
        kind: PathKind = PathKind.COLLECTION,
        read_timeout_s: float = SINGLE_READ_S,
    ) -> bytes:
        """Write one resource. May be sent twice when an answer is lost: the caller's write must bear that."""
        return self._call("POST", path, (), msgspec.json.encode(body), budget, kind, read_timeout_s)

    def delete(self, path: str, params: Params = (), *, budget: Budget, kind: PathKind = PathKind.SINGLE) -> bytes:
        """Delete one resource. A repetition after a lost answer raises `Gone`."""
        return self._call("DELETE", path, params, None, budget, kind, None)

    def graphql(
        self,
        document: str,
        variables: Mapping[str, object],
        *,
        budget: Budget,
        kind: PathKind = PathKind.COLLECTION,
        read_timeout_s: float = PAGE_READ_S,
    ) -> bytes:
        """Run a query; any entry in its `errors` is raised as if it were a status of its own."""
        content = msgspec.json.encode({"query": document, "variables": variables})
        return self._call("POST", "graphql", (), content, budget, kind, read_timeout_s)

    def server_time(self) -> datetime | None:
        """The time by commercetools' clock (UTC, to the second): the last `Date` seen plus what passed since."""
        seen = self._seen_date
        return seen[0] + timedelta(seconds=self._monotonic() - seen[1]) if seen else None

    def close(self) -> None:
        """Close all connections."""
        self._http.close()
        self._tokens.close()

    def _call(
        self,
        method: str,
        path: str,
        params: Params,
        content: bytes | None,
        budget: Budget,
        kind: PathKind,
        read_timeout_s: float | None,
    ) -> bytes:
        call = _Call(method, path, params, content, kind, read_timeout_s or _READ_S[kind], self._new_id())
        renewed = False

        def attempt() -> bytes:
            nonlocal renewed
            for _ in range(_TOKENS_TRIED):
                token = self._tokens.current(budget)
                answer, refusal = self._send(call, token, budget)
                if refusal is None:
                    return answer.body
                error = error_of(refusal, kind, call.operation, retry_after_s(answer.retry_after, self.server_time()))
                if refusal.status != 401:
                    break
                if self._tokens.is_current(token):
                    if renewed:
                        break
                    renewed = True
                    self._tokens.discard(token)
            raise error

        def on_retry(error: TransientError, wait_s: float) -> None:
            _log.warning(
                "commercetools is asked again",
                method=call.method,
                endpoint=call.endpoint,
                reason=retry_reason(error),
                wait_s=round(wait_s, 2),
            )

        return call_with_retries(attempt, budget, attempts=self._attempts, on_retry=on_retry, rng=self._rng)

    def _send(self, call: _Call, token: Token, budget: Budget) -> tuple[Answer, Refusal | None]:
        """Send once, through the gate, which learns from the answer."""
        request = self._http.build_request(
            call.method,
            f"/{self._project_id}/{call.path}",
            params=list(call.params) or None,
            content=call.content,
            headers={"Authorization": f"Bearer {token.value}", "X-Correlation-ID": call.correlation_id}
            | ({"Content-Type": "application/json"} if call.content is not None else {}),
        )
        load = Load.UNKNOWN
        epoch = self.gate.enter(budget)
        try:
            answer = exchange(self._http, request, operation=call.operation, read_timeout_s=call.read_timeout_s, budget=budget)
            refusal = refusal_of(answer.status, answer.body, graphql=call.graphql)
            load = _load(refusal)
        finally:
            self.gate.leave(epoch, load)
        self._see_date(answer.date)
        return answer, refusal

    def _see_date(self, value: str | None) -> None:
        if not value:
            return
        try:
            seen = parsedate_to_datetime(value)
        except ValueError:
            return
        self._seen_date = (seen if seen.tzinfo else seen.replace(tzinfo=UTC), self._monotonic())


def _load(refusal: Refusal | None) -> Load:
    if refusal is None or (refusal.status < 500 and not refusal.overloaded):
        return Load.FINE
    return Load.OVERLOADED if refusal.overloaded else Load.UNKNOWN


def unreadable(operation: str) -> HostDown:
    """The error for a 2xx answer whose body is not what the API documents, such as a proxy's page."""
    return HostDown(f"{Host.COMMERCETOOLS} gave no readable answer to {operation}", host=Host.COMMERCETOOLS)


def open_commercetools(
    *,
    api_url: str,
    auth_url: str,
    project_id: str,
    client_id: str,
    secret: str,
    scopes: Sequence[str] = (),
    user_agent: str = USER_AGENT,
    gate: Gate | None = None,
    attempts: int = ATTEMPTS,
    transport: httpx.BaseTransport | None = None,
) -> CommercetoolsClient:
    """A client on the real clock, one for the process; sends nothing yet. `transport` replaces the network (tests)."""

    def http(base_url: str) -> httpx.Client:
        return http_client(
            base_url=base_url,
            headers={"User-Agent": user_agent, "Accept": "application/json", "Accept-Encoding": "gzip"},
            limits=httpx.Limits(max_connections=2 * CEILING, max_keepalive_connections=CEILING, keepalive_expiry=20.0),
            transport=transport,
        )

    tokens = TokenSource(http(auth_url), client_id, secret, scopes)
    return CommercetoolsClient(http(api_url), project_id, tokens, gate=gate, attempts=attempts)


def open_project(project: CommercetoolsSettings) -> CommercetoolsClient:
    """A client of the project that the settings name, as `open_commercetools`."""
    return open_commercetools(
        api_url=project.api_url,
        auth_url=project.auth_url,
        project_id=project.project_id,
        client_id=project.client_id,
        secret=project.client_secret.reveal(),
        scopes=project.scopes,
    )
