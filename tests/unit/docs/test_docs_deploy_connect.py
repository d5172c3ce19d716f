"""docs/deploy-connect.md can be followed: its commands are understood, its drafts accepted, its names those of the code."""

from __future__ import annotations

import io
import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from docs_pages import ROOT, page
from ruamel.yaml import YAML

from deploy.connect_api.command import EXAMPLES, main, parser
from deploy.connect_api.config import REGIONS, VARIABLES
from deploy.connect_api.errors import _NEXT
from deploy.connect_api.waiting import Clock
from sandbox.connect_api.api import ConnectApi
from shared.settings import environment, load

PAGE = page("docs/deploy-connect.md")
LINES = [line for language, body in PAGE.fences if language == "sh" for line in body.splitlines() if line]
STEPS = [shlex.split(line)[3:] for line in LINES if line.startswith("python -m deploy.connect_api ")]
JSON = [json.loads(body) for language, body in PAGE.fences if language == "json"]
ADDRESS, TAG = "git@github.com:your-organization/your-fork.git", "shop-connect-1"
CONNECT_YAML = ROOT / "connect.yaml"
WORKFLOW = (ROOT / ".github/workflows/deploy-connect.yml").read_text()


def _draft() -> dict[str, Any]:
    return next(one for one in JSON if "repository" in one)


def _deployment() -> dict[str, Any]:
    return next(one for one in JSON if "configurations" in one)


def _settings() -> dict[str, str]:
    """The page's `.env`, with what a person fills in filled in."""
    [text] = [body for language, body in PAGE.fences if "CONNECT_API_CLIENT=" in body]
    values = dict(line.split("=", 1) for line in text.splitlines() if line)
    client = '{"clientId": "connect-client", "secret": "connect-secret"}'
    return values | {
        "CONNECT_API_CLIENT": client,
        "CT_API_CLIENT": client,
        "KLAVIYO_AUTH_KEY": "pk_0123456789abcdef",
        "CT_PROJECT_ID": "shop",
    }


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git repository that has this project's connect.yaml at the root of the page's tag; it is only read."""
    folder = tmp_path_factory.mktemp("repository")
    git = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@example.com"]
    (folder / "connect.yaml").write_bytes(CONNECT_YAML.read_bytes())
    (folder / "realtime_event").mkdir()
    (folder / "realtime_event" / "package.json").write_text("{}\n")
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "bundle"], ["tag", TAG]):
        subprocess.run([*git, *words], check=True)
    return folder


@pytest.fixture
def api(repository: Path) -> ConnectApi:
    """A simulated Connect API that reads that repository."""
    return ConnectApi(project_key="shop", repositories={ADDRESS: repository})


def _take(api: ConnectApi, words: list[str], **different: str) -> tuple[int, str]:
    """Take a step of the page with its settings; code and output."""

    def answer(request: httpx.Request) -> httpx.Response:
        authorization, query = request.headers.get("Authorization", ""), request.url.query.decode()
        status, body = api.answer(request.method, request.url.path, query, authorization, request.content)
        return httpx.Response(status, json=body)

    out, slept_s = io.StringIO(), []
    http = httpx.Client(transport=httpx.MockTransport(answer))
    clock = Clock(lambda: sum(slept_s), slept_s.append)
    return main(words, environ=_settings() | different, http=http, clock=clock, out=out, err=out), out.getvalue()


def test_every_line_is_of_a_kind_that_is_checked() -> None:
    """Steps, and what has a test of its own elsewhere."""
    assert [
        line
        for line in LINES
        if not line.startswith(("python -m deploy.connect_api ", "make ", ". .venv/bin/activate", "export CONNECT_ENV="))
    ] == []
    assert len(STEPS) > 15


@pytest.mark.parametrize("words", STEPS, ids=" ".join)
def test_every_step_is_understood(words: list[str]) -> None:
    """With its options."""
    if words != ["--help"]:
        parser().parse_args(words)


def test_the_pages_own_lines_deploy_a_fork(api: ConnectApi) -> None:
    """From the third way's first step to the last, with the page's settings; then the first way's, and the end."""
    names = ["stage-connector", "request-preview", "wait-preview", "deploy", "wait-deployed", "status"]
    section = PAGE.text[PAGE.text.index("## Third way: ") : PAGE.text.index("## To production")]
    lines = [shlex.split(line)[3:] for line in re.findall(r"^ *(python -m deploy\.connect_api .+)$", section, re.MULTILINE)]
    taken = [words for words in lines if words[0] in names and "--replace" not in words]
    assert [words[0] for words in taken] == names
    for words in taken:
        code, output = _take(api, words)
        assert code == 0, output
    assert "commercetools-klaviyo-sync-connect_dev (preview, europe-west1.gcp): shop-connect-1 is Deployed" in output
    assert api.requests[1] == ("POST", "/connectors/drafts", {**_draft(), "privateProjects": ["europe-west1.gcp:shop"]})
    for words in (["deploy", "--staged", "--replace"], ["wait-deployed"], ["undeploy"], ["wait-undeployed"]):
        assert _take(api, words)[0] == 0
    api.connectors.publish("commercetools-klaviyo-sync")
    for words in (["deploy", "--type", "production"], ["wait-deployed"], ["undeploy"], ["wait-undeployed"]):
        assert _take(api, words, CONNECT_ENV="connect_prod")[0] == 0
    section = PAGE.text[PAGE.text.index("## First way: ") : PAGE.text.index("## Second way: ")]
    for line in re.findall(r"^python -m deploy\.connect_api (.+)$", section, re.MULTILINE):
        code, output = _take(api, shlex.split(line))
        assert code == 0, output


def test_the_deployment_shown_is_valid(api: ConnectApi) -> None:
    """The API takes it for this project's connect.yaml, with all that is required, and the product starts with its values."""
    code, output = _take(api, ["stage-connector", "--repository", ADDRESS, "--tag", TAG])
    assert code == 0, output
    api.connectors.publish("commercetools-klaviyo-sync")
    status, body = api.answer("POST", "/shop/deployments", "", f"Bearer {api.tokens[0]}", json.dumps(_deployment()).encode())
    assert (status, body["status"]) == (201, "Queued")
    [application] = _deployment()["configurations"]
    [asked] = YAML(typ="safe").load(CONNECT_YAML.read_text())["deployAs"]
    values = {}
    for kind in ("standardConfiguration", "securedConfiguration"):
        values |= {pair["key"]: pair["value"] for pair in application[kind]}
        assert {key["key"] for key in asked["configuration"][kind] if key["required"]} <= set(values)
    settings = load(values)
    assert settings.mapping.document.product.unpublished == "hide"
    assert application["applicationName"] == asked["name"]


def test_the_document_shown_is_accepted_and_printed(tmp_path: Path, api: ConnectApi) -> None:
    """By the command that the page names."""
    document = next(one for one in JSON if "product" in one)
    path = tmp_path / "my-config.json"
    path.write_text(json.dumps(document))
    code, output = _take(api, ["node-config", str(path)])
    assert (code, json.loads(output)) == (0, document)


def test_a_document_in_the_environments_file_arrives_whole(tmp_path: Path, api: ConnectApi) -> None:
    """The page's line, quotes and all, as the file is read: what follows a number sign is no comment."""
    [text] = [body for _, body in PAGE.fences if body.startswith("NODE_CONFIG=")]
    path = tmp_path / ".env"
    path.write_text(text)
    document = environment(path)["NODE_CONFIG"]
    assert " #" in document
    (tmp_path / "my-config.json").write_text(document)
    code, output = _take(api, ["node-config", str(tmp_path / "my-config.json")])
    assert (code, f"NODE_CONFIG='{output.strip()}'") == (0, text.strip())


def test_the_forks_tag_is_none_of_our_releases() -> None:
    """A release pushes `connect-` and its tag, which begins with v; tags come along with a fork."""
    section = PAGE.text[PAGE.text.index("## Third way: ") : PAGE.text.index("## To production")]
    tags = set(re.findall(r"--tag (\S+)", section))
    assert tags == {TAG}
    assert not TAG.startswith("connect-v")
    assert 'push-bundle --tag "connect-$GITHUB_REF_NAME"' in (ROOT / ".github/workflows/release.yml").read_text()
    assert not re.findall(r"--tag connect-v", EXAMPLES)


def test_regions_and_hosts_are_those_of_the_steps() -> None:
    """One row for each."""
    rows = re.findall(r"^ *\| `([^`]+)` \| `(https:[^`]+)` \|$", PAGE.section("What you need"), re.MULTILINE)
    assert rows == [(region, f"https://connect.{region}.commercetools.com") for region in REGIONS]


def test_the_scopes_are_those_of_realtime_and_of_the_scripts() -> None:
    """Every scope of docs/realtime.md, and the one for subscriptions."""
    needed = PAGE.section("What you need")
    rows = page("docs/realtime.md").section("Scopes")
    wanted = set(re.findall(r"^\| `(\w+)`", rows, re.MULTILINE)) | {"manage_subscriptions"}
    wanted |= set(re.findall(r"`([a-z-]+:(?:read|write))`", rows))
    assert len(wanted) > 10
    assert [scope for scope in sorted(wanted) if f"`{scope}`" not in needed] == []


def test_the_environments_table_is_what_the_workflow_reads() -> None:
    """Every variable and secret, each as what it is."""
    for kind, pattern in (("secret", r"secrets\.(\w+)"), ("variable", r"vars\.(\w+)")):
        shown = {name for row in PAGE.table("With GitHub Actions") if row[1] == kind for name in re.findall(r"`(\w+)`", row[0])}
        assert shown == set(re.findall(pattern, WORKFLOW))


def test_every_error_named_is_one_that_is_known() -> None:
    """With advice of its own in the steps."""
    assert PAGE.codes("When something is wrong") <= set(_NEXT)


def test_the_calls_named_are_those_that_are_made(api: ConnectApi) -> None:
    """Method and path of each step's row, while all of them are taken."""
    for words in (
        ["search"],
        ["stage-connector", "--repository", ADDRESS, "--tag", TAG],
        ["request-preview"],
        ["wait-preview"],
        ["deploy", "--staged"],
        ["wait-deployed"],
        ["deploy", "--staged"],
        ["wait-deployed"],
        ["undeploy"],
    ):
        _take(api, words)
    made = {f"{method} {path}" for method, path, _ in api.requests}
    key, deployment = "commercetools-klaviyo-sync", "commercetools-klaviyo-sync-connect_dev"
    replaced = {"KEY": key, "DEPLOYMENT": deployment, "{projectKey}": "shop"}
    named = set()
    for call in PAGE.codes("The calls behind the steps", column=1):
        if re.match("[A-Z]+ /", call) and call != "POST /oauth/token":
            for name, value in replaced.items():
                call = re.sub(rf"(?<![A-Z]){re.escape(name)}$|{re.escape(name)}(?=/)", value, call)
            named.add(call)
    assert named - made == set()
    assert len(named) == 8


def test_every_setting_of_the_example_is_one() -> None:
    """Of the steps, or a key of connect.yaml; with them the steps have all they need."""
    [asked] = YAML(typ="safe").load(CONNECT_YAML.read_text())["deployAs"]
    keys = {key["key"] for kind in asked["configuration"].values() for key in kind} | {one.name for one in VARIABLES}
    assert set(_settings()) <= keys
