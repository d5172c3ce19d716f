"""The command line: steps, options, settings from the environment and `.env`, exit codes."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import httpx

from deploy.connect_api import bundle, connectors, deployments, values
from deploy.connect_api.config import VARIABLES, Config, read_config, secrets_in
from deploy.connect_api.connectors import tag_of
from deploy.connect_api.errors import Absent, StepFailed
from deploy.connect_api.output import Output
from deploy.connect_api.transport import Connection
from deploy.connect_api.waiting import Clock, Patience
from shared.errors import ConfigError, Problem
from shared.settings import environment

DONE, FAILED, USAGE = 0, 1, 2
ROOT = Path(__file__).resolve().parents[2]

EXAMPLES = """examples:
  python -m deploy.connect_api token
  python -m deploy.connect_api search --text klaviyo
  python -m deploy.connect_api node-config my-config.json
  python -m deploy.connect_api push-bundle --tag shop-connect-1
  python -m deploy.connect_api stage-connector --repository git@github.com:owner/repository.git --tag shop-connect-1
  python -m deploy.connect_api request-preview
  python -m deploy.connect_api wait-preview --tag shop-connect-1
  python -m deploy.connect_api deploy --staged --tag shop-connect-1
  python -m deploy.connect_api wait-deployed --tag shop-connect-1
  python -m deploy.connect_api status
  python -m deploy.connect_api undeploy
  python -m deploy.connect_api wait-undeployed

exit codes: 0 done; 1 the step has failed, and says what to do; 2 wrong usage or settings."""


@dataclass(frozen=True, slots=True)
class World:
    """What a step has at hand."""

    environ: Mapping[str, str]
    output: Output
    http: httpx.Client
    clock: Clock

    def connection(self) -> Connection:
        """To the Connect API. Raises ConfigError."""
        config: Config = read_config(self.environ)
        return Connection(config, self.http, self.output, self.clock.sleep)


def main(
    arguments: Sequence[str],
    *,
    environ: Mapping[str, str] | None = None,
    http: httpx.Client | None = None,
    clock: Clock | None = None,
    out: TextIO | None = None,
    err: TextIO | None = None,
) -> int:
    """Take one step. What is not given is this process's own."""
    options = parser().parse_args(arguments)
    known = environment(Path(".env")) if environ is None else environ
    output = Output(out or sys.stdout, err or sys.stderr, masks=known.get("GITHUB_ACTIONS") == "true")
    output.keep_secret(secrets_in(known))
    with http or httpx.Client() as client:
        world = World(known, output, client, clock or Clock(time.monotonic, time.sleep))
        try:
            step: Callable[[World, argparse.Namespace], int | None] = options.step
            return step(world, options) or DONE
        except ConfigError as error:
            for problem in error.problems:
                output.complain(f"{problem.field}: {problem.message}")
            return USAGE
        except StepFailed as failure:
            output.complain(str(failure))
            for detail in failure.details:
                output.complain(f"  {detail}")
            if failure.next_step:
                output.complain(f"what to do: {failure.next_step}")
            return FAILED


def parser() -> argparse.ArgumentParser:
    """The steps and their options."""
    lines = [f"  {one.name:<23} {one.meaning}{f' (by default {one.default})' if one.default else ''}" for one in VARIABLES]
    top = argparse.ArgumentParser(
        prog="python -m deploy.connect_api",
        description="Bring the product to commercetools Connect, one step a call.",
        epilog="\n".join(["settings, from the environment or .env:", *lines, "", EXAMPLES]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    steps = top.add_subparsers(metavar="STEP", required=True)

    def step(name: str, run: Callable[[World, argparse.Namespace], int | None], purpose: str) -> argparse.ArgumentParser:
        example = "\n".join(line for line in EXAMPLES.splitlines() if f"connect_api {name}" in line)
        made = steps.add_parser(
            name,
            help=purpose,
            description=f"{purpose[0].upper()}{purpose[1:]}.",
            epilog=f"example:\n{example}" if example else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        made.set_defaults(step=run)
        return made

    step("token", _token, "check that the credentials work; the token itself is never shown")
    step("search", _search, "list the published connectors that the project may deploy").add_argument(
        "--text", default="", help="what their name or description has"
    )
    document = step("node-config", _node_config, "check a configuration document and print it as NODE_CONFIG takes it")
    document.add_argument("file", type=Path, help="a JSON file; - reads standard input")
    document.add_argument("--escaped", action="store_true", help="as a JSON string, to be pasted into a deployment's JSON")
    step("bundle-tag", _bundle_tag, "print the tag for a bundle of the checked-out commit")
    pushed = step("push-bundle", _push_bundle, "push what make connect-bundle has made as a tag of its own")
    pushed.add_argument("--bundle", type=Path, default=ROOT / "build" / "connect", help="by default build/connect")
    pushed.add_argument("--tag", default="", help="by default what the step bundle-tag prints")
    pushed.add_argument("--remote", default="origin", help="by default origin")
    brought = step("stage-connector", _stage, "create the ConnectorStaged, or bring it to a tag")
    brought.add_argument(
        "--repository", required=True, help="its address; a private one by SSH: git@github.com:owner/repository.git"
    )
    brought.add_argument("--tag", required=True, help="the bundle's tag")
    step("request-preview", _request_preview, "ask for the validation after which it may be deployed")
    _waiting(step("wait-preview", _wait_preview, "wait until it may be deployed"), minutes=30, tag=True)
    deployed = step("deploy", _deploy, "create the deployment, or redeploy the one that exists")
    which = deployed.add_mutually_exclusive_group(required=True)
    which.add_argument("--staged", action="store_true", help="of the ConnectorStaged, as a preview")
    which.add_argument("--type", choices=("sandbox", "production"), help="of the published connector")
    deployed.add_argument("--tag", default="", help="the tag that its connector must name, else nothing is done")
    deployed.add_argument("--replace", action="store_true", help="undeploy it first; what happens meanwhile is not delivered")
    deployed.add_argument("--print", action="store_true", dest="only_print", help="show the deployment's JSON, send nothing")
    _waiting(deployed, minutes=20)
    _waiting(step("wait-deployed", _wait_deployed, "wait until the deployment is up"), minutes=30, tag=True)
    step("undeploy", _undeploy, "take the deployment down, with its subscriptions")
    _waiting(step("wait-undeployed", _wait_undeployed, "wait until it is gone"), minutes=20)
    step("status", _status, "show connector and deployment; exit code 1 unless it is deployed")
    return top


def _waiting(made: argparse.ArgumentParser, *, minutes: int, tag: bool = False) -> None:
    made.add_argument("--interval", type=_seconds, default=20.0, metavar="SECONDS", help="between two looks; by default 20")
    default = minutes * 60.0
    made.add_argument("--timeout", type=_seconds, default=default, metavar="SECONDS", help=f"by default {default:.0f}")
    if tag:
        made.add_argument("--tag", default="", help="the tag that it must be of")


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= 24 * 3600:
        raise ValueError(text)
    return seconds


def _patience(options: argparse.Namespace) -> Patience:
    return Patience(options.interval, options.timeout)


def _token(world: World, _options: argparse.Namespace) -> None:
    token = world.connection().token()
    world.output.say(f"authenticated for {token.lifetime_s} s with: {token.scope}")


def _search(world: World, options: argparse.Namespace) -> int | None:
    found = connectors.search(world.connection(), options.text)
    for one in found:
        world.output.say(f"{one.get('key') or one.get('id')}  version {one.get('version')}  {one.get('name')}")
        for application in one.get("configurations") or []:
            keys = [*(application.get("standardConfiguration") or []), *(application.get("securedConfiguration") or [])]
            world.output.say(f"  {application.get('applicationName')}: {', '.join(key['key'] for key in keys)}")
    if not found:
        world.output.complain("no published connector was found")
        return FAILED
    return None


def _node_config(world: World, options: argparse.Namespace) -> None:
    text = sys.stdin.read() if str(options.file) == "-" else _read(options.file)
    line = values.document_text(text, str(options.file))
    world.output.say(json.dumps(line, ensure_ascii=False) if options.escaped else line)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except (OSError, ValueError):
        raise ConfigError([Problem(str(path), "is not the path of a readable text file")]) from None


def _bundle_tag(world: World, _options: argparse.Namespace) -> None:
    world.output.say(bundle.bundle_tag(bundle.Repository(ROOT, world.environ)))


def _push_bundle(world: World, options: argparse.Namespace) -> None:
    repository = bundle.Repository(ROOT, world.environ)
    tag = options.tag or bundle.bundle_tag(repository)
    commit = bundle.push(repository, options.bundle, tag, options.remote, world.output)
    world.output.say(f"{tag} is {commit}")


def _stage(world: World, options: argparse.Namespace) -> None:
    connector = connectors.stage(world.connection(), options.repository, options.tag)
    world.output.say(f"{connector['key']} version {connector['version']} is of {tag_of(connector)}")


def _request_preview(world: World, _options: argparse.Namespace) -> None:
    connector = connectors.request_preview(world.connection())
    world.output.say(f"{connector['key']} version {connector['version']}: isPreviewable is {connector['isPreviewable']}")


def _wait_preview(world: World, options: argparse.Namespace) -> None:
    connectors.wait_until_previewable(world.connection(), _patience(options), world.clock, options.tag)


def _deploy(world: World, options: argparse.Namespace) -> None:
    connection = world.connection()
    kind = deployments.PREVIEW if options.staged else options.type
    connector = deployments.connector_of(connection, is_staged=options.staged, tag=options.tag)
    wanted = deployments.draft(connection, connector, world.environ, kind=kind)
    if options.only_print:
        shown = {**wanted, "configurations": values.hidden(wanted["configurations"])}
        world.output.say(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    if options.replace:
        deployments.make_way(connection, connector, _patience(options), world.clock, kind=kind)
    how, deployment = deployments.deploy(connection, wanted)
    world.output.say(f"{deployment['key']} in {deployment.get('deployedRegion')}: {how}, and now {deployment['status']}")


def _wait_deployed(world: World, options: argparse.Namespace) -> None:
    deployments.wait_until_deployed(world.connection(), _patience(options), world.clock, world.environ, options.tag)


def _undeploy(world: World, _options: argparse.Namespace) -> None:
    connection = world.connection()
    there = deployments.undeploy(connection)
    world.output.say(f"{connection.config.deployment_key} is {'being taken down' if there else 'not there'}")


def _wait_undeployed(world: World, options: argparse.Namespace) -> None:
    deployments.wait_until_gone(world.connection(), _patience(options), world.clock)


def _status(world: World, _options: argparse.Namespace) -> int | None:
    connection = world.connection()
    for name, look in (("staged", connectors.staged), ("published", connectors.published)):
        try:
            one: Mapping[str, Any] = look(connection)
        except Absent:
            continue
        preview = f", isPreviewable is {one['isPreviewable']}" if "isPreviewable" in one else ""
        world.output.say(f"{name} connector {one['key']} version {one['version']}: {tag_of(one)}{preview}")
    try:
        seen = deployments.deployment(connection)
    except Absent:
        world.output.say(f"deployment {connection.config.deployment_key}: not there")
        return FAILED
    kind, region, tag = seen.get("type"), seen.get("deployedRegion"), tag_of(seen.get("connector") or {})
    world.output.say(f"deployment {seen['key']} ({kind}, {region}): {tag} is {seen['status']}")
    return None if seen["status"] == "Deployed" else FAILED
