"""`deploy/gcloud.sh` makes what `terraform/` makes: the same names, numbers, roles and variables, read from both."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from gcloud_runs import PROJECT, PROJECT_NUMBER, ROOT, Script, Words, flag, name_in, named, variables_of

PREFIX = "klaviyo-sync"
REGION = "europe-west1"
FUNCTIONS = {"realtime": "realtime", "dispatcher": "dispatch", "worker": "worker"}
"""Terraform's word for a function, and how its name ends."""

ONLY_TERRAFORM = {"scheduler"}
"""Accounts for what the script does not make."""

GRANTED_ON = {
    ("run", "services"): "functions",
    ("pubsub", "topics"): "topics",
    ("pubsub", "subscriptions"): "subscriptions",
    ("secrets",): "secrets",
    ("iam", "service-accounts"): "service-accounts",
    ("artifacts", "repositories"): "repositories",
    ("projects",): "projects",
}
"""What a command grants something on, as the list of grants calls it."""


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> list[Words]:
    """Everything that the script asks of gcloud, with all secrets and all that Terraform hands on."""
    config = {
        "IMPORT_API_KEY_ENABLED": "true",
        "CT_SCOPES": "view_orders:shop",
        "KLAVIYO_API_URL": "https://a.klaviyo.com",
        "PRODUCT_URL_TEMPLATE": "https://shop.example/{{sku}}",
        "PREFERRED_LOCALE": "en-GB",
        "PREFERRED_CURRENCY": "EUR",
        "SYNC_CONFIG": "{}",
        "LOG_LEVEL": "INFO",
    }
    return Script(tmp_path_factory.mktemp("all"), config).calls()


def test_the_same_services_are_switched_on(calls: list[Words]) -> None:
    """Scheduled imports, which need one more, are Terraform's alone."""
    ours = {word for call in named(calls, "services", "enable") for word in call[2:]}
    assert named(calls, "beta", "services", "identity", "create") == [
        ("beta", "services", "identity", "create", "--service=pubsub.googleapis.com", f"--project={PROJECT}")
    ], "Pub/Sub's own account must be there before it is granted anything"
    theirs = set(re.findall(r'"([a-z]+\.googleapis\.com)"', _file("services.tf")))
    assert ours == theirs - {"cloudscheduler.googleapis.com"}


def test_accounts_have_the_same_names(calls: list[Words]) -> None:
    """By the part that they stand for."""
    ours = {name_in(call) for call in named(calls, "iam", "service-accounts", "create")}
    assert ours == {_filled(name) for part, name in _accounts().items() if part not in ONLY_TERRAFORM}
    for part, function in FUNCTIONS.items():
        assert flag(_deployed(calls)[function], "service-account") == _email(_accounts()[part])


def test_the_same_roles_are_granted(tmp_path: Path) -> None:
    """Who may do what is one list, on what and with which condition; Terraform's own test compares the module with the same."""
    listed = json.loads((ROOT / "terraform" / "tests" / "grants.json").read_text(encoding="utf-8"))
    wanted = {(on, role, member) for on, roles in listed.items() for role, members in roles.items() for member in members}
    config = {
        "GOOGLE_CLOUD_PROJECT": "acme-cloud",
        "GOOGLE_NAME_PREFIX": "acme-sync",
        "OPERATORS": "user:ops@shop.example group:team@shop.example",
    }
    granted = [call for call in Script(tmp_path, config).calls() if "add-iam-policy-binding" in call]
    assert [_grant(call) for call in granted if _grant(call) not in wanted] == []
    assert wanted - {_grant(call) for call in granted} == set()
    assert len(granted) == len(wanted)
    assert PROJECT_NUMBER == "123456789012", "the number that Terraform's mocks have, too"


def test_nobody_has_more_than_a_part_of_it() -> None:
    """The list itself: nothing is open to everybody, Pub/Sub alone calls what is not the import API, roles are narrow."""
    listed = json.loads((ROOT / "terraform" / "tests" / "grants.json").read_text(encoding="utf-8"))
    members = {member for roles in listed.values() for some in roles.values() for member in some}
    assert all(member.startswith(("serviceAccount:", "user:", "group:")) for member in members)
    operators = {member for member in members if not member.startswith("serviceAccount:")}
    reach = {on for on, roles in listed.items() for some in roles.values() if operators & set(some)}
    assert reach == {
        "functions/acme-sync-dispatch",
        *(f"topics/acme-sync-{stream}" for stream in ("events", "plan", "work")),
        *(f"subscriptions/acme-sync-{stream}-dead-hold" for stream in ("events", "plan", "work")),
    }
    realtime = "serviceAccount:acme-sync-events@acme-cloud.iam.gserviceaccount.com"
    assert {on for on, roles in listed.items() for some in roles.values() if realtime in some} == {
        "secrets/acme-sync-ct-api-client",
        "secrets/acme-sync-klaviyo-auth-key",
    }
    roles = {role for some in listed.values() for role in some}
    assert not [role for role in roles if role.rpartition("/")[2].split(" ")[0] in {"owner", "editor"} or "dmin" in role]


def _grant(call: Words) -> tuple[str, str, str]:
    """On what, which role (and under which condition), to whom."""
    kind, name = next((kind for words, kind in GRANTED_ON.items() if call[: len(words)] == words), ""), name_in(call)
    assert kind, call
    condition = next((word.partition("expression=")[2] for word in call if word.startswith("--condition=title=")), "")
    return f"{kind}/{name}", flag(call, "role") + (f" if {condition}" if condition else ""), flag(call, "member")


def test_the_database_is_the_same(calls: list[Words]) -> None:
    """Its name, which records end by themselves, and what is not indexed."""
    firestore = _file("firestore.tf")
    (made,) = named(calls, "firestore", "databases", "create")
    assert flag(made, "database") == _filled(
        _one(r'firestore_database = coalesce\(var.firestore_database, "(.*?)"\)', "names.tf")
    )
    assert "--delete-protection" in made
    assert _default(_variable("firestore_delete_protection"), "default") == "true"
    expiring = _words(firestore, "expiring_collections")
    assert {flag(call, "collection-group") for call in named(calls, "firestore", "fields", "ttls", "update")} == expiring
    exempt = {
        (flag(call, "collection-group"), name_in(call)) for call in named(calls, "firestore", "indexes", "fields", "update")
    }
    listed = re.findall(r"(\w+) += (\[.*\])", _block(firestore, "wide_fields ="))
    wide = {(collection, name) for collection, fields in listed for name in re.findall(r'"(\w+)"', fields)}
    assert exempt == wide | {(collection, "expires_at") for collection in expiring}


def test_secrets_have_the_same_names_and_readers(calls: list[Words]) -> None:
    """By the environment variable that they become."""
    ends = dict(re.findall(r'([A-Z_]+) += "([a-z-]+)"', _file("secrets.tf")))
    for part, function in FUNCTIONS.items():
        variables = re.findall(r'"([A-Z_]+)"', _one(rf"\n    {part} += (\[.*?\])", "secrets.tf", "[]")) or list(ends)
        wanted = {f"{variable}={PREFIX}-{ends[variable]}:latest" for variable in variables}
        assert set(flag(_deployed(calls)[function], "set-secrets").split(",")) == wanted
        account = f"serviceAccount:{_email(_accounts()[part])}"
        read = {name_in(call) for call in named(calls, "secrets", "add-iam-policy-binding") if flag(call, "member") == account}
        assert read == {f"{PREFIX}-{ends[variable]}" for variable in variables}


def test_secrets_stay_in_the_region(calls: list[Words]) -> None:
    """Both ways."""
    made = named(calls, "secrets", "create")
    assert len(made) == 3
    assert {(flag(call, "replication-policy"), flag(call, "locations")) for call in made} == {("user-managed", REGION)}
    assert "location = var.region" in _block(_file("secrets.tf"), "user_managed")


def test_storage_is_the_same(calls: list[Words]) -> None:
    """The bucket, which can never be made public, the archive in it, and the repository, which keeps a few images."""
    (bucket,) = named(calls, "storage", "buckets", "create")
    assert name_in(bucket) == "gs://" + _filled(_one(r'source_bucket = "(.*?)"', "source.tf"))
    (repository,) = named(calls, "artifacts", "repositories", "create")
    assert name_in(repository) == _filled(_one(r'repository_id = "(.*?)"', "source.tf"))
    (copy,) = named(calls, "storage", "cp")
    assert re.fullmatch(rf"{name_in(bucket)}/source-[0-9a-f]{{64}}\.zip", copy[-1])
    assert '"source-${filesha256(var.source_archive)}.zip"' in _file("source.tf")
    assert {"--uniform-bucket-level-access", "--public-access-prevention", f"--location={REGION}"} <= set(bucket)
    assert re.search(r'public_access_prevention += "enforced"', _file("source.tf"))
    (cleaned,) = named(calls, "artifacts", "repositories", "set-cleanup-policies")
    keep, delete = json.loads(Path(flag(cleaned, "policy")).read_text(encoding="utf-8"))
    assert [keep["name"], delete["name"]] == re.findall(r'\bid +\= "([a-z-]+)"', _file("source.tf"))
    assert str(keep["mostRecentVersions"]["keepCount"]) == _one(r"keep_count = (\d+)", "source.tf")
    assert delete["condition"]["olderThan"] == _one(r'older_than = "(\d+s)"', "source.tf")
    assert [keep["action"]["type"].upper(), delete["action"]["type"].upper()] == re.findall(
        r'action = "(\w+)"', _file("source.tf")
    )
    assert "--no-dry-run" in cleaned


@pytest.mark.parametrize(("part", "function"), FUNCTIONS.items())
def test_functions_are_of_the_same_size(calls: list[Words], part: str, function: str) -> None:
    """The script has Terraform's defaults."""
    sizes, call = _sizes(part), _deployed(calls)[function]
    assert call[2] == _filled(_one(rf'\n    {part} += "(\$\{{var.name_prefix\}}-.*?)"', "names.tf"))
    assert flag(call, "entry-point") == _one(r'entry_point += "(\w+)"', text=_function(part))
    assert flag(call, "runtime") == _one(r'runtime += "(\w+)"', "functions.tf")
    assert flag(call, "timeout") == f"{sizes['timeout_s']}s"
    assert flag(call, "max-instances") == sizes["max_instances"]
    assert flag(call, "min-instances") == sizes.get("min_instances", "0")
    assert flag(call, "cpu") == sizes["cpu"]
    assert flag(call, "memory") == sizes["memory"]
    dead, each = (int(_one(rf"{name} += (\d+)", "functions.tf")) for name in ("dead_deliveries", "deliveries_per_slot"))
    assert int(flag(call, "concurrency")) == int(sizes.get("concurrency") or each * int(sizes["slots"]) + dead)
    ingress = re.search(r'ingress += "(\w+)"', _function(part))
    assert (
        flag(call, "ingress-settings").replace("-", "_").upper() == (ingress[1] if ingress else sizes["ingress"])[len("ALLOW_") :]
    )


@pytest.mark.parametrize(("part", "function"), FUNCTIONS.items())
def test_functions_have_the_same_environment(calls: list[Words], part: str, function: str) -> None:
    """Every variable that one way sets the other sets, too, but the one by which Terraform starts the functions anew."""
    ours, sizes, margin = variables_of(_deployed(calls)[function]), _sizes(part), int(_one(r"margin_s = (\d+)", "functions.tf"))
    wanted = (
        _set_in("environment")
        | {"THREADS", "KLAVIYO_RATE_SHARE", "LOG_EXECUTION_ID"}
        | set(re.findall(r"([A-Z_]{4,}) +=", _function(part)))
    )
    if "local.import_environment" in _function(part):
        wanted |= _set_in("import_environment") | _set_in("import_access")
        assert ours["WORKER_DEADLINE_S"] == str(int(sizes["timeout_s"]) - margin)
        assert ours["PUSH_AUDIENCE"] == _url(part)
        assert ours["PUSH_SERVICE_ACCOUNT"] == _email(_accounts()["push"])
    else:
        assert ours["REALTIME_DEADLINE_S"] == sizes["deadline_s"]
    assert set(ours) == wanted
    plain = dict(re.findall(r'([A-Z_]{4,}) += "([^"$]+)"', _file("functions.tf")))
    assert {name: value for name, value in ours.items() if name in plain} == {name: plain[name] for name in plain if name in ours}


def test_deliveries_are_on_the_same_terms(calls: list[Words]) -> None:
    """Where to, how long Pub/Sub waits, how soon it comes again, and after how many attempts it gives up."""
    pubsub, margin = _file("pubsub.tf"), int(_one(r"margin_s = (\d+)", "functions.tf"))
    week, attempts = _one(r'week = "(\d+s)"', text=pubsub), _one(r"max_delivery_attempts = (\d+)", text=pubsub)
    made = {name_in(call): call for call in named(calls, "pubsub", "subscriptions", "create")}
    for stream, part in {"events": "realtime", "plan": "dispatcher", "work": "worker"}.items():
        theirs, ours = _block(_block(pubsub, "streams ="), f"{stream} ="), made.pop(f"{PREFIX}-{stream}-push")
        assert _one(r'function += "(\w+)"', text=theirs) == part
        assert flag(ours, "push-endpoint") == _url(part) + _one(r'endpoint += "\$\{[\w.]+\}(.*)"', text=theirs)
        assert flag(ours, "push-auth-token-audience") == _url(part)
        assert flag(ours, "push-auth-service-account") == _email(_accounts()["push"])
        assert flag(ours, "ack-deadline") == str(min(600, int(_sizes(part)["timeout_s"]) + margin))
        assert flag(ours, "max-retry-delay") == _one(r'longest_wait += "(\d+s)"', text=theirs)
        assert flag(ours, "min-retry-delay") == _one(r'minimum_backoff = "(\d+s)"', text=_resource("push"))
        assert flag(ours, "max-delivery-attempts") == attempts
        assert flag(ours, "dead-letter-topic") == f"{PREFIX}-{stream}-dead"
        held = made.pop(f"{PREFIX}-{stream}-dead-hold")
        assert flag(held, "ack-deadline") == _one(r"ack_deadline_seconds += (\d+)", text=_resource("holding"))
        assert {flag(call, "message-retention-duration") for call in (ours, held)} == {week}
    paths = dict(re.findall(r'(\w+) = "(/[^"]+)"', _one(r"dead_paths = \{(.*)\}", text=pubsub)))
    for stream, part in {"plan": "dispatcher", "work": "worker"}.items():
        told = made.pop(f"{PREFIX}-{stream}-dead-push")
        assert flag(told, "topic") == f"{PREFIX}-{stream}-dead"
        assert flag(told, "push-endpoint") == _url(part) + paths[stream]
        assert flag(told, "ack-deadline") == str(min(600, int(_sizes(part)["timeout_s"]) + margin))
        assert flag(told, "max-retry-delay") == _one(r'maximum_backoff = "(\d+s)"', text=_resource("dead_push"))
        assert flag(told, "message-retention-duration") == week
        assert not any(word.startswith("--max-delivery-attempts") for word in told)
    assert made == {}


def test_messages_stay_in_the_region(calls: list[Words]) -> None:
    """They have orders and customers in them."""
    topics = named(calls, "pubsub", "topics", "create")
    assert {flag(call, "message-storage-policy-allowed-regions") for call in topics} == {REGION}
    assert "var.message_regions == null ? [var.region]" in _file("pubsub.tf")


def test_what_people_may_choose_has_the_same_limits() -> None:
    """Terraform's variables and the script's settings refuse the same."""
    script = (ROOT / "deploy" / "gcloud.sh").read_text()
    for setting, variable in {
        "GOOGLE_CLOUD_PROJECT": "project_id",
        "REGION": "region",
        "GOOGLE_NAME_PREFIX": "name_prefix",
        "CT_PROJECT_ID": "ct_project_id",
    }.items():
        pattern = _one(r'regex\("(.*?)", var', text=_variable(variable))
        assert f"setting {setting} '{pattern}'" in script


def _file(name: str) -> str:
    return (ROOT / "terraform" / name).read_text(encoding="utf-8")


def _one(pattern: str, name: str = "", otherwise: str | None = None, *, text: str = "") -> str:
    """What the group of the pattern finds first in a file of Terraform's, or in the text."""
    found = re.search(pattern, text or _file(name))
    if not found and otherwise is not None:
        return otherwise
    assert found, f"{name or 'the text'} has nothing like {pattern}"
    return found[1]


def _block(text: str, beginning: str) -> str:
    """What stands between the braces after a beginning."""
    found = re.search(rf"^ *{re.escape(beginning)}.*?\{{$", text, re.MULTILINE)
    assert found, f"there is no {beginning}"
    depth, end = 1, found.end()
    while depth:
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        end += 1
    return text[found.end() : end - 1]


def _function(part: str) -> str:
    return _block(_block(_file("functions.tf"), "functions ="), f"{part} =")


def _resource(name: str) -> str:
    return _block(_file("pubsub.tf"), f'resource "google_pubsub_subscription" "{name}"')


def _variable(name: str) -> str:
    return _block(_file("variables.tf"), f'variable "{name}"')


def _default(block: str, name: str) -> str:
    return _one(rf"\n *{name} += (.+)", text=block)


def _sizes(part: str) -> dict[str, str]:
    """The defaults of a function's variable."""
    found = re.findall(r"(\w+) += optional\(\w+, (.+?)\)\n", _variable(part))
    return {name: value.strip('"') for name, value in found}


def _set_in(local: str) -> set[str]:
    """The environment variables that a local value sets."""
    return set(re.findall(r"^ +([A-Z_]{4,}) += ", _block(_file("functions.tf"), f"{local} ="), re.MULTILINE))


def _words(text: str, local: str) -> set[str]:
    return set(re.findall(r'"(\w+)"', _one(rf"{local} += toset\((\[.*?\])\)", text=text)))


def _accounts() -> dict[str, str]:
    return dict(re.findall(r'(\w+) += \{ id = "(.*?)"', _file("accounts.tf")))


def _filled(text: str) -> str:
    """A text of Terraform's with the values of the script's run."""
    values = {
        "var.name_prefix": PREFIX,
        "var.project_id": PROJECT,
        "local.project_number": PROJECT_NUMBER,
        "var.region": REGION,
        "local.firestore_database": f"{PREFIX}-state",
    }
    for name, value in values.items():
        text = text.replace(f"${{{name}}}", value)
    return text.replace('\\"', '"')


def _url(part: str) -> str:
    template = _one(r'function_urls = .*=> "(.*?)" \}', "names.tf")
    return _filled(template.replace("${name}", f"{PREFIX}-{FUNCTIONS[part]}"))


def _email(account: str) -> str:
    return f"{_filled(account)}@{PROJECT}.iam.gserviceaccount.com"


def _deployed(calls: list[Words]) -> dict[str, Words]:
    return {call[2].removeprefix(f"{PREFIX}-"): call for call in named(calls, "functions", "deploy")}
