"""Google's ID tokens, verified (http-api.md "Access").

Signature and expiry here; issuer, audience and account are compared in `shared.access`. `google-auth` is imported by the
first `GoogleIdTokens`, so that a process that checks no tokens does not pay for it.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import httpx
import msgspec

from shared.access import Claims, InvalidToken
from shared.errors import TransientError
from shared.tls import tls_context
from shared.version import USER_AGENT

CERTIFICATES_URL = "https://www.googleapis.com/oauth2/v1/certs"
FETCH_TIMEOUT_S = 3.0
SHORTEST_LIFE_S = 300.0
LONGEST_LIFE_S = 86_400.0
RETRY_PAUSE_S = 60.0
"""How old the certificates must be before a key that they lack, which anybody can name, makes us fetch them again."""

CLOCK_SKEW_S = 10

_MAX_AGE = re.compile(r"max-age\s*=\s*(\d{1,9})")


@dataclass(frozen=True, slots=True)
class _Certificates:
    by_key: Mapping[str, str]
    fetched_at: float
    stale_at: float


@dataclass(slots=True)
class GoogleIdTokens:
    """Verifies ID tokens with Google's certificates, which are kept as long as their `Cache-Control` says.

    Shared by all threads; while one fetches, the others wait. `url` gives a JSON object of PEM certificates by key id;
    `monotonic` is a clock in seconds.
    """

    http: httpx.Client
    url: str = CERTIFICATES_URL
    monotonic: Callable[[], float] = time.monotonic
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _kept: _Certificates | None = None

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
            kept = self._kept
            if kept is None or now >= kept.stale_at or (key not in kept.by_key and now >= kept.fetched_at + RETRY_PAUSE_S):
                self._kept = kept = self._fetched(now)
            return kept.by_key

    def _fetched(self, now: float) -> _Certificates:
        try:
            response = self.http.get(self.url)
            by_key = msgspec.json.decode(response.content, type=dict[str, str]) if response.status_code == httpx.codes.OK else {}
        except (httpx.HTTPError, msgspec.DecodeError, UnicodeDecodeError):
            by_key = {}
        if not by_key:
            raise TransientError("the certificates of Google's ID tokens cannot be had")
        age = _MAX_AGE.search(response.headers.get("cache-control", ""))
        life_s = min(LONGEST_LIFE_S, max(SHORTEST_LIFE_S, float(age[1]) if age else 0.0))
        return _Certificates(by_key, now, now + life_s)


def open_google_tokens() -> GoogleIdTokens:
    """The verifier of a process; fetches nothing yet. The environment's proxies are not used (decisions.md 17)."""
    return GoogleIdTokens(
        httpx.Client(
            headers={"User-Agent": USER_AGENT},
            timeout=FETCH_TIMEOUT_S,
            trust_env=False,
            verify=tls_context(),
            follow_redirects=False,
        )
    )
