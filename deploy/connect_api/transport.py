"""One connection to the Connect API: a token of its own, timeouts, bounded retries, errors with a type."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from deploy.connect_api.config import Config
from deploy.connect_api.errors import Absent, Refused, Unreachable
from deploy.connect_api.output import Output
from shared.retrying import retry_after_s, wait_s
from shared.settings import Secret
from shared.version import USER_AGENT

ATTEMPTS = 5
LONGEST_WAIT_S = 60.0
TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Token:
    """An access token: what it allows, and for how many seconds."""

    text: Secret
    scope: str
    lifetime_s: int


@dataclass(slots=True)
class Connection:
    """Calls with a token that is fetched at the first one, and once more when the API does not know it any more."""

    config: Config
    http: httpx.Client
    output: Output
    sleep: Callable[[float], None]
    rng: Callable[[], float] = random.random
    _token: Token | None = field(default=None)

    def get(self, path: str, params: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The resource at `path`. Raises Absent, Refused, Unreachable."""
        return self._call("GET", path, params=params)

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Send `body`; the answer's. Raises Absent, Refused, Unreachable."""
        return self._call("POST", path, body=body)

    def delete(self, path: str) -> dict[str, Any]:
        """Ask for the removal of what is at `path`. Raises Absent, Refused, Unreachable."""
        return self._call("DELETE", path)

    def token(self) -> Token:
        """The token in use; a new one at the first call. Raises Refused, Unreachable."""
        if self._token is None:
            config, operation = self.config, "POST /oauth/token"
            request = self.http.build_request(
                "POST",
                f"{config.auth_url}/oauth/token",
                data={"grant_type": "client_credentials"},
                headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
                timeout=TIMEOUT,
            )
            auth = httpx.BasicAuth(config.client_id, config.client_secret.reveal())
            answer = _content(self._send(request, operation, auth), operation)
            text = answer.get("access_token")
            if not isinstance(text, str) or not text:
                raise Unreachable(f"{operation}: the answer has no token", "check CT_AUTH_URL")
            self.output.keep_secret([text])
            self._token = Token(Secret(text), str(answer.get("scope", "")), int(answer.get("expires_in", 0)))
        return self._token

    def _call(
        self, method: str, path: str, params: Mapping[str, str] | None = None, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        renewed = False
        while True:
            request = self.http.build_request(
                method,
                f"{self.config.connect_url}{path}",
                params=params,
                json=body,
                headers={
                    "Authorization": f"Bearer {self.token().text.reveal()}",
                    "User-Agent": USER_AGENT,
                    "Accept": "application/json",
                },
                timeout=TIMEOUT,
            )
            operation = f"{method} {path}"
            response = self._send(request, operation)
            if response.status_code != 401 or renewed:
                return _content(response, operation)
            self._token, renewed = None, True

    def _send(self, request: httpx.Request, operation: str, auth: httpx.BasicAuth | None = None) -> httpx.Response:
        """The first answer that is not transient. Raises Unreachable."""
        fault = ""
        for attempt in range(1, ATTEMPTS + 1):
            wish_s = None
            try:
                response = self.http.send(request, auth=auth)
            except httpx.TransportError as error:
                fault = type(error).__name__
            else:
                if response.status_code not in _TRANSIENT:
                    return response
                fault = f"answered {response.status_code}"
                wish_s = retry_after_s(response.headers.get("Retry-After"))
            if attempt < ATTEMPTS:
                self.sleep(min(LONGEST_WAIT_S, wait_s(attempt, wish_s, self.rng())))
        raise Unreachable(f"{operation}: {fault}, {ATTEMPTS} times", f"check {request.url.host}, then run this step again")


def _content(response: httpx.Response, operation: str) -> dict[str, Any]:
    try:
        content = response.json()
    except ValueError:
        content = None
    if response.is_success and isinstance(content, dict):
        return content
    if response.is_success:
        raise Unreachable(f"{operation}: the answer is no JSON object", "check CONNECT_API_URL and CT_AUTH_URL")
    code, message = _fault(content if isinstance(content, dict) else {})
    kind = Absent if response.status_code == 404 else Refused
    raise kind(response.status_code, code, message, operation)


def _fault(content: Mapping[str, Any]) -> tuple[str, str]:
    """Code and message of an answer in the API's form, or in OAuth's."""
    errors = content.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    code = str(first.get("code") or content.get("error") or "without a code")
    messages = [str(one.get("message", "")) for one in errors if isinstance(one, dict)] if isinstance(errors, list) else []
    return code, "; ".join(filter(None, messages)) or str(content.get("message") or content.get("error_description") or code)
