"""Connectors: search, the staged one brought to a tag, its preview requested and waited for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deploy.connect_api.errors import Absent, Refused, Rejected, StepFailed
from deploy.connect_api.reports import reasons
from deploy.connect_api.transport import Connection
from deploy.connect_api.waiting import Clock, Patience, wait_for
from shared.errors import ConfigError, Problem

NAME = "commercetools → Klaviyo sync"
DESCRIPTION = "Keeps Klaviyo's profiles, events and catalog true to commercetools, in real time."
_AFTER_A_REJECTION = (
    "mend what the report names and push a new bundle; a tag of the sources lacks the application's folder, "
    "only a bundle's has it"
)
MOST_FOUND = 500
"""Connectors on one page, the most that the API gives; without a number it gives 20."""

_TRIES = 3
"""How often an update is tried whose version somebody else was faster to change."""


def search(connection: Connection, text: str) -> list[dict[str, Any]]:
    """The published connectors that the project may deploy, whose name or description has `text`; the first 500 of them."""
    answer = connection.get("/connectors/search", {"limit": str(MOST_FOUND), **({"text": text} if text else {})})
    return list(answer.get("results") or [])


def published(connection: Connection) -> dict[str, Any]:
    """The published connector of the configured key. Raises Absent."""
    return connection.get(f"/connectors/key={connection.config.connector_key}")


def staged(connection: Connection) -> dict[str, Any]:
    """The ConnectorStaged of the configured key. Raises Absent."""
    return connection.get(f"/connectors/drafts/key={connection.config.connector_key}")


def stage(connection: Connection, url: str, tag: str) -> dict[str, Any]:
    """Bring the ConnectorStaged to that tag: created when there is none; else updated where it differs.

    Raises StepFailed while another tag is being validated: its end would be taken for this tag's.
    """
    try:
        return _brought(connection, url, tag)
    except Absent:
        if not connection.config.creator_email:
            message = f"is missing: the connector {connection.config.connector_key} does not exist and is to be created"
            raise ConfigError([Problem("CONNECT_CREATOR_EMAIL", message)]) from None
    try:
        return connection.post("/connectors/drafts", draft(connection, url, tag))
    except Refused as refusal:
        if refusal.code != "DuplicateField":
            raise
        try:  # made by a try whose answer was lost
            return _brought(connection, url, tag)
        except Absent:
            raise refusal from None


def draft(connection: Connection, url: str, tag: str) -> dict[str, Any]:
    """The ConnectorStagedDraft: this project may deploy it, in the configured region."""
    config = connection.config
    return {
        "key": config.connector_key,
        "name": NAME,
        "description": DESCRIPTION,
        "integrationTypes": ["email"],
        "creator": {"email": config.creator_email},
        "repository": {"url": url, "tag": tag},
        "supportedRegions": [config.region],
        "privateProjects": [config.project_identifier],
    }


def request_preview(connection: Connection) -> dict[str, Any]:
    """Ask for the validation that makes it previewable, unless one is in progress; the ConnectorStaged."""
    for final in _tries():
        connector = staged(connection)
        if connector.get("isPreviewable") == "pending":
            return connector
        try:
            return _updated(connection, connector, [{"action": "updatePreviewable"}])
        except Refused as refusal:
            if final or refusal.code not in ("ConcurrentModification", "ConnectorStagedPreviewRequestUnderProcess"):
                raise
    raise AssertionError  # the last try returns or raises


def wait_until_previewable(connection: Connection, patience: Patience, clock: Clock, tag: str = "") -> dict[str, Any]:
    """The ConnectorStaged once it may be deployed. Raises Rejected with the reasons, and when it names another tag."""

    def ended(connector: Mapping[str, Any]) -> bool:
        state, at = str(connector.get("isPreviewable")).lower(), tag_of(connector)
        if tag and at != tag:
            raise Rejected(f"the connector names the tag {at}, not {tag}", "run the step stage-connector")
        if state == "false":
            raise Rejected(f"the validation of {at} has failed", _AFTER_A_REJECTION, reasons(connector.get("previewableReport")))
        if state == "none":
            raise Rejected("nobody has asked for a preview", "run the step request-preview")
        return state == "true"

    return wait_for(
        lambda: staged(connection),
        lambda connector: f"isPreviewable is {connector.get('isPreviewable')}",
        ended,
        patience=patience,
        clock=clock,
        output=connection.output,
        next_step="run the step wait-preview again; it may take a quarter of an hour",
    )


def tag_of(resource: Mapping[str, Any]) -> str:
    """The tag that a connector, or a deployment's connector, is of."""
    repository = resource.get("repository")
    return str(repository.get("tag", "")) if isinstance(repository, Mapping) else ""


def _brought(connection: Connection, url: str, tag: str) -> dict[str, Any]:
    for final in _tries():
        connector = staged(connection)
        actions = _actions(connection, connector, url, tag)
        if not actions:
            return connector
        if connector.get("isPreviewable") == "pending" and any(action["action"] == "setRepository" for action in actions):
            message = f"the validation of {tag_of(connector)} is in progress, and its result would be taken for that of {tag}"
            raise StepFailed(message, "run the step wait-preview first, however it ends, then this one again")
        try:
            return _updated(connection, connector, actions)
        except Refused as refusal:
            if final or refusal.code != "ConcurrentModification":
                raise
    raise AssertionError  # the last try returns or raises


def _actions(connection: Connection, connector: Mapping[str, Any], url: str, tag: str) -> list[dict[str, Any]]:
    config = connection.config
    actions: list[dict[str, Any]] = []
    repository = connector.get("repository") or {}
    if (repository.get("url"), repository.get("tag")) != (url, tag):
        actions.append({"action": "setRepository", "url": url, "tag": tag})
    regions = connector.get("supportedRegions") or []
    if regions and config.region not in regions:
        actions.append({"action": "setSupportedRegions", "regions": [*regions, config.region]})
    if connector.get("private") and config.project_identifier not in (connector.get("privateProjects") or []):
        actions.append({"action": "addPrivateProject", "privateProject": config.project_identifier})
    return actions


def _updated(connection: Connection, connector: Mapping[str, Any], actions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    key = connection.config.connector_key
    if not isinstance(connector.get("version"), int):
        raise StepFailed(f"the connector {key} has no version", "check CONNECT_API_URL, then run this step again")
    return connection.post(f"/connectors/drafts/key={key}", {"version": connector["version"], "actions": list(actions)})


def _tries() -> list[bool]:
    return [number == _TRIES for number in range(1, _TRIES + 1)]
