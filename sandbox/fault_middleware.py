"""What is done to requests by a `sandbox.faults.FaultPlan`, and the control routes by which others set one."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.faults import FaultKind, FaultPlan, FaultRule, Hold, LatencyProfile

CONTROL_PREFIX = "/_sandbox/"
"""Paths under this prefix are the simulator's own and no fault applies to them."""

RESET = CONTROL_PREFIX + "reset"
"""Where a simulator is told to begin anew; it then forgets also the requests that a `delay` or a `hold` keeps."""

Sleep = Callable[[float], Awaitable[None]]
EndpointOf = Callable[[Scope], str]
ErrorBody = Callable[[int], tuple[str, bytes]]


class ConnectionDroppedError(ConnectionError):
    """Raised in place of closing the connection when there is none, that is when the application runs in-process."""


@dataclass(frozen=True, slots=True)
class FaultSeen:
    """What the middleware tells its observer: a request whose answer was replaced, lost or cut."""

    method: str
    path: str
    endpoint: str
    kind: FaultKind
    status: int | None


def plain_error_body(status: int) -> tuple[str, bytes]:
    """The error body used when the simulator gives none of its own."""
    return "application/json", json.dumps({"statusCode": status, "message": "injected fault"}).encode()


def _no_endpoint(_scope: Scope) -> str:
    return ""


class FaultMiddleware:
    """ASGI middleware that applies a `FaultPlan`. It has to be the first in the application's list.

    `endpoint_of` names the endpoint key of a request, `error_body` renders a vendor-shaped error (content type,
    bytes) for a status, `on_fault` is told of every request that was answered, lost or cut here. A request that is
    delayed or held while the simulator is reset never reaches the application; its connection is closed. Closing a
    connection needs the transport, which `sandbox.serving` puts into the scope; without it
    `ConnectionDroppedError` is raised, which httpx's in-process transport hands to its caller.
    """

    def __init__(
        self,
        app: ASGIApp,
        plan: FaultPlan,
        *,
        endpoint_of: EndpointOf = _no_endpoint,
        error_body: ErrorBody = plain_error_body,
        on_fault: Callable[[FaultSeen], None] | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.app = app
        self._plan = plan
        self._endpoint_of = endpoint_of
        self._error_body = error_body
        self._on_fault = on_fault
        self._sleep = sleep
        self._resets = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, or pass it on untouched."""
        if scope["type"] != "http" or scope["path"].startswith(CONTROL_PREFIX):
            self._resets += scope["type"] == "http" and scope["path"] == RESET
            await self.app(scope, receive, send)
            return
        endpoint, resets = self._endpoint_of(scope), self._resets
        decision = self._plan.decide(scope["method"], scope["path"], endpoint)
        if decision.delay_s > 0:
            await self._sleep(decision.delay_s)
        if decision.hold is not None:
            await self._held(decision.hold)
        if resets != self._resets:
            await _drop(scope)
            return
        rule = decision.rule
        if rule is None:
            await self.app(scope, receive, send)
            return
        if self._on_fault is not None:
            status = rule.status if rule.kind == "status" else None
            self._on_fault(FaultSeen(scope["method"], scope["path"], endpoint, rule.kind, status))
        await self._apply(rule, scope, receive, send)

    async def _held(self, hold: Hold) -> None:
        with hold:
            ends = {asyncio.ensure_future(self._sleep(hold.seconds)), asyncio.ensure_future(hold.released.wait())}
            try:
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for end in ends:
                    end.cancel()

    async def _apply(self, rule: FaultRule, scope: Scope, receive: Receive, send: Send) -> None:
        if rule.kind == "status":
            await _read_all(receive)
            await self._answer(rule)(scope, receive, send)
        elif rule.kind == "truncate":
            await self._truncated(scope, receive, send)
        else:
            if rule.kind == "lost":
                await self.app(scope, receive, _discard)
            if rule.seconds > 0:
                await self._sleep(rule.seconds)
            await _drop(scope)

    def _answer(self, rule: FaultRule) -> Response:
        if rule.body == "vendor":
            media_type, content = self._error_body(rule.status)
        elif rule.body == "html":
            media_type, content = "text/html", b"<html><body><h1>%d</h1></body></html>" % rule.status
        elif rule.body == "text":
            media_type, content = "text/plain", b"upstream connect error or disconnect/reset before headers"
        else:
            return Response(status_code=rule.status, headers=_retry_after(rule))
        return Response(content, rule.status, _retry_after(rule), media_type)

    async def _truncated(self, scope: Scope, receive: Receive, send: Send) -> None:
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await self.app(scope, receive, keep)
        start = next(m for m in messages if m["type"] == "http.response.start")
        body = b"".join(m.get("body", b"") for m in messages if m["type"] == "http.response.body")
        if not body:
            await _drop(scope)
            return
        await send(start)
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        await _drop(scope, flush=True)


def _retry_after(rule: FaultRule) -> dict[str, str]:
    return {} if rule.retry_after is None else {"Retry-After": rule.retry_after}


async def _discard(_message: Message) -> None:
    return


async def _read_all(receive: Receive) -> None:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return


async def _drop(scope: Scope, *, flush: bool = False) -> None:
    """Close the connection; `flush` sends what is already written. Returns when the server has noticed."""
    transport = scope.get("state", {}).get("transport")
    if transport is None:
        raise ConnectionDroppedError("the simulator closed the connection without a complete answer")
    if flush:
        transport.close()
    else:
        transport.abort()
    for _ in range(3):
        await asyncio.sleep(0)


def fault_routes(plan: FaultPlan) -> list[Route]:
    """Control routes: POST /_sandbox/faults (a list of rules replaces all), GET, DELETE; POST /_sandbox/latency."""

    async def get_faults(_request: Request) -> Response:
        return JSONResponse(plan.counts())

    async def post_faults(request: Request) -> Response:
        try:
            rules = msgspec.json.decode(await request.body(), type=list[FaultRule])
        except msgspec.ValidationError as error:
            return JSONResponse({"error": str(error)}, 400)
        plan.set(rules)
        return Response(status_code=204)

    async def delete_faults(_request: Request) -> Response:
        plan.clear()
        return Response(status_code=204)

    async def post_latency(request: Request) -> Response:
        try:
            profile = msgspec.json.decode(await request.body(), type=LatencyProfile)
        except msgspec.ValidationError as error:
            return JSONResponse({"error": str(error)}, 400)
        plan.set_latency(profile)
        return Response(status_code=204)

    return [
        Route(CONTROL_PREFIX + "faults", get_faults, methods=["GET"]),
        Route(CONTROL_PREFIX + "faults", post_faults, methods=["POST"]),
        Route(CONTROL_PREFIX + "faults", delete_faults, methods=["DELETE"]),
        Route(CONTROL_PREFIX + "latency", post_latency, methods=["POST"]),
    ]
