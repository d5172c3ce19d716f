"""A small simulated commercetools Connect API: tokens, connectors, staged connectors, deployments.

`python -m sandbox.connect_api --repository git@github.com:owner/repo.git=BARE_REPOSITORY` serves it on loopback. What takes minutes
at Connect takes a few looks here; `Outcomes` says how it ends. Rules and names are those of the published RAML (api-specs/connect).
A staged connector's configuration is read, as there, from `connect.yaml` at the root of a tag of a repository.
"""

from __future__ import annotations

import argparse
import base64
import hmac
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import parse_qs, unquote

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

Body: TypeAlias = dict[str, Any]

REGIONS = ("europe-west1.gcp", "us-central1.gcp", "australia-southeast1.gcp", "us-east-2.aws", "eu-central-1.aws")
MAY_BE_REDEPLOYED = ("Draft", "Deployed", "Failed", "UndeployFailed")
PREVIEWS = ("granted", "rejected", "hangs")
DEPLOYMENTS = ("deployed", "failed", "hangs")
REDEPLOYS = ("updates", "refused", "ignored")
REPORT_ENTRIES = [
    {"type": "Information", "title": "Validation started", "message": "", "createdAt": "2026-01-01T00:00:00.000Z"},
    {"type": "Error", "title": "Build failed", "message": "npm run gcp-build ended with 1", "createdAt": "2026-01-01T00:02:00.000Z"},
]


@dataclass(slots=True)
class Outcomes:
    """How what takes time ends, after `looks` reads that see it in progress; it may be changed at any time."""

    preview: str = "granted"
    deployment: str = "deployed"
    redeploy: str = "updates"
    undeploy: str = "gone"
    looks: int = 2


@dataclass(slots=True)
class Fault:
    """An answer that `times` requests of this method and path get; with `after` the request has taken effect nevertheless."""

    status: int
    method: str = ""
    path: str = ""
    times: int = 1
    after: bool = False


class ApiError(Exception):
    """An answer other than 2xx, with the code and message that the API documents."""

    def __init__(self, status: int, code: str, message: str, **extra: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"statusCode": status, "message": message, "errors": [{"code": code, "message": message, **extra}]}


@dataclass(slots=True)
class ConnectApi:
    """The API of one project. `repositories` maps addresses to git repositories of this machine."""

    project_key: str = "sandbox"
    client_id: str = "connect-client"
    client_secret: str = "connect-secret"  # noqa: S105 - the simulator's own
    scopes: tuple[str, ...] = ("manage_connectors", "manage_connectors_deployments")
    repositories: dict[str, Path] = field(default_factory=dict)
    outcomes: Outcomes = field(default_factory=Outcomes)
    faults: list[Fault] = field(default_factory=list)
    requests: list[tuple[str, str, Body]] = field(default_factory=list)
    staged: dict[str, Body] = field(default_factory=dict)
    published: dict[str, Body] = field(default_factory=dict)
    deployments: dict[str, Body] = field(default_factory=dict)
    tokens: list[str] = field(default_factory=list)
    _looks_left: dict[str, int] = field(default_factory=dict)

    def answer(self, method: str, path: str, query: str, authorization: str, content: bytes) -> tuple[int, Body]:
        """One request; status and body of its answer."""
        fault = next((it for it in self.faults if it.times and it.method in ("", method) and path.startswith(it.path)), None)
        try:
            if fault is not None:
                fault.times -= 1
                if fault.after:
                    self._handle(method, path, query, authorization, content)
                raise ApiError(fault.status, "General", "a fault that was asked for")
            return self._handle(method, path, query, authorization, content)
        except ApiError as error:
            return error.status, error.body

    def publish(self, key: str) -> None:
        """Make the connector of that staged one: what a certification or a private publication ends with."""
        self.published[key] = {**_without(self.staged[key], "isPreviewable", "previewableReport"), "certified": True}

    def _handle(self, method: str, path: str, query: str, authorization: str, content: bytes) -> tuple[int, Body]:
        if path == "/oauth/token":
            return 200, self._token(authorization, content.decode())
        body: Body = json.loads(content) if content else {}
        self.requests.append((method, path, body))
        match method, [unquote(part) for part in path.strip("/").split("/")]:
            case "GET", ["connectors", "search"]:
                self._allow(authorization, "connectors")
                return 200, self._search(parse_qs(query))
            case "GET", ["connectors", key]:
                self._allow(authorization, "connectors")
                return 200, _found(self.published, key)
            case "POST", ["connectors", "drafts"]:
                self._allow(authorization, "connectors")
                return 201, self._stage(body)
            case ("GET" | "POST") as verb, ["connectors", "drafts", key]:
                self._allow(authorization, "connectors")
                connector = _found(self.staged, key)
                if verb == "POST":
                    self._update_connector(connector, body)
                else:
                    self._look_at_preview(connector)
                return (201 if verb == "POST" else 200), connector
            case "POST", [self.project_key, "deployments"]:
                self._allow(authorization, "connectors_deployments")
                return 201, self._shown(self._deploy(body))
            case ("GET" | "POST" | "DELETE") as verb, [self.project_key, "deployments", key]:
                self._allow(authorization, "connectors_deployments")
                deployment = _found(self.deployments, key)
                return self._of_deployment(verb, deployment, body)
        raise ApiError(404, "ResourceNotFound", f"The path {path} does not exist.")

    def _token(self, authorization: str, form: str) -> Body:
        expected = base64.b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()
        if not hmac.compare_digest(authorization, f"Basic {expected}"):
            raise ApiError(401, "invalid_client", "Please provide valid client credentials using HTTP Basic Authentication.")
        if parse_qs(form).get("grant_type") != ["client_credentials"]:
            raise ApiError(400, "unsupported_grant_type", "Parameter grant_type is missing.")
        self.tokens.append(f"token-{len(self.tokens) + 1}-of-the-simulator")
        scope = " ".join(f"{scope}:{self.project_key}" for scope in self.scopes)
        return {"access_token": self.tokens[-1], "token_type": "Bearer", "expires_in": 172800, "scope": scope}

    def _allow(self, authorization: str, what: str) -> None:
        if authorization.removeprefix("Bearer ") not in self.tokens:
            raise ApiError(401, "invalid_token", "invalid_token")
        if not {"manage_project", f"manage_{what}"} & set(self.scopes):
            raise ApiError(403, "insufficient_scope", f"One of these scopes is missing: manage_{what}:{self.project_key}.")

    def _search(self, query: Mapping[str, Sequence[str]]) -> Body:
        text, keys = query.get("text", [""])[0].lower(), query.get("key", [])
        results = [
            connector
            for connector in self.published.values()
            if text in f"{connector['name']} {connector.get('description', '')}".lower() and (not keys or connector["key"] in keys)
        ]
        return {"limit": 20, "offset": 0, "count": len(results), "total": len(results), "results": results}

    def _stage(self, draft: Body) -> Body:
        for name in ("name", "creator", "repository"):
            if name not in draft:
                raise ApiError(400, "InvalidJsonInput", f"Request body does not contain valid JSON: {name} is missing.")
        if "email" not in draft["creator"]:
            raise ApiError(400, "InvalidJsonInput", "Request body does not contain valid JSON: creator.email is missing.")
        if draft["key"] in self.staged:
            raise ApiError(400, "DuplicateField", f"A duplicate value {draft['key']} exists for field key.", field="key")
        projects = draft.get("privateProjects", [])
        connector = {
            "id": f"connector-{len(self.staged) + 1}",
            "version": 1,
            **draft,
            "private": bool(projects),
            "privateProjects": projects,
            "supportedRegions": draft.get("supportedRegions", []),
            "configurations": self._configurations(draft["repository"]),
            "status": "Draft",
            "isPreviewable": "none",
        }
        self.staged[draft["key"]] = connector
        return connector

    def _update_connector(self, connector: Body, update: Body) -> None:
        _check_version(connector, update)
        for action in update["actions"]:
            match action:
                case {"action": "setRepository", "url": url, "tag": tag}:
                    connector["configurations"] = self._configurations({"url": url, "tag": tag})
                    connector |= {"repository": {"url": url, "tag": tag}, "isPreviewable": "none"}
                case {"action": "addPrivateProject", "privateProject": project}:
                    if not connector["private"]:
                        raise ApiError(400, "ConnectorStagedNotPrivate", "The ConnectorStaged is not private.")
                    connector["privateProjects"] = [*connector["privateProjects"], project]
                case {"action": "setSupportedRegions", "regions": regions}:
                    connector["supportedRegions"] = regions
                case {"action": "updatePreviewable"}:
                    if connector["isPreviewable"] == "pending":
                        message = "The ConnectorStaged preview request is already in progress"
                        raise ApiError(400, "ConnectorStagedPreviewRequestUnderProcess", message)
                    connector["isPreviewable"] = "pending"
                    connector.pop("previewableReport", None)
                    self._looks_left[connector["id"]] = self.outcomes.looks
                case _:
                    raise ApiError(400, "InvalidJsonInput", f"The action {action} is unknown.")
        connector["version"] += 1

    def _look_at_preview(self, connector: Body) -> None:
        if connector["isPreviewable"] != "pending" or self.outcomes.preview == "hangs" or self._still(connector["id"]):
            return
        granted = self.outcomes.preview == "granted"
        connector |= {"isPreviewable": "true" if granted else "false", "version": connector["version"] + 1}
        connector["previewableReport"] = {"entries": REPORT_ENTRIES[: 1 if granted else None]}

    def _deploy(self, draft: Body) -> Body:
        if draft["key"] in self.deployments:
            raise ApiError(400, "DuplicateField", f"A duplicate value {draft['key']} exists for field key.", field="key")
        reference = draft["connector"]
        connector = _found(self.staged if reference.get("staged") else self.published, f"key={reference['key']}")
        if connector["version"] != reference["version"]:
            raise ApiError(400, "ConnectorReferenceNotFound", "The Connector of that version was not found.")
        project = f"{draft['region']}:{self.project_key}"
        if connector["private"] and project not in connector["privateProjects"]:
            raise ApiError(403, "access_denied", f"{project} may not deploy this Connector.")
        if reference.get("staged") and connector["isPreviewable"] != "true":
            raise ApiError(400, "ConnectorStagedNotPreviewable", "The ConnectorStaged is not previewable.")
        if reference.get("staged") and draft.get("type", "preview") != "preview":
            raise ApiError(400, "DeploymentInvalidType", "A ConnectorStaged can only be deployed as preview.")
        if draft["region"] not in (connector["supportedRegions"] or REGIONS):
            raise ApiError(400, "DeploymentUnsupportedRegion", f"Deployment unsupported region {draft['region']}")
        deployment = {
            "id": f"deployment-{len(self.deployments) + 1}",
            "key": draft["key"],
            "version": 1,
            "type": draft.get("type", "preview" if reference.get("staged") else "sandbox"),
            "preview": bool(reference.get("staged")),
            "connector": dict(connector),
            "deployedRegion": draft["region"],
            "applications": _applications(connector, draft["configurations"]),
            "details": {"build": {"id": "build-1"}},
            "status": "Queued",
        }
        self.deployments[draft["key"]] = deployment
        self._looks_left[deployment["id"]] = self.outcomes.looks
        return deployment

    def _of_deployment(self, method: str, deployment: Body, update: Body) -> tuple[int, Body]:
        if method == "POST":
            self._redeploy(deployment, update)
            return 201, self._shown(deployment)
        if method == "DELETE":
            deployment |= {"status": "Undeploying", "version": deployment["version"] + 1}
            self._looks_left[deployment["id"]] = self.outcomes.looks
            return 202, self._shown(deployment)
        self._look_at_deployment(deployment)
        return 200, self._shown(_found(self.deployments, f"key={deployment['key']}"))

    def _redeploy(self, deployment: Body, update: Body) -> None:
        _check_version(deployment, update)
        [action] = update["actions"]
        if action["action"] != "redeploy":
            raise ApiError(400, "InvalidJsonInput", f"The action {action['action']} is unknown.")
        if deployment["status"] not in MAY_BE_REDEPLOYED:
            message = f"Invalid status change: Already {deployment['status'].lower()}"
            raise ApiError(400, "DeploymentInvalidStatusTransition", message)
        if action.get("updateConnector") and self.outcomes.redeploy == "refused":
            raise ApiError(400, "DeploymentConnectorUpdateFailure", f"Deployment with key={deployment['key']} failed to update.")
        if action.get("updateConnector") and self.outcomes.redeploy == "updates":
            source = self.staged if deployment["preview"] else self.published
            deployment["connector"] = dict(_found(source, f"key={deployment['connector']['key']}"))
        if action.get("configurationValues"):
            deployment["applications"] = _applications(deployment["connector"], action["configurationValues"])
        deployment |= {"status": "Queued", "version": deployment["version"] + 1}
        deployment["details"]["build"].pop("report", None)
        self._looks_left[deployment["id"]] = self.outcomes.looks

    def _look_at_deployment(self, deployment: Body) -> None:
        if deployment["status"] == "Queued":
            deployment["status"] = "Deploying"
        elif deployment["status"] == "Deploying" and self.outcomes.deployment != "hangs" and not self._still(deployment["id"]):
            failed = self.outcomes.deployment == "failed"
            deployment["status"] = "Failed" if failed else "Deployed"
            deployment["details"]["build"]["report"] = {"entries": REPORT_ENTRIES[: None if failed else 1]}
        elif deployment["status"] == "Undeploying" and not self._still(deployment["id"]):
            if self.outcomes.undeploy == "gone":
                del self.deployments[deployment["key"]]
            else:
                deployment["status"] = "UndeployFailed"

    def _still(self, what: str) -> bool:
        self._looks_left[what] = self._looks_left.get(what, 0) - 1
        return self._looks_left[what] > 0

    def _shown(self, deployment: Body) -> Body:
        """As the API shows it: the values of secured configuration are not told again."""
        applications = [
            {**one, "securedConfiguration": [{"key": pair["key"]} for pair in one["securedConfiguration"]]}
            for one in deployment["applications"]
        ]
        return {**deployment, "applications": applications}

    def _configurations(self, repository: Body) -> list[Body]:
        """What `connect.yaml` at the root of that tag asks for."""
        path = self.repositories.get(repository["url"])
        if path is None or _git(path, "rev-parse", "--verify", f"refs/tags/{repository['tag']}^{{commit}}") is None:
            raise ApiError(400, "GitRepositoryNotReachable", "Repository with the tag is not reachable")
        text = _git(path, "show", f"refs/tags/{repository['tag']}:connect.yaml")
        if text is None:
            raise ApiError(400, "ConnectorSpecificationFileNotFound", "Connector specification file not found")
        try:
            return [_application(one) for one in YAML(typ="safe").load(text)["deployAs"]]
        except (YAMLError, KeyError, TypeError) as error:
            raise ApiError(400, "ConnectorSpecificationFileNotValid", "Connector specification file is not valid") from error


def _application(described: Body) -> Body:
    configuration = described.get("configuration") or {}
    kinds = ("standardConfiguration", "securedConfiguration")
    keys = {kind: [{"required": False, **dict(key)} for key in configuration.get(kind) or []] for kind in kinds}
    return {"applicationName": described["name"], "applicationType": described["applicationType"], **keys}


def _applications(connector: Body, given: list[Body]) -> list[Body]:
    """The applications with their values; refuses what `connect.yaml` does not know."""
    known = {one["applicationName"]: one for one in connector["configurations"]}
    for one in given:
        name = one["applicationName"]
        if name not in known:
            message = f"Deployment does not require configuration for application named '{name}'."
            raise ApiError(400, "DeploymentUnknownApplicationConfiguration", message)
        for kind in ("standardConfiguration", "securedConfiguration"):
            wanted = {key["key"] for key in known[name][kind]}
            for pair in one[kind]:
                if pair["key"] not in wanted:
                    message = f"Deployment does not require configuration with key {pair['key']} for application named {name}."
                    raise ApiError(400, "DeploymentUnknownApplicationConfigurationKey", message)
    return [{"id": f"application-{number}", **one} for number, one in enumerate(given, 1)]


def _found(where: Mapping[str, Body], reference: str) -> Body:
    key = reference.removeprefix("key=")
    if key == reference or key not in where:
        raise ApiError(404, "ResourceNotFound", f"The Resource with {reference} was not found.")
    return where[key]


def _check_version(resource: Body, update: Body) -> None:
    if update["version"] != resource["version"]:
        message = f"Object key={resource['key']} has a different version than expected."
        raise ApiError(409, "ConcurrentModification", message, currentVersion=resource["version"])


def _without(body: Body, *names: str) -> Body:
    return {name: value for name, value in body.items() if name not in names}


def _git(repository: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(repository), *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - of the tests' own repositories
    return ended.stdout if ended.returncode == 0 else None


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve it until a signal."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    from sandbox.serving import serve

    default = Outcomes()
    parser = argparse.ArgumentParser(prog="python -m sandbox.connect_api", description="A simulated commercetools Connect API.")
    parser.add_argument("--port", type=int, default=0, help="0 picks a free one")
    parser.add_argument("--repository", action="append", default=[], metavar="ADDRESS=FOLDER", help="what an address leads to")
    parser.add_argument("--preview", choices=PREVIEWS, default=default.preview)
    parser.add_argument("--deployment", choices=DEPLOYMENTS, default=default.deployment)
    parser.add_argument("--redeploy", choices=REDEPLOYS, default=default.redeploy)
    parser.add_argument("--looks", type=int, default=default.looks, help="how many reads see something in progress")
    options = parser.parse_args(arguments)
    api = ConnectApi(
        repositories={address: Path(folder) for address, _, folder in (one.rpartition("=") for one in options.repository)},
        outcomes=Outcomes(options.preview, options.deployment, options.redeploy, looks=options.looks),
    )

    async def handle(request: Request) -> JSONResponse:
        authorization, body = request.headers.get("authorization", ""), await request.body()
        status, answer = api.answer(request.method, request.url.path, request.url.query, authorization, body)
        return JSONResponse(answer, status)

    serve(Starlette(routes=[Route("/{path:path}", handle, methods=["GET", "POST", "DELETE"])]), "127.0.0.1", options.port)


if __name__ == "__main__":
    main(sys.argv[1:])
