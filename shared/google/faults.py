"""What Google's clients raise, as errors of this product that say what a person does next."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from google.api_core.exceptions import (
    Aborted,
    Cancelled,
    Forbidden,
    GoogleAPICallError,
    GoogleAPIError,
    NotFound,
    RetryError,
    ServerError,
    TooManyRequests,
    Unauthorized,
)
from google.auth.exceptions import GoogleAuthError

from shared.errors import HostDown, RateLimited, TransientError
from shared.google.errors import NotPermitted, NotThere

_LOG_IN = "log in with: gcloud auth application-default login, or run as a service account"
_OF_CREDENTIALS = "Getting metadata from plugin failed"
"""How grpc words it, as UNAVAILABLE, that the credentials gave no token."""
_OUTAGES = (ServerError, Aborted, Cancelled)
"""What speaks of the service and not of what was asked: UNAVAILABLE, DEADLINE_EXCEEDED, INTERNAL and their like."""


@contextmanager
def translated(what: str, *, role: str = "", create: str = "") -> Iterator[None]:
    """Raises `TransientError` in the place of what Google's clients raise; what is expected to fail is caught inside.

    It is `HostDown` when the service is out, or silent, and `RateLimited` when a quota is used up (RESOURCE_EXHAUSTED): that
    says nothing about who calls, nor about what was asked.
    `what` is the call and what it was about, without content ("publishing to the topic klaviyo-sync-plan"). `role` is the one
    that allows it, and `create` what a person does where a thing is missing; both end up in `NotPermitted` and `NotThere`.
    """
    try:
        yield
    except (GoogleAPIError, GoogleAuthError) as error:
        raise _translation(what, error, role, create) from error


def _translation(what: str, error: Exception, role: str, create: str) -> TransientError:
    cause = error.cause if isinstance(error, RetryError) and error.cause is not None else error
    if isinstance(cause, NotFound):
        return NotThere(f"{what}: Google Cloud says that there is no such thing; {create or 'create it'}")
    if isinstance(cause, Forbidden):
        needed = f"the role {role}" if role else "a role that allows it"
        return NotPermitted(f"{what}: Google Cloud does not permit it; grant {needed} to who runs this")
    if isinstance(cause, (Unauthorized, GoogleAuthError)) or _OF_CREDENTIALS in str(cause):
        return NotPermitted(f"{what}: Google Cloud does not accept the credentials, or there are none; {_LOG_IN}")
    told = f"{what}: Google Cloud does not answer as it should ({_code(cause)}); nothing to do unless it repeats"
    if isinstance(cause, TooManyRequests):
        return RateLimited(told)
    return HostDown(told) if isinstance(cause, _OUTAGES) else TransientError(told)


def _code(error: object) -> str:
    """The status as Google names it (UNAVAILABLE), which quotes nothing."""
    status = error.grpc_status_code if isinstance(error, GoogleAPICallError) else None
    return str(status.name) if status is not None else type(error).__name__
