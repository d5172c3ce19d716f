"""The simulated commercetools API as an ASGI application."""

import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.commercetools import custom_objects, fields, graphql, subscriptions
from sandbox.commercetools.collection import Collection
from sandbox.commercetools.condition import Compare
from sandbox.commercetools.control import control_routes, json_response
from sandbox.commercetools.errors import ApiError, injected_error, malformed, not_found
from sandbox.commercetools.expansion import expanded, parse_expansions
from sandbox.commercetools.fields import Node
from sandbox.commercetools.kinds import PROJECTIONS, ApiKind
from sandbox.commercetools.project import Project, api_kind
from sandbox.commercetools.query import find, matches, parse_parameters, restricted, whole
from sandbox.commercetools.settings import Clock, SandboxSettings, http_date
from sandbox.commercetools.tally import endpoint_of
from sandbox.fault_middleware import CONTROL_PREFIX, FaultMiddleware, FaultSeen, fault_routes
from sandbox.faults import FaultPlan

Handler = Callable[[Request], Awaitable[Response]]

_GZIP_LEVEL = 1  # the answers are what matters, not their last percent of size
_MANAGED = ["GET", "POST", "DELETE"]


def create_app(settings: SandboxSettings, clock: Clock = time.time, plan: FaultPlan | None = None) -> ASGIApp:
    """Return the application. `clock` gives the vendor's time in seconds since 1970; `plan` holds the faults."""
    project = Project(settings, clock)
    faults = FaultPlan() if plan is None else plan
    api = _Api(project)
    collection = "/{project}/{collection}"
    routes = [
        *fault_routes(faults),
        *control_routes(project),
        Route("/oauth/token", api.token, methods=["POST"]),
        Route("/{project}/graphql", api.graphql, methods=["POST"]),
        Route("/{project}/custom-objects", api.custom_objects, methods=["GET", "POST"]),
        Route("/{project}/custom-objects/{container}", api.custom_objects, methods=["GET"]),
        Route("/{project}/custom-objects/{container}/{key}", api.custom_object, methods=["GET", "DELETE"]),
        Route("/{project}/subscriptions", api.subscriptions, methods=["GET", "POST"]),
        Route("/{project}/subscriptions/key={key}", api.subscription, methods=_MANAGED),
        Route("/{project}/subscriptions/{id}", api.subscription, methods=_MANAGED),
        Route(collection, api.page, methods=["GET"]),
        Route(collection + "/{named}={key:path}", api.single, methods=["GET"]),
        Route(collection + "/{id}", api.single, methods=["GET"]),
    ]
    app: ASGIApp = Starlette(routes=routes, exception_handlers={ApiError: _api_error, HTTPException: _http_error})
    app = GZipMiddleware(app, minimum_size=500, compresslevel=_GZIP_LEVEL)
    app = _Observed(app, project)

    def on_fault(seen: FaultSeen) -> None:
        project.tally.faults[seen.method, seen.endpoint, seen.kind] += 1

    app = FaultMiddleware(app, faults, endpoint_of=endpoint_of, error_body=injected_error, on_fault=on_fault)
    return _Dated(app, clock)


class _Dated:
    """Stamps every answer with the vendor's time."""

    def __init__(self, app: ASGIApp, clock: Clock) -> None:
        self._app = app
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Date"] = http_date(self._clock)
            await send(message)

        await self._app(scope, receive, dated)


class _Observed:
    """Counts every answer by method, kind of path and status; control routes are not counted."""

    def __init__(self, app: ASGIApp, project: Project) -> None:
        self._app = app
        self._project = project

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start" and not scope["path"].startswith(CONTROL_PREFIX):
                self._project.tally.requests[scope["method"], endpoint_of(scope), message["status"]] += 1
            await send(message)

        await self._app(scope, receive, counted)


async def _api_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)  # noqa: S101 - registered for this type
    return error.response()


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type
    if error.status_code == 404:
        return not_found(f"URI not found: {request.url.path}.").response()
    return ApiError(error.status_code, "General", error.detail).response()


class _Api:
    def __init__(self, project: Project) -> None:
        self._project = project

    async def token(self, request: Request) -> Response:
        body = (await request.body()).decode("utf-8", "replace")
        form = dict(parse_qsl(request.url.query)) | dict(parse_qsl(body))
        return json_response(self._project.tokens.issue(request.headers.get("authorization", ""), form))

    async def graphql(self, request: Request) -> Response:
        self._authorize(request, ())
        raw = await request.body()

        def authorize(scopes: tuple[str, ...]) -> None:
            self._authorize(request, scopes)

        result = graphql.answer(raw, self._project.collections, authorize, self._project.settings.graphql_max_limit)
        self._project.tally.served.update(result.served)
        return json_response(result.body, result.status)

    async def page(self, request: Request) -> Response:
        kind = api_kind(request.path_params["collection"])
        self._authorize(request, kind.view_scopes)
        return self._page(request, self._collection(request, kind), kind.shape, kind.collection)

    async def single(self, request: Request) -> Response:
        kind = api_kind(request.path_params["collection"])
        identifier, key = request.path_params.get("id"), request.path_params.get("key")
        if key is not None and request.path_params.get("named", "key") != kind.key_path:
            raise not_found(f"URI not found: {request.url.path}.")
        self._authorize(request, kind.scopes_of_single)
        paths = _only_expand(request, kind)
        collection = self._collection(request, kind)
        found = collection.get(identifier) if identifier is not None else collection.by_key(str(key))
        if found is None:
            named = f"ID '{identifier}'" if identifier is not None else f"{kind.key_path} '{key}'"
            raise not_found(f"The Resource with {named} was not found.")
        self._project.tally.served[kind.collection] += 1
        return json_response(expanded(found, parse_expansions(paths, kind.shape), self._project.lookup))

    async def custom_objects(self, request: Request) -> Response:
        store = self._project.custom_objects
        if request.method == "POST":
            self._authorize(request, custom_objects.MANAGE_SCOPES)
            created, resource = store.post(await request.body())
            return json_response(resource, 201 if created else 200)
        self._authorize(request, custom_objects.VIEW_SCOPES)
        container = request.path_params.get("container")
        extra = None if container is None else Compare("container", "=", container)
        return self._page(request, store.rows, fields.CUSTOM_OBJECT, "custom-objects", extra)

    async def custom_object(self, request: Request) -> Response:
        store, path = self._project.custom_objects, request.path_params
        if request.method == "DELETE":
            self._authorize(request, custom_objects.MANAGE_SCOPES)
            return json_response(store.delete(path["container"], path["key"], _version(request)))
        self._authorize(request, custom_objects.VIEW_SCOPES)
        return json_response(store.get(path["container"], path["key"]))

    async def subscriptions(self, request: Request) -> Response:
        self._authorize(request, subscriptions.SCOPES)
        store = self._project.subscriptions
        if request.method == "POST":
            return json_response(store.create(await request.body()), 201)
        return self._page(request, store.rows, fields.SUBSCRIPTION, "subscriptions")

    async def subscription(self, request: Request) -> Response:
        self._authorize(request, subscriptions.SCOPES)
        store = self._project.subscriptions
        held = store.find(request.path_params.get("id"), request.path_params.get("key"))
        if request.method == "POST":
            return json_response(store.update(held, await request.body()))
        if request.method == "DELETE":
            return json_response(store.delete(held, _version(request)))
        return json_response(held)

    def _collection(self, request: Request, kind: ApiKind) -> Collection:
        """The collection that a request reads; staged projections need the scope that sees what is not published."""
        if kind.collection != PROJECTIONS:
            return self._project.collections[kind.collection]
        given = request.query_params.getlist("staged")
        if len(given) > 1 or given[-1:] not in ([], ["true"], ["false"]):
            raise malformed("staged", "It is not a boolean.")
        if given != ["true"]:
            return self._project.collections[kind.collection]
        self._authorize(request, ("view_products",))
        return self._project.staged_projections

    def _authorize(self, request: Request, scopes: tuple[str, ...]) -> None:
        project = request.path_params["project"]
        authorization = request.headers.get("authorization", "")
        self._project.tokens.authorize(authorization, scopes or None)
        if project != self._project.settings.project_key:
            raise ApiError(403, "insufficient_scope", f"Insufficient scope for the project '{project}'.", oauth=True)

    def _page(self, request: Request, collection: Collection, shape: Node, name: str, extra: Compare | None = None) -> Response:
        own = ("staged",) if name == PROJECTIONS else ()
        query = parse_parameters([item for item in request.query_params.multi_items() if item[0] not in own], shape)
        if extra is not None:
            query = restricted(query, extra)
        if request.method == "HEAD":
            return Response(status_code=200 if any(True for _ in matches(collection, query)) else 404)
        page = find(collection, query)
        results: list[Any]
        if query.expansions:
            lookup = self._project.lookup
            results = [expanded(resource, query.expansions, lookup) for resource in whole(collection, page.rows)]
        else:
            results = [collection.encoded(row) for row in page.rows]
        self._project.tally.served[name] += len(results)
        body: dict[str, object] = {"limit": query.limit, "offset": query.offset, "count": len(results)}
        if page.total is not None:
            body["total"] = page.total
        return json_response({**body, "results": results})


def _only_expand(request: Request, kind: ApiKind) -> list[str]:
    for name in request.query_params:
        if name != "expand" and not (name == "staged" and kind.collection == PROJECTIONS):
            raise malformed(name, "There is no such parameter.")
    return request.query_params.getlist("expand")


def _version(request: Request) -> int | None:
    for name in request.query_params:
        if name not in ("version", "dataErasure", "expand"):
            raise malformed(name, "There is no such parameter.")
    text = request.query_params.get("version")
    if text is not None and not text.isdecimal():
        raise malformed("version", f"'{text}' is not a number.")
    return None if text is None else int(text)
