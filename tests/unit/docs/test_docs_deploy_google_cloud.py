"""docs/deploy-google-cloud.md can be followed line by line: every command in it exists, and is understood."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import gcloud_runs
import pytest
import typer
from cli_reference import commands
from docs_pages import ROOT, page, product_texts
from gcloud_runs import FILLED_IN, SCRIPT, Script, Words, flag, name_in, named, variables_of
from typer.core import TyperGroup

from shared.bulk.http.api import OFFERED
from shared.bulk.http.openapi import openapi_document
from shared.bulk.plan import BATCH_SIZES
from shared.bulk.run import LEASE_S
from shared.bulk.work import ATTEMPTS_USED_UP
from shared.cli.app import app
from shared.google import names
from shared.google.names import Stream
from shared.settings import load

PAGE = page("docs/deploy-google-cloud.md")
EXAMPLE = page("terraform/examples/basic/README.md")
PREFIX = "klaviyo-sync"
LINES = [
    line.strip()
    for language, body in PAGE.fences
    if language == "sh"
    for line in body.replace("\\\n", " ").splitlines()
    if line.strip()
]
TERRAFORM = ("terraform ", "read -rs TF_VAR_", "unset TF_VAR_", "cp terraform.tfvars.example ")
SIGNING_IN = {("auth", "login"), ("auth", "application-default", "login")}
"""Commands that open a browser; their help is what can be asked for."""

HERE = ("config", "set", "project", "my-cloud-project")
"""A command that asks nothing of Google: it succeeds."""


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> list[Words]:
    """What the script asks of gcloud."""
    return Script(tmp_path_factory.mktemp("guide")).calls()


def test_every_line_is_of_a_kind_that_is_checked_here() -> None:
    """A command that nobody tries would be the one that does not work."""
    kinds = (*TERRAFORM, "gcloud ", "make ", "ct-klaviyo ", "deploy/gcloud.sh", "curl ", "cp deploy/", ". .venv/bin/activate")
    assert len(LINES) > 40
    assert [line for line in LINES if not line.startswith(kinds)] == []


def test_gcloud_understands_every_command() -> None:
    """As far as it goes without a login, and those in the tables and sentences, too."""
    spans = [span for span in PAGE.spans if span.startswith("gcloud ")]
    inner = [match for line in LINES for match in re.findall(r"\$\((gcloud [^)]*)\)", line)]
    found = {tuple(shlex.split(line)[1:]) for line in [*LINES, *spans, *inner] if line.startswith("gcloud ")}
    assert found >= SIGNING_IN
    assert len(found) > 10
    gcloud = gcloud_runs.installed()
    asked = sorted(found - SIGNING_IN - {HERE})
    told = gcloud.answers([*asked, *((*words, "--help") for words in sorted(SIGNING_IN)), HERE])
    assert [(answer.words, answer.err) for answer in told[: len(asked)] if not answer.understood] == []
    assert [answer.code for answer in told[len(asked) :]] == [0, 0, 0]


def test_the_project_is_set_first_and_named_where_something_is_deleted() -> None:
    """What gcloud would take by itself may be a project of somebody's daily work."""
    order = [line for line in LINES if line.startswith("gcloud ")]
    assert order.index(shlex.join(["gcloud", *HERE])) == 3, "right after the account, the project and its billing"
    verbs = r" (delete|remove-iam-policy-binding|--no-delete-protection|run services update)\b"
    ending = [line for line in order if re.search(verbs, line)]
    assert len(ending) == 8
    assert [line for line in ending if not line.endswith(" --project my-cloud-project")] == []


def test_terraforms_commands_are_those_of_its_example() -> None:
    """The steps up to the first apply are the same lines on both pages, in the same order, and nothing is left out of them."""
    step = _lines("With Terraform")
    theirs = [line for language, body in EXAMPLE.fences if language == "sh" for line in _joined(body)]
    assert theirs[: len(step)] == step
    switched_on = re.findall(r'"([a-z]+\.googleapis\.com)"', (ROOT / "terraform" / "services.tf").read_text(encoding="utf-8"))
    beforehand = {*switched_on, "serviceusage.googleapis.com"} - {"cloudscheduler.googleapis.com"}
    enabled = " ".join(sorted(beforehand))
    assert step == [
        "gcloud auth application-default login",
        f"gcloud services enable {enabled} --project my-cloud-project",
        "gcloud beta services identity create --service=pubsub.googleapis.com --project my-cloud-project",
        "make source-archive",
        "cp terraform.tfvars.example terraform.tfvars",
        "read -rs TF_VAR_ct_api_client && export TF_VAR_ct_api_client",
        "read -rs TF_VAR_klaviyo_auth_key && export TF_VAR_klaviyo_auth_key",
        "terraform init",
        "terraform apply",
        "unset TF_VAR_ct_api_client TF_VAR_klaviyo_auth_key",
    ]
    assert {line for line in LINES if line.startswith(TERRAFORM)} <= set(theirs)


def test_secrets_are_forgotten_only_when_the_apply_has_ended_well() -> None:
    """It may stop, and is then repeated with the same secrets: what unsets them is a step of its own, on both pages."""
    for text in (PAGE.text, EXAMPLE.text):
        blocks = re.findall(r"^ *```sh\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
        (unset,) = (block for block in blocks if "unset" in block)
        assert _joined(unset) == ["unset TF_VAR_ct_api_client TF_VAR_klaviyo_auth_key"]


def test_what_is_forgotten_before_the_end_are_all_fields_of_the_database() -> None:
    """Else a destroy would take back what was said of them, also in a database that stays."""
    (forgotten,) = (line for line in LINES if line.startswith("terraform state rm "))
    text = (ROOT / "terraform" / "firestore.tf").read_text(encoding="utf-8")
    fields = re.findall(r'^resource "google_firestore_field" "(\w+)"', text, re.MULTILINE)
    assert shlex.split(forgotten)[3:] == [f"module.klaviyo_sync.google_firestore_field.{name}" for name in fields]
    assert 'module "klaviyo_sync"' in page("terraform/examples/basic/main.tf").text


def test_a_leaked_key_is_out_of_use_without_a_build() -> None:
    """Each function is started anew by the variable that Terraform starts them with."""
    started = [shlex.split(line) for line in LINES if line.startswith("gcloud run services update ")]
    assert [words[4] for words in started] == [f"{PREFIX}-{function}" for function in ("realtime", "dispatch", "worker")]
    assert all("--update-env-vars=SECRETS_VERSION=2" in words for words in started)
    assert "SECRETS_VERSION = tostring(var.secrets_version)" in (ROOT / "terraform" / "functions.tf").read_text(encoding="utf-8")


def test_the_other_steps_are_complete_and_in_order() -> None:
    """One that is missing is not noticed by somebody who follows the page, only what comes after it fails."""
    assert _lines("With gcloud alone") == [
        "cp deploy/gcloud.env.example deploy/gcloud.env",
        "deploy/gcloud.sh --print",
        "make source-archive",
        "deploy/gcloud.sh",
        "deploy/gcloud.sh services",
        "deploy/gcloud.sh secret CT_API_CLIENT <ct-api-client.json",
        "deploy/gcloud.sh secret KLAVIYO_AUTH_KEY <klaviyo-auth-key.txt",
        "deploy/gcloud.sh",
    ]
    assert _lines("Notifications") == ["make subscriptions", "make subscriptions ARGS=--check"]
    changing = _lines("Changing something")
    assert changing[changing.index("make setup") :] == ["make setup", "make source-archive", "terraform apply"]
    assert [line.split(" --")[0].split(" module.")[0] for line in _lines("Removing everything")] == [
        "make subscriptions ARGS=--remove",
        "make source-archive",
        "terraform state rm",
        "terraform destroy",
        "deploy/gcloud.sh",
        "deploy/gcloud.sh remove klaviyo-sync",
        "gcloud firestore databases update",
        "gcloud firestore databases delete",
    ]


def test_files_that_it_has_one_write_are_not_committed() -> None:
    """Secrets, and what one installation is configured with."""
    written = {found for line in LINES for found in re.findall(r"<(\S+)|^cp \S+ (\S+)$", line)}
    paths = {redirected or copied for redirected, copied in written} | {".env", "container.env"}
    assert len(paths) == 6
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert sorted(path for path in paths if path not in ignored) == []


def test_numbers_are_those_of_the_deployment(calls: list[Words]) -> None:
    """Deliveries, how long is kept what was given up, threads, batches, leases, and what Python and Terraform must be."""
    push = next(call for call in named(calls, "pubsub", "subscriptions", "create") if name_in(call) == f"{PREFIX}-work-push")
    hold = next(call for call in named(calls, "pubsub", "subscriptions", "create") if name_in(call) == f"{PREFIX}-work-dead-hold")
    realtime = next(call for call in named(calls, "functions", "deploy") if call[2] == f"{PREFIX}-realtime")
    assert flag(hold, "message-retention-duration") == f"{7 * 24 * 3600}s"
    assert LEASE_S == 120
    most = flag(push, "max-delivery-attempts")
    fields = {
        (flag(call, "collection-group"), name_in(call)) for call in named(calls, "firestore", "indexes", "fields", "update")
    }
    for said in (
        f"A message that cannot be handled in {most} deliveries is held for a week",
        f"| whole messages, for a week | {most} deliveries failed:",
        f"each handles {flag(realtime, 'concurrency')} notifications at once",
        f"batch of {min(BATCH_SIZES.values()):,} to {max(BATCH_SIZES.values()):,} items",
        "nobody has worked on it for two minutes",
        f"Firestore changes {len(fields)} fields of the database one after the other",
        f"Python {'.'.join(re.findall(r'[0-9]+', _toml()['project']['requires-python']))} or newer",
        f"{_minimum('required_version')} or newer",
    ):
        assert said in " ".join(PAGE.text.split()), said


def test_what_the_log_is_said_to_say_it_says() -> None:
    """And the reasons of failures are those of imports."""
    rows = PAGE.table("When something is wrong")
    said = {text for row in rows if row[0].startswith("log: ") for text in re.findall(r"`([^`]+)`", row[0])}
    assert len(said) == 2
    assert said <= set(product_texts())
    assert {text for row in rows for text in re.findall(r"failures `([^`]+)`", row[0])} == {ATTEMPTS_USED_UP}


def test_roles_are_those_that_are_granted() -> None:
    """To operators, by both ways; a role that is taken away is one that was given."""
    listed = json.loads((ROOT / "terraform" / "tests" / "grants.json").read_text(encoding="utf-8"))
    operators = {
        role for roles in listed.values() for role, members in roles.items() if any(one.startswith("user:") for one in members)
    }
    assert set(re.findall(r"\broles/[a-z]+\.[A-Za-z]+", PAGE.text)) == operators
    (sentence,) = re.findall(
        r"roles\]\(cli.md#dead-letters\) that operators have, both ways:\n(.*)\.", PAGE.text.split(". Of a batch")[0] + "."
    )
    assert sentence == "`roles/pubsub.subscriber` on the three subscriptions, `roles/pubsub.publisher` on the three topics"


def test_what_is_set_in_terraform_can_be_set() -> None:
    """Variables of the module, with their fields."""
    variables = (ROOT / "terraform" / "variables.tf").read_text(encoding="utf-8")
    known = set(re.findall(r'^variable "(\w+)"', variables, re.MULTILINE))
    fields = set(re.findall(r"^    (\w+) += optional", variables, re.MULTILINE))
    example = page("terraform/examples/basic/variables.tf").text
    named_here = {span for span in PAGE.spans if re.fullmatch(r"[a-z]+(_[a-z]+)+|(worker|realtime|dispatcher)\.[a-z_]+", span)}
    theirs = {span for span in named_here if span.split(".")[0] in known} | {"alert_email"}
    assert {span.split(".")[1] for span in theirs if "." in span} <= fields
    assert {"secrets_version", "firestore_delete_protection", "scheduled_imports", "worker.slots"} <= theirs
    assert 'variable "alert_email"' in example
    assert 'variable "secrets_version"' in example
    assert named_here - theirs == {
        *("import_api_url", "min_instances", "attempts_used_up", "not_admitted", "service_not_found"),
        *("manage_key_value_documents", "manage_subscriptions"),
    }


def test_the_command_line_understands_every_command_of_ours() -> None:
    """Arguments, options and their values, without carrying anything out."""
    known = dict(commands())
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    lines = [line for line in LINES if line.startswith("ct-klaviyo ")]
    assert len(lines) > 10
    for line in lines:
        words = shlex.split(line)[1:]
        depth = 2 if " ".join(words[:2]) in known else 1
        known[" ".join(words[:depth])].make_context("ct-klaviyo", words[depth:])


def test_the_script_understands_every_call_of_it(tmp_path: Path) -> None:
    """With the configuration that the guide has one make, after its placeholders are filled in."""
    script = Script(tmp_path)
    lines = {line for line in LINES if line.startswith("deploy/gcloud.sh")}
    lines |= {span for span in PAGE.spans if span.startswith("deploy/gcloud.sh ")}
    assert len(lines) > 8
    for line in lines:
        words = shlex.split(line.partition("<")[0])[1:]
        assert script.printed(*(word for word in words if word != "--print"))
    for copied in (line for line in LINES if line.startswith("cp deploy/")):
        assert (ROOT / shlex.split(copied)[1]).is_file()
        assert str(SCRIPT).endswith("deploy/gcloud.sh")


def test_the_script_does_not_run_with_the_examples_own_values(tmp_path: Path) -> None:
    """Whoever forgets to fill one in is told which."""
    config = tmp_path / "gcloud.env"
    for name in FILLED_IN:
        text = gcloud_runs.EXAMPLE.read_text()
        for other, value in FILLED_IN.items():
            if other != name:
                text += f"\n{other}='{value}'"
        config.write_text(text)
        ended = subprocess.run([str(SCRIPT), "--config", str(config)], capture_output=True, text=True, check=False)
        assert ended.returncode == 2
        assert f"{name} in {config} is still the example's" in ended.stderr


def test_the_steps_are_those_of_the_script(tmp_path: Path) -> None:
    """The table has every step, in its order."""
    table = [row[0].strip("`") for row in PAGE.table("With gcloud alone")]
    printed = Script(tmp_path).printed()
    assert re.findall(r'^echo "== (\w+)"$', printed, re.MULTILINE) == table


def test_names_and_addresses_are_those_that_are_made(calls: list[Words]) -> None:
    """Functions, subscriptions, secrets, the database, and the address of the import API."""
    functions = {call[2] for call in named(calls, "functions", "deploy")}
    made = {name_in(call) for call in calls if "create" in call} | functions
    made.add(next(flag(call, "database") for call in named(calls, "firestore", "databases", "create")))
    text = PAGE.text
    shown = set(re.findall(rf"\b{PREFIX}-[a-z-]+[a-z]\b", re.sub(r"https://\S+", "", text)))
    assert shown - made == {"klaviyo-sync-dead-letters"}
    assert {names.holding_subscription(PREFIX, stream) for stream in Stream} <= shown
    assert {row[0].strip("`") for row in PAGE.table("On Google Cloud")[:3]} == functions
    (dispatch,) = (call for call in named(calls, "functions", "deploy") if call[2] == f"{PREFIX}-dispatch")
    address = variables_of(dispatch)["PUSH_AUDIENCE"]
    assert set(re.findall(r"https://\S+\.run\.app", text)) == {address}


def test_what_curl_asks_for_exists() -> None:
    """The path is one of the import API's."""
    paths = {match for line in LINES if line.startswith("curl ") for match in re.findall(r"run\.app(/\S+)", line)}
    assert paths
    assert paths <= set(openapi_document(OFFERED)["paths"])


def test_the_environment_of_the_subscriptions_is_complete() -> None:
    """The block for `.env`, with what people fill in, is all that the deployment script needs."""
    block = next(body for language, body in PAGE.fences if language == "ini")
    reader = configparser.RawConfigParser(delimiters=("=",))
    reader.optionxform = str  # type: ignore[assignment,method-assign] # names keep their capitals
    reader.read_string(f"[env]\n{block}")
    environment = dict(reader["env"]) | {
        "CT_PROJECT_ID": "shop",
        "CT_API_CLIENT": '{"clientId": "id-of-a-client", "secret": "secret-of-a-client"}',
        "KLAVIYO_AUTH_KEY": "pk_0123456789",
        "GOOGLE_CLOUD_PROJECT": "shop-cloud",
    }
    settings = load(environment, destination_needed=True)
    assert settings.connect.gcp_topic_name == names.topic(PREFIX, Stream.EVENTS)
    assert settings.google.name_prefix == PREFIX


def test_sizes_are_the_defaults(calls: list[Words]) -> None:
    """Of both ways, which are compared elsewhere."""
    example = gcloud_runs.EXAMPLE.read_text()
    rows = PAGE.table("Sizes")
    assert len(rows) == 5
    for _, setting, default, _ in rows:
        assert f"#{setting.strip('`')}={default}\n" in example
    worker = next(call for call in named(calls, "functions", "deploy") if call[2] == f"{PREFIX}-worker")
    assert (flag(worker, "max-instances"), variables_of(worker)["WORKER_SLOTS"]) == ("1", "4")


def _lines(heading: str) -> list[str]:
    """The commands of a section, one after the other."""
    section = PAGE.text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    bodies = re.findall(r"^ *```sh\n(.*?)^ *```", section, re.DOTALL | re.MULTILINE)
    return [line for body in bodies for line in _joined(body)]


def _joined(body: str) -> list[str]:
    """The commands of a block, each on one line."""
    return [" ".join(line.split()) for line in body.replace("\\\n", " ").splitlines() if line.strip()]


def _toml() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def _minimum(name: str) -> str:
    found = re.search(rf'{name} = ">= ([0-9.]+)"', (ROOT / "terraform" / "versions.tf").read_text(encoding="utf-8"))
    assert found
    return found[1]
