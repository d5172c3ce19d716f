"""One HTTP exchange inside a budget: connect, send, read; no redirects, no retries."""

from __future__ import annotations

from dataclasses import dataclass

import httpx

from shared.budget import Budget
from shared.errors import Host, HostDown

CONNECT_S = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer: `body` decoded, and the two headers that matter as they came."""

    status: int
    body: bytes
    date: str | None
    retry_after: str | None


def exchange(http: httpx.Client, request: httpx.Request, *, operation: str, read_timeout_s: float, budget: Budget) -> Answer:
    """Send a request and read its whole answer, whatever its status.

    Each wait is cut to the budget, and so is the whole: an answer that trickles in is given up after `read_timeout_s`.
    Raises `HostDown` (no answer, or an unreadable one) and `Interrupted`. Neither refers to the request, which holds
    credentials.
    """
    most_s = budget.timeout_s(read_timeout_s)
    give_up_at = budget.monotonic() + most_s
    request.extensions["timeout"] = {"connect": min(CONNECT_S, most_s), "read": most_s, "write": most_s, "pool": most_s}
    try:
        response = http.send(request, stream=True, follow_redirects=False)
        try:
            body = _read(response, budget, give_up_at)
        finally:
            response.close()
    except httpx.HTTPError as error:
        failure = type(error).__name__
    else:
        headers = response.headers
        return Answer(response.status_code, body, headers.get("Date"), headers.get("Retry-After"))
    raise HostDown(f"no answer from {Host.COMMERCETOOLS} to {operation}: {failure}", host=Host.COMMERCETOOLS)


def _read(response: httpx.Response, budget: Budget, give_up_at: float) -> bytes:
    chunks = []
    for chunk in response.iter_bytes():
        chunks.append(chunk)
        budget.check_stop()
        if budget.monotonic() > give_up_at:
            raise httpx.ReadTimeout("the answer trickles in too slowly")
    return b"".join(chunks)
