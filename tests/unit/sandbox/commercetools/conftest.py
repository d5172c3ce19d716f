"""An in-process simulated project with a clock that tests set."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from sandbox.commercetools.app import create_app
from sandbox.commercetools.settings import SandboxSettings
from sandbox.faults import FaultPlan

START_S = 1_790_000_000.0


class Simulator:
    """The application behind httpx's in-process transport. `now` is the vendor's clock in seconds since 1970."""

    def __init__(self, **settings: Any) -> None:
        self.now = START_S
        self.plan = FaultPlan()
        self.settings = SandboxSettings(**settings)
        self.app = create_app(self.settings, lambda: self.now, self.plan)
        self.headers: dict[str, str] = {}

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send one request as it is."""

        async def exchange() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as client:
                return await client.request(method, path, **options)

        return asyncio.run(exchange())

    def token(self, **form: str) -> httpx.Response:
        """Ask for a token with the right credentials."""
        credentials = (self.settings.client_id, self.settings.client_secret)
        return self.send("POST", "/oauth/token", data={"grant_type": "client_credentials", **form}, auth=credentials)

    def login(self, **form: str) -> "Simulator":
        """Take a token and use it from now on."""
        self.headers = {"Authorization": f"Bearer {self.token(**form).json()['access_token']}"}
        return self

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request below the project, with the token."""
        return self.send(method, f"/{self.settings.project_key}{path}", headers=self.headers, **options)

    def get(self, path: str, **params: Any) -> httpx.Response:
        """GET below the project."""
        return self.call("GET", path, params=params)

    def page(self, path: str = "/customers", **params: Any) -> dict[str, Any]:
        """GET a page that must succeed."""
        answer = self.get(path, **params)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def graph(self, query: str, variables: dict[str, Any] | None = None, **more: Any) -> httpx.Response:
        """POST a GraphQL query."""
        return self.call("POST", "/graphql", json={"query": query, "variables": variables or {}, **more})


@pytest.fixture
def make_simulator() -> Callable[..., Simulator]:
    """Make a simulator with these settings."""
    return Simulator


@pytest.fixture
def ct() -> Simulator:
    """A project of 300 customers, with a token."""
    return Simulator().login()
