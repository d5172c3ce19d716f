"""The realtime endpoint: from a request to an answer (decisions.md 4).

2xx acknowledges a delivery, everything else brings it back; so nothing is refused that would be refused for ever, but a
caller who must not call. The time of a delivery begins with its head: checking the caller, waiting for a place and reading
the body are part of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

import msgspec

from shared import access, logs
from shared.budget import Budget, budget_of
from shared.errors import Interrupted, TransientError
from shared.http import ApiRequest, ApiResponse, BodyLost, ReadBody
from shared.realtime.app import RealtimeApp
from shared.realtime.process import handle
from shared.realtime.verdict import Outcome, Verdict

LARGE_BYTES = 1_000_000
"""A body from this size on is read only when one of the few places for such is free: it takes several times its size."""

STATUSES: Mapping[Outcome, int] = {
    Outcome.DONE: 204,
    Outcome.SKIPPED: 204,
    Outcome.DEAD_LETTERED: 202,
    Outcome.REDELIVER: 503,
}

_log = logs.get(__name__)


def answer(
    app: RealtimeApp, call: ApiRequest, read_body: ReadBody, verify_id_token: access.VerifyIdToken | None = None
) -> ApiResponse:
    """The answer to a request whose body is still to be read; never raises.

    `verify_id_token` is as for `shared.access.check_push_caller`. A notification may be posted to any path. `GET /health`
    touches nothing.
    """
    if call.method == "GET" and call.path.rstrip("/") == "/health":
        return _json(200, {"status": "ok"})
    if call.method != "POST":
        return _json(405, {"error": "method_not_allowed", "message": "notifications are posted"}, {"Allow": "POST"})
    budget = budget_of(app.settings.budgets.realtime_deadline_s)
    try:
        caller = access.check_push_caller(call.headers, app.settings, verify_id_token)
        if isinstance(caller, access.Denied):
            _log.warning("delivery refused", status=caller.status)
            return _json(caller.status, {"error": caller.error, "message": caller.message})
        with _place(app, call.headers, budget):
            return answer_to(handle(app, call.headers, read_body(), budget))
    except TransientError as error:
        _log.warning("delivery cannot be checked now, it comes again", error=error)
        return answer_to(Verdict(Outcome.REDELIVER, "unavailable"))
    except Interrupted as interrupted:
        _log.warning("delivery found no time before it was read, it comes again", reason=interrupted.cause.value)
        return answer_to(Verdict(Outcome.REDELIVER, interrupted.cause.value))
    except BodyLost:
        return answer_to(Verdict(Outcome.REDELIVER, "body_lost"))  # to nobody: the caller has hung up
    except Exception as error:
        _log.exception("delivery failed inside", error=error)
        return _json(500, {"error": "internal", "message": "the delivery failed inside; see the logs"})


def _place(app: RealtimeApp, headers: Mapping[str, str], budget: Budget) -> AbstractContextManager[None]:
    """A place for a large body, or for one of unknown size; the others need none."""
    length = headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length) < LARGE_BYTES:
        return nullcontext()
    return app.large.taken(budget)


def answer_to(verdict: Verdict) -> ApiResponse:
    """The answer that tells the queue what became of its delivery; a body only where people may want one."""
    status = STATUSES[verdict.outcome]
    if status == 204:
        return ApiResponse(status, b"")
    return _json(status, {"outcome": verdict.outcome.value, "reason": verdict.reason})


def _json(status: int, document: Mapping[str, str], headers: Mapping[str, str] | None = None) -> ApiResponse:
    return ApiResponse(status, msgspec.json.encode(document), headers=headers or {})
