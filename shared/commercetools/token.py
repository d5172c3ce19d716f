"""The access token: one for all threads of the process, fetched once at a time, renewed before it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass, field

import httpx
import msgspec

from shared.budget import Budget
from shared.commercetools.exchange import exchange
from shared.commercetools.verdict import refusal_of, token_error_of
from shared.decoding import UNDECODABLE
from shared.errors import Host, HostDown, Interrupted, TransientError
from shared.retrying import retry_after_s

RENEWED_AT_SHARE = 0.8
_READ_S = 20.0
_SLICE_S = 0.5
_PAUSE_S = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Token:
    """An access token; `renew_at` and `expires_at` are readings of the source's clock (seconds)."""

    value: str = field(repr=False)
    renew_at: float
    expires_at: float


class _Granted(msgspec.Struct):
    access_token: str
    expires_in: float


class TokenSource:
    """Gives the current token of a client, fetched by client credentials (OAuth 2).

    At four fifths of its life one thread fetches the next while the others go on with it; when there is none, all wait
    for one fetch. A failed early renewal is no failure while the token is valid; the next try waits five seconds.
    """

    def __init__(
        self,
        http: httpx.Client,
        client_id: str,
        secret: str,
        scopes: Sequence[str] = (),
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`http` has the auth host as its base address; no `scopes`: whatever the client has."""
        self._http = http
        self._auth = httpx.BasicAuth(client_id, secret)
        self._form = {"grant_type": "client_credentials"} | ({"scope": " ".join(scopes)} if scopes else {})
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._flight: Future[Token | None] | None = None
        self._not_before = 0.0

    def current(self, budget: Budget) -> Token:
        """A token that is valid as far as is known.

        Raises `AuthError` when the credentials are refused, `TransientError` when the auth host does not answer, and
        `Interrupted`.
        """
        while True:
            with self._lock:
                now = self._monotonic()
                token = self._token if self._token and now < self._token.expires_at else None
                if token and (now < max(token.renew_at, self._not_before) or self._flight):
                    return token
                flight, leads = self._flight, self._flight is None
                if flight is None:
                    flight = self._flight = Future()
            fetched = self._lead(flight, token, budget) if leads else _landed(flight, budget)
            if fetched:
                return fetched

    def is_current(self, token: Token) -> bool:
        """Whether this token is the newest; a 401 for an older one says nothing about the newest."""
        return self._token is token

    def discard(self, token: Token) -> None:
        """Forget a token that the host refused, unless it has been replaced meanwhile."""
        with self._lock:
            if self._token is token:
                self._token = None

    def close(self) -> None:
        """Close the connections to the auth host."""
        self._http.close()

    def _lead(self, flight: Future[Token | None], valid: Token | None, budget: Budget) -> Token:
        """Fetch for all who wait; `valid` is the token that is still good."""
        landed: Token | None = None
        failure: BaseException | None = None
        try:
            landed = self._fetch(budget)
        except TransientError as error:
            landed, failure = valid, error
        except BaseException as error:  # handed on below, to those who wait too
            failure = error
        with self._lock:
            self._flight = None
            if failure is None:
                self._token = landed
            elif landed:
                self._not_before = self._monotonic() + _PAUSE_S
        if landed:
            flight.set_result(landed)
            return landed
        assert failure is not None  # noqa: S101 - one of the two is there
        if isinstance(failure, Exception) and not isinstance(failure, Interrupted):
            flight.set_exception(failure)
        else:
            flight.set_result(None)  # it was this thread that was interrupted: another one fetches
        raise failure

    def _fetch(self, budget: Budget) -> Token:
        asked_at = self._monotonic()
        request = self._http.build_request("POST", "/oauth/token", data=self._form)
        signed = next(self._auth.auth_flow(request))
        answer = exchange(self._http, signed, operation="the token request", read_timeout_s=_READ_S, budget=budget)
        refusal = refusal_of(answer.status, answer.body)
        if refusal:
            raise token_error_of(refusal, retry_after_s(answer.retry_after))
        try:
            granted = msgspec.json.decode(answer.body, type=_Granted)
        except UNDECODABLE:
            granted = None
        if granted is None:
            raise HostDown(f"{Host.COMMERCETOOLS} gave no readable answer to the token request", host=Host.COMMERCETOOLS)
        return Token(
            value=granted.access_token,
            renew_at=asked_at + granted.expires_in * RENEWED_AT_SHARE,
            expires_at=asked_at + granted.expires_in,
        )


def _landed(flight: Future[Token | None], budget: Budget) -> Token | None:
    """Wait for another thread's fetch; None when that thread was interrupted."""
    while True:
        try:
            return flight.result(budget.timeout_s(_SLICE_S))
        except NotYet:
            continue
