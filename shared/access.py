"""Who may call the servers (http-api.md "Access"): pure decisions on headers and settings.

Header names are compared regardless of case. Nothing here quotes what a caller sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from shared.errors import Problem, SyncError
from shared.settings import Settings, is_loopback, serves_bulk, serves_realtime

API_KEY_HEADER = "X-Api-Key"
LOCAL_TASK_KEY_HEADER = "X-Local-Task-Key"
GOOGLE_ISSUERS = frozenset({"https://accounts.google.com", "accounts.google.com"})

Headers: TypeAlias = Mapping[str, str]
Claims: TypeAlias = Mapping[str, object]
VerifyIdToken: TypeAlias = Callable[[str], Claims]


class InvalidToken(SyncError):
    """A verifier's verdict: the token is malformed, expired, or not signed by Google."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """The call may go on."""


@dataclass(frozen=True, slots=True)
class Denied:
    """The call is refused: the HTTP `status`, the error code and the message of the answer."""

    status: Literal[401, 403]
    error: str
    message: str


def check_api_key(headers: Headers, settings: Settings) -> Allowed | Denied:
    """Whether a call of the import API may go on.

    With a `BULK_IMPORT_API_KEY` the caller must send it; on Google Cloud only as `X-Api-Key`, since `Authorization` carries
    Google's token. Without one the platform, or the binding to loopback, is the guard.
    """
    key = settings.access.bulk_import_api_key
    if key is None:
        return Allowed() if settings.on_google_cloud else _check_loopback_caller(headers, settings, "BULK_IMPORT_API_KEY")
    candidates = [_header(headers, API_KEY_HEADER)]
    if not settings.on_google_cloud:
        candidates.append(_bearer(headers))
    if any(candidate is not None and key.matches(candidate) for candidate in candidates):
        return Allowed()
    ways = API_KEY_HEADER if settings.on_google_cloud else f"{API_KEY_HEADER}, or as Authorization: Bearer"
    return _unauthorized(f"send the key of BULK_IMPORT_API_KEY as {ways}")


def check_task_caller(headers: Headers, settings: Settings, verify_id_token: VerifyIdToken | None = None) -> Allowed | Denied:
    """Whether a task (`POST /tasks/plan`, a batch for the worker) comes from our own machinery.

    Locally that is the key the supervisor made at start; anywhere a Google ID token, given a verifier. `verify_id_token`
    takes the token and returns its claims; it checks signature and expiry, and raises `InvalidToken` (refused here) or
    `TransientError` (when Google's keys could not be fetched; passed on, so that the message is delivered again).
    """
    local_key = settings.access.local_task_key
    sent = _header(headers, LOCAL_TASK_KEY_HEADER)
    if not settings.on_google_cloud and local_key is not None and sent is not None and local_key.matches(sent):
        return Allowed()
    return _check_id_token(headers, settings, verify_id_token)


def check_push_caller(headers: Headers, settings: Settings, verify_id_token: VerifyIdToken | None = None) -> Allowed | Denied:
    """Whether a notification may be delivered.

    On Google Cloud the platform has checked the caller. Elsewhere, with `PUSH_SERVICE_ACCOUNT` and `PUSH_AUDIENCE`, it needs
    that account's Google ID token, also on loopback, where a tunnel or a proxy may stand before us; without them loopback is
    the guard. `verify_id_token` is as for `check_task_caller`. Raises `TransientError`.
    """
    if settings.on_google_cloud:
        return Allowed()
    if guarded_by_id_token(settings):
        return _check_id_token(headers, settings, verify_id_token)
    return _check_loopback_caller(headers, settings, "PUSH_SERVICE_ACCOUNT and PUSH_AUDIENCE")


def guarded_by_id_token(settings: Settings) -> bool:
    """Whether we check the tokens of deliveries ourselves."""
    return not settings.on_google_cloud and bool(settings.access.push_service_account and settings.access.push_audience)


def refuse_unguarded_bind(settings: Settings) -> list[Problem]:
    """Why the servers must not start: they would listen beyond this machine with nothing to guard them."""
    if settings.on_google_cloud or is_loopback(settings.serve.bind_host):
        return []
    problems = []
    if serves_bulk(settings.serve) and settings.access.bulk_import_api_key is None:
        problems.append(
            Problem(
                "BULK_IMPORT_API_KEY",
                "is not set, but BIND_HOST opens the import API to others; set it to a long random text, "
                "or set BIND_HOST to 127.0.0.1",
            )
        )
    if serves_realtime(settings.serve) and not guarded_by_id_token(settings):
        problems.append(
            Problem(
                "PUSH_SERVICE_ACCOUNT",
                "is not set, but BIND_HOST opens the realtime endpoint to others; set it and PUSH_AUDIENCE to those of the "
                "push subscription, or set BIND_HOST to 127.0.0.1, or APP_TYPE to BULK_IMPORT",
            )
        )
    return problems


def _check_loopback_caller(headers: Headers, settings: Settings, guard: str) -> Allowed | Denied:
    """Without the `guard`, whose variables are named, loopback is one, and a browser on this machine is the way around it.

    A page of another site can make the browser call us: then `Origin` names that site, or, when its name was pointed
    at 127.0.0.1, `Host` does.
    """
    if not is_loopback(settings.serve.bind_host):
        return _unauthorized(f"this server listens beyond this machine; set {guard}")
    host, origin = _header(headers, "Host"), _header(headers, "Origin")
    if host is not None and not is_loopback(_host_name(f"//{host}")):
        return Denied(403, "forbidden", f"call this server as localhost or 127.0.0.1, or set {guard}")
    if origin is not None and origin != f"http://{host}":
        return Denied(403, "forbidden", f"calls from pages of another origin need {guard}")
    return Allowed()


def _check_id_token(headers: Headers, settings: Settings, verify: VerifyIdToken | None) -> Allowed | Denied:
    access, token = settings.access, _bearer(headers)
    refused = _unauthorized("this endpoint is for the queue's own deliveries")
    if verify is None or token is None or not (access.push_service_account and access.push_audience):
        return refused
    try:
        claims = verify(token)
    except InvalidToken:
        return refused
    genuine = (
        claims.get("iss") in GOOGLE_ISSUERS
        and claims.get("aud") == access.push_audience
        and claims.get("email") == access.push_service_account
        and claims.get("email_verified") is True
    )
    return Allowed() if genuine else refused


def _unauthorized(message: str) -> Denied:
    return Denied(401, "unauthorized", message)


def _header(headers: Headers, name: str) -> str | None:
    wanted = name.casefold()
    return next((value for key, value in headers.items() if key.casefold() == wanted), None)


def _bearer(headers: Headers) -> str | None:
    scheme, _, token = (_header(headers, "Authorization") or "").partition(" ")
    return token.strip() or None if scheme.casefold() == "bearer" else None


def _host_name(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
