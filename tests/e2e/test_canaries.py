"""No personal data and no secret leaves the product but to Klaviyo: however a host echoes (decisions.md 17)."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from sandbox.launch import Sandbox, sandbox
from shared.access import API_KEY_HEADER, LOCAL_TASK_KEY_HEADER
from shared.budget import budget_of
from shared.local.listening import free_port
from shared.sqlite.database import Database
from shared.sqlite.dead_letters import SqliteDeadLetters
from tests.e2e.canaries import MALFORMED_EMAIL, PERSONAL, SECRETS, Scan, customer, scan_for
from tests.e2e.conftest import FINISHED, HTTP, control
from tests.e2e.echo_proxy import GARBAGE, EchoProxy, echo_proxy

KEY, CLIENT_SECRET, IMPORT_KEY = SECRETS.values()
WHOLE, MALFORMED, UNREADABLE, CONFLICTING = (f"00000000-0000-4000-8000-00000000000{number}" for number in range(4))
CUSTOMERS = [WHOLE, MALFORMED, UNREADABLE, CONFLICTING]
OTHERS_PHONE = "+4915170707174"
ENDS_S = 60.0
MALFORMED_MESSAGES = 8
"""How many different messages of `_bad_messages` a function cannot read; each is one dead letter, however it is wrapped."""


@dataclass(slots=True)
class Stage:
    """The product between two proxies, and all that it has let out so far: pairs of a place and the bytes found there."""

    folder: Path
    servers: Sandbox
    environment: dict[str, str]
    klaviyo: EchoProxy
    commercetools: EchoProxy
    surfaces: list[tuple[str, bytes]] = field(default_factory=list)
    serve: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where the import API answers."""
        return f"http://127.0.0.1:{self.environment['BULK_IMPORT_PORT']}"

    def start(self) -> None:
        """`ct-klaviyo serve`, with all output of all its processes in one file."""
        with (self.folder / "output.log").open("wb") as output:
            command = [sys.executable, "-m", "shared.cli", "serve"]
            self.serve = subprocess.Popen(
                command, env=self.environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"{self.url}/health", timeout=1.0, trust_env=False).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        pytest.fail((self.folder / "output.log").read_text())

    def call(self, method: str, path: str, *, key: str = IMPORT_KEY, url: str = "", **more: Any) -> httpx.Response:
        """A call of the import API, or of another server of the product; its answer is kept."""
        headers = {API_KEY_HEADER: key, **more.pop("headers", {})}
        answer = httpx.request(method, (url or self.url) + path, headers=headers, timeout=90.0, trust_env=False, **more)
        shown = "".join(f"{name}: {value}\n" for name, value in answer.headers.items()).encode()
        self.surfaces.append((f"answer {answer.status_code} of {method} {path}", shown + answer.content))
        return answer

    def cli(self, *arguments: str) -> int:
        """`ct-klaviyo` with these arguments; its output is kept."""
        command = [sys.executable, "-m", "shared.cli", *arguments]
        ended = subprocess.run(command, env=self.environment, capture_output=True, check=False, timeout=120)
        self.surfaces.append((f"ct-klaviyo {arguments[0]}", ended.stdout + ended.stderr))
        return ended.returncode

    def run(self, path: str = "/sync/customers", body: Any = None) -> dict[str, Any]:
        """Start, resume or retry a run, and its status once it has ended."""
        accepted = self.call("POST", path, json={"ids": CUSTOMERS} if body is None else body)
        assert accepted.status_code == 202, accepted.text
        deadline = time.monotonic() + ENDS_S
        while time.monotonic() < deadline:
            answer = self.call("GET", f"/runs/{accepted.json()['runId']}")
            status: dict[str, Any] = answer.json()
            if status["status"] in FINISHED:
                return status
            time.sleep(0.2)
        pytest.fail(f"not ended: {status}\n{(self.folder / 'output.log').read_text()[-4000:]}")

    def processes(self) -> list[psutil.Process]:
        """Every process of the product."""
        assert self.serve is not None
        parent = psutil.Process(self.serve.pid)
        return [parent, *parent.children(recursive=True)]

    def task_key(self) -> str:
        """The key by which the queue is known to the functions."""
        return next(key for process in self.processes() if (key := process.environ().get("LOCAL_TASK_KEY")))

    def worker_url(self) -> str:
        """Where the worker listens."""
        lines = [process.cmdline() for process in self.processes()]
        worker = next(line for line in lines if "bulk_worker" in line and "--port" in line)
        return f"http://127.0.0.1:{worker[worker.index('--port') + 1]}"

    def stop(self) -> None:
        """End the product; its files stay."""
        if self.serve is not None:
            self.serve.terminate()
            self.serve.wait(30)


@pytest.fixture
def stage(tmp_path: Path, log_format: str) -> Iterator[Stage]:
    """Both simulators with canary customers in them, and the product, which knows the proxies only."""
    with ExitStack() as stack:
        servers = stack.enter_context(
            sandbox(
                commercetools=["--customers", "20", "--client-secret", CLIENT_SECRET],
                klaviyo=["--key", KEY, "--job-seconds", "0.2", "--settings", '{"echo_values": true}'],
            )
        )
        api_url, commercetools = stack.enter_context(echo_proxy(servers.commercetools.url))
        klaviyo_url, klaviyo = stack.enter_context(echo_proxy(servers.klaviyo.url))
        environment = servers.environment(
            tmp_path / "state.sqlite3",
            free_port(),
            CT_API_URL=api_url,
            CT_AUTH_URL=api_url,
            CT_API_CLIENT=json.dumps({"clientId": "sandbox-client", "secret": CLIENT_SECRET}),
            KLAVIYO_API_URL=klaviyo_url,
            KLAVIYO_AUTH_KEY=KEY,
            BULK_IMPORT_API_KEY=IMPORT_KEY,
            LOG_LEVEL="DEBUG",
            LOG_FORMAT=log_format,
        )
        acted = Stage(tmp_path, servers, environment, klaviyo, commercetools)
        _populate(servers)
        acted.start()
        try:
            yield acted
        finally:
            acted.stop()


def _populate(servers: Sandbox) -> None:
    """Customers of all fates in commercetools, and in Klaviyo somebody who has the phone of one of them."""
    others_address = {**customer(CONFLICTING)["addresses"][0], "mobile": OTHERS_PHONE}
    for one in (
        customer(WHOLE),
        customer(MALFORMED, email=MALFORMED_EMAIL, addresses=[]),
        customer(UNREADABLE, email="unreadable@example.com", firstName={"oops": PERSONAL["first name"]}, addresses=[]),
        customer(CONFLICTING, email="conflicting@example.com", addresses=[others_address]),
    ):
        control(servers.commercetools.url, "customers", one)
    somebody = {"email": "somebody@example.com", "phone_number": OTHERS_PHONE}
    created = httpx.post(
        f"{servers.klaviyo.url}/api/profiles",
        json={"data": {"type": "profile", "attributes": somebody}},
        headers={"Authorization": f"Klaviyo-API-Key {KEY}", "revision": "2026-07-15"},
        trust_env=False,
    )
    assert created.status_code == 201, created.text


def _rows_fail_one_by_one(stage: Stage) -> None:
    assert stage.run(body={"ids": CUSTOMERS, "dryRun": True})["examples"], "a dry run shows masked requests"
    status = stage.run()
    assert (status["status"], status["sent"], status["failed"]) == ("completed_with_errors", 2, 2), status
    assert status["adjustments"]["phone_refused"] == 1, "the conflict was not met"
    stage.run(f"/runs/{status['runId']}/retry", {})


def _klaviyo_echoes(stage: Stage) -> None:
    proxy, jobs = stage.klaviyo, "/api/profile-bulk-import-jobs"
    for status, ends in ((400, "completed_with_errors"), (409, "completed_with_errors"), (401, "halted"), (403, "halted")):
        proxy.echo(jobs, lasting=status)
        assert stage.run()["status"] == ends
        assert proxy.echoed > 0
    proxy.echo("/api/profile-import", lasting=400)  # the conflict's own endpoint
    assert stage.run()["status"] == "completed_with_errors"
    proxy.echo(jobs, 500, 525, GARBAGE, 429, 307)
    assert stage.run()["seen"] == len(CUSTOMERS)
    assert proxy.echoed == 5
    proxy.pass_on()


def _commercetools_echoes(stage: Stage) -> None:
    proxy, customers = stage.commercetools, "/sandbox/customers"
    for status, ends in ((400, "completed_with_errors"), (401, "halted"), (403, "halted")):
        proxy.echo(customers, lasting=status)
        assert stage.run()["status"] == ends
        assert proxy.echoed > 0
    proxy.echo(customers, 500, GARBAGE, 429, 302)
    halted = stage.run()
    assert halted["seen"] == len(CUSTOMERS)
    proxy.echo("/sandbox/graphql", lasting=400)
    assert stage.call("POST", "/sync/customers").status_code >= 400
    proxy.echo("/oauth/token", lasting=400)
    control(stage.servers.commercetools.url, "tokens/revoke")
    assert stage.call("POST", "/sync/customers").status_code >= 400
    proxy.pass_on()


def _bad_calls(stage: Stage) -> None:
    """Calls of the import API with canaries in all places."""
    email, name, phone = PERSONAL["email"], f"{PERSONAL['first name']} {PERSONAL['last name']}", PERSONAL["phone"]
    bodies: list[Any] = [
        {email: 1, phone: 2, name: 3, f"{KEY}.": 4},
        {"ids": [email, name, KEY], "startId": phone, "createdAfter": name, "dryRun": email, "modifiedAfter": {"a": email}},
        {"ids": email, "startId": KEY, "createdBefore": [phone]},
        [email, name],
        name,
    ]
    answers = [stage.call("POST", "/sync/customers", json=body) for body in bodies]
    answers += [stage.call("POST", "/sync/customers", content=body) for body in (email.encode(), b"\xff" + email.encode())]
    answers += [stage.call("POST", "/sync/customers", content=email.encode() * 100_000)]
    answers += [stage.call("POST", "/sync/customers", content=(email.encode() * 1_000 for _ in range(100)))]  # no length named
    assert [answer.status_code for answer in answers[-2:]] == [413, 413]
    answers += [
        stage.call(method, path)
        for method, path in (
            ("GET", f"/runs?kind={email}&limit={phone}"),
            ("GET", f"/runs?{email}=1"),
            ("GET", f"/runs/{email}"),
            ("POST", f"/runs/{KEY}/resume"),
            ("POST", f"/sync/{email}"),
            ("GET", f"/{name}?{email}"),
            ("DELETE", f"/runs?email={email}"),
        )
    ]
    answers.append(stage.call("GET", "/runs", key=f"{KEY}x"))
    answers.append(stage.call("GET", "/runs", key="", headers={"Authorization": f"Bearer {CLIENT_SECRET}"}))
    assert [(a.request.url, a.text) for a in answers if a.status_code not in {400, 401, 404, 405, 413}] == []


def _bad_messages(stage: Stage) -> None:
    """Messages of the queue with canaries in all places, to both functions, with and without the queue's key."""
    email, name = PERSONAL["email"], PERSONAL["first name"]
    event = {"ce-specversion": "1.0", "ce-type": email, "ce-source": name.encode("ascii", "replace").decode(), "ce-id": KEY}

    def pushed(text: str) -> dict[str, Any]:
        return {"message": {"data": base64.b64encode(text.encode()).decode(), "messageId": email, "attributes": {"a": email}}}

    bodies: list[tuple[dict[str, str], Any]] = [
        ({}, email),
        ({}, {"message": {"data": email}}),
        ({}, {"message": email}),
        ({}, pushed(email)),
        ({}, pushed(json.dumps({"runId": email, "fence": 1, "batchId": name, email: 1}))),
        ({}, pushed(json.dumps({"runId": email, "fence": email, "batchId": name}))),
        ({}, pushed(json.dumps({"runId": email, "fence": 1, "batchId": name}))),
        ({}, pushed(json.dumps({"runId": email, "fence": 1, "rangeIndex": 7}))),
        (event, email),
        ({**event, "content-type": "application/json"}, pushed(email)),
        ({"content-type": "application/cloudevents+json"}, {"specversion": email, "data": pushed(email)}),
    ]
    task_key = stage.task_key()
    for url, path in ((stage.worker_url(), "/"), (stage.worker_url(), "/dead"), (stage.url, "/tasks/plan")):
        for headers, body in bodies:
            content = json.dumps(body)
            known = {LOCAL_TASK_KEY_HEADER: task_key, **headers}
            assert stage.call("POST", path, url=url, headers=known, content=content).status_code == 204
            unknown = {LOCAL_TASK_KEY_HEADER: KEY, **headers}
            assert stage.call("POST", path, url=url, headers=unknown, content=content).status_code in {401, 403}
        stage.call("PUT", path, url=url, content=email)


def _looked_at(stage: Stage) -> None:
    """Everything a person may look at: the API's own views, and the commands."""
    runs = stage.call("GET", "/runs?limit=100").json()["runs"]
    for path in ("/sync/status", "/sync/customers/status", "/", "/openapi.json"):
        assert stage.call("GET", path).status_code == 200
    failed = next(run["runId"] for run in runs if run["failed"])
    halted = next(run["runId"] for run in runs if run["haltReason"])
    only = [word for identifier in CUSTOMERS for word in ("--id", identifier)]
    assert stage.cli("import", "customers", "--watch", *only) == 1
    assert stage.cli("import", "customers", "--watch", "--json", "--dry-run", *only) in {0, 1}
    assert stage.cli("import", "customers", "--watch", "--dry-run", *only) in {0, 1}
    stage.cli("import", "customers", "--created-after", PERSONAL["email"], "--id", PERSONAL["phone"])
    for arguments in (
        ("status",),
        ("status", "customers"),
        ("runs",),
        ("run", failed),
        ("run", halted),
        ("run", failed, "--json"),
    ):
        assert stage.cli(*arguments) == 0


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_nothing_that_the_product_lets_out_has_personal_data_or_a_secret(stage: Stage, log_format: str) -> None:
    """Logs at DEBUG, answers, commands, arguments, state, write-ahead log and dead letters of imports that fail in every way."""
    _rows_fail_one_by_one(stage)
    _klaviyo_echoes(stage)
    _commercetools_echoes(stage)
    _bad_calls(stage)
    _bad_messages(stage)
    _looked_at(stage)

    tokens = set(re.findall(rb"Bearer ([\w.-]{20,})", b"\n".join(stage.commercetools.seen)))
    secrets = {**SECRETS, "task key": stage.task_key(), **{f"token {n}": token.decode() for n, token in enumerate(tokens)}}
    stage.surfaces += [("arguments", " ".join(process.cmdline()).encode()) for process in stage.processes()]
    stage.surfaces += _files(stage.folder)  # while the write-ahead log has something in it
    stage.stop()
    stage.surfaces += _files(stage.folder)
    with Database(stage.folder / "state.sqlite3") as database:
        letters = SqliteDeadLetters(database).newest(budget_of(30), 1_000)

    scan = scan_for([*PERSONAL.items(), *secrets.items()])
    leaks = {(name, place) for place, surface in stage.surfaces for name in scan.found_in(surface)}
    assert leaks == set()

    assert tokens
    assert len(letters) == MALFORMED_MESSAGES
    output = (stage.folder / "output.log").read_text()
    assert "run halted" in output
    assert "message set aside" in output
    assert {"state.sqlite3", "state.sqlite3-wal", "output.log"} <= {place for place, _ in stage.surfaces}
    _the_scan_would_have_seen_it(stage, scan, set(secrets) - {"task key"})


def _files(folder: Path) -> list[tuple[str, bytes]]:
    return [(path.name, path.read_bytes()) for path in folder.rglob("*") if path.is_file()]


def _the_scan_would_have_seen_it(stage: Stage, scan: Scan, secrets: set[str]) -> None:
    """The same scan finds every canary where it has to be: in the simulators, on the wire, in the environment."""
    source = HTTP.get(f"{stage.servers.commercetools.url}/_sandbox/customers", params={"whole": "true"}, timeout=30.0).content
    target = HTTP.get(f"{stage.servers.klaviyo.url}/_sandbox/profiles/dump", params={"full": "1"}, timeout=30.0).content
    assert scan.found_in(source) >= set(PERSONAL) - {"phone as E.164"}
    assert scan.found_in(target) >= set(PERSONAL) - {"malformed e-mail", "phone"}
    wire = b"\n".join(stage.klaviyo.seen + stage.commercetools.seen)
    assert scan.found_in(wire) >= set(PERSONAL) | secrets - {"BULK_IMPORT_API_KEY"}
    assert "BULK_IMPORT_API_KEY" in scan.found_in(json.dumps(stage.environment).encode())


@pytest.mark.parametrize("name", [*PERSONAL, *SECRETS])
def test_the_scan_sees_a_canary_in_any_disguise(name: str) -> None:
    """Plain, in JSON, in a URL, in capitals, and in base64 wherever it begins; and nothing where nothing is."""
    value = {**PERSONAL, **SECRETS}[name]
    scan = scan_for([(name, value)])
    disguises = [value, value.upper(), json.dumps({"a": value}), str(httpx.QueryParams({"a": value})), repr([value])]
    texts = [text.encode() for text in disguises]
    texts += [base64.b64encode(b"x" * before + value.encode() + b"yy") for before in range(7)]
    assert [text for text in texts if scan.found_in(b"..." + text + b"...") != {name}] == []
    assert scan.found_in(os.urandom(1).hex().encode() + b" nothing of that kind") == set()
