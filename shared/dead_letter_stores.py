"""Which store of dead letters a process has: the only place that chooses it (decisions.md 12, 15)."""

from __future__ import annotations

from shared.commercetools.client import CommercetoolsClient
from shared.commercetools.dead_letters import CustomObjectDeadLetters
from shared.dead_letters import DeadLetters
from shared.settings import Settings, StateBackend


def open_dead_letters(settings: Settings, commercetools: CommercetoolsClient) -> DeadLetters:
    """The state file where this machine keeps one, else the merchant's project (product.md "Where it runs")."""
    if settings.hosted or settings.state.state_backend is not StateBackend.SQLITE:
        return CustomObjectDeadLetters(commercetools)
    from shared.sqlite.database import state_file
    from shared.sqlite.dead_letters import SqliteDeadLetters

    return SqliteDeadLetters(state_file(settings.state.state_path))
