"""What differs where Connect runs us (ADR 0018): who guards the endpoint, where dead letters stand, how is logged."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from shared.access import Allowed, Denied, check_push_caller, guarded_by_id_token, refuse_unguarded_bind
from shared.commercetools.client import open_project
from shared.commercetools.dead_letters import CustomObjectDeadLetters
from shared.dead_letter_stores import open_dead_letters
from shared.errors import ConfigError
from shared.settings import LogFormat, Settings, load, load_logging
from shared.sqlite.dead_letters import SqliteDeadLetters

ON_CONNECT = {"ON_CONNECT": "true"}
ON_GOOGLE_CLOUD = {"K_SERVICE": "realtime-event"}
TOKENS = {"PUSH_SERVICE_ACCOUNT": "push@cloud.example.com", "PUSH_AUDIENCE": "audience"}


def _settings(folder: Path, **more: str) -> Settings:
    return load(
        {
            "CT_API_URL": "http://127.0.0.1:9",
            "CT_AUTH_URL": "http://127.0.0.1:9",
            "CT_PROJECT_ID": "acme",
            "CT_API_CLIENT": '{"clientId": "an-id", "secret": "not-a-secret"}',
            "KLAVIYO_AUTH_KEY": "pk_not_a_secret",
            "STATE_PATH": str(folder / "state.sqlite3"),
            **more,
        }
    )


@pytest.mark.parametrize("platform", [ON_CONNECT, ON_GOOGLE_CLOUD, {**ON_CONNECT, **ON_GOOGLE_CLOUD}, {**ON_CONNECT, **TOKENS}])
def test_the_platform_guards_the_endpoint(tmp_path: Path, platform: dict[str, str]) -> None:
    """Connect says so through its bundle, with Cloud Run's name or without; our own check of tokens is not for its callers."""
    settings = _settings(tmp_path, **platform)
    assert settings.hosted
    assert not guarded_by_id_token(settings)
    assert check_push_caller({"Host": "connector.example.com"}, settings) == Allowed()


def test_elsewhere_somebody_else_must(tmp_path: Path) -> None:
    """Without the word of either platform a call by a foreign name is refused, as before."""
    settings = _settings(tmp_path, ON_CONNECT="false")
    assert not settings.hosted
    assert isinstance(check_push_caller({"Host": "connector.example.com"}, settings), Denied)


def test_a_server_of_ones_own_is_not_opened_by_it(tmp_path: Path) -> None:
    """`serve` is not how Connect runs us: set by hand, it does not let the import API listen to others unguarded."""
    settings = _settings(tmp_path, ON_CONNECT="true", BIND_HOST="0.0.0.0")
    assert "BULK_IMPORT_API_KEY" in {problem.field for problem in refuse_unguarded_bind(settings)}


@pytest.mark.parametrize(
    ("platform", "store"),
    [({}, SqliteDeadLetters), (ON_CONNECT, CustomObjectDeadLetters), (ON_GOOGLE_CLOUD, CustomObjectDeadLetters)],
)
def test_dead_letters_stand_where_the_disk_does_not_go(tmp_path: Path, platform: dict[str, str], store: type[object]) -> None:
    """On a platform in the merchant's project, on a machine of one's own in its state file."""
    settings = _settings(tmp_path, **platform)
    with closing(open_project(settings.commercetools)) as connection:
        assert isinstance(open_dead_letters(settings, connection), store)


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [({}, LogFormat.TEXT), (ON_CONNECT, LogFormat.JSON), ({**ON_CONNECT, "LOG_FORMAT": "text"}, LogFormat.TEXT)],
)
def test_logs_are_json_unless_chosen(tmp_path: Path, environ: dict[str, str], wanted: LogFormat) -> None:
    """Also before anything else could be read."""
    assert _settings(tmp_path, **environ).logging.format is wanted
    assert load_logging(environ).format is wanted


def test_a_slip_in_its_value_is_one_problem(tmp_path: Path) -> None:
    """Several read it; it is told once."""
    with pytest.raises(ConfigError) as refused:
        _settings(tmp_path, ON_CONNECT="perhaps")
    assert [(problem.field, problem.message) for problem in refused.value.problems] == [("ON_CONNECT", "must be true or false")]
