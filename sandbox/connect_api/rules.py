"""What all parts of the simulated API share: errors, versions, keys, and how what takes time ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Body: TypeAlias = dict[str, Any]

PREVIEWS = ("granted", "rejected", "hangs")
DEPLOYMENTS = ("deployed", "failed", "hangs")
REDEPLOYS = ("updates", "late", "refused", "ignored")
UNDEPLOYS = ("gone", "failed")
RETAGS = ("ends", "stays")
VALUES = ("replaced", "merged")

_STARTED = {"type": "Information", "title": "Validation started", "message": "", "createdAt": "2026-01-01T00:00:00.000Z"}


BUILD_FAILED = ("Build failed", "npm run gcp-build ended with 1")


class ApiError(Exception):
    """An answer other than 2xx, with the code and message that the API documents."""

    def __init__(self, status: int, code: str, message: str, **extra: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"statusCode": status, "message": message, "errors": [{"code": code, "message": message, **extra}]}


@dataclass(slots=True)
class Outcomes:
    """How what takes time ends, after `looks` reads that see it in progress; it may be changed at any time.

    `retag`: what becomes of a validation in progress when the connector gets another tag. `values`: what becomes of the
    values of a deployment that a redeployment does not name. Neither is documented.
    """

    preview: str = "granted"
    deployment: str = "deployed"
    redeploy: str = "updates"
    undeploy: str = "gone"
    retag: str = "ends"
    values: str = "replaced"
    looks: int = 2
    _left: dict[str, int] = field(default_factory=dict)

    def begin(self, what: str) -> None:
        """From now on `looks` reads see it in progress."""
        self._left[what] = self.looks

    def in_progress(self, what: str) -> bool:
        """Whether this read still sees it in progress."""
        self._left[what] = self._left.get(what, 0) - 1
        return self._left[what] >= 0


def report(fault: tuple[str, str] | None) -> Body:
    """What a validation or a build says of itself; `fault` is title and message of why it has failed."""
    if fault is None:
        return {"entries": [_STARTED]}
    failed = {"type": "Error", "title": fault[0], "message": fault[1], "createdAt": "2026-01-01T00:02:00.000Z"}
    return {"entries": [_STARTED, failed]}


def found(where: Mapping[str, Body], reference: str) -> Body:
    """What `key=...` leads to. Raises ApiError 404."""
    key = reference.removeprefix("key=")
    if key == reference or key not in where:
        raise ApiError(404, "ResourceNotFound", f"The Resource with {reference} was not found.")
    return where[key]


def check_version(resource: Body, update: Body) -> None:
    """Raise ApiError 409 when the update is of another version."""
    if update["version"] != resource["version"]:
        message = f"Object key={resource['key']} has a different version than expected."
        raise ApiError(409, "ConcurrentModification", message, currentVersion=resource["version"])


def check_key(where: Mapping[str, Body], draft: Body) -> None:
    """Raise ApiError 400 when the key is taken."""
    if draft["key"] in where:
        raise ApiError(400, "DuplicateField", f"A duplicate value {draft['key']} exists for field key.", field="key")
