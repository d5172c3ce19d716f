"""Deployments: created or redeployed, waited for, undeployed.

An existing one is redeployed, not replaced: its subscriptions stay, while undeploying it removes them, and what happens until
the new one is up is never delivered. Whether a redeployment has taken over the new tag is looked at, not believed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy.connect_api.connectors import published, staged, tag_of
from deploy.connect_api.errors import Absent, Refused, Rejected, StepFailed
from deploy.connect_api.reports import reasons
from deploy.connect_api.transport import Connection
from deploy.connect_api.values import configurations, kept_values
from deploy.connect_api.waiting import Clock, Patience, wait_for

MAY_BE_REDEPLOYED = ("Draft", "Deployed", "Failed", "UndeployFailed")
IN_PROGRESS = ("Queued", "Deploying")
PREVIEW = "preview"
"""The type of every deployment of a staged connector; published ones are deployed as `sandbox` or `production`."""

_ANOTHER = (
    "set another CONNECT_ENV (and CONNECT_DEPLOYMENT_KEY, if you have set it): with the same CONNECT_ENV two deployments take "
    "each other's subscriptions"
)
_GONE: dict[str, Any] = {"status": "gone"}
_LOOKS_AT_ANOTHER = 3
"""So many looks in a row must see a deployment that is up with another tag or values, before that counts as its last word."""


def connector_of(connection: Connection, *, is_staged: bool, tag: str = "") -> dict[str, Any]:
    """The connector that is to be deployed, as it is now. Raises Absent, and StepFailed when it names another than that tag."""
    connector = staged(connection) if is_staged else published(connection)
    if tag and (at := tag_of(connector)) != tag:
        kind = "staged" if is_staged else "published"
        wait = "wait until the step status shows the published connector with that tag: publishing takes its time"
        again = "run the steps stage-connector, request-preview and wait-preview, then this one"
        message = f"nothing is deployed: the {kind} connector {connection.config.connector_key} names the tag {at}, not {tag}"
        raise StepFailed(message, again if is_staged else wait)
    return connector


def draft(connection: Connection, connector: Mapping[str, Any], environ: Mapping[str, str], *, kind: str) -> dict[str, Any]:
    """The DeploymentDraft of that connector, with values from the environment. Raises ConfigError.

    `kind` is `sandbox` or `production` for a published connector, and `preview` for a staged one.
    """
    config = connection.config
    is_staged = kind == PREVIEW
    reference: dict[str, Any] = {"key": config.connector_key, "version": connector["version"]}
    return {
        "key": config.deployment_key,
        **({} if is_staged else {"type": kind}),
        "connector": {**reference, "staged": True} if is_staged else reference,
        "region": config.region,
        "configurations": configurations(connector.get("configurations") or [], environ),
    }


def deployment(connection: Connection) -> dict[str, Any]:
    """The deployment of the configured key. Raises Absent."""
    return connection.get(_path(connection))


def deploy(connection: Connection, wanted: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Create the deployment, or redeploy the one that exists; which of the two, and the deployment."""
    try:
        existing = deployment(connection)
    except Absent:
        return "created", _created(connection, wanted)
    return "redeployed", _redeployed(connection, existing, wanted)


def make_way(connection: Connection, connector: Mapping[str, Any], patience: Patience, clock: Clock, *, kind: str) -> None:
    """Take down the deployment of the configured key, if there is one, and wait until it is gone.

    Raises StepFailed before anything is taken down where it can be known that nothing could come up in its place.
    """
    try:
        existing = deployment(connection)
    except Absent:
        return
    _check_connector(connection, existing)
    _check_deployable(connection, connector, kind=kind)
    if existing.get("status") != "Undeploying":
        undeploy(connection)
    wait_until_gone(connection, patience, clock)


def undeploy(connection: Connection) -> bool:
    """Ask for its removal; whether there was anything to remove."""
    try:
        connection.delete(_path(connection))
    except Absent:
        return False
    return True


def wait_until_deployed(
    connection: Connection, patience: Patience, clock: Clock, environ: Mapping[str, str], tag: str = ""
) -> dict[str, Any]:
    """The deployment once it is up, with that tag if one is named.

    Raises Rejected with the reasons, and when it has values of standard configuration that `environ` does not set: whether a
    redeployment drops what is left out of it is not documented.
    """
    looks_at_another = 0

    def ended(seen: Mapping[str, Any]) -> bool:
        nonlocal looks_at_another
        status = seen.get("status")
        if status == "Deployed":
            another = _another(seen, environ, tag)
            looks_at_another = looks_at_another + 1 if another else 0
            if another and looks_at_another >= _LOOKS_AT_ANOTHER:
                raise another
            return another is None
        looks_at_another = 0
        if status == "Undeploying":
            raise Rejected("it is being taken down", "run the step wait-undeployed, then deploy again")
        if status in ("Failed", "UndeployFailed"):
            build = (seen.get("details") or {}).get("build") or {}
            raise Rejected(
                f"it has ended as {status}", "mend what the report names, then deploy again", reasons(build.get("report"))
            )
        return False

    return wait_for(
        lambda: deployment(connection),
        lambda seen: f"{seen.get('key', connection.config.deployment_key)} is {seen.get('status')}",
        ended,
        patience=patience,
        clock=clock,
        output=connection.output,
        next_step="run the step wait-deployed again; it may take a quarter of an hour",
    )


def wait_until_gone(connection: Connection, patience: Patience, clock: Clock) -> None:
    """Until there is no such deployment. Raises Rejected when it could not be taken down, or nobody has asked for that."""

    def look() -> Mapping[str, Any]:
        try:
            return deployment(connection)
        except Absent:
            return _GONE

    def ended(seen: Mapping[str, Any]) -> bool:
        if seen.get("status") == "UndeployFailed":
            build = (seen.get("details") or {}).get("build") or {}
            raise Rejected("it could not be taken down", "run the step undeploy again", reasons(build.get("report")))
        return seen is _GONE

    wait_for(
        look,
        lambda seen: f"{connection.config.deployment_key} is {seen.get('status')}",
        ended,
        patience=patience,
        clock=clock,
        output=connection.output,
        next_step="run the step wait-undeployed again",
    )


def _another(seen: Mapping[str, Any], environ: Mapping[str, str], tag: str) -> Rejected | None:
    """What is wrong with a deployment that is up, but not as it was asked for."""
    at = tag_of(seen.get("connector") or {})
    if tag and at != tag:
        return Rejected(f"it is up with the tag {at}, not {tag}", "run the step deploy with --replace, then this one")
    if kept := kept_values(seen, environ):
        return Rejected(
            f"it is up, but has values that are not set here: {', '.join(kept)}",
            "run this step with the settings of the step deploy; if it had these, run deploy with --replace, then this one",
        )
    return None


def _created(connection: Connection, wanted: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return connection.post(f"/{connection.config.project}/deployments", wanted)
    except Refused as refusal:
        if refusal.code != "DuplicateField":
            raise
        try:  # made by a try whose answer was lost
            return deployment(connection)
        except Absent:
            raise refusal from None


def _redeployed(connection: Connection, existing: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    key = connection.config.deployment_key
    _check_connector(connection, existing)
    for what, found, asked in (
        ("type", existing.get("type"), wanted.get("type", PREVIEW)),
        ("region", existing.get("deployedRegion"), wanted["region"]),
    ):
        if found and found != asked:  # a redeployment would keep it, and be content
            message = f"the deployment {key} is of the {what} {found}, not {asked}, which a redeployment does not change"
            raise StepFailed(message, f"run the step deploy with --replace, or {_ANOTHER}")
    status = existing.get("status")
    if status not in MAY_BE_REDEPLOYED:
        step = "wait-deployed" if status in IN_PROGRESS else "wait-undeployed"
        raise StepFailed(f"the deployment {key} is {status} and cannot be redeployed now", f"run the step {step}, then this one")
    action = {"action": "redeploy", "updateConnector": True, "configurationValues": list(wanted["configurations"])}
    try:
        return connection.post(_path(connection), {"version": existing["version"], "actions": [action]})
    except Refused as refusal:
        if refusal.code not in ("ConcurrentModification", "DeploymentInvalidStatusTransition"):
            raise
        now = deployment(connection)
        if now.get("status") in IN_PROGRESS:  # begun by a try whose answer was lost
            return now
        raise


def _check_connector(connection: Connection, existing: Mapping[str, Any]) -> None:
    """Raise StepFailed when the deployment is of another connector: two with one key would overwrite each other."""
    key, connector_key = connection.config.deployment_key, connection.config.connector_key
    if (of := (existing.get("connector") or {}).get("key")) != connector_key:
        raise StepFailed(f"the deployment {key} is of the connector {of}, not {connector_key}", _ANOTHER)


def _check_deployable(connection: Connection, connector: Mapping[str, Any], *, kind: str) -> None:
    """Raise StepFailed where Connect would refuse to deploy that connector, as far as the connector says so itself."""
    config = connection.config
    state = connector.get("isPreviewable")
    if kind == PREVIEW and str(state).lower() != "true":
        message = f"nothing is taken down: {tag_of(connector)} may not be deployed yet, isPreviewable is {state}"
        raise StepFailed(message, "run the steps request-preview and wait-preview first")
    regions, projects = connector.get("supportedRegions") or [], connector.get("privateProjects") or []
    if regions and config.region not in regions:
        message = f"nothing is taken down: the connector {config.connector_key} does not support {config.region}"
        raise StepFailed(message, "name a region with CONNECT_REGION that the connector supports")
    if connector.get("private") and projects and config.project_identifier not in projects:
        message = f"nothing is taken down: {config.project_identifier} may not deploy the connector {config.connector_key}"
        raise StepFailed(message, "run the step stage-connector: it lets this project use the connector")


def _path(connection: Connection) -> str:
    return f"/{connection.config.project}/deployments/key={connection.config.deployment_key}"
