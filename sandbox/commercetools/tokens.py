"""OAuth: the token endpoint's rules, and what a bearer token allows."""

import base64
import binascii
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sandbox.commercetools.errors import ApiError
from sandbox.commercetools.settings import Clock, SandboxSettings
from sandbox.sample.identity import entropy


@dataclass(slots=True)
class Tokens:
    """Every token issued and still valid: token -> (expires at, scopes without the project key)."""

    settings: SandboxSettings
    clock: Clock
    issued: int = 0
    _valid: dict[str, tuple[float, frozenset[str]]] = field(default_factory=dict)

    def issue(self, authorization: str, form: dict[str, str]) -> dict[str, Any]:
        """Answer `POST /oauth/token`. Raises ApiError 401 for wrong credentials, 400 for the rest."""
        self._check_client(authorization)
        grant = form.get("grant_type")
        if grant != "client_credentials":
            shown = "missing" if grant is None else "not supported"
            raise ApiError(400, "unsupported_grant_type", f"Parameter grant_type is {shown}.", oauth=True)
        scopes = self._scopes(form.get("scope"))
        self.issued += 1
        words = entropy(self.settings.seed, "token", self.issued)
        token = "".join(f"{word:08x}" for word in words[:6])
        self._valid[token] = (self.clock() + self.settings.token_lifetime_s, frozenset(scopes))
        return {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": self.settings.token_lifetime_s,
            "scope": " ".join(f"{scope}:{self.settings.project_key}" for scope in scopes),
        }

    def authorize(self, authorization: str, any_of: Iterable[str] | None) -> None:
        """Check a bearer token for one of the scopes; None asks only for a valid token. Raises ApiError 401 or 403.

        `manage_x` allows what `view_x` allows, and `manage_project` allows everything.
        """
        scheme, _, token = authorization.partition(" ")
        expires_at, granted = self._valid.get(token.strip(), (0.0, frozenset[str]()))
        if scheme.lower() != "bearer" or expires_at <= self.clock():
            self._valid.pop(token.strip(), None)
            raise ApiError(401, "invalid_token", "invalid_token", oauth=True)
        if any_of is None:
            return
        wanted = list(any_of)
        allowed = {"manage_project", *wanted, *(scope.replace("view_", "manage_", 1) for scope in wanted)}
        if not granted & allowed:
            names = ", ".join(f"{scope}:{self.settings.project_key}" for scope in ("manage_project", *wanted))
            message = f"Insufficient scope. One of the following scopes is missing: {names}."
            raise ApiError(403, "insufficient_scope", message, oauth=True)

    def revoke_all(self) -> int:
        """Make every token invalid at once; returns how many there were."""
        count = len(self._valid)
        self._valid.clear()
        return count

    def _check_client(self, authorization: str) -> None:
        expected = f"{self.settings.client_id}:{self.settings.client_secret}".encode()
        scheme, _, encoded = authorization.partition(" ")
        try:
            given = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            given = b""
        if scheme.lower() != "basic" or not hmac.compare_digest(given, expected):
            message = "Please provide valid client credentials using HTTP Basic Authentication."
            raise ApiError(401, "invalid_client", message, oauth=True)

    def _scopes(self, requested: str | None) -> tuple[str, ...]:
        if requested is None or not requested.strip():
            return self.settings.scopes
        suffix = f":{self.settings.project_key}"
        scopes = tuple(name.removesuffix(suffix) for name in requested.split())
        wrong = [name for name, scope in zip(requested.split(), scopes, strict=True) if scope == name]
        refused = [f"{scope}{suffix}" for scope in scopes if scope not in self.settings.scopes and scope not in wrong]
        if wrong or refused:
            names = ", ".join(wrong + refused)
            raise ApiError(400, "invalid_scope", f"The scopes {names} are not granted to this client.", oauth=True)
        return scopes
