"""docs/deploy-google-cloud.md can be followed line by line: every command in it exists, and is understood."""

from __future__ import annotations

import configparser
import re
import shlex
import subprocess
from pathlib import Path

import gcloud_runs
import pytest
import typer
from cli_reference import commands
from docs_pages import ROOT, page
from gcloud_runs import FILLED_IN, SCRIPT, Script, Words, flag, name_in, named, variables_of
from typer.core import TyperGroup

from shared.bulk.http.api import OFFERED
from shared.bulk.http.openapi import openapi_document
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
    asked = sorted(found - SIGNING_IN)
    answers = gcloud.answers([*asked, *((*words, "--help") for words in sorted(SIGNING_IN))])
    assert [(answer.words, answer.err) for answer in answers[: len(asked)] if not answer.understood] == []
    assert [answer.code for answer in answers[len(asked) :]] == [0, 0]


def test_terraforms_commands_are_those_of_its_example() -> None:
    """The example's own page has them, in the same order."""
    ours = [line for line in LINES if line.startswith(TERRAFORM)]
    body = "\n".join(body for language, body in EXAMPLE.fences if language == "sh").splitlines()
    step = ours[: ours.index("unset TF_VAR_ct_api_client TF_VAR_klaviyo_auth_key") + 1]
    rest = iter(body)
    assert len(step) == 6
    assert all(line in rest for line in step)
    assert set(ours) - set(body) == {"terraform destroy"}
    assert "`terraform destroy`" in EXAMPLE.text
    assert "gcloud auth application-default login" in body
    assert any(line in body for line in LINES if line.startswith("gcloud services enable "))


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
