"""Against an import API that Google keeps private, the command line calls as whoever the user is to Google."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cli_run import Run
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from fake_import_api import RUN_ID, Call, FakeImportApi, status

from shared.cli.address import api_address
from shared.cli.google_identity import MARGIN_S, UNKNOWN_LIFE_S, GoogleIdentity, NoIdentity, id_token
from shared.cli.platform_answers import platform_answer
from shared.cli.progress import PATIENCE_S
from shared.errors import ConfigError

ROOT = Path(__file__).parents[3]
AUDIENCE = "https://bulk-dispatch-123456789012.europe-west1.run.app"
PERSON = "you@example.com"
ACCOUNT = "importer@my-cloud-project.iam.gserviceaccount.com"
NOT_LOGGED_IN = "ERROR: You do not currently have an active account selected.\nPlease run:\n\n  $ gcloud auth login\n"
FORBIDDEN = "<html><title>403 Forbidden</title>Your client does not have permission to get URL from this server.</html>"


def token(number: int = 1, **claims: Any) -> str:
    """An ID token in form; its signature is `number`."""
    content = {"iss": "https://accounts.google.com", "aud": AUDIENCE, "email": PERSON, "exp": 4_000_000_000, **claims}
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({"alg": "RS256"}, content)]
    return ".".join([*parts, f"signature-{number}"])


@dataclass
class Gcloud:
    """A program of that name on the path: each call prints the next of `tokens`, the last one again and again."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def prints(self, *tokens: str) -> None:
        """Give these tokens."""
        for number, text in enumerate(tokens, 1):
            (self.folder / f"token-{number}").write_text(text)
        self._does(
            'n=$(($(wc -l < "$0.calls") + 0)); while [ ! -f "$(dirname "$0")/token-$n" ]; do n=$((n - 1)); done\n'
            'cat "$(dirname "$0")/token-$n"; echo'
        )

    def fails(self, text: str, code: int = 1) -> None:
        """Give none, and say this."""
        (self.folder / "complaint").write_text(text)
        self._does(f'cat "$(dirname "$0")/complaint" >&2; exit {code}')

    @property
    def calls(self) -> list[str]:
        """What it was called with."""
        written = self.folder / "gcloud.calls"
        return written.read_text().splitlines() if written.exists() else []

    def _does(self, script: str) -> None:
        program = self.folder / "gcloud"
        program.write_text(f'#!/bin/sh\necho "$*" >> "$0.calls"\n{script}\n')
        program.chmod(0o755)


@pytest.fixture
def gcloud(tmp_path: Path) -> Gcloud:
    """A gcloud that a person is logged in to."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = Gcloud(folder, {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "BULK_IMPORT_AUDIENCE": AUDIENCE})
    program.prints(token())
    return program


def google_admits(*good: str) -> Callable[[Call], tuple[int, str] | None]:
    """Google before the service: it lets these tokens through, and answers the others as Cloud Run does."""

    def guard(call: Call) -> tuple[int, str] | None:
        sent = call.headers.get("authorization", "")
        if not sent:
            return 403, FORBIDDEN
        return None if sent.removeprefix("Bearer ") in good else (401, "<html><title>401 Unauthorized</title></html>")

    return guard


def google_answers(code: int, body: str) -> Callable[[Call], tuple[int, str] | None]:
    """Google before the service: nothing comes through."""
    return lambda _call: (code, body)


def test_a_call_carries_the_users_id_token_and_the_api_key(run: Run, api: FakeImportApi, gcloud: Gcloud) -> None:
    """The one for Google as `Authorization`, the other as `X-Api-Key`; neither is shown."""
    api.guard = google_admits(token())
    result = run("import", "orders", "--url", api.url, BULK_IMPORT_API_KEY="open-sesame", **gcloud.environment)
    assert result.exit_code == 0
    [call] = api.called("POST", "/sync/orders")
    assert call.headers["authorization"] == f"Bearer {token()}"
    assert call.headers["x-api-key"] == "open-sesame"
    assert token()[:20] not in result.output
    assert gcloud.calls == ["auth print-identity-token"]


@pytest.mark.parametrize(
    ("url", "named", "audience"),
    [
        (None, "", None),
        (None, AUDIENCE, None),
        ("http://127.0.0.1:8080", "", None),
        ("http://localhost:8080", AUDIENCE, AUDIENCE),
        ("https://import.example.com", "", None),
        ("https://import.example.com", f" {AUDIENCE} ", AUDIENCE),
        (f"{AUDIENCE}/", "", AUDIENCE),
        ("https://Bulk-Dispatch-abcdefghij-ew.a.RUN.app/", "", "https://bulk-dispatch-abcdefghij-ew.a.run.app"),
        (AUDIENCE, "https://import.example.com", "https://import.example.com"),
        (
            "https://europe-west1-project.cloudfunctions.net/bulk-dispatch/",
            "",
            "https://europe-west1-project.cloudfunctions.net/bulk-dispatch",
        ),
        ("https://run.app.example.com", "", None),
        ("https://notrun.app", "", None),
    ],
)
def test_a_token_is_sent_to_googles_own_domains_and_where_an_audience_is_named(
    url: str | None, named: str, audience: str | None
) -> None:
    """To nobody else, and to this machine only when both are said."""
    environ = {"BULK_IMPORT_AUDIENCE": named} if named else {}
    assert api_address(environ, url).audience == audience


@pytest.mark.parametrize(
    ("url", "named", "problem"),
    [
        ("http://bulk-dispatch-123456789012.europe-west1.run.app", AUDIENCE, "--url"),
        ("http://import.example.com", AUDIENCE, "--url"),
        (AUDIENCE, "two words", "BULK_IMPORT_AUDIENCE"),
        (AUDIENCE, "a\x07bell", "BULK_IMPORT_AUDIENCE"),
    ],
)
def test_a_token_never_travels_over_plain_http(url: str, named: str, problem: str) -> None:
    """Nor for an audience that could be none."""
    with pytest.raises(ConfigError) as caught:
        api_address({"BULK_IMPORT_AUDIENCE": named}, url)
    assert [one.field for one in caught.value.problems] == [problem]


def test_a_local_import_api_gets_no_token(run: Run, api: FakeImportApi, gcloud: Gcloud) -> None:
    """gcloud is not even asked."""
    assert run("status", **gcloud.environment).exit_code == 0
    assert "authorization" not in api.calls[0].headers
    assert gcloud.calls == []


def test_a_token_is_used_until_shortly_before_its_end() -> None:
    """Then there is a new one; one that does not say when it ends is used for five minutes."""
    now, fetched = 1_000.0, iter([token(1, exp=4_600), token(2, exp=None), token(3)])
    identity = GoogleIdentity(AUDIENCE, lambda _audience: next(fetched), now=lambda: now)
    seen = []
    for moment in (
        1_000.0,
        4_599.0 - MARGIN_S,
        4_600.0 - MARGIN_S,
        4_599.0 - MARGIN_S + UNKNOWN_LIFE_S,
        4_600.0 + UNKNOWN_LIFE_S,
    ):
        now = moment
        seen.append(identity.token().reveal()[-1])
    assert seen == ["1", "1", "2", "2", "3"]
    assert "signature" not in repr(identity)


def test_a_watch_outlives_its_token(run: Run, api: FakeImportApi, gcloud: Gcloud) -> None:
    """The one that ends soon is used no more, and nothing is asked a second time."""
    gcloud.prints(token(1, exp=time.time() + MARGIN_S), token(2))
    api.guard = google_admits(token(2))
    api.course = [status("running"), status("completed")]
    assert run("watch", RUN_ID, "--url", api.url, **gcloud.environment).exit_code == 0
    assert {call.headers["authorization"] for call in api.calls} == {f"Bearer {token(2)}"}


def test_a_refused_token_is_renewed_once(run: Run, api: FakeImportApi, gcloud: Gcloud) -> None:
    """The call is made again, with its body."""
    gcloud.prints(token(1), token(2))
    api.guard = google_admits(token(2))
    assert run("import", "orders", "--id", "o-1", "--url", api.url, **gcloud.environment).exit_code == 0
    [call] = api.called("POST", "/sync/orders")
    assert call.body == {"ids": ["o-1"]}
    assert len(gcloud.calls) == 2


def test_a_token_that_is_refused_again_is_no_endless_matter(run: Run, api: FakeImportApi, gcloud: Gcloud) -> None:
    """It says how to log in, and shows no token."""
    api.guard = google_admits("another")
    result = run("status", "--url", api.url, **gcloud.environment)
    assert result.exit_code == 1
    assert "does not accept the ID token" in result.stderr
    assert "gcloud auth login" in result.stderr
    assert len(gcloud.calls) == 2
    assert "eyJ" not in result.output


def test_the_import_apis_own_401_renews_nothing(run: Run, api: FakeImportApi, gcloud: Gcloud) -> None:
    """It is about the key."""
    api.answers["GET", "/sync/status"] = (401, {"error": "unauthorized", "message": "send the key"})
    result = run("status", "--url", api.url, **gcloud.environment)
    assert "BULK_IMPORT_API_KEY" in result.stderr
    assert (len(api.calls), len(gcloud.calls)) == (1, 1)


@pytest.mark.parametrize("claims", [{"email": ACCOUNT}, {"email": None}], ids=["by_key", "by_machine"])
def test_a_service_account_of_gcloud_asks_for_a_token_for_the_service(gcloud: Gcloud, claims: dict[str, Any]) -> None:
    """Cloud Run takes gcloud's own audience only from people."""
    gcloud.prints(token(1, aud="gcloud", **claims), token(2))
    assert id_token(AUDIENCE, gcloud.environment) == token(2)
    assert gcloud.calls == ["auth print-identity-token", f"auth print-identity-token --audiences={AUDIENCE}"]


@pytest.mark.parametrize(
    ("text", "message", "advice"),
    [
        (NOT_LOGGED_IN, "nobody is logged in to gcloud", "gcloud auth login"),
        (f"ERROR: something about {PERSON}", "has failed (exit code 1)", "what it says shows: gcloud auth print-identity-token"),
    ],
)
def test_a_gcloud_that_gives_no_token_is_explained_at_once(
    run: Run, api: FakeImportApi, gcloud: Gcloud, text: str, message: str, advice: str
) -> None:
    """Also to a watch, which otherwise is patient; what gcloud says is not repeated, for it names people."""
    gcloud.fails(text)
    for words in (("status",), ("watch", RUN_ID)):
        result = run(*words, "--url", api.url, **gcloud.environment)
        assert result.exit_code == 1
        assert message in result.stderr
        assert advice in result.stderr
        assert PERSON not in result.output
    assert len(gcloud.calls) == 2
    shown = json.loads(run("status", "--url", api.url, "--json", **gcloud.environment).stdout)
    assert shown["error"] == "no_identity"
    assert api.calls == []


@pytest.mark.parametrize("printed", ["", "no token", "a.b.c", "a.b"])
def test_what_is_no_token_is_not_sent(gcloud: Gcloud, printed: str) -> None:
    """Whatever stands in gcloud's place."""
    gcloud.prints(printed)
    with pytest.raises(NoIdentity):
        id_token(AUDIENCE, gcloud.environment)


def test_without_gcloud_it_says_what_to_install(run: Run, api: FakeImportApi, tmp_path: Path) -> None:
    """On a machine that is not Google's either."""
    result = run("status", "--url", api.url, BULK_IMPORT_AUDIENCE=AUDIENCE, PATH=str(tmp_path))
    assert result.exit_code == 1
    assert "gcloud is not installed" in result.stderr
    assert "GOOGLE_APPLICATION_CREDENTIALS" in result.stderr


@dataclass
class Google:
    """Google's token endpoint and the metadata server of one of its machines, as far as we need them."""

    url: str = ""
    asked: list[str] = field(default_factory=list)

    def answer(self, path: str, body: bytes) -> tuple[int, str]:
        """What stands at a path."""
        self.asked.append(path)
        if path == "/token":
            _, claims, _ = dict(pair.split("=", 1) for pair in body.decode().split("&"))["assertion"].split(".")
            wanted = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["target_audience"]
            return 200, json.dumps({"id_token": token(7, aud=wanted, email=ACCOUNT)})
        if path.startswith("/computeMetadata/v1/instance/service-accounts/default/identity?audience="):
            return 200, token(8, email=ACCOUNT)
        return 200, json.dumps({"aliases": ["default"], "email": ACCOUNT, "scopes": []})


@contextmanager
def served(google: Google) -> Iterator[Google]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            code, content = google.answer(self.path, self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            self.send_response(code)
            self.send_header("Metadata-Flavor", "Google")
            self.send_header("Content-Type", "application/text" if content.startswith("eyJ") else "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    google.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield google
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def google() -> Iterator[Google]:
    with served(Google()) as playing:
        yield playing


def printed_by_library(environ: Mapping[str, str]) -> str:
    """The token that a process with this environment gets; Google's library reads it when it is loaded."""
    script = (
        "from shared.cli.google_identity import id_token\nfrom shared.settings import environment\n"
        f"print(id_token({AUDIENCE!r}, environment()))"
    )
    ended = subprocess.run([sys.executable, "-c", script], env=environ, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def test_a_service_accounts_key_file_makes_the_token(google: Google, gcloud: Gcloud, tmp_path: Path) -> None:
    """For the service, and before gcloud is asked."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    key = {
        "type": "service_account",
        "client_email": ACCOUNT,
        "private_key": private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
        "token_uri": f"{google.url}/token",
    }
    (tmp_path / "key.json").write_text(json.dumps(key))
    environ = {**gcloud.environment, "GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "key.json"), "NO_PROXY": "127.0.0.1"}
    assert printed_by_library(environ) == token(7, aud=AUDIENCE, email=ACCOUNT)
    assert (google.asked, gcloud.calls) == (["/token"], [])


def test_a_machine_of_googles_has_its_own_identity(google: Google, tmp_path: Path) -> None:
    """Where there is no gcloud, its metadata server is asked."""
    host = google.url.removeprefix("http://")
    environ = {"PATH": str(tmp_path), "GCE_METADATA_HOST": host, "GCE_METADATA_IP": host, "NO_PROXY": "127.0.0.1"}
    assert printed_by_library(environ) == token(8, email=ACCOUNT)


@pytest.mark.parametrize("content", [None, "{", "[]"])
def test_a_key_file_that_is_none_is_named(gcloud: Gcloud, tmp_path: Path, content: str | None) -> None:
    """One that is no service account's is left to gcloud."""
    path = tmp_path / "key.json"
    if content is not None:
        path.write_text(content)
    environ = {**gcloud.environment, "GOOGLE_APPLICATION_CREDENTIALS": str(path)}
    if content == "[]":
        assert id_token(AUDIENCE, environ) == token()
        return
    with pytest.raises(NoIdentity, match="GOOGLE_APPLICATION_CREDENTIALS"):
        id_token(AUDIENCE, environ)


@pytest.mark.parametrize(
    ("code", "body", "error", "said"),
    [
        (401, "<html>", "not_admitted", "does not accept the ID token"),
        (403, FORBIDDEN, "not_admitted", "--member user:YOU --role roles/run.invoker"),
        (404, "<html>", "service_not_found", "gcloud run services list"),
        (429, "Rate exceeded.", "platform_unavailable", "try again in a moment"),
        (500, "<html>", "platform_unavailable", "gcloud run services logs read"),
        (503, "Service Unavailable", "platform_unavailable", "gcloud run services logs read"),
        (504, "upstream request timeout", "platform_unavailable", "did not answer in its time"),
        (302, "", "unexpected_answer", "is not the import API"),
    ],
)
def test_an_answer_of_googles_own_says_what_to_do(
    run: Run, api: FakeImportApi, gcloud: Gcloud, code: int, body: str, error: str, said: str
) -> None:
    """It does not blame the key of the import API, and scripts get a code."""
    api.guard = google_answers(code, body)
    result = run("status", "--url", api.url, **gcloud.environment)
    assert result.exit_code == 1
    assert said in result.stderr
    assert "BULK_IMPORT_API_KEY" not in result.stderr
    assert json.loads(run("status", "--url", api.url, "--json", **gcloud.environment).stdout)["error"] == error


def test_an_address_names_service_and_region_for_gcloud() -> None:
    """What is to be typed can be copied, where the address tells it."""
    known, other = (platform_answer(url, 403, signed=True) for url in (AUDIENCE, "https://import.example.com"))
    assert known is not None
    assert other is not None
    assert "add-iam-policy-binding bulk-dispatch --region europe-west1 --member" in known.advice[1]
    assert "add-iam-policy-binding SERVICE --region REGION --member" in other.advice[1]


def test_who_sends_no_token_to_google_learns_how_to() -> None:
    """A private service with a domain of its own looks like any other."""
    answer = platform_answer("https://import.example.com", 403, signed=False)
    assert answer is not None
    assert "BULK_IMPORT_AUDIENCE" in answer.advice[0]


def test_a_watch_survives_that_there_is_no_instance_for_a_moment(run: Run, api: FakeImportApi, gcloud: Gcloud) -> None:
    """Cloud Run's 429 passes; what it refuses for good does not."""
    answers = iter([(429, "Rate exceeded."), (503, "Service Unavailable"), None])
    api.guard = lambda _call: next(answers, None)
    assert run("watch", RUN_ID, "--url", api.url, **gcloud.environment).exit_code == 0
    api.guard = google_answers(403, FORBIDDEN)
    began = time.monotonic()
    assert run("watch", RUN_ID, "--url", api.url, **gcloud.environment).exit_code == 1
    assert time.monotonic() - began < PATIENCE_S, "not after its patience"
