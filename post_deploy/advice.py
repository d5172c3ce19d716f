"""What a person does about a subscription that could not be made, or that does not deliver. Pure."""

from __future__ import annotations

from post_deploy.destinations import Destination, Foreign
from post_deploy.held import DELIVERY_STOPPED
from shared.errors import AuthError, PermanentError, SyncError, TransientError

SUBSCRIPTIONS_SCOPE = "manage_subscriptions"
DEAD_LETTERS_SCOPE = "manage_key_value_documents"
MOST_SUBSCRIPTIONS = 50
"""Subscriptions that a project may have (commercetools.md 1)."""

AGAIN = "run it again"


def after_error(error: SyncError, destination: Destination | None, project_id: str) -> str:
    """The next step after an error; `destination` is None where nothing was to be delivered."""
    match error:
        case AuthError(status=403):
            return scope_advice(SUBSCRIPTIONS_SCOPE, project_id)
        case AuthError():
            return "mend that and run it again"
        case PermanentError(reason="MaxResourceLimitExceeded"):
            return f"the project has all of its {MOST_SUBSCRIPTIONS} subscriptions; remove one that nobody needs and run it again"
        case PermanentError() if destination is not None:
            return (
                f"most likely it cannot deliver: the {destination} must exist; {destination.right_to_publish}, and run it again"
            )
        case TransientError():
            return "run it again; if it never answers, check CT_API_URL and CT_AUTH_URL"
        case _:
            return AGAIN


def scope_advice(scope: str, project_id: str) -> str:
    """The next step where a scope is missing."""
    return f"give the API client the scope {scope}:{project_id} (in CT_SCOPES too, if that is set) and run it again"


def after_status(status: str, destination: Destination | Foreign) -> str:
    """The next step where a subscription is as wanted, but not healthy (the API's SubscriptionHealthStatus)."""
    if status == "ConfigurationError":
        return f"the {destination} must exist; {destination.right_to_publish}; what waits is delivered then"
    if status == DELIVERY_STOPPED:
        return (
            f"the {destination} must exist; {destination.right_to_publish}; run it again, and then an import, for what was lost"
        )
    if status == "ManuallySuspended":
        return "ask the support of commercetools to resume it; then run an import, for what was lost"
    return "commercetools says that it will pass; look again later with --check"
