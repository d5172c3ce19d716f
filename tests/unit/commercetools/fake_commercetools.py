"""A small commercetools project in memory, for httpx.MockTransport: tokens, customers, GraphQL pages, custom objects."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs

import httpx

from shared.budget import Budget
from shared.commercetools.client import CommercetoolsClient
from shared.commercetools.ramp import Gate
from shared.commercetools.token import TokenSource

START = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)


class Clock:
    """Seconds that pass only by sleeping."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def read(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def budget(self, seconds: float = 600.0, check_stop: Callable[[], None] = lambda: None) -> Budget:
        return Budget(self.now + seconds, self.read, self.sleep, check_stop)

    def date(self) -> datetime:
        """The server's time: it runs with this clock, but knows nothing of the machine's own."""
        return START + timedelta(seconds=int(self.now - 1000.0))


def error_body(status: int, code: str, message: str = "quotes someone@example.com", **extra: Any) -> httpx.Response:
    """A refusal as the API renders it."""
    entry = {"code": code, "message": message, **extra}
    return httpx.Response(status, json={"statusCode": status, "message": message, "errors": [entry]})


class FakeProject:
    """The documented behaviour that the client relies on.

    `script`: answers (or exceptions) given before anything else, one per request below the project. `before` is called
    with each such request first. `create_with_version`: whether a new custom object may be asked for with a version.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.script: list[httpx.Response | Exception] = []
        self.before: Callable[[httpx.Request], None] = lambda _request: None
        self.after: Callable[[httpx.Request, httpx.Response], None] = lambda _request, _response: None
        self.requests: list[httpx.Request] = []
        self.token_requests: list[httpx.Request] = []
        self.token_answer: Callable[[httpx.Request], httpx.Response] | None = None
        self.valid_tokens: set[str] = set()
        self.token_life_s = 172_800
        self.create_with_version = True
        self.customers: list[dict[str, Any]] = []
        self.objects: dict[str, dict[str, Any]] = {}
        self.refuse_expand = False
        self.graphql_max = 500
        self.total: int | None = None
        self._lock = threading.Lock()

    def client(self, *, gate: Gate | None = None, attempts: int = 8) -> CommercetoolsClient:
        """A client of this project on the fake clock."""
        return CommercetoolsClient(
            self.http("https://api.example.com"),
            "shop",
            self.tokens(),
            gate=gate,
            attempts=attempts,
            monotonic=self.clock.read,
            rng=lambda: 0.5,
        )

    def tokens(self, scopes: tuple[str, ...] = ()) -> TokenSource:
        return TokenSource(self.http("https://auth.example.com"), "client", "s3cret", scopes, monotonic=self.clock.read)

    def http(self, base_url: str) -> httpx.Client:
        return httpx.Client(base_url=base_url, transport=httpx.MockTransport(self.handle))

    def handle(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/token":
            return self._token(request)
        self.before(request)
        with self._lock:
            self.requests.append(request)
            scripted = self.script.pop(0) if self.script else None
        if isinstance(scripted, Exception):
            raise scripted
        with self._lock:
            response = scripted or self._answer(request)
        response.headers.setdefault("Date", format_datetime(self.clock.date(), usegmt=True))
        self.after(request, response)
        return response

    def _token(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            self.token_requests.append(request)
            number = len(self.token_requests)
        if self.token_answer:
            return self.token_answer(request)
        self.valid_tokens.add(f"token-{number}")
        body = {"access_token": f"token-{number}", "expires_in": self.token_life_s, "token_type": "Bearer", "scope": "x"}
        return httpx.Response(200, json=body)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.headers["Authorization"].removeprefix("Bearer ") not in self.valid_tokens:
            return error_body(401, "invalid_token")
        path = request.url.path.removeprefix("/shop/")
        if path == "graphql":
            return self._graphql(json.loads(request.content))
        if path == "customers":
            return self._customers(parse_qs(request.url.query.decode()))
        if path.startswith("custom-objects"):
            return self._custom_object(request, path)
        return error_body(404, "ResourceNotFound")

    def _customers(self, params: dict[str, list[str]]) -> httpx.Response:
        if self.refuse_expand and "expand" in params:
            return error_body(403, "insufficient_scope")
        low, behind, high = (params.get(f"var.{name}", [""])[0] for name in ("from", "after", "to"))
        ids = params.get("var.id")
        rows = [
            row
            for row in self.customers
            if row["id"] >= low and (not behind or row["id"] > behind) and (not high or row["id"] <= high)
            if ids is None or row["id"] in ids
        ]
        page = rows[: int(params["limit"][0])]
        return httpx.Response(200, json={"limit": 500, "offset": 0, "count": len(page), "results": page})

    def _graphql(self, body: dict[str, Any]) -> httpx.Response:
        variables = body["variables"]
        if "total" in body["query"]:
            total = len(self.customers) if self.total is None else self.total
            return httpx.Response(200, json={"data": {"page": {"total": total}}})
        if variables["limit"] > self.graphql_max:
            entry = {"message": "too complex", "extensions": {"code": "QueryComplexityLimitExceeded"}}
            return httpx.Response(200, json={"data": None, "errors": [entry]})
        where = variables["where"] or ""
        behind = where.partition('id > "')[2].partition('"')[0]
        ids = [{"id": row["id"]} for row in self.customers if row["id"] > behind]
        return httpx.Response(200, json={"data": {"page": {"results": ids[: variables["limit"]]}}})

    def _custom_object(self, request: httpx.Request, path: str) -> httpx.Response:
        if request.method == "POST":
            draft = json.loads(request.content)
            name, version = f"{draft['container']}/{draft['key']}", draft.pop("version", None)
            stored = self.objects.get(name)
            if stored and version not in (None, stored["version"]):
                return error_body(409, "ConcurrentModification", currentVersion=stored["version"])
            if not stored and version is not None and not self.create_with_version:
                return error_body(409, "ConcurrentModification")
            times = {"createdAt": "2026-05-01T12:00:00.000Z", "lastModifiedAt": "2026-05-01T12:00:00.000Z"}
            self.objects[name] = {**draft, "id": "x", "version": (stored["version"] if stored else 0) + 1, **times}
            return httpx.Response(200 if stored else 201, json=self.objects[name])
        name = path.removeprefix("custom-objects/")
        stored = self.objects.get(name)
        if stored is None:
            return error_body(404, "ResourceNotFound")
        if request.method == "DELETE":
            if request.url.params.get("version", str(stored["version"])) != str(stored["version"]):
                return error_body(409, "ConcurrentModification", currentVersion=stored["version"])
            del self.objects[name]
        return httpx.Response(200, json=stored)
