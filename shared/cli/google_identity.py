"""Who calls, to Google: ID tokens for an import API that Cloud Run keeps private (http-api.md "Access").

A person's token comes from gcloud, that of a service account from its key file, from gcloud, or from the metadata server of
a machine of Google's. Tokens are kept in memory alone, and never shown.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from shared.access import Claims, unverified_claims
from shared.cli.api_client import NotReachable
from shared.settings import Secret

MARGIN_S = 60.0
"""How long before its end a token is not used any more; the call that it is for takes its time."""

UNKNOWN_LIFE_S = 300.0
GCLOUD_S = 60.0
KEY_FILE = "GOOGLE_APPLICATION_CREDENTIALS"

_METADATA_HOST = "metadata.google.internal"
_TYPES_OF_SERVICE_ACCOUNTS = ("service_account", "impersonated_service_account")
_LOG_IN = "log in with: gcloud auth login"

FetchToken = Callable[[str], str]
"""Gives a new ID token for an audience, or for whatever audience a person's have. Raises `NoIdentity`."""


class NoIdentity(NotReachable):
    """There is no ID token to be had, so that the import API cannot be asked."""

    code = "no_identity"


@dataclass(slots=True)
class GoogleIdentity:
    """The ID token for one audience, renewed before its end; `now` is the time in seconds since 1970."""

    audience: str
    fetch: FetchToken
    now: Callable[[], float] = time.time
    _token: Secret | None = None
    _good_until: float = 0.0

    def token(self) -> Secret:
        """A token that is good for a while. Raises `NoIdentity`."""
        if self._token is None or self.now() >= self._good_until:
            token = self.fetch(self.audience)
            ends_at = _claims(token).get("exp")
            self._good_until = ends_at - MARGIN_S if isinstance(ends_at, int | float) else self.now() + UNKNOWN_LIFE_S
            self._token = Secret(token)
        return self._token

    def forget(self) -> None:
        """The token was refused."""
        self._token = None


class GoogleAuth(httpx.Auth):
    """Sends the ID token with each request, and once more a new one when Google, not the import API, answers 401."""

    requires_response_body = True

    def __init__(self, identity: GoogleIdentity) -> None:
        self._identity = identity

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """As httpx wants it. Raises `NoIdentity`."""
        request.headers["Authorization"] = f"Bearer {self._identity.token().reveal()}"
        answer = yield request
        of_import_api = answer.headers.get("content-type", "").startswith("application/json")
        if answer.status_code == httpx.codes.UNAUTHORIZED and not of_import_api:
            self._identity.forget()
            request.headers["Authorization"] = f"Bearer {self._identity.token().reveal()}"
            yield request


def google_identity(audience: str, environ: Mapping[str, str]) -> GoogleIdentity:
    """Whoever the process's environment makes us to Google; asks nobody yet."""
    return GoogleIdentity(audience, lambda wanted: id_token(wanted, environ))


def id_token(audience: str, environ: Mapping[str, str]) -> str:
    """A new ID token of whoever we are to Google. Raises `NoIdentity`.

    A service account's is made for `audience`. A person's has always the audience of gcloud, which Cloud Run accepts.
    """
    if _names_service_account(environ):
        return _of_service_account(audience, f"Google gives no ID token for {KEY_FILE}")
    gcloud = shutil.which("gcloud", path=environ.get("PATH"))
    if gcloud is None and _on_a_machine_of_google(environ):
        return _of_service_account(audience, "the metadata server gives no ID token")
    if gcloud is None:
        raise NoIdentity(
            "gcloud is not installed, so there is no Google ID token to send",
            f"install the Google Cloud CLI, then {_LOG_IN}",
            f"or set {KEY_FILE} to the key file of a service account",
        )
    token = _printed(gcloud, environ)
    if _is_a_persons(_claims(token)):
        return token
    return _printed(gcloud, environ, f"--audiences={audience}")


def _printed(gcloud: str, environ: Mapping[str, str], *options: str) -> str:
    command = "gcloud auth print-identity-token"
    try:
        ended = subprocess.run(  # noqa: S603 - the user's own gcloud, no shell
            [gcloud, "auth", "print-identity-token", *options],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=GCLOUD_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NoIdentity(f"`{command}` has not ended within {GCLOUD_S:.0f} s") from None
    except OSError as error:
        raise NoIdentity(f"`{command}` cannot be run ({type(error).__name__})") from None
    if ended.returncode == 0:
        return ended.stdout.strip()
    if "gcloud auth login" in ended.stderr:
        raise NoIdentity("nobody is logged in to gcloud, or not any more, so there is no Google ID token to send", _LOG_IN)
    # What gcloud says may name accounts, so it is not repeated.
    raise NoIdentity(f"`{command}` has failed (exit code {ended.returncode})", f"what it says shows: {command}")


def _of_service_account(audience: str, complaint: str) -> str:
    from google.auth.exceptions import GoogleAuthError
    from google.auth.transport.requests import Request
    from google.oauth2.id_token import fetch_id_token

    try:
        return str(fetch_id_token(Request(), audience))  # type: ignore[no-untyped-call] # google-auth has no type hints here
    except (GoogleAuthError, OSError, ValueError) as error:
        raise NoIdentity(f"{complaint} ({type(error).__name__})") from None


def _names_service_account(environ: Mapping[str, str]) -> bool:
    """Whether Google's library finds a service account by the environment; other credentials give no ID token by it."""
    path = environ.get(KEY_FILE, "").strip()
    if not path:
        return False
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        raise NoIdentity(f"the file that {KEY_FILE} names is not there, or no JSON") from None
    return isinstance(content, dict) and content.get("type") in _TYPES_OF_SERVICE_ACCOUNTS


def _on_a_machine_of_google(environ: Mapping[str, str]) -> bool:
    """Whether there is a metadata server; asking it where there is none takes ten seconds."""
    if environ.get("GCE_METADATA_HOST"):
        return True
    try:
        socket.getaddrinfo(_METADATA_HOST, 80)
    except OSError:
        return False
    return True


def _is_a_persons(claims: Claims) -> bool:
    email = claims.get("email")
    return isinstance(email, str) and not email.endswith(".gserviceaccount.com")


def _claims(token: str) -> Claims:
    claims = unverified_claims(token)
    if claims is None:
        raise NoIdentity("what gcloud or Google gave is no ID token")
    return claims
