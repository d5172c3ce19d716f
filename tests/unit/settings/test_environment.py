"""The environment: one frozen object, or one error with every problem (configuration.md "Environment")."""

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared.errors import ConfigError
from shared.settings import (
    AppType,
    LogFormat,
    LogLevel,
    QueueBackend,
    Secret,
    Settings,
    StateBackend,
    SubscriptionDestination,
    environment,
    is_loopback,
    load,
    load_logging,
    serves_bulk,
    serves_realtime,
)
from shared.settings.__main__ import main
from shared.settings.environment import KNOWN_NAMES, VARIABLES, Audience
from shared.settings.reference import document_table, env_example, variables_table

ROOT = Path(__file__).parents[3]

REQUIRED = {
    "CT_API_URL": "https://api.example.com",
    "CT_AUTH_URL": "https://auth.example.com/",
    "CT_PROJECT_ID": "shop-1",
    "CT_API_CLIENT": '{"clientId": "client", "secret": "canary-client-secret"}',
    "KLAVIYO_AUTH_KEY": "pk_canary-klaviyo",
}


def clear_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every variable of the product out of this process's environment."""
    for name in KNOWN_NAMES:
        monkeypatch.delenv(name, raising=False)


def ours(environ: dict[str, str]) -> dict[str, str]:
    """The product's variables of an environment."""
    return {name: value for name, value in environ.items() if name in KNOWN_NAMES}


def settings_of(**variables: str) -> Settings:
    """Settings of the required variables and these."""
    return load({**REQUIRED, **variables})


def problems_of(environ: dict[str, str]) -> dict[str, list[str]]:
    """The messages of an environment's problems, by variable."""
    with pytest.raises(ConfigError) as refused:
        load(environ)
    found: dict[str, list[str]] = {}
    for problem in refused.value.problems:
        found.setdefault(problem.field, []).append(problem.message)
    return found


def fault(name: str, value: str) -> str:
    """The one problem of the required variables and this one."""
    problems = problems_of({**REQUIRED, name: value})
    assert list(problems) == [name]
    (message,) = problems[name]
    return message


def test_the_required_variables_suffice() -> None:
    """Everything else has the default of configuration.md."""
    settings = load(REQUIRED)
    assert settings.commercetools.api_url == "https://api.example.com"
    assert settings.commercetools.auth_url == "https://auth.example.com"
    assert settings.commercetools.client_id == "client"
    assert settings.commercetools.client_secret.reveal() == "canary-client-secret"
    assert settings.commercetools.scopes == ()
    assert (settings.klaviyo.api_url, settings.klaviyo.rate_share) == ("https://a.klaviyo.com", 1.0)
    assert settings.mapping.product_url_template == settings.mapping.preferred_locale == settings.mapping.preferred_currency == ""
    assert (settings.serve.pub_sub_port, settings.serve.bulk_import_port, settings.serve.bind_host) == (8080, 6779, "127.0.0.1")
    assert not settings.serve.skip_base64_decode
    assert (settings.state.state_backend, settings.state.queue_backend) == (StateBackend.SQLITE, QueueBackend.SQLITE)
    assert (settings.state.state_path, settings.state.workers) == (Path(".data/state.sqlite3"), 4)
    assert (settings.budgets.realtime_deadline_s, settings.budgets.worker_deadline_s) == (8.5, 480)
    assert (settings.logging.level, settings.logging.format) == (LogLevel.INFO, LogFormat.TEXT)
    assert settings.access.bulk_import_api_key is None
    assert settings.access.local_task_key is None
    assert not settings.on_google_cloud
    assert settings.connect.destination is None


def test_every_missing_variable_is_named_at_once() -> None:
    """Case 102: empty counts as missing."""
    assert set(problems_of({"CT_API_URL": " "})) == set(REQUIRED)


def test_variables_are_read() -> None:
    """One of each form."""
    settings = settings_of(
        CT_SCOPES="view_orders:shop-1  view_customers:shop-1",
        KLAVIYO_RATE_SHARE="0.25",
        PRODUCT_URL_TEMPLATE="https://shop.example.com/{{productSlug}}?v={{sku}}",
        PREFERRED_LOCALE="de-AT",
        PREFERRED_CURRENCY="eur",
        SYNC_CONFIG='{"product": {"unpublished": "hide"}}',
        BIND_HOST="[::1]",
        SKIP_BASE64_DECODE="TRUE",
        PUSH_SERVICE_ACCOUNT="push@cloud.example.com",
        PUSH_AUDIENCE="https://sync.example.com",
        STATE_BACKEND="firestore",
        QUEUE_BACKEND="pubsub",
        WORKERS="64",
        LOG_LEVEL="DEBUG",
        CONNECT_ENV="connect_prod",
        CONNECT_SUBSCRIPTION_DESTINATION="SNS",
        LOCAL_TASK_KEY="task-key",
    )
    assert settings.commercetools.scopes == ("view_orders:shop-1", "view_customers:shop-1")
    assert settings.klaviyo.rate_share == 0.25
    assert settings.mapping.preferred_currency == "EUR"
    assert settings.mapping.document.product.unpublished == "hide"
    assert settings.serve.bind_host == "::1"
    assert settings.serve.skip_base64_decode
    assert (settings.state.state_backend, settings.state.queue_backend) == (StateBackend.FIRESTORE, QueueBackend.PUBSUB)
    assert settings.state.workers == 64
    assert settings.connect.destination is SubscriptionDestination.SNS
    assert settings.access.local_task_key == Secret("task-key")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("CT_API_URL", "api.example.com", "is not a URL"),
        ("CT_API_URL", "ftp://api.example.com", "is not a URL"),
        ("CT_API_URL", "https://", "is not a URL"),
        ("CT_API_URL", "https://api.example.com:99999", "is not a URL"),
        ("CT_API_URL", "https://[::1", "is not a URL"),
        ("CT_API_URL", "https://api.exa\tmple.com", "is not a URL"),
        ("CT_AUTH_URL", "http://auth.example.com", "is plain http, which is for this machine only; use https"),
        ("CT_AUTH_URL", "http://localhost.example.com", "is plain http"),
        ("KLAVIYO_API_URL", "https://user:word@a.example.com", "holds a user name or password"),
        ("KLAVIYO_API_URL", "https://a.example.com?x=1", "has a query or a fragment"),
        ("CT_PROJECT_ID", "my shop", "must be a project key"),
        ("CT_API_CLIENT", "client:word", 'is not JSON; write {"clientId": "...", "secret": "..."}'),
        ("CT_API_CLIENT", "[" * 100_000, "is not JSON"),
        ("CT_API_CLIENT", '["client"]', "is not a JSON object"),
        ("CT_API_CLIENT", '{"clientId": "a", "secret": 7}', "has no secret, or it is not a text"),
        ("CT_API_CLIENT", '{"client_id": "a", "secret": "b"}', "has no clientId"),
        ("KLAVIYO_AUTH_KEY", "pk_a b", "has spaces, line breaks or characters outside ASCII"),
        ("KLAVIYO_AUTH_KEY", "AbC123", "looks like the public key; use a private key, which begins with pk_"),
        ("KLAVIYO_RATE_SHARE", "0", "must be a number above 0, up to 1"),
        ("KLAVIYO_RATE_SHARE", "1.5", "must be a number above 0, up to 1"),
        ("KLAVIYO_RATE_SHARE", "nan", "must be a number above 0, up to 1"),
        ("REALTIME_DEADLINE_S", "inf", "must be a number above 0, up to 3600"),
        ("WORKER_DEADLINE_S", "8 min", "must be a number above 0"),
        ("PUB_SUB_PORT", "0", "must be a whole number from 1 to 65535"),
        ("PUB_SUB_PORT", "65536", "must be a whole number from 1 to 65535"),
        ("BULK_IMPORT_PORT", "8080", "is the port of PUB_SUB_PORT too"),
        ("WORKERS", "65", "must be a whole number from 1 to 64"),
        ("WORKERS", "1.0", "must be a whole number"),
        ("APP_TYPE", "EVENTS", "must be one of EVENT, BULK_IMPORT; did you mean EVENT?"),
        ("STATE_BACKEND", "redis", "must be one of sqlite, firestore"),
        ("QUEUE_BACKEND", "sqs", "must be one of sqlite, pubsub"),
        ("LOG_LEVEL", "info", "must be one of DEBUG, INFO, WARNING, ERROR; did you mean INFO?"),
        ("LOG_FORMAT", "xml", "must be one of json, text"),
        ("CONNECT_ENV", "prod env", "letters, digits, - and _ only"),
        ("CONNECT_SUBSCRIPTION_DESTINATION", "EventHub", "must be one of GoogleCloudPubSub, SNS"),
        ("BIND_HOST", "http://127.0.0.1", "must be a host name or an address"),
        ("SKIP_BASE64_DECODE", "maybe", "must be true or false"),
        ("PRODUCT_URL_TEMPLATE", "https://shop.example.com/{{productslug}}", "did you mean {{productSlug}}?"),
        (
            "PRODUCT_URL_TEMPLATE",
            "https://shop.example.com/{{x}}",
            "known: {{productSlug}}, {{productId}}, {{productKey}}, {{sku}}",
        ),
        ("PRODUCT_URL_TEMPLATE", "https://shop.example.com/{{sku}", "has braces that do not match"),
        ("PREFERRED_LOCALE", "English", "must be a locale"),
        ("PREFERRED_CURRENCY", "EURO", "must be a currency code of three letters"),
        ("PUSH_SERVICE_ACCOUNT", "push", "must be the e-mail address of a service account"),
        ("SYNC_CONFIG", '{"a": 1,}', "is not JSON: "),
        ("NODE_CONFIG", "[]", "must be a JSON object, not a list"),
        ("NODE_CONFIG", "no/such/file.json", "is neither JSON text, which begins with {, nor the path of a readable JSON file"),
    ],
)
def test_a_faulty_variable_is_refused_with_what_to_do(name: str, value: str, message: str) -> None:
    """One problem for one fault, without the value."""
    environ = {"PUSH_AUDIENCE": "https://sync.example.com"} if name == "PUSH_SERVICE_ACCOUNT" else {}
    problems = problems_of({**REQUIRED, **environ, name: value})
    assert list(problems) == [name]
    assert message in problems[name][0]


def test_both_fields_of_the_api_client_are_checked_separately() -> None:
    """An object without either has two problems."""
    assert len(problems_of({**REQUIRED, "CT_API_CLIENT": "{}"})["CT_API_CLIENT"]) == 2


def test_each_push_variable_needs_the_other() -> None:
    """A service account without an audience would accept tokens made for somebody else."""
    assert "work only together" in problems_of({**REQUIRED, "PUSH_AUDIENCE": "x"})["PUSH_SERVICE_ACCOUNT"][0]
    assert "work only together" in problems_of({**REQUIRED, "PUSH_SERVICE_ACCOUNT": "a@example.com"})["PUSH_AUDIENCE"][0]


@pytest.mark.parametrize("url", ["http://localhost:8100", "http://127.0.0.1:8100/ct", "http://[::1]:8100"])
def test_plain_http_is_for_loopback(url: str) -> None:
    """Simulators run on this machine."""
    assert settings_of(CT_API_URL=url).commercetools.api_url == url


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("127.0.0.1.example.com", False),
        ("10.0.0.1", False),
        ("", False),
    ],
)
def test_loopback_is_this_machine_only(host: str, loopback: bool) -> None:
    """A name that merely begins like it is another host."""
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(("first", "second"), [("CT_SCOPES", "CT_SCOPE"), ("SKIP_BASE64_DECODE", "SKIP_BASE64_ENCODING")])
def test_a_second_name_works_but_must_not_contradict(first: str, second: str) -> None:
    """The older product's documents use both names."""
    value, other = ("a b", "a") if first == "CT_SCOPES" else ("true", "false")
    assert settings_of(**{second: value}) == settings_of(**{first: value}) == settings_of(**{first: value, second: value})
    assert "differ" in problems_of({**REQUIRED, first: value, second: other})[first][0]


def test_the_document_has_one_source() -> None:
    """Two documents cannot both be meant."""
    assert "are both set" in problems_of({**REQUIRED, "SYNC_CONFIG": "{}", "NODE_CONFIG": "{}"})["SYNC_CONFIG"][0]


def test_the_document_may_be_a_file(tmp_path: Path) -> None:
    """JSON text would not fit everywhere; a byte order mark is no fault."""
    path = tmp_path / "sync.json"
    path.write_text('{"product": {"brandAttribute": "maker"}}', encoding="utf-8-sig")
    assert settings_of(NODE_CONFIG=str(path)).mapping.document.product.brandAttribute == "maker"


def test_problems_of_the_document_join_those_of_the_environment() -> None:
    """One error for all of them."""
    problems = problems_of({**REQUIRED, "SYNC_CONFIG": '{"order": {"propertis": 1}}', "WORKERS": "x", "CT_API_URL": ""})
    assert set(problems) == {"order.propertis", "WORKERS", "CT_API_URL"}


def test_the_place_of_a_fault_in_json_is_named() -> None:
    """Case 103: line and column, not the text."""
    assert "line 2, column 1" in fault("SYNC_CONFIG", '{"a":\n}')


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("KLAVIYO_API_KEY", "KLAVIYO_AUTH_KEY"),
        ("CT_SCOPS", "CT_SCOPES"),
        ("PREFERED_LOCALE", None),
        ("PREFERRED_LOCAL", "PREFERRED_LOCALE"),
        ("WORKER", "WORKERS"),
        ("WORKER_DEADLINE", "WORKER_DEADLINE_S"),
        ("REALTIME_DEADLINE", "REALTIME_DEADLINE_S"),
        ("BULK_IMPORT_KEY", "BULK_IMPORT_API_KEY"),
        ("STATE_BACKENDS", "STATE_BACKEND"),
        ("PRODUCT_URL_TEMPLATES", "PRODUCT_URL_TEMPLATE"),
        ("CTP_API_URL", None),
        ("KLAVIYO_COMPANY_ID", None),
        ("STATE_DIR", None),
        ("HOME", None),
    ],
)
def test_a_misspelt_variable_of_ours_is_refused(name: str, meant: str | None) -> None:
    """It would be ignored without a word; what only resembles nothing of ours, or belongs to others, is left alone."""
    environ = {**REQUIRED, name: "canary"}
    if meant is None:
        load(environ)
    else:
        assert problems_of(environ) == {name: [f"is not a variable of ours; did you mean {meant}?"]}


@pytest.mark.parametrize(
    ("app_type", "connect_env", "realtime", "bulk"),
    [
        ("", "", True, True),
        ("EVENT", "", True, False),
        ("BULK_IMPORT", "", False, True),
        ("", "connect_prod", True, False),
        ("EVENT", "connect_prod", True, False),
        ("BULK_IMPORT", "connect_prod", True, False),
    ],
)
def test_which_servers_start(app_type: str, connect_env: str, realtime: bool, bulk: bool) -> None:
    """As in the older product: on Connect only realtime, whatever `APP_TYPE` says (reference.md 0)."""
    serve = settings_of(APP_TYPE=app_type, CONNECT_ENV=connect_env).serve
    assert (serves_realtime(serve), serves_bulk(serve)) == (realtime, bulk)
    assert serve.app_type == (AppType(app_type) if app_type else None)


def test_equal_ports_matter_only_when_both_servers_start() -> None:
    """A platform may give every server the same port."""
    assert settings_of(APP_TYPE="EVENT", BULK_IMPORT_PORT="8080").serve.pub_sub_port == 8080


def test_logs_are_json_on_google_cloud_unless_chosen() -> None:
    """`K_SERVICE` tells where we are."""
    assert settings_of(K_SERVICE="sync").logging.format is LogFormat.JSON
    assert settings_of(K_SERVICE="sync", LOG_FORMAT="text").logging.format is LogFormat.TEXT
    assert settings_of(K_SERVICE="sync").on_google_cloud


def test_how_to_log_is_known_even_when_the_settings_are_not() -> None:
    """The error about the settings must be logged too."""
    assert load_logging({"K_SERVICE": "sync", "LOG_LEVEL": "loud"}).format is LogFormat.JSON


SECRETS = ("CT_API_CLIENT", "KLAVIYO_AUTH_KEY", "BULK_IMPORT_API_KEY", "LOCAL_TASK_KEY")
MALFORMED = (
    "canary value",
    '{"clientId": "canary"',
    '["canary"]',
    '{"secret": "canary", "canary": 1}',
    "canary\nvalue",
    "cänary",
)


def test_the_table_knows_the_secrets() -> None:
    """A new secret must join the tests below."""
    assert {variable.name for variable in VARIABLES if variable.secret} == set(SECRETS)


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("value", MALFORMED)
def test_no_error_shows_a_secret(name: str, value: str) -> None:
    """Case 102: malformed values are pasted by mistake; neither the message, its repr, nor a chained error has them."""
    with pytest.raises(ConfigError) as refused:
        load({**REQUIRED, name: value, "WORKERS": "x"})
    error = refused.value
    assert "anary" not in f"{error} {error!r} {error.problems}"
    assert error.__cause__ is None
    assert error.__context__ is None


@pytest.mark.parametrize("name", [variable.name for variable in VARIABLES])
def test_no_error_shows_any_value(name: str) -> None:
    """A secret may stand in the wrong variable."""
    value = "https://canary:canary@host.example.com/?canary={{canary}} [canary"
    with pytest.raises(ConfigError) as refused:
        load({**REQUIRED, name: value, "CT_PROJECT_ID": "not a key"})
    assert "canary" not in str(refused.value)


def test_settings_show_no_secret() -> None:
    """However they are printed."""
    settings = settings_of(BULK_IMPORT_API_KEY="canary-api", LOCAL_TASK_KEY="canary-task")
    assert "canary" not in f"{settings} {settings!r} {settings.commercetools} {settings.access.local_task_key}"
    assert "'client'" not in repr(settings.commercetools)


@pytest.mark.parametrize("serialize", [pickle.dumps, copy.deepcopy, msgspec.json.encode, json.dumps])
def test_a_secret_is_not_serialized(serialize: Any) -> None:
    """It cannot slip into a message, a state record or a copy."""
    with pytest.raises(TypeError) as refused:
        serialize(Secret("canary"))
    assert "canary" not in str(refused.value)


def test_a_secret_is_compared_as_a_whole() -> None:
    """In constant time, and whatever characters a caller sends."""
    secret = Secret("key")
    assert secret.matches("key")
    assert not secret.matches("ke")
    assert not secret.matches("kéy\udcff")
    assert secret == Secret("key")
    assert secret != Secret("other")
    assert secret != "key"
    assert len({secret, Secret("key")}) == 1


def test_settings_are_frozen() -> None:
    """Nobody changes them on the way."""
    settings = load(REQUIRED)
    for part, field in ((settings, "k_service"), (settings.serve, "bind_host"), (settings.mapping.document, "order")):
        with pytest.raises(AttributeError):
            setattr(part, field, "x")


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`.env` is for a person's machine; values with quotes, spaces and dollars arrive as they are written."""
    path = tmp_path / ".env"
    path.write_text('CT_PROJECT_ID=from-file\nCT_API_CLIENT=\'{"clientId": "a", "secret": "$b"}\'\nWORKERS\n')
    monkeypatch.setenv("CT_PROJECT_ID", "from-environment")
    monkeypatch.delenv("CT_API_CLIENT", raising=False)
    found = environment(path)
    assert found["CT_PROJECT_ID"] == "from-environment"
    assert json.loads(found["CT_API_CLIENT"]) == {"clientId": "a", "secret": "$b"}
    assert environment(tmp_path / "absent") == environment()


def test_the_documentation_has_the_tables_of_the_code() -> None:
    """`python -m shared.settings` prints what docs/configuration.md must contain."""
    page = (ROOT / "docs" / "configuration.md").read_text()
    assert variables_table() in page
    assert document_table() in page


def test_the_example_file_is_that_of_the_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`.env.example` is generated, names every variable that people set, and loads once its blanks are filled in."""
    clear_ours(monkeypatch)
    assert main(["env-example"]) == 0
    printed = capsys.readouterr().out
    assert printed == env_example() == (ROOT / ".env.example").read_text()
    for variable in VARIABLES:
        assert (f"{variable.name}=" in printed) is (variable.set_by is Audience.PEOPLE)
    path = tmp_path / ".env"
    path.write_text(printed)
    assert ours(environment(path)).keys() == REQUIRED.keys()
    load({**ours(environment(path)), **REQUIRED})


def test_the_example_file_untouched_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever copies it and fills nothing in is told so, once for every required variable, and not by a 401 later."""
    clear_ours(monkeypatch)
    path = tmp_path / ".env"
    path.write_text(env_example())
    found = problems_of(ours(environment(path)))
    assert found == {name: ["still has the example's value; set it to your own"] for name in REQUIRED}


def test_the_example_values_are_valid(tmp_path: Path) -> None:
    """Every line of the example that is commented out may be switched on as it stands."""
    for variable in VARIABLES:
        if (
            variable.set_by is Audience.PEOPLE
            and not variable.required
            and variable.name not in ("BULK_IMPORT_API_KEY", "PUSH_SERVICE_ACCOUNT", "PUSH_AUDIENCE")
        ):
            settings_of(**{variable.name: variable.default or variable.example})


def test_an_unknown_page_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    """The command says what it knows."""
    assert main(["nothing"]) == 2
    assert "env-example" in capsys.readouterr().err
