"""`deploy/gcloud.sh`: what it asks gcloud to do, seen by a stand-in that writes down how it is called."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from gcloud_runs import PROJECT, ROOT, SCRIPT, Script, Words, flag, name_in, named, variables_of

from shared.bulk.plan import MOST_RANGES
from shared.bulk.records import LINKS
from shared.google import names
from shared.google.names import Stream
from shared.settings import load

PREFIX = "klaviyo-sync"
ALL_STEPS = (
    "services",
    "accounts",
    "database",
    "topics",
    "secrets",
    "storage",
    "permissions",
    "functions",
    "callers",
    "subscriptions",
)
CANARY = '{"clientId": "canary-id", "secret": "canary-secret"}'


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """The script with the example's configuration, over an empty project."""
    return Script(tmp_path)


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> list[Words]:
    """Everything that it asks of gcloud in an empty project."""
    return Script(tmp_path_factory.mktemp("empty")).calls()


def test_topics_and_subscriptions_are_named_as_the_code_looks_for_them(calls: list[Words]) -> None:
    """The script has its own spelling of the names, so it is compared."""
    topics = {name_in(call) for call in named(calls, "pubsub", "topics", "create")}
    assert topics == {name(PREFIX, stream) for stream in Stream for name in (names.topic, names.dead_topic)}
    subscriptions = {name_in(call) for call in named(calls, "pubsub", "subscriptions", "create")}
    assert subscriptions == {
        *(name(PREFIX, stream) for stream in Stream for name in (names.push_subscription, names.holding_subscription)),
        *(names.dead_push_subscription(PREFIX, stream) for stream in names.DEAD_PUSHED),
    }


def test_what_is_printed_is_what_is_run(script: Script, calls: list[Words]) -> None:
    """`--print` asks nothing of gcloud, and bash makes the same calls of what it shows."""
    printed = script.printed()
    assert not (script.folder / "calls").exists()
    assert [_without_folders(call) for call in script.calls_of(printed)] == [_without_folders(call) for call in calls]


def test_a_second_time_nothing_is_made_again(script: Script, calls: list[Words]) -> None:
    """What is there is kept, or brought to what it should be; a grant that is there already is the same grant."""
    script.there = _there(calls)
    again = [call for call in script.calls() if "deploy" not in call]
    assert [call for call in again if _makes(call) or ("firestore" in call and "list" not in call)] == []
    made, updated = ([call for call in one if "subscriptions" in call] for one in (calls, again))
    assert [_wanted(call) for call in updated] == [_wanted(call) for call in made]
    assert [call[2] for call in updated if "--ack-deadline=120" in call] == ["update"]
    grants = [[call for call in one if "add-iam-policy-binding" in call] for one in (calls, again)]
    assert grants[0] == grants[1]


@pytest.mark.parametrize("step", ALL_STEPS)
def test_every_step_can_be_taken_by_itself(script: Script, calls: list[Words], step: str) -> None:
    """It makes some of the calls of all steps, in their order."""
    of_step = [_without_folders(call) for call in script.calls(step)]
    assert len(of_step) > 1
    rest = iter([_without_folders(call) for call in calls])
    assert all(call in rest for call in of_step)


def test_the_steps_together_are_all_there_is(script: Script, calls: list[Words]) -> None:
    """No step is left out when none is named, and the help lists them all."""
    assert len(script.calls(*ALL_STEPS)) == len(calls)
    assert " ".join(ALL_STEPS) in script.run("--help").stdout


def test_apis_are_switched_on_before_they_are_asked_anything(script: Script, calls: list[Words]) -> None:
    """A service account's calls are refused where its project's API is not switched on, also that for the project's number."""
    number = ("projects", "describe")
    assert [call[:2] for call in calls[:3]] == [("services", "enable"), ("beta", "services"), number]
    assert "cloudresourcemanager.googleapis.com" in calls[0]
    assert [call[:2] for call in script.calls("services")][-1] == number, "which the last line shows"
    assert script.calls("callers", "services")[0][:2] == number, "steps are taken in the order in which they are named"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("topic",), "no step or option topic; see --help"),
        (("--force",), "no step or option --force; see --help"),
        (("secret", "KLAVIYO"), "there is no secret KLAVIYO, only: CT_API_CLIENT KLAVIYO_AUTH_KEY"),
        (("remove", "other"), "is about klaviyo-sync, not about other: nothing was removed"),
    ],
)
def test_what_is_not_understood_is_refused(script: Script, arguments: tuple[str, ...], complaint: str) -> None:
    """Nothing is asked of gcloud then."""
    ended = script.run(*arguments)
    assert ended.returncode == 2
    assert complaint in ended.stderr
    assert not (script.folder / "calls").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GOOGLE_CLOUD_PROJECT", "my project; rm -rf ."),
        ("GOOGLE_CLOUD_PROJECT", ""),
        ("REGION", "europe"),
        ("GOOGLE_NAME_PREFIX", "x"),
        ("GOOGLE_NAME_PREFIX", "a-prefix-that-is-too-long"),
        ("FIRESTORE_DATABASE", "$(id)"),
        ("CT_API_URL", "http://api.example.com"),
        ("CT_PROJECT_ID", "key with spaces"),
        ("OPERATORS", "somebody@shop.example"),
        ("OPERATORS", "user:somebody@example.com"),
        ("GOOGLE_CLOUD_PROJECT", "my-cloud-project"),
        ("CT_PROJECT_ID", "your-project-key"),
        ("OPERATORS", "allUsers"),
        ("OPERATORS", "user:a@example.com allAuthenticatedUsers"),
        ("WORKER_MAX_INSTANCES", "0"),
        ("WORKER_SLOTS", "17"),
        ("REALTIME_MAX_INSTANCES", "101"),
        ("IMPORT_API_KEY_ENABLED", "yes"),
        ("SYNC_CONFIG", '{"a": ";;"}'),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused_by_its_name(script: Script, name: str, value: str) -> None:
    """Before anything is asked of gcloud."""
    script.config = {name: value}
    ended = script.run()
    assert ended.returncode == 2
    assert name in ended.stderr
    assert not (script.folder / "calls").exists()


def test_without_a_configuration_it_says_what_to_copy(tmp_path: Path) -> None:
    """The first thing that somebody sees who has not read the guide."""
    ended = subprocess.run([str(SCRIPT), "--config", str(tmp_path / "none")], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "copy deploy/gcloud.env.example to it" in ended.stderr


def test_a_misspelt_setting_is_refused(script: Script) -> None:
    """It would have no effect, and nobody would know."""
    script.config = {"OPERATOR": "user:somebody@shop.example"}
    ended = script.run("--print")
    assert ended.returncode == 2
    assert "sets OPERATOR, which is not in deploy/gcloud.env.example" in ended.stderr


def test_only_the_file_configures(script: Script) -> None:
    """Not what happens to be in the environment of whoever runs it, such as the settings of another installation."""
    before = script.printed()
    script.environment = {"WORKER_SLOTS": "9", "SYNC_CONFIG": "{}", "GOOGLE_NAME_PREFIX": "other", "LOG_LEVEL": "DEBUG"}
    assert script.printed() == before


def test_a_secret_is_never_an_argument(script: Script) -> None:
    """It goes from standard input to standard input, without the line break that editors add."""
    calls = script.calls("secret", "CT_API_CLIENT", stdin=CANARY + "\n")
    assert script.given == CANARY
    assert calls[-1] == ("secrets", "versions", "add", f"{PREFIX}-ct-api-client", "--data-file=-")
    assert not any("canary" in word for call in calls for word in call)
    assert "canary" not in script.printed("secret", "CT_API_CLIENT")


def test_an_empty_secret_is_refused(script: Script) -> None:
    """An empty value would only be found out by the functions."""
    ended = script.run("secret", "KLAVIYO_AUTH_KEY", stdin="\n")
    assert ended.returncode == 2
    assert not script.given


def test_secrets_without_a_value_stop_the_script_where_nobody_can_be_asked(script: Script) -> None:
    """A function without its secrets could not start."""
    script.has_values = False
    ended = script.run("secrets")
    assert ended.returncode != 0
    assert not script.given


def test_a_new_secret_is_made_before_it_has_a_value(script: Script) -> None:
    """So that values can be given before everything else, from a file."""
    made = script.calls("secret", "KLAVIYO_AUTH_KEY", stdin="pk_0123456789")
    assert [call[1] for call in made] == ["list", "create", "versions"]
    script.there = [f"{PREFIX}-klaviyo-auth-key"]
    assert [call[1] for call in script.calls("secret", "KLAVIYO_AUTH_KEY", stdin="pk_0123456789")] == ["list", "versions"]


def test_nothing_is_open_to_everybody(calls: list[Words]) -> None:
    """Every function is private, and each grant names somebody."""
    for call in _deployed(calls).values():
        assert "--no-allow-unauthenticated" in call
    members = {flag(call, "member") for call in calls if "add-iam-policy-binding" in call}
    assert all(member.startswith(("serviceAccount:", "user:")) for member in members)
    callers = {call[3].removeprefix(f"{PREFIX}-"): set[str]() for call in named(calls, "run", "services")}
    for call in named(calls, "run", "services"):
        callers[call[3].removeprefix(f"{PREFIX}-")].add(flag(call, "member"))
    push = f"serviceAccount:{PREFIX}-push@shop-cloud.iam.gserviceaccount.com"
    assert callers == {"realtime": {push}, "worker": {push}, "dispatch": {push, "user:somebody@shop.example"}}


def test_each_function_has_an_account_of_its_own(calls: list[Words]) -> None:
    """What each may do is compared with Terraform's list."""
    accounts = {flag(call, "service-account") for call in _deployed(calls).values()}
    assert accounts == {f"{PREFIX}-{stream}@{PROJECT}.iam.gserviceaccount.com" for stream in Stream}


def test_a_secret_that_is_enabled_is_not_asked_for_again(calls: list[Words]) -> None:
    """Google writes the state in capitals, and one without an enabled version has no value."""
    for asked in named(calls, "secrets", "versions", "list"):
        assert flag(asked, "filter") == "state=ENABLED"
    assert len(named(calls, "secrets", "versions", "list")) == 2


def test_a_function_ends_before_its_delivery_is_given_up(calls: list[Words]) -> None:
    """Its own deadline, its time, and the time that Pub/Sub waits follow one after the other."""
    deployed = _deployed(calls)
    pushed = {"realtime": "events-push", "dispatch": "plan-push", "worker": "work-push"}
    for function, subscription in pushed.items():
        variables = variables_of(deployed[function])
        deadline_s = float(variables.get("WORKER_DEADLINE_S") or variables["REALTIME_DEADLINE_S"])
        timeout_s = int(flag(deployed[function], "timeout").removesuffix("s"))
        ack_s = int(flag(_made(calls, f"{PREFIX}-{subscription}"), "ack-deadline"))
        assert deadline_s < timeout_s < ack_s <= 600


def test_instances_share_klaviyos_limits(script: Script) -> None:
    """However many there are, together they stay within them."""
    for most in (1, 2, 3, 7, 100):
        script.config = {"WORKER_MAX_INSTANCES": str(most), "REALTIME_MAX_INSTANCES": str(most)}
        for function, call in _deployed(script.calls("functions")).items():
            instances = int(flag(call, "max-instances"))
            share = float(variables_of(call)["KLAVIYO_RATE_SHARE"])
            assert instances == (2 if function == "dispatch" else most)
            assert 0.99 < share * instances <= 1


def test_every_call_of_an_instance_has_a_thread(script: Script) -> None:
    """And WORKERS, which the framework would take for processes, is never set."""
    script.config = {"WORKER_SLOTS": "3"}
    for function, call in _deployed(script.calls("functions")).items():
        variables = variables_of(call)
        assert variables["THREADS"] == flag(call, "concurrency")
        assert "WORKERS" not in variables
        assert variables.get("WORKER_SLOTS") == ("3" if function == "worker" else None)
        if function == "worker":
            assert flag(call, "concurrency") == "14"


def test_a_stop_is_let_in_while_every_kind_is_planned(script: Script) -> None:
    """However many instances there may be: each kind's ranges may take their whole slices at once, and there are places left."""
    for most in (1, 2, 3, 100):
        script.config = {"DISPATCH_MAX_INSTANCES": str(most)}
        call = _deployed(script.calls("functions"))["dispatch"]
        assert int(flag(call, "max-instances")) == most
        assert most * int(flag(call, "concurrency")) >= len(LINKS) * MOST_RANGES + 10


def test_the_product_understands_the_environment_of_each_function(script: Script) -> None:
    """With its secrets, and what the platform adds; also with a document and other texts that shells and gcloud split."""
    document = '{"product": {"unpublished": "hide"}, "disabledEvents": ["OrderRefunded", "CustomerCreated"]}'
    script.config = {"SYNC_CONFIG": document, "PRODUCT_URL_TEMPLATE": "https://shop.example.com/it's/{{productSlug}}?a=b,c"}
    for function, call in _deployed(script.calls("functions")).items():
        environment = {
            **variables_of(call),
            "CT_API_CLIENT": CANARY,
            "KLAVIYO_AUTH_KEY": "pk_0123456789",
            "K_SERVICE": f"{PREFIX}-{function}",
        }
        settings = load(environment)
        assert settings.mapping.product_url_template == "https://shop.example.com/it's/{{productSlug}}?a=b,c"
        assert settings.mapping.document.product.unpublished == "hide"
        if function != "realtime":
            assert settings.google.name_prefix == PREFIX
            assert settings.google.firestore_database == "klaviyo-sync-state"
            assert settings.access.push_audience == f"https://{PREFIX}-{function}-123456789012.europe-west1.run.app"


def test_deliveries_are_for_the_audience_that_the_function_accepts(calls: list[Words]) -> None:
    """By the account that it accepts, to an address of that function."""
    deployed = _deployed(calls)
    pushed = {"plan-push": "dispatch", "work-push": "worker", "plan-dead-push": "dispatch", "work-dead-push": "worker"}
    for subscription, function in pushed.items():
        call, variables = _made(calls, f"{PREFIX}-{subscription}"), variables_of(deployed[function])
        assert flag(call, "push-auth-token-audience") == variables["PUSH_AUDIENCE"]
        assert flag(call, "push-auth-service-account") == variables["PUSH_SERVICE_ACCOUNT"]
        assert flag(call, "push-endpoint").startswith(variables["PUSH_AUDIENCE"] + "/")


def test_the_key_of_the_import_api_is_for_the_import_api_alone(script: Script, calls: list[Words]) -> None:
    """And only when it is asked for."""
    assert not any("import-api-key" in word for call in calls for word in call)
    script.config = {"IMPORT_API_KEY_ENABLED": "true"}
    deployed = _deployed(script.calls("secrets", "permissions", "functions"))
    with_key = {function for function, call in deployed.items() if "BULK_IMPORT_API_KEY" in flag(call, "set-secrets")}
    assert with_key == {"dispatch"}


def test_the_source_is_named_after_its_content(script: Script) -> None:
    """So that another archive is another object, and all functions have the same."""
    first = script.calls("functions")
    sources = {flag(call, "source") for call in _deployed(first).values()}
    assert sources == {named(first, "storage", "cp")[0][-1]}
    script.archive.write_bytes(b"another source")
    assert {flag(call, "source") for call in _deployed(script.calls("functions")).values()}.isdisjoint(sources)


def test_without_an_archive_nothing_is_deployed(script: Script) -> None:
    """It says how to make one, and the Makefile knows how."""
    script.archive.unlink()
    ended = script.run("functions")
    assert ended.returncode == 1
    assert "make source-archive" in ended.stderr
    assert "\nsource-archive:" in (ROOT / "Makefile").read_text()


def test_removing_takes_away_what_was_made_but_the_database(script: Script, calls: list[Words]) -> None:
    """Everything with a name of ours, nothing that is not there, and whatever project gcloud would take by itself."""
    made = {name_in(call) for call in calls if _makes(call) and "firestore" not in call}
    script.there = [*_there(calls), "somebody-elses"]
    removed = [call for call in script.calls("remove", PREFIX) if "list" not in call]
    assert [call for call in removed if f"--project={PROJECT}" not in call] == []
    assert {name_in(call).removesuffix(f"@{PROJECT}.iam.gserviceaccount.com") for call in removed} == made
    kinds = {call[0] for call in calls if _makes(call)}
    assert {call[0] for call in removed} == kinds - {"firestore"}
    script.there = ["somebody-elses"]
    assert all("list" in call for call in script.calls("remove", PREFIX))


def _there(calls: list[Words]) -> list[str]:
    """The names of everything that these calls have made, as gcloud lists them."""
    there = []
    for call in calls:
        if call[:2] == ("iam", "service-accounts") and "create" in call:
            there.append(f"{name_in(call)}@{PROJECT}.iam.gserviceaccount.com")
        elif call[0] == "firestore" and "create" in call:
            there.append(flag(call, "database"))
        elif call[0] == "firestore" and "update" in call:
            database = f"projects/{PROJECT}/databases/{flag(call, 'database')}"
            there.append(f"{database}/collectionGroups/{flag(call, 'collection-group')}/fields/{name_in(call)}")
        elif _makes(call):
            there.append(name_in(call).removeprefix("gs://"))
    return there


def _makes(call: Words) -> bool:
    """Whether there is something with a name of ours afterwards."""
    return call[0] != "beta" and bool({"create", "deploy"} & set(call))


def _wanted(call: Words) -> set[str]:
    """A call without what can be said only once, or only again."""
    return {
        word for word in call if word not in {"create", "update"} and not word.startswith(("--topic=", "--expiration-period="))
    }


def _deployed(calls: list[Words]) -> dict[str, Words]:
    """The deployment of each function, by its name without the prefix."""
    return {call[2].removeprefix(f"{PREFIX}-"): call for call in named(calls, "functions", "deploy")}


def _made(calls: list[Words], subscription: str) -> Words:
    return next(call for call in named(calls, "pubsub", "subscriptions", "create") if call[3] == subscription)


def _without_folders(call: Words) -> Words:
    """The call without the folder of the test, which differs."""
    return tuple(word.rpartition("/")[2] if word.endswith("/source.zip") else word for word in call)
