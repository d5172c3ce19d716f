"""Without the extra `google`, choosing Firestore or Pub/Sub is a matter of settings, said at the start."""

from __future__ import annotations

import sys

import pytest

from shared.bulk.wiring import open_state
from shared.commercetools.client import open_commercetools
from shared.errors import ConfigError, Problem
from shared.google.errors import LACKS_CLIENTS
from shared.settings import load

SETTINGS = {
    "CT_API_URL": "http://127.0.0.1:1",
    "CT_AUTH_URL": "http://127.0.0.1:1",
    "CT_PROJECT_ID": "sandbox",
    "CT_API_CLIENT": '{"clientId": "sandbox-client", "secret": "sandbox-secret"}',
    "KLAVIYO_AUTH_KEY": "pk_sandbox_0123456789",
}


@pytest.mark.parametrize(
    ("variable", "backend", "adapter", "client"),
    [
        ("STATE_BACKEND", "firestore", "shared.google.run_store", "google.cloud.firestore"),
        ("QUEUE_BACKEND", "pubsub", "shared.google.queue", "google.pubsub_v1"),
    ],
)
def test_the_variable_that_asks_for_what_is_not_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object, variable: str, backend: str, adapter: str, client: str
) -> None:
    """With what to install."""
    monkeypatch.delitem(sys.modules, adapter, raising=False)
    monkeypatch.setitem(sys.modules, client, None)  # by the import system's own definition: it cannot be imported
    settings = load({**SETTINGS, variable: backend, "STATE_PATH": f"{tmp_path}/state.sqlite3"})
    commercetools = open_commercetools(
        api_url=SETTINGS["CT_API_URL"], auth_url=SETTINGS["CT_AUTH_URL"], project_id="sandbox", client_id="id", secret="secret"
    )
    with pytest.raises(ConfigError) as refused:
        open_state(settings, commercetools)
    assert refused.value.problems == (Problem(variable, LACKS_CLIENTS),)
    commercetools.close()
