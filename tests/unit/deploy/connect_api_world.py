"""The steps of `deploy.connect_api` beside a simulated Connect API that reads tags from a git repository of this machine."""

from __future__ import annotations

import io
import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from deploy.connect_api.command import main
from deploy.connect_api.waiting import Clock
from sandbox.connect_api.api import ConnectApi, Fault
from sandbox.connect_api.rules import Body

ROOT = Path(__file__).resolve().parents[3]
ADDRESS = "git@github.com:example/shop-sync.git"
TAG, NEXT_TAG, SOURCE_TAG = "connect-v0.1.0", "connect-v0.2.0", "v0.1.0"
EMPTY_TAG, BROKEN_TAG = "v0.0.1", "connect-broken"
CONNECTOR, DEPLOYMENT = "commercetools-klaviyo-sync", "commercetools-klaviyo-sync-connect_test"
URL = "http://127.0.0.1:9"
SECRETS = {"client": "connect-secret", "shop": "shop-secret-0123", "klaviyo": "pk_test_0123456789"}
STAGE = ("stage-connector", "--repository", ADDRESS, "--tag")
QUICK = ("--interval", "10", "--timeout", "300")

ENVIRON = {
    "CONNECT_API_CLIENT": json.dumps({"clientId": "connect-client", "secret": SECRETS["client"]}),
    "CONNECT_API_URL": URL,
    "CONNECT_REGION": "europe-west1.gcp",
    "CONNECT_CREATOR_EMAIL": "ops@example.com",
    "CONNECT_ENV": "connect_test",
    "CT_API_URL": "https://api.europe-west1.gcp.commercetools.com",
    "CT_AUTH_URL": URL,
    "CT_PROJECT_ID": "sandbox",
    "CT_API_CLIENT": json.dumps({"clientId": "shop-client", "secret": SECRETS["shop"]}),
    "KLAVIYO_AUTH_KEY": SECRETS["klaviyo"],
    "PREFERRED_LOCALE": "en-GB",
}


@dataclass
class Ended:
    """How a step ended."""

    code: int
    out: str
    err: str


@dataclass
class World:
    """A simulated API, a clock that only sleeping moves, and the environment of the steps."""

    api: ConnectApi
    environ: dict[str, str] = field(default_factory=lambda: dict(ENVIRON))
    slept_s: list[float] = field(default_factory=list)

    def step(self, *arguments: str, **environ: str) -> Ended:
        """Take one step; `environ` changes its environment, an empty text unsets a variable."""
        out, err = io.StringIO(), io.StringIO()
        code = main(
            arguments,
            environ={**self.environ, **environ},
            http=httpx.Client(transport=httpx.MockTransport(self._answer)),
            clock=Clock(lambda: sum(self.slept_s), self.slept_s.append),
            out=out,
            err=err,
        )
        return Ended(code, out.getvalue(), err.getvalue())

    def steps(self, *all_arguments: tuple[str, ...]) -> None:
        """Take steps that must succeed."""
        for arguments in all_arguments:
            ended = self.step(*arguments)
            assert ended.code == 0, (arguments, ended)

    def previewable(self, tag: str = TAG) -> None:
        """Bring the connector to a tag that may be deployed."""
        self.steps((*STAGE, tag), ("request-preview",), ("wait-preview", *QUICK))

    def deployed(self, tag: str = TAG) -> None:
        """Have that tag deployed."""
        self.previewable(tag)
        self.steps(("deploy", "--staged"), ("wait-deployed", *QUICK))

    def fail(self, status: int, **how: object) -> None:
        """Let the next requests get a fault."""
        self.api.faults.append(Fault(status, **how))  # type: ignore[arg-type]

    def sent(self, method: str, path_part: str = "") -> list[Body]:
        """The bodies of the requests so far."""
        return [body for name, path, body in self.api.requests if name == method and path_part in path]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        authorization, query = request.headers.get("Authorization", ""), request.url.query.decode()
        status, body = self.api.answer(request.method, request.url.path, query, authorization, request.content)
        return httpx.Response(status, json=body)


def world(repository: Path) -> World:
    """A fresh world around a repository that `make_repository` has made."""
    return World(ConnectApi(repositories={ADDRESS: repository}))


def make_repository(folder: Path) -> Path:
    """A bare repository: two bundles, a malformed one, sources without the application's folder, and without connect.yaml."""
    work, bare = folder / "work", folder / "bare.git"
    git(folder, "init", "--quiet", "--initial-branch=main", str(work))
    connect_yaml = (ROOT / "connect.yaml").read_text()
    bundled = {TAG: connect_yaml, NEXT_TAG: f"{connect_yaml}# later\n", BROKEN_TAG: "deployAs: 7\n"}
    (work / "realtime_event").mkdir()
    (work / "realtime_event" / "package.json").write_text("{}\n")
    for tag, content in bundled.items():
        (work / "connect.yaml").write_text(content)
        git(work, "add", ".")
        git(work, "commit", "--quiet", "--message", tag)
        git(work, "tag", tag)
    (work / "connect.yaml").write_text(connect_yaml)
    git(work, "mv", "realtime_event", "functions")
    for tag in (SOURCE_TAG, EMPTY_TAG):
        git(work, "add", ".")
        git(work, "commit", "--quiet", "--message", tag)
        git(work, "tag", tag)
        if tag == SOURCE_TAG:
            git(work, "mv", "connect.yaml", "elsewhere.yaml")
    git(folder, "clone", "--quiet", "--bare", str(work), str(bare))
    return bare


GIT_ENVIRON = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{who}_{what}": "tester@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


def git(folder: Path, *arguments: str) -> str:
    """What git prints there; no configuration of this machine or its user plays a part."""
    command = ["git", "-C", str(folder), *arguments]
    ended = subprocess.run(command, env=GIT_ENVIRON, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, (arguments, ended.stderr)
    return ended.stdout.strip()
