"""Deployments: created, redeployed, undeployed, and the values of their configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sandbox.connect_api.connectors import Connectors
from sandbox.connect_api.rules import BUILD_FAILED, ApiError, Body, Outcomes, check_key, check_version, found, report

REGIONS = ("europe-west1.gcp", "us-central1.gcp", "australia-southeast1.gcp", "us-east-2.aws", "eu-central-1.aws")
MAY_BE_REDEPLOYED = ("Draft", "Deployed", "Failed", "UndeployFailed")
_KINDS = ("standardConfiguration", "securedConfiguration")


@dataclass(slots=True)
class Deployments:
    """The deployments of one project."""

    project_key: str
    outcomes: Outcomes
    connectors: Connectors
    all: dict[str, Body] = field(default_factory=dict)
    _late: dict[str, Body] = field(default_factory=dict)

    def create(self, draft: Body) -> Body:
        """Create one; it is queued."""
        check_key(self.all, draft)
        reference, region = draft["connector"], draft["region"]
        staged = bool(reference.get("staged"))
        connector = self._connector(reference["key"], staged=staged)
        if connector["version"] != reference["version"]:
            raise ApiError(400, "ConnectorReferenceNotFound", "The Connector of that version was not found.")
        if connector["private"] and f"{region}:{self.project_key}" not in connector["privateProjects"]:
            raise ApiError(403, "access_denied", f"{region}:{self.project_key} may not deploy this Connector.")
        if staged and connector["isPreviewable"] != "true":
            raise ApiError(400, "ConnectorStagedNotPreviewable", "The ConnectorStaged is not previewable.")
        if staged and draft.get("type", "preview") != "preview":
            raise ApiError(400, "DeploymentInvalidType", "A ConnectorStaged can only be deployed as preview.")
        if region not in (connector["supportedRegions"] or REGIONS):
            raise ApiError(400, "DeploymentUnsupportedRegion", f"Deployment unsupported region {region}")
        self.all[draft["key"]] = deployment = {
            "id": f"deployment-{len(self.all) + 1}",
            "key": draft["key"],
            "version": 1,
            "type": draft.get("type", "preview" if staged else "sandbox"),
            "preview": staged,
            "connector": dict(connector),
            "deployedRegion": region,
            "applications": _applications(connector, draft["configurations"]),
            "details": {"build": {"id": "build-1"}},
            "status": "Queued",
        }
        self.outcomes.begin(deployment["id"])
        return deployment

    def redeploy(self, deployment: Body, update: Body) -> None:
        """Carry out the one update action that there is."""
        check_version(deployment, update)
        [action] = update["actions"]
        if action["action"] != "redeploy":
            raise ApiError(400, "InvalidJsonInput", f"The action {action['action']} is unknown.")
        if deployment["status"] not in MAY_BE_REDEPLOYED:
            message = f"Invalid status change: Already {deployment['status'].lower()}"
            raise ApiError(400, "DeploymentInvalidStatusTransition", message)
        if action.get("updateConnector") and self.outcomes.redeploy == "refused":
            raise ApiError(400, "DeploymentConnectorUpdateFailure", f"Deployment with key={deployment['key']} failed to update.")
        if action.get("updateConnector") and self.outcomes.redeploy != "ignored":
            connector = dict(self._connector(deployment["connector"]["key"], staged=deployment["preview"]))
            if self.outcomes.redeploy == "late":
                self._late[deployment["id"]] = connector
            else:
                deployment["connector"] = connector
        if action.get("configurationValues"):
            before = deployment["applications"] if self.outcomes.values == "merged" else []
            deployment["applications"] = _applications(deployment["connector"], action["configurationValues"], before)
        deployment |= {"status": "Queued", "version": deployment["version"] + 1}
        deployment["details"]["build"].pop("report", None)
        self.outcomes.begin(deployment["id"])

    def undeploy(self, deployment: Body) -> None:
        """Begin to take it down."""
        deployment |= {"status": "Undeploying", "version": deployment["version"] + 1}
        self.outcomes.begin(deployment["id"])

    def look(self, deployment: Body) -> Body:
        """Read one; what is in progress comes nearer to its end. Raises ApiError 404 once it is gone."""
        status, outcomes = deployment["status"], self.outcomes
        if status == "Queued" and outcomes.looks:
            deployment["status"] = "Deploying"
        elif status in ("Queued", "Deploying") and outcomes.deployment != "hangs" and not outcomes.in_progress(deployment["id"]):
            failed = outcomes.deployment == "failed"
            deployment["status"] = "Failed" if failed else "Deployed"
            deployment["details"]["build"]["report"] = report(BUILD_FAILED if failed else None)
        elif status == "Deployed":  # a redeployment that is `late` shows its connector one look after it is up
            deployment["connector"] = self._late.pop(deployment["id"], deployment["connector"])
        elif status == "Undeploying" and not outcomes.in_progress(deployment["id"]):
            if outcomes.undeploy == "gone":
                del self.all[deployment["key"]]
            else:
                deployment["status"] = "UndeployFailed"
        return found(self.all, f"key={deployment['key']}")

    def _connector(self, key: str, *, staged: bool) -> Body:
        return found(self.connectors.staged if staged else self.connectors.published, f"key={key}")


def shown(deployment: Body) -> Body:
    """As the API shows it: the values of secured configuration are not told again."""
    applications = [
        {**one, "securedConfiguration": [{"key": pair["key"]} for pair in one["securedConfiguration"]]}
        for one in deployment["applications"]
    ]
    return {**deployment, "applications": applications}


def _applications(connector: Body, given: list[Body], before: Sequence[Body] = ()) -> list[Body]:
    """The applications with their values, and those of `before` that are not given; refuses what `connect.yaml` does not know."""
    known = {one["applicationName"]: one for one in connector["configurations"]}
    for one in given:
        name = one["applicationName"]
        if name not in known:
            message = f"Deployment does not require configuration for application named '{name}'."
            raise ApiError(400, "DeploymentUnknownApplicationConfiguration", message)
        for kind in _KINDS:
            unknown = {pair["key"] for pair in one[kind]} - {key["key"] for key in known[name][kind]}
            if unknown:
                message = f"Deployment does not require configuration with key {min(unknown)} for application named {name}."
                raise ApiError(400, "DeploymentUnknownApplicationConfigurationKey", message)
    return [{"id": f"application-{number}", **_merged(one, before)} for number, one in enumerate(given, 1)]


def _merged(given: Body, before: Sequence[Body]) -> Body:
    older = next((one for one in before if one["applicationName"] == given["applicationName"]), None)
    if older is None:
        return given
    kept = {kind: [pair for pair in older[kind] if pair["key"] not in {it["key"] for it in given[kind]}] for kind in _KINDS}
    return {**given, **{kind: [*given[kind], *kept[kind]] for kind in _KINDS}}
