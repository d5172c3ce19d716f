"""Who may call the servers (http-api.md "Access"): pure decisions on headers, settings and the time.

Header names are compared regardless of case. Nothing here quotes what a caller sent.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

import msgspec

from shared.decoding import UNDECODABLE
from shared.errors import Problem, SyncError
from shared.settings import QueueBackend, Settings, StateBackend, is_loopback, serves_bulk, serves_realtime

API_KEY_HEADER = "X-Api-Key"
LOCAL_TASK_KEY_HEADER = "X-Local-Task-Key"
PLATFORM_HEADER = "X-Serverless-Authorization"
"""Where Cloud Run looks for a caller's ID token first; beside it, `Authorization` reaches us unchecked and as it was sent."""

SIGNATURE_REMOVED = "SIGNATURE_REMOVED_BY_GOOGLE"
"""What Cloud Run writes in place of the signature of an ID token that it has checked (ADR 0017)."""

CHECKED_TOKEN_SKEW_S = 300.0
"""How long after its end a token that Cloud Run has checked is still good: the request may have waited for an instance."""

GOOGLE_ISSUERS = ("https://accounts.google.com", "accounts.google.com")

_NO_MOMENT = 253_402_300_800
"""Seconds since 1970 at the end of the year 9999, behind which no token ends; JSON numbers may be larger than any `float`."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+")

Headers: TypeAlias = Mapping[str, str]
Claims: TypeAlias = Mapping[str, object]
VerifyIdToken: TypeAlias = Callable[[str], Claims]


class InvalidToken(SyncError):
    """A verifier's verdict: the token is malformed, expired, or not signed by Google."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """The call may go on."""


class TaskFault(StrEnum):
    """Why somebody is not the queue: for the log, since the answer is the same for all."""

    NO_TASK_KEY = "no_task_key"
    NOT_CONFIGURED = "push_account_not_configured"
    ANONYMOUS = "no_token"
    UNREADABLE = "unreadable_token"
    FORGED = "forged_token"
    NOT_GENUINE = "token_not_genuine"
    EXPIRED = "token_expired"
    OTHER_ISSUER = "token_of_another_issuer"
    OTHER_AUDIENCE = "token_for_another_audience"
    OTHER_ACCOUNT = "token_of_another_account"
    EMAIL_NOT_VERIFIED = "account_not_verified"


@dataclass(frozen=True, slots=True)
class Denied:
    """The call is refused: the HTTP `status`, the error code and the message of the answer.

    `fault` says more, of a caller who should have been the queue; it is not answered.
    """

    status: Literal[401, 403]
    error: str
    message: str
    fault: TaskFault | None = None


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


def check_task_caller(
    headers: Headers, settings: Settings, verify_id_token: VerifyIdToken | None = None, *, now: datetime
) -> Allowed | Denied:
    """Whether a task (`POST /tasks/plan`, a batch for the worker) comes from our own machinery.

    Locally that is the key the supervisor made at start; anywhere a Google ID token of `PUSH_SERVICE_ACCOUNT` for
    `PUSH_AUDIENCE`, which is verified unless Cloud Run has done that already (ADR 0017). `verify_id_token` takes the token
    and returns its claims; it checks signature and expiry, and raises `InvalidToken` (refused here) or `TransientError`
    (when Google's keys could not be fetched; passed on, so that the message is delivered again).
    """
    local_key = None if settings.on_google_cloud else settings.access.local_task_key
    sent = _header(headers, LOCAL_TASK_KEY_HEADER)
    if local_key is not None and sent is not None and local_key.matches(sent):
        return Allowed()
    if not _expects_id_tokens(settings):
        return _no_delivery(TaskFault.NO_TASK_KEY if local_key is not None else TaskFault.NOT_CONFIGURED)
    if settings.on_google_cloud:
        return _judged(_claims_behind_platform(headers, verify_id_token, now), settings)
    return _judged(_signed_claims(_bearer(headers), verify_id_token), settings)


def check_push_caller(headers: Headers, settings: Settings, verify_id_token: VerifyIdToken | None = None) -> Allowed | Denied:
    """Whether a notification may be delivered.

    On Google Cloud and on Connect the platform has checked the caller (ADR 0018). Elsewhere, with `PUSH_SERVICE_ACCOUNT` and
    `PUSH_AUDIENCE`, it needs that account's Google ID token, also on loopback, where a tunnel or a proxy may stand before us;
    without them loopback is the guard. `verify_id_token` is as for `check_task_caller`. Raises `TransientError`.
    """
    if settings.hosted:
        return Allowed()
    if guarded_by_id_token(settings):
        return _judged(_signed_claims(_bearer(headers), verify_id_token), settings)
    return _check_loopback_caller(headers, settings, "PUSH_SERVICE_ACCOUNT and PUSH_AUDIENCE")


def unverified_claims(token: str) -> Claims | None:
    """What an ID token says, whoever wrote it; None when it says nothing that could be read."""
    found = _TOKEN.fullmatch(token)
    if found is None:
        return None
    try:
        content = base64.urlsafe_b64decode(found[1] + "=" * (-len(found[1]) % 4))
        return msgspec.json.decode(content, type=dict[str, object])
    except (binascii.Error, *UNDECODABLE):
        return None


def guarded_by_id_token(settings: Settings) -> bool:
    """Whether we check the tokens of deliveries ourselves."""
    return not settings.hosted and _expects_id_tokens(settings)


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


def refuse_unfit_import(settings: Settings) -> list[Problem]:
    """Why the functions of an import must not start on Google Cloud: their runs could be started, and would never move."""
    if not settings.on_google_cloud:
        return []
    problems = []
    if not _expects_id_tokens(settings):
        problems.append(
            Problem(
                "PUSH_SERVICE_ACCOUNT",
                "is not set, so no delivery of the queue could be told from a stranger's; set it and PUSH_AUDIENCE to account "
                "and audience of the push subscription",
            )
        )
    forgotten = "is sqlite, but Cloud Run keeps no files: what one instance writes no other sees, and it ends with it; set it to"
    if settings.state.state_backend is StateBackend.SQLITE:
        problems.append(Problem("STATE_BACKEND", f"{forgotten} {StateBackend.FIRESTORE.value}"))
    if settings.state.queue_backend is QueueBackend.SQLITE:
        problems.append(Problem("QUEUE_BACKEND", f"{forgotten} {QueueBackend.PUBSUB.value}"))
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


def _expects_id_tokens(settings: Settings) -> bool:
    return bool(settings.access.push_service_account and settings.access.push_audience)


def _claims_behind_platform(headers: Headers, verify: VerifyIdToken | None, now: datetime) -> Claims | TaskFault:
    """The claims of the token that Cloud Run has let the caller in with; those of any other count for nothing (ADR 0017)."""
    header, beside = PLATFORM_HEADER, _header(headers, "Authorization") or ""
    if _header(headers, header) is None:
        header, beside = "Authorization", ""
    if SIGNATURE_REMOVED in beside:
        return TaskFault.FORGED
    token = _bearer(headers, header)
    if token is None or not _is_marked(token):
        return _signed_claims(token, verify)
    claims = unverified_claims(token)
    if claims is None:
        return TaskFault.UNREADABLE
    ends_at = claims.get("exp")
    if not isinstance(ends_at, int | float) or not now.timestamp() - CHECKED_TOKEN_SKEW_S < ends_at < _NO_MOMENT:
        return TaskFault.EXPIRED
    return claims


def _signed_claims(token: str | None, verify: VerifyIdToken | None) -> Claims | TaskFault:
    """The claims of a token that we verify ourselves."""
    if token is None:
        return TaskFault.ANONYMOUS
    if _is_marked(token):
        return TaskFault.FORGED
    if verify is None:
        return TaskFault.NOT_GENUINE
    try:
        return verify(token)
    except InvalidToken:
        return TaskFault.NOT_GENUINE


def _judged(claims: Claims | TaskFault, settings: Settings) -> Allowed | Denied:
    """Whether these are the claims of the queue's own account."""
    access = settings.access
    if isinstance(claims, TaskFault):
        return _no_delivery(claims)
    if claims.get("iss") not in GOOGLE_ISSUERS:
        return _no_delivery(TaskFault.OTHER_ISSUER)
    if claims.get("aud") != access.push_audience:
        return _no_delivery(TaskFault.OTHER_AUDIENCE)
    if claims.get("email") != access.push_service_account:
        return _no_delivery(TaskFault.OTHER_ACCOUNT)
    if claims.get("email_verified") is not True:
        return _no_delivery(TaskFault.EMAIL_NOT_VERIFIED)
    return Allowed()


def _is_marked(token: str) -> bool:
    return token.rpartition(".")[2] == SIGNATURE_REMOVED


def _no_delivery(fault: TaskFault) -> Denied:
    return Denied(401, "unauthorized", "this endpoint is for the queue's own deliveries", fault)


def _unauthorized(message: str) -> Denied:
    return Denied(401, "unauthorized", message)


def _header(headers: Headers, name: str) -> str | None:
    wanted = name.casefold()
    return next((value for key, value in headers.items() if key.casefold() == wanted), None)


def _bearer(headers: Headers, name: str = "Authorization") -> str | None:
    scheme, _, token = (_header(headers, name) or "").partition(" ")
    return token.strip() or None if scheme.casefold() == "bearer" else None


def _host_name(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
