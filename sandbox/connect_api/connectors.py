"""Staged connectors and published ones: drafts, update actions, the request for a preview, the search."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from sandbox.connect_api.rules import BUILD_FAILED, ApiError, Body, Outcomes, check_key, check_version, report


@dataclass(slots=True)
class Connectors:
    """All connectors; `repositories` maps addresses to git repositories of this machine."""

    outcomes: Outcomes
    repositories: dict[str, Path]
    staged: dict[str, Body] = field(default_factory=dict)
    published: dict[str, Body] = field(default_factory=dict)

    def publish(self, key: str) -> None:
        """Make the connector of that staged one: what a certification or a private publication ends with."""
        staged = self.staged[key]
        self.published[key] = {name: staged[name] for name in staged if name not in ("isPreviewable", "previewableReport")}

    def search(self, query: Mapping[str, Sequence[str]]) -> Body:
        """Published ones whose name or description has the text, or whose key is one of those asked for."""
        text, keys = query.get("text", [""])[0].lower(), query.get("key", [])
        limit, offset = _number(query, "limit", 500, default=20), _number(query, "offset", 10_000, default=0)
        results = [
            one
            for one in self.published.values()
            if text in f"{one['name']} {one.get('description', '')}".lower() and (not keys or one["key"] in keys)
        ]
        page = results[offset : offset + limit]
        return {"limit": limit, "offset": offset, "count": len(page), "total": len(results), "results": page}

    def stage(self, draft: Body) -> Body:
        """Create a ConnectorStaged."""
        for name in ("name", "creator", "repository"):
            if name not in draft:
                raise ApiError(400, "InvalidJsonInput", f"Request body does not contain valid JSON: {name} is missing.")
        if "email" not in draft["creator"]:
            raise ApiError(400, "InvalidJsonInput", "Request body does not contain valid JSON: creator.email is missing.")
        check_key(self.staged, draft)
        projects = draft.get("privateProjects", [])
        self.staged[draft["key"]] = connector = {
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
        return connector

    def update(self, connector: Body, update: Body) -> None:
        """Carry out update actions."""
        check_version(connector, update)
        for action in update["actions"]:
            match action:
                case {"action": "setRepository", "url": url, "tag": tag}:
                    connector["configurations"] = self._configurations({"url": url, "tag": tag})
                    connector["repository"] = {"url": url, "tag": tag}
                    if connector["isPreviewable"] != "pending" or self.outcomes.retag == "ends":
                        connector["isPreviewable"] = "none"
                case {"action": "addPrivateProject", "privateProject": project}:
                    if not connector["private"]:
                        raise ApiError(400, "ConnectorStagedNotPrivate", "The ConnectorStaged is not private.")
                    connector["privateProjects"] = [*connector["privateProjects"], project]
                case {"action": "setSupportedRegions", "regions": regions}:
                    connector["supportedRegions"] = regions
                case {"action": "updatePreviewable"}:
                    self._request_preview(connector)
                case _:
                    raise ApiError(400, "InvalidJsonInput", f"The action {action} is unknown.")
        connector["version"] += 1

    def look(self, connector: Body) -> Body:
        """Read one; a validation that is in progress comes nearer to its end."""
        if connector["isPreviewable"] != "pending" or self.outcomes.preview == "hangs":
            return connector
        if not self.outcomes.in_progress(connector["id"]):
            fault = self._without_folder(connector) or (None if self.outcomes.preview == "granted" else BUILD_FAILED)
            connector |= {"isPreviewable": "false" if fault else "true", "version": connector["version"] + 1}
            connector["previewableReport"] = report(fault)
        return connector

    def _request_preview(self, connector: Body) -> None:
        if connector["isPreviewable"] == "pending":
            message = "The ConnectorStaged preview request is already in progress"
            raise ApiError(400, "ConnectorStagedPreviewRequestUnderProcess", message)
        connector["isPreviewable"] = "pending"
        connector.pop("previewableReport", None)
        self.outcomes.begin(connector["id"])

    def _without_folder(self, connector: Body) -> tuple[str, str] | None:
        """The fault of a tag that lacks the folder of an application, which has to be named as the application is."""
        repository = connector["repository"]
        for application in connector["configurations"]:
            name = application["applicationName"]
            kind = _git(self.repositories[repository["url"]], "cat-file", "-t", f"refs/tags/{repository['tag']}:{name}")
            if kind is None or kind.strip() != "tree":
                return "Application folder not found", f"the tag {repository['tag']} has no folder {name}"
        return None

    def _configurations(self, repository: Body) -> list[Body]:
        """What `connect.yaml` at the root of that tag asks for."""
        path, tag = self.repositories.get(repository["url"]), f"refs/tags/{repository['tag']}"
        if path is None or _git(path, "rev-parse", "--verify", f"{tag}^{{commit}}") is None:
            raise ApiError(400, "GitRepositoryNotReachable", "Repository with the tag is not reachable")
        text = _git(path, "show", f"{tag}:connect.yaml")
        if text is None:
            raise ApiError(400, "ConnectorSpecificationFileNotFound", "Connector specification file not found")
        try:
            return [_application(one) for one in YAML(typ="safe").load(text)["deployAs"]]
        except (YAMLError, KeyError, TypeError) as error:
            raise ApiError(400, "ConnectorSpecificationFileNotValid", "Connector specification file is not valid") from error


def _number(query: Mapping[str, Sequence[str]], name: str, most: int, *, default: int) -> int:
    text = query.get(name, [str(default)])[0]
    if not text.isdecimal() or int(text) > most:
        raise ApiError(400, "InvalidInput", f"Malformed parameter: {name}: {text} is no number from 0 to {most}.")
    return int(text)


def _application(described: Body) -> Body:
    configuration = described.get("configuration") or {}
    kinds = ("standardConfiguration", "securedConfiguration")
    keys = {kind: [{"required": False, **dict(key)} for key in configuration.get(kind) or []] for kind in kinds}
    return {"applicationName": described["name"], "applicationType": described["applicationType"], **keys}


def _git(repository: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(repository), *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - repositories of this machine
    return ended.stdout if ended.returncode == 0 else None
