"""The import API: from a request to an answer (http-api.md).

Knows nothing of the web framework; `functions/bulk_dispatch` turns its requests into `ApiRequest`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from shared import access, logs
from shared.budget import Budget, budget_of
from shared.bulk import chain, commands, control
from shared.bulk import run as states
from shared.bulk.app import ImportApp
from shared.bulk.chain_progress import chain_status
from shared.bulk.finish import RATE_WINDOW_S, finish_check
from shared.bulk.http import MOST_BODY_BYTES
from shared.bulk.http.openapi import openapi_document
from shared.bulk.http.page import status_page
from shared.bulk.http.start_body import no_fields, shown_name, start_options
from shared.bulk.progress import status_of
from shared.bulk.records import Kind, Run
from shared.bulk.work import KIND_WORK
from shared.errors import AuthError, BadRequest, ConfigError, Interrupted, Problem, StaleWrite, SyncError, TransientError
from shared.http import ApiRequest, ApiResponse

OFFERED = tuple(kind for kind in Kind if kind in KIND_WORK)
"""The kinds that can be imported."""

NAMED = (*OFFERED, Kind.ALL)
"""What a path may name: a kind, or all of them."""

CALL_S = 60.0
_RUN_ID = r"(?P<run_id>[A-Za-z0-9-]{1,64})"

_log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class _Call:
    """What a route's function works with."""

    app: ImportApp
    request: ApiRequest
    parts: Mapping[str, str]
    budget: Budget

    @property
    def kind(self) -> Kind:
        """The kind that the path names. Raises `_NotFound` for one that is not offered."""
        for kind in NAMED:
            if kind.value == self.parts["kind"]:
                return kind
        raise _NotFound(f"there is no import of {self.parts['kind']}; offered: {', '.join(NAMED)}")


class _NotFound(SyncError):
    """Nothing answers to this path."""


def answer(app: ImportApp, request: ApiRequest) -> ApiResponse:
    """The answer to a request; never raises."""
    try:
        return _routed(app, request)
    except SyncError as error:
        return _error_answer(error)
    except Exception as error:
        _log.exception("request failed", error=error, method=request.method)
        return _error(500, "internal", "the request failed inside; see the logs")


def _routed(app: ImportApp, request: ApiRequest) -> ApiResponse:
    if len(request.body) > MOST_BODY_BYTES:
        return _error(413, "too_large", f"the body is larger than {MOST_BODY_BYTES} bytes; list the ids in several runs")
    path = request.path.rstrip("/") or "/"
    allowed: list[str] = []
    for method, pattern, guarded, route in _ROUTES:
        match = pattern.fullmatch(path)
        if match is None:
            continue
        allowed.append(method)
        if method != request.method:
            continue
        if guarded:
            verdict = access.check_api_key(request.headers, app.settings)
            if isinstance(verdict, access.Denied):
                return _error(verdict.status, verdict.error, verdict.message)
        return route(_Call(app, request, match.groupdict(), budget_of(CALL_S)))
    if allowed:
        shown = ", ".join(allowed)
        response = _error(405, "method_not_allowed", f"this path answers to {shown}")
        return ApiResponse(response.status, response.body, headers={"Allow": shown})
    return _error(404, "not_found", "no such path; GET /openapi.json lists all")


def _start(call: _Call) -> ApiResponse:
    kind = call.kind
    return _accepted(commands.start(call.app, kind, start_options(call.request.body, kind), call.budget))


def _stop(call: _Call) -> ApiResponse:
    kind = call.kind
    no_fields(call.request.body)
    run = commands.stop(call.app, kind)
    return _json(200, {"runId": run.run_id, "status": "stopping"})


def _all_status(call: _Call) -> ApiResponse:
    current = {kind: call.app.store.current(kind) for kind in NAMED}
    return _json(200, {"kinds": {kind.value: _status(call.app, run) if run else None for kind, run in current.items()}})


def _kind_status(call: _Call) -> ApiResponse:
    kind = call.kind
    current = call.app.store.current(kind)
    if current is None:
        return _error(404, "not_found", f"there never was an import of {kind.value}; start one with POST /sync/{kind.value}")
    return _json(200, _status(call.app, current))


def _runs(call: _Call) -> ApiResponse:
    problems = [
        Problem(shown_name(name), "is not a parameter of this call")
        for name in call.request.query
        if name not in {"kind", "limit"}
    ]
    kind_name, limit = call.request.query.get("kind"), call.request.query.get("limit", "20")
    if kind_name is not None and kind_name not in {kind.value for kind in Kind}:
        problems.append(Problem("kind", f"must be one of {', '.join(Kind)}"))
    if not (limit.isascii() and limit.isdigit() and len(limit) <= 3 and 1 <= int(limit) <= 100):
        problems.append(Problem("limit", "must be a number from 1 to 100"))
    if problems:
        raise BadRequest(problems)
    runs = call.app.store.runs(Kind(kind_name) if kind_name else None, int(limit))
    return _json(200, {"runs": [_status(call.app, run) for run in runs]})


def _run(call: _Call) -> ApiResponse:
    run = call.app.store.run(call.parts["run_id"])
    if run is None:
        raise control.NoSuchRun(call.parts["run_id"])
    return _json(200, _status(call.app, run))


def _resume(call: _Call) -> ApiResponse:
    no_fields(call.request.body)
    return _accepted(commands.resume(call.app, call.parts["run_id"], call.budget))


def _retry(call: _Call) -> ApiResponse:
    no_fields(call.request.body)
    return _accepted(commands.retry(call.app, call.parts["run_id"], call.budget))


def _health(call: _Call) -> ApiResponse:  # noqa: ARG001 - a route takes the call
    return _json(200, {"status": "ok"})


def _page(call: _Call) -> ApiResponse:  # noqa: ARG001 - a route takes the call
    page, policy = status_page()
    return ApiResponse(200, page, "text/html; charset=utf-8", {"Content-Security-Policy": policy})


def _openapi(call: _Call) -> ApiResponse:  # noqa: ARG001 - a route takes the call
    return _json(200, openapi_document(OFFERED))


_ROUTES: tuple[tuple[str, re.Pattern[str], bool, Callable[[_Call], ApiResponse]], ...] = tuple(
    (method, re.compile(pattern), guarded, route)
    for method, pattern, guarded, route in (
        ("GET", r"/", False, _page),
        ("GET", r"/health", False, _health),
        ("GET", r"/openapi\.json", False, _openapi),
        ("GET", r"/sync/status", True, _all_status),
        ("POST", r"/sync/(?P<kind>[a-z]+)", True, _start),
        ("POST", r"/sync/(?P<kind>[a-z]+)/stop", True, _stop),
        ("GET", r"/sync/(?P<kind>[a-z]+)/status", True, _kind_status),
        ("GET", r"/runs", True, _runs),
        ("GET", rf"/runs/{_RUN_ID}", True, _run),
        ("POST", rf"/runs/{_RUN_ID}/resume", True, _resume),
        ("POST", rf"/runs/{_RUN_ID}/retry", True, _retry),
    )
)


def _status(app: ImportApp, run: Run) -> dict[str, Any]:
    """The status of a run; what has ended is settled first, but nothing begins because somebody looked."""
    if run.kind is Kind.ALL:
        statuses = _links(app, run)
        chain.finish_check_of_chain(app, run.run_id)
        latest = app.store.run(run.run_id) or run
        if run.status in states.ACTIVE and latest.status not in states.ACTIVE:  # its links have ended since they were looked at
            statuses = _links(app, latest)
        return chain_status(latest, statuses, app.now())
    finish_check(app, run.run_id, begins_closing=False)
    run = app.store.run(run.run_id) or run
    now = app.now()
    summary = app.store.summary(run.run_id, now, RATE_WINDOW_S)
    return status_of(run, summary, app.store.ranges(run.run_id), now, RATE_WINDOW_S)


def _links(app: ImportApp, run: Run) -> dict[Kind, dict[str, Any] | None]:
    """The status of each link of a chain, None for one that has not begun."""
    return {kind: _status(app, link) if link else None for kind, link in chain.links_of(app, run).items()}


def _accepted(run: Run) -> ApiResponse:
    return _json(
        202,
        {
            "runId": run.run_id,
            "kind": run.kind.value,
            "status": "accepted",
            "statusUrl": f"/runs/{run.run_id}",
            "stopUrl": f"/sync/{run.kind.value}/stop",
        },
    )


def _error_answer(error: SyncError) -> ApiResponse:
    match error:
        case BadRequest():
            problems = [{"field": problem.field, "message": problem.message} for problem in error.problems]
            return _error(400, "bad_request", "the request cannot be used; see problems", problems=problems)
        case control.Locked():
            return _error(423, "locked", str(error), runId=error.run_id, since=error.since)
        case control.NothingRuns():
            return _error(400, "not_running", str(error))
        case control.NoSuchRun() | _NotFound():
            return _error(404, "not_found", str(error))
        case control.NotPossible():
            return _error(409, "not_possible", str(error))
        case AuthError():
            return _error(502, "upstream_refused", str(error))
        case TransientError():
            return _error(503, "unavailable", f"{error}; nothing is lost, try again")
        case StaleWrite():
            return _error(503, "unavailable", f"{error}; look at the status, then try again")
        case Interrupted():
            return _error(503, "unavailable", "commercetools or the store took too long; look at the status, then try again")
        case ConfigError():
            return _error(500, "misconfigured", str(error))
        case _:
            return _error(502, "upstream_refused", str(error))


def _error(status: int, code: str, message: str, **more: object) -> ApiResponse:
    return _json(status, {"error": code, "message": message, **more})


def _json(status: int, document: Mapping[str, Any]) -> ApiResponse:
    return ApiResponse(status, msgspec.json.encode(document))
