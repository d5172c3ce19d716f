"""The API as it is called: paths, tokens, scopes, and faults that are asked for."""

from __future__ import annotations

import base64
import hmac
import json
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, unquote

from sandbox.connect_api.connectors import Connectors
from sandbox.connect_api.deployments import Deployments, shown
from sandbox.connect_api.rules import ApiError, Body, Outcomes, found


@dataclass(slots=True)
class Fault:
    """An answer that `times` requests of this method and path get; with `after` the request has taken effect nevertheless."""

    status: int
    method: str = ""
    path: str = ""
    times: int = 1
    after: bool = False
    code: str = "General"


@dataclass(slots=True)
class ConnectApi:
    """The API of one project. `requests` are those that carried a token: method, path, body."""

    project_key: str = "sandbox"
    client_id: str = "connect-client"
    client_secret: str = "connect-secret"  # noqa: S105 - the simulator's own
    scopes: tuple[str, ...] = ("manage_connectors", "manage_connectors_deployments")
    repositories: dict[str, Path] = field(default_factory=dict)
    outcomes: Outcomes = field(default_factory=Outcomes)
    faults: list[Fault] = field(default_factory=list)
    requests: list[tuple[str, str, Body]] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    connectors: Connectors = field(init=False)
    deployments: Deployments = field(init=False)

    def __post_init__(self) -> None:
        self.connectors = Connectors(self.outcomes, self.repositories)
        self.deployments = Deployments(self.project_key, self.outcomes, self.connectors)

    def answer(self, method: str, path: str, query: str, authorization: str, content: bytes) -> tuple[int, Body]:
        """One request; status and body of its answer."""
        fault = next((it for it in self.faults if it.times and it.method in ("", method) and path.startswith(it.path)), None)
        try:
            answered = (204, {}) if fault and not fault.after else self._handle(method, path, query, authorization, content)
        except ApiError as error:
            return error.status, error.body
        if fault is None:
            return answered
        fault.times -= 1
        return fault.status, ApiError(fault.status, fault.code, "a fault that was asked for").body

    def _handle(self, method: str, path: str, query: str, authorization: str, content: bytes) -> tuple[int, Body]:
        if path == "/oauth/token":
            return 200, self._token(authorization, content.decode())
        body: Body = json.loads(content) if content else {}
        self.requests.append((method, path, body))
        parts = [unquote(part) for part in path.strip("/").split("/")]
        if parts[0] == "connectors":
            self._allow(authorization, "manage_connectors")
            return self._on_connectors(method, parts[1:], query, body)
        if parts[:2] == [self.project_key, "deployments"]:
            self._allow(authorization, "manage_connectors_deployments")
            status, deployment = self._on_deployments(method, parts[2:], body)
            return status, shown(deployment)
        raise _nowhere(path)

    def _on_connectors(self, method: str, parts: list[str], query: str, body: Body) -> tuple[int, Body]:
        match method, parts:
            case "GET", ["search"]:
                return 200, self.connectors.search(parse_qs(query))
            case "POST", ["drafts"]:
                return 201, self.connectors.stage(body)
            case "GET", ["drafts", reference]:
                return 200, self.connectors.look(found(self.connectors.staged, reference))
            case "POST", ["drafts", reference]:
                connector = found(self.connectors.staged, reference)
                self.connectors.update(connector, body)
                return 201, connector
            case "GET", [reference]:
                return 200, found(self.connectors.published, reference)
        raise _nowhere("/".join(parts))

    def _on_deployments(self, method: str, parts: list[str], body: Body) -> tuple[int, Body]:
        if (method, parts) == ("POST", []):
            return 201, self.deployments.create(body)
        if len(parts) != 1:
            raise _nowhere("/".join(parts))
        deployment = found(self.deployments.all, parts[0])
        if method == "POST":
            self.deployments.redeploy(deployment, body)
            return 201, deployment
        if method == "DELETE":
            self.deployments.undeploy(deployment)
            return 202, deployment
        return 200, self.deployments.look(deployment)

    def _token(self, authorization: str, form: str) -> Body:
        expected = base64.b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()
        if not hmac.compare_digest(authorization, f"Basic {expected}"):
            raise ApiError(401, "invalid_client", "Please provide valid client credentials using HTTP Basic Authentication.")
        if parse_qs(form).get("grant_type") != ["client_credentials"]:
            raise ApiError(400, "unsupported_grant_type", "Parameter grant_type is missing.")
        self.tokens.append(f"token-{len(self.tokens) + 1}-of-the-simulator")
        scope = " ".join(f"{scope}:{self.project_key}" for scope in self.scopes)
        return {"access_token": self.tokens[-1], "token_type": "Bearer", "expires_in": 172800, "scope": scope}

    def _allow(self, authorization: str, scope: str) -> None:
        if authorization.removeprefix("Bearer ") not in self.tokens:
            raise ApiError(401, "invalid_token", "invalid_token")
        if not {"manage_project", scope} & set(self.scopes):
            raise ApiError(403, "insufficient_scope", f"One of these scopes is missing: {scope}:{self.project_key}.")


def _nowhere(path: str) -> ApiError:
    return ApiError(404, "ResourceNotFound", f"The path {path} does not exist.")
