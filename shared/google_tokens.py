"""Google's ID tokens, verified (http-api.md "Access").

Signature and expiry here; issuer, audience and account are compared in `shared.access`. `google-auth` is imported by the
first `GoogleIdTokens`, so that a process that checks no tokens does not pay for it, nor one that `google_claims` serves
before there is one to check.
"""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass, field
from functools import cache

import httpx
import msgspec

from shared.access import Claims, InvalidToken, VerifyIdToken
from shared.background import in_background
from shared.decoding import UNDECODABLE
from shared.errors import TransientError
from shared.outbound import http_client
from shared.version import USER_AGENT

CERTIFICATES_URL = "https://www.googleapis.com/oauth2/v1/certs"
FETCH_S = 2.0
"""How long a delivery waits for certificates at most: the answer needs its time, too (decisions.md 5)."""

MOST_BYTES = 1_000_000
SHORTEST_LIFE_S = 300.0
LONGEST_LIFE_S = 86_400.0
RETRY_PAUSE_S = 60.0
"""How old the certificates must be before a key that they lack, which anybody can name, makes us fetch them again."""

FAILURE_PAUSE_S = 5.0
"""How long after a failed fetch nobody tries another."""

LONGEST_FETCH_S = 10.0
"""How long a fetch goes on at most; late certificates are good for those who come later."""

STALE_S = 86_400.0
"""How long certificates beyond their life are still used while no others can be had; Google's keys last for days."""

CLOCK_SKEW_S = 10

_MAX_AGE = re.compile(r"max-age\s*=\s*(\d{1,9})")


@dataclass(frozen=True, slots=True)
class _Certificates:
    by_key: Mapping[str, str]
    fetched_at: float
    stale_at: float

    def serve(self, key: str, now: float) -> bool:
        """Whether they need not be fetched again for this key."""
        return now < self.stale_at and (key in self.by_key or now < self.fetched_at + RETRY_PAUSE_S)


@dataclass(slots=True)
class GoogleIdTokens:
    """Verifies ID tokens with Google's certificates, which are kept as long as their `Cache-Control` says.

    Shared by all threads. They are fetched in the background, once at a time; who has asked for that, or has a key that is
    not known yet, waits `fetch_s` seconds at most, and the others go on with those that are there. `url` gives a JSON object
    of PEM certificates by key id; `monotonic` is a clock in seconds.
    """

    http: httpx.Client
    url: str = CERTIFICATES_URL
    monotonic: Callable[[], float] = time.monotonic
    fetch_s: float = FETCH_S
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _kept: _Certificates | None = None
    _flight: Future[_Certificates | None] | None = None
    _not_before: float = -math.inf

    def __post_init__(self) -> None:
        import google.auth.jwt  # noqa: F401 - while the process starts, not while a delivery waits

    def claims(self, token: str) -> Claims:
        """The claims of a genuine token that has not expired.

        Raises `InvalidToken`, or `TransientError` when Google's certificates cannot be had.
        """
        from google.auth import jwt

        # Whatever a token is made of, and whatever the library makes of it: it is not accepted.
        try:
            key = jwt.decode_header(token).get("kid")  # type: ignore[no-untyped-call] # google-auth has no type hints here
        except Exception:
            raise InvalidToken("unreadable") from None
        if not isinstance(key, str):
            raise InvalidToken("names no key")
        certificates = self._certificates(key)
        try:
            claims: Claims = jwt.decode(token, certs=dict(certificates), clock_skew_in_seconds=CLOCK_SKEW_S)  # type: ignore[no-untyped-call] # nor here
        except Exception:
            raise InvalidToken("not genuine, or expired") from None
        return claims

    def _certificates(self, key: str) -> Mapping[str, str]:
        with self._lock:
            now = self.monotonic()
            kept = self._kept if self._kept and now < self._kept.stale_at + STALE_S else None
            if kept and kept.serve(key, now):
                return kept.by_key
            known = kept is not None and key in kept.by_key
            pauses = now < self._not_before
            flight, leads = self._flight, False
            if flight is None and not pauses:
                flight, leads = in_background(self._fly, name="google-certificates"), True
                self._flight = flight
        waits = leads or not (known or pauses)
        landed = self._landed(flight) if flight and waits else None
        if landed:
            return landed.by_key
        if kept and known:
            return kept.by_key
        raise TransientError("the certificates of Google's ID tokens cannot be had")

    def _landed(self, flight: Future[_Certificates | None]) -> _Certificates | None:
        """What the fetch brings, if that is in time; otherwise others need not wait for it again."""
        try:
            return flight.result(self.fetch_s)
        except NotYet:
            with self._lock:
                self._not_before = self.monotonic() + FAILURE_PAUSE_S
            return None

    def _fly(self) -> _Certificates | None:
        fetched: _Certificates | None = None
        try:
            fetched = self._fetched(self.monotonic())
            return fetched
        finally:
            with self._lock:
                self._flight = None
                self._kept = fetched or self._kept
                self._not_before = -math.inf if fetched else self.monotonic() + FAILURE_PAUSE_S

    def _fetched(self, now: float) -> _Certificates | None:
        content = bytearray()
        try:
            with self.http.stream("GET", self.url) as response:
                for part in response.iter_bytes():
                    content += part
                    if len(content) > MOST_BYTES or self.monotonic() > now + LONGEST_FETCH_S:
                        return None
            by_key = msgspec.json.decode(content, type=dict[str, str]) if response.status_code == httpx.codes.OK else {}
        except (httpx.HTTPError, *UNDECODABLE):
            by_key = {}
        if not by_key:
            return None
        age = _MAX_AGE.search(response.headers.get("cache-control", ""))
        life_s = min(LONGEST_LIFE_S, max(SHORTEST_LIFE_S, float(age[1]) if age else 0.0))
        return _Certificates(by_key, now, now + life_s)


def open_google_tokens() -> GoogleIdTokens:
    """The verifier of a process; fetches nothing yet."""
    return GoogleIdTokens(http_client(headers={"User-Agent": USER_AGENT}, timeout=FETCH_S))


def google_claims() -> VerifyIdToken:
    """A verifier that is opened by the first token, for where hardly any comes: Cloud Run has checked those it hands on."""
    opened = cache(open_google_tokens)
    return lambda token: opened().claims(token)
