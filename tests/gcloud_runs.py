"""The real gcloud for tests: offline, without a login, with a configuration of its own; and a stand-in that only writes down."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "deploy" / "gcloud.sh"
EXAMPLE = ROOT / "deploy" / "gcloud.env.example"
NO_LOGIN = "You do not currently have an active account selected."
"""What gcloud says when it has understood a command, flags and all, and would now ask Google."""

NO_LOGIN_UNTOLD = "'NoActiveAccountException' object has no attribute 'content'"
"""The same of `artifacts repositories list` (gcloud 528), which stumbles over it."""

PROJECT = "shop-cloud"
PROJECT_NUMBER = "123456789012"
FILLED_IN = {"GOOGLE_CLOUD_PROJECT": PROJECT, "CT_PROJECT_ID": "shop", "OPERATORS": "user:somebody@shop.example"}
_DRIVER = Path(__file__).with_name("gcloud_in_one_process.py")
_NOTHING_OF_OURS = ("CLOUDSDK_", "GOOGLE_", "PUBSUB_", "FIRESTORE_")

Words = tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """How a command ended."""

    words: Words
    code: int
    out: str
    err: str

    @property
    def understood(self) -> bool:
        """Whether all that was missing is a login."""
        return self.code == 1 and (NO_LOGIN in self.err or NO_LOGIN_UNTOLD in self.err)


@dataclass(frozen=True)
class Gcloud:
    """The installed gcloud: its Python, and where it is."""

    python: str
    root: str

    def answers(self, commands: Sequence[Words], **environment: str) -> list[Answer]:
        """What the real gcloud makes of each, in one process; `environment` is added to one that knows of no account."""
        with tempfile.TemporaryDirectory() as folder:
            asked, answered = Path(folder, "asked.json"), Path(folder, "answered.json")
            asked.write_text(json.dumps(commands))
            given = {**_offline(folder), "CLOUDSDK_ROOT_DIR": self.root, **environment}
            driven = [self.python, "-S", str(_DRIVER), self.root, str(asked), str(answered)]
            subprocess.run(driven, env=given, check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
            done = json.loads(answered.read_text())
        return [Answer(tuple(words), *ended) for words, ended in zip(commands, done, strict=True)]

    def process(self, words: Words) -> Answer:
        """What `gcloud` itself makes of one command."""
        with tempfile.TemporaryDirectory() as folder:
            ended = subprocess.run(
                ["gcloud", *words],
                env=_offline(folder),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        return Answer(words, ended.returncode, ended.stdout, ended.stderr)


@cache
def installed() -> Gcloud:
    """The installed one; where there is none the test is skipped, which fails a suite that requires every tier."""
    if shutil.which("gcloud") is None:
        pytest.skip("gcloud: there is no Google Cloud SDK here")
    with tempfile.TemporaryDirectory() as folder:
        asked = ["gcloud", "info", "--format=value(basic.python_location,installation.sdk_root)"]
        told = subprocess.run(asked, env=_offline(folder), check=True, capture_output=True, text=True, timeout=60).stdout
    return Gcloud(*told.split())


def _offline(folder: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_NOTHING_OF_OURS)}
    return {
        **inherited,
        "CLOUDSDK_CONFIG": str(Path(folder, "gcloud")),
        "CLOUDSDK_CORE_PROJECT": PROJECT,
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1",
        "CLOUDSDK_CORE_CHECK_GCE_METADATA": "false",
        "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "1",
    }


_STAND_IN = """#!/bin/bash
printf '%s\\0' "$@" $'\\x1e' >>"$STAND_IN/calls"
case "$*" in
  "projects describe "*) echo {number} ;;
  "secrets versions list "*) cat "$STAND_IN/values" ;;
  *" list "*) cat "$STAND_IN/there" ;;
  *"--data-file=-") cat >>"$STAND_IN/given" ;;
esac
"""


@dataclass
class Script:
    """`deploy/gcloud.sh` over a stand-in for gcloud, which writes down how it is called and knows what is `there`, by name.

    `config` is added to the example, `environment` is around it all; `has_values` says whether every secret has a value.
    """

    folder: Path
    config: dict[str, str] = field(default_factory=dict)
    there: Sequence[str] = ()
    has_values: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.folder / "bin").mkdir(parents=True, exist_ok=True)
        program = self.folder / "bin" / "gcloud"
        program.write_text(_STAND_IN.replace("{number}", PROJECT_NUMBER))
        program.chmod(0o755)
        self.archive = self.folder / "source.zip"
        self.archive.write_bytes(b"the source")

    def calls(self, *arguments: str, stdin: str = "") -> list[Words]:
        """How gcloud is called when the script is run with these arguments."""
        return self._calls([str(SCRIPT), "--config", self._written_config(), *arguments], stdin)

    def calls_of(self, commands: str) -> list[Words]:
        """How it is called when bash runs these commands."""
        return self._calls(["bash", "-euo", "pipefail", "-c", commands], "")

    def printed(self, *arguments: str) -> str:
        """What `--print` shows."""
        ended = self.run("--print", *arguments)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """The script as it ends."""
        return self._run([str(SCRIPT), "--config", self._written_config(), *arguments], stdin)

    @property
    def given(self) -> str:
        """What gcloud was given on its standard input."""
        path = self.folder / "given"
        return path.read_text() if path.exists() else ""

    def _calls(self, command: Sequence[str], stdin: str) -> list[Words]:
        (self.folder / "calls").unlink(missing_ok=True)
        ended = self._run(command, stdin)
        assert ended.returncode == 0, ended.stderr
        written = (self.folder / "calls").read_text()
        return [tuple(call.split("\0")[:-1]) for call in written.split("\x1e\0")[:-1]]

    def _run(self, command: Sequence[str], stdin: str) -> subprocess.CompletedProcess[str]:
        (self.folder / "there").write_text("".join(f"{name}\n" for name in self.there))
        (self.folder / "values").write_text("1\n" if self.has_values else "")
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        given = {**self.environment, "PATH": path, "HOME": str(self.folder), "STAND_IN": str(self.folder)}
        return subprocess.run(
            command, env=given, input=stdin, capture_output=True, text=True, timeout=60, check=False, start_new_session=True
        )

    def _written_config(self) -> str:
        path = self.folder / "gcloud.env"
        added = "".join(f"{name}={_quoted(value)}\n" for name, value in {**FILLED_IN, **self.config}.items())
        path.write_text(f"{EXAMPLE.read_text()}\nSOURCE_ARCHIVE={_quoted(str(self.archive))}\n{added}")
        return str(path)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def named(calls: Sequence[Words], *beginning: str) -> list[Words]:
    """Those calls that begin so."""
    return [call for call in calls if call[: len(beginning)] == beginning]


def name_in(call: Words) -> str:
    """The name of what a call is about."""
    verbs = ("create", "update", "delete", "deploy", "add", "add-iam-policy-binding", "--recursive")
    return call[next(place for place, word in enumerate(call) if word in verbs) + 1]


def flag(call: Words, name: str) -> str:
    """The value of a flag."""
    return next(word.removeprefix(f"--{name}=") for word in call if word.startswith(f"--{name}="))


def variables_of(call: Words) -> dict[str, str]:
    """The environment that a function is deployed with, without its secrets."""
    text = flag(call, "set-env-vars")
    assert text.startswith("^;;^")
    return dict(pair.split("=", 1) for pair in text.removeprefix("^;;^").split(";;"))
