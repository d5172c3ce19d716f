"""Settings, credentials, retries, output of the steps: nothing is guessed, nothing secret shown, nothing tried for ever."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from connect_api_world import DEPLOYMENT, ENVIRON, QUICK, ROOT, SECRETS, STAGE, TAG, World, make_repository, world

from deploy.connect_api.command import EXAMPLES, parser
from deploy.connect_api.config import REGIONS, VARIABLES
from deploy.connect_api.errors import _NEXT
from sandbox.connect_api.deployments import REGIONS as REGIONS_OF_THE_API

ESCAPED = json.dumps(ENVIRON["CT_API_CLIENT"])[1:-1]
"""As the value stands in a deployment's JSON."""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Read by the simulated API alone."""
    return make_repository(tmp_path_factory.mktemp("repository"))


@pytest.fixture
def connect(repository: Path) -> World:
    """A project without connectors."""
    return world(repository)


def test_the_token_is_told_of_but_not_shown(connect: World) -> None:
    """What it allows, and for how long."""
    ended = connect.step("token")
    assert ended.out == ("authenticated for 172800 s with: manage_connectors:sandbox manage_connectors_deployments:sandbox\n")


def test_no_step_shows_a_secret(connect: World) -> None:
    """Neither when all is well nor when all fails, not even where the API repeats one."""
    steps = [("token",), (*STAGE, TAG), ("request-preview",), ("wait-preview", *QUICK), ("deploy", "--staged", "--print")]
    shown = [connect.step(*step) for step in [*steps, ("deploy", "--staged"), ("wait-deployed", *QUICK), ("status",)]]
    connect.api.deployments.all[DEPLOYMENT]["status"] = f"stuck with {SECRETS['klaviyo']} and {SECRETS['shop']}"
    shown += [connect.step("deploy", "--staged"), connect.step("status", CT_PROJECT_ID="elsewhere")]
    connect.api.deployments.all[DEPLOYMENT]["status"] = f"whole {connect.environ['CT_API_CLIENT']} and {ESCAPED}"
    shown.append(connect.step("status", CT_API_CLIENT=json.dumps({"clientId": "shop-client", "secret": SECRETS["shop"]})))
    assert shown[-1].out.endswith("is whole *** and ***\n")
    connect.api.client_secret = "changed"
    shown.append(connect.step("status"))
    text = "".join(ended.out + ended.err for ended in shown)
    assert "stuck with *** and ***" in text
    assert not [secret for secret in [*SECRETS.values(), *connect.api.tokens] if secret in text]


def test_github_is_told_what_to_mask(connect: World) -> None:
    """The token, and the parts of JSON secrets, which GitHub knows only as a whole; only there are they written.

    On standard error, which GitHub reads as well.
    """
    ended = connect.step("token", GITHUB_ACTIONS="true")
    assert ended.out.startswith("authenticated for ")
    lines = ended.err.splitlines()
    for secret in [*SECRETS.values(), connect.environ["CT_API_CLIENT"], connect.api.tokens[0], ESCAPED]:
        assert [line for line in lines if secret in line and not line.startswith("::add-mask::")] == []
        assert f"::add-mask::{secret}" in lines


def test_what_is_captured_has_no_mask_in_it(connect: World) -> None:
    """A deployment's JSON in a file, a tag in a variable: only the result stands there, and no secret."""
    connect.previewable()
    printed = connect.step("deploy", "--staged", "--print", GITHUB_ACTIONS="true").out
    assert json.loads(printed)["key"] == DEPLOYMENT
    assert not [secret for secret in [*SECRETS.values(), *connect.api.tokens, "add-mask"] if secret in printed]
    tag = connect.step("bundle-tag", GITHUB_ACTIONS="true", PATH=os.environ["PATH"]).out
    assert re.fullmatch(r"connect-v\S+-[0-9a-f]{12}\n", tag)


def test_a_mask_is_what_github_reads_as_the_secret(connect: World) -> None:
    """A percent sign begins an escape in a command; a line of a brace alone would mask every brace of the log."""
    key = "pk_100%0Asure\\"
    written = json.dumps({"clientId": "shop-client", "secret": 'so%25 "quoted" ünd so'}, indent=1)
    lines = connect.step("token", GITHUB_ACTIONS="true", KLAVIYO_AUTH_KEY=key, CT_API_CLIENT=written).err.splitlines()
    masks = [line.removeprefix("::add-mask::") for line in lines if line.startswith("::add-mask::")]
    assert "pk_100%250Asure\\" in masks
    assert "pk_100%250Asure\\\\" in masks
    assert 'so%2525 "quoted" ünd so' in masks
    assert 'so%2525 \\"quoted\\" ünd so' in masks
    assert 'so%2525 \\"quoted\\" \\u00fcnd so' in masks
    assert [mask for mask in masks if len(mask.strip()) < 4] == []


def test_every_missing_setting_is_named_at_once(connect: World) -> None:
    """By its variable; wrong usage has another exit code than a failure."""
    names = ("CONNECT_API_CLIENT", "CT_AUTH_URL", "CT_PROJECT_ID", "CONNECT_REGION")
    ended = connect.step("token", **dict.fromkeys(names, ""), CT_API_URL="")
    assert ended.code == 2
    assert sorted(line.partition(":")[0] for line in ended.err.splitlines()) == sorted(names)
    assert connect.api.tokens == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CONNECT_API_CLIENT", "connect-client:connect-secret"),
        ("CONNECT_API_CLIENT", '{"clientId": "connect-client"}'),
        ("CONNECT_API_URL", "http://connect.example.com"),
        ("CT_AUTH_URL", "auth.example.com"),
        ("CONNECT_REGION", "westeurope.azure"),
        ("CONNECT_CONNECTOR_KEY", "with space"),
        ("CONNECT_DEPLOYMENT_KEY", "a"),
        ("CONNECT_ENV", "ü"),
    ],
)
def test_a_wrong_setting_is_named_without_its_value(connect: World, name: str, value: str) -> None:
    """Before anything is sent."""
    ended = connect.step("token", **{name: value})
    assert ended.code == 2
    assert re.match(r"CONNECT_DEPLOYMENT_KEY" if name == "CONNECT_ENV" else name, ended.err)
    assert len(value) < 2 or value not in ended.err
    assert connect.api.tokens == []


@pytest.mark.parametrize("region", REGIONS)
def test_the_region_is_that_of_the_project(region: str, connect: World) -> None:
    """Of its API host; Connect has a host in each, where the steps then call."""
    called: list[str] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        called.append(str(request.url))
        return httpx.Response(200, json={"access_token": "a token of the test", "results": []})

    connect._answer = refuse  # type: ignore[method-assign]
    environ = {"CONNECT_REGION": "", "CONNECT_API_URL": "", "CT_API_URL": f"https://api.{region}.commercetools.com"}
    connect.step("search", **environ)
    assert called[-1] == f"https://connect.{region}.commercetools.com/connectors/search?limit=500"
    assert set(REGIONS) == set(REGIONS_OF_THE_API)


def test_wrong_credentials_and_missing_scopes_are_told_apart(connect: World) -> None:
    """Both are failures with something to do."""
    connect.api.client_secret = "changed"
    ended = connect.step("token")
    assert ended.code == 1
    assert "401 invalid_client" in ended.err
    assert "check clientId and secret in CONNECT_API_CLIENT" in ended.err
    connect.api.client_secret = SECRETS["client"]
    connect.api.scopes = ("manage_connectors",)
    ended = connect.step("status")
    assert ended.code == 1
    assert "manage_connectors_deployments" in ended.err


def test_a_token_that_ends_while_waiting_is_renewed_once(connect: World) -> None:
    """A 401 with a fresh token is an answer; with an old one it is a reason to fetch another."""
    connect.steps((*STAGE, TAG), ("request-preview",))
    connect.fail(401, method="GET", times=1)
    before = len(connect.api.tokens)
    connect.steps(("wait-preview", *QUICK))
    assert len(connect.api.tokens) == before + 2
    connect.fail(401, method="GET", times=2)
    assert connect.step("status").code == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_passing_fault_is_tried_again(connect: World, status: int) -> None:
    """Up to five times in all, with growing waits; then the step fails and says where nobody answers."""
    connect.fail(status, times=4)
    assert connect.step("token").code == 0
    assert len(connect.slept_s) == 4
    connect.fail(status, times=5)
    ended = connect.step("token")
    assert ended.code == 1
    assert f"answered {status}, 5 times" in ended.err
    assert "check 127.0.0.1" in ended.err


def test_a_wait_outlasts_an_outage(connect: World) -> None:
    """A quarter of an hour is long; the host may be away for a while."""
    connect.steps((*STAGE, TAG), ("request-preview",))
    connect.fail(503, method="GET", times=7)
    ended = connect.step("wait-preview", *QUICK)
    assert ended.code == 0
    assert "unknown (GET /connectors/drafts/key=" in ended.out


def test_what_is_no_answer_of_the_api_is_a_failure(connect: World) -> None:
    """A page of somebody's proxy, a token endpoint without a token."""
    connect._answer = lambda _request: httpx.Response(200, html="<p>please log in</p>")  # type: ignore[method-assign]
    assert "the answer is no JSON object" in connect.step("token").err
    connect._answer = lambda _request: httpx.Response(200, json={})  # type: ignore[method-assign]
    assert "the answer has no token" in connect.step("token").err
    connect._answer = lambda _request: httpx.Response(302, headers={"Location": "https://elsewhere.example.com"})  # type: ignore[method-assign]
    ended = connect.step("token")
    assert ended.code == 1
    assert "302" in ended.err


def test_a_host_that_does_not_answer_is_a_failure(connect: World) -> None:
    """Named by the kind of fault."""

    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectTimeout("", request=request)

    connect._answer = away  # type: ignore[method-assign]
    assert "ConnectTimeout, 5 times" in connect.step("token").err


def test_help_shows_every_setting_and_an_example_of_every_step() -> None:
    """As a process of its own, without any setting; every example is a command line that is understood."""
    command = [sys.executable, "-m", "deploy.connect_api", "--help"]
    shown = subprocess.run(command, cwd=ROOT, env={}, capture_output=True, text=True, check=True).stdout
    assert not [one.name for one in VARIABLES if one.name not in shown]
    steps = set()
    for line in re.findall(r"^ *python -m deploy\.connect_api (.+)$", EXAMPLES, re.MULTILINE):
        parser().parse_args(line.split())
        steps.add(line.split()[0])
    assert steps | {"bundle-tag"} == set(parser()._subparsers._group_actions[0].choices)  # type: ignore[union-attr, arg-type]


def test_wrong_usage_is_exit_code_2() -> None:
    """An unknown step, a wait without end."""
    for arguments in (["dance"], ["wait-preview", "--timeout", "0"], ["deploy"], ["deploy", "--staged", "--type", "production"]):
        with pytest.raises(SystemExit) as ended:
            parser().parse_args(arguments)
        assert ended.value.code == 2


def test_every_advice_names_steps_that_exist() -> None:
    """Of `errors`."""
    steps = set(parser()._subparsers._group_actions[0].choices)  # type: ignore[union-attr, arg-type]
    pairs = [pair for text in _NEXT.values() for pair in re.findall(r"\bsteps? ([a-z-]+)(?: and ([a-z-]+))?", text)]
    named = {name for pair in pairs for name in pair if name} - {"again"}
    assert {"stage-connector", "request-preview", "wait-preview", "deploy"} <= named <= steps


def test_the_configuration_document_is_printed_on_one_line(connect: World, tmp_path: Path) -> None:
    """As a variable takes it, and escaped as the value in a deployment's JSON; what the product would refuse is refused."""
    document = tmp_path / "my.json"
    document.write_text(
        '{\n  "product": {"unpublished": "hide"},\n  "order": {"metrics": {"placedOrder": "Bestellung größer"}}\n}\n'
    )
    line = connect.step("node-config", str(document)).out
    assert line.count("\n") == 1
    assert json.loads(line) == json.loads(document.read_text())
    escaped = connect.step("node-config", str(document), "--escaped").out
    assert json.loads(json.loads(escaped)) == json.loads(line)
    document.write_text('{"product": {"unpublishd": "hide"}}')
    ended = connect.step("node-config", str(document))
    assert (ended.code, ended.out) == (2, "")
    assert "did you mean product.unpublished?" in ended.err
    document.write_text("{")
    assert connect.step("node-config", str(document)).code == 2
    assert connect.step("node-config", str(tmp_path / "none.json")).code == 2


def test_the_document_goes_with_the_deployment_checked(connect: World, tmp_path: Path) -> None:
    """From JSON text or from a file, which an application at Connect would not have; a mistake stops it."""
    connect.previewable()
    document = tmp_path / "my.json"
    document.write_text('{ "product": {"unpublished": "hide"} }')
    for given in ({"NODE_CONFIG": document.read_text()}, {"SYNC_CONFIG": str(document)}):
        ended = connect.step("deploy", "--staged", "--print", **given)
        [application] = json.loads(ended.out)["configurations"]
        pairs = {pair["key"]: pair["value"] for pair in application["standardConfiguration"]}
        assert pairs["NODE_CONFIG"] == '{"product":{"unpublished":"hide"}}'
    for wrong in ({"NODE_CONFIG": '{"productt": {}}'}, {"NODE_CONFIG": "none.json"}, {"NODE_CONFIG": "{}", "SYNC_CONFIG": "{}"}):
        ended = connect.step("deploy", "--staged", **wrong)
        assert ended.code == 2
    assert connect.sent("POST", "/deployments") == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KLAVIYO_AUTH_KEY", ""),
        ("CT_API_CLIENT", ""),
        ("CT_API_CLIENT", "{}"),
        ("PREFERRED_LOCALE", "english"),
        ("LOG_LEVEL", "LOUD"),
    ],
)
def test_values_that_the_product_would_refuse_are_refused_here(connect: World, name: str, value: str) -> None:
    """By name, before a deployment of many minutes fails on them."""
    connect.previewable()
    ended = connect.step("deploy", "--staged", **{name: value})
    assert ended.code == 2
    assert ended.err.startswith(f"{name}: ")
    assert connect.sent("POST", "/deployments") == []
