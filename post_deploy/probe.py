"""Shows that dead letters can be written: an object in their container, written and removed (decisions.md 15)."""

from __future__ import annotations

from post_deploy.advice import AGAIN, DEAD_LETTERS_SCOPE, scope_advice
from post_deploy.bringing import Project, Report
from shared.commercetools import custom_objects
from shared.commercetools.client import Forbidden
from shared.commercetools.dead_letters import CONTAINER
from shared.errors import AuthError, Interrupted, SyncError
from shared.outcomes import PathKind

KEY = "post-deploy-probe"
"""The object's key; it is no dead letter, so that one that is left over is shown to nobody."""

_NAME = "dead letters"


def probed(project: Project) -> Report:
    """Try it; without the scope the report names it."""
    budget = project.new_budget()
    try:
        custom_objects.put(project.connection, CONTAINER, KEY, {"probe": True}, budget=budget, kind=PathKind.DEAD_LETTERS)
        custom_objects.delete(project.connection, CONTAINER, KEY, budget=budget)
    except SyncError as error:
        forbidden = isinstance(error, Forbidden) or (isinstance(error, AuthError) and error.status == 403)
        what = "no answer in time" if isinstance(error, Interrupted) else str(error)
        next_step = scope_advice(DEAD_LETTERS_SCOPE, project.project_id) if forbidden else AGAIN
        return Report(_NAME, f"FAILED: they cannot be written, {what}", False, next_step)
    return Report(_NAME, "can be written", True)
