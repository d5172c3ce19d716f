"""Who may call the servers (http-api.md "Access")."""

from collections.abc import Mapping
from typing import Any

import pytest

from shared.access import (
    Allowed,
    Denied,
    InvalidToken,
    check_api_key,
    check_push_caller,
    check_task_caller,
    refuse_unguarded_bind,
)
from shared.errors import TransientError
from shared.settings import Settings, load

KEY = {"BULK_IMPORT_API_KEY": "the-key"}
CLOUD = {"K_SERVICE": "sync"}
PUSH = {"PUSH_SERVICE_ACCOUNT": "push@cloud.example.com", "PUSH_AUDIENCE": "https://sync.example.com"}
CLAIMS = {
    "iss": "https://accounts.google.com",
    "aud": "https://sync.example.com",
    "email": "push@cloud.example.com",
    "email_verified": True,
}


def settings_of(*parts: Mapping[str, str]) -> Settings:
    """Settings with these variables."""
    environ = {
        "CT_API_URL": "https://api.example.com",
        "CT_AUTH_URL": "https://auth.example.com",
        "CT_PROJECT_ID": "shop",
        "CT_API_CLIENT": '{"clientId": "client", "secret": "word"}',
        "KLAVIYO_AUTH_KEY": "pk_word",
    }
    for part in parts:
        environ |= part
    return load(environ)


def verifier(claims: Mapping[str, object]) -> Any:
    """A verifier that knows one good token."""

    def verify(token: str) -> Mapping[str, object]:
        if token != "good":
            raise InvalidToken("bad signature")
        return claims

    return verify


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({"X-Api-Key": "the-key"}, True),
        ({"x-api-key": "the-key"}, True),
        ({"Authorization": "Bearer the-key"}, True),
        ({"authorization": "bearer the-key"}, True),
        ({"X-Api-Key": "wrong", "Authorization": "Bearer the-key"}, True),
        ({}, False),
        ({"X-Api-Key": ""}, False),
        ({"X-Api-Key": "the-ke"}, False),
        ({"X-Api-Key": "the-key "}, False),
        ({"X-Api-Key": "thé-key\udcff"}, False),
        ({"Authorization": "Basic the-key"}, False),
        ({"Authorization": "the-key"}, False),
        ({"Authorization": "Bearer"}, False),
    ],
)
def test_with_a_key_set_every_caller_sends_it(headers: dict[str, str], allowed: bool) -> None:
    """As `X-Api-Key` or as a bearer token, also on loopback; the refusal says how."""
    verdict = check_api_key(headers, settings_of(KEY))
    assert isinstance(verdict, Allowed) is allowed
    if isinstance(verdict, Denied):
        assert (verdict.status, verdict.error) == (401, "unauthorized")
        assert "X-Api-Key" in verdict.message
        assert "the-key" not in verdict.message


def test_on_google_cloud_the_key_travels_as_its_own_header() -> None:
    """There `Authorization` carries Google's token."""
    settings = settings_of(KEY, CLOUD)
    assert isinstance(check_api_key({"X-Api-Key": "the-key", "Authorization": "Bearer google"}, settings), Allowed)
    assert isinstance(check_api_key({"Authorization": "Bearer the-key"}, settings), Denied)


def test_without_a_key_the_platform_or_loopback_is_the_guard() -> None:
    """Anything else is refused."""
    assert isinstance(check_api_key({"Host": "sync.example.com"}, settings_of(CLOUD)), Allowed)
    assert isinstance(check_api_key({}, settings_of()), Allowed)
    opened = check_api_key({}, settings_of({"BIND_HOST": "0.0.0.0"}))
    assert isinstance(opened, Denied)
    assert opened.status == 401


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({"Host": "localhost:6779"}, True),
        ({"Host": "127.0.0.1:6779", "Origin": "http://127.0.0.1:6779"}, True),
        ({"Host": "[::1]:6779"}, True),
        ({"Host": "evil.example.com:6779"}, False),
        ({"Host": "[::1"}, False),
        ({"Host": "localhost:6779", "Origin": "https://evil.example.com"}, False),
        ({"Host": "localhost:6779", "Origin": "http://localhost:3000"}, False),
        ({"Host": "localhost:6779", "Origin": "null"}, False),
    ],
)
def test_a_page_of_another_site_cannot_call_the_unguarded_server(headers: dict[str, str], allowed: bool) -> None:
    """Neither across origins nor by a name that points to this machine; the status page itself may."""
    verdict = check_api_key(headers, settings_of())
    assert isinstance(verdict, Allowed) is allowed
    if isinstance(verdict, Denied):
        assert verdict.status == 403


def test_local_tasks_carry_the_supervisors_key() -> None:
    """Without it, or when there is none, a task is refused; on Google Cloud it counts for nothing."""
    local = {"LOCAL_TASK_KEY": "task-key"}
    sent = {"x-local-task-key": "task-key"}
    assert isinstance(check_task_caller(sent, settings_of(local)), Allowed)
    assert isinstance(check_task_caller({"X-Local-Task-Key": "wrong"}, settings_of(local)), Denied)
    assert isinstance(check_task_caller({}, settings_of(local)), Denied)
    assert isinstance(check_task_caller(sent, settings_of()), Denied)
    assert isinstance(check_task_caller(sent, settings_of(local, CLOUD)), Denied)


@pytest.mark.parametrize(
    ("parts", "headers", "status"),
    [
        ([], {"Host": "localhost:8080"}, None),
        ([], {"Host": "127.0.0.1:8080", "Origin": "http://127.0.0.1:8080"}, None),
        ([], {}, None),
        ([], {"Host": "sync.example.com"}, 403),
        ([], {"Host": "localhost:8080", "Origin": "https://evil.example.com"}, 403),
        ([{"BIND_HOST": "0.0.0.0"}], {"Host": "localhost:8080"}, 401),
        ([KEY], {"Host": "localhost:8080"}, None),
        ([CLOUD], {"Host": "sync.example.com"}, None),
        ([CLOUD, PUSH], {"Host": "sync.example.com"}, None),
        ([PUSH], {"Host": "localhost:8080"}, 401),
        ([PUSH], {"Host": "localhost:8080", "Authorization": "Bearer bad"}, 401),
        ([PUSH], {"Host": "localhost:8080", "Authorization": "good"}, 401),
        ([PUSH], {"Host": "localhost:8080", "Authorization": "Bearer good"}, None),
        ([PUSH, {"BIND_HOST": "0.0.0.0"}], {"Host": "sync.example.com", "Authorization": "Bearer good"}, None),
        ([PUSH, {"BIND_HOST": "0.0.0.0"}], {"Host": "sync.example.com"}, 401),
    ],
)
def test_a_notification_comes_from_the_platform_from_loopback_or_with_a_token(
    parts: list[dict[str, str]], headers: dict[str, str], status: int | None
) -> None:
    """Where tokens are configured they are asked for, also on loopback; the key of the import API is no matter."""
    verdict = check_push_caller(headers, settings_of(*parts), verifier(CLAIMS))
    assert (verdict.status if isinstance(verdict, Denied) else None) == status


def test_the_api_key_opens_no_task_endpoint() -> None:
    """Tasks are not for people."""
    assert isinstance(check_task_caller({"X-Api-Key": "the-key"}, settings_of(KEY)), Denied)


@pytest.mark.parametrize(
    ("changed", "allowed"),
    [
        ({}, True),
        ({"iss": "accounts.google.com"}, True),
        ({"iss": "https://issuer.example.com"}, False),
        ({"aud": "https://other.example.com"}, False),
        ({"aud": None}, False),
        ({"email": "other@cloud.example.com"}, False),
        ({"email_verified": False}, False),
        ({"email_verified": "true"}, False),
    ],
)
def test_a_google_token_must_be_of_our_account_and_for_us(changed: dict[str, object], allowed: bool) -> None:
    """Issuer, audience, account and its verification are all compared."""
    verdict = check_task_caller({"Authorization": "Bearer good"}, settings_of(PUSH), verifier({**CLAIMS, **changed}))
    assert isinstance(verdict, Allowed) is allowed


def test_a_token_counts_only_when_it_can_be_verified() -> None:
    """No verifier, a refused or absent token, or no account to compare with: denied."""
    good = {"Authorization": "Bearer good"}
    assert isinstance(check_task_caller(good, settings_of(PUSH)), Denied)
    assert isinstance(check_task_caller({"Authorization": "Bearer bad"}, settings_of(PUSH), verifier(CLAIMS)), Denied)
    assert isinstance(check_task_caller({}, settings_of(PUSH), verifier(CLAIMS)), Denied)
    assert isinstance(check_task_caller(good, settings_of(), verifier({**CLAIMS, "aud": "", "email": ""})), Denied)


def test_unreachable_keys_of_google_are_no_refusal() -> None:
    """The message is delivered again."""

    def unreachable(_token: str) -> Mapping[str, object]:
        raise TransientError("no answer")

    for check in (check_task_caller, check_push_caller):
        with pytest.raises(TransientError):
            check({"Authorization": "Bearer good"}, settings_of(PUSH), unreachable)


@pytest.mark.parametrize(
    ("parts", "fields"),
    [
        ([], []),
        ([{"BIND_HOST": "localhost"}], []),
        ([{"BIND_HOST": "0.0.0.0"}, CLOUD], []),
        ([{"BIND_HOST": "0.0.0.0"}], ["BULK_IMPORT_API_KEY", "PUSH_SERVICE_ACCOUNT"]),
        ([{"BIND_HOST": "::"}, KEY, PUSH], []),
        ([{"BIND_HOST": "0.0.0.0", "APP_TYPE": "BULK_IMPORT"}], ["BULK_IMPORT_API_KEY"]),
        ([{"BIND_HOST": "0.0.0.0", "APP_TYPE": "BULK_IMPORT"}, KEY], []),
        ([{"BIND_HOST": "0.0.0.0", "APP_TYPE": "EVENT"}], ["PUSH_SERVICE_ACCOUNT"]),
    ],
)
def test_a_server_open_to_others_does_not_start_unguarded(parts: list[dict[str, str]], fields: list[str]) -> None:
    """Each server needs its own guard; the problem says what to set."""
    problems = refuse_unguarded_bind(settings_of(*parts))
    assert [problem.field for problem in problems] == fields
    assert all("BIND_HOST" in problem.message for problem in problems)
