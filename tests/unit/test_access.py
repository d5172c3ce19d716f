"""Who may call the servers (http-api.md "Access")."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from functions_framework._http.gunicorn import GunicornApplication

from shared.access import (
    CHECKED_TOKEN_SKEW_S,
    SIGNATURE_REMOVED,
    Allowed,
    Denied,
    InvalidToken,
    TaskFault,
    VerifyIdToken,
    check_api_key,
    check_push_caller,
    check_task_caller,
    refuse_unfit_import,
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


NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
IN_AN_HOUR = int(NOW.timestamp()) + 3_600


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


def task_verdict(headers: Mapping[str, str], settings: Settings, verify: VerifyIdToken | None = None) -> Allowed | Denied:
    """Whether these headers are those of the queue."""
    return check_task_caller(headers, settings, verify, now=NOW)


def task_fault(headers: Mapping[str, str], settings: Settings, verify: VerifyIdToken | None = None) -> TaskFault | None:
    """Why these headers are not those of the queue; None when they are. All faults are answered alike."""
    verdict = task_verdict(headers, settings, verify)
    if isinstance(verdict, Allowed):
        return None
    assert (verdict.status, verdict.message) == (401, "this endpoint is for the queue's own deliveries")
    return verdict.fault


def checked(content: object = None, **changed: object) -> str:
    """A token as Cloud Run hands it on: the claims, and a remark in place of the signature."""
    claims = {**CLAIMS, "exp": IN_AN_HOUR, **changed} if content is None else content
    parts = [json.dumps({"alg": "RS256", "kid": "key-1"}), claims if isinstance(claims, str) else json.dumps(claims)]
    encoded = [base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, SIGNATURE_REMOVED])


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
    assert task_fault(sent, settings_of(local)) is None
    assert task_fault({"X-Local-Task-Key": "wrong"}, settings_of(local)) is TaskFault.NO_TASK_KEY
    assert task_fault({}, settings_of(local)) is TaskFault.NO_TASK_KEY
    assert task_fault(sent, settings_of()) is TaskFault.NOT_CONFIGURED
    assert task_fault(sent, settings_of(local, CLOUD)) is TaskFault.NOT_CONFIGURED
    assert task_fault(sent, settings_of(local, CLOUD, PUSH), verifier(CLAIMS)) is TaskFault.ANONYMOUS


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
    assert isinstance(task_verdict({"X-Api-Key": "the-key"}, settings_of(KEY)), Denied)


OF_OTHERS = [
    ({"iss": "https://issuer.example.com"}, TaskFault.OTHER_ISSUER),
    ({"iss": ["https://accounts.google.com"]}, TaskFault.OTHER_ISSUER),
    ({"aud": "https://other.example.com"}, TaskFault.OTHER_AUDIENCE),
    ({"aud": ["https://sync.example.com"]}, TaskFault.OTHER_AUDIENCE),
    ({"aud": None}, TaskFault.OTHER_AUDIENCE),
    ({"email": "other@cloud.example.com"}, TaskFault.OTHER_ACCOUNT),
    ({"email": None}, TaskFault.OTHER_ACCOUNT),
    ({"email_verified": False}, TaskFault.EMAIL_NOT_VERIFIED),
    ({"email_verified": "true"}, TaskFault.EMAIL_NOT_VERIFIED),
]
"""Claims with something changed, and why that is not the queue."""


@pytest.mark.parametrize(("changed", "fault"), [({}, None), ({"iss": "accounts.google.com"}, None), *OF_OTHERS], ids=str)
@pytest.mark.parametrize("place", [[], [CLOUD]], ids=["elsewhere", "google_cloud"])
def test_a_google_token_must_be_of_our_account_and_for_us(
    place: list[dict[str, str]], changed: dict[str, object], fault: TaskFault | None
) -> None:
    """Issuer, audience, account and its verification are all compared, wherever a signed token is verified."""
    verify = verifier({**CLAIMS, **changed})
    assert task_fault({"Authorization": "Bearer good"}, settings_of(PUSH, *place), verify) is fault


def test_a_token_counts_only_when_it_can_be_verified() -> None:
    """No verifier, a refused or absent token, or no account to compare with: denied."""
    good = {"Authorization": "Bearer good"}
    assert task_fault(good, settings_of(PUSH)) is TaskFault.NOT_GENUINE
    assert task_fault({"Authorization": "Bearer bad"}, settings_of(PUSH), verifier(CLAIMS)) is TaskFault.NOT_GENUINE
    assert task_fault({}, settings_of(PUSH), verifier(CLAIMS)) is TaskFault.ANONYMOUS
    assert task_fault(good, settings_of(), verifier({**CLAIMS, "aud": "", "email": ""})) is TaskFault.NOT_CONFIGURED


def test_unreachable_keys_of_google_are_no_refusal() -> None:
    """The message is delivered again."""

    def unreachable(_token: str) -> Mapping[str, object]:
        raise TransientError("no answer")

    for check in (task_verdict, check_push_caller):
        with pytest.raises(TransientError):
            check({"Authorization": "Bearer good"}, settings_of(PUSH), unreachable)


OURS = f"Bearer {checked()}"
ANOTHERS = f"Bearer {checked(email='other@cloud.example.com')}"
BEHIND_CLOUD_RUN: dict[str, tuple[dict[str, str], TaskFault | None]] = {
    "the queue": ({"Authorization": OURS}, None),
    "the queue, in small letters": ({"authorization": OURS.replace("Bearer", "bearer")}, None),
    "the queue, by the platform's header": ({"X-Serverless-Authorization": OURS}, None),
    "the queue, with something else beside it": ({"x-serverless-authorization": OURS, "Authorization": "Bearer x"}, None),
    "a signature that the platform left": ({"Authorization": "Bearer good"}, None),
    "a signature that the platform left in its header": ({"X-Serverless-Authorization": "Bearer good"}, None),
    # the platform looks at one header only, and says nothing of the other
    "a good token in the other header": (
        {"X-Serverless-Authorization": "Bearer bad", "Authorization": "Bearer good"},
        TaskFault.NOT_GENUINE,
    ),
    "a good token beside nothing": ({"X-Serverless-Authorization": "", "Authorization": "Bearer good"}, TaskFault.ANONYMOUS),
    "a good token beside that of another account": (
        {"X-Serverless-Authorization": ANOTHERS, "Authorization": "Bearer good"},
        TaskFault.OTHER_ACCOUNT,
    ),
    "a forged remark beside another account": ({"X-Serverless-Authorization": ANOTHERS, "Authorization": OURS}, TaskFault.FORGED),
    "a forged remark beside a good token": (
        {"X-Serverless-Authorization": "Bearer good", "Authorization": OURS},
        TaskFault.FORGED,
    ),
    "a forged remark beside an empty header": ({"X-Serverless-Authorization": "", "Authorization": OURS}, TaskFault.FORGED),
    "a forged remark in a header that came twice": (
        {"X-Serverless-Authorization": OURS, "Authorization": f"{OURS},Bearer x"},
        TaskFault.FORGED,
    ),
    "two remarks": ({"X-Serverless-Authorization": OURS, "Authorization": OURS}, TaskFault.FORGED),
    # how a header reaches us that came twice
    "twice": ({"Authorization": f"{ANOTHERS},{OURS}"}, TaskFault.UNREADABLE),
    "twice, a fragment first": ({"Authorization": f"Bearer good,{OURS}"}, TaskFault.UNREADABLE),
    "twice, a fragment last": ({"Authorization": f"{OURS},Bearer good"}, TaskFault.NOT_GENUINE),
    "the platform's header twice": ({"X-Serverless-Authorization": f"{ANOTHERS},{OURS}"}, TaskFault.UNREADABLE),
    # nothing, or nothing that could be read
    "no token": ({}, TaskFault.ANONYMOUS),
    "no scheme": ({"Authorization": checked()}, TaskFault.ANONYMOUS),
    "another scheme": ({"Authorization": OURS.replace("Bearer", "Basic")}, TaskFault.ANONYMOUS),
    "a remark cut off": ({"Authorization": OURS[:-1]}, TaskFault.NOT_GENUINE),
    "a remark in small letters": ({"Authorization": OURS.replace("REMOVED", "removed")}, TaskFault.NOT_GENUINE),
    "the remark alone": ({"Authorization": f"Bearer {SIGNATURE_REMOVED}"}, TaskFault.UNREADABLE),
    "claims that are no base64": ({"Authorization": f"Bearer a.b.{SIGNATURE_REMOVED}"}, TaskFault.UNREADABLE),
    "claims of other characters": ({"Authorization": f"Bearer a.é%.{SIGNATURE_REMOVED}"}, TaskFault.UNREADABLE),
    "no claims": ({"Authorization": f"Bearer a..{SIGNATURE_REMOVED}"}, TaskFault.UNREADABLE),
    "a part too many": ({"Authorization": f"Bearer a.{checked()}"}, TaskFault.UNREADABLE),
    "claims that are a list": ({"Authorization": f"Bearer {checked('[]')}"}, TaskFault.UNREADABLE),
    "claims that are no JSON": ({"Authorization": f"Bearer {checked('{')}"}, TaskFault.UNREADABLE),
    "claims that are too deep": ({"Authorization": f"Bearer {checked('[' * 5_000)}"}, TaskFault.UNREADABLE),
    "claims of nothing": ({"Authorization": f"Bearer {checked('{}')}"}, TaskFault.EXPIRED),
}  # fmt: skip


@pytest.mark.parametrize("situation", BEHIND_CLOUD_RUN)
def test_on_google_cloud_the_token_that_the_platform_has_checked_is_believed(situation: str) -> None:
    """Cloud Run removes its signature, so only its claims are compared; any other token is verified, and none counts twice."""
    headers, fault = BEHIND_CLOUD_RUN[situation]
    assert task_fault(headers, settings_of(CLOUD, PUSH), verifier(CLAIMS)) is fault


@pytest.mark.parametrize(("changed", "fault"), OF_OTHERS, ids=str)
@pytest.mark.parametrize("header", ["Authorization", "X-Serverless-Authorization"])
def test_a_caller_whom_the_platform_lets_in_is_not_yet_the_queue(
    header: str, changed: dict[str, object], fault: TaskFault | None
) -> None:
    """People may call the dispatcher, too: they hold the same role."""
    assert task_fault({header: f"Bearer {checked(**changed)}"}, settings_of(CLOUD, PUSH)) is fault


@pytest.mark.parametrize(
    ("ended_s_ago", "fault"),
    [
        (-3_600, None),
        (0, None),
        (CHECKED_TOKEN_SKEW_S - 1, None),
        (CHECKED_TOKEN_SKEW_S, TaskFault.EXPIRED),
        (86_400, TaskFault.EXPIRED),
    ],
)
def test_a_checked_token_is_good_for_a_while_after_its_end(ended_s_ago: float, fault: TaskFault | None) -> None:
    """The platform has looked at the time when the request came; it may have waited for an instance to start."""
    headers = {"Authorization": f"Bearer {checked(exp=NOW.timestamp() - ended_s_ago)}"}
    assert task_fault(headers, settings_of(CLOUD, PUSH)) is fault


@pytest.mark.parametrize("end", [None, "never", True, [IN_AN_HOUR], 10**400, 1e300], ids=lambda end: str(end)[:8])
def test_a_checked_token_without_an_end_is_refused(end: object) -> None:
    """It would be good for ever, as would one that ends behind all moments there are."""
    assert task_fault({"Authorization": f"Bearer {checked(exp=end)}"}, settings_of(CLOUD, PUSH)) is TaskFault.EXPIRED


@pytest.mark.parametrize("header", ["Authorization", "X-Serverless-Authorization"])
def test_elsewhere_nobody_is_believed_without_a_signature(header: str) -> None:
    """Anybody can write the platform's remark where there is no platform; its header says nothing there either."""
    fault = TaskFault.FORGED if header == "Authorization" else TaskFault.ANONYMOUS
    headers = {header: f"Bearer {checked()}", "Host": "sync.example.com"}
    assert task_fault(headers, settings_of(PUSH), verifier(CLAIMS)) is fault
    assert isinstance(check_push_caller(headers, settings_of(PUSH), verifier(CLAIMS)), Denied)


def test_another_spelling_of_a_header_does_not_reach_us() -> None:
    """`X_Serverless_Authorization`, which Cloud Run does not know, must not become the header that we believe."""
    assert GunicornApplication(None, "127.0.0.1", 0, False).cfg.header_map == "drop"
    smuggled = {"Authorization": ANOTHERS, "X-Serverless-Authorization": OURS}
    assert task_fault(smuggled, settings_of(CLOUD, PUSH)) is TaskFault.FORGED, "and if it did"


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


ADAPTERS = {"STATE_BACKEND": "firestore", "QUEUE_BACKEND": "pubsub"}


@pytest.mark.parametrize(
    ("parts", "fields"),
    [
        ([], []),
        ([PUSH], []),
        ([CLOUD, PUSH, ADAPTERS], []),
        ([CLOUD, ADAPTERS], ["PUSH_SERVICE_ACCOUNT"]),
        ([CLOUD, PUSH], ["STATE_BACKEND", "QUEUE_BACKEND"]),
        ([CLOUD, PUSH, ADAPTERS, {"QUEUE_BACKEND": "sqlite"}], ["QUEUE_BACKEND"]),
        ([CLOUD, {"LOCAL_TASK_KEY": "task-key"}], ["PUSH_SERVICE_ACCOUNT", "STATE_BACKEND", "QUEUE_BACKEND"]),
    ],
)
def test_an_import_that_could_never_move_does_not_start_on_google_cloud(parts: list[dict[str, str]], fields: list[str]) -> None:
    """It needs to know the queue's account, and a state that outlives an instance; the problem says what to set."""
    problems = refuse_unfit_import(settings_of(*parts))
    assert [problem.field for problem in problems] == fields
    for problem in problems:
        assert {"PUSH_SERVICE_ACCOUNT": "PUSH_AUDIENCE", "STATE_BACKEND": "firestore", "QUEUE_BACKEND": "pubsub"}[
            problem.field
        ] in problem.message
