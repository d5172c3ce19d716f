"""Stand-ins for these tests: time that only sleeping moves, for any number of threads, and transports without a network."""

from __future__ import annotations

import asyncio
import re
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec
from starlette.types import ASGIApp

from sandbox.klaviyo import KlaviyoSandboxSettings, create_app
from shared.budget import Budget
from shared.klaviyo.client import KlaviyoClient
from shared.klaviyo.jobs import JobPoller
from shared.klaviyo.limiter import Limiter
from shared.klaviyo.limits import ENDPOINTS
from shared.klaviyo.profile_imports import ProfileImporter
from shared.klaviyo.profile_rows import KnownOutcomes, ProfileImportResult, ProfileRow, profile_row
from shared.klaviyo.profiles import ProfileAttributes
from shared.klaviyo.row_outcomes import Failed, Sent
from shared.mapping.result import Adjustment

LATENCY_S = 0.1


class VirtualTime:
    """A clock in seconds. When all threads of `run` sleep, it jumps to the first awakening."""

    def __init__(self, start: float = 1_000.0) -> None:
        self._now = start
        self._awake = 1
        self._sleepers: dict[object, float] = {}
        self._changed = threading.Condition()

    def monotonic(self) -> float:
        with self._changed:
            return self._now

    def sleep(self, seconds: float) -> None:
        ticket = object()
        with self._changed:
            self._sleepers[ticket] = self._now + max(0.0, seconds)
            self._awake -= 1
            self._advance()
            self._changed.wait_for(lambda: ticket not in self._sleepers)

    def run(self, *calls: Callable[[], None]) -> None:
        """Run each call in a thread of its own until all have ended; the first error among them is raised."""
        errors: list[BaseException] = []

        def body(call: Callable[[], None]) -> None:
            try:
                call()
            except BaseException as error:
                errors.append(error)
            with self._changed:
                self._awake -= 1
                self._advance()

        with self._changed:
            self._awake += len(calls)
        threads = [threading.Thread(target=body, args=(call,), daemon=True) for call in calls]
        for thread in threads:
            thread.start()
        with self._changed:
            self._awake -= 1
            self._advance()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive(), "a thread waits for something that never happens"
        with self._changed:
            self._awake += 1
        if errors:
            raise errors[0]

    def budget(self, seconds: float = 100_000.0) -> Budget:
        return Budget(deadline=self.monotonic() + seconds, monotonic=self.monotonic, sleeper=self.sleep)

    def _advance(self) -> None:
        if self._awake or not self._sleepers:
            return
        self._now = max(self._now, min(self._sleepers.values()))
        for ticket in [ticket for ticket, wake_at in self._sleepers.items() if wake_at <= self._now]:
            del self._sleepers[ticket]
            self._awake += 1
        self._changed.notify_all()


class InProcess(httpx.BaseTransport):
    """Serves requests by an ASGI application in this process; a request takes `LATENCY_S` of virtual time."""

    def __init__(self, app: ASGIApp, time: VirtualTime) -> None:
        self._transport = httpx.ASGITransport(app)
        self._time = time
        self._one_at_a_time = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._time.sleep(LATENCY_S)
        with self._one_at_a_time:
            try:
                return asyncio.run(self._respond(request))
            except ConnectionError as error:
                raise httpx.ReadError("dropped") from error

    async def _respond(self, request: httpx.Request) -> httpx.Response:
        response = await self._transport.handle_async_request(
            httpx.Request(request.method, request.url, headers=request.headers, content=request.read())
        )
        body = await response.aread()
        return httpx.Response(response.status_code, headers=response.headers, content=body)


Handler = Callable[[httpx.Request], httpx.Response]


@dataclass
class Scripted:
    """Answers request after request as told, the last answer for ever, and keeps the requests."""

    answers: list[httpx.Response | Exception | Handler]
    seen: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.seen.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):
            return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)
        return answer(request)


def client_of(
    transport: httpx.BaseTransport | Handler, time: VirtualTime, *, limiter: Limiter | None = None, attempts: int = 4
) -> KlaviyoClient:
    """A client on virtual time whose answers come from `transport`."""
    used = transport if isinstance(transport, httpx.BaseTransport) else httpx.MockTransport(transport)
    http = httpx.Client(transport=used, base_url="http://klaviyo.test")
    limiter = limiter or Limiter(monotonic=time.monotonic)
    return KlaviyoClient(http, "pk_sandbox", limiter, attempts=attempts, rng=lambda: 0.0)


def error_body(*errors: dict[str, object]) -> bytes:
    """An error answer in Klaviyo's shape, texts included that must not survive."""
    base = {"id": "1", "title": "Invalid input.", "detail": "ann@example.com is not valid", "status": 400, "links": {}}
    return msgspec.json.encode({"errors": [{**base, **error} for error in errors]})


def customer(number: int, **attributes: object) -> ProfileRow:
    """A row for the `number`-th customer."""
    given = {"external_id": f"customer-{number}", "email": f"customer-{number}@example.com", **attributes}
    return profile_row(f"customer-{number}", msgspec.convert(given, ProfileAttributes))


class Sandbox:
    """A simulated Klaviyo on virtual time that begins at `start` (seconds), and an importer that talks to it."""

    def __init__(self, start: float = 1_000.0, **chosen: Any) -> None:
        self.time = VirtualTime(start)
        self.app = create_app(KlaviyoSandboxSettings(**chosen), clock=self.time.monotonic, sleep=self._sleep)
        self.account = self.app.state.account
        self.client = client_of(InProcess(self.app, self.time), self.time)
        self.importer = ProfileImporter(self.client, JobPoller(self.client, monotonic=self.time.monotonic))

    async def _sleep(self, seconds: float) -> None:
        self.time.sleep(seconds)

    def run(self, rows: list[ProfileRow], seconds: float = 100_000.0, known: KnownOutcomes | None = None) -> ProfileImportResult:
        return self.importer.import_profiles(rows, self.time.budget(seconds), known)

    def profile(self, number: int) -> Any:
        return self.account.profiles.by_external_id(f"customer-{number}")

    def requests(self) -> dict[str, int]:
        """How many requests came to each endpoint, by our names, retries included."""
        names = {f"{endpoint.method} {endpoint.path}": endpoint.name for endpoint in ENDPOINTS}
        return Counter(names[re.sub(r"{\w+}", "{id}", entry.endpoint)] for entry in self.account.ledger.entries)


def failures(result: ProfileImportResult) -> dict[str, Failed]:
    """The customers that Klaviyo refused."""
    return {name: outcome for name, outcome in result.outcomes.items() if isinstance(outcome, Failed)}


def sent_count(result: ProfileImportResult) -> int:
    """How many customers Klaviyo has."""
    return sum(isinstance(outcome, Sent) for outcome in result.outcomes.values())


def adjusted(result: ProfileImportResult) -> dict[str, tuple[Adjustment, ...]]:
    """What was left out of customers that Klaviyo has."""
    return {
        name: outcome.adjustments
        for name, outcome in result.outcomes.items()
        if isinstance(outcome, Sent) and outcome.adjustments
    }
