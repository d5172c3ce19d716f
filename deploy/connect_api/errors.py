"""What can go wrong with a step, and what to do then. Wrong settings are `shared.errors.ConfigError`.

StepFailed
├── Refused          the API answered with an error: `status`, `code`
│   └── Absent       404
├── Unreachable      no answer, or none but 429 and 5xx
├── Rejected         a validation or a deployment has failed; carries what its report says
├── TimedOut         it did not come to an end in the time given
└── GitFailed        git, or what it works on
"""

from __future__ import annotations

from collections.abc import Sequence

_NEXT = {
    "invalid_client": "check clientId and secret in CONNECT_API_CLIENT, and that CT_AUTH_URL is of the same region",
    "invalid_token": "check that CT_AUTH_URL and the Connect API are of the same region",
    "insufficient_scope": "give the API client in CONNECT_API_CLIENT manage_connectors and manage_connectors_deployments",
    "access_denied": "run the step stage-connector: it lets this project use the connector",
    "GitRepositoryNotReachable": "check the address and that the tag is pushed; a private repository needs its SSH address, "
    "and read access for the GitHub user connect-mu",
    "ConnectorSpecificationFileNotFound": "name a tag that has connect.yaml at its root: that of a bundle "
    "(made by the step push-bundle)",
    "ConnectorSpecificationFileNotValid": "check connect.yaml at the root of that tag",
    "ConnectorStagedNotPreviewable": "run the steps request-preview and wait-preview first",
    "ConnectorStagedPreviewRequestUnderProcess": "run the step wait-preview, then this one again",
    "ConnectorStagedInCertification": "wait for the end of the certification, or use another CONNECT_CONNECTOR_KEY",
    "DeploymentUnsupportedRegion": "name a region with CONNECT_REGION that the connector supports",
    "DeploymentUnknownApplicationConfiguration": "run the step stage-connector: connect.yaml has changed",
    "DeploymentUnknownApplicationConfigurationKey": "run the step stage-connector: connect.yaml has changed",
    "DeploymentInvalidStatusTransition": "run the step wait-deployed, or wait-undeployed, then this one again",
    "DeploymentConnectorUpdateFailure": "run the step deploy with --replace",
    "DeploymentProductionDeactivated": "use --type sandbox, or a project that is not a trial",
    "ConnectorReferenceNotFound": "run this step again: the connector was changed meanwhile",
    "ConcurrentModification": "run this step again: somebody else changes the same thing",
    "DuplicateField": "choose another key",
}
_NEXT_BY_STATUS = {
    401: _NEXT["invalid_token"],
    403: _NEXT["insufficient_scope"],
    404: "check CT_PROJECT_ID, CONNECT_CONNECTOR_KEY, CONNECT_DEPLOYMENT_KEY and the region",
}


class StepFailed(Exception):
    """A step could not do what it is for; `next_step` is what a person may do."""

    def __init__(self, message: str, next_step: str = "", details: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.next_step = next_step
        self.details = tuple(details)


class Refused(StepFailed):
    """An answer other than 2xx; `code` is the API's word for the reason."""

    def __init__(self, status: int, code: str, message: str, operation: str) -> None:
        self.status, self.code = status, code
        told = f"{operation}: {status} {code}: {message}" if code != message else f"{operation}: {status} {code}"
        super().__init__(told, _NEXT.get(code) or _NEXT_BY_STATUS.get(status, ""))


class Absent(Refused):
    """404: there is no such thing, or not any more."""


class Unreachable(StepFailed):
    """No answer within the tries that a step makes; it may work later."""


class Rejected(StepFailed):
    """A validation or a deployment has ended badly."""


class TimedOut(StepFailed):
    """The time that a step was given is over; what it waited for may still happen."""


class GitFailed(StepFailed):
    """A git command ended with an error, or what it found is not what it should be."""
