"""The errors of the product.

    SyncError
    ├── ConfigError        the settings are wrong: a person must act
    ├── BadRequest         the caller's request is wrong: names the fields
    ├── AuthError          401 or 403 of either API: a run halts, a message is redelivered
    ├── TransientError     worth another try, now or by redelivery
    │   ├── RateLimited    429, with the wait that the host asked for
    │   └── HostDown       no answer, or an answer that speaks of the whole host (5xx)
    ├── PermanentError     the same request would fail again
    │   └── Gone           the resource does not exist any more
    ├── Interrupted        asked to stop, or out of time: nothing failed
    └── StaleWrite         somebody else owns or has changed what was to be written

Messages name ids, codes, pointers and settings; never a body, a name, an address or a secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Host(StrEnum):
    """The two APIs that the product talks to."""

    COMMERCETOOLS = "commercetools"
    KLAVIYO = "klaviyo"


class SyncError(Exception):
    """Base of all errors of the product."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault in what a person wrote: the `field` (environment variable, document key, body field) and what to do."""

    field: str
    message: str


class _Problems(SyncError):
    """An error that lists every problem found, not only the first."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{problem.field}: {problem.message}" for problem in problems))


class ConfigError(_Problems):
    """The settings cannot be used; `problems` has every fault, without any secret's value."""


class BadRequest(_Problems):
    """A request to the import API is malformed; answered 400 with `problems`."""


class AuthError(SyncError):
    """The host refused our credentials (401) or their scopes (403)."""

    def __init__(self, host: Host, status: int, operation: str, hint: str = "") -> None:
        self.host, self.status, self.operation = host, status, operation
        what = "the credentials" if status == 401 else "the scopes of the credentials"
        super().__init__(f"{host} answered {status} to {operation}: check {what}{hint}")


class TransientError(SyncError):
    """The request may succeed later; `retry_after_s` is the host's own wish, if it named one."""

    def __init__(self, message: str, *, host: Host | None = None, retry_after_s: float | None = None) -> None:
        self.host, self.retry_after_s = host, retry_after_s
        super().__init__(message)


class RateLimited(TransientError):
    """429: the quota of an endpoint is used up for now."""


class HostDown(TransientError):
    """No answer, a timeout, or a 5xx: speaks of the host, not of the item; does not count against a batch's attempts."""


class PermanentError(SyncError):
    """The host refused the content; `reason` is its code, `pointer` where in the body it points to."""

    def __init__(self, reason: str, *, host: Host, status: int, pointer: str | None = None) -> None:
        self.reason, self.host, self.status, self.pointer = reason, host, status, pointer
        super().__init__(f"{host} answered {status} ({reason}){f' at {pointer}' if pointer else ''}")


class Gone(PermanentError):
    """404 of a single commercetools resource: deleted meanwhile."""


class Interrupted(SyncError):
    """Work ended before it was done; `cause` says why. What was done so far is recorded."""

    class Cause(StrEnum):
        """Why work ended early."""

        STOP = "stop"
        DEADLINE = "deadline"
        CROWDED = "crowded"  # out of time before there was a place to begin in
        SUPERSEDED = "superseded"
        LEASE_ENDING = "lease_ending"  # the store did not extend the lease under which the work is done

    def __init__(self, cause: Cause) -> None:
        self.cause = cause
        super().__init__(cause.value)


class StaleWrite(SyncError):
    """A conditional write lost: the record was changed, the lease taken over, or the fence raised."""
