"""Realtime as it is deployed: a functions-framework process between both simulators, and a look at all that it did.

A process may keep what resources refer to (products, categories, groups) for minutes and is shared by many tests: every test
makes its resources anew (`World.new_id`).
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
from standstill import measured

from sandbox.launch import CLIENT_ID, CLIENT_SECRET, KLAVIYO_KEY, PROJECT, Sandbox
from sandbox.notifications.envelopes import Post, Request, pubsub_push
from sandbox.notifications.platform import Stamp
from shared.budget import budget_of
from shared.dead_letters import DeadLetter
from shared.local.children import ChildSpec, child_environment
from shared.local.listening import free_port
from shared.sqlite.database import Database
from shared.sqlite.dead_letters import SqliteDeadLetters

ROOT = Path(__file__).resolve().parents[2]
HTTP = httpx.Client(verify=False, trust_env=False, timeout=60.0, limits=httpx.Limits(max_keepalive_connections=0))
ACKNOWLEDGED_WITHIN_S = 10.0
"""Connect takes an answer that comes later for none (decisions.md 5)."""
THREADS = 16
STARTED_WITHIN_S = 120.0
HELD_AT_MOST_S = 60.0
AT = "2026-09-21T14:13:20.000Z"
KLAVIYO_SETTINGS: Mapping[str, Any] = {
    "keep_bodies": True,
    "job_base_s": 0.05,
    "phone_match": "conflict",
    "email_match": "update",
    "unsupported_phone_prefixes": [],
}
"""What each test begins with."""

Document = Mapping[str, Any]
Envelope = Callable[[Mapping[str, Any] | bytes, Post], Request]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a delivery was answered, and after how many seconds; in so many of them the machine did not stand still."""

    status: int
    body: bytes
    took_s: float
    moving_s: float


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that Klaviyo got: `body` is the JSON in it, None when it had none or a fault kept it away."""

    method: str
    path: str
    status: int | None
    body: Any = None
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Function:
    """A running process that serves `realtime_event`; `output` has all that it writes, `state` is its state file."""

    url: str
    process: subprocess.Popen[bytes]
    output: Path
    state: Path

    def dead_letters(self) -> list[DeadLetter]:
        """The dead letters in its state file, oldest first."""
        with Database(self.state) as database:
            return SqliteDeadLetters(database).newest(budget_of(5))[::-1]

    def drop_dead_letters(self) -> None:
        """Empty its store of dead letters."""
        with Database(self.state) as database:
            letters = SqliteDeadLetters(database)
            for letter in letters.newest(budget_of(5), limit=5_000):
                letters.drop(letter.letter_id, budget_of(5))

    def is_alive(self) -> bool:
        """Whether it answers its health check."""
        with suppress(httpx.TransportError):
            return HTTP.get(f"{self.url}/health", timeout=2.0).status_code == 200
        return False

    def stop(self) -> None:
        """End it as a platform does."""
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()


def start_function(environment: Mapping[str, str], folder: Path) -> Function:
    """The function in a process of its own, served as the local supervisor serves functions; answers when this returns."""
    port = free_port()
    state, output = folder / "state.sqlite3", folder / "output.log"
    given = {**environment, "STATE_PATH": str(state)}
    spec = ChildSpec("realtime_event", "realtime_event", ROOT / "main.py", given, THREADS)
    command = [sys.executable, "-m", "shared.local.child", "--target", spec.target, "--source", str(spec.source)]
    command += ["--signature-type", "http", "--host", spec.host, "--port", str(port)]
    with output.open("wb") as written:
        process = subprocess.Popen(
            command,
            env=child_environment(spec),
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=written,
            stderr=written,
            start_new_session=True,
        )
    function = Function(f"http://127.0.0.1:{port}", process, output, state)
    deadline = time.monotonic() + STARTED_WITHIN_S
    while not function.is_alive():
        if process.poll() is not None or time.monotonic() > deadline:
            function.stop()
            raise RuntimeError(f"realtime_event did not come up:\n{output.read_text()[-4000:]}")
        time.sleep(0.02)
    return function


class Functions:
    """Processes with different settings on the same simulators, each started when it is first asked for."""

    def __init__(self, servers: Sandbox, folder: Path) -> None:
        self.servers = servers
        self._folder = folder
        self._having: dict[str, Function] = {}
        self._started: list[Function] = []

    def having(self, document: Document | None = None, **environment: str) -> Function:
        """The process with this configuration document and these variables."""
        given = {**environment, **({} if document is None else {"NODE_CONFIG": json.dumps(document)})}
        key = json.dumps(given, sort_keys=True)
        if key not in self._having:
            self._having[key] = self.fresh(document, **environment)
        return self._having[key]

    def fresh(self, document: Document | None = None, **environment: str) -> Function:
        """A process of these settings that nobody has used before: for what a process remembers, such as a host's 429."""
        given = {**environment, **({} if document is None else {"NODE_CONFIG": json.dumps(document)})}
        folder = self._folder / str(len(self._started))
        folder.mkdir()
        inherited = self.servers.environment(folder / "state.sqlite3", 0, LOG_FORMAT="json", LOG_LEVEL="DEBUG")
        del inherited["BULK_IMPORT_PORT"]
        self._started.append(start_function({**inherited, **given}, folder))
        return self._started[-1]

    def stop(self) -> None:
        """End all."""
        for function in self._started:
            function.process.terminate()
        for function in self._started:
            function.stop()


@contextmanager
def functions_on(servers: Sandbox, folder: Path) -> Iterator[Functions]:
    """Processes that end with the context."""
    functions = Functions(servers, folder)
    try:
        yield functions
    finally:
        functions.stop()


@dataclass(slots=True)
class World:
    """Both simulators as one test has made them, and one process of the product between them.

    What is read here (`sent`, `reads`, `logged`) happened since the last `watch`, with which every change behind the product's
    back ends.
    """

    functions: Functions
    function: Function
    _klaviyo_from: int = 0
    _log_from: int = 0

    @property
    def commercetools_url(self) -> str:
        """The simulated commercetools."""
        return self.functions.servers.commercetools.url

    @property
    def klaviyo_url(self) -> str:
        """The simulated Klaviyo."""
        return self.functions.servers.klaviyo.url

    def reset(self) -> None:
        """Empty both simulators and take all faults away."""
        for url in (self.commercetools_url, self.klaviyo_url):
            _control("POST", url, "reset")
            _control("DELETE", url, "faults")
        self.klaviyo_settings()
        self.function.drop_dead_letters()
        self.watch()

    def having(self, document: Document | None = None, **environment: str) -> World:
        """The same world with a process of other settings; its store of dead letters is empty."""
        other = replace(self, function=self.functions.having(document, **environment))
        other.function.drop_dead_letters()
        other.watch()
        return other

    @contextmanager
    def fresh(self, document: Document | None = None, **environment: str) -> Iterator[World]:
        """The same world with a process that nobody has used before, as long as the context lasts."""
        other = replace(self, function=self.functions.fresh(document, **environment))
        other.watch()
        yield other
        other.function.stop()

    def watch(self) -> None:
        """Look only at what happens from now on."""
        self._klaviyo_from = len(self._ledger(0))
        self._log_from = self.function.output.stat().st_size
        _control("DELETE", self.commercetools_url, "requests")

    @staticmethod
    def new_id() -> str:
        """An id that no resource has had."""
        return str(uuid.uuid4())

    def put(self, collection: str, **fields: Any) -> dict[str, Any]:
        """A resource in commercetools, as that shows it; with a new id unless one is given."""
        body = {"id": self.new_id(), **fields}
        made: dict[str, Any] = _control("POST", self.commercetools_url, collection, body).json()
        self.watch()
        return made

    def change(self, collection: str, identifier: str, *, meanwhile: bool = False, **fields: Any) -> dict[str, Any]:
        """The resource after these fields were set; None removes one. `meanwhile`: what happened before stays in view."""
        changed: dict[str, Any] = _control("PATCH", self.commercetools_url, f"{collection}/{identifier}", fields).json()
        if not meanwhile:
            self.watch()
        return changed

    def remove(self, collection: str, identifier: str, *, meanwhile: bool = False) -> None:
        """Delete a resource in commercetools. `meanwhile`: what happened before stays in view."""
        _control("DELETE", self.commercetools_url, f"{collection}/{identifier}")
        if not meanwhile:
            self.watch()

    def klaviyo_settings(self, **different: Any) -> None:
        """Set the switches of the simulated Klaviyo: those of `KLAVIYO_SETTINGS` but for these."""
        _control("POST", self.klaviyo_url, "settings", {**KLAVIYO_SETTINGS, **different})

    def klaviyo_has(self, path: str, resource: Mapping[str, Any]) -> str:
        """Create something in Klaviyo beforehand, by posting it as `data`; its id there."""
        answer = HTTP.post(
            f"{self.klaviyo_url}{path}",
            json={"data": resource},
            headers={"Authorization": f"Klaviyo-API-Key {KLAVIYO_KEY}", "revision": "2026-07-15"},
        )
        assert answer.status_code in {201, 202}, answer.text
        self.watch()
        return str(answer.json()["data"]["id"]) if answer.content else ""

    def klaviyo_has_profile(self, **attributes: Any) -> str:
        """A profile in Klaviyo beforehand; its id there."""
        return self.klaviyo_has("/api/profiles", {"type": "profile", "attributes": attributes})

    def klaviyo_fails(self, *rules: Mapping[str, Any]) -> None:
        """These faults, and no others, happen to requests to Klaviyo (`sandbox.faults`)."""
        _control("POST", self.klaviyo_url, "faults", list(rules))

    def commercetools_fails(self, *rules: Mapping[str, Any]) -> None:
        """The same for commercetools."""
        _control("POST", self.commercetools_url, "faults", list(rules))

    @contextmanager
    def klaviyo_holds(self, answer: Callable[[], Any], **where: Any) -> Iterator[Future[Any]]:
        """Calls `answer` on a thread; inside, Klaviyo holds the first such request (`where`: the matchers of a rule) of it.

        It goes on at the end. What was answered, or raised, is in the future, which is asked for it then at the latest.
        """
        self.klaviyo_fails({"kind": "hold", "seconds": HELD_AT_MOST_S, "first": 1, **where})
        with ThreadPoolExecutor(1) as pool:
            answered = pool.submit(answer)
            try:
                self.wait_for(lambda: HTTP.get(f"{self.klaviyo_url}/_sandbox/faults").json()[0]["held"] == 1)
                yield answered
            finally:
                self.klaviyo_fails()
            answered.result()

    def deliver(
        self, notification: Mapping[str, Any] | bytes, envelope: Envelope = pubsub_push, post: Post | None = None
    ) -> Answer:
        """Deliver a notification once; the answer, which no delivery may wait longer for than the platform does."""
        return self.post(envelope(notification, post or Post()))

    def post(self, request: Request) -> Answer:
        """Post a request to the function."""
        with measured() as took:
            answer = HTTP.post(self.function.url, content=request.body, headers=dict(request.headers))
        assert took.moving_s < ACKNOWLEDGED_WITHIN_S, f"answered after {took}"
        return Answer(answer.status_code, answer.content, took.seconds, took.moving_s)

    def sent(self) -> list[Sent]:
        """All requests to Klaviyo, in the order in which they were answered."""
        kept = {row["seq"]: row for row in HTTP.get(f"{self.klaviyo_url}/_sandbox/bodies").json()}
        return [_sent(entry, kept.get(entry["seq"])) for entry in self._ledger(self._klaviyo_from)]

    def reads(self) -> dict[str, int]:
        """How often commercetools was asked, by method, kind of path and status (`GET customers/{id} 200`); tokens left out."""
        counted = HTTP.get(f"{self.commercetools_url}/_sandbox/requests").json()["requests"]
        rows = [row for row in counted if row["endpoint"] != "oauth/token"]
        return {f"{row['method']} {row['endpoint']} {row['status']}": row["count"] for row in rows}

    def profiles(self) -> list[dict[str, Any]]:
        """All profiles in Klaviyo: their attributes, in the order of their creation."""
        lines = HTTP.get(f"{self.klaviyo_url}/_sandbox/profiles/dump?full=1").text.splitlines()
        return [_given(json.loads(line)["attributes"]) for line in lines]

    def profile(self, **identifier: str) -> dict[str, Any] | None:
        """One profile by external_id, email or phone_number, with id, consent and suppression; None when there is none."""
        answer = HTTP.get(f"{self.klaviyo_url}/_sandbox/profiles", params=identifier)
        return None if answer.status_code == 404 else dict(answer.json())

    def events(self) -> list[dict[str, Any]]:
        """All events in Klaviyo, with their properties."""
        lines = HTTP.get(f"{self.klaviyo_url}/_sandbox/events/dump?full=1").text.splitlines()
        return [json.loads(line) for line in lines]

    def catalog(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Klaviyo's catalog: each object by its kind (item, variant, category) and external id."""
        lines = map(json.loads, HTTP.get(f"{self.klaviyo_url}/_sandbox/catalog/dump?full=1").text.splitlines())
        return {(line["kind"], line["external_id"]): line for line in lines}

    def dead_letters(self) -> list[DeadLetter]:
        """The dead letters of the process since the test began."""
        return self.function.dead_letters()

    def custom_objects(self) -> list[dict[str, Any]]:
        """All custom objects in commercetools."""
        credentials = {"grant_type": "client_credentials"}
        token = HTTP.post(f"{self.commercetools_url}/oauth/token", data=credentials, auth=(CLIENT_ID, CLIENT_SECRET)).json()
        headers = {"Authorization": f"Bearer {token['access_token']}"}
        answer = HTTP.get(f"{self.commercetools_url}/{PROJECT}/custom-objects?limit=500", headers=headers)
        return list(answer.json()["results"])

    def output(self) -> str:
        """What the process has written."""
        with self.function.output.open("rb") as file:
            file.seek(self._log_from)
            return file.read().decode()

    def logged(self, message: str) -> list[dict[str, Any]]:
        """The log lines with this message."""
        lines = [json.loads(line) for line in self.output().splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("message") == message]

    def outcomes(self) -> list[tuple[str, str, str | None]]:
        """What the log says of each notification: its type, the outcome, the reason."""
        return [(line["message_type"], line["outcome"], line.get("reason")) for line in self.logged("notification handled")]

    def wait_for(self, holds: Callable[[], bool], within_s: float = 60.0) -> None:
        """Wait for something that Klaviyo does later."""
        deadline = time.monotonic() + within_s
        while not holds():
            assert time.monotonic() < deadline, "not within the time"
            time.sleep(0.02)

    def _ledger(self, after: int) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        while page := HTTP.get(f"{self.klaviyo_url}/_sandbox/ledger?after={after + len(rows)}").json():
            rows += page
        return rows


def upsert(attributes: Mapping[str, Any], status: int = 201) -> Sent:
    """The upsert of a profile; Klaviyo answers 201 when it is new, else 200."""
    return Sent("POST", "/api/profile-import", status, {"data": {"type": "profile", "attributes": attributes}})


def patch(profile_id: str, attributes: Mapping[str, Any], status: int = 200) -> Sent:
    """The update of a profile that is known by Klaviyo's id."""
    body = {"data": {"type": "profile", "id": profile_id, "attributes": attributes}}
    return Sent("PATCH", f"/api/profiles/{profile_id}", status, body)


def find_profile(identifier: str, value: str, status: int = 200) -> Sent:
    """The look-up of a profile by `email` or `external_id`; `value` is written as a filter takes it."""
    query = {"filter": f'equals({identifier},"{value}")', "fields[profile]": "email"}
    return Sent("GET", "/api/profiles", status, query=query)


def stamp(**different: Any) -> Stamp:
    """When and as which message something happened."""
    return Stamp(**{"id": str(uuid.uuid4()), "at": AT, **different})


def _sent(entry: Mapping[str, Any], kept: Mapping[str, Any] | None) -> Sent:
    said = kept or {"query": "", "body": ""}
    body = json.loads(said["body"]) if said["body"] else None
    return Sent(entry["method"], entry["path"], entry["status"], body, dict(parse_qsl(said["query"], keep_blank_values=True)))


def _given(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if value is not None}


def _control(method: str, url: str, path: str, body: Any = None) -> httpx.Response:
    answer = HTTP.request(method, f"{url}/_sandbox/{path}", json=body)
    assert answer.is_success, answer.text
    return answer
