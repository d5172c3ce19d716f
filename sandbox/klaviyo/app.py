"""The simulated API as an ASGI application: authorization, quota, checks, handler, ledger."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Scope

from sandbox.fault_middleware import FaultMiddleware, FaultSeen, Sleep, fault_routes
from sandbox.faults import FaultPlan
from sandbox.klaviyo import contract as contracts
from sandbox.klaviyo.answers import MEDIA_TYPE, Answer, Problem, RefusedError, error_body, refuse
from sandbox.klaviyo.contract import Contract, Operation
from sandbox.klaviyo.control import control_routes
from sandbox.klaviyo.handlers import HANDLERS
from sandbox.klaviyo.limits import BODY_LIMITS, BodyLimit
from sandbox.klaviyo.queries import parse_query
from sandbox.klaviyo.settings import KlaviyoSandboxSettings
from sandbox.klaviyo.state import Account, Call, KeptBody
from sandbox.ledger import Entry

_METHODS: Final = ["GET", "POST", "PATCH", "PUT", "DELETE"]
_JSON_TYPES: Final = ("application/vnd.api+json", "application/json")
_UNKNOWN: Final = "(unknown)"
_IDLE_S: Final = 0.05
_ANY_BODY: Final = BodyLimit()


def create_app(
    settings: KlaviyoSandboxSettings | None = None,
    *,
    clock: Callable[[], float] = time.time,
    sleep: Sleep = asyncio.sleep,
) -> Starlette:
    """Build a simulator with its own, empty account.

    `clock` gives seconds since the epoch and drives windows, jobs and faults. The account is `app.state.account`.
    """
    account = Account(settings or KlaviyoSandboxSettings(), clock, FaultPlan(clock))
    contract = contracts.load()

    async def handle(request: Request) -> Response:
        return await _respond(account, contract, request)

    def endpoint_of(scope: Scope) -> str:
        return _endpoint_key(contract, scope)

    def fault_error(status: int) -> tuple[str, bytes]:
        problem = Problem("Injected fault.", code="error" if status >= 500 else "", title="")
        return MEDIA_TYPE, error_body(status, [problem], account.error_ids)

    def on_fault(seen: FaultSeen) -> None:
        ledger, now = account.ledger, account.clock()
        if seen.kind in ("lost", "truncate"):
            # The request itself is about to be handled, and recorded, as the next one.
            ledger.effect(ledger.last_seq + 1, now, f"answer_{seen.kind}", seen.endpoint)
            return
        seq = ledger.next_seq()
        ledger.request(Entry(seq, now, seen.method, seen.path, seen.endpoint, seen.status, 0, (), seen.kind))

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(_work_off(account))
        yield
        task.cancel()

    app = Starlette(
        lifespan=lifespan,
        routes=[
            *control_routes(account),
            *fault_routes(account.faults),
            Route("/{path:path}", handle, methods=_METHODS),
        ],
        middleware=[
            Middleware(
                FaultMiddleware,
                plan=account.faults,
                endpoint_of=endpoint_of,
                error_body=fault_error,
                on_fault=on_fault,
                sleep=sleep,
            )
        ],
    )
    app.state.account = account
    return app


async def _work_off(account: Account) -> None:
    """Do due work while a server runs, so that the first look after a long silence need not wait for all of it."""
    while True:
        await account.backlog.settle(account.clock())
        await asyncio.sleep(_IDLE_S)


def _endpoint_key(contract: Contract, scope: Scope) -> str:
    try:
        routed = contract.route(scope["method"], _raw_path(scope))
    except RefusedError:
        return _UNKNOWN
    return routed[0].key if routed else _UNKNOWN


def _raw_path(scope: Scope) -> str:
    raw = scope.get("raw_path")
    return raw.decode("ascii", "replace").split("?", 1)[0] if raw else str(scope["path"])


async def _respond(account: Account, contract: Contract, request: Request) -> Response:
    ledger, now = account.ledger, account.clock()
    seq = ledger.next_seq()
    account.backlog.nudge(now)
    body = await request.body()
    if ledger is not account.ledger:  # the account was reset meanwhile: this request is of the time before
        return Response(status_code=503)
    if account.settings.keep_bodies:
        account.bodies.append(KeptBody(seq, request.url.query, body.decode("utf-8", "replace")))
    endpoint, headers = _UNKNOWN, {}
    identities: Sequence[str] = ()
    try:
        routed = contract.route(request.method, _raw_path(request.scope))
        if routed is None:
            raise refuse(404, "The path does not exist.")
        operation, path = routed
        endpoint = operation.key
        _authorize(account, operation, request)
        headers = _admit(account, operation, now)
        call = _checked(account, contract, operation, path, request, body, seq, now)
        if operation.method == "GET":
            await account.backlog.settle(now)
        answer = HANDLERS[operation.id](call)
        identities = answer.identities
        response = _rendered(answer, headers)
    except _ThrottledError as throttled:
        detail = f"Request was throttled. Expected available in {throttled.headers['Retry-After']} seconds."
        content = error_body(429, [Problem(detail, title=detail)], account.error_ids)
        response = Response(content, 429, throttled.headers, MEDIA_TYPE)
    except RefusedError as refused:
        content = error_body(refused.status, refused.problems, account.error_ids)
        if refused.status == 429:
            headers = {"Retry-After": "10"}
        response = Response(content, refused.status, headers, MEDIA_TYPE)
    ledger.request(Entry(seq, now, request.method, request.url.path, endpoint, response.status_code, len(body), identities))
    return response


class _ThrottledError(Exception):
    def __init__(self, headers: dict[str, str]) -> None:
        super().__init__("throttled")
        self.headers = headers


def _rendered(answer: Answer, headers: dict[str, str]) -> Response:
    if answer.body is None:
        return Response(status_code=answer.status, headers=headers)
    return Response(msgspec.json.encode(answer.body), answer.status, headers, MEDIA_TYPE)


def _authorize(account: Account, operation: Operation, request: Request) -> None:
    given = request.headers.get("authorization")
    if given is None:
        raise refuse(401, "Missing or invalid authorization header.", "/data/")
    if given != f"Klaviyo-API-Key {account.settings.key}":
        detail = "Incorrect authentication credentials."
        raise RefusedError(401, [Problem(detail, "/data/", code="authentication_failed", title=detail)])
    scopes = account.settings.scopes
    if scopes is not None and not set(operation.scopes) <= set(scopes):
        raise refuse(403, f"The API key is missing required scopes: {', '.join(operation.scopes)}.", "/data/")


def _admit(account: Account, operation: Operation, now: float) -> dict[str, str]:
    if not account.settings.rate_limits:
        return {}
    factor = account.faults.quota_factor(operation.key, operation.method, operation.path)
    quota = {window: limit * account.settings.quota_times for window, limit in operation.quota.items()}
    admission = account.windows.admit(operation.key, quota, now, factor)
    if not admission.allowed:
        raise _ThrottledError(admission.headers)
    return admission.headers


def _checked(
    account: Account,
    contract: Contract,
    operation: Operation,
    path: dict[str, str],
    request: Request,
    raw: bytes,
    seq: int,
    now: float,
) -> Call:
    revision = request.headers.get("revision")
    if revision is None:
        raise refuse(400, "A revision header is required.")
    if revision not in account.settings.revisions:
        raise refuse(400, f"The revision {revision} is not available.")
    for name, allowed in operation.path_enums.items():
        if path[name] not in allowed:
            raise refuse(404, f"'{path[name]}' does not exist.", "/data/")
    query = parse_query(operation, request.url.query)
    body = _body(contract, operation, operation.body, request, raw) if operation.body else None
    base_url = f"{request.url.scheme}://{request.url.netloc}"
    return Call(account, operation, path, query, body, raw, seq, now, base_url)


def _body(contract: Contract, operation: Operation, schema: str, request: Request, raw: bytes) -> Any:
    media_type = request.headers.get("content-type", "").split(";", 1)[0].strip().lower()
    if media_type not in _JSON_TYPES or request.headers.get("content-encoding", "identity") != "identity":
        raise refuse(415, "Unsupported media type or encoding in request.")
    limit = BODY_LIMITS.get(operation.id, _ANY_BODY)
    if len(raw) > limit.body_bytes:
        raise refuse(413, f"The request body may have at most {limit.body_bytes} bytes.")
    try:
        body = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise refuse(400, "The request body is not valid JSON.", "/data") from None
    contract.check_body(schema, body)
    if limit.rows:
        _check_row_count(body, limit)
    return body


def _check_row_count(body: Any, limit: BodyLimit) -> None:
    rows = body["data"]["attributes"]
    for step in limit.rows_at:
        rows = (rows or {}).get(step)
    if rows is not None and not 0 < len(rows) <= limit.rows:
        where = "/data/attributes/" + "/".join(limit.rows_at)
        raise refuse(400, f"A request holds 1 to {limit.rows} entries.", where)
