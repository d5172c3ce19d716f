"""The simulator's own routes under `/_sandbox/`, for checkers and tests; no vendor has them and no token is needed."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from sandbox.commercetools.collection import Collection
from sandbox.commercetools.errors import invalid_input, invalid_json
from sandbox.commercetools.project import Project, api_kind

_CHUNK = 500
_SHOWN = ("id", "email", "version")


def json_response(body: object, status: int = 200) -> Response:
    """Render a JSON answer."""
    return Response(msgspec.json.encode(body), status, media_type="application/json")


def control_routes(project: Project) -> list[Route]:
    """Return the control routes of a project; those of the faults are `sandbox.fault_middleware.fault_routes`."""

    async def requests(_request: Request) -> Response:
        return json_response(project.tally.summary())

    async def forget_requests(_request: Request) -> Response:
        project.tally.reset()
        return Response(status_code=204)

    async def reset(_request: Request) -> Response:
        project.reset()
        return Response(status_code=204)

    async def revoke(_request: Request) -> Response:
        return json_response({"revoked": project.tokens.revoke_all()})

    async def notifications(_request: Request) -> Response:
        return json_response(project.subscriptions.notifications)

    async def suffer(request: Request) -> Response:
        return json_response(project.subscriptions.suffer(request.path_params["key"], await request.body()))

    async def listing(request: Request) -> Response:
        kind = api_kind(request.path_params["collection"])
        after, limit = request.query_params.get("after"), request.query_params.get("limit", "")
        if limit and not limit.isdecimal():
            raise invalid_input("'limit' must be a number.")
        fields = tuple(filter(None, request.query_params.get("fields", "").split(","))) or _SHOWN
        wanted = None if request.query_params.get("whole") == "true" else fields
        lines = _lines(project.collections[kind.collection], after, int(limit) if limit else None, wanted)
        return StreamingResponse(lines, media_type="application/x-ndjson")

    async def create(request: Request) -> Response:
        kind = api_kind(request.path_params["collection"])
        return json_response(project.create(kind, await _fields(request)), 201)

    async def change(request: Request) -> Response:
        kind = api_kind(request.path_params["collection"])
        return json_response(project.change(kind, request.path_params["id"], await _fields(request)))

    async def delete(request: Request) -> Response:
        kind = api_kind(request.path_params["collection"])
        return json_response(project.delete(kind, request.path_params["id"]))

    return [
        Route("/_sandbox/requests", requests, methods=["GET"]),
        Route("/_sandbox/requests", forget_requests, methods=["DELETE"]),
        Route("/_sandbox/reset", reset, methods=["POST"]),
        Route("/_sandbox/tokens/revoke", revoke, methods=["POST"]),
        Route("/_sandbox/notifications", notifications, methods=["GET"]),
        Route("/_sandbox/subscriptions/{key}", suffer, methods=["PATCH"]),
        Route("/_sandbox/{collection}", listing, methods=["GET"]),
        Route("/_sandbox/{collection}", create, methods=["POST"]),
        Route("/_sandbox/{collection}/{id}", change, methods=["PATCH"]),
        Route("/_sandbox/{collection}/{id}", delete, methods=["DELETE"]),
    ]


async def _lines(
    collection: Collection, after: str | None, limit: int | None, fields: tuple[str, ...] | None
) -> AsyncIterator[bytes]:
    """One line a resource, with these fields of it; None: all."""
    encoder, chunk, sent = msgspec.json.Encoder(), bytearray(), 0
    for row in collection.by_id(after, None):
        if row[0]["id"] == after:
            continue
        if limit is not None and sent >= limit:
            break
        resource = collection.full(row)
        shown = resource if fields is None else {name: resource[name] for name in fields if name in resource}
        chunk += encoder.encode(shown) + b"\n"
        sent += 1
        if sent % _CHUNK == 0:
            yield bytes(chunk)
            chunk.clear()
            await asyncio.sleep(0)  # requests of the client under test go in between
    if chunk:
        yield bytes(chunk)


async def _fields(request: Request) -> dict[str, Any]:
    try:
        return msgspec.json.decode(await request.body(), type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise invalid_json(str(error)) from None
